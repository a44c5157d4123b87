"""Fetches what an audit compares: a label file's papers and a store's verdicts."""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from reprocensus.audit.audit import Verdicts
from reprocensus.errors import UsageError
from reprocensus.history import one_run
from reprocensus.labels import LabelledPaper
from reprocensus.records import Edition
from reprocensus.tables import Tables


def stored_runs(tables: Tables, runs: Sequence[str], engine: str | None) -> dict[str, Verdicts]:
    """The verdicts of the runs named, or those that stand now under one name; only one engine's if named.

    A run's verdicts are read from the journal, where a later run replaces none.

    Raises:
        UsageError: there is no such run, or there are no verdicts.
    """
    rows = {row["run_id"]: row for row in (one_run(tables, run) for run in runs)}
    found = {run: _of_run(tables, run, engine) for run in rows} if rows else {"": _standing(tables, engine)}
    for run, verdicts in found.items():
        if not verdicts:
            if run and (repeated := json.loads(rows[run]["settings"]).get("repeats")):
                raise UsageError(
                    f"run {run} repeated a part of {repeated}; the table repeats keeps how many labels came "
                    "out otherwise, and no verdicts"
                )
            which = " ".join(filter(None, [run and f"of run {run}", engine and f"by engine {engine}"]))
            raise UsageError(f"{tables.storage.uri} has no verdicts {which}".rstrip())
    return found if runs else {engine or "verdicts": found[""]}


def stored_people(tables: Tables) -> list[tuple[str, LabelledPaper]]:
    """The papers labelled in the table `labels`, each with its paper_id; of several people's, the latest.

    Labels that were drawn with unequal probabilities weigh one over theirs, scaled for each variable to sum
    to their effective number (Kish), so that they and labels of equal probability can be pooled.

    Raises:
        UsageError: the table has none.
    """
    held = tables.scan("labels").sort("recorded_at", maintain_order=True)
    held = held.unique(["paper_id", "variable"], keep="last", maintain_order=True)
    if held.is_empty():
        raise UsageError(
            f"{tables.storage.uri} has no labels by people: give them with reprocensus review, take them in "
            "with reprocensus import --who NAME, or name a file with --labels"
        )
    weight = 1 / pl.col("sampling_probability")
    held = held.with_columns(weight=(weight * weight.sum() / (weight**2).sum()).over("variable"))
    found = []
    for (paper_id,), rows in held.group_by("paper_id", maintain_order=True):
        given = rows.select("variable", "label", "comment", "weight").to_dicts()
        paper = LabelledPaper(
            paper_id=str(paper_id),
            title=None,
            labels={row["variable"]: row["label"] for row in given},
            reasons={row["variable"]: row["comment"] for row in given if row["comment"]},
            weights={row["variable"]: row["weight"] for row in given if row["weight"] is not None},
        )
        found.append((str(paper_id), paper))
    return found


def own_runs(papers: Sequence[tuple[str, LabelledPaper]]) -> dict[str, Verdicts]:
    """The repeated runs that a label file brings along, as verdicts without quotes."""
    longest = max((len(paper.runs) for _, paper in papers), default=0)
    return {
        f"run {number + 1}": {
            (paper_id, variable): {"label": label}
            for paper_id, paper in papers
            if number < len(paper.runs)
            for variable, label in paper.runs[number].items()
        }
        for number in range(longest)
    }


def _standing(tables: Tables, engine: str | None) -> Verdicts:
    parts = [(edition, tables.read("verdicts", edition).frame) for edition in tables.editions("verdicts")]
    return _keyed(parts, engine)


def _of_run(tables: Tables, run: str, engine: str | None) -> Verdicts:
    parts = [(edition, tables.read_run("verdicts", edition, run)) for edition in tables.editions("papers")]
    return _keyed(parts, engine)


def _keyed(parts: Sequence[tuple[Edition, pl.DataFrame]], engine: str | None) -> Verdicts:
    """The rows by paper and variable, each with its venue."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for edition, frame in parts:
        wanted = frame.filter(engine=engine) if engine else frame
        for row in wanted.iter_rows(named=True):
            rows[row["paper_id"], row["variable"]] = {**row, "venue": edition.venue}
    return rows
