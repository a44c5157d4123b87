"""JAIR, on Open Journal Systems: an edition is a year, of one to three volumes."""

import re
from types import MappingProxyType
from typing import Final

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.html import parse
from reprocensus.sources.ojs import articles, is_of_journal, issue_title, issues, label_year
from reprocensus.sources.proceedings import Found, Listed, Page, Venue

_FIRST: Final = 1993
_ARCHIVE: Final = "https://www.jair.org/index.php/jair/issue/archive"
_SIDE: Final = re.compile(
    r"\b(?:editorials?|masthead|errat(?:um|a)|corrigend(?:um|a)|obituar(?:y|ies))\b", re.I
)

VENUES: Final = MappingProxyType(
    {"jair": Venue("JAIR", tuple(range(_FIRST, 2027)), "Journal of Artificial Intelligence Research")}
)


def start(slug: str, year: int) -> tuple[str, ...]:
    """The archive of issues. Raises `SourceError` for a year before the first."""
    if year < _FIRST:
        raise SourceError(f"{slug}/{year}: JAIR begins in {_FIRST}")
    return (_ARCHIVE,)


def read(page: Page, edition: Edition) -> Found:
    """The articles of an issue, or the year's issues that an archive page links."""
    tree = parse(page.text)
    found = tuple(
        Listed(
            article.key,
            article.title,
            article.authors,
            article.landing_url,
            article.pdf_url,
            article.section or "Articles",
            main=not _SIDE.search(article.section),
        )
        for article in articles(tree, page.url, "jair")
    )
    return Found(papers=found) if found else Found(more=issues(tree, page.url, edition.year))


def year_of(page: Page, slug: str) -> int | None:
    """The year that an issue's title has in brackets, as in "Vol. 76 (2023)"."""
    tree = parse(page.text)
    if not is_of_journal(tree, page.url, "jair", "Journal of Artificial Intelligence Research"):
        return None
    return label_year(issue_title(tree))
