"""DMLR: one page a volume at data.mlr.press, and a volume is a year.

A paper has no page of its own: title, authors, abstract and PDF stand in the volume's list. The key is the
name of its PDF, such as `v01-1`.
"""

import re
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, absolute, attribute, parse, text_of, title_key
from reprocensus.sources.proceedings import Found, Listed, Page, Venue

_BEFORE_FIRST: Final = 2023
VENUES: Final = MappingProxyType(
    {
        "dmlr": Venue(
            "DMLR", tuple(range(_BEFORE_FIRST + 1, 2027)), "Journal of Data-centric Machine Learning Research"
        )
    }
)
_OWN: Final = re.compile(r"Data-centric Machine Learning Research|/volumes/\d+", re.IGNORECASE)
_PLACE: Final = re.compile(r",?\s*\(\d+\):.*$")


def start(slug: str, year: int) -> tuple[str, ...]:
    """The volume's page. Raises `SourceError` for years before the first volume."""
    if year <= _BEFORE_FIRST:
        raise SourceError(f"{slug}/{year}: DMLR's first volume is of {_BEFORE_FIRST + 1}")
    return (f"https://data.mlr.press/volumes/{year - _BEFORE_FIRST:02d}.html",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of a volume."""
    tree = parse(page.text)
    if not _OWN.search(f"{text_of(tree.css_first('title'))} {urlsplit(page.url).path}"):
        return Found()
    listed = (_paper(item, page.url) for item in tree.css("li"))
    return Found(papers=tuple(paper for paper in listed if paper))


def year_of(page: Page, slug: str) -> int | None:
    """The year of the volume that the page's address or heading names."""
    tree = parse(page.text)
    said = f"{text_of(tree.css_first('title'))} {urlsplit(page.url).path}"
    volume = re.search(r"/volumes/(\d+)|\bVolume\s+(\d+)", said) if _OWN.search(said) else None
    return _BEFORE_FIRST + int(volume[1] or volume[2]) if volume else None


def _paper(item: Node, url: str) -> Listed | None:
    title = text_of(item.css_first("dt"))
    # Not the links of the abstract, which stands between.
    around = [child for child in item.iter() if child.tag != "details"]
    links = [a for child in around for a in ([child] if child.tag == "a" else child.css("a"))]
    pdf = next(
        (absolute(url, attribute(a, "href")) for a in links if text_of(a).lower().strip("[] ") == "pdf"), None
    )
    if not title:
        return None
    return Listed(
        _stem(pdf) or title_key(title),
        title,
        names_in(_PLACE.sub("", text_of(item.css_first("dd")))),
        None,
        pdf,
        abstract=text_of(item.css_first("details p")) or None,
    )


def _stem(url: str | None) -> str | None:
    return urlsplit(url or "").path.rpartition("/")[2].rpartition(".")[0] or None
