"""Turns an engine's answers into verdicts: checks labels, verifies quotes, keeps failures apart."""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime

from reprocensus.engines import Engine
from reprocensus.errors import EngineError, EngineLostError, EngineStoppedError, JudgeError
from reprocensus.evidence import Evidence
from reprocensus.prompt import prompt_sha
from reprocensus.records import COMMON_LABELS, UNKNOWN, Answer, Document, Usage, Verdict
from reprocensus.variables import Variable


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one variable of one paper."""

    document: Document
    variable: Variable
    outcome: Verdict | JudgeError

    @property
    def usage(self) -> Usage:
        """What it used, whatever came of it."""
        outcome = self.outcome
        if isinstance(outcome, JudgeError):
            return outcome.spent
        return Usage(
            outcome.prompt_tokens, outcome.cached_tokens, outcome.output_tokens, outcome.seconds, outcome.cost
        )


async def judge(
    engine: Engine,
    asked: Iterable[tuple[Document, Sequence[Variable]]],
    run_id: str,
    take: Callable[[Judged], None],
) -> None:
    """Judges each document on its variables, some papers side by side, and hands over what comes of each.

    `asked` is read in a thread of its own, while papers are judged, and no further than the engine has room:
    whatever makes the documents stands still while the engine does. `take` is called in the caller's thread.
    Never raises for a paper's sake; raises what reading raises.
    """
    loop, context, documents = asyncio.get_running_loop(), copy_context(), iter(asked)
    slots = asyncio.Semaphore(engine.papers_waiting)

    def read() -> tuple[Document, Sequence[Variable]] | None:
        return next(documents, None)

    async def one(document: Document, variables: Sequence[Variable]) -> None:
        slot = _Slot(slots, loop)
        try:
            answers = await _ask(engine, document, variables, slot.free)
        finally:
            slot.free()
        evidence = Evidence(document)
        for variable in variables:
            outcome = _outcome(engine, evidence, variable, answers.get(variable.name), run_id)
            take(Judged(document, variable, outcome))

    reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
    try:
        async with asyncio.TaskGroup() as papers:
            while True:
                await slots.acquire()
                following = await loop.run_in_executor(reader, context.run, read)
                if following is None:
                    break
                papers.create_task(one(*following))
    except BaseExceptionGroup as errors:
        # Who cannot be asked any more fails every paper under way alike.
        raise errors.exceptions[0] from None
    finally:
        reader.shutdown()
        if isinstance(documents, Generator):
            documents.close()


class _Slot:
    """A paper's place among those that the engine has not begun with. Given back once, from any thread."""

    def __init__(self, slots: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        self._slots = slots
        self._loop = loop
        self._held = True

    def free(self) -> None:
        # Whoever stops the run closes the loop, maybe while the engine begins with a paper.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()


async def _ask(
    engine: Engine, document: Document, variables: Sequence[Variable], begun: Callable[[], None]
) -> Mapping[str, Answer | JudgeError]:
    try:
        return await engine.ask(document, variables, begun)
    except (EngineError, EngineLostError, EngineStoppedError):
        # No fault of this paper's: nobody can be asked any more.
        raise
    except JudgeError as error:
        return dict.fromkeys((v.name for v in variables), error)
    except Exception as error:
        # An engine's fault over one paper must not take the shard with it.
        fault = JudgeError("engine_fault", f"{engine.name}: {type(error).__name__}: {error}", transient=True)
        return dict.fromkeys((v.name for v in variables), fault)


def _outcome(
    engine: Engine, evidence: Evidence, variable: Variable, answer: Answer | JudgeError | None, run_id: str
) -> Verdict | JudgeError:
    if answer is None:
        return JudgeError("no_answer", f"{engine.name} gave no answer", transient=True)
    if isinstance(answer, JudgeError):
        return answer
    if answer.label not in variable.all_labels:
        return JudgeError(
            "bad_label", f"{engine.name} answered {answer.label!r}, not a label of {variable.name}"
        )
    return to_verdict(engine, evidence, variable, answer, run_id)


def to_verdict(
    engine: Engine, evidence: Evidence, variable: Variable, answer: Answer, run_id: str
) -> Verdict:
    """The verdict that an answer earns, by the text that `evidence` holds.

    A label that rests on quotes, none of which stands in the paper, becomes `unknown` and needs review: this
    holds for every label but No and those common to all variables, which may rest on nothing being found.
    """
    document = evidence.document
    quotes, missing = evidence.verify(answer)
    label, rationale, review = answer.label, answer.rationale, missing > 0
    confidence = answer.confidence
    if not quotes and label not in ("No", *COMMON_LABELS) and (missing or variable.labels == ("Yes", "No")):
        rationale = f"{engine.name} said {label}, but no quote of it stands in the paper. {rationale}".strip()
        # What it was sure of is not what the verdict says.
        label, review, confidence = UNKNOWN, True, None
    return Verdict(
        paper_id=document.paper_id,
        variable=variable.name,
        label=label,
        quotes=quotes,
        rationale=rationale,
        confidence=confidence,
        needs_review=review,
        variable_sha=variable.sha_for(reads_rules=engine.reads_rules),
        prompt_sha=prompt_sha(variable, engine.quoting),
        text_sha256=document.text_sha256,
        engine=engine.name,
        model=engine.model,
        run_id=run_id,
        judged_at=datetime.now(UTC),
        prompt_tokens=answer.usage.prompt_tokens,
        cached_tokens=answer.usage.cached_tokens,
        output_tokens=answer.usage.output_tokens,
        seconds=answer.usage.seconds,
        cost=answer.usage.cost,
        truncated=answer.truncated,
        label_probability=answer.label_probability,
    )
