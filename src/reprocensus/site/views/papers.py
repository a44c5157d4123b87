"""A paper's page, its plain text, its JSON and citation."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from reprocensus.counting import counted
from reprocensus.records import Edition
from reprocensus.site import charts, urls
from reprocensus.site.answers import JSON, TEXT, Answer, Found, Redirect, html
from reprocensus.site.citation import bibtex
from reprocensus.site.corpus import Corpus
from reprocensus.site.paper_json import paper_json
from reprocensus.site.papers import PaperPage, paper_page, shown_verdicts
from reprocensus.site.texts import Passage, part_html, part_of, part_starts
from reprocensus.site.urls import Route

if TYPE_CHECKING:
    from markupsafe import Markup

#: Authors at the top of a page whose paper has more than twice as many; the others are a click away.
AUTHORS: Final = 30


def paper(corpus: Corpus, route: Route) -> Found:
    """The page. Other names of a paper lead on to it."""
    if corpus.shelf and (finished := corpus.shelf.page(route.args[0])):
        return Answer(finished)
    rows = corpus.paper(route.args[0])
    if rows is None:
        return None
    path, edition = urls.paper(rows.paper_id), rows.edition
    if path != f"papers/{route.args[0]}/":
        return Redirect(path)
    from markupsafe import escape

    content = paper_page(corpus, rows)
    scores = corpus.statistics[edition].scores
    counts = tuple(scores["documentation_counts"] or ())
    authors = content.row["authors"] or ()
    # Few papers have more than they show; a list that is cut must be worth the click.
    shown = AUTHORS if len(authors) > 2 * AUTHORS else len(authors)
    return html(
        corpus,
        "paper.html.j2",
        path,
        paper=content,
        edition=edition,
        authors=authors[:shown],
        more_authors=authors[shown:],
        mean=scores["documentation_score"],
        histogram=_histogram(counts, content.score, edition) if any(counts) else None,
        # What it says of the paper is without marks and addresses already: to look again takes long.
        on_demand=corpus.evidence is not None and corpus.evidence.made_on_demand,
        bibtex=escape(_citation(corpus, edition, content)),
    )


@lru_cache(maxsize=1_024)
def _histogram(counts: tuple[int, ...], score: int | None, edition: Edition) -> "Markup":
    told = "; ".join(f"{counted(n, 'paper')} with {at}" for at, n in enumerate(counts))
    return charts.histogram(counts, score, f"Papers of {edition} by documentation score: {told}")


def _citation(corpus: Corpus, edition: Edition, content: PaperPage) -> str:
    options = corpus.options
    address = f"{options.url.rstrip('/')}/{urls.paper(content.paper_id)}" if options.url else ""
    by = f"Judged by {content.engine}, {', '.join(content.models)}" if content.engine else "Not judged"
    runs = f", run {', '.join(content.runs)}" if content.runs else ""
    return bibtex(edition, content.row, options.title, address, content.judged_at, by + runs)


def json(corpus: Corpus, route: Route) -> Found:
    """The page's content for programs."""
    rows = corpus.paper(route.args[0])
    return Answer(paper_json(rows.edition, paper_page(corpus, rows)), JSON) if rows else None


def citation(corpus: Corpus, route: Route) -> Found:
    """The page's citation in BibTeX."""
    rows = corpus.paper(route.args[0])
    return Answer(_citation(corpus, rows.edition, paper_page(corpus, rows)).encode(), TEXT) if rows else None


def text(corpus: Corpus, route: Route) -> Found:
    """One part of the plain text."""
    rows = corpus.paper(route.args[0])
    if rows is None or not corpus.options.texts:
        return None
    document, part, paper_id = rows.document, int(route.args[1]), rows.paper_id
    if document is None or not 1 <= part <= n_parts(document):
        return None
    words = corpus.text(rows)
    starts = document["page_starts"] or [0]
    firsts = part_starts(starts)
    orders = {v.name: v.order for v in corpus.variables}
    passages = [
        Passage(quote["start"], quote["end"], f"{row['variable']}-{number}", orders.get(row["variable"], 0))
        for row in shown_verdicts(corpus, rows)
        if row["text_sha256"] == document["text_sha256"]
        for number, quote in enumerate(row["quotes"], start=1)
    ]
    quoted = []
    for variable in corpus.variables:
        own = [passage for passage in passages if passage.anchor.rpartition("-")[0] == variable.name]
        if own:
            target = f"{urls.text(paper_id, part_of(starts, own[0].start))}#{own[0].anchor}"
            quoted.append((variable, target))
    places = []
    for page in range(len(starts)):
        home = sum(first <= page for first in firsts)
        places.append((page + 1, f"{urls.text(paper_id, home)}#page-{page + 1}"))
    return html(
        corpus,
        "text.html.j2",
        urls.text(paper_id, part),
        edition=rows.edition,
        paper_id=paper_id,
        title=rows.paper["title"] or paper_id,
        document=document,
        part=part,
        places=places,
        quoted=quoted,
        addresses=[urls.text(paper_id, number) for number in range(1, len(firsts) + 1)],
        body=part_html(words, starts, part, passages),
    )


def n_parts(document: dict[str, Any]) -> int:
    """How many parts a document's text has."""
    return len(part_starts(document["page_starts"] or [0]))
