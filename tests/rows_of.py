"""A store's tables as they should be whatever happened on the way: without what differs from run to run."""

from typing import Any

import polars as pl

from reprocensus.schemas import load_table
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

#: Times and names of runs, and where a store's own copy of things lies.
VOLATILE = {
    "run_id",
    "recorded_at",
    "failed_at",
    "judged_at",
    "extracted_at",
    "fetched_at",
    "listed_at",
    "first_seen",
    "last_checked",
    "seconds",
    "latency_ms",
    "latency_s",
    "attempts",
}
TABLES = ("papers", "pdfs", "documents", "verdicts", "failures", "venue_statistics", "edition_scores")


def rows_of(store: str, settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table, in the order of their keys, without the volatile columns."""
    tables = Tables(open_storage(store, settings))
    return {name: _rows(tables.scan(name), load_table(name).key) for name in TABLES}


def _rows(frame: pl.DataFrame, key: list[str] | tuple[str, ...]) -> list[dict[str, Any]]:
    order = ["venue", "year", *(k for k in key if k in frame.columns and k not in VOLATILE)]
    return frame.sort(order).drop(VOLATILE & set(frame.columns)).to_dicts()


def judged_twice(store: str, settings: Settings) -> int:
    """How many verdicts the journal holds beyond one for each text, variable, prompt, engine and model."""
    tables = Tables(open_storage(store, settings))
    frames = [
        tables.read_journal(entry)
        for edition in tables.editions("papers")
        for entry in tables.journal(edition)
        if entry.table == "verdicts"
    ]
    if not frames:
        return 0
    rows = pl.concat(frames)
    keys = ["paper_id", "text_sha256", "variable", "variable_sha", "prompt_sha", "engine", "model"]
    return rows.height - rows.unique(keys).height
