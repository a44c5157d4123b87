"""CVF open access: CVPR, ICCV and WACV at openaccess.thecvf.com.

An edition's page lists all papers, or links one page a day and, since 2021, one page of all days. A paper is
a title (`dt.ptitle`) and two descriptions (`dd`): authors, each a search form of his own in most years, and
links to PDF, supplement and so on. The key is the name of its files without the end, such as
`He_Deep_Residual_Learning_CVPR_2016`. Workshops hang on a menu page and are a side track each.
"""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, Tree, absolute, attribute, parse, text_of, title_key
from reprocensus.sources.proceedings import MAIN, Found, Listed, Page, Venue

_HOST: Final = "https://openaccess.thecvf.com"
#: WACV joined in 2020.
VENUES: Final = MappingProxyType(
    {
        "cvpr": Venue(
            "CVPR", tuple(range(2013, 2027)), "IEEE/CVF Conference on Computer Vision and Pattern Recognition"
        ),
        "iccv": Venue(
            "ICCV", tuple(range(2013, 2027, 2)), "International Conference on Computer Vision; odd years"
        ),
        "wacv": Venue(
            "WACV", tuple(range(2020, 2027)), "Winter Conference on Applications of Computer Vision"
        ),
    }
)
_FIRST: Final = 2013
_EDITION: Final = re.compile(r"(?P<venue>CVPR|ICCV|WACV)_?(?P<year>\d{4})", re.IGNORECASE)
_WORKSHOPS: Final = re.compile(r"(?:CVPR|ICCV|WACV)_?\d{4}_?(?:W|workshops)/(?P<name>[^/?]+)", re.IGNORECASE)


def start(slug: str, year: int) -> tuple[str, ...]:
    """The edition's page. Raises `SourceError` for a year without one."""
    if year < _FIRST or (slug == "iccv" and year % 2 == 0):
        raise SourceError(f"{slug}/{year}: CVF has no such edition; see `reprocensus sources`")
    return (f"{_HOST}/{VENUES[slug].name}{year}",)


def side(slug: str, year: int) -> tuple[str, ...]:
    """The menu of the workshops."""
    return (f"{_HOST}/{VENUES[slug].name}{year}_workshops/menu",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of a page, or the pages of days or workshops that it links."""
    tree = parse(page.text)
    workshop = _WORKSHOPS.search(urlsplit(page.url).path)
    if workshop and re.fullmatch(r"menu(?:\.py)?", workshop["name"], re.IGNORECASE):
        return Found(side=_workshops(tree, page.url))
    name = f"Workshop: {unquote(workshop['name']).removesuffix('.py')}" if workshop else MAIN
    papers = tuple(
        paper for paper in (_paper(term, page.url, name) for term in tree.css("dt.ptitle")) if paper
    )
    one_day = "day" in parse_qs(urlsplit(page.url).query)
    return Found(papers=papers, more=() if one_day else _days(tree, page.url))


def year_of(page: Page, slug: str) -> int | None:
    """The year that the page's address names, or its headings."""
    tree = parse(page.text)
    said = " ".join((urlsplit(page.url).path, *(text_of(node) for node in tree.css("title, h1, h2, h3"))))
    years = [
        int(match["year"])
        for match in _EDITION.finditer(said.replace(" ", ""))
        if match["venue"].lower() == slug
    ]
    return years[0] if years else None


def _days(tree: Tree, url: str) -> tuple[str, ...]:
    """The page of all days if there is one, else those of each day."""
    found: dict[str, None] = {}
    for link in tree.css("a"):
        address = absolute(url, attribute(link, "href"))
        day = parse_qs(urlsplit(address or "").query).get("day", [""])[0]
        if address and day == "all":
            return (address,)
        if address and re.fullmatch(r"\d{4}-\d\d-\d\d", day):
            found[address] = None
    return tuple(found)


def _workshops(tree: Tree, url: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for link in tree.css("a"):
        address = absolute(url, attribute(link, "href"))
        named = _WORKSHOPS.search(urlsplit(address or "").path)
        if address and named and not re.fullmatch(r"menu(?:\.py)?|index", named["name"], re.IGNORECASE):
            found[address] = None
    return tuple(found)


def _paper(term: Node, url: str, track: str) -> Listed | None:
    title = text_of(term)
    descriptions = list(_descriptions(term))
    landing = absolute(url, attribute(term.css_first("a"), "href"))
    links = [
        (text_of(a).lower().strip("[] "), absolute(url, attribute(a, "href")))
        for node in descriptions
        for a in node.css("a")
    ]
    pdf = next((to for label, to in links if to and label == "pdf"), None)
    pdf = pdf or next((to for _, to in links if to and "/papers/" in to and to.endswith(".pdf")), None)
    if not title:
        return None
    key = _stem(pdf) or _stem(landing) or title_key(title)
    return Listed(key, title, _authors(descriptions), landing, pdf, track, main=track == MAIN)


def _descriptions(term: Node) -> Iterator[Node]:
    node = term.next
    while node is not None and node.tag != "dt":
        if node.tag == "dd":
            yield node
        node = node.next


def _authors(descriptions: list[Node]) -> tuple[str, ...]:
    """From the search forms, else from the text of the first description."""
    if not descriptions:
        return ()
    forms = [text_of(a) for node in descriptions for a in node.css("form a")]
    if forms:
        return names_in(", ".join(forms))
    first = descriptions[0]
    return () if first.css_first("a") else names_in(text_of(first))


def _stem(url: str | None) -> str | None:
    name = urlsplit(url or "").path.rpartition("/")[2].rpartition(".")[0]
    return name.removesuffix("_paper") or None
