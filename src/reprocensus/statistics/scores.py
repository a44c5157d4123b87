"""Scores of papers, summed up by group.

Documentation and reproducibility score as in Coakley et al. 2026 (arXiv 2606.16974), replication rates 6/7
and 5/15 of Gundersen et al. 2025.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from reprocensus.records import UNKNOWN
from reprocensus.statistics.grouping import aggregate
from reprocensus.statistics.intervals import wilson
from reprocensus.variables import Variable

#: Replicated when code and data were open, and when data alone were: rounded as the census prints them.
CODE_AND_DATA: Final = 0.86
DATA_ONLY: Final = 0.33
_EMPIRICAL = (pl.col("research_type") == "Experimental").fill_null(False)


def edition_scores(
    labels: pl.DataFrame, variables: Sequence[Variable], by: Sequence[str] = ()
) -> pl.DataFrame:
    """The columns of `edition_scores`, a row a group; `labels` as `judged` makes them.

    A group in which a variable that a score counts was never judged has no such score: null.
    """
    scored = [v.name for v in variables if v.in_documentation_score]
    missing = pl.any_horizontal(pl.col(v.name).is_null() for v in variables)
    yes = {name: (pl.col(name) == "Yes").fill_null(False) for name in scored}
    undecided = ((pl.col(name).fill_null(UNKNOWN) == UNKNOWN).cast(pl.Int64) for name in scored)
    documented = pl.sum_horizontal(expression.cast(pl.Int64) for expression in yes.values())
    highest = documented + pl.sum_horizontal(undecided)
    code, data = ((pl.col(n) == "Yes").fill_null(False) for n in ("open_source_code", "open_datasets"))
    reproducibility = pl.when(code & data).then(CODE_AND_DATA).when(data).then(DATA_ONLY).otherwise(0.0)
    all_judged, both_judged = (
        pl.all_horizontal(pl.col(name).is_not_null().any() for name in names)
        for names in (scored, ("open_source_code", "open_datasets"))
    )
    affiliation = pl.col("researcher_affiliation")
    with_industry = affiliation.is_in(["Collaboration", "Industry"]).fill_null(False)
    n = _EMPIRICAL.sum()
    figures: dict[str, pl.Expr] = {
        "n_papers": pl.len().cast(pl.Int64),
        "n_failed": missing.sum().cast(pl.Int64),
        "n_empirical": n.cast(pl.Int64),
        "documentation_score": pl.when(all_judged).then(documented.filter(_EMPIRICAL).mean()),
        "documentation_score_highest": pl.when(all_judged).then(highest.filter(_EMPIRICAL).mean()),
        "documentation_median": pl.when(all_judged).then(documented.filter(_EMPIRICAL).median()),
        "documentation_counts": pl.concat_list(
            ((documented == score) & _EMPIRICAL).sum().cast(pl.Int32) for score in range(len(scored) + 1)
        ),
        "reproducibility_score": pl.when(both_judged).then(reproducibility.filter(_EMPIRICAL).mean()),
        "n_code_and_data": (_EMPIRICAL & code & data).sum().cast(pl.Int64),
        "code_and_data_share": pl.when(n > 0).then((_EMPIRICAL & code & data).sum() / n),
        "n_with_industry": (_EMPIRICAL & with_industry).sum().cast(pl.Int64),
        "with_industry_share": pl.when(n > 0).then((_EMPIRICAL & with_industry).sum() / n),
    }
    low, high = wilson(pl.col("n_code_and_data"), pl.col("n_empirical"))
    return aggregate(labels, by, figures).with_columns(code_and_data_low=low, code_and_data_high=high)
