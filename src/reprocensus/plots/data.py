"""What the figures show, as frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from reprocensus.analysis.views import quoted
from reprocensus.errors import UsageError
from reprocensus.schemas import load_variables
from reprocensus.statistics import wilson
from reprocensus.variables import Variable

if TYPE_CHECKING:
    from reprocensus.analysis import Store


@dataclass(frozen=True, slots=True)
class Selection:
    """Whose verdicts, and venues and variables in their order; `chosen`: the variables were named."""

    engine: str
    venues: tuple[str, ...]
    variables: tuple[Variable, ...]
    chosen: bool


def select_of(
    store: "Store", venues: Sequence[str], variables: Sequence[str], engine: str | None = None
) -> Selection:
    """What is named, checked against the store; all venues, and the documentation's variables, if nothing is.

    Raises:
        UsageError: an engine, venue or variable is not known, or the store has no statistics.
    """
    engine = store.choose_engine(engine)
    held = sorted(_scores(store, engine).select("venue").unique().collect()["venue"].to_list())
    if not held:
        raise UsageError(f"the store {store.uri} has no statistics to draw; run `reprocensus run` first")
    if unknown := [name for name in venues if name not in held]:
        raise UsageError(f"no venue {', '.join(unknown)} in {store.uri}; it has {', '.join(held)}")
    known = load_variables(tuple(variables))
    chosen = known if variables else tuple(v for v in known if v.in_documentation_score)
    return Selection(engine, tuple(venues or held), chosen, bool(variables))


def shares(store: "Store", selection: Selection, by: Sequence[str]) -> pl.DataFrame:
    """Share of papers with a variable's positive label, pooled by `by` and variable.

    Columns: those of `by`, variable, n (papers that count), n_yes, share, low and high (95 % Wilson), from 0
    to 1. Groups without papers are left out.
    """
    counts = (
        store["venue_statistics"]
        .filter(
            pl.col("engine") == selection.engine,
            pl.col("venue").is_in(list(selection.venues)),
            pl.col("variable").is_in([v.name for v in selection.variables]),
        )
        .group_by(*by, "variable")
        .agg(n=pl.col("n_judged").sum(), n_yes=pl.col("n_yes").sum())
        .filter(pl.col("n") > 0)
        .sort(*by, "variable")
        .collect()
    )
    if counts.is_empty():
        raise UsageError(
            "no paper of these venues has a verdict that counts on these variables: nothing to draw"
        )
    low, high = wilson(pl.col("n_yes"), pl.col("n"))
    return counts.with_columns(share=pl.col("n_yes") / pl.col("n"), low=low, high=high)


def years_of(store: "Store", selection: Selection) -> tuple[int, int]:
    """The first and the last year of the venues selected."""
    years = _scores(store, selection.engine).filter(pl.col("venue").is_in(list(selection.venues)))
    ends = years.select(first=pl.col("year").min(), last=pl.col("year").max()).collect()
    return ends["first"].item(), ends["last"].item()


def _scores(store: "Store", engine: str) -> pl.LazyFrame:
    return store["edition_scores"].filter(pl.col("engine") == engine)


def n_empirical(store: "Store", selection: Selection) -> int:
    """Papers judged Experimental in the venues selected."""
    rows = _scores(store, selection.engine).filter(pl.col("venue").is_in(list(selection.venues)))
    return int(rows.select(pl.col("n_empirical").sum()).collect().item())


def score_counts(store: "Store", selection: Selection) -> pl.DataFrame:
    """Empirical papers by year and documentation score: columns year, score (0 to 7), n."""
    venues = ", ".join(quoted(venue) for venue in selection.venues)
    return store.sql(f"""
        SELECT year, documentation_score AS score, count(*) AS n FROM judged_papers
        WHERE documentation_score IS NOT NULL AND engine = {quoted(selection.engine)} AND venue IN ({venues})
        GROUP BY ALL ORDER BY ALL
    """)


def judge_of(store: "Store", selection: Selection) -> str:
    """Who gave the labels: the engine with its models."""
    models = store["verdicts"].filter(pl.col("engine") == selection.engine).select("model").unique().collect()
    named = ", ".join(sorted(model for model in models["model"] if model))
    return f"{selection.engine} ({named})" if named else selection.engine


@dataclass(frozen=True, slots=True)
class Corrections:
    """Rows with venue, title (the variable's), and raw, raw_low, raw_high, corrected, low, high: shares."""

    rows: tuple[dict[str, Any], ...]
    about: str

    @property
    def by_venue(self) -> bool:
        """Whether the rows are of several venues."""
        return len({row["venue"] for row in self.rows}) > 1


def corrections(store: "Store", selection: Selection) -> Corrections:
    """Each variable's corrected shares beside the raw ones, of each venue's last year that has any.

    Editions whose own papers people labelled come before all others: only where the venues selected have none
    are shares shown that labels from elsewhere corrected.

    Raises:
        UsageError: the store has no corrected statistics, as there are no labels by people.
    """
    titles = {v.name: v.title for v in selection.variables}
    found = (
        store["corrected_statistics"]
        .filter(pl.col("engine") == selection.engine)
        .filter(pl.col("venue").is_in(list(selection.venues)), pl.col("variable").is_in(list(titles)))
        .filter(pl.col("corrected").is_not_null(), pl.col("share").is_not_null())
        .rename({"share": "raw", "ci_low": "raw_low", "ci_high": "raw_high"})
        .rename({"corrected_low": "low", "corrected_high": "high"})
        .collect()
    )
    if found.is_empty():
        raise UsageError(
            "no share of these venues was corrected: that needs labels by people, and `reprocensus correct` "
            "(docs/statistics.md)"
        )
    own = found.filter(pl.col("method") == "ppi")
    shown = found if own.is_empty() else own
    shown = shown.filter(pl.col("year") == pl.col("year").max().over("venue", "variable"))
    order = list(titles)
    rows = sorted(shown.to_dicts(), key=lambda row: (row["venue"], order.index(row["variable"])))
    editions = ", ".join(dict.fromkeys(f"{row['venue']} {row['year']}" for row in rows))
    whose = "papers of other editions" if own.is_empty() else "papers of these editions"
    return Corrections(
        tuple({**row, "title": titles[row["variable"]]} for row in rows),
        f"{editions}, from {whose} that people labelled.",
    )
