"""Editions and runs side by side."""

import polars as pl

from reprocensus.site import charts, comparing, urls
from reprocensus.site.answers import Found, Redirect, html
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import Row
from reprocensus.site.urls import Route


def compare(corpus: Corpus, _: Route) -> Found:
    """Where two are chosen."""
    runs = {row["run_id"]: row for row in corpus.runs}
    pairs = [(runs[a], runs[b]) for a, b in comparing.run_pairs(corpus.runs)]
    return html(
        corpus,
        "compare.html.j2",
        urls.compare(),
        editions=corpus.editions,
        venues=[(name, corpus.editions_of(name)) for name in corpus.venues],
        pairs=pairs[::-1],
    )


def compare_with(corpus: Corpus, route: Route) -> Found:
    """What one edition can be compared with."""
    first = urls.edition_of(route.args[0])
    if first is None or first not in corpus.statistics:
        return None
    others = [
        (corpus.statistics[other], urls.compare_editions(*comparing.order(first, other)))
        for other in comparing.partners(first, corpus.editions)
    ]
    return html(
        corpus,
        "compare_with.html.j2",
        urls.compare_with(route.args[0]),
        first=corpus.statistics[first],
        others=others,
    )


def compare_editions(corpus: Corpus, route: Route) -> Found:
    """Two editions."""
    one, two = (urls.edition_of(name) for name in route.args)
    if not one or not two or one == two or not {one, two} <= set(corpus.statistics):
        return None
    if (one, two) != comparing.order(one, two):
        return Redirect(urls.compare_editions(two, one))
    first, second = corpus.statistics[one], corpus.statistics[two]
    sides = [
        (side, charts.histogram(counts, None, f"Papers of {side.edition} by documentation score"))
        for side in (first, second)
        if any(counts := side.scores["documentation_counts"] or [])
    ]
    return html(
        corpus,
        "compare_editions.html.j2",
        urls.compare_editions(one, two),
        first=first,
        second=second,
        rows=comparing.share_rows(first, second, corpus.variables),
        sides=sides,
    )


def compare_runs(corpus: Corpus, route: Route) -> Found:
    """Two runs: what they were given, and how far their labels agree."""
    runs = {row["run_id"]: row for row in corpus.runs}
    one, two = (runs.get(name) for name in route.args)
    if one is None or two is None or one is two:
        return None
    if one["run_id"] > two["run_id"]:
        return Redirect(urls.compare_runs(two["run_id"], one["run_id"]))
    first, second = (run_labels(corpus, row["run_id"]) for row in (one, two))
    found = comparing.compare_labels(first, second, corpus.variables)
    return html(
        corpus,
        "compare_runs.html.j2",
        urls.compare_runs(one["run_id"], two["run_id"]),
        first=one,
        second=two,
        found=found,
        facts=_side_by_side(one, two),
    )


def run_labels(corpus: Corpus, run_id: str) -> pl.DataFrame:
    """A run's labels, from the journal, where no later run replaces them: paper_id, variable, label."""
    tables = corpus.tables
    columns = ("paper_id", "variable", "label")
    found = [
        tables.read_journal(entry).select(columns)
        for edition in corpus.editions
        for entry in tables.journal(edition)
        if entry.run_id == run_id and entry.table == "verdicts"
    ]
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.concat([empty, *found]).unique(["paper_id", "variable"], keep="last")


def _side_by_side(one: Row, two: Row) -> list[tuple[str, object, object]]:
    names = ("engine", "model", "started_at", "status", "seconds", "prompt_tokens", "cached_tokens",
             "output_tokens", "cost", "git_commit")  # fmt: skip
    rows: list[tuple[str, object, object]] = [
        (name.replace("_", " "), one[name], two[name]) for name in names
    ]
    for name in ("variable_sha", "prompt_sha"):
        sides = [{p["variable"]: p[name] for p in run["prompts"]} for run in (one, two)]
        changed = sorted(v for v in {*sides[0], *sides[1]} if sides[0].get(v) != sides[1].get(v))
        what = "definitions" if name == "variable_sha" else "prompts"
        if changed:
            rows.append((f"{what} that differ", "", ", ".join(changed)))
    return rows
