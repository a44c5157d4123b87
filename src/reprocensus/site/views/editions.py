"""Editions: their page, their table of papers, their failures."""

from collections import Counter

from reprocensus.records import Edition
from reprocensus.site import charts, urls
from reprocensus.site.answers import JSON, Answer, Found, html, known
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import EditionStatistics, Row
from reprocensus.site.editions import PAGE, listed, n_pages, table_json
from reprocensus.site.safe import without_paths
from reprocensus.site.urls import Route

#: Failures on one page.
_FAILURES = 150


def edition(corpus: Corpus, route: Route) -> Found:
    """One page of it: figures and the first papers, then more papers."""
    which, number = known(corpus, *route.args[:2]), int(route.args[2])
    if which is None:
        return None
    data = corpus.edition(which)
    papers = listed(corpus, data)
    pages = n_pages(len(papers))
    if not 1 <= number <= pages:
        return None
    counts = data.statistics.scores["documentation_counts"] or []
    return html(
        corpus,
        "edition.html.j2",
        urls.edition(which, number),
        edition=which,
        statistics=data.statistics,
        variables=corpus.variables,
        scored=corpus.scored,
        counts=counts,
        histogram=charts.histogram(counts, None, f"Papers of {which} by documentation score")
        if any(counts)
        else None,
        shares=shares(corpus, data.statistics),
        corrected=dict(data.statistics.corrected),
        n_failures=data.all_failures.height,
        page=number,
        addresses=[urls.edition(which, page) for page in range(1, pages + 1)],
        rows=papers[(number - 1) * PAGE : number * PAGE],
    )


def shares(corpus: Corpus, statistics: EditionStatistics) -> list[Row]:
    """The rows of `venue_statistics` with their variable and a chart."""
    rows = []
    for variable in corpus.variables:
        if row := statistics.shares.get(variable.name):
            chart = charts.interval(row["share"], row["ci_low"], row["ci_high"], "")
            rows.append({**row, "variable": variable, "chart": chart})
    return rows


def edition_json(corpus: Corpus, route: Route) -> Found:
    """The whole table of papers."""
    which = known(corpus, *route.args)
    return None if which is None else Answer(table_json(corpus, listed(corpus, corpus.edition(which))), JSON)


def failures(corpus: Corpus, route: Route) -> Found:
    """What failed and has not succeeded since, one page of it."""
    which, number = known(corpus, *route.args[:2]), int(route.args[2])
    if which is None:
        return None
    data = corpus.edition(which)
    rows = data.all_failures.sort("stage", "kind", "paper_id").to_dicts()
    pages = n_failure_pages(len(rows))
    if not 1 <= number <= pages:
        return None
    titles = dict(data.papers.select("paper_id", "title").iter_rows())
    kinds = Counter((row["stage"], row["kind"]) for row in rows)
    return html(
        corpus,
        "failures.html.j2",
        urls.failures(which, number),
        edition=which,
        page=number,
        addresses=[urls.failures(which, page) for page in range(1, pages + 1)],
        kinds=[(stage, kind, n) for (stage, kind), n in kinds.most_common()],
        rows=[_failure(row, titles, which) for row in rows[(number - 1) * _FAILURES : number * _FAILURES]],
    )


def n_failure_pages(n_rows: int) -> int:
    """How many pages an edition's failures have."""
    return n_pages(n_rows, _FAILURES)


def _failure(row: Row, titles: dict[str, str], which: Edition) -> Row:
    paper_id = row["paper_id"]
    target = urls.paper(paper_id) if paper_id in titles else None
    title = titles.get(paper_id) or (str(which) if row["stage"] == "list" else paper_id)
    return {**row, "target": target, "title": title, "message": without_paths(row["message"])}
