"""Papers go from extraction to the engine as they are read, and no faster than it takes them."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
from typing_extensions import override

from conftest import make_pdf, write_manifest
from reprocensus.census import prepare, started, what_is_left, workshop
from reprocensus.engines import Engine, nothing
from reprocensus.errors import EngineLostError, EngineStoppedError, JudgeError
from reprocensus.outcome import ShardReport
from reprocensus.publish import publish
from reprocensus.records import UNKNOWN, Answer, Document
from reprocensus.request import RunRequest
from reprocensus.settings import load_settings
from reprocensus.shard import process_shard
from reprocensus.variables import Variable
from rows_of import judged_twice, rows_of

N = 10


class Scripted(Engine):
    """Stands for the fake engine in its name and model, and does with each paper what a test wants."""

    name = "fake"

    def __init__(self, model: str, on_paper: Callable[..., object], papers_waiting: int = 2) -> None:
        self.model = model
        self.papers_waiting = papers_waiting
        self.asked: list[str] = []
        self._on_paper = on_paper

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def __exit__(self, *_: object) -> None:
        return None

    @override
    async def ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None] = nothing
    ) -> Mapping[str, Answer | JudgeError]:
        self.asked.append(document.paper_id)
        waited = self._on_paper(len(self.asked), begun)
        if asyncio.iscoroutine(waited):
            await waited
        return {v.name: Answer(UNKNOWN) for v in variables}


class Run:
    """One shard of `N` papers in the folder's store, with one process that extracts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = "s"
        self.counts: Counter[str] = Counter()
        self.engine: Scripted | None = None

    def __call__(
        self, on_paper: Callable[..., object], papers_waiting: int = 2, **more: object
    ) -> ShardReport:
        def progress(stage: str, outcome: str, n: int) -> None:
            self.counts[stage if outcome != "failed" else "failed"] += n

        request = RunRequest.model_validate(
            {"sources": (self.source(),), "engine": "fake", "store": self.store, "workers": 1}
        )
        prepared = prepare(request, load_settings().model_copy(update=more))
        for edition in prepared.unpublished:
            publish(prepared.tables, edition)
        report = ShardReport()
        with started(prepared) as (run, _):
            made = (
                prepared.tables,
                prepared.judging,
                prepared.request,
                prepared.settings,
                run.run_id,
                progress,
            )
            with workshop(*made) as shop:
                self.engine = Scripted(prepared.judging.model, on_paper, papers_waiting)
                try:
                    for shard in prepared.plan.shards(250):
                        report.add(process_shard(shard, replace(shop, engine=self.engine)))
                finally:
                    for edition in prepared.editions:
                        publish(prepared.tables, edition)
        return report

    def source(self) -> str:
        if not (self.folder / "manifest.jsonl").exists():
            write_manifest(self.folder, [(f"TEST-2020/p{n}", make_pdf(text(n))) for n in range(N)])
        return "manifest:manifest.jsonl"


def text(n: int) -> str:
    return f"Study {n}\nAda Byron\nAbstract\nWe train model {n}.\n1 Introduction\nTurtles walk.\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture(autouse=True)
def _there(tmp_path: Path) -> object:
    with chdir(tmp_path):
        yield


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "it did not come to that within a minute"
        time.sleep(0.01)


def test_the_first_paper_is_asked_about_before_the_last_is_read(run: Run) -> None:
    read: list[int] = []
    report = run(lambda n, begun: read.append(run.counts["extract"]))
    assert read[0] <= 2
    assert report.counts["judge", UNKNOWN] == N * 9


def test_a_slow_engine_holds_extraction_back(run: Run) -> None:
    """Two papers wait for it; with each that it begins with, one more is read, and none else."""
    go = threading.Event()
    begins: list[Callable[[], None]] = []

    async def hang(begun: Callable[[], None]) -> None:
        begins.append(begun)
        while not go.is_set():
            await asyncio.sleep(0.01)

    def look() -> None:
        for already in (2, 3, 4):
            until(lambda already=already: len(begins) == already)  # type: ignore[misc]
            time.sleep(0.3)
            seen.append((run.counts["extract"], len(begins)))
            # Said twice, it still makes room for one.
            begins[already - 2]()
            begins[already - 2]()
        go.set()

    seen: list[tuple[int, int]] = []
    looking = threading.Thread(target=look)
    looking.start()
    report = run(lambda n, begun: hang(begun), papers_waiting=2)
    looking.join()
    assert seen == [(2, 2), (3, 3), (4, 4)]
    assert report.counts["judge", UNKNOWN] == N * 9


