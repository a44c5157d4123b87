"""Venue-level statistics from verdicts. Pure: frames in, frames out.

Formulas: documentation and reproducibility score as in Coakley et al. 2026 (arXiv 2606.16974), replication
rates 6/7 and 5/15 of Gundersen et al. 2025; intervals after Wilson 1927.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from reprocensus.records import NOT_APPLICABLE, UNKNOWN
from reprocensus.variables import Variable

#: Replicated when code and data were open, and when data alone were: rounded as the census prints them.
CODE_AND_DATA, DATA_ONLY = 0.86, 0.33
_ALL_PAPERS = ("research_type", "researcher_affiliation")


def wilson(n_yes: int, n: int) -> tuple[float | None, float | None]:
    """The 95 % Wilson interval of a share; None where there is nothing to share."""
    if n == 0:
        return None, None
    # Takes half a second to import, which commands that share nothing need not wait for.
    from scipy.stats import binomtest

    interval = binomtest(n_yes, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def wide(papers: pl.DataFrame, verdicts: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """One row a paper, one column a variable with its label, null where there is no verdict."""
    frame = papers.select("paper_id")
    for variable in variables:
        labels = verdicts.filter(pl.col("variable") == variable.name)
        frame = frame.join(
            labels.select("paper_id", pl.col("label").alias(variable.name)), on="paper_id", how="left"
        )
    return frame


def venue_statistics(labels: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """The rows of `venue_statistics` for one group of papers, given their labels as `wide` makes them."""
    rows = [_row(labels, variable) for variable in variables]
    return pl.DataFrame(rows, infer_schema_length=None)


def _row(labels: pl.DataFrame, variable: Variable) -> dict[str, Any]:
    empirical = labels.filter(pl.col("research_type") == "Experimental")
    counted = labels if variable.name in _ALL_PAPERS else empirical
    own = counted.filter(pl.col(variable.name).is_in(variable.labels))
    n_yes = own.filter(pl.col(variable.name) == variable.positive).height
    low, high = wilson(n_yes, own.height)
    return {
        "variable": variable.name,
        "positive": variable.positive,
        "n_papers": labels.height,
        "n_empirical": empirical.height,
        "n_judged": own.height,
        "n_yes": n_yes,
        "share": n_yes / own.height if own.height else None,
        "ci_low": low,
        "ci_high": high,
        "n_unknown": counted.filter(pl.col(variable.name) == UNKNOWN).height,
        "n_not_applicable": labels.filter(pl.col(variable.name) == NOT_APPLICABLE).height,
        "n_missing": labels.filter(pl.col(variable.name).is_null()).height,
    }


def edition_scores(labels: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """The row of `edition_scores` for one group of papers."""
    scored = [v.name for v in variables if v.in_documentation_score]
    empirical = labels.filter(pl.col("research_type") == "Experimental")
    missing = pl.any_horizontal(pl.col(v.name).is_null() for v in variables)
    yes = [(pl.col(name) == "Yes").fill_null(False) for name in scored]
    code, data = ((pl.col(name) == "Yes").fill_null(False) for name in ("open_source_code", "open_datasets"))
    reproducibility = pl.when(code & data).then(CODE_AND_DATA).when(data).then(DATA_ONLY).otherwise(0.0)
    means = empirical.select(
        pl.sum_horizontal(expression.cast(pl.Int64) for expression in yes).mean().alias("documentation"),
        reproducibility.mean().alias("reproducibility"),
    ).row(0)
    row = {
        "n_papers": labels.height,
        "n_failed": labels.filter(missing).height,
        "n_empirical": empirical.height,
        "documentation_score": means[0],
        "reproducibility_score": means[1],
    }
    return pl.DataFrame([row])
