"""Statistics of a store's papers by group: one engine's labels of every edition, pooled."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from reprocensus.errors import UsageError
from reprocensus.statistics import edition_scores, judged, venue_statistics
from reprocensus.statistics.judged import PAPER_COLUMNS, VERDICT_COLUMNS
from reprocensus.tables import Tables
from reprocensus.variables import Variable

Row = dict[str, Any]
#: What papers can be grouped by.
GROUPS: Final = ("venue", "year", "affiliation")


def read_labels(
    tables: Tables, variables: Sequence[Variable], named: str | None, usual: str
) -> tuple[pl.DataFrame, str]:
    """One engine's labels as `judged` makes them, with venue and year, and whose they are.

    They are those of the engine named, else of the store's only one, else of the usual one.

    Raises:
        UsageError: that engine has no verdicts in the store.
    """
    verdicts = _verdicts(tables)
    engine = choose_engine(sorted(verdicts["engine"].unique()), named, usual)
    return _judged(tables, verdicts, variables, engine), engine


def labels_of(tables: Tables, variables: Sequence[Variable], engine: str) -> pl.DataFrame:
    """The engine's labels as `judged` makes them, with venue and year; it may have none."""
    return _judged(tables, _verdicts(tables), variables, engine)


def _verdicts(tables: Tables) -> pl.DataFrame:
    """What `judged` needs of all verdicts: of a text's digest, no more than whether there is one."""
    digest = pl.col("text_sha256").str.head(1)
    return tables.scan("verdicts", columns=VERDICT_COLUMNS, each=lambda rows: rows.with_columns(digest))


def _judged(
    tables: Tables, verdicts: pl.DataFrame, variables: Sequence[Variable], engine: str
) -> pl.DataFrame:
    papers = tables.scan("papers", columns=PAPER_COLUMNS)
    return judged(papers, verdicts.filter(engine=engine), variables)


def choose_engine(known: Sequence[str], named: str | None, usual: str) -> str:
    """The engine named, else the only one known, else the usual one.

    Raises:
        UsageError: that engine is not among those known.
    """
    if not named and len(known) <= 1:
        return known[0] if known else usual
    engine = named or usual
    if engine not in known:
        raise UsageError(f"engine {engine!r} has no verdicts here; --engine takes one of: {', '.join(known)}")
    return engine


def group_statistics(labels: pl.DataFrame, by: Sequence[str], variables: Sequence[Variable]) -> list[Row]:
    """Statistics and scores of each group of papers, sorted by group; `labels` as `read_labels` gives them.

    `by` names venue, year, affiliation or several; each row has those, the columns of `edition_scores`,
    `variables`: the columns of `venue_statistics` by variable, and `headline`: the figures under the names
    and in the units of the existing census, which gives shares in per cent.

    Raises:
        UsageError: another grouping.
    """
    if not by or set(by) - set(GROUPS):
        raise UsageError(f"--by {','.join(by)!r}: statistics are by venue, year, affiliation, or several")
    if labels.is_empty():
        return []
    affiliation = pl.col("researcher_affiliation").fill_null("missing").alias("affiliation")
    labels = labels.with_columns(affiliation)
    shares: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in venue_statistics(labels, variables, by).iter_rows(named=True):
        key = tuple(row.pop(name) for name in by)
        shares.setdefault(key, {})[row.pop("variable")] = row
    rows = []
    for row in edition_scores(labels, variables, by).iter_rows(named=True):
        own = shares[tuple(row[name] for name in by)]
        rows.append({**row, "variables": own, "headline": _headline(row, own, variables)})
    return rows


def _headline(row: Row, shares: Mapping[str, Row], variables: Sequence[Variable]) -> Row:
    return {
        "n_emp": row["n_empirical"],
        **{v.name: _percent(shares[v.name]["share"]) for v in variables if v.in_documentation_score},
        "both": _percent(row["code_and_data_share"]),
        "doc_mean": row["documentation_score"],
        "doc_median": row["documentation_median"],
        "repro_score": row["reproducibility_score"],
        "pct_industry": _percent(row["with_industry_share"]),
        "n": row["n_papers"],
        "pct_emp": _percent(shares["research_type"]["share"]),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
