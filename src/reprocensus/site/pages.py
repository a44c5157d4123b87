"""Every kind of page and what makes it. `answer` turns an address into what is sent, for build and serve."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from reprocensus.records import Edition
from reprocensus.site import comparing, urls
from reprocensus.site.answers import Answer, Found, Redirect
from reprocensus.site.corpus import Corpus
from reprocensus.site.download import KINDS as FILES
from reprocensus.site.download import WHOLE
from reprocensus.site.editions import n_pages
from reprocensus.site.evidence import offered
from reprocensus.site.facts import DOWNLOADS
from reprocensus.site.papers import shown_verdicts
from reprocensus.site.urls import Route
from reprocensus.site.views import (
    compare,
    crawl,
    downloads,
    editions,
    evidence,
    overview,
    papers,
    places,
    runs,
    search,
)

__all__ = ["KINDS", "Answer", "Found", "Redirect", "answer", "common_paths", "edition_paths"]

#: Kind of page (`urls.Route`) -> what makes it.
KINDS: Final[dict[str, Callable[[Corpus, Route], Found]]] = {
    "home": overview.home,
    "venues": overview.venues,
    "venue": overview.venue,
    "edition": editions.edition,
    "edition_json": editions.edition_json,
    "failures": editions.failures,
    "paper": papers.paper,
    "text": papers.text,
    "paper_json": papers.json,
    "citation": papers.citation,
    "evidence": evidence.evidence,
    "runs": runs.runs,
    "run": runs.run,
    "compare": compare.compare,
    "compare_with": compare.compare_with,
    "compare_editions": compare.compare_editions,
    "compare_runs": compare.compare_runs,
    "downloads": downloads.downloads,
    "table": downloads.table,
    "download": downloads.file,
    "data": overview.data,
    "about": overview.about,
    "search": search.search,
    "pdf": crawl.pdf,
    "static": crawl.static,
    "sitemap": crawl.sitemap,
    "robots": crawl.robots,
    "missing": crawl.missing,
    "places": places.places,
}


def answer(corpus: Corpus, path: str, query: tuple[tuple[str, str], ...] = ()) -> Found:
    """What is at an address (percent-decoded, relative to the root); None if there is nothing."""
    route = urls.route_of(path)
    return KINDS[route.kind](corpus, replace(route, query=query)) if route and route.kind in KINDS else None


def edition_paths(corpus: Corpus, edition: Edition, start: int = 0, stop: int | None = None) -> Iterator[str]:
    """Addresses that hang on one edition alone: those of its papers from `start` to `stop`, by paper_id.

    With the first papers come those of the edition itself.
    """
    data = corpus.edition(edition)
    if start == 0:
        yield urls.edition_json(edition)
        for number in range(1, n_pages(len(data.paper_ids)) + 1):
            yield urls.edition(edition, number)
        for number in range(1, editions.n_failure_pages(data.all_failures.height) + 1):
            yield urls.failures(edition, number)
        for name in DOWNLOADS:
            yield from (urls.download(name, edition, suffix) for suffix in FILES)
    for paper_id in data.paper_ids[start:stop]:
        yield from (urls.paper(paper_id), urls.paper_json(paper_id), urls.citation(paper_id))
        document = data.rows(paper_id).document if corpus.options.texts else None
        if document:
            yield from (urls.text(paper_id, part) for part in range(1, papers.n_parts(document) + 1))


def evidence_paths(corpus: Corpus, edition: Edition, paper_ids: Sequence[str]) -> Iterator[str]:
    """Addresses of the files of some papers' evidence that the site has."""
    data = corpus.edition(edition)
    for paper_id in paper_ids:
        rows = data.rows(paper_id)
        found = offered(corpus.evidence, paper_id, shown_verdicts(corpus, rows), rows.document)
        yield from found.pictures.values()
        yield from filter(None, [found.marked])


def common_paths(corpus: Corpus) -> Iterator[str]:
    """Addresses that hang on several editions, or on none."""
    yield from (urls.home(), urls.venues(), urls.runs(), urls.compare(), urls.downloads(), urls.data())
    yield from (urls.about(), urls.search(), urls.robots(), urls.missing(), urls.sitemap())
    yield from (urls.sitemap(part) for part in range(1, crawl.n_sitemaps(corpus) + 1))
    yield from map(urls.venue, corpus.venues)
    for kind in ("countries", "institutions"):
        yield from (urls.places(kind), *(urls.places(kind, venue) for venue in corpus.venues))
    yield from (urls.run(row["run_id"]) for row in corpus.runs)
    yield from (urls.compare_with(urls.edition_name(edition)) for edition in corpus.editions)
    yield from (urls.compare_editions(*pair) for pair in comparing.all_pairs(corpus.editions))
    yield from (urls.compare_runs(*pair) for pair in comparing.run_pairs(corpus.runs))
    yield from map(urls.table, (*DOWNLOADS, *WHOLE))
    yield from (urls.download(name, None, suffix) for name in WHOLE for suffix in FILES)
    yield from map(urls.static, crawl.static_names())
