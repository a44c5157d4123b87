"""JMLR: one page a volume at jmlr.org/papers/v<volume>/, and a volume is a year.

A paper is a title (`dt`) and a description (`dd`) of authors, issue, pages, year, and links to abstract and
PDF. The key is the name of its files: `lember14a`, since 2015 the submission's number such as `16-210`.
Main are all papers and special topics. The track of open source software is not: those papers describe a
package in four pages.
"""

import re
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, Tree, absolute, attribute, parse, text_of, title_key
from reprocensus.sources.proceedings import MAIN, Found, Listed, Page, Venue

_BEFORE_FIRST: Final = 1999
#: Volumes 1 to 4 did not follow the calendar: 1 is of 2000 and 2001, 4 of 2003 and 2004.
VENUES: Final = MappingProxyType(
    {"jmlr": Venue("JMLR", tuple(range(_BEFORE_FIRST + 1, 2027)), "Journal of Machine Learning Research")}
)
_SOFTWARE: Final = re.compile(r"open source software|mloss", re.IGNORECASE)
_OWN: Final = re.compile(r"\bJMLR\b|^Journal of Machine Learning Research")
_ADDRESS: Final = re.compile(r"/papers/v(\d+)(?:/|$)")
_VOLUME: Final = re.compile(r"\bVolume\s+(\d+)", re.IGNORECASE)


def start(slug: str, year: int) -> tuple[str, ...]:
    """The volume's page. Raises `SourceError` for years before the first volume."""
    if year <= _BEFORE_FIRST:
        raise SourceError(f"{slug}/{year}: JMLR begins in {_BEFORE_FIRST + 1}")
    return (f"https://jmlr.org/papers/v{year - _BEFORE_FIRST}/",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of a volume."""
    tree = parse(page.text)
    if not _is_own(page, tree):
        return Found()
    listed = (_paper(term, page.url) for term in tree.css("dt"))
    return Found(papers=tuple(paper for paper in listed if paper))


def year_of(page: Page, slug: str) -> int | None:
    """The year of the volume that the page's heading or address names."""
    tree = parse(page.text)
    heading = text_of(tree.css_first("h1")) if _is_own(page, tree) else ""
    volume = _VOLUME.search(heading) or _ADDRESS.search(urlsplit(page.url).path)
    return _BEFORE_FIRST + int(volume[1]) if volume else None


def _is_own(page: Page, tree: Tree) -> bool:
    """Whether it is a page of JMLR: other journals set their lists in `dt` and `dd` too."""
    said = " ".join(text_of(node) for node in tree.css("title, h1"))
    return bool(_OWN.search(said) or _ADDRESS.search(urlsplit(page.url).path))


def _paper(term: Node, url: str) -> Listed | None:
    title = text_of(term)
    description = _description(term)
    links = [] if description is None else [(text_of(a).lower(), a) for a in description.css("a")]
    addresses = [(label, absolute(url, attribute(a, "href"))) for label, a in links]
    pdf = next((to for label, to in addresses if to and label.strip("[] ") == "pdf"), None)
    pdf = pdf or next((to for _, to in addresses if to and urlsplit(to).path.endswith(".pdf")), None)
    landing = next((to for label, to in addresses if label.strip("[] ") in ("abs", "abstract")), None)
    key = _stem(landing) or _stem(pdf)
    if not title or not (key or description):
        return None
    track = _track(description)
    return Listed(
        key or title_key(title),
        title,
        _authors(description),
        landing,
        pdf,
        track,
        main=not _SOFTWARE.search(track),
    )


def _description(term: Node) -> Node | None:
    node = term.next
    while node is not None and node.tag != "dt":
        if node.tag == "dd":
            return node
        node = node.next
    return None


def _authors(description: Node | None) -> tuple[str, ...]:
    for italic in description.css("i, em") if description is not None else ():
        said = text_of(italic)
        if said and not said.startswith("("):
            return names_in(said)
    return ()


def _track(description: Node | None) -> str:
    """What stands in italics and brackets after the pages: "Special Topic on Causality"."""
    for italic in description.css("i, em") if description is not None else ():
        said = text_of(italic)
        if said.startswith("(") and said.endswith(")"):
            return said.strip("() ").removesuffix(" Paper")
    return MAIN


def _stem(url: str | None) -> str | None:
    name = urlsplit(url or "").path.rpartition("/")[2]
    return name.rpartition(".")[0] or None
