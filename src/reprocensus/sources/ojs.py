"""Open Journal Systems, which AAAI and JAIR use: an archive of issues, and issues with sections of articles.

Two of its themes are known: the default one (`obj_article_summary`) and Bootstrap's (`article-summary`).
An article has a number in its address, `article/view/<article>`, that stays when the site moves. Its files
are galleys: `article/view/<article>/<galley>` is a viewer around the file, and the file itself lies at
`article/download/<article>/<galley>`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, Tree, absolute, attribute, text_of, title_key

_ARTICLE: Final = ".obj_article_summary, .article-summary"
_ISSUE: Final = ".obj_issue_summary, .issue-summary"
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d\b")
_VOLUME: Final = re.compile(r"\bVol(?:ume)?\.?\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Article:
    """An article of an issue; `section` is the heading that it stands under, '' for none."""

    key: str
    title: str
    authors: tuple[str, ...]
    landing_url: str | None
    pdf_url: str | None
    section: str


def articles(tree: Tree, url: str, journal: str) -> Iterator[Article]:
    """The articles of an issue page, in their order.

    None if the page is no issue, such as a login form, or is of another journal than the one whose name
    stands in the addresses: `index.php/<journal>/article/view/...`.
    """
    for node in tree.css(_ARTICLE):
        link = _title_link(node)
        heading = link or node.css_first(".title, .media-heading")
        title = text_of(heading)
        landing = absolute(url, attribute(link, "href"))
        pdf = _pdf(node, url)
        number = article_number(landing) or article_number(pdf)
        path = urlsplit(landing or pdf or url).path.lower().split("/")
        if journal.lower() not in path or not (title or number):
            continue
        yield Article(
            key=number or title_key(title),
            title=title,
            authors=names_in(text_of(node.css_first(".authors"))),
            landing_url=landing,
            pdf_url=pdf,
            section=_section(node),
        )


def article_number(url: str | None) -> str | None:
    """What identifies the article in `.../article/view/<article>...`; None if it is no such address."""
    parts = urlsplit(url or "").path.split("/")
    for before, verb, number in zip(parts, parts[1:], parts[2:], strict=False):
        if before == "article" and verb in ("view", "download") and number:
            return number
    return None


def issues(
    tree: Tree, url: str, year: int, year_of_volume: Callable[[int], int | None] | None = None
) -> tuple[str, ...]:
    """The pages that an archive page leads to: issues of `year`, and the archive's next page if needed.

    An issue's year stands in its title or follows from its volume, by `year_of_volume`. Archives go from new
    to old, so the next page is left out once a page ends before `year`. An archive page with no issue of the
    year names itself, which tells it from a page of another kind.
    """
    found: dict[str, None] = {}
    seen: list[int] = []
    for summary in tree.css(_ISSUE):
        address = _issue_address(summary, url)
        label = " ".join(text_of(node) for node in summary.css(".title, .series, .lead, h2, h3"))
        of = label_year(label or text_of(summary), year_of_volume)
        if address is not None and of == year:
            found[address] = None
        if of is not None:
            seen.append(of)
    following = _next_page(tree, url)
    if following and seen and min(seen) >= year:
        found[following] = None
    return tuple(found) or ((url,) if seen else ())


def label_year(label: str, year_of_volume: Callable[[int], int | None] | None = None) -> int | None:
    """The year that an issue's label names: its volume's if that is known, else the last year written."""
    volume = _VOLUME.search(label)
    if volume and year_of_volume:
        return year_of_volume(int(volume[1]))
    years = _YEAR.findall(label)
    return int(years[-1]) if years else None


def is_of_journal(tree: Tree, url: str, journal: str, title: str) -> bool:
    """Whether a page is of the journal: its address names it, or the page's own title has the journal's."""
    named = journal.lower() in urlsplit(url).path.lower().split("/")
    return named or title.lower() in text_of(tree.css_first("title")).lower()


def issue_title(tree: Tree) -> str:
    """What the page calls itself: the end of its breadcrumbs, else its first heading, else its title."""
    crumbs = tree.css(".cmp_breadcrumbs li")
    return text_of(crumbs[-1] if crumbs else tree.css_first("h1") or tree.css_first("title"))


def _title_link(article: Node) -> Node | None:
    for link in article.css(".title a, .media-heading a"):
        if text_of(link):
            return link
    return None


def _pdf(article: Node, url: str) -> str | None:
    links = article.css(".obj_galley_link, .galley-link, .galleys_links a")
    named = [link for link in links if "pdf" in attribute(link, "class").lower().split()]
    labelled = [link for link in links if "pdf" in text_of(link).lower()]
    for link in named + labelled:
        address = absolute(url, attribute(link, "href"))
        if address:
            return _download(address)
    return None


def _download(url: str) -> str:
    """The address of the file that the viewer of a galley shows."""
    parts = urlsplit(url)
    path = parts.path.split("/")
    if "article" in path:
        verb = path.index("article") + 1
        if path[verb : verb + 1] == ["view"] and len(path) > verb + 2:
            path[verb] = "download"
    return urlunsplit((parts.scheme, parts.netloc, "/".join(path), parts.query, ""))


def _section(article: Node) -> str:
    node = article.parent
    while node is not None and "section" not in attribute(node, "class").split():
        node = node.parent
    if node is None:
        return ""
    for heading in node.css("h1, h2, h3, h4, h5"):
        if not _inside(heading, article):
            return text_of(heading)
    return ""


def _inside(heading: Node, article: Node) -> bool:
    """Whether a heading is an article's own, of this one or a sister."""
    classes = set(attribute(article, "class").split()) & {"obj_article_summary", "article-summary"}
    node = heading.parent
    while node is not None:
        if classes & set(attribute(node, "class").split()):
            return True
        node = node.parent
    return False


def _issue_address(summary: Node, url: str) -> str | None:
    for link in summary.css("a"):
        address = absolute(url, attribute(link, "href"))
        if address and "/issue/view/" in urlsplit(address).path:
            return address
    return None


def _archive_number(url: str) -> int | None:
    match = re.search(r"/issue/archive(?:/(\d+))?/?$", urlsplit(url).path)
    return None if match is None else int(match[1] or 1)


def _next_page(tree: Tree, url: str) -> str | None:
    here = _archive_number(url) or 1
    for link in tree.css("a"):
        address = absolute(url, attribute(link, "href"))
        if address and _archive_number(address) == here + 1:
            return address
    return None
