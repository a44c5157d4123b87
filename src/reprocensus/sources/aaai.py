"""AAAI: aaai.org's own pages to 2022, Open Journal Systems at ojs.aaai.org after.

On aaai.org an edition is a volume page that links issue pages; an issue page has tracks (`track-wrap`) of
papers (`paper-wrap`). The PDFs of both sites come from the same journal system, so that its article number
is the key on either.

Main are the technical tracks and the special tracks of full papers that the same programme reviews (AI for
Social Impact, AI Alignment, Integrated Systems ...), as the existing census counts them. Not main are the
conferences held with AAAI (IAAI, EAAI) and what is shorter, invited or published before: student abstracts,
demonstrations, doctoral consortium, senior member talks, new faculty highlights, sister conferences.
"""

import re
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, Tree, absolute, attribute, parse, text_of, title_key
from reprocensus.sources.ojs import article_number, articles, is_of_journal, issue_title, issues, label_year
from reprocensus.sources.proceedings import Found, Listed, Page, Venue

#: Volume of the proceedings by year, where it is not year - 1986.
_EARLY: Final = {
    1980: 1, 1982: 2, 1983: 3, 1984: 4, 1986: 5, 1987: 6, 1988: 7, 1990: 8, 1991: 9, 1992: 10, 1993: 11,
    1994: 12, 1996: 13, 1997: 14, 1998: 15, 1999: 16, 2000: 17, 2002: 18, 2004: 19, 2005: 20, 2006: 21,
    2007: 22, 2008: 23,
}  # fmt: skip
_FIRST_YEARLY: Final = 2010
_LAST_ON_AAAI_ORG: Final = 2022
_ARCHIVE: Final = "https://ojs.aaai.org/index.php/AAAI/issue/archive"

VENUES: Final = MappingProxyType(
    {
        "aaai": Venue(
            "AAAI",
            (*_EARLY, *range(_FIRST_YEARLY, 2027)),
            "AAAI Conference on Artificial Intelligence; with IAAI, EAAI and student papers as side tracks",
        )
    }
)

_SIDE: Final = re.compile(
    r"\b(?:IAAI|EAAI|innovative applications|educational advances|student|undergraduate|doctoral|consortium"
    r"|demos?|demonstrations?|senior (?:member|track)|blue sky|summary talks|new faculty|what.?s hot|invited"
    r"|keynotes?|panels?|tutorials?|workshops?|posters?|journal|sister|nectar|late.breaking|competitions?"
    r"|challenge papers|model AI|exhibitions?|preface|front matter)(?:\d{2,4})?\b",
    re.IGNORECASE,
)
#: What says that it is main is, whatever its topic: a technical track on workshops would be.
_SAYS_MAIN: Final = re.compile(
    r"(?:AAAI (?:Special )?Technical Track|AAAI Special Track|Main Track)\b", re.IGNORECASE
)
#: Headings that name no track: there the issue's title decides.
_NAMELESS: Final = re.compile(r"|papers|articles|technical papers|full papers", re.IGNORECASE)
_CONFERENCE: Final = re.compile(r"\bAAAI[-‐–' ]*\d\d|\bAAAI Conference\b", re.IGNORECASE)
_STORED: Final = re.compile(r"/ojs/(\d+)/")


