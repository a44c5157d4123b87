"""Answers questions about a store from its tables: one verdict in context, failures, statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from reprocensus.errors import UsageError
from reprocensus.records import Edition
from reprocensus.tables import Tables
from reprocensus.variables import Variable

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """One verdict with everything needed to check it. `contexts`: for each quote, the text around it."""

    edition: Edition
    paper: Row
    verdict: Row
    contexts: tuple[tuple[str, str], ...]
    run: Row | None


def find_paper(tables: Tables, name: str) -> tuple[Edition, Row]:
    """The paper of that paper_id; else the only one whose paper_id ends so or whose title it is.

    Raises:
        UsageError: none, or several.
    """
    rows = [
        (edition, row)
        for edition in tables.editions("papers")
        for row in tables.read("papers", edition).frame.iter_rows(named=True)
    ]
    folded = name.casefold()
    exact = [(edition, row) for edition, row in rows if row["paper_id"] == name]
    loose = [
        (edition, row)
        for edition, row in rows
        if row["paper_id"].casefold().endswith("/" + folded) or row["title"].casefold() == folded
    ]
    for found in (exact, loose):
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(row["paper_id"] for _, row in found[:5])
            raise UsageError(f"{name!r} means several papers: {ids}; give the whole paper_id")
    within = [row["paper_id"] for _, row in rows if folded in f"{row['paper_id']} {row['title']}".casefold()]
    if within:
        raise UsageError(f"no paper is called {name!r}; these contain it: {', '.join(within[:5])}")
    raise UsageError(f"no paper {name!r} in {tables.storage.uri}; run it first, or check --store")


def explain(
    tables: Tables, name: str, variable: Variable, engine: str | None = None, around: int = 200
) -> Reason:
    """An engine's verdict on one variable of one paper, with its quotes and `around` characters beside each.

    The latest verdict, if no engine is named.

    Raises:
        UsageError: there is no such paper or no verdict; the message says what failed instead.
    """
    edition, paper = find_paper(tables, name)
    paper_id = paper["paper_id"]
    verdicts = tables.read("verdicts", edition).frame.filter(paper_id=paper_id, variable=variable.name)
    if engine:
        verdicts = verdicts.filter(engine=engine)
    verdicts = verdicts.sort("recorded_at", descending=True)
    if verdicts.is_empty():
        failed = tables.read("failures", edition).frame.filter(paper_id=paper_id)
        why = "; ".join(f"{f['stage']} failed ({f['kind']}): {f['message']}" for f in failed.to_dicts())
        raise UsageError(f"{paper_id} has no verdict on {variable.name}: {why or 'it was not judged on it'}")
    verdict = verdicts.to_dicts()[0]
    # An imported verdict has no quotes, and its paper perhaps no document.
    text = tables.read_documents(edition, [paper_id])["text"][0] if verdict["quotes"] else ""
    contexts = tuple(
        (text[max(0, q["start"] - around) : q["start"]], text[q["end"] : q["end"] + around])
        for q in verdict["quotes"]
    )
    runs = tables.read_rows("runs").filter(run_id=verdict["run_id"]).to_dicts()
    return Reason(edition, paper, verdict, contexts, runs[0] if runs else None)


def failures(tables: Tables, editions: Sequence[Edition]) -> pl.DataFrame:
    """Failures that stand in these editions, with venue and year."""
    return tables.scan("failures", editions)
