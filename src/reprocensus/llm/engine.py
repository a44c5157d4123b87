"""An engine that asks a language model, whatever runs it. Has a thread with an event loop of its own.

All shards of a run share one budget, one watch over the server and one pool of connections, so all of it
lives in one loop.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from typing_extensions import override

from reprocensus.calibration import Calibrations
from reprocensus.engines import Check, Engine, EngineDetails, nothing
from reprocensus.errors import EngineAwayError, EngineError, EngineStoppedError, JudgeError
from reprocensus.excerpt import ranking_words
from reprocensus.llm.asking import Desk
from reprocensus.llm.budget import TokenBudget
from reprocensus.llm.chat import Backend, Counters, ServerFacts
from reprocensus.llm.check import check_backend
from reprocensus.llm.meter import Meter
from reprocensus.llm.options import LlmOptions
from reprocensus.records import Answer, Document
from reprocensus.schemas import load_variables
from reprocensus.variables import Variable

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
#: Tokens in flight where neither the settings nor the server say what its KV cache holds.
_KV_TOKENS: Final = 200_000
#: Of the KV cache, so much is used: answers grow, and what they come to is not known before.
_USED: Final = 0.9
_PAUSE_S: Final = 1.0


class LlmEngine(Engine):
    """Asks the model that `make_backend` gives access to. See `Engine`."""

    #: The budget of tokens says how many are in flight; these wait for room in it, so that none stays free.
    papers_waiting = 8

    def __init__(
        self,
        name: str,
        make_backend: Callable[[], Backend],
        options: LlmOptions,
        calibrations: Calibrations | None = None,
    ) -> None:
        self.name = name
        self.quoting = options.quoting
        self.options = options
        self._make_backend = make_backend
        self._calibrations = calibrations or Calibrations()
        self._words = ranking_words(v.text for v in load_variables())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._backend: Backend | None = None
        self._desk: Desk | None = None
        self._facts: ServerFacts | None = None
        self._before: Counters | None = None
        self._after: Counters | None = None
        self._checks: tuple[Check, ...] = ()
        self._asking: set[asyncio.Task[Any]] = set()
        self._stopped = False

    @cached_property
    def model(self) -> str:  # type: ignore[override]
        """Model, revision and a digest of what else decides. Asks the server what the settings do not say."""
        model, context = self.options.model, self.options.context
        if not (model and context):
            facts = self._facts or asyncio.run(self._look())
            model, context = model or facts.model, context or facts.context
        if not context:
            raise EngineError(
                f"{self.name}: the server does not tell its context; set REPROCENSUS_VLLM_CONTEXT"
            )
        return self.options.model_name(model, context, self._words)

    @override
    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"{self.name} engine", daemon=True
        )
        self._thread.start()
        try:
            self._run(self._open())
        except BaseException:
            self._close()
            raise
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @override
    async def ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None] = nothing
    ) -> Mapping[str, Answer | JudgeError]:
        """The answers to the variables; see `Engine.ask`."""
        if self._loop is None:
            raise RuntimeError(f"the engine {self.name} is used outside its context")
        asked = asyncio.run_coroutine_threadsafe(self._ask(document, variables, begun), self._loop)
        return await asyncio.wrap_future(asked)

    @override
    def stop(self) -> None:
        """See `Engine.stop`."""
        if self._loop and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stop)

    @override
    def look(self, *, thorough: bool) -> Sequence[Check]:
        """What is there, without waiting for it; with some tiny requests if `thorough`. See `Engine.look`."""
        return asyncio.run(self._look_over(thorough))

    @override
    def details(self) -> EngineDetails:
        """What a run keeps of it; see `Engine.details`."""
        if self._desk is None or self._facts is None:
            return EngineDetails()
        after = self._after or self._run(self._counters())
        facts, desk = self._facts, self._desk
        server = asdict(replace(facts, details=dict(facts.details))) | {
            "gpus": list(facts.gpus),
            "kv_tokens_in_flight": desk.budget.tokens,
            "kv_tokens_peak": desk.budget.peak,
            "requests": desk.meter.requests,
            "busy_seconds": round(desk.meter.busy_s, 3),
            "times_away": desk.gate.closed,
            "checks": {check.name: check.found for check in self._checks},
        }
        return EngineDetails(server, self._sampling(), hit_rate(self._before, after))

    def _sampling(self) -> dict[str, Any]:
        options = self.options
        return {
            **asdict(options.sampling),
            "quoting": options.quoting.value,
            "context": self._context(),
            "exact": options.exact,
            "extra": dict(options.extra),
            "tries": options.tries,
            "ranking_words": list(self._words),
            "calibration": self._calibrations.model_dump(mode="json")
            if self._calibrations.variables
            else None,
        }

    async def _look_over(self, thorough: bool) -> Sequence[Check]:
        backend = self._make_backend()
        try:
            await backend.start()
            facts = await backend.facts()
            there = Check("reachable", True, facts.software or "it answers")
            if not thorough:
                return [there, Check("model", True, facts.model)]
            checks = [check async for check in check_backend(backend, facts, self.options)]
            return [there, *checks, *self._calibrated(facts)]
        except (EngineAwayError, EngineError) as error:
            return [Check("reachable", False, str(error), "start it, or say where it is: docs/engines.md")]
        finally:
            await backend.close()

    async def _look(self) -> ServerFacts:
        backend = self._make_backend()
        try:
            return await self._started(backend)
        finally:
            await backend.close()

    async def _started(self, backend: Backend) -> ServerFacts:
        """What the backend is; waits a while if it is not there yet."""
        began, told = monotonic(), False
        while True:
            try:
                await backend.start()
                return await backend.facts()
            except EngineAwayError as error:
                if monotonic() - began >= self.options.start_wait_s:
                    raise EngineError(
                        f"{self.name}: {error}; is it running? REPROCENSUS_VLLM_URL says where it is, "
                        "`reprocensus engines --check` looks at it, `reprocensus estimate` needs none"
                    ) from error
                if not told:
                    _LOG.warning("%s; waiting for it, at most %.0f s", error, self.options.start_wait_s)
                told = True
                await asyncio.sleep(min(_PAUSE_S, self.options.start_wait_s))

    async def _open(self) -> None:
        backend = self._backend = self._make_backend()
        facts = self._facts = await self._started(backend)
        checks = [check async for check in check_backend(backend, facts, self.options)]
        self._checks = (*checks, *self._calibrated(facts))
        if failed := [check for check in self._checks if check.ok is False and check.needed]:
            raise EngineError(f"{self.name}: " + "; ".join(f"{c.found}: {c.advice}" for c in failed))
        for check in self._checks:
            if check.ok is False:
                _LOG.warning("%s: %s %s: %s", self.name, check.name, check.found, check.advice)
        held = self.options.kv_tokens or (facts.kv_tokens or 0) * self.options.replicas * _USED
        price = self.options.price_per_hour
        self._desk = Desk(
            backend,
            self.options,
            self._context(),
            TokenBudget(int(held) or _KV_TOKENS),
            Meter(None if price is None else price * self.options.gpus),
            self._words,
            self._calibrations,
        )
        self._before = await self._counters()

    def _calibrated(self, facts: ServerFacts) -> list[Check]:
        """Whether the confidences were fitted for this model. Nothing where none were."""
        fitted, its = self._calibrations.model, self.options.model or facts.model
        if not fitted:
            return []
        if self.options.revision:
            its = f"{its}@{self.options.revision}"
        # The name ends in a digest of what else decides; confidences are not that particular.
        same = fitted.rpartition(" ")[0] == its
        advice = "fit this model's with reprocensus audit --fit, or leave REPROCENSUS_CALIBRATION empty"
        return [
            Check("calibration", same, f"fitted for {fitted.rpartition(' ')[0]}, to judge with {its}", advice)
        ]

    def _context(self) -> int:
        served = self._facts.context if self._facts else None
        return self.options.context or served or 0

    async def _ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None]
    ) -> Mapping[str, Answer | JudgeError]:
        assert self._desk is not None
        task = asyncio.current_task()
        assert task is not None
        self._asking.add(task)
        try:
            return await self._desk.ask(document, variables, begun)
        except asyncio.CancelledError as error:
            if self._stopped:
                raise EngineStoppedError from error
            raise
        finally:
            self._asking.discard(task)

    def _stop(self) -> None:
        self._stopped = True
        if self._desk:
            self._desk.gate.end(EngineStoppedError())
        for task in self._asking:
            task.cancel()

    async def _counters(self) -> Counters | None:
        assert self._backend is not None
        try:
            return await self._backend.counters()
        except (EngineAwayError, EngineError):
            return None

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        """Runs it in the engine's loop, from another thread."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def _close(self) -> None:
        if self._loop is None or self._thread is None:
            return
        try:
            self._run(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    async def _end(self) -> None:
        self._stop()
        await asyncio.gather(*self._asking, return_exceptions=True)
        if self._backend:
            try:
                self._after = await self._counters() if self._facts else None
            finally:
                await self._backend.close()


def hit_rate(before: Counters | None, after: Counters | None) -> float | None:
    """Share of the tokens looked up in the prefix cache that it had, between two looks at the totals.

    None if there are none. A server that was restarted between the two counts from its start.
    """
    if after is None:
        return None
    base = before if before and before.prefix_queries <= after.prefix_queries else Counters(0, 0, 0, 0)
    queries = after.prefix_queries - base.prefix_queries
    return (after.prefix_hits - base.prefix_hits) / queries if queries else None
