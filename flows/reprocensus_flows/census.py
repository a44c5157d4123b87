"""The flow of a run: publish what a killed run left, work through the shards, publish each edition.

A task run is a shard or an edition's publication, never a paper. What is done is read from the store when
the run is planned, never from Prefect, whose broker drops states in bursts.
"""

from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from reprocensus.census import Prepared, prepare, running
from reprocensus.outcome import Progress, RunOutcome, ShardReport
from reprocensus.plan import Shard
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.request import RunRequest
from reprocensus.runs import Run
from reprocensus.settings import load_settings
from reprocensus.shard import Workshop, process_shard
from reprocensus_flows.limits import PrefectLimiter

_LOOK_UP_S = 2.0
#: What the command line has prepared already, and whom to tell of progress.
session: ContextVar[tuple[Prepared, Progress] | None] = ContextVar("session", default=None)


@dataclass(frozen=True, slots=True)
class _Floor:
    """What tasks need and Prefect must not look into: it walks and hashes whatever a task is passed."""

    shop: Workshop
    shards: dict[str, Shard]
    editions: dict[str, Edition]


_floor: ContextVar[_Floor] = ContextVar("floor")


@task(task_run_name="shard {name}", cache_policy=NO_CACHE, persist_result=False)
def shard_task(name: str) -> ShardReport:
    """Fetches, extracts and judges one shard."""
    floor = _floor.get()
    return process_shard(floor.shards[name], floor.shop)


@task(task_run_name="publish {name}", cache_policy=NO_CACHE, persist_result=False)
def publish_task(name: str) -> None:
    """Publishes one edition's tables and statistics."""
    floor = _floor.get()
    publish(floor.shop.tables, floor.editions[name])
    floor.shop.progress("publish", "done", 1)


@flow(name="census", persist_result=False, validate_parameters=True)
def census(request: RunRequest) -> RunOutcome:
    """Brings a store up to date with the request's sources.

    Raises:
        ReprocensusError: the request is wrong, or the store cannot be used.
    """
    given = session.get()
    prepared, progress = given if given else (prepare(request, load_settings()), _silent)
    limiter = PrefectLimiter(prepared.settings.fetch_deadline_s) if prepared.plan.hosts else None
    with running(prepared, progress, limiter) as (run, shop):
        report = prepared.report()
        try:
            problems = _work(prepared, shop, report)
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt | TerminationSignal)
            _save(run, shop, "interrupted" if stopped else "failed", report, error)
            raise
        if problems:
            _save(run, shop, "failed", report, problems[0])
            raise problems[0]
        status = "completed_with_failures" if report.failed else "completed"
        _save(run, shop, status, report, None)
        return RunOutcome(run.run_id, status, report)


def _work(prepared: Prepared, shop: Workshop, report: ShardReport) -> list[Exception]:
    """Does the plan; returns what kept a shard or an edition from being finished. The others are finished."""
    shards = {f"{s.edition} {s.name}": s for s in prepared.plan.shards(prepared.shard_size)}
    editions = {str(edition): edition for edition in prepared.editions}
    token = _floor.set(_Floor(shop, shards, editions))
    runner = ThreadPoolTaskRunner[Any](max_workers=_side_by_side(prepared))
    try:
        with runner:
            try:
                return _in_order(prepared, runner, shards, report)
            except BaseException:
                # The runner waits for its tasks, and a slow host or engine might keep them for hours.
                shop.fetcher.stop()
                shop.engine.stop()
                raise
    finally:
        _floor.reset(token)


def _side_by_side(prepared: Prepared) -> int:
    """Shards side by side: more than set where several hosts are fetched from, which is mostly waiting."""
    return max(
        prepared.settings.shards_at_once, min(len(prepared.plan.hosts), prepared.settings.hosts_at_once)
    )


def _in_order(
    prepared: Prepared, runner: ThreadPoolTaskRunner[Any], shards: dict[str, Shard], report: ShardReport
) -> list[Exception]:
    # What a killed run left must stand in the tables before a shard looks for its papers' texts there.
    problems = _finish([_submit(runner, publish_task, str(e)) for e in prepared.unpublished], lambda _: None)
    left = Counter(str(shard.edition) for shard in shards.values())
    waiting = iter(shards)
    # A few at a time: what is submitted runs in that order, and an edition is to be published when its last
    # shard is done, not when all shards are.
    shards_out = {
        _submit(runner, shard_task, name): name for name in islice(waiting, 2 * _side_by_side(prepared))
    }
    publishing: list[PrefectFuture[Any]] = []
    while shards_out:
        done = _next_done(list(shards_out))
        edition = str(shards[shards_out.pop(done)].edition)
        problems += _finish([done], report.add)
        left[edition] -= 1
        if not left[edition]:
            publishing.append(_submit(runner, publish_task, edition))
        shards_out.update({_submit(runner, shard_task, name): name for name in islice(waiting, 1)})
    return problems + _finish(publishing, lambda _: None)


def _next_done(futures: list[PrefectFuture[Any]]) -> PrefectFuture[Any]:
    """The next that is done. Looks up now and then: not every kernel wakes this thread for a signal."""
    while True:
        try:
            return next(iter(as_completed(futures, timeout=_LOOK_UP_S)))
        except TimeoutError:
            continue


def _submit(runner: ThreadPoolTaskRunner[Any], what: Any, name: str) -> PrefectFuture[Any]:
    return runner.submit(what, {"name": name})


def _finish(futures: list[PrefectFuture[Any]], take: Callable[[Any], None]) -> list[Exception]:
    """Waits for tasks and takes their results; returns the exceptions of those that failed."""
    problems: list[Exception] = []
    for future in futures:
        try:
            take(future.result())
        except Exception as error:
            problems.append(error)
    return problems


def _save(run: Run, shop: Workshop, status: str, report: ShardReport, error: BaseException | None) -> None:
    message = f"{type(error).__name__}: {error}".removesuffix(": ") if error else None
    run.save(shop.tables, status, report, message, shop.engine.details())


def _silent(stage: str, outcome: str, n: int) -> None:
    """Progress that nobody watches."""
