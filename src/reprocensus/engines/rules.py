"""The rules engine: judges with the lexical patterns of the variables' own files. Needs no GPU.

Papers are judged in worker processes under a time limit, since patterns meet hostile text.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final, Self

from typing_extensions import override

from reprocensus.engines import Engine, nothing
from reprocensus.errors import EngineStoppedError, JudgeError
from reprocensus.lexical import judge_paper
from reprocensus.records import Answer, Document
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.variables import Variable
from reprocensus.workers import WorkerDiedError, WorkerPool

#: Raise it whenever the same patterns may give another verdict: when sentences or weighing change.
VERSION: Final = "4"
_PAPERS_PER_WORKER: Final = 500


class RulesEngine(Engine):
    """Judges papers by their variables' patterns in `workers` processes."""

    name = "rules"
    model = f"lexical-{VERSION}"
    reads_rules = True

    def __init__(self, workers: int, timeout_s: float) -> None:
        self.papers_waiting = 2 * workers
        self._workers = workers
        self._timeout_s = timeout_s
        self._exits = ExitStack()
        self._pool: WorkerPool | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._known: dict[str, Variable] = {}
        self._stopped = False

    def __enter__(self) -> Self:
        self._known = {v.name: v for v in load_variables()}
        self._threads = self._exits.enter_context(ThreadPoolExecutor(self._workers))
        self._pool = self._exits.enter_context(WorkerPool(self._workers, max_tasks=_PAPERS_PER_WORKER))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    async def ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None] = nothing
    ) -> Mapping[str, Answer | JudgeError]:
        """The answers to the variables; see `Engine.ask`."""
        if self._pool is None:
            raise RuntimeError("the rules engine is used outside its context")
        if self._stopped:
            raise EngineStoppedError
        needed = self._with_gates(variables)
        call = partial(self._pool.call, judge_paper, document, needed, timeout_s=self._timeout_s)
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError as error:
            kind = JudgeError("timeout", f"the rules took longer than {self._timeout_s:g} s", transient=True)
            raise kind from error
        except WorkerDiedError as error:
            raise JudgeError("crash", f"the rules failed twice: {error}", transient=True) from error
        return {v.name: answers[v.name] for v in variables}

    @override
    def stop(self) -> None:
        """See `Engine.stop`: what is in hand is finished, which takes no minute."""
        self._stopped = True

    def _with_gates(self, variables: Sequence[Variable]) -> list[Variable]:
        """The variables, and those that decide whether they apply."""
        needed = {v.name: v for v in variables}
        for variable in variables:
            gate = variable.needed_rules.gate
            if gate:
                needed.setdefault(gate.variable, self._known[gate.variable])
        return list(needed.values())


def create(settings: Settings) -> RulesEngine:
    """The engine as the settings want it."""
    return RulesEngine(settings.workers, settings.judge_timeout_s)
