"""An engine that answers as it is told, for tests and for trying the pipeline without judging anything.

`REPROCENSUS_FAKE_ANSWERS` names a JSON file: {variable: {"label": …, "quote": …} or {"error": kind}}.
A variable that it does not name is `unknown`. A quote of "@first" is the paper's own first words.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reprocensus.engines import Check, Engine, nothing
from reprocensus.errors import EngineError, JudgeError
from reprocensus.keys import digest
from reprocensus.records import UNKNOWN, Answer, Claim, Document
from reprocensus.settings import Settings
from reprocensus.variables import Variable


class FakeEngine(Engine):
    """Gives the same scripted answers for every paper."""

    name = "fake"
    papers_waiting = 64

    def __init__(self, script: Mapping[str, Mapping[str, Any]]) -> None:
        self._script = script
        self.model = f"script-{digest(json.dumps(script, sort_keys=True))[:8]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def look(self, *, thorough: bool) -> Sequence[Check]:
        """See `Engine.look`."""
        return (Check("for tests", None, "it reads no paper, and says what a script says"),)

    async def ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None] = nothing
    ) -> Mapping[str, Answer | JudgeError]:
        """The scripted answers; see `Engine.ask`."""
        return {v.name: self._answer(document, v.name) for v in variables}

    def _answer(self, document: Document, variable: str) -> Answer | JudgeError:
        told = self._script.get(variable, {})
        if "error" in told:
            return JudgeError(told["error"], "scripted failure", transient=bool(told.get("transient")))
        quote = document.text[:40].strip() if told.get("quote") == "@first" else told.get("quote")
        claims = (Claim(quote),) if quote else ()
        return Answer(told.get("label", UNKNOWN), claims, "scripted")


def create(settings: Settings) -> FakeEngine:
    """The engine with the script that the environment names. Raises `EngineError` if it cannot be read."""
    path = os.environ.get("REPROCENSUS_FAKE_ANSWERS")
    if not path:
        return FakeEngine({})
    try:
        return FakeEngine(json.loads(Path(path).read_text("utf-8")))
    except (OSError, json.JSONDecodeError) as error:
        raise EngineError(f"REPROCENSUS_FAKE_ANSWERS={path}: {error}") from error
