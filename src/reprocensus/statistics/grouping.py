"""Aggregation by group, or over everything."""

from collections.abc import Sequence

import polars as pl


def aggregate(labels: pl.DataFrame, by: Sequence[str], figures: dict[str, pl.Expr]) -> pl.DataFrame:
    """`figures` of each group of `labels`, sorted by group; of all of them in one row if `by` is empty."""
    if not by:
        return labels.select(**figures)
    return labels.group_by(by).agg(**figures).sort(by)
