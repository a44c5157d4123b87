"""The way of a shard of papers through fetch, extract and judge.

What is fetched and extracted is journaled from time to time and at the end of the two, and so are verdicts.
Whatever was journaled is not done again if the run is killed after it.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from time import monotonic

import polars as pl

from reprocensus.engines import Engine
from reprocensus.errors import FetchError, PaperError, ShardTimeoutError
from reprocensus.extract.workers import ExtractPool
from reprocensus.fetch.fetcher import Fetched, Fetcher, Unchanged, Want
from reprocensus.fetch.locations import stamp_of
from reprocensus.judge import Judged, judge
from reprocensus.keys import verdict_key
from reprocensus.outcome import Progress, ShardReport
from reprocensus.plan import Judging, Shard, Work, extract_attempt, fetch_attempt, recheck_attempt
from reprocensus.records import Document, Failure, Seen, Stage, Verdict
from reprocensus.rows import (
    Row,
    document_of,
    document_row,
    failure_row,
    new_document,
    paper_row,
    pdf_row,
    verdict_row,
)
from reprocensus.state import VERDICT_KEY
from reprocensus.tables import Tables

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a run's shards share: the store, the workers, the engine."""

    tables: Tables
    fetcher: Fetcher
    extractors: ExtractPool
    engine: Engine
    judging: Judging
    run_id: str
    progress: Progress
    journal_interval_s: float = 120
    #: Longest time that a shard may take, in seconds; 0: no limit.
    shard_timeout_s: float = 0


