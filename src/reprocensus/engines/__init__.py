"""Engines: who answers the variables' questions about a paper. One module an engine, found by its name.

A module `engines/<name>.py` (dashes become underscores) has a function `create(settings) -> Engine`.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, cast

from reprocensus.errors import EngineError, JudgeError
from reprocensus.records import Answer, Document
from reprocensus.settings import Settings
from reprocensus.variables import Variable


class Engine(Protocol):
    """Answers questions about papers. Used as a context manager, from several threads at once."""

    #: Name in tables and on the command line.
    name: str
    #: Model and version; a change means that papers are judged again.
    model: str
    #: How many papers may be asked about side by side.
    papers_in_flight: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def ask(
        self, document: Document, variables: Sequence[Variable]
    ) -> Mapping[str, Answer | JudgeError]:
        """The answer, or why there is none, for each variable by name.

        A paper's questions come together because reading the paper is what costs. Never raises for
        one paper's sake.
        """
        ...


def engine_names() -> list[str]:
    """Names of the engines there are."""
    return sorted(info.name.replace("_", "-") for info in pkgutil.iter_modules(__path__))


def create_engine(name: str, settings: Settings) -> Engine:
    """The engine of that name, not yet started. Raises `EngineError` if there is none."""
    if name not in engine_names():
        raise EngineError(f"unknown engine {name!r}; known: {', '.join(engine_names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast(Engine, module.create(settings))
