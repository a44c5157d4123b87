"""ICLR: archive pages with arXiv links to 2016, OpenReview's API from 2017 to 2023, NeurIPS' layout since.

The layouts are read by `iclr_archive`, `openreview` and `neurips`; here is which year has which. A paper's
key is its arXiv number, its OpenReview id, or the hash of the proceedings.
"""

import re
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources import iclr_archive, neurips, openreview
from reprocensus.sources.html import parse, text_of
from reprocensus.sources.proceedings import Found, Page, Venue

_FIRST, _LAST = 2013, 2025
VENUES: Final = MappingProxyType(
    {"iclr": Venue("ICLR", tuple(range(_FIRST, _LAST + 1)), "Learning Representations")}
)
_ARCHIVE: Final = {
    2014: ("https://iclr.cc/archive/2014/old-site/program-details/conference-program.html",),
    2015: ("https://iclr.cc/archive/www/doku.php%3Fid=iclr2015:accepted-main.html",),
    2016: ("https://iclr.cc/archive/www/doku.php%3Fid=iclr2016:accepted-main.html",),
}
_OWN_SITE_FROM: Final = 2024


def start(slug: str, year: int) -> tuple[str, ...]:
    """Where the year is listed. Raises `SourceError` for years before the conference."""
    if year < _FIRST:
        raise SourceError(f"{slug}/{year}: the first ICLR was in {_FIRST}")
    if year in _ARCHIVE:
        return _ARCHIVE[year]
    if year >= _OWN_SITE_FROM:
        return (f"https://proceedings.iclr.cc/paper_files/paper/{year}",)
    return openreview.iclr_start(year)


def read(page: Page, edition: Edition) -> Found:
    """The papers of one page, whichever of the layouts it has."""
    if _is_json(page):
        return openreview.read(page, edition)
    tree = parse(page.text)
    papers = neurips.read_papers(page, tree)
    if papers:
        headings = " ".join(text_of(node) for node in tree.css("h1, h2, h3, h4"))
        other = "Neural Information Processing" in headings
        return Found() if other else Found(papers)
    return Found(iclr_archive.read(page, tree))


def year_of(page: Page, slug: str) -> int | None:
    """The year in the page's address, in OpenReview's invitations, or in the headings."""
    if _is_json(page):
        return openreview.year_of(page)
    named = re.search(r"(?<!\d)(20\d\d)(?!\d)", urlsplit(page.url).path)
    if named:
        return int(named[1])
    # The archive's pages have no year in a heading; the first that they name in their text is theirs.
    tree = parse(page.text)
    said = text_of(tree.css_first("title")) + " " + text_of(tree.body)
    inside = re.search(r"(?:ICLR|Learning Representations)[\s(]{1,3}(?:ICLR\)?\s)?(20\d\d)", said)
    return int(inside[1]) if inside else neurips.year_of(page, slug)


def _is_json(page: Page) -> bool:
    return page.text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