class _ShardRun:
    """One shard on its way."""

    def __init__(self, shard: Shard, shop: Workshop) -> None:
        self.shard = shard
        self.shop = shop
        self.report = ShardReport()
        self.works = {work.paper.paper_id: work for work in shard.works}
        self.every_variable = tuple(v.name for v in shop.judging.variables)
        #: Digest and stamp of the PDFs in hand, by paper.
        self.pdfs: dict[str, tuple[str, str | None]] = {}
        self.documents: dict[str, Document] = {}
        self.to_judge: dict[str, tuple[str, ...]] = {}
        self.verdicts: list[Verdict] = []
        self.failures: list[Failure] = []
        self.checked: list[tuple[str, Seen]] = []
        self.started_at = datetime.now(UTC)
        self.ids_to_save: dict[str, None] = {w.paper.paper_id: None for w in shard.works if w.record}
        self.documents_to_save: list[Document] = []
        self.parts = 0
        self.saved_at = monotonic()
        self.ends_at = monotonic() + shop.shard_timeout_s if shop.shard_timeout_s else inf

    def left_s(self) -> float | None:
        """Seconds that are left of the shard's time; None if it has no limit.

        Raises:
            ShardTimeoutError: none are.
        """
        left = self.ends_at - monotonic()
        if left <= 0:
            raise ShardTimeoutError(
                f"{self.shard.edition}, shard {self.shard.name}: it took longer "
                f"than the {self.shop.shard_timeout_s:g} s of REPROCENSUS_SHARD_TIMEOUT_S; what was done "
                "stands, the next run does the rest"
            )
        return None if left == inf else left

    def count(self, stage: str, outcome: str, n: int = 1) -> None:
        self.report.counts[stage, outcome] += n
        self.shop.progress(stage, outcome, n)

    def fail(self, work: Work, error: PaperError, attempted: str, variable: str | None = None) -> None:
        tries = 1 + work.attempts.get(attempted, 0)
        about = {
            "run_id": self.shop.run_id,
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
        self.failures.append(
            Failure(
                stage=Stage(error.stage),
                paper_id=work.paper.paper_id,
                kind=error.kind,
                transient=error.transient,
                message=str(error),
                attempted=attempted,
                run_id=self.shop.run_id,
                failed_at=datetime.now(UTC),
                variable=variable,
                engine=self.shop.judging.engine if variable else None,
                attempts=tries,
                retry_at=error.retry_at if isinstance(error, FetchError) else None,
            )
        )
        self.count(error.stage, "failed")
        if error.kind != "rate_limited":
            # A host that was too busy to be asked says nothing about the paper.
            self.report.failed_papers.add(work.paper.paper_id)

    def have(self, work: Work, fetched: Fetched) -> None:
        """Takes a fetched PDF in hand."""
        name, sha256 = work.paper.paper_id, fetched.sha256
        now = fetched.checked_at
        first = min((s.first_seen for s in work.seen if s.pdf_sha256 == sha256), default=now)
        self.checked.append(
            (
                name,
                Seen(
                    sha256,
                    work.paper.location,
                    len(fetched.data),
                    first,
                    now,
                    fetched.final_url,
                    fetched.etag,
                    fetched.last_modified,
                ),
            )
        )
        self.pdfs[name] = (sha256, fetched.stamp)
        if not (work.recheck and sha256 == work.pdf_sha256):
            self.ids_to_save[name] = None

    def read(self, document: Document) -> None:
        """Takes a new text in hand."""
        name = document.paper_id
        self.documents[name] = document
        self.documents_to_save.append(document)
        if not self.works[name].paper.title:
            # Its row may be in the journal already, without the title that has now been read off page 1.
            self.ids_to_save[name] = None

    def save(self, table: str, rows: list[dict[str, object]], part: str = "") -> None:
        self.shop.tables.append(table, self.shard.edition, self.shop.run_id, f"{self.shard.name}{part}", rows)

    def save_failures(self, part: str) -> None:
        self.save("failures", [failure_row(f) for f in self.failures], part)
        self.failures = []

    def save_judged(self) -> None:
        """Journals what was judged since the last time."""
        part, now = f"v{self.parts:03d}", datetime.now(UTC)
        self.parts += 1
        self.saved_at = monotonic()
        self.save("verdicts", [verdict_row(v, now) for v in self.verdicts], part)
        self.verdicts = []
        self.save_failures(part)

    def save_part(self, *, last: bool = False) -> None:
        """Journals what was fetched and extracted since the last time; at last also what was only listed."""
        part, now = f"p{self.parts:03d}", datetime.now(UTC)
        self.parts += 1
        self.saved_at = monotonic()
        names = {name: None for name in self.ids_to_save if last or name in self.pdfs}
        # A paper's row says that its PDF need not be fetched again: it comes after what came of that. A kill
        # between two of these costs a fetch, and never a row.
        self.save("pdfs", [pdf_row(name, seen, now) for name, seen in self.checked], part)
        self.save("documents", [document_row(d, now) for d in self.documents_to_save], part)
        self.save("papers", [self._paper(name, now) for name in names], part)
        self.save_failures(part)
        self.ids_to_save = {name: None for name in self.ids_to_save if name not in names}
        self.checked, self.documents_to_save = [], []

    def save_part_if_due(self) -> None:
        """Journals from time to time while a slow host is fetched from, so that a kill costs little."""
        if monotonic() - self.saved_at >= self.shop.journal_interval_s:
            self.save_part()

    def _paper(self, name: str, now: datetime) -> Row:
        work = self.works[name]
        document = self.documents.get(name)
        # What was not fetched now must not look as if it had been, or it would end an earlier failure.
        recorded_at = now if name in self.pdfs else self.started_at
        sha256, stamp = self.pdfs.get(name, (work.pdf_sha256, stamp_of(work.paper.location)))
        read_off = document.extracted.title if document else ""
        title = work.paper.title or read_off or work.title or name
        return paper_row(work.paper, title, sha256, stamp if sha256 else None, recorded_at)


def process_shard(shard: Shard, shop: Workshop) -> ShardReport:
    """Fetches, extracts and judges the shard's papers as far as each needs it.

    Raises only for the store's sake, because the run ends or the shard's time is up; a paper's failure is a
    row.
    """
    run = _ShardRun(shard, shop)
    try:
        for name, extracted in shop.extractors.extract_all(_pdfs(run)):
            work, sha256 = run.works[name], run.pdfs[name][0]
            if isinstance(extracted, PaperError):
                run.fail(work, extracted, extract_attempt(sha256, shop.judging.extractor_version))
            else:
                document = new_document(name, sha256, extracted)
                run.read(document)
                same = work.held is not None and work.held.text_sha256 == document.text_sha256
                run.to_judge[name] = work.held.missing if work.held and same else run.every_variable
                run.count(Stage.EXTRACT, "done")
            run.left_s()
    finally:
        # Whatever ends the run, what it has fetched is not to be fetched again.
        run.save_part(last=True)
    _judge(run)
    return run.report


def _pdfs(run: _ShardRun) -> Iterator[tuple[str, bytes]]:
    """The PDFs to extract; fetches those that must be, and leaves out those whose text is held already."""
    for work in run.shard.works:
        if not work.fetch:
            yield from _stored(run, work)
    wants = [_want(work) for work in run.shard.works if work.fetch]
    for want, outcome in run.shop.fetcher.fetch_all(wants):
        work = run.works[want.paper.paper_id]
        if isinstance(outcome, FetchError):
            run.fail(work, outcome, _attempted(work))
            if work.recheck:
                yield from _stored(run, work)
        elif isinstance(outcome, Unchanged):
            run.count(Stage.FETCH, "unchanged")
            run.checked.append((work.paper.paper_id, replace(outcome.seen, last_checked=outcome.checked_at)))
            yield from _stored(run, work)
        else:
            run.have(work, outcome)
            run.count(Stage.FETCH, "done")
            if work.held and work.held.pdf_sha256 == outcome.sha256:
                run.to_judge[work.paper.paper_id] = work.held.missing
            else:
                yield work.paper.paper_id, outcome.data
        run.save_part_if_due()


def _want(work: Work) -> Want:
    """What to fetch; of a PDF that is only checked, what tells the server which one is held."""
    seen = [s for s in work.seen if work.recheck and s.pdf_sha256 == work.pdf_sha256]
    return Want(work.paper, seen[-1] if seen else None)


def _attempted(work: Work) -> str:
    location = work.paper.location
    if work.recheck and work.pdf_sha256:
        return recheck_attempt(location, work.pdf_sha256)
    return fetch_attempt(location, stamp_of(location))


def _stored(run: _ShardRun, work: Work) -> Iterator[tuple[str, bytes]]:
    """The paper's PDF from the store, if its text is wanted anew."""
    name = work.paper.paper_id
    if not (work.extract and work.pdf_sha256):
        if work.variables:
            run.to_judge[name] = work.variables
        return
    data = run.shop.fetcher.stored(work.pdf_sha256)
    run.pdfs.setdefault(name, (work.pdf_sha256, stamp_of(work.paper.location)))
    if data is None and not work.fetch:
        data = _fetch_again(run, work)
    if data is not None:
        run.ids_to_save[name] = None
        yield name, data


def _fetch_again(run: _ShardRun, work: Work) -> bytes | None:
    """The PDF of a paper whose object has gone from the store."""
    try:
        fetched = run.shop.fetcher.fetch(work.paper)
    except FetchError as error:
        run.pdfs.pop(work.paper.paper_id, None)
        run.fail(work, error, _attempted(work))
        return None
    run.have(work, fetched)
    run.count(Stage.FETCH, "done")
    return fetched.data


def _judge(run: _ShardRun) -> None:
    shop = run.shop
    held = [name for name, variables in run.to_judge.items() if variables and name not in run.documents]
    if held:
        stored = shop.tables.read_documents(run.shard.edition, held)
        run.documents.update((row["paper_id"], document_of(row)) for row in stored.iter_rows(named=True))
    _take_over(run)
    variables = {v.name: v for v in shop.judging.variables}
    asked = [
        (run.documents[name], [variables[v] for v in names]) for name, names in run.to_judge.items() if names
    ]
    run.saved_at = monotonic()
    try:
        judging = judge(shop.engine, asked, shop.run_id, lambda judged: _take(run, judged))
        asyncio.run(_in_time(run, judging))
    finally:
        # Whatever ends the run, what was judged is not to be asked again.
        run.save_judged()


async def _in_time(run: _ShardRun, judging: Coroutine[object, object, None]) -> None:
    try:
        await asyncio.wait_for(judging, run.left_s())
    except TimeoutError:
        run.left_s()
        raise


def _take(run: _ShardRun, judged: Judged) -> None:
    """Puts an outcome where it belongs; journals from time to time, since a model takes long over a shard."""
    run.report.use(judged.usage)
    if isinstance(judged.outcome, Verdict):
        run.verdicts.append(judged.outcome)
        run.count(Stage.JUDGE, judged.outcome.label)
    else:
        attempted = run.shop.judging.key(judged.document.text_sha256, judged.variable)
        run.fail(run.works[judged.document.paper_id], judged.outcome, attempted, judged.variable.name)
    if monotonic() - run.saved_at >= run.shop.journal_interval_s:
        run.save_judged()


def _take_over(run: _ShardRun) -> None:
    """Takes over what an earlier run judged with the same key and another run's verdict replaced since."""
    judging, tables = run.shop.judging, run.shop.tables
    variables = {v.name: v for v in judging.variables}
    wanted = {
        (name, judging.key(run.documents[name].text_sha256, variables[v])): v
        for name, names in run.to_judge.items()
        for v in names
    }
    papers = {name for name, _ in wanted}
    taken: dict[tuple[str, str], dict[str, object]] = {}
    for entry in tables.journal(run.shard.edition):
        if entry.table != "verdicts" or entry.run_id == run.shop.run_id or not papers:
            continue
        rows = tables.read_journal(entry).filter(pl.col("paper_id").is_in(papers))
        for row in rows.iter_rows(named=True):
            key = (str(row["paper_id"]), verdict_key(*(row[column] for column in VERDICT_KEY)))
            if key in wanted:
                taken[key] = {**row, "recorded_at": datetime.now(UTC)}
    for paper_id, judgement in taken:
        gone = wanted[paper_id, judgement]
        run.to_judge[paper_id] = tuple(v for v in run.to_judge[paper_id] if v != gone)
    run.save("verdicts", list(taken.values()), "t")
    if taken:
        run.count(Stage.JUDGE, "taken_over", len(taken))
