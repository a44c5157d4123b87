"""Venue-level statistics from verdicts. Pure: frames in, frames out, any number of groups at once.

Formulas: documentation and reproducibility score as in Coakley et al. 2026 (arXiv 2606.16974), replication
rates 6/7 and 5/15 of Gundersen et al. 2025; intervals after Wilson 1927.
"""

from collections.abc import Sequence

import polars as pl

from reprocensus.records import NOT_APPLICABLE, UNKNOWN
from reprocensus.variables import Variable

#: Replicated when code and data were open, and when data alone were: rounded as the census prints them.
CODE_AND_DATA, DATA_ONLY = 0.86, 0.33
#: The normal quantile of a 95 % interval.
Z = 1.959963984540054
_ALL_PAPERS = ("research_type", "researcher_affiliation")
_EMPIRICAL = (pl.col("research_type") == "Experimental").fill_null(False)


def wilson(n_yes: pl.Expr, n: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Ends of the 95 % Wilson interval of a share; null where there is nothing to share."""
    share = n_yes / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (share * (1 - share) / n + Z**2 / (4 * n**2)).sqrt()
    ends = (middle - half).clip(0, 1), (middle + half).clip(0, 1)
    low = pl.when(n_yes == 0).then(0.0).otherwise(ends[0])
    high = pl.when(n_yes == n).then(1.0).otherwise(ends[1])
    return pl.when(n > 0).then(low), pl.when(n > 0).then(high)


def wide(papers: pl.DataFrame, verdicts: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """One row a paper, one column a variable with its label, null where there is no verdict.

    `papers` may bring further columns to group by; `verdicts` are those of one engine.
    """
    of = pl.col("variable")
    labels = verdicts.group_by("paper_id").agg(
        pl.col("label").filter(of == v.name).first().alias(v.name) for v in variables
    )
    return papers.join(labels, on="paper_id", how="left", maintain_order="left")


def venue_statistics(
    labels: pl.DataFrame, variables: Sequence[Variable], by: Sequence[str] = ()
) -> pl.DataFrame:
    """The columns of `venue_statistics`, a row a group and variable; `labels` as `wide` makes them."""
    rows = pl.concat([_counted(labels, variable, by) for variable in variables])
    low, high = wilson(pl.col("n_yes"), pl.col("n_judged"))
    share = pl.when(pl.col("n_judged") > 0).then(pl.col("n_yes") / pl.col("n_judged"))
    return rows.with_columns(share.alias("share"), low.alias("ci_low"), high.alias("ci_high"))


def _counted(labels: pl.DataFrame, variable: Variable, by: Sequence[str]) -> pl.DataFrame:
    label, research = pl.col(variable.name), pl.col("research_type")
    everybody = variable.name in _ALL_PAPERS
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
    rows = _by(labels, by, {**{n: e.cast(pl.Int64) for n, e in figures.items()}, **bounds})
    return rows.select(*by, *named, *figures, *bounds)


def edition_scores(
    labels: pl.DataFrame, variables: Sequence[Variable], by: Sequence[str] = ()
) -> pl.DataFrame:
    """The columns of `edition_scores`, a row a group; `labels` as `wide` makes them."""
    scored = [v.name for v in variables if v.in_documentation_score]
    missing = pl.any_horizontal(pl.col(v.name).is_null() for v in variables)
    yes = {name: (pl.col(name) == "Yes").fill_null(False) for name in scored}
    documented = pl.sum_horizontal(expression.cast(pl.Int64) for expression in yes.values())
    code, data = ((pl.col(n) == "Yes").fill_null(False) for n in ("open_source_code", "open_datasets"))
    reproducibility = pl.when(code & data).then(CODE_AND_DATA).when(data).then(DATA_ONLY).otherwise(0.0)
    affiliation = pl.col("researcher_affiliation")
    with_industry = affiliation.is_in(["Collaboration", "Industry"]).fill_null(False)
    n = _EMPIRICAL.sum()
    figures: dict[str, pl.Expr] = {
        "n_papers": pl.len().cast(pl.Int64),
        "n_failed": missing.sum().cast(pl.Int64),
        "n_empirical": n.cast(pl.Int64),
        "documentation_score": documented.filter(_EMPIRICAL).mean(),
        "documentation_median": documented.filter(_EMPIRICAL).median(),
        "documentation_counts": pl.concat_list(
            ((documented == score) & _EMPIRICAL).sum().cast(pl.Int32) for score in range(len(scored) + 1)
        ),
        "reproducibility_score": reproducibility.filter(_EMPIRICAL).mean(),
        "n_code_and_data": (_EMPIRICAL & code & data).sum().cast(pl.Int64),
        "code_and_data_share": pl.when(n > 0).then((_EMPIRICAL & code & data).sum() / n),
        "n_with_industry": (_EMPIRICAL & with_industry).sum().cast(pl.Int64),
        "with_industry_share": pl.when(n > 0).then((_EMPIRICAL & with_industry).sum() / n),
    }
    return _by(labels, by, figures)


def _by(labels: pl.DataFrame, by: Sequence[str], figures: dict[str, pl.Expr]) -> pl.DataFrame:
    if not by:
        return labels.select(**figures)
    return labels.group_by(by).agg(**figures).sort(by)
