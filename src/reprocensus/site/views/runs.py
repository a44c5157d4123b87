"""Runs: all of them, and with what each judged."""

from reprocensus.site import urls
from reprocensus.site.answers import Found, html
from reprocensus.site.corpus import Corpus
from reprocensus.site.facts import agreements, run_total
from reprocensus.site.runs import run_page
from reprocensus.site.urls import Route

#: Runs on the list's page; the table has them all.
LISTED = 200


def runs(corpus: Corpus, _: Route) -> Found:
    """The latest runs."""
    return html(corpus, "runs.html.j2", urls.runs(), runs=corpus.runs[:LISTED], n_runs=len(corpus.runs))


def run(corpus: Corpus, route: Route) -> Found:
    """A run's LLM details."""
    at = next((at for at, row in enumerate(corpus.runs) if row["run_id"] == route.args[0]), None)
    if at is None:
        return None
    row, facts = corpus.runs[at], list(corpus.facts().values())
    before = next((r for r in corpus.runs[at + 1 :] if r["engine"] == row["engine"]), None)
    return html(
        corpus,
        "run.html.j2",
        urls.run(row["run_id"]),
        run=run_page(row),
        total=run_total(facts, row["run_id"]),
        agreements=agreements(facts, row["run_id"], corpus.variables),
        before=before["run_id"] if before else None,
        known={each["run_id"] for each in corpus.runs},
    )
