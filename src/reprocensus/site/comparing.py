"""Two editions, or two runs, side by side. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import polars as pl

from reprocensus.audit.measures import kappa
from reprocensus.records import Edition
from reprocensus.site.edition_data import EditionStatistics
from reprocensus.statistics import newcombe
from reprocensus.variables import Variable

Row = dict[str, Any]
#: Up to so many editions each is compared with each other; of more, those of one venue or year.
ALL_PAIRS: Final = 100
#: Papers whose labels differ that are named.
NAMED: Final = 100


def order(first: Edition, second: Edition) -> tuple[Edition, Edition]:
    """The two as their comparison has them: the earlier first, then by name."""
    one, two = sorted((first, second), key=lambda edition: (edition.year, edition.venue))
    return one, two


def partners(edition: Edition, editions: Sequence[Edition]) -> list[Edition]:
    """What an edition is compared with."""
    others = [other for other in editions if other != edition]
    if len(editions) <= ALL_PAIRS:
        return others
    return [other for other in others if other.venue == edition.venue or other.year == edition.year]


def all_pairs(editions: Sequence[Edition]) -> list[tuple[Edition, Edition]]:
    """Every comparison there is a page of."""
    return [order(a, b) for a, b in combinations(editions, 2) if b in partners(a, editions)]


def share_rows(
    first: EditionStatistics, second: EditionStatistics, variables: Sequence[Variable]
) -> list[Row]:
    """By variable both shares and their difference, with Newcombe's interval."""
    rows = []
    for variable in variables:
        one, two = first.shares.get(variable.name), second.shares.get(variable.name)
        if one is None or two is None:
            continue
        change = newcombe(one["n_yes"], one["n_judged"], two["n_yes"], two["n_judged"])
        difference, low, high = change or (None, None, None)
        clear = low is not None and high is not None and (low > 0 or high < 0)
        rows.append(
            {"variable": variable, "one": one, "two": two, "difference": difference, "low": low, "high": high,
             "is_clear": clear}
        )  # fmt: skip
    return rows


@dataclass(frozen=True, slots=True)
class Differing:
    """One variable of a paper that two runs label differently."""

    paper_id: str
    variable: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """By variable how many papers both runs judged and how far they agree; papers on which they do not."""

    rows: tuple[Row, ...]
    differing: tuple[Differing, ...]
    n_differing: int
    only_first: int
    only_second: int


def compare_labels(first: pl.DataFrame, second: pl.DataFrame, variables: Sequence[Variable]) -> RunsCompared:
    """Two runs' labels: frames with paper_id, variable and label, one row each."""
    key = ["paper_id", "variable"]
    both = first.join(second, on=key, suffix="_second").sort(key)
    rows: list[Row] = []
    for variable in variables:
        own = both.filter(variable=variable.name)
        pairs = list(own.select("label", "label_second").iter_rows())
        if pairs:
            same = sum(a == b for a, b in pairs)
            rows.append(
                {"variable": variable, "n": len(pairs), "agreement": same / len(pairs), "kappa": kappa(pairs)}
            )
    unlike = both.filter(pl.col("label") != pl.col("label_second"))
    named = unlike.head(NAMED).select("paper_id", "variable", "label", "label_second")
    return RunsCompared(
        tuple(rows),
        tuple(Differing(*row) for row in named.iter_rows()),
        unlike.height,
        first.join(second, on=key, how="anti").height,
        second.join(first, on=key, how="anti").height,
    )


def run_pairs(runs: Sequence[Row], most: int = 50) -> list[tuple[str, str]]:
    """The runs that pages compare, the earlier first; `runs` has the latest first.

    Each of the latest with the one before of its engine, and the latest of each engine with every other's.
    """
    latest: dict[str, str] = {}
    pairs = []
    for at, run in enumerate(runs[:most]):
        before = next((r for r in runs[at + 1 :] if r["engine"] == run["engine"]), None)
        if before:
            pairs.append((before["run_id"], run["run_id"]))
        latest.setdefault(run["engine"], run["run_id"])
    pairs += [(min(pair), max(pair)) for pair in combinations(latest.values(), 2)]
    return sorted(set(pairs))
