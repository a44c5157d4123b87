"""95 % intervals of shares and of their differences."""

import math
from typing import Final

import polars as pl

#: The normal quantile of a 95 % interval.
Z: Final = 1.959963984540054


def wilson(n_yes: pl.Expr, n: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Ends of the 95 % Wilson interval (Wilson 1927) of a share; null where there is nothing to share."""
    share = n_yes / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * (share * (1 - share) / n + Z**2 / (4 * n**2)).sqrt()
    ends = (middle - half).clip(0, 1), (middle + half).clip(0, 1)
    low = pl.when(n_yes == 0).then(0.0).otherwise(ends[0])
    high = pl.when(n_yes == n).then(1.0).otherwise(ends[1])
    return pl.when(n > 0).then(low), pl.when(n > 0).then(high)


def wilson_of(n_yes: int, n: int) -> tuple[float, float] | None:
    """`wilson` of two numbers; None where there is nothing to share."""
    if n == 0:
        return None
    share = n_yes / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return (0.0 if n_yes == 0 else middle - half), (1.0 if n_yes == n else middle + half)


def newcombe(yes_1: int, n_1: int, yes_2: int, n_2: int) -> tuple[float, float, float] | None:
    """Second share less the first with its 95 % interval: (difference, low, high); None if either is empty.

    Newcombe 1998 (Statistics in Medicine 17:873), method 10, from the Wilson intervals of both.
    """
    one, two = wilson_of(yes_1, n_1), wilson_of(yes_2, n_2)
    if one is None or two is None:
        return None
    first, second = yes_1 / n_1, yes_2 / n_2
    difference = second - first
    below = math.hypot(second - two[0], one[1] - first)
    above = math.hypot(two[1] - second, first - one[0])
    return difference, difference - below, difference + above
