"""Verdicts of earlier runs that hold again: made from the same, and replaced by another run's since."""

from collections.abc import Sequence

import polars as pl

from reprocensus.keys import verdict_key
from reprocensus.plan import Judging
from reprocensus.records import Document, Edition
from reprocensus.rows import Row
from reprocensus.state import VERDICT_KEY
from reprocensus.tables import Tables
from reprocensus.variables import Variable


class Earlier:
    """What other runs than `run_id` judged of some papers of an edition, from the journal."""

    def __init__(
        self, tables: Tables, edition: Edition, papers: Sequence[str], judging: Judging, run_id: str
    ) -> None:
        self._tables = tables
        self._edition = edition
        self._papers = papers
        self._judging = judging
        self._run_id = run_id
        self._rows: dict[tuple[str, str], Row] | None = None

    def of(self, document: Document, variables: Sequence[Variable]) -> list[Row]:
        """The rows that stand for a judgement of the document on these variables; at most one of each."""
        if self._rows is None:
            self._rows = self._read()
        found = []
        for variable in variables:
            keys = self._judging.keys(document.text_sha256, variable)
            rows = (self._rows.get((document.paper_id, key)) for key in keys)
            found += [row for row in rows if row is not None][:1]
        return found

    def _read(self) -> dict[tuple[str, str], Row]:
        rows: dict[tuple[str, str], Row] = {}
        for entry in self._tables.journal(self._edition):
            if entry.table != "verdicts" or entry.run_id == self._run_id:
                continue
            mine = self._tables.read_journal(entry).filter(
                pl.col("paper_id").is_in(list(self._papers)), engine=self._judging.engine
            )
            for row in mine.iter_rows(named=True):
                key = verdict_key(*(row[column] for column in VERDICT_KEY))
                rows[row["paper_id"], key] = row
        return rows
