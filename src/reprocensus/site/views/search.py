"""The search page: results from the database where the site has one, else a form for the script."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from reprocensus.site import urls
from reprocensus.site.answers import Found, html
from reprocensus.site.corpus import Corpus
from reprocensus.site.urls import Route

#: Longest query that is looked at.
_LONGEST: Final = 400


def search(corpus: Corpus, route: Route) -> Found:
    """The page, with what was found where something was asked."""
    # Of several values of one name the first is meant.
    return html(corpus, "search.html.j2", urls.search(), **_context(corpus, dict(reversed(route.query))))


def _context(corpus: Corpus, asked: Mapping[str, str]) -> dict[str, Any]:
    query = asked.get("q", "")[:_LONGEST]
    years = sorted({edition.year for edition in corpus.editions}, reverse=True)
    venue = asked.get("venue") if asked.get("venue") in corpus.venues else None
    year = next((each for each in years if str(each) == asked.get("year")), None)
    database = corpus.search
    found = None
    if database and query.strip():
        found = database.search(query, venue=venue, year=year, page=_page(asked.get("page", "")))
    kept = {"q": query, "venue": venue, "year": year}
    return {
        "query": query,
        "venue": venue,
        "year": year,
        "venues": corpus.venues,
        "years": years,
        "found": found,
        "again": urlencode({name: value for name, value in kept.items() if value}),
        "index": None if database else urls.search_file(""),
        "pending": len(set(corpus.editions) - set(database.editions())) if database else 0,
    }


def _page(given: str) -> int:
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 6 else 1