def test_the_order_in_which_papers_come_and_go_changes_nothing(run: Run) -> None:
    rng = random.Random(1)
    run(nothing_more)
    plain = rows_of("s", load_settings())
    run.store = "shuffled"
    run(lambda n, begun: asyncio.sleep(rng.random() / 10), papers_waiting=5)
    assert rows_of("shuffled", load_settings()) == plain
    assert len(plain["verdicts"]) == N * 9


def nothing_more(n: int, begun: Callable[[], None]) -> None:
    begun()


@pytest.mark.parametrize("interval", [0.0, 120.0])
def test_an_engine_that_is_lost_half_way_costs_nothing_that_was_judged(run: Run, interval: float) -> None:
    def lost(n: int, begun: Callable[[], None]) -> None:
        if n == 5:
            raise EngineLostError("gone")

    with pytest.raises(EngineLostError, match="gone"):
        run(lost, papers_waiting=1, journal_interval_s=interval)
    assert run.counts["judge"] == 4 * 9
    # No more was read than was about to be judged.
    assert 5 <= run.counts["extract"] <= 6
    first, before = run.engine, Counter(run.counts)
    report = run(nothing_more)
    assert report.counts["judge", UNKNOWN] == (N - 4) * 9
    assert first is not None and run.engine is not None
    assert not set(first.asked[:4]) & set(run.engine.asked)
    # What was read is not read again.
    assert run.counts["extract"] - before["extract"] == N - before["extract"]
    assert judged_twice("s", load_settings()) == 0
    assert not run(nothing_more).counts


def test_a_second_try_at_a_shard_finds_texts_that_are_in_the_journal_alone(run: Run) -> None:
    """As after a store that failed for a while: nothing was published between the two."""

    def lost(n: int, begun: Callable[[], None]) -> None:
        if n == 5:
            raise EngineLostError("gone")

    request = RunRequest.model_validate(
        {"sources": (run.source(),), "engine": "fake", "store": "s", "workers": 1}
    )
    prepared = prepare(request, load_settings())
    tables, judging, settings = prepared.tables, prepared.judging, prepared.settings
    with started(prepared) as (this, _):
        made = tables, judging, request, settings, this.run_id, lambda stage, outcome, n: None
        with workshop(*made) as shop:
            (shard,) = prepared.plan.shards(250)
            first, second = Scripted(judging.model, lost, 1), Scripted(judging.model, nothing_more)
            with pytest.raises(EngineLostError):
                process_shard(shard, replace(shop, engine=first))
            left = what_is_left(shard, this.run_id, tables, judging, request, settings)
            report = process_shard(left, replace(shop, engine=second))
        for edition in prepared.editions:
            publish(tables, edition)
    assert report.counts["judge", UNKNOWN] == (N - 4) * 9
    assert report.counts["extract", "done"] < N
    assert sorted({*first.asked[:4], *second.asked}) == sorted(f"TEST-2020/p{n}" for n in range(N))
    assert judged_twice("s", load_settings()) == 0


def test_a_run_that_is_stopped_ends_soon(run: Run) -> None:
    def stopped(n: int, begun: Callable[[], None]) -> None:
        raise EngineStoppedError

    with pytest.raises(EngineStoppedError):
        run(stopped, papers_waiting=1)
    assert run.counts["extract"] <= 2


def test_what_was_read_is_journaled_while_the_engine_hangs(run: Run) -> None:
    """A kill during a long wait for the engine costs no fetch and no extraction."""
    go = threading.Event()

    async def hang() -> None:
        while not go.is_set():
            await asyncio.sleep(0.01)

    def look() -> None:
        until(lambda: len(list(run.folder.rglob("*-documents.parquet"))) > 0)
        found.append(run.counts["judge"])
        go.set()

    found: list[int] = []
    looking = threading.Thread(target=look)
    looking.start()
    run(lambda n, begun: hang(), papers_waiting=3, journal_interval_s=1.0)
    looking.join()
    assert found == [0]
