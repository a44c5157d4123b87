"""Two groups of papers side by side."""

from collections.abc import Sequence

import polars as pl

from reprocensus.statistics.intervals import newcombe
from reprocensus.statistics.shares import venue_statistics
from reprocensus.variables import Variable


def differences(first: pl.DataFrame, second: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """For each variable, the share in two groups' labels (of `judged`) and how they differ.

    Columns: variable, n_1, share_1, n_2, share_2, difference (second less first), difference_low,
    difference_high (Newcombe 1998).
    """
    sides = [
        {row["variable"]: row for row in venue_statistics(side, variables).to_dicts()}
        for side in (first, second)
    ]
    rows = []
    for variable in variables:
        one, two = (side[variable.name] for side in sides)
        change = newcombe(one["n_yes"], one["n_judged"], two["n_yes"], two["n_judged"]) or (None,) * 3
        rows.append(
            {
                "variable": variable.name,
                "n_1": one["n_judged"],
                "share_1": one["share"],
                "n_2": two["n_judged"],
                "share_2": two["share"],
                "difference": change[0],
                "difference_low": change[1],
                "difference_high": change[2],
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)
