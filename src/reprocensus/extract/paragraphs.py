"""From rows to paragraphs: where one paragraph of a page ends and the next begins, and what kind it is."""

import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from reprocensus.extract.addresses import open_address
from reprocensus.extract.headings import (
    ALGORITHM_LETTERS,
    ALGORITHM_LINE,
    CAPTION,
    CAPTION_LETTERS,
    LIST_ITEM,
    MIN_HEADING,
    looks_like_heading,
)
from reprocensus.extract.measures import Measures, edges, with_usual
from reprocensus.extract.pages import Row

_TERMINAL: Final = re.compile(r"[.!?:][\"'”’)\]]*(?:\^?\d{1,2}|[†‡∗*])?$")
_BOX_WORDS: Final = ("Algorithm", "ALGORITHM", "Procedure")
#: A line longer than this, in characters, is no heading unless its type says so.
_LONG: Final = 56
_BOX: Final = re.compile(r"(?:Algorithm|ALGORITHM|Procedure)\s\d{1,2}\b")
#: So begins a sentence about an algorithm; a box may have such a title, but hardly a full line of it.
_TOLD: Final = re.compile(r"(?:Algorithm|Procedure)\s\d{1,2}[,']?\s[a-z]")
#: A heading that ends within its line, where the next sentence begins.
_NEXT_BEGINS: Final = re.compile(r"[a-z]{3}\. [A-Z]\w*$")
_NUMBERED: Final = re.compile(r"\d{1,3}\s?:(?!\d)")
_STOPS: Final = ".!?:"
#: A footnote's mark and its first word: it begins a footnote even where the one above ends in an address.
NOTE: Final = re.compile(r"(?:\d{1,2}|[*∗†‡§¶])\s?[A-Z“\"]")
#: What a line has to begin with to open a list item, a caption or a line of an algorithm.
_OPENING: Final = re.compile(
    r"[^\w\s]|\d|[a-z]{1,4}\)|[FTALPSB][a-zA-Z]|(?:end|else|for|while|if|repeat|until|return)\b"
    r"|(?:Require|Ensure|Input|Output|Initialize|Data|Result|Return|Parameters|Repeat|Until)"
)
#: A footnote that is an address.
_NOTED_ADDRESS: Final = re.compile(r"\d{1,2} ?https?:")
_NOTE_OPENS: Final = re.compile(rf"{NOTE.pattern}|{_NOTED_ADDRESS.pattern}")
_SIZE_STEP: Final = 0.7


def ends_sentence(text: str) -> bool:
    """Whether a text ends in a full stop, colon or the like, a closing quote or footnote mark aside."""
    last = text[-1:]
    if last in _STOPS:
        return bool(last)
    # Most lines end in a letter, which needs no second look.
    return not last.isalpha() and last not in "-," and _TERMINAL.search(text, len(text) - 8) is not None


class Kind(StrEnum):
    """What a paragraph is, as far as its flow goes."""

    BODY = "body"
    HEADING = "heading"
    CAPTION = "caption"
    TABLE = "table"
    SMALL = "small"
    ALGORITHM = "algorithm"
    FRONT = "front"


@dataclass(slots=True)
class Paragraph:
    """Rows that read as one; `right` is the column's right edge beside the last of them, in points.

    `size` is the type size of its first row in points.
    """

    rows: list[Row]
    kind: Kind
    right: float
    size: float

    @property
    def page(self) -> int:
        """The page it starts on."""
        return self.rows[0].page

    @property
    def text(self) -> str:
        """Its rows' text, roughly: without care for hyphens."""
        return " ".join(row.text for row in self.rows)


