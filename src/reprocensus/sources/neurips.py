"""NeurIPS: one page a year on proceedings.neurips.cc, in the layouts used before 2020, to 2021, and since.

A paper's key is the hash in its address, which every host that the proceedings have had keeps
(papers.nips.cc, proceedings.neurips.cc, with and without `paper_files`). Main is the conference track.
"""

import re
from html import unescape
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.html import Node, Tree, absolute, attribute, collapse, parse, text_of
from reprocensus.sources.proceedings import MAIN, Found, Listed, Page, Venue

_FIRST, _LAST = 1987, 2025
VENUES: Final = MappingProxyType(
    {
        "neurips": Venue(
            "NeurIPS", tuple(range(_FIRST, _LAST + 1)), "Neural Information Processing Systems; NIPS to 2017"
        )
    }
)
_HOST: Final = "https://proceedings.neurips.cc"
#: Only 2021 had its datasets and benchmarks, in two rounds, on a host of their own.
_SIDE: Final = {2021: "https://datasets-benchmarks-proceedings.neurips.cc/paper/2021"}
_HASHED: Final = re.compile(
    r"(?P<base>/paper(?:_files/paper)?/(?P<year>\d{4}))/hash/(?P<hash>[0-9a-f]{32})-Abstract(?P<track>-[\w-]+)?\.html$"
)
#: papers.nips.cc before 2020: `/paper/5257-from-stochastic-mixability-to-fast-rates`.
_NUMBERED: Final = re.compile(r"/paper/(?P<number>\d+)-[\w-]+?(?:\.html)?$")
_YEAR_PAGE: Final = re.compile(r"/paper(?:_files/paper)?/(?P<year>\d{4})(?:/|$)|/book/.*-(?P<book>\d{4})$")
_MAIN_TRACKS: Final = frozenset({MAIN, "conference"})
_OTHER_VENUE: Final = "learning representations"


def start(slug: str, year: int) -> tuple[str, ...]:
    """The year's page. Raises `SourceError` for years before the conference."""
    if year < _FIRST:
        raise SourceError(f"{slug}/{year}: the first NeurIPS was in {_FIRST}")
    return (f"{_HOST}/paper_files/paper/{year}",)


def side(slug: str, year: int) -> tuple[str, ...]:
    """Where the datasets and benchmarks of 2021 are."""
    return (_SIDE[year],) if year in _SIDE else ()


def read(page: Page, edition: Edition) -> Found:
    """The papers of one page, and the companion volumes that it links to."""
    tree = parse(page.text)
    if _OTHER_VENUE in _headings(tree).casefold():
        return Found()
    return Found(read_papers(page, tree), _companions(page, tree, edition))


def year_of(page: Page, slug: str) -> int | None:
    """The year in the page's address, else in its heading."""
    named = _YEAR_PAGE.search(urlsplit(page.url).path)
    if named:
        return int(named["year"] or named["book"])
    headings = _headings(parse(page.text))
    heading = re.search(r"(?:NIPS|NeurIPS|ICLR)\s+(\d{4})", headings)
    if heading:
        return int(heading[1])
    volume = re.search(r"Neural Information Processing Systems (\d+)", headings)
    return _FIRST + int(volume[1]) if volume else None


def read_papers(page: Page, tree: Tree) -> tuple[Listed, ...]:
    """The papers of a page in the layout that NeurIPS, and ICLR since 2024, use."""
    listed = (_paper(page, item) for item in tree.css("li"))
    return tuple(paper for paper in listed if paper)


def _paper(page: Page, item: Node) -> Listed | None:
    for link in item.css("a[href]"):
        landing = absolute(page.url, attribute(link, "href"))
        title = _plain(link)
        if landing is None or not title:
            continue
        hashed = _HASHED.search(urlsplit(landing).path)
        if hashed:
            return _hashed(item, landing, title, hashed)
        numbered = _NUMBERED.search(urlsplit(landing).path)
        if numbered:
            return Listed(
                numbered["number"], title, _authors(item), landing, f"{landing.removesuffix('.html')}.pdf"
            )
    return None


def _hashed(item: Node, landing: str, title: str, hashed: re.Match[str]) -> Listed:
    suffix = hashed["track"] or ""
    named = attribute(item, "data-track") or suffix.removeprefix("-") or attribute(item, "class")
    track = MAIN if named.casefold() in ("", "none") else named.casefold()
    parts = urlsplit(landing)
    file = f"{hashed['base']}/file/{hashed['hash']}-Paper{suffix}.pdf"
    # The rounds of 2021's datasets and benchmarks number their papers from 1 again: one hash, two papers.
    key = hashed["hash"] + (suffix.casefold() if track.startswith("round") else "")
    if track.startswith("round"):
        track = f"datasets_and_benchmarks_{track}"
    pdf = urlunsplit((parts.scheme, parts.netloc, file, "", ""))
    return Listed(key, title, _authors(item), landing, pdf, track, track in _MAIN_TRACKS)


def _authors(item: Node) -> tuple[str, ...]:
    links = item.css("a.author")
    if links:
        return tuple(name for name in map(_plain, links) if name)
    said = _plain(item.css_first(".paper-authors") or item.css_first("i"))
    return tuple(name.strip() for name in said.split(",") if name.strip())


def _plain(node: Node | None) -> str:
    """A node's text. The site escapes some titles and names twice."""
    return collapse(unescape(text_of(node)))


def _companions(page: Page, tree: Tree, edition: Edition) -> tuple[str, ...]:
    """Pages that hold the rest of the year: 2025's front page lists one track and links to the others."""
    here = urlsplit(page.url)
    volume = f"vol{edition.year - _FIRST}"
    found: dict[str, None] = {}
    for link in tree.css("a[href]"):
        address = absolute(page.url, attribute(link, "href"))
        parts = urlsplit(address or "")
        name = parts.path.rstrip("/").rsplit("/", 1)[-1]
        if (
            address
            and parts.netloc == here.netloc
            and re.match(r"/paper(?:_files/paper)?/", parts.path)
            and re.fullmatch(rf"(?:{edition.year}|{volume})(?:-[\w-]+)?", name)
            and parts.path.rstrip("/") != here.path.rstrip("/")
        ):
            found[address] = None
    return tuple(found)


def _headings(tree: Tree) -> str:
    return " ".join(text_of(node) for node in tree.css("h1, h2, h3, h4"))
