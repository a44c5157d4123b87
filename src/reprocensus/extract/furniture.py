"""Running headers and footers, page numbers, stamps: found by repetition and place."""

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