class Segmenter:
    """Cuts one page's rows into paragraphs."""

    def __init__(self, rows: list[Row], measures: Measures) -> None:
        self._rows = rows
        self._measures = measures
        self._rights = with_usual(edges([row.x1 for row in rows]), measures.rights, rows)
        self._lefts: list[float] | None = None
        self._lowest: dict[tuple[int, int], float] = {}
        self._far = 1.33 * measures.leading
        self._box = False
        self._boxed: set[int] = set()
        body = measures.body
        self._headings = {
            id(row)
            for row in rows
            if len(row.text) >= MIN_HEADING
            and (len(row.text) < _LONG or row.bold or row.size > body + 0.75 or row.text.isupper())
            and not row.text[0].islower()
            and looks_like_heading(row, body)
        }
        self._run_ins = {
            id(row)
            for row, below in pairwise(rows)
            if id(row) in self._headings and self._is_run_in(row, below)
        }
        self._run_ins |= {
            id(row)
            for row in rows
            if id(row) in self._headings and _NEXT_BEGINS.search(row.text) and self._is_full(row)
        }
        self._headings -= self._run_ins

    def paragraphs(self) -> list[Paragraph]:
        """The page's paragraphs in stream order."""
        found: list[Paragraph] = []
        current: list[Row] = []
        for row in self._rows:
            if self._box or row.text.startswith(_BOX_WORDS):
                self._box = self._box_goes_on(current, row)
            if current and self._breaks(current, row):
                found.append(self._paragraph(current))
                current = []
            current.append(row)
            if self._box:
                self._boxed.add(id(row))
        if current:
            found.append(self._paragraph(current))
        return found

    def _is_run_in(self, row: Row, below: Row) -> bool:
        """Whether a row that looks like a heading is a run-in one: its sentence goes on in ordinary type."""
        if (
            not below.text[0].islower()
            or below.bold
            or below.block != row.block
            or id(below) in self._headings
        ):
            return False
        step = below.baseline - row.baseline
        same = abs(below.size - row.size) < 0.3 and 0.3 * row.size < step <= self._far * row.size
        return same and row.x1 > self.right_of(below) - 3 * row.size

    def _box_goes_on(self, current: list[Row], row: Row) -> bool:
        """Whether a row belongs to an algorithm's box: it begins one, or follows closely in one."""
        if _BOX.match(row.text):
            return not (_TOLD.match(row.text) and self._is_full(row)) and (
                not current or self._starts_fresh(current[-1], row)
            )
        if not self._box or not current:
            return False
        last = current[-1]
        step = row.baseline - last.baseline
        if _NUMBERED.match(row.text) and step > 0:
            return True
        if id(row) in self._headings or CAPTION.match(row.text) or row.x0 > last.x1 + 150:
            return False
        usual = self._measures.leading * max(last.size, row.size)
        # Prose that follows stands off, and its lines are full; below the title there is a rule.
        off = self._is_full(row) and not (_BOX.match(last.text) or LIST_ITEM.match(row.text))
        return -0.5 * row.size < step < (1.25 if off else 1.7) * usual

    def _is_full(self, row: Row) -> bool:
        return self.right_of(row) - row.x1 < 2 * row.size

    def _starts_fresh(self, last: Row, row: Row) -> bool:
        return ends_sentence(last.text) or last.block != row.block

    def right_of(self, row: Row) -> float:
        """The right edge of the column that a row stands in, in points: the nearest usual one."""
        rights = self._rights
        for at in range(bisect_left(rights, row.x1 - 2.5), len(rights)):
            edge = rights[at]
            if edge > row.x0:
                # A far edge is another column's: a row of this one never comes near it.
                return edge
        return row.x1

    def _paragraph(self, rows: list[Row]) -> Paragraph:
        return Paragraph(rows, self._kind(rows), self.right_of(rows[-1]), rows[0].size)

    def _kind(self, rows: list[Row]) -> Kind:
        first = rows[0]
        if id(first) in self._headings:
            return Kind.HEADING
        letter = first.text[0]
        if letter in CAPTION_LETTERS and CAPTION.match(first.text):
            return Kind.CAPTION
        if first.cells > 1 and self._is_cells(first):
            return Kind.TABLE
        if id(first) in self._boxed or (letter in ALGORITHM_LETTERS and ALGORITHM_LINE.match(first.text)):
            return Kind.ALGORITHM
        if first.size < self._measures.body - 0.6 or not first.horizontal:
            return Kind.SMALL
        return Kind.BODY

    def _breaks(self, current: list[Row], row: Row) -> bool:
        last = current[-1]
        if not (last.horizontal and row.horizontal):
            return True
        step, size, above = row.baseline - last.baseline, row.size, last.size
        if id(row) in self._headings or id(last) in self._headings:
            return not self._one_heading(last, row, step)
        if step < 0.3 * size or row.x0 > last.x1 + 1 or row.x1 < last.x0 - 1:
            return True
        if step > self._far * (size if size > above else above) or abs(size - above) > _SIZE_STEP:
            return True
        return self._begins(current, row)

    def _begins(self, current: list[Row], row: Row) -> bool:
        """Whether a row that follows closely begins a paragraph of its own."""
        last = current[-1]
        if (row.cells > 1 and self._is_cells(row)) or (last.cells > 1 and self._is_cells(last)):
            return True
        if (last.ends_mono and row.starts_mono and not row.mark and _runs_on(current, row)) or _cut(
            last, row
        ):
            return False
        ended = ends_sentence(last.text)
        remaining = self.right_of(last) - last.x1 - 0.9 * row.size
        if remaining > 0 and remaining > row.first_word_width:
            # The line is short: its neighbour's first word would have had room.
            return not _runs_on(current, row)
        # In the midst of a sentence and a block hardly anything opens.
        within = not ended and row.block == last.block and not row.mark and not row.text[0].isdigit()
        if not within and self._opens(last, row, ended=ended):
            return True
        if id(last) in self._boxed and row.x0 < last.x0 - 0.5 * row.size:
            return True
        return ended and (id(row) in self._run_ins or self._indented(current, row))

    def _opens(self, last: Row, row: Row, *, ended: bool) -> bool:
        """Whether a row's first words open a list item, a caption, a line of an algorithm or a footnote."""
        if row.mark and row.size < self._measures.body and (ended or _NOTE_OPENS.match(row.text)):
            return True
        if not _OPENING.match(row.text):
            return False
        if (ended or row.block != last.block) and CAPTION.match(row.text):
            return True
        # `can (i) accelerate` goes on, whatever stands in between.
        if (ended or (row.block != last.block and row.text[0] != "(")) and LIST_ITEM.match(row.text):
            return True
        return (ended or row.text[0].isdigit()) and ALGORITHM_LINE.match(row.text) is not None

    def _indented(self, current: list[Row], row: Row) -> bool:
        """Whether, after a full stop, a step to the right or left says that a paragraph begins."""
        last = current[-1]
        shift = row.x0 - last.x0
        if abs(shift) < 0.6 * row.size:
            return False
        if shift > 0:
            # In a hanging entry the second row is the first to be indented.
            return len(current) > 1 or not self._hangs(row)
        return len(current) > 1

    def _hangs(self, row: Row) -> bool:
        """Whether a later row of its block begins where this one does, as in a list of hanging entries."""
        if not self._lowest:
            for other in self._rows:
                key = (other.block, round(other.x0))
                self._lowest[key] = max(other.baseline, self._lowest.get(key, other.baseline))
        return self._lowest.get((row.block, round(row.x0)), row.baseline) > row.baseline

    def _one_heading(self, last: Row, row: Row, step: float) -> bool:
        if id(last) not in self._headings or re.match(r"(?:\d+(?:\.\d+)*|[A-Z])\.?\s", row.text):
            return False
        if id(row) not in self._headings and not row.bold and row.size < self._measures.body + 0.8:
            return False
        same = abs(row.size - last.size) < 0.3 and row.bold == last.bold
        near = 0.5 * row.size < step < 1.6 * row.size
        if not (same and near):
            return False
        if last.text[-1] == "-" or row.text[0].islower():
            return True
        room = self.right_of(last) - last.x1
        return room < row.first_word_width + row.size or abs((last.x0 + last.x1) - (row.x0 + row.x1)) < 4

    def _is_cells(self, row: Row) -> bool:
        """Whether a row consists of cells set apart; a stretched line of justified text does not."""
        if row.cells < 2:
            return False
        if row.cells == 2 and LIST_ITEM.match(row.text + " "):
            return False
        if open_address(row.text):
            return False
        if is_grid(row):
            return True
        at_right = any(abs(row.x1 - edge) < 1.5 for edge in self._rights)
        if self._lefts is None:
            self._lefts = edges([other.x0 for other in self._rows])
        at_left = any(abs(row.x0 - edge) < 1.5 for edge in self._lefts)
        wide = [gap for gap in row.gaps if gap > 0.3 * row.size]
        even = bool(wide) and max(wide) - min(wide) < max(0.35 * row.size, 0.25 * min(wide))
        stretched = even and len(wide) >= 2
        if stretched and at_right and len(wide) == len(row.gaps) >= len(row.text.split()) - 2:
            # Every space of the line is as wide: one stretched line, whatever its indent.
            return False
        # Justification opens gaps of up to two ems in a short line; whole phrases between them are no cells.
        loose = max(wide, default=0.0) < 2.2 * row.size and len(row.text) >= 12 * row.cells
        return not (at_left and at_right and (stretched or loose))


def _cut(last: Row, row: Row) -> bool:
    """Whether a word is broken between two rows: then the first is full, however far it reaches."""
    return last.text[-1] == "-" and last.text[-2:-1].islower() and row.text[0].islower()


def _runs_on(rows: list[Row], row: Row) -> bool:
    """Whether rows stop early because an address that goes on in the next could not be broken elsewhere."""
    last = rows[-1]
    if row.baseline - last.baseline > 1.6 * row.size or row.mark or _NOTED_ADDRESS.match(row.text):
        return False
    # The address may have begun some rows above.
    address = open_address("".join([above.text for above in rows[-4:]]))
    if not address:
        return False
    return (last.ends_mono and row.starts_mono) or address[-1] in "/-_:=?&.%"


def is_grid(row: Row) -> bool:
    """Whether most of a row's pieces are numbers or single signs, as in a table."""
    pieces = row.text.split()
    return row.cells >= 3 and sum(any(char.isdigit() for char in piece) for piece in pieces) >= 0.6 * len(
        pieces
    )
