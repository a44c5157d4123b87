"""Every kind of page and what makes it. `answer` turns an address into what is sent, for build and serve."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from reprocensus.records import Edition
from reprocensus.site import urls
from reprocensus.site.corpus import Corpus
from reprocensus.site.editions import PAGE, listed, n_pages, table_json
from reprocensus.site.papers import paper_page
from reprocensus.site.render import page
from reprocensus.site.urls import Route

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for an address: bytes of a media type."""

    body: bytes
    media: str = HTML


@dataclass(frozen=True, slots=True)
class Redirect:
    """The address that another one leads on to."""

    path: str


Found = Answer | Redirect | None


def answer(corpus: Corpus, path: str) -> Found:
    """What is at an address (percent-decoded, relative to the root); None if there is nothing."""
    route = urls.route_of(path)
    return KINDS[route.kind](corpus, route) if route and route.kind in KINDS else None


def _html(corpus: Corpus, template: str, path: str, **context: Any) -> Answer:
    return Answer(page(template, path, corpus.options, context))


def _home(corpus: Corpus, _: Route) -> Found:
    return _html(corpus, "home.html.j2", urls.home(), editions=list(corpus.statistics.values()))


def _edition_of(corpus: Corpus, route: Route) -> Edition | None:
    edition = Edition(route.args[0], int(route.args[1]))
    return edition if edition in corpus.statistics else None


def _edition(corpus: Corpus, route: Route) -> Found:
    edition, number = _edition_of(corpus, route), int(route.args[2])
    if edition is None:
        return None
    data = corpus.edition(edition)
    papers = listed(corpus, data)
    if not 1 <= number <= n_pages(len(papers)):
        return None
    return _html(
        corpus,
        "edition.html.j2",
        urls.edition(edition, number),
        edition=edition,
        statistics=data.statistics,
        variables=corpus.variables,
        page=number,
        pages=n_pages(len(papers)),
        rows=papers[(number - 1) * PAGE : number * PAGE],
    )


def _edition_json(corpus: Corpus, route: Route) -> Found:
    edition = _edition_of(corpus, route)
    if edition is None:
        return None
    return Answer(table_json(corpus, listed(corpus, corpus.edition(edition))), JSON)


def _paper(corpus: Corpus, route: Route) -> Found:
    found = corpus.index.get(route.args[0])
    if found is None:
        return None
    edition, paper_id = found
    content = paper_page(corpus, corpus.edition(edition), paper_id)
    return _html(corpus, "paper.html.j2", urls.paper(paper_id), paper=content, edition=edition)


def _static(_: Corpus, route: Route) -> Found:
    suffix = route.args[0].rpartition(".")[2]
    found = files("reprocensus.site").joinpath("static", route.args[0])
    return Answer(found.read_bytes(), STATIC[suffix]) if suffix in STATIC and found.is_file() else None


STATIC: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

#: Kind of page (`urls.Route`) -> what makes it.
KINDS: Final[dict[str, Callable[[Corpus, Route], Found]]] = {
    "home": _home,
    "edition": _edition,
    "edition_json": _edition_json,
    "paper": _paper,
    "static": _static,
}


def edition_paths(corpus: Corpus, edition: Edition) -> Iterator[str]:
    """Every address that hangs on one edition alone."""
    data = corpus.edition(edition)
    yield urls.edition_json(edition)
    for number in range(1, n_pages(len(data.paper_ids)) + 1):
        yield urls.edition(edition, number)
    for paper_id in data.paper_ids:
        yield urls.paper(paper_id)


def common_paths(corpus: Corpus) -> Iterator[str]:
    """Every address that hangs on several editions, or on none."""
    yield urls.home()
    for file in sorted(files("reprocensus.site").joinpath("static").iterdir(), key=lambda f: f.name):
        yield urls.static(file.name)
