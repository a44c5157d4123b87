"""Running headers and footers, page numbers, margin line numbers, stamps: found by repetition and place."""

import itertools
import re
from collections import Counter, defaultdict
from functools import lru_cache
from typing import Final

from reprocensus.extract.pages import Page, Row

#: A page number before or behind a running title; digits inside the title are its own.
_OUTER_NUMBER: Final = re.compile(r"^\d+\W*|\W*(?:page)?\d+(?:of\d+)?$")
_PAGE_NUMBER: Final = re.compile(
    r"[-–—\s]*(?:page\s+)?(?:\d{1,6}|[ivxl]{1,7}|\d{1,4}\s*(?:of|/)\s*\d{1,4}|[A-Z]\d{0,2}[-–.:]\d{1,6}|\d{1,6}\s*:\s*\d{1,6})[-–—\s]*",
    re.IGNORECASE,
)
_BAND: Final = 0.14
#: A margin's line number is never wider than this, in points.
_WIDEST_NUMBER: Final = 40.0
_MIN_NUMBERED: Final = 4
_MANY_NUMBERED: Final = 15


def drop_margin_numbers(pages: list[Page]) -> None:
    """Remove the line numbers that review drafts carry in their margins or between columns, in place.

    They may stand at every line or every fifth, and start again on every page.
    """
    for page in pages:
        numbers = [row for row in page.rows if row.x1 - row.x0 < _WIDEST_NUMBER and _is_number(row.text)]
        if len(numbers) < _MIN_NUMBERED:
            continue
        drop: set[int] = set()
        for edge in ("x1", "x0"):
            for found in _columns(numbers, edge):
                if id(found[0]) not in drop and _counts_up(found) and _in_margin(page.rows, found):
                    drop |= {id(row) for row in found}
        if drop:
            page.rows = [row for row in page.rows if id(row) not in drop]


def _is_number(text: str) -> bool:
    return len(text) <= 4 and text.isdecimal() and text.isascii()


def _columns(numbers: list[Row], edge: str) -> list[list[Row]]:
    """The numbers that stand below each other, flush at one edge, each column from top to bottom."""
    columns: list[list[Row]] = []
    place = -1000.0
    for row in sorted(numbers, key=lambda row: float(getattr(row, edge))):
        here = float(getattr(row, edge))
        if here - place > 2:
            columns.append([])
        columns[-1].append(row)
        place = here
    return [sorted(found, key=lambda row: row.baseline) for found in columns if len(found) >= _MIN_NUMBERED]


def _counts_up(found: list[Row]) -> bool:
    """Whether the numbers rise by one or five, at distances that fit lines of text."""
    steps = Counter(int(below.text) - int(above.text) for above, below in itertools.pairwise(found))
    step = 5 if steps[5] > steps[1] else 1
    if steps[step] < 0.75 * (len(found) - 1):
        return False
    # Few numbers of ordinary size may be anything; line numbers are set tiny.
    return len(found) >= _MANY_NUMBERED or step == 5 or found[0].size < 8


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


def furniture(pages: list[Page], rows: list[list[Row]]) -> set[int]:
    """Return the ids (`id(row)`) of rows that repeat from page to page or only number it."""
    found: set[int] = set()
    bands = [_band(page, page_rows) for page, page_rows in zip(pages, rows, strict=True)]
    everywhere = Counter(key for band in bands for key in {_key(row) for row in band})
    need = 2 if len(pages) <= 8 else 3
    often = {key for key, count in everywhere.items() if count >= need}
    for from_top in (True, False):
        # Peel at most three rows from each end: a header may have two lines and a rule of its own.
        for _ in range(3):
            peeled = _peel(pages, bands, found, often, from_top=from_top)
            if not peeled:
                break
            found |= peeled
    found |= _steady(
        bands, found, {key for key, count in everywhere.items() if count >= max(3, need, len(pages) * 0.3)}
    )
    found |= {id(row) for row in rows[0] if _is_stamp(row)} if rows else set()
    return found


def _steady(bands: list[list[Row]], gone: set[int], steady: set[tuple[str, int]]) -> set[int]:
    """Rows that stand at one height on a third of all pages, even if something is outside of them."""
    members: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for band in bands:
        for row in band:
            if id(row) not in gone and _key(row) in steady and not _attached(row, band, steady):
                members[_key(row)].append(row)
    return {id(row) for rows in members.values() if len(rows) > 1 and _same_height(rows) for row in rows}


def _peel(
    pages: list[Page], bands: list[list[Row]], gone: set[int], often: set[tuple[str, int]], *, from_top: bool
) -> set[int]:
    outer: dict[tuple[str, int], list[Row]] = defaultdict(list)
    dropped: set[int] = set()
    for page, band in zip(pages, bands, strict=True):
        for row in _outermost(page, band, gone, from_top=from_top):
            if _PAGE_NUMBER.fullmatch(row.text):
                dropped.add(id(row))
            elif _key(row) in often and not _attached(row, band, often):
                outer[_key(row)].append(row)
    need = 2 if len(pages) <= 8 else 3
    for members in outer.values():
        if len({row.page for row in members}) >= need and _same_height(members):
            dropped |= {id(row) for row in members}
    return dropped


def _band(page: Page, rows: list[Row]) -> list[Row]:
    """The rows near the page's upper and lower edge, where furniture stands, and a little beyond."""
    top, bottom = (_BAND + 0.02) * page.height, (0.98 - _BAND) * page.height
    return [row for row in rows if (row.y1 < top or row.y0 > bottom) and row.horizontal]


def _attached(row: Row, band: list[Row], often: set[tuple[str, int]]) -> bool:
    """Whether a row is the end of a paragraph: one of its type that does not repeat stands close to it."""
    reach = 1.5 * row.size
    return any(
        abs(other.size - row.size) < 0.3
        and 0.5 * row.size < abs(other.baseline - row.baseline) < reach
        and other.x0 < row.x1
        and other.x1 > row.x0
        and _key(other) not in often
        for other in band
    )


def _key(row: Row) -> tuple[str, int]:
    return _bare(row.text), round(row.size)


@lru_cache(maxsize=2048)
def _bare(text: str) -> str:
    return _OUTER_NUMBER.sub("#", "".join(text.lower().split()))


def _same_height(members: list[Row]) -> bool:
    heights = sorted(row.baseline for row in members)
    middle = heights[len(heights) // 2]
    return sum(1 for height in heights if abs(height - middle) < 6) >= 0.7 * len(heights)


def _outermost(page: Page, rows: list[Row], gone: set[int], *, from_top: bool) -> list[Row]:
    """The row nearest to the page's edge and those at its height, if within the band at that edge."""
    left = [row for row in rows if id(row) not in gone]
    if not left or page.height <= 0:
        return []
    if from_top:
        edge = min(row.y0 for row in left)
        return [row for row in left if row.y0 < edge + 4 and row.y1 < _BAND * page.height]
    edge = max(row.y1 for row in left)
    return [row for row in left if row.y1 > edge - 4 and row.y0 > (1 - _BAND) * page.height]


def _is_stamp(row: Row) -> bool:
    """Whether it is a preprint server's stamp, set upright along the first page's margin."""
    return not row.horizontal and row.text.lower().startswith(("arxiv:", "biorxiv", "medrxiv"))
