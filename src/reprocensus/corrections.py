"""Corrected statistics of a store: its verdicts, labels by people, and what the one says of the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reprocensus.keys import digest
from reprocensus.labels import LabelledPaper, matched
from reprocensus.records import NOT_APPLICABLE, Edition
from reprocensus.schemas import load_table
from reprocensus.statistics import venue_statistics
from reprocensus.statistics.correction import (
    NO,
    OUT,
    YES,
    Estimate,
    by_confusion,
    by_prediction,
    by_weighted_prediction,
)
from reprocensus.statistics.shares import OVER_ALL
from reprocensus.tables import Partition, Tables, frame_of
from reprocensus.variables import Variable

Row = dict[str, Any]
#: Fewer labelled papers of a group say nothing of it alone.
FEWEST_HERE: Final = 20
#: Sensitivity and specificity sum to little more than 1: then the confusion matrix hardly says anything.
WEAK: Final = 0.5
#: Fewer labelled papers with, or without, the variable leave its confusion matrix to chance.
FEWEST_OF_A_CLASS: Final = 10
#: After a variable's name: the column with the probability that its label was asked for.
_CHANCE: Final = " chance"


def match_labels(tables: Tables, labelled: Sequence[LabelledPaper]) -> pl.DataFrame:
    """People's labels of the store's papers: venue, year, paper_id, and a column a variable.

    A paper is the one of that paper_id, else the only one of that title. Others are left out.
    """
    papers = tables.scan("papers", columns=("paper_id",))
    rows = [{"paper_id": paper_id, **paper.labels} for paper_id, paper in matched(tables, labelled)]
    labels = pl.DataFrame(rows, infer_schema_length=None).unique("paper_id", keep="last")
    return papers.join(labels, on="paper_id", maintain_order="left")


def stored_labels(tables: Tables) -> pl.DataFrame:
    """The labels of the table `labels`, as `match_labels` gives them; of several people's, the latest.

    For each variable a column more (`_chance`): the probability with which that label was asked for, null
    where papers were equally likely.
    """
    held = tables.scan("labels").sort("recorded_at", maintain_order=True)
    index = ["venue", "year", "paper_id"]
    labels = held.pivot("variable", index=index, values="label", aggregate_function="last")
    chances = held.with_columns(variable=pl.col("variable") + _CHANCE).pivot(
        "variable", index=index, values="sampling_probability", aggregate_function="last"
    )
    return labels.join(chances, on=index, how="left", maintain_order="left")


def corrected_statistics(
    labels: pl.DataFrame,
    people: pl.DataFrame,
    by: Sequence[str],
    variables: Sequence[Variable],
    every: pl.DataFrame,
    engine: str,
) -> list[Row]:
    """The rows of `corrected_statistics` for each group of one engine's labels (of `judged`).

    `people`: labels as `match_labels` gives them; `every`: the engine's labels of all papers, of which the
    labelled ones tell how it errs.
    """
    raw = {
        (tuple(row[k] for k in by), row["variable"]): row
        for row in venue_statistics(labels, variables, by).to_dicts()
    }
    rows = []
    for variable in variables:
        if variable.name not in people.columns:
            continue
        classes = _classes(labels, variable)
        said = _classes(every, variable).select("paper_id", pl.col("class").alias("class_engine"))
        labelled = _weighed(people, variable).join(said, on="paper_id")
        pairs = labelled.filter(pl.col("class").is_not_null() & pl.col("class_engine").is_not_null())
        confusion = _confusion(pairs)
        for key, group in classes.drop_nulls("class").group_by(by, maintain_order=True):
            here = pairs.join(group.select("paper_id"), on="paper_id", how="semi")
            known = _Known(group, pairs, here, confusion)
            rows.append(
                {
                    **dict(zip(by, key, strict=True)),
                    "engine": engine,
                    **_row(raw[key, variable.name], variable, known, people),
                }
            )
    return sorted(rows, key=lambda row: tuple(row[k] for k in by))


@dataclass(frozen=True, slots=True)
class _Known:
    """The engine's classes of a group, labelled papers anywhere and here, and the confusion matrix."""

    group: pl.DataFrame
    pairs: pl.DataFrame
    here: pl.DataFrame
    confusion: np.ndarray


def _row(raw: Row, variable: Variable, known: _Known, people: pl.DataFrame) -> Row:
    found = by_confusion(_counts(known.group["class"]), known.confusion)
    own = _own(known)
    yes, no = known.confusion[YES, :OUT], known.confusion[NO, :OUT]
    return {
        "variable": variable.name,
        "n_judged": raw["n_judged"],
        "share": raw["share"],
        "ci_low": raw["ci_low"],
        "ci_high": raw["ci_high"],
        **_named("corrected", own or found),
        "method": "ppi" if own else "confusion" if found else None,
        **_named("confusion", found),
        "sensitivity": float(yes[YES] / yes.sum()) if yes.sum() else None,
        "specificity": float(no[NO] / no.sum()) if no.sum() else None,
        "n_labelled": known.pairs.height,
        "n_labelled_here": known.here.height,
        **_named("ppi", own),
        "warnings": _warnings(variable, known, people, found),
    }


