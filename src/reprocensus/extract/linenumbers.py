"""The line numbers of review drafts: in the margins or between columns, at every line or every fifth."""

import itertools
import re
from collections import Counter
from typing import Final, NamedTuple

from reprocensus.extract.pages import Page, Row

#: A line number is never wider than this, in points.
_WIDEST_NUMBER: Final = 40.0
_MIN_NUMBERED: Final = 4
_MANY_NUMBERED: Final = 15
#: Letters of a line that may have a number joined to it.
_TEXT: Final = 20
#: As many pieces as this on a line, the number among them, and all as short, in points, are a table's row.
_CELLS: Final = 3
_SHORT: Final = 100.0
_DIGITS: Final = frozenset("0123456789")
#: A line of text that MuPDF has put a number into that stands close behind or before it.
_BEHIND: Final = re.compile(r"(.*[^\d ]) ?(\d{1,4})|(.*\d) (\d{1,4})")
_BEFORE: Final = re.compile(r"(\d{1,4}) ?([^\d ].*)|(\d{1,4}) (\d.*)")


def drop_margin_numbers(pages: list[Page]) -> None:
    """Remove the line numbers that review drafts carry in their margins or between columns, in place.

    They may stand at every line or every fifth, and start again on every page.
    """
    _part_lines(pages)
    places: Counter[tuple[str, int, int]] = Counter()
    for page in pages:
        numbers = [
            row
            for row in page.rows
            if row.text[-1] in _DIGITS and row.x1 - row.x0 < _WIDEST_NUMBER and _is_number(row.text)
        ]
        drop: set[int] = set()
        for edge in ("x1", "x0") if len(numbers) >= _MIN_NUMBERED else ():
            for found in _columns(numbers, edge):
                if id(found[0]) not in drop and _is_margin(page.rows, found):
                    drop |= {id(row) for row in found}
                    if len(found) >= _MANY_NUMBERED:
                        places[_place(found[0], edge)] += 1
        if drop:
            page.rows = [row for row in page.rows if id(row) not in drop]
    # The lines of a long algorithm are numbered on one page, those of a draft on all.
    usual = {place for place, count in places.items() if count >= max(2, 0.4 * len(pages))}
    if usual:
        _drop_stragglers(pages, usual)


def _place(row: Row, edge: str) -> tuple[str, int, int]:
    return edge, round(float(getattr(row, edge))), round(2 * row.size)


def _drop_stragglers(pages: list[Page], places: set[tuple[str, int, int]]) -> None:
    """Remove the numbers that are too few on their page to count up, where other pages have theirs."""
    near = {(edge, at + shift, size) for edge, at, size in places for shift in (-1, 0, 1)}
    for page in pages:
        page.rows = [
            row
            for row in page.rows
            if not (_is_number(row.text) and (_place(row, "x1") in near or _place(row, "x0") in near))
        ]


class _Joined(NamedTuple):
    """A line of text with the number that MuPDF has put into it."""

    row: Row
    number: int
    text: str


def _part_lines(pages: list[Page]) -> None:
    """Take the numbers out of lines that MuPDF has put them into, and those in line with them, in place."""
    for pattern, edge, at in ((_BEHIND, "x1", -1), (_BEFORE, "x0", 0)):
        # Most lines neither end nor begin in a digit, which needs no regular expression.
        digits = [[row for row in page.rows if row.text[at] in _DIGITS] for page in pages]
        known: set[int] = set()
        for page, rows in zip(pages, digits, strict=True):
            if len(rows) < _MANY_NUMBERED or not _flush(rows, edge):
                continue
            found = _joined(rows, pattern)
            for column in _columns([row for row in rows if id(row) in found or _is_number(row.text)], edge):
                if _is_joined_column(page.rows, column, found, edge):
                    known.add(round(float(getattr(column[0], edge))))
        for page, rows in zip(pages, digits, strict=True) if known else ():
            found = _joined(rows, pattern)
            for place in known:
                _part(page, found, edge, place)


def _flush(rows: list[Row], edge: str) -> bool:
    """Whether many rows begin or end at one place."""
    return max(Counter([int(getattr(row, edge)) for row in rows]).values()) >= _MANY_NUMBERED // 2


def _joined(rows: list[Row], pattern: re.Pattern[str]) -> dict[int, _Joined]:
    """The lines that begin or end in a number, by `id(row)`."""
    found: dict[int, _Joined] = {}
    number, words = (1, 0) if pattern is _BEHIND else (0, 1)
    for row in rows:
        match = pattern.fullmatch(row.text) if row.horizontal else None
        if match is not None:
            parts = match.groups()[:2] if match[1] is not None else match.groups()[2:]
            found[id(row)] = _Joined(row, int(parts[number]), parts[words])
    return found


