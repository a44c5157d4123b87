"""Writes paragraphs out as one text, and keeps the offset at which every page begins."""

from typing import NamedTuple

from reprocensus.extract.addresses import Addresses, open_address
from reprocensus.extract.hyphens import Vocabulary
from reprocensus.extract.pages import Row
from reprocensus.extract.paragraphs import Kind, Paragraph

_TAIL = 600
_HYPHENS = "-\u00ad\u2010"


class Placed(NamedTuple):
    """A paragraph as it stands in the text: `[start, end)` without its newline."""

    start: int
    end: int
    text: str
    paragraph: Paragraph


class Writer:
    """Joins rows into paragraphs and paragraphs into the text."""

    def __init__(self, vocabulary: Vocabulary, addresses: Addresses, n_pages: int) -> None:
        self._vocabulary = vocabulary
        self._addresses = addresses
        self._starts: list[int | None] = [None] * n_pages
        self._parts: list[str] = []
        self._length = 0
        #: All pages up to this one have begun.
        self._begun = 0
        self.placed: list[Placed] = []

    def add(self, paragraph: Paragraph) -> None:
        """Append one paragraph and its newline."""
        rows = paragraph.rows
        start = self._length
        if len(rows) == 1:
            text = rows[0].text.removesuffix("\u00ad")
            turns: list[tuple[int, int]] = []
        else:
            text, turns = self._join(rows)
        if not text:
            return
        page = rows[0].page
        if page > self._begun:
            self._begin(page, start)
        for page, offset in turns:
            self._begin(page, start + offset)
        end = start + len(text)
        self.placed.append(Placed(start, end, text, paragraph))
        self._parts.append(text)
        self._length = end + 1

    def _begin(self, page: int, offset: int) -> None:
        """Note where a page begins, unless that is known."""
        if self._starts[page - 1] is None:
            self._starts[page - 1] = offset
        if page == self._begun + 1:
            self._begun = page

    def text(self) -> str:
        """The whole text: a paragraph a line."""
        return "\n".join([*self._parts, ""])

    def page_starts(self) -> tuple[int, ...]:
        """The offset at which each page begins; a page without text begins where the next one does."""
        starts: list[int] = []
        following = self._length
        for start in reversed(self._starts):
            following = following if start is None else min(start, following)
            starts.append(following)
        starts.reverse()
        if starts:
            starts[0] = 0
        return tuple(starts)

    def _join(self, rows: list[Row]) -> tuple[str, list[tuple[int, int]]]:
        """The rows' text in one line, and (page, offset in it) for every page that begins within it."""
        parts: list[str] = []
        turns: list[tuple[int, int]] = []
        length = 0
        # Only the last piece can still change; `tail` is what stands since the last space, for addresses.
        piece = tail = rows[0].text
        above = rows[0]
        for row in rows[1:]:
            if piece[-1] not in _HYPHENS and "/" not in tail and ":" not in tail and "www." not in tail:
                # Nothing is broken here, as at the end of most lines.
                glued = piece + " "
            else:
                glued = self._glue(piece, tail, above, row)
            parts.append(glued)
            length += len(glued)
            if row.page != above.page:
                turns.append((row.page, length))
            piece = row.text
            tail = piece if glued[-1] == " " else (tail + piece)[-_TAIL:]
            above = row
        parts.append(piece.removesuffix("\u00ad"))
        return "".join(parts), turns

    def _glue(self, piece: str, tail: str, above: Row, row: Row) -> str:
        """A row's text, changed so that the next row's text can follow at once."""
        # An address has one of these.
        address = "/" in tail or "." in tail or ":" in tail
        mono = above.ends_mono and row.starts_mono
        if address and open_address(tail) and self._addresses.joins(tail, row.text, mono=mono):
            return piece
        if piece[-1] not in _HYPHENS:
            return piece + " "
        bare = piece[:-1]
        if piece.endswith("\u00ad"):
            return bare
        if not bare or not bare[-1].isalnum() or row.text.startswith(("and ", "or ")):
            # A dash, or a hyphen that hangs: `pre- and post-training`.
            return piece + " "
        return piece if self._vocabulary.keeps_hyphen(bare + "-", row.text) else bare


def write(paragraphs: list[Paragraph], vocabulary: Vocabulary, addresses: Addresses, n_pages: int) -> Writer:
    """Write all paragraphs."""
    writer = Writer(vocabulary, addresses, n_pages)
    for paragraph in paragraphs:
        writer.add(paragraph)
    return writer


def is_heading(placed: Placed) -> bool:
    """Whether a placed paragraph was set as a heading."""
    return placed.paragraph.kind is Kind.HEADING