def _own(known: _Known) -> Estimate | None:
    """By prediction from the group's labels: a random sample's, or weighted ones; whichever are more."""
    plain = known.here.filter(pl.col("weight").is_null())
    drawn = known.here.filter(pl.col("weight").is_not_null())
    if max(plain.height, drawn.height) < FEWEST_HERE:
        return None
    if plain.height >= drawn.height:
        rest = known.group.join(plain.select("paper_id"), on="paper_id", how="anti")
        return by_prediction(
            plain["class"].to_numpy(), plain["class_engine"].to_numpy(), _counts(rest["class"])
        )
    return by_weighted_prediction(
        drawn["class"].to_numpy(),
        drawn["class_engine"].to_numpy(),
        drawn["weight"].to_numpy(),
        _counts(known.group["class"]),
    )


def _named(name: str, estimate: Estimate | None) -> Row:
    low, high = f"{name}_low", f"{name}_high"
    if estimate is None:
        return {name: None, low: None, high: None}
    return {name: estimate.value, low: estimate.low, high: estimate.high}


def _warnings(variable: Variable, known: _Known, people: pl.DataFrame, found: Estimate | None) -> list[str]:
    confusion = known.confusion
    true = confusion.sum(1)
    right = [confusion[c, c] / true[c] if true[c] else 0.0 for c in (YES, NO)]
    holds = {
        "does_not_fit": found is None and min(true[YES], true[NO]) > 0,
        "few_labels": min(true[YES], true[NO]) < FEWEST_OF_A_CLASS,
        "weak_engine": sum(right) - 1 < WEAK,
        "labels_from_elsewhere": known.here.height < FEWEST_HERE,
        "type_not_labelled": variable.name not in OVER_ALL and "research_type" not in people.columns,
    }
    return [name for name, held in holds.items() if held]


def _classes(frame: pl.DataFrame, variable: Variable) -> pl.DataFrame:
    """Each paper's class as in `statistics.correction`; null where its label is not known."""
    label = pl.col(variable.name)
    own = (
        pl.when(label == variable.positive)
        .then(YES)
        .when(label.is_in(variable.labels) | (label == NOT_APPLICABLE))
        .then(NO)
    )
    if variable.name not in OVER_ALL and "research_type" in frame.columns:
        kind = pl.col("research_type")
        own = pl.when(kind == "Theoretical").then(OUT).when(kind == "Experimental").then(own)
    return frame.select("venue", "year", "paper_id", own.cast(pl.Int64).alias("class"))


def _weighed(people: pl.DataFrame, variable: Variable) -> pl.DataFrame:
    """People's classes with `weight`, one over the probability that the label was asked for, null if equal.

    Of labels that were drawn one by one, a research type alone says nothing of a variable that was not asked.
    """
    chance = pl.lit(None, pl.Float64)
    fits = pl.lit(True)
    if (own := variable.name + _CHANCE) in people.columns:
        chance = pl.col(own)
        kind = f"research_type{_CHANCE}"
        if kind in people.columns:
            fits = pl.col(variable.name).is_not_null() | pl.col(kind).is_null()
    weights = people.with_columns(weight=1 / chance, fits=fits).select("weight", "fits")
    classes = pl.concat([_classes(people, variable), weights], how="horizontal")
    return classes.filter("fits").select("paper_id", "class", "weight")


def _confusion(pairs: pl.DataFrame) -> np.ndarray:
    """Counts of pairs of classes; weighted labels of a true class count as their effective number (Kish)."""
    counts = np.zeros((3, 3))
    for true in range(3):
        mine = pairs.filter(pl.col("class") == true)
        plain = mine.filter(pl.col("weight").is_null())
        counts[true] += _counts(plain["class_engine"])
        drawn = mine.filter(pl.col("weight").is_not_null())
        if drawn.height:
            weights = drawn["weight"].to_numpy()
            weighted = np.bincount(drawn["class_engine"].to_numpy(), weights, minlength=3)
            counts[true] += weighted * weights.sum() / (weights**2).sum()
    return counts


def _counts(classes: pl.Series) -> np.ndarray:
    return np.bincount(classes.to_numpy(), minlength=3).astype(float)


def save(tables: Tables, rows: Sequence[Row]) -> None:
    """Writes rows grouped by venue and year as the table `corrected_statistics`.

    They take the place of what the table held of their engine and edition; rows that it holds already are not
    written again.
    """
    schema = load_table("corrected_statistics")
    editions: dict[Edition, list[Row]] = {}
    for row in rows:
        figures = {name: value for name, value in row.items() if name not in ("venue", "year")}
        editions.setdefault(Edition(row["venue"], row["year"]), []).append(figures)
    for edition, mine in editions.items():
        frame, basis = frame_of(schema, mine), digest(repr(mine))
        tables.update("corrected_statistics", edition, lambda held, f=frame, b=basis: _replaced(held, f, b))  # type: ignore[misc]


def _replaced(held: Partition, frame: pl.DataFrame, basis: str) -> Partition:
    """The partition with `frame` in place of its engines' rows; the same one if these were written last."""
    if held.basis == basis:
        return held
    others = held.frame.join(frame, on="engine", how="anti")
    return Partition(pl.concat([others, frame]), (), basis, held.version)
