"""How many papers of a group document a variable, and how sure that is."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from reprocensus.records import NOT_APPLICABLE, UNKNOWN
from reprocensus.statistics.grouping import aggregate
from reprocensus.statistics.intervals import wilson
from reprocensus.variables import Variable

#: Counted over all papers; the others over those judged Experimental.
OVER_ALL: Final = ("research_type", "researcher_affiliation")
_EMPIRICAL = (pl.col("research_type") == "Experimental").fill_null(False)


def venue_statistics(
    labels: pl.DataFrame, variables: Sequence[Variable], by: Sequence[str] = ()
) -> pl.DataFrame:
    """The columns of `venue_statistics`, a row a group and variable; `labels` as `judged` makes them."""
    rows = pl.concat([_counted(labels, variable, by) for variable in variables])
    low, high = wilson(pl.col("n_yes"), pl.col("n_judged"))
    share = pl.when(pl.col("n_judged") > 0).then(pl.col("n_yes") / pl.col("n_judged"))
    return rows.with_columns(share.alias("share"), low.alias("ci_low"), high.alias("ci_high"))


def _counted(labels: pl.DataFrame, variable: Variable, by: Sequence[str]) -> pl.DataFrame:
    label, research = pl.col(variable.name), pl.col("research_type")
    everybody = variable.name in OVER_ALL
    counts = pl.lit(True) if everybody else _EMPIRICAL
    # Papers whose research type nobody knows may or may not be empirical.
    may = pl.lit(False) if everybody else research.is_null() | (research == UNKNOWN)
    own = label.is_in(variable.labels).fill_null(False)
    yes = (label == variable.positive).fill_null(False)
    unknown = (label == UNKNOWN).fill_null(False)
    open_ = unknown | label.is_null()
    n_yes, n_judged = (counts & yes).sum(), (counts & own).sum()
    at_worst = n_judged + (counts & open_).sum() + (may & (open_ | own & ~yes)).sum()
    more = (counts & open_).sum() + (may & (open_ | yes)).sum()
    figures: dict[str, pl.Expr] = {
        "n_papers": pl.len(),
        "n_empirical": _EMPIRICAL.sum(),
        "n_judged": n_judged,
        "n_yes": n_yes,
        "n_unknown": (counts & unknown).sum(),
        "n_not_applicable": (label == NOT_APPLICABLE).fill_null(False).sum(),
        "n_missing": label.is_null().sum(),
    }
    bounds = {
        "share_lowest": pl.when(at_worst > 0).then(n_yes / at_worst),
        "share_highest": pl.when(n_judged + more > 0).then((n_yes + more) / (n_judged + more)),
    }
    named = pl.lit(variable.name).alias("variable"), pl.lit(variable.positive).alias("positive")
    rows = aggregate(labels, by, {**{n: e.cast(pl.Int64) for n, e in figures.items()}, **bounds})
    return rows.select(*by, *named, *figures, *bounds)