def start(slug: str, year: int) -> tuple[str, ...]:
    """The volume's page on aaai.org to 2022, the journal's archive after. Raises `SourceError`."""
    if year > _LAST_ON_AAAI_ORG:
        return (_ARCHIVE,)
    volume = _volume(year)
    if volume is None:
        raise SourceError(f"{slug}/{year}: there was no AAAI conference in {year}; see `reprocensus sources`")
    return (f"https://aaai.org/proceeding/aaai-{volume:02d}-{year}/",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of an issue page of either site, or the issues that a volume or archive page links."""
    tree = parse(page.text)
    if tree.css_first("li.paper-wrap, .track-wrap") is not None:
        return Found(papers=_papers_of_aaai_org(tree, page.url))
    found = tuple(_from_ojs(tree, page.url))
    if found:
        return Found(papers=found)
    return Found(more=_issues_on_aaai_org(tree, page.url) or issues(tree, page.url, edition.year, _year))


def year_of(page: Page, slug: str) -> int | None:
    """The year of a saved page: of its volume or of the conference that its title names."""
    tree = parse(page.text)
    crumbs = [urlsplit(attribute(link, "href")).path for link in tree.css(".proceeding-breadcrumb a")]
    for path in (*crumbs, urlsplit(page.url).path):
        volume = re.search(r"/proceeding/aaai-\d+-(\d{4})/", path)
        if volume:
            return int(volume[1])
    if not is_of_journal(tree, page.url, "AAAI", "AAAI Conference"):
        return None
    return label_year(issue_title(tree), _year)


def _volume(year: int) -> int | None:
    return year - 1986 if year >= _FIRST_YEARLY else _EARLY.get(year)


def _year(volume: int) -> int | None:
    early = {number: year for year, number in _EARLY.items()}
    return early.get(volume, volume + 1986 if volume > max(early) else None)


def _papers_of_aaai_org(tree: Tree, url: str) -> tuple[Listed, ...]:
    issue = text_of(tree.css_first("h1"))
    found = []
    for paper in tree.css("li.paper-wrap"):
        link = next((a for a in paper.css("h2 a, h3 a, h4 a, h5 a, h6 a") if text_of(a)), None)
        title = text_of(link or paper.css_first("h2, h3, h4, h5, h6"))
        landing = absolute(url, attribute(link, "href"))
        pdf = _pdf(paper, url)
        stored = _STORED.search(pdf or "")
        key = stored[1] if stored else article_number(pdf) or _slug_of(landing) or title_key(title)
        if not title and not pdf:
            continue
        track, main = _track(_heading_of(paper), issue)
        found.append(Listed(key, title, _authors(paper), landing, pdf, track, main))
    return tuple(found)


def _from_ojs(tree: Tree, url: str) -> list[Listed]:
    issue = issue_title(tree)
    found = []
    for article in articles(tree, url, "AAAI"):
        track, main = _track(article.section, issue)
        found.append(
            Listed(
                article.key, article.title, article.authors, article.landing_url, article.pdf_url, track, main
            )
        )
    return found


def _issues_on_aaai_org(tree: Tree, url: str) -> tuple[str, ...]:
    """The issue pages that a volume page of aaai.org lists, on either site."""
    here = urlsplit(url).path.rstrip("/")
    found: dict[str, None] = {}
    for link in tree.css("main.content li a, main li a"):
        address = absolute(url, attribute(link, "href"))
        path = urlsplit(address or "").path
        is_issue = "/proceeding/" in path and not path.rstrip("/").startswith(here)
        if address and (is_issue or ("/issue/view/" in path and "/proceeding/" in here)):
            found[address] = None
    return tuple(found)


def _heading_of(paper: Node) -> str:
    """The heading of the track that a paper stands in; '' if there is none."""
    node = paper.parent
    while node is not None and "track-wrap" not in attribute(node, "class").split():
        node = node.parent
    return "" if node is None else text_of(node.css_first("h1, h2, h3, h4, strong"))


def _track(heading: str, issue: str) -> tuple[str, bool]:
    """A track's name, and whether it is main. Where the heading says nothing the issue's title does."""
    if not _NAMELESS.fullmatch(heading):
        return heading, bool(_SAYS_MAIN.match(heading)) or not _SIDE.search(heading)
    main = bool(_CONFERENCE.search(issue)) or not _SIDE.search(issue)
    return (heading or "Papers", True) if main else (issue, False)


def _authors(paper: Node) -> tuple[str, ...]:
    """The names; the paragraph after them has page numbers."""
    block = paper.css_first(".papers-author-page")
    if block is None:
        return ()
    paragraphs = [text_of(node) for node in block.css("p")] or [text_of(block)]
    return names_in(", ".join(text for text in paragraphs if not text[:1].isdigit()))


def _pdf(paper: Node, url: str) -> str | None:
    links = [(text_of(a).lower(), absolute(url, attribute(a, "href"))) for a in paper.css("a")]
    for label, address in links:
        if address and ("pdf" in label.split() or urlsplit(address).path.lower().endswith(".pdf")):
            return address
    return None


def _slug_of(landing: str | None) -> str | None:
    return urlsplit(landing or "").path.rstrip("/").rpartition("/")[2] or None
