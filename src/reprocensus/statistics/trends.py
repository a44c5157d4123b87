"""How shares change over the years, and around one year."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from reprocensus.statistics.intervals import newcombe

#: Fewer years than this have no slope that one could be unsure of.
FEWEST_YEARS = 3


def trends(statistics: pl.DataFrame) -> pl.DataFrame:
    """The slope of each venue's share in each variable: rows of `venue_statistics` with venue and year in.

    Columns: venue, variable, n_years, first_year, last_year, first_share, last_share, slope, slope_low,
    slope_high: the change of the share a year, with its 95 % interval. A line is laid through the yearly
    shares, each weighted by the inverse of its binomial variance (with one Yes and one No added, so that 0
    and 1 have one); if they scatter more than binomial chance allows, the slope's error is widened by the
    Birge ratio (Birge 1932, Phys. Rev. 40:207); Student's t with years - 2 degrees of freedom.
    """
    rows = []
    used = statistics.filter(pl.col("n_judged") > 0).sort("venue", "variable", "year")
    for (venue, variable), years in used.group_by("venue", "variable", maintain_order=True):
        slope = _slope(years) if years.height >= FEWEST_YEARS else (None, None, None)
        first, last = years.row(0, named=True), years.row(-1, named=True)
        rows.append(
            {
                "venue": venue,
                "variable": variable,
                "n_years": years.height,
                "first_year": first["year"],
                "last_year": last["year"],
                "first_share": first["share"],
                "last_share": last["share"],
                "slope": slope[0],
                "slope_low": slope[1],
                "slope_high": slope[2],
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _slope(years: pl.DataFrame) -> tuple[float, float, float]:
    from scipy.stats import t

    year = years["year"].to_numpy().astype(float)
    n, yes = years["n_judged"].to_numpy(), years["n_yes"].to_numpy()
    smooth = (yes + 1) / (n + 2)
    weight = np.sqrt(n / (smooth * (1 - smooth)))
    at = year - year.mean()
    (slope, level), covariance = np.polyfit(at, yes / n, 1, w=weight, cov="unscaled")
    spare = len(year) - 2
    scatter = float((((yes / n - level - slope * at) * weight) ** 2).sum()) / spare
    half = float(t.ppf(0.975, spare)) * float(np.sqrt(covariance[0, 0] * max(1.0, scatter)))
    return float(slope), float(slope) - half, float(slope) + half


def around_year(statistics: pl.DataFrame, years: Mapping[str, int]) -> pl.DataFrame:
    """Shares before and from a year on, such as that of a checklist: pooled papers of each venue in `years`.

    Takes rows of `venue_statistics` with venue and year. Columns: venue, variable, from_year, n_before,
    share_before, n_from, share_from, difference, difference_low, difference_high (Newcombe 1998). It says
    that something changed, not what changed it.
    """
    rows = []
    for venue, from_year in years.items():
        later = pl.when(pl.col("year") >= from_year).then(pl.lit("from")).otherwise(pl.lit("before"))
        pooled = (
            statistics.filter(pl.col("venue") == venue)
            .group_by("variable", later.alias("when"), maintain_order=True)
            .agg(pl.col("n_judged").sum(), pl.col("n_yes").sum())
        )
        counts = {(v, when): (yes, n) for v, when, n, yes in pooled.iter_rows()}
        named = dict.fromkeys(pooled["variable"])
        rows += [_around(venue, variable, from_year, counts) for variable in named]
    return pl.DataFrame(rows, infer_schema_length=None)


def _around(
    venue: str, variable: str, from_year: int, counts: Mapping[tuple[str, str], tuple[int, int]]
) -> dict[str, object]:
    yes_1, n_1 = counts.get((variable, "before"), (0, 0))
    yes_2, n_2 = counts.get((variable, "from"), (0, 0))
    change = newcombe(yes_1, n_1, yes_2, n_2) or (None, None, None)
    return {
        "venue": venue,
        "variable": variable,
        "from_year": from_year,
        "n_before": n_1,
        "share_before": yes_1 / n_1 if n_1 else None,
        "n_from": n_2,
        "share_from": yes_2 / n_2 if n_2 else None,
        "difference": change[0],
        "difference_low": change[1],
        "difference_high": change[2],
    }
