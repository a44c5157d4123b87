"""Reads what a review needs from a store, and writes a person's labels into it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from reprocensus.errors import UsageError
from reprocensus.publish import publish
from reprocensus.records import Document, Edition
from reprocensus.review.sampling import Drawn, Item
from reprocensus.rows import document_of
from reprocensus.runs import git_commit, hardware, software_versions
from reprocensus.tables import Tables

Row = dict[str, Any]
#: What the column `source` says of labels given in a review.
SOURCE: Final = "review"


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn from: verdicts of one engine on papers of the main programme, and those papers' rows."""

    engine: str
    items: tuple[Item, ...]
    papers: dict[str, tuple[Edition, str]]


def frame(
    tables: Tables,
    *,
    engine: str | None,
    usual: str,
    variables: Sequence[str],
    venue: str | None = None,
    year: int | None = None,
) -> Frame:
    """The verdicts that can be reviewed. Those of `engine`, else of the store's only one, else the usual one.

    Raises:
        UsageError: there are none.
    """
    editions = [
        e
        for e in tables.editions("verdicts")
        if (venue is None or e.venue.casefold() == venue.casefold()) and year in (None, e.year)
    ]
    verdicts = tables.scan(
        "verdicts", editions, ("paper_id", "variable", "label", "engine", "confidence", "needs_review")
    )
    known = sorted(verdicts["engine"].unique())
    chosen = engine or (known[0] if len(known) == 1 else usual)
    papers = tables.scan("papers", editions, ("paper_id", "title", "main")).filter("main")
    named = {p: (Edition(v, y), t) for v, y, p, t, _ in papers.iter_rows()}
    disputed = _disputed(tables, editions)
    mine = verdicts.filter(pl.col("engine") == chosen, pl.col("variable").is_in(list(variables)))
    items = tuple(
        Item(
            row["paper_id"],
            row["variable"],
            row["label"],
            row["confidence"],
            row["needs_review"],
            (row["paper_id"], row["variable"]) in disputed,
        )
        for row in mine.sort("paper_id", "variable").iter_rows(named=True)
        if row["paper_id"] in named
    )
    if not items:
        where = " ".join(str(part) for part in (venue, year) if part)
        raise UsageError(
            f"{tables.storage.uri} has no verdicts by {chosen} to review {where}".rstrip()
            + f"; engines here: {', '.join(known) or 'none'}; check --store, --engine, --venue and --year"
        )
    return Frame(chosen, items, named)


def _disputed(tables: Tables, editions: Sequence[Edition]) -> set[tuple[str, str]]:
    """Papers and variables on which engines or runs differ, by the journal, where no run replaces another."""
    found: set[tuple[str, str]] = set()
    for edition in editions:
        parts = [
            tables.read_journal(entry).select("paper_id", "variable", "label")
            for entry in tables.journal(edition)
            if entry.table == "verdicts"
        ]
        if len(parts) > 1:
            several = pl.concat(parts).group_by("paper_id", "variable").agg(pl.col("label").n_unique())
            found.update(several.filter(pl.col("label") > 1).select("paper_id", "variable").rows())
    return found


def document(tables: Tables, edition: Edition, paper_id: str) -> Document | None:
    """The paper's document; None where the store has only labels of it."""
    known = tables.read("documents", edition, ("paper_id",)).frame
    if paper_id not in known["paper_id"]:
        return None
    return document_of(tables.read_documents(edition, [paper_id]).to_dicts()[0])


def verdict(tables: Tables, edition: Edition, key: tuple[str, str], engine: str) -> Row | None:
    """The engine's verdict on a paper and variable, as a row of `verdicts`."""
    rows = tables.read("verdicts", edition).frame.filter(paper_id=key[0], variable=key[1], engine=engine)
    return rows.to_dicts()[0] if rows.height else None


@dataclass(slots=True)
class Labelling:
    """One person's labels, written as they are given. `run_id` names the sitting in the journal."""

    tables: Tables
    who: str
    run_id: str
    papers: dict[str, tuple[Edition, str]]
    #: The labels that this person gave, by paper and variable.
    given: dict[tuple[str, str], Row] = field(default_factory=dict)
    n_written: int = 0
    _touched: set[Edition] = field(default_factory=set)

    def load(self) -> None:
        """Reads what the person has labelled, published or not."""
        for edition in sorted({edition for edition, _ in self.papers.values()}):
            part, entries = self.tables.read("labels", edition), self.tables.journal(edition)
            held = self.tables.folded("labels", part, entries)
            if held is not part:
                self._touched.add(edition)
            for row in held.frame.filter(labelled_by=self.who).iter_rows(named=True):
                self.given[row["paper_id"], row["variable"]] = row

    def give(self, asked: Drawn, label: str, comment: str | None = None) -> None:
        """Writes a label; one given earlier is replaced by it."""
        now = datetime.now(UTC)
        self._write(
            [
                {
                    "paper_id": asked.paper_id,
                    "variable": asked.variable,
                    "label": label,
                    "labelled_by": self.who,
                    "labelled_at": now,
                    "source": SOURCE,
                    "sampling_probability": asked.probability,
                    "comment": comment,
                    "recorded_at": now,
                }
            ]
        )

    def restate(self, drawn: Sequence[Drawn]) -> int:
        """Raises the probability of labels that this draw, a larger one, was likelier to ask for."""
        now = datetime.now(UTC)
        rows = []
        for one in drawn:
            row = self.given.get(one.key)
            if row and row["source"] == SOURCE and one.probability > (row["sampling_probability"] or 1.0):
                rows.append({**row, "sampling_probability": one.probability, "recorded_at": now})
        self._write(rows)
        return len(rows)

    def publish(self) -> None:
        """Folds the labels into the table."""
        for edition in sorted(self._touched):
            publish(self.tables, edition)
        self._touched.clear()

    def _write(self, rows: Sequence[Row]) -> None:
        editions: dict[Edition, list[Row]] = {}
        for row in rows:
            editions.setdefault(self.papers[row["paper_id"]][0], []).append(row)
        for edition, mine in editions.items():
            self.tables.append("labels", edition, self.run_id, f"{self.n_written:04d}", mine)
            self.n_written += len(mine)
            self._touched.add(edition)
        self.given.update({(row["paper_id"], row["variable"]): row for row in rows})


def save_sitting(labelling: Labelling, started: datetime, asked: Row) -> None:
    """Keeps who labelled, when, and how the draw was made, seed included, as a row of `runs`."""
    now = datetime.now(UTC)
    row = {
        "run_id": labelling.run_id,
        "started_at": started,
        "finished_at": now,
        "status": "completed",
        "engine": labelling.who,
        "model": "person",
        "settings": json.dumps({"review": asked}),
        "prompts": [],
        "software": json.dumps(software_versions()),
        "git_commit": git_commit(),
        "hardware": json.dumps(hardware()),
        "counts": [{"stage": SOURCE, "outcome": "labelled", "n": labelling.n_written}],
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
        "seconds": (now - started).total_seconds(),
        "cost": None,
        "message": None,
    }
    labelling.tables.write_row("runs", labelling.run_id, row)
