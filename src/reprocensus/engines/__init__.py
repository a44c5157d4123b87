"""Engines: who answers the variables' questions about a paper. One module an engine, found by its name.

A module `engines/<name>.py` (dashes become underscores) has a function `create(settings) -> Engine`, and may
have `missing() -> str`: what is not installed here that it needs, and how to get it; empty if nothing.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, cast

from reprocensus.errors import EngineError, JudgeError
from reprocensus.prompt import DEFAULT_QUOTING, Quoting
from reprocensus.records import Answer, Document
from reprocensus.settings import Settings
from reprocensus.variables import Variable


@dataclass(frozen=True, slots=True)
class EngineDetails:
    """What a run keeps of its engine: on what it ran, how it was set up, and how its prefix cache did."""

    server: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    prefix_hit_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `ok` is None where it could not be told; `needed`: no run without it."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""
    needed: bool = True


def nothing() -> None:
    """Does nothing."""


class Engine(Protocol):
    """Answers questions about papers. Used as a context manager, from several threads at once."""

    #: Name in tables and on the command line.
    name: str
    #: How many papers may wait to be begun with, of each shard; no more are read until one is.
    papers_waiting: int
    #: Whether it judges by a variable's rules; else by its question alone (`Variable.sha_for`).
    reads_rules: bool = False
    #: How it is asked to quote; of no matter to an engine that is sent no text.
    quoting: Quoting = DEFAULT_QUOTING

    #: Model and version; a change means that papers are judged again.
    model: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None] = nothing
    ) -> Mapping[str, Answer | JudgeError]:
        """The answer, or why there is none, for each variable by name.

        A paper's questions come together because reading the paper is what costs. `begun` is called, from
        any thread, when the paper waits no longer and another may be read; an engine that never calls it
        has `papers_waiting` papers under way at most. Never raises for one paper's sake.

        Raises:
            EngineError, EngineLostError, EngineStoppedError: no paper can be asked about any more.
        """
        ...

    def stop(self) -> None:
        """Ends what is under way, because the run ends; `ask` raises from now on. From any thread."""
        return  # an empty body would make it abstract

    def look(self, *, thorough: bool) -> Sequence[Check]:
        """Whether it can judge, found out without starting a run; at some cost if `thorough`."""
        return ()

    def details(self) -> EngineDetails:
        """What a run keeps of it, as known by now."""
        return EngineDetails()


def engine_names() -> list[str]:
    """Names of the engines there are."""
    return sorted(info.name.replace("_", "-") for info in pkgutil.iter_modules(__path__))


def create_engine(name: str, settings: Settings) -> Engine:
    """The engine of that name, not yet started. Raises `EngineError` if there is none, or not here."""
    if missing := missing_for(name):
        raise EngineError(f"engine {name}: {missing}")
    return cast(Engine, _module(name).create(settings))


def missing_for(name: str) -> str:
    """What an engine needs that is not installed here, and how to get it; empty if nothing.

    Raises:
        EngineError: there is no engine of that name.
    """
    if name not in engine_names():
        raise EngineError(f"unknown engine {name!r}; known: {', '.join(engine_names())}")
    told = getattr(_module(name), "missing", None)
    return str(told()) if told else ""


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