def _is_joined_column(rows: list[Row], column: list[Row], found: dict[int, _Joined], edge: str) -> bool:
    """Whether the numbers at one edge count up line by line, and no other text runs across that edge."""
    numbers = [found[id(row)].number if id(row) in found else int(row.text) for row in column]
    steps = Counter(below - above for above, below in itertools.pairwise(numbers))
    if len(column) < _MANY_NUMBERED or max(steps[1], steps[5]) < 0.75 * (len(numbers) - 1):
        return False
    # Lines of text are long; the marks of a plot's axis count up as well: 10^-3, 10^-4.
    if 2 * sum(1 for row in column if id(row) in found and len(found[id(row)].text) >= _TEXT) < len(column):
        return False
    members = {id(row) for row in column}
    place = float(getattr(column[0], edge))
    across = [row for row in rows if row.x0 < place - 1 and row.x1 > place + 1 and id(row) not in members]
    return len(across) <= max(2, 0.12 * len(rows))


def _part(page: Page, found: dict[int, _Joined], edge: str, place: int) -> None:
    """Take the numbers at a place that is known for them out of a page's lines."""
    here = [
        row
        for row in page.rows
        if abs(float(getattr(row, edge)) - place) < 2 and (id(row) in found or _is_number(row.text))
    ]
    lone = [row for row in here if id(row) not in found]
    digit = (lone[0].x1 - lone[0].x0) / len(lone[0].text) if lone else 0.0
    for row in here:
        if id(row) not in found:
            continue
        _, number, row.text = found[id(row)]
        width = (digit or 0.5 * row.size) * len(str(number)) + 0.25 * row.size
        if edge == "x1":
            row.x1 -= width
        else:
            row.x0 += width
    gone = {id(row) for row in lone}
    page.rows = [row for row in page.rows if id(row) not in gone]


def _is_number(text: str) -> bool:
    return len(text) <= 4 and text.isdecimal() and text.isascii()


def _columns(numbers: list[Row], edge: str) -> list[list[Row]]:
    """The numbers that stand below each other, flush at one edge, each column from top to bottom."""
    columns: list[list[Row]] = []
    place = 0.0
    for row in sorted(numbers, key=lambda row: float(getattr(row, edge))):
        here = float(getattr(row, edge))
        if not columns or here - place > 2:
            columns.append([])
        columns[-1].append(row)
        place = here
    return [sorted(found, key=lambda row: row.baseline) for found in columns if len(found) >= _MIN_NUMBERED]


def _is_margin(rows: list[Row], found: list[Row]) -> bool:
    return _counts_up(found) and _in_margin(rows, found) and not _in_table(rows, found)


def _counts_up(found: list[Row]) -> bool:
    """Whether the numbers rise by one or five, at distances that fit lines of text."""
    steps = Counter(int(below.text) - int(above.text) for above, below in itertools.pairwise(found))
    step = 5 if steps[5] > steps[1] else 1
    if steps[step] < 0.75 * (len(found) - 1):
        return False
    # Few numbers of ordinary size may be anything; line numbers are set tiny.
    return len(found) >= _MANY_NUMBERED or step == 5 or found[0].size < 8


def _in_table(rows: list[Row], found: list[Row]) -> bool:
    """Whether most of the numbers have cells beside them and no line of text: they are a table's ranks."""
    widths: dict[int, list[float]] = {}
    for row in rows:
        widths.setdefault(round(row.baseline), []).append(row.x1 - row.x0)
    ranks = 0
    for row in found:
        level = round(row.baseline)
        beside = [width for at in (level - 1, level, level + 1) for width in widths.get(at, ())]
        ranks += len(beside) >= _CELLS and max(beside) < _SHORT
    return 2 * ranks > len(found)


def _in_margin(rows: list[Row], found: list[Row]) -> bool:
    """Whether no text of any length runs across the column of numbers, but for a float or two."""
    x0, x1 = min([row.x0 for row in found]) + 1, max([row.x1 for row in found]) - 1
    members = {id(row) for row in found}
    across = [row for row in rows if row.x0 < x1 and row.x1 > x0 and row.x1 - row.x0 > 30]
    if len([row for row in across if id(row) not in members]) <= max(2, 0.12 * len(rows)):
        return True
    # Between columns that stand close the numbers reach into the text; then each is at a line's height.
    heights = {
        round(row.baseline) for row in rows if row.x1 - row.x0 > 100 and row.size > 1.4 * found[0].size
    }
    level = [
        row
        for row in found
        if not heights.isdisjoint(range(round(row.baseline) - 1, round(row.baseline) + 2))
    ]
    return len(level) > 0.9 * len(found)
