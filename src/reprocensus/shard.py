"""The way of a shard of papers through fetch, extract and judge. Each stage's rows are journaled as it ends.

Whatever a stage has journaled is not done again if the run is killed after it.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from reprocensus.engines import Engine
from reprocensus.errors import FetchError, PaperError
from reprocensus.extract.workers import ExtractPool
from reprocensus.fetch.fetcher import Fetched, Fetcher
from reprocensus.fetch.locations import stamp_of
from reprocensus.judge import Judged, judge
from reprocensus.keys import verdict_key
from reprocensus.outcome import Progress, ShardReport
from reprocensus.plan import Judging, Shard, Work, extract_attempt, fetch_attempt
from reprocensus.records import Document, Failure, Stage, Verdict
from reprocensus.rows import document_of, document_row, failure_row, new_document, paper_row, verdict_row
from reprocensus.state import VERDICT_KEY
from reprocensus.tables import Tables


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


class _ShardRun:
    """One shard on its way."""

    def __init__(self, shard: Shard, shop: Workshop) -> None:
        self.shard = shard
        self.shop = shop
        self.report = ShardReport()
        self.works = {work.paper.paper_id: work for work in shard.works}
        self.pdfs: dict[str, tuple[str, str | None]] = {}
        self.failures: list[Failure] = []
        self.documents: dict[str, Document] = {}
        self.to_judge: dict[str, tuple[str, ...]] = {}

    def count(self, stage: str, outcome: str, n: int = 1) -> None:
        self.report.counts[stage, outcome] += n
        self.shop.progress(stage, outcome, n)

    def fail(self, work: Work, error: PaperError, attempted: str, variable: str | None = None) -> None:
        tries = 1 + work.attempts.get(attempted, 0)
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
                attempts=tries,
            )
        )
        self.count(error.stage, "failed")

    def save(self, table: str, rows: list[dict[str, object]], part: str = "") -> None:
        self.shop.tables.append(table, self.shard.edition, self.shop.run_id, f"{self.shard.name}{part}", rows)

    def save_failures(self, part: str) -> None:
        self.save("failures", [failure_row(f) for f in self.failures], part)
        self.failures = []


def process_shard(shard: Shard, shop: Workshop) -> ShardReport:
    """Fetches, extracts and judges the shard's papers as far as each needs it.

    Raises only for the store's sake; a paper's failure is a row.
    """
    run = _ShardRun(shard, shop)
    for name, extracted in shop.extractors.extract_all(_pdfs(run)):
        work, sha256 = run.works[name], run.pdfs[name][0]
        if isinstance(extracted, PaperError):
            run.fail(work, extracted, extract_attempt(sha256, shop.judging.extractor_version))
        else:
            document = run.documents[name] = new_document(name, sha256, extracted)
            same = work.held is not None and work.held.text_sha256 == document.text_sha256
            run.to_judge[name] = work.held.missing if work.held and same else work.variables
            run.count(Stage.EXTRACT, "done")
    _save_papers(run)
    now = datetime.now(UTC)
    run.save("documents", [document_row(document, now) for document in run.documents.values()])
    run.save_failures("a")
    _judge(run)
    return run.report


def _pdfs(run: _ShardRun) -> Iterator[tuple[str, bytes]]:
    """The PDFs to extract; fetches those that must be, and leaves out those whose text is held already."""
    for work in run.shard.works:
        paper = work.paper
        if work.fetch:
            attempted = fetch_attempt(paper.location, stamp_of(paper.location))
            try:
                fetched = run.shop.fetcher.fetch(paper)
            except FetchError as error:
                run.fail(work, error, attempted)
                continue
            run.pdfs[paper.paper_id] = (fetched.sha256, fetched.stamp)
            run.count(Stage.FETCH, "done")
            if work.held and work.held.pdf_sha256 == fetched.sha256:
                run.to_judge[paper.paper_id] = work.held.missing
            else:
                yield paper.paper_id, fetched.data
        elif work.extract and work.pdf_sha256:
            data = run.shop.fetcher.stored(work.pdf_sha256)
            if data is None:
                data = _fetch_again(run, work)
            if data is not None:
                run.pdfs.setdefault(paper.paper_id, (work.pdf_sha256, stamp_of(paper.location)))
                yield paper.paper_id, data
        elif work.variables:
            run.to_judge[paper.paper_id] = work.variables


def _fetch_again(run: _ShardRun, work: Work) -> bytes | None:
    """The PDF of a paper whose object has gone from the store."""
    try:
        fetched: Fetched = run.shop.fetcher.fetch(work.paper)
    except FetchError as error:
        run.fail(work, error, fetch_attempt(work.paper.location, stamp_of(work.paper.location)))
        return None
    run.pdfs[work.paper.paper_id] = (fetched.sha256, fetched.stamp)
    run.count(Stage.FETCH, "done")
    return fetched.data


def _save_papers(run: _ShardRun) -> None:
    """Records every paper that is new, changed or has a new PDF."""
    now = datetime.now(UTC)
    rows = []
    for work in run.shard.works:
        paper = work.paper
        if not (work.record or paper.paper_id in run.pdfs):
            continue
        document = run.documents.get(paper.paper_id)
        sha256, stamp = run.pdfs.get(paper.paper_id, (work.pdf_sha256, stamp_of(paper.location)))
        read_off = document.extracted.title if document else ""
        title = paper.title or read_off or work.title or paper.paper_id
        rows.append(paper_row(paper, title, sha256, stamp if sha256 else None, now))
    run.save("papers", rows)


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
    verdicts: list[Verdict] = []
    asyncio.run(judge(shop.engine, asked, shop.run_id, lambda judged: _take(run, judged, verdicts)))
    now = datetime.now(UTC)
    run.save("verdicts", [verdict_row(v, now) for v in verdicts])
    run.save_failures("b")


def _take(run: _ShardRun, judged: Judged, verdicts: list[Verdict]) -> None:
    """Puts an outcome where it belongs."""
    if isinstance(judged.outcome, Verdict):
        verdict = judged.outcome
        verdicts.append(verdict)
        run.count(Stage.JUDGE, verdict.label)
        run.report.prompt_tokens += verdict.prompt_tokens
        run.report.cached_tokens += verdict.cached_tokens
        run.report.output_tokens += verdict.output_tokens
    else:
        attempted = run.shop.judging.key(judged.document.text_sha256, judged.variable)
        run.fail(run.works[judged.document.paper_id], judged.outcome, attempted, judged.variable.name)


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
