"""A paper's page, its plain text, its JSON and citation."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reprocensus.records import Edition
from reprocensus.site import charts, urls
from reprocensus.site.answers import JSON, TEXT, Answer, Found, Redirect, html
from reprocensus.site.citation import bibtex
from reprocensus.site.corpus import Corpus, EditionData
from reprocensus.site.paper_json import paper_json
from reprocensus.site.papers import PaperPage, engine_of, paper_page
from reprocensus.site.texts import Passage, part_html, part_starts
from reprocensus.site.urls import Route

if TYPE_CHECKING:
    from markupsafe import Markup


def paper(corpus: Corpus, route: Route) -> Found:
    """The page. Other names of a paper lead on to it."""
    found = corpus.find(route.args[0])
    if found is None:
        return None
    edition, paper_id = found
    path = urls.paper(paper_id)
    if path != f"papers/{route.args[0]}/":
        return Redirect(path)
    data = corpus.edition(edition)
    content = paper_page(corpus, data, paper_id)
    scores = data.statistics.scores
    counts = tuple(scores["documentation_counts"] or ())
    return html(
        corpus,
        "paper.html.j2",
        path,
        paper=content,
        edition=edition,
        mean=scores["documentation_score"],
        histogram=_histogram(counts, content.score, edition) if any(counts) else None,
        bibtex=_citation(corpus, edition, content),
    )


@lru_cache(maxsize=1_024)
def _histogram(counts: tuple[int, ...], score: int | None, edition: Edition) -> "Markup":
    told = "; ".join(f"{n} papers with {at}" for at, n in enumerate(counts))
    return charts.histogram(counts, score, f"Papers of {edition} by documentation score: {told}")


def _citation(corpus: Corpus, edition: Edition, content: PaperPage) -> str:
    options = corpus.options
    address = f"{options.url.rstrip('/')}/{urls.paper(content.paper_id)}" if options.url else ""
    by = f"Judged by {content.engine}, {', '.join(content.models)}" if content.engine else "Not judged"
    runs = f", run {', '.join(content.runs)}" if content.runs else ""
    return bibtex(edition, content.row, options.title, address, content.judged_at, by + runs)


def _found(corpus: Corpus, route: Route) -> tuple[EditionData, str] | None:
    found = corpus.find(route.args[0])
    return (corpus.edition(found[0]), found[1]) if found else None


def json(corpus: Corpus, route: Route) -> Found:
    """The page's content for programs."""
    if (found := _found(corpus, route)) is None:
        return None
    data, paper_id = found
    return Answer(paper_json(data.edition, paper_page(corpus, data, paper_id)), JSON)


def citation(corpus: Corpus, route: Route) -> Found:
    """The page's citation in BibTeX."""
    if (found := _found(corpus, route)) is None:
        return None
    data, paper_id = found
    return Answer(_citation(corpus, data.edition, paper_page(corpus, data, paper_id)).encode(), TEXT)


def text(corpus: Corpus, route: Route) -> Found:
    """One part of the plain text."""
    found = _found(corpus, route)
    if found is None or not corpus.options.texts:
        return None
    data, paper_id = found
    document, part = data.document(paper_id), int(route.args[1])
    if document is None or not 1 <= part <= n_parts(document):
        return None
    words = data.texts([paper_id]).get(paper_id, "")
    starts = document["page_starts"] or [0]
    firsts = part_starts(starts)
    orders = {v.name: v.order for v in corpus.variables}
    passages = [
        Passage(quote["start"], quote["end"], f"{row['variable']}-{number}", orders.get(row["variable"], 0))
        for row in shown_verdicts(data, paper_id)
        if row["text_sha256"] == document["text_sha256"]
        for number, quote in enumerate(row["quotes"], start=1)
    ]
    places = []
    for page in range(len(starts)):
        home = sum(first <= page for first in firsts)
        places.append((page + 1, f"{urls.text(paper_id, home)}#page-{page + 1}"))
    return html(
        corpus,
        "text.html.j2",
        urls.text(paper_id, part),
        edition=data.edition,
        paper_id=paper_id,
        title=data.paper(paper_id)["title"] or paper_id,
        document=document,
        part=part,
        places=places,
        addresses=[urls.text(paper_id, number) for number in range(1, len(firsts) + 1)],
        body=part_html(words, starts, part, passages),
    )


def n_parts(document: dict[str, Any]) -> int:
    """How many parts a document's text has."""
    return len(part_starts(document["page_starts"] or [0]))


def shown_verdicts(data: EditionData, paper_id: str) -> list[dict[str, Any]]:
    """The verdicts that the paper's page shows first: those of one engine."""
    verdicts = data.verdicts(paper_id)
    engine = engine_of(data, verdicts)
    return [row for row in verdicts if row["engine"] == engine]
