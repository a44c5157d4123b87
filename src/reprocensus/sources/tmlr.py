"""TMLR: all papers on one page at jmlr.org/tmlr; an edition is what it says was published in a year.

Papers live on OpenReview, whose id of the paper is the key.
"""

import re
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, urlsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, absolute, attribute, parse, text_of, title_key
from reprocensus.sources.proceedings import Found, Listed, Page, Venue

_FIRST: Final = 2022
VENUES: Final = MappingProxyType(
    {"tmlr": Venue("TMLR", tuple(range(_FIRST, 2027)), "Transactions on Machine Learning Research")}
)
#: What follows the authors: ", February 2026".
_DATE: Final = re.compile(r"[\s,]*(?:[^\W\d]+\s+)?(?P<year>(?:19|20)\d\d)\b")
_OWN: Final = re.compile(r"Transactions on Machine Learning Research|/tmlr/", re.IGNORECASE)
_PAPER: Final = re.compile(r"/(?:forum|pdf)$")


def start(slug: str, year: int) -> tuple[str, ...]:
    """The one page of all years. Raises `SourceError` for years before the journal."""
    if year < _FIRST:
        raise SourceError(f"{slug}/{year}: TMLR begins in {_FIRST}")
    return ("https://jmlr.org/tmlr/papers/index.html",)


def read(page: Page, edition: Edition) -> Found:
    """The papers published in the edition's year. One without a date is of the year of the one before it."""
    tree = parse(page.text)
    if not _OWN.search(f"{text_of(tree.css_first('title'))} {urlsplit(page.url).path}"):
        return Found()
    listed = []
    year: int | None = None
    for item in tree.css("li"):
        paper = _paper(item, page.url)
        if paper is None:
            continue
        year = _year(item) or year
        if year == edition.year:
            listed.append(paper)
    return Found(papers=tuple(listed))


def _paper(item: Node, url: str) -> Listed | None:
    heading = item.css_first("h2, h3, h4, h5")
    if heading is None:
        return None
    pdf = landing = key = None
    for link in item.css("a"):
        address = absolute(url, attribute(link, "href"))
        parts = urlsplit(address or "")
        if not _PAPER.search(parts.path) or "openreview" not in parts.netloc:
            continue
        key = key or next(iter(parse_qs(parts.query).get("id", [])), None)
        if parts.path.endswith("/pdf"):
            pdf = pdf or address
        else:
            landing = landing or address
    title = text_of(heading)
    if not title and not key:
        return None
    authors = names_in(text_of(item.css_first("p i, p em")))
    return Listed(key or title_key(title), title, authors, landing, pdf)


def _year(item: Node) -> int | None:
    """The year of "A, B, February 2026"."""
    authors = text_of(item.css_first("p i, p em"))
    date = _DATE.match(text_of(item.css_first("p")).removeprefix(authors))
    return int(date["year"]) if date else None
