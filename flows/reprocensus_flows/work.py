"""Does a plan: publishes what a killed run left, works through the shards, publishes each edition.

What is done is read from the store when the run is planned, never from Prefect, whose broker drops states in
bursts. Called within a flow: what it hands out are that flow's task runs.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture, as_completed

from reprocensus.census import Prepared, started, workshop
from reprocensus.claims import Claims
from reprocensus.engines import EngineDetails
from reprocensus.errors import LimitReachedError
from reprocensus.outcome import Progress, RunOutcome, ShardReport
from reprocensus.runs import Run
from reprocensus.workshop import Workshop
from reprocensus_flows.elsewhere import Done, Order, together
from reprocensus_flows.limits import PrefectLimiter
from reprocensus_flows.records import Recorder
from reprocensus_flows.runners import Runner, dask, side_by_side, threads
from reprocensus_flows.tasks import Floor, distant_shard_task, floor, publish_task, shard_task, with_retries

_log = logging.getLogger(__name__)
_LOOK_UP_S = 2.0
#: With fewer papers tried than this, a share of them says nothing.
_FEW = 20
#: So many shards in a row that could not be finished mean that no other can be: the store or the engine.
_IN_A_ROW = 3
#: Problems that a run's row tells of; each is in the log.
_TOLD = 5


def do(prepared: Prepared, progress: Progress, recorder: Recorder, began: float | None = None) -> RunOutcome:
    """Brings the store up to date with the plan; the run's row says how that ended.

    `began`: when listing and planning began, as seconds since the epoch.

    Raises:
        LimitReachedError: too much failed, or it took too long; what was done stands and is published.
        ReprocensusError: the store or the engine cannot be used.
    """
    start = began or time.time()
    with started(prepared) as (run, claims):
        return _do(prepared, run, claims, progress, recorder, start)


def _do(
    prepared: Prepared, run: Run, claims: Claims, progress: Progress, recorder: Recorder, start: float
) -> RunOutcome:
    report = prepared.report()
    report.spans.append((start, time.time()))
    work: _Work | None = None
    try:
        with ExitStack() as stack:
            work = _Work(prepared, run, claims, progress, recorder, report, stack)
            problems = work.done()
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | TerminationSignal)
        _save(run, prepared, work, "interrupted" if stopped else "failed", report, [error])
        recorder.end(run, prepared, "interrupted" if stopped else "failed", report, start, error)
        raise
    problem = problems[0] if problems else None
    fine = "completed_with_failures" if report.failed else "completed"
    status = "failed" if problem else fine
    _save(run, prepared, work, status, report, problems)
    recorder.end(run, prepared, status, report, start, problem)
    if problem:
        raise problem
    return RunOutcome(run.run_id, status, report)


class _Work:
    """A plan being done."""

    def __init__(
        self,
        prepared: Prepared,
        run: Run,
        claims: Claims,
        progress: Progress,
        recorder: Recorder,
        report: ShardReport,
        stack: ExitStack,
    ) -> None:
        self.prepared = prepared
        self.run = run
        self.claims = claims
        self.progress = progress
        self.recorder = recorder
        self.report = report
        self.shards = {f"{s.edition} {s.name}": s for s in prepared.plan.shards(prepared.shard_size)}
        self.left = Counter(str(shard.edition) for shard in self.shards.values())
        self.failed: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.unfinished = 0
        self.began = time.monotonic()
        #: By process that worked on a shard elsewhere, what its engine told last.
        self.told: dict[str, EngineDetails] = {}
        settings = prepared.settings
        distant = settings.scale_out == "dask" and bool(self.shards)
        shop: Workshop | None = None if distant else stack.enter_context(self._workshop())
        self.shop = shop
        if shop:
            run.save(prepared.tables, "running", details=shop.engine.details())
        editions = {str(edition): edition for edition in prepared.editions}
        here = Floor(prepared, prepared.tables, shop, run.run_id, self.shards, editions, claims, self.left)
        token = floor.set(here)
        stack.callback(floor.reset, token)
        self.here: Runner = stack.enter_context(threads(prepared))
        self.there, self.at_once = (
            dask(settings, stack) if distant else (self.here, 2 * side_by_side(prepared))
        )
        self.publish = with_retries(publish_task, settings)
        self.process = with_retries(distant_shard_task if distant else shard_task, settings)

    def _workshop(self) -> AbstractContextManager[Workshop]:
        prepared = self.prepared
        limiter = PrefectLimiter(prepared.settings.fetch_deadline_s) if prepared.plan.hosts else None
        return workshop(
            prepared.tables,
            prepared.judging,
            prepared.request,
            prepared.settings,
            self.run.run_id,
            self.progress,
            limiter,
        )

    def done(self) -> list[Exception]:
        """Does it; returns what kept a shard or an edition from being finished. The others are finished."""
        try:
            return self._in_order()
        except BaseException:
            # The runner waits for its tasks, and a slow host or engine might keep them for hours.
            if self.shop:
                self.shop.fetcher.stop()
                self.shop.engine.stop()
            raise

    def _in_order(self) -> list[Exception]:
        # What a killed run left must stand in the tables before a shard looks for its papers' texts there.
        # An edition that another run has is published by that.
        unpublished = [e for e in self.prepared.unpublished if not self.claims.take(e, self.shards)]
        problems = self._finish([self._publish(str(e)) for e in unpublished], self._published)
        waiting = deque(self.shards)
        out: dict[PrefectFuture[Any], str] = {}
        idle_since = time.monotonic()
        publishing: list[PrefectFuture[Any]] = []
        stop: LimitReachedError | None = None
        touched: set[str] = set()
        while True:
            # A few at a time: what is submitted runs in that order, and an edition is to be published when
            # its last shard is done, not when all shards are.
            while not stop and len(out) < self.at_once and (free := self._free(waiting)):
                out[self._hand_out(free)] = free
            if not out:
                patience = self.prepared.settings.edition_wait_s
                if stop or not waiting or time.monotonic() - idle_since > patience:
                    break
                time.sleep(_LOOK_UP_S)
                continue
            done = _next_done(list(out))
            idle_since = time.monotonic()
            name = out.pop(done)
            edition = str(self.shards[name].edition)
            touched.add(edition)
            met = self._finish([done], lambda report, name=name: self._take(name, report))  # type: ignore[misc]
            self.unfinished = self.unfinished + 1 if met else 0
            problems += met
            self.left[edition] -= 1
            if not self.left[edition]:
                touched.discard(edition)
                publishing.append(self._publish(edition))
            stop = stop or self._limit(edition)
        if waiting and not stop:
            self._leave(waiting)
        if stop:
            # What was done before the limit was reached is worth reading.
            publishing += [self._publish(edition) for edition in sorted(touched)]
            problems.append(stop)
        return problems + self._finish(publishing, self._published)

    def _free(self, waiting: deque[str]) -> str | None:
        """The next shard whose edition no other run has; None if there is none now."""
        for _ in range(len(waiting)):
            name = waiting.popleft()
            if not self.claims.take(self.shards[name].edition, self.shards):
                return name
            waiting.append(name)
        return None

    def _leave(self, waiting: Iterable[str]) -> None:
        """Leaves editions to the runs that have them: what these do not do is done by the next."""
        for name in waiting:
            shard = self.shards[name]
            by = self.claims.held_by(shard.edition)
            self.report.counts["wait", "left"] += len(shard.works)
            _log.warning(
                "%s: %d papers left: run %s on %s works on that edition",
                shard.edition,
                len(shard.works),
                by.run_id if by else "another",
                by.host if by else "another machine",
            )

    def _hand_out(self, name: str) -> PrefectFuture[Any]:
        parameters: dict[str, Any] = {"name": name}
        if self.shop is None:
            prepared = self.prepared
            fetches = bool(prepared.plan.hosts)
            order = Order(prepared.request, prepared.judging, self.run.run_id, self.shards[name], fetches)
            parameters["order"] = order.packed()
        future: PrefectFuture[Any] = self.there.submit(self.process, parameters)
        return future

    def _publish(self, edition: str) -> PrefectFuture[Any]:
        future: PrefectFuture[Any] = self.here.submit(self.publish, {"name": edition})
        return future

    def details(self) -> EngineDetails:
        """What the engine, or those of other processes together, can say by now."""
        if self.shop:
            return self.shop.engine.details()
        return together(self.told.values()) if self.told else EngineDetails()

    def _take(self, name: str, done: ShardReport | Done) -> None:
        edition = str(self.shards[name].edition)
        if isinstance(done, Done):
            self.told.pop(done.by, None)
            self.told[done.by] = done.details
        report = done.report if isinstance(done, Done) else done
        self.tried[edition] += len(self.shards[name].works)
        self.failed[edition] += len(report.failed_papers)
        self.report.add(report)
        if self.shop is None:
            for (stage, outcome), n in report.counts.items():
                self.progress(stage, outcome, n)
        self.recorder.progress(1 - self.left.total() / max(1, len(self.shards)))

    def _published(self, report: ShardReport) -> None:
        self.report.add(report)
        self.progress("publish", "done", 1)

    def _limit(self, edition: str) -> LimitReachedError | None:
        """The limit of the run that is reached by now."""
        if self.unfinished >= _IN_A_ROW and self.left.total():
            return LimitReachedError(
                f"the last {self.unfinished} shards could not be finished, so {self.left.total()} more were "
                "not tried"
            )
        share, hours = self.prepared.request.max_failed_share, self.prepared.request.max_hours
        failed, tried = self.failed[edition], self.tried[edition]
        if share is not None and tried >= _FEW and failed > share * tried:
            return LimitReachedError(
                f"{edition}: {failed} of {tried} papers failed, more than the share of {share:g} that "
                f"max_failed_share allows; see reprocensus failures --run {self.run.run_id}, mend what is "
                "wrong and start the run again"
            )
        if hours is not None and self.left.total() and time.monotonic() - self.began > hours * 3600:
            return LimitReachedError(
                f"stopped after the {hours:g} hours of max_hours with {self.left.total()} shards left; the "
                "next run goes on there"
            )
        return None

    def _finish(self, futures: list[PrefectFuture[Any]], take: Callable[[Any], None]) -> list[Exception]:
        """Waits for tasks and takes their results; returns the exceptions of those that failed."""
        problems: list[Exception] = []
        for future in futures:
            try:
                take(future.result())
            except Exception as error:
                _log.error("%s: %s", type(error).__name__, error, extra={"run_id": self.run.run_id})
                problems.append(error)
        return problems


def _next_done(futures: list[PrefectFuture[Any]]) -> PrefectFuture[Any]:
    """The next that is done. Looks up now and then: not every kernel wakes this thread for a signal."""
    while True:
        try:
            return next(iter(as_completed(futures, timeout=_LOOK_UP_S)))
        except TimeoutError:
            continue


def _save(
    run: Run,
    prepared: Prepared,
    work: _Work | None,
    status: str,
    report: ShardReport,
    errors: Sequence[BaseException],
) -> None:
    told = dict.fromkeys(f"{type(error).__name__}: {error}".removesuffix(": ") for error in errors)
    message = "; ".join(list(told)[:_TOLD]) or None
    run.save(prepared.tables, status, report, message, work.details() if work else None)
