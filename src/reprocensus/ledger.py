"""What is known of a shard on its way, and what of it is in the journal."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from threading import RLock
from time import monotonic

from reprocensus.errors import FetchError, PaperError
from reprocensus.fetch.fetcher import Fetched, Unchanged
from reprocensus.fetch.locations import stamp_of
from reprocensus.judge import Judged
from reprocensus.outcome import ShardReport
from reprocensus.plan import Shard, Work
from reprocensus.records import Document, Failure, Seen, Stage, Verdict
from reprocensus.rows import Row, document_row, failure_row, paper_row, pdf_row, verdict_row
from reprocensus.workshop import Workshop

_log = logging.getLogger(__name__)


class Ledger:
    """One shard's outcomes. Two threads write into it: one reads papers, one judges them.

    What comes in is journaled together, from time to time and at the end, and always in an order that a kill
    between two files cannot hurt: a verdict never stands without its document, nor a paper without its PDF.
    """

    def __init__(self, shard: Shard, shop: Workshop) -> None:
        self.shard = shard
        self.report = ShardReport()
        self.works = {work.paper.paper_id: work for work in shard.works}
        #: Digest and stamp of the PDFs in hand, by paper.
        self.pdfs: dict[str, tuple[str, str | None]] = {}
        self._shop = shop
        self._lock = RLock()
        self._started_at = datetime.now(UTC)
        self._to_list: dict[str, None] = {w.paper.paper_id: None for w in shard.works if w.record}
        self._titles: dict[str, str] = {}
        self._checked: list[tuple[str, Seen]] = []
        self._documents: list[Document] = []
        self._verdicts: list[Verdict] = []
        self._taken: list[Row] = []
        self._failures: list[Failure] = []
        self._parts = 0
        self._saved_at = monotonic()

    def count(self, stage: str, outcome: str, n: int = 1) -> None:
        """So many more came out so at a stage."""
        with self._lock:
            self.report.counts[stage, outcome] += n
        self._shop.progress(stage, outcome, n)

    def fail(self, work: Work, error: PaperError, attempted: str, variable: str | None = None) -> None:
        """A paper failed at a stage."""
        tries = 1 + work.attempts.get(attempted, 0)
        about = {
            "run_id": self._shop.run_id,
            "paper_id": work.paper.paper_id,
            "edition": str(self.shard.edition),
            "shard": self.shard.name,
            "stage": str(error.stage),
            "kind": error.kind,
            "variable": variable,
            "attempts": tries,
            "transient": error.transient,
        }
        _log.warning(
            "%s failed to %s: %s: %s", work.paper.paper_id, error.stage, error.kind, error, extra=about
        )
        failure = Failure(
            stage=Stage(error.stage),
            paper_id=work.paper.paper_id,
            kind=error.kind,
            transient=error.transient,
            message=str(error),
            attempted=attempted,
            run_id=self._shop.run_id,
            failed_at=datetime.now(UTC),
            variable=variable,
            engine=self._shop.judging.engine if variable else None,
            attempts=tries,
            retry_at=error.retry_at if isinstance(error, FetchError) else None,
        )
        with self._lock:
            self._failures.append(failure)
            if error.kind != "rate_limited":
                # A host that was too busy to be asked says nothing about the paper.
                self.report.failed_papers.add(work.paper.paper_id)
        self.count(error.stage, "failed")

    def have(self, work: Work, fetched: Fetched) -> None:
        """A PDF was fetched."""
        name, sha256 = work.paper.paper_id, fetched.sha256
        now = fetched.checked_at
        first = min((s.first_seen for s in work.seen if s.pdf_sha256 == sha256), default=now)
        seen = Seen(
            sha256,
            work.paper.location,
            len(fetched.data),
            first,
            now,
            fetched.final_url,
            fetched.etag,
            fetched.last_modified,
        )
        with self._lock:
            self._checked.append((name, seen))
            self.pdfs[name] = (sha256, fetched.stamp)
            if not (work.recheck and sha256 == work.pdf_sha256):
                self._to_list[name] = None
        self.count(Stage.FETCH, "done")

    def unchanged(self, work: Work, found: Unchanged) -> None:
        """A PDF that stands was asked for, and is as it was."""
        with self._lock:
            seen = replace(found.seen, last_checked=found.checked_at)
            self._checked.append((work.paper.paper_id, seen))
        self.count(Stage.FETCH, "unchanged")

    def again(self, work: Work) -> None:
        """The PDF that stands is read again."""
        with self._lock:
            self._to_list[work.paper.paper_id] = None

    def read(self, document: Document) -> None:
        """A text was extracted."""
        name = document.paper_id
        with self._lock:
            self._documents.append(document)
            self._titles[name] = document.extracted.title
            if not self.works[name].paper.title:
                # Its row may be in the journal already, without the title that has now been read off page 1.
                self._to_list[name] = None
        self.count(Stage.EXTRACT, "done")

    def judged(self, judged: Judged) -> None:
        """A question was answered, or not. Journals from time to time: a model takes long over a shard."""
        with self._lock:
            self.report.use(judged.usage)
        if isinstance(judged.outcome, Verdict):
            with self._lock:
                self._verdicts.append(judged.outcome)
            self.count(Stage.JUDGE, judged.outcome.label)
        else:
            attempted = self._shop.judging.key(judged.document.text_sha256, judged.variable)
            self.fail(self.works[judged.document.paper_id], judged.outcome, attempted, judged.variable.name)
        self.save_if_due()

    def take_over(self, rows: list[Row]) -> None:
        """Verdicts of an earlier run hold again."""
        with self._lock:
            self._taken += [{**row, "recorded_at": datetime.now(UTC)} for row in rows]
        if rows:
            self.count(Stage.JUDGE, "taken_over", len(rows))

    def save_if_due(self) -> None:
        """Journals if that was not done for long, so that a kill costs little."""
        with self._lock:
            if monotonic() - self._saved_at >= self._shop.journal_interval_s:
                self.save()

    def save(self, *, last: bool = False) -> None:
        """Journals what came in since the last time; at last also what was only listed."""
        with self._lock:
            part, now = f"p{self._parts:03d}", datetime.now(UTC)
            self._parts += 1
            self._saved_at = monotonic()
            names = {name: None for name in self._to_list if last or name in self.pdfs}
            # A paper's row says that its PDF need not be fetched again: it comes after what came of that. A
            # kill between two of these costs a fetch, and never a row.
            self._append("pdfs", [pdf_row(name, seen, now) for name, seen in self._checked], part)
            self._append("documents", [document_row(d, now) for d in self._documents], part)
            self._append("papers", [self._paper(name, now) for name in names], part)
            verdicts = [*self._taken, *(verdict_row(v, now) for v in self._verdicts)]
            self._append("verdicts", verdicts, part)
            self._append("failures", [failure_row(f) for f in self._failures], part)
            self._to_list = {name: None for name in self._to_list if name not in names}
            self._checked, self._documents, self._verdicts, self._taken, self._failures = [], [], [], [], []

    def _append(self, table: str, rows: list[Row], part: str) -> None:
        self._shop.tables.append(
            table, self.shard.edition, self._shop.run_id, f"{self.shard.name}{part}", rows
        )

    def _paper(self, name: str, now: datetime) -> Row:
        work = self.works[name]
        # What was not fetched now must not look as if it had been, or it would end an earlier failure.
        recorded_at = now if name in self.pdfs else self._started_at
        sha256, stamp = self.pdfs.get(name, (work.pdf_sha256, stamp_of(work.paper.location)))
        title = work.paper.title or self._titles.get(name, "") or work.title or name
        return paper_row(work.paper, title, sha256, stamp if sha256 else None, recorded_at)
