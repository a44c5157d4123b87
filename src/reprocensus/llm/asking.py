"""Asks a model all questions about a paper, beside each other, so that the paper is read once.

Papers wait for room in the KV cache, requests wait while the server is away, and a reply that is no answer is
asked for again as it was, a bounded number of times.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Final

from reprocensus.calibration import Calibrations
from reprocensus.engines import nothing
from reprocensus.errors import EngineAwayError, JudgeError
from reprocensus.excerpt import Excerpt, excerpt
from reprocensus.llm.budget import TokenBudget
from reprocensus.llm.chat import Backend, ChatReply, ChatRequest, Message
from reprocensus.llm.gate import Gate
from reprocensus.llm.meter import Meter
from reprocensus.llm.options import LlmOptions
from reprocensus.llm.replies import answer_of
from reprocensus.prompt import Quoting, answer_schema, paper_and_question, system
from reprocensus.records import Answer, Document, Extracted, Usage
from reprocensus.variables import TextWanted, Variable

#: How often one request may be under way when the server goes away: maybe it goes because of it.
_LOSSES: Final = 5
#: How often one request may be turned away as one too many.
_TURNS: Final = 100
#: How often a text is cut shorter until it fits.
_CUTS: Final = 8
#: Fewer characters a token than this no paper has; what fits even so is not counted.
_FEWEST: Final = 2.0
#: Of the room there is, so much is aimed at: the parts of a paper differ in characters a token.
_AIM: Final = 0.97
#: Tokens that an answer is reckoned with in the budget.
_ANSWER: Final = 100
_SMOOTHING: Final = 0.1
#: Failures that asking again at once would not mend.
_FINAL: Final = frozenset(
    (
        "too_long",
        "bad_request",
        "not_exact",
        "server_away",
        "server_error",
        "server_busy",
        "half_reply",
        "timeout",
    )
)


class Desk:
    """Asks one backend. Used in one event loop; `context` is the longest prompt and answer together."""

    def __init__(
        self,
        backend: Backend,
        options: LlmOptions,
        context: int,
        budget: TokenBudget,
        meter: Meter,
        words: Sequence[str] = (),
        calibrations: Calibrations | None = None,
    ) -> None:
        self.gate = Gate(backend.alive, options.wait_s)
        self.budget = budget
        self.meter = meter
        self._backend = backend
        self._options = options
        self._room = context - options.sampling.max_tokens
        self._words = words
        self._calibrations = calibrations or Calibrations()
        self._numbered = options.quoting is Quoting.NUMBERS
        self._system = Message("system", system(options.quoting))
        self._characters = 3.5
        self._salts = count()

    async def ask(
        self, document: Document, variables: Sequence[Variable], begun: Callable[[], None] = nothing
    ) -> Mapping[str, Answer | JudgeError]:
        """The outcome for each variable by name; those that read the same text are asked together.

        `begun` is called when all of its texts have room in the budget.

        Raises:
            EngineLostError, EngineStoppedError, EngineError: nobody can be asked any more.
        """
        groups: dict[tuple[object, ...], list[Variable]] = {}
        for variable in variables:
            groups.setdefault(variable.text.what, []).append(variable)
        waiting = set(groups)

        def entered(what: tuple[object, ...]) -> None:
            waiting.discard(what)
            if not waiting:
                begun()

        found = await asyncio.gather(
            *(self._group(document, group, partial(entered, what)) for what, group in groups.items())
        )
        return {name: outcome for outcomes in found for name, outcome in outcomes.items()}

    async def _group(
        self, document: Document, variables: Sequence[Variable], entered: Callable[[], None]
    ) -> dict[str, Answer | JudgeError]:
        wanted = variables[0].text
        shown = await self._shown(document.extracted, wanted, variables)
        found: dict[str, Answer | JudgeError] = {}
        left = list(variables)
        for cut in range(_CUTS):
            questions = [self._request(document, variable, shown) for variable in left]
            async with self.budget.room(self._reckoned(questions, shown)):
                entered()
                asked = zip(left, questions, strict=True)
                outcomes = await asyncio.gather(*(self._one(document, v, r, shown) for v, r in asked))
            found |= {v.name: outcome for v, outcome in zip(left, outcomes, strict=True)}
            left = [v for v in left if _too_long(found[v.name])]
            if not left:
                break
            # The server counts otherwise than was reckoned, cannot be asked to count, or has less context
            # than it tells.
            shown = self._cut(document.extracted, wanted, int(len(shown.text) * (0.5 if cut else 0.75)))
        return found

    async def _shown(self, paper: Extracted, wanted: TextWanted, variables: Sequence[Variable]) -> Excerpt:
        """The paper as shown: whole if it fits, else cut until it does. The same for the same paper each
        time.
        """
        shown = excerpt(paper, wanted, numbered=self._numbered)
        longest = max(variables, key=lambda v: len(paper_and_question("", v, self._options.quoting)))
        for _ in range(_CUTS):
            messages = self._messages(shown, longest)
            letters = sum(len(message.content) for message in messages)
            if letters <= _FEWEST * self._room:
                break
            tokens = await self._tokens(messages)
            if tokens <= self._room:
                break
            excess = (tokens - _AIM * self._room) / tokens * letters
            shown = self._cut(paper, wanted, max(0, int(len(shown.text) - excess)))
        return shown

    async def _tokens(self, messages: tuple[Message, ...]) -> float:
        await self.gate.wait()
        try:
            counted = await self._backend.count_tokens(messages)
        except EngineAwayError as error:
            self.gate.away(error)
            return await self._tokens(messages)
        if counted is not None:
            return counted
        return sum(len(message.content) for message in messages) / _FEWEST

    def _cut(self, paper: Extracted, wanted: TextWanted, limit: int) -> Excerpt:
        return excerpt(paper, wanted, self._words, numbered=self._numbered, limit=limit)

    def _messages(self, shown: Excerpt, variable: Variable) -> tuple[Message, ...]:
        asked = paper_and_question(shown.text, variable, self._options.quoting)
        return self._system, Message("user", asked)

    def _request(self, document: Document, variable: Variable, shown: Excerpt) -> ChatRequest:
        return ChatRequest(
            messages=self._messages(shown, variable),
            schema=answer_schema(variable, self._options.quoting),
            sampling=self._options.sampling,
            session=document.text_sha256[:16],
        )

    def _reckoned(self, requests: Sequence[ChatRequest], shown: Excerpt) -> int:
        """Tokens of KV cache that the requests need beside each other: the shared text once."""
        letters = sum(len(message.content) for request in requests for message in request.messages)
        alone = letters - (len(requests) - 1) * (len(shown.text) + len(self._system.content))
        return int(alone / self._characters) + len(requests) * _ANSWER

    async def _one(
        self, document: Document, variable: Variable, request: ChatRequest, shown: Excerpt
    ) -> Answer | JudgeError:
        spent = Usage()
        failed: JudgeError | None = None
        for _ in range(self._options.tries):
            try:
                reply, used = await self._reply(request)
                spent += used
                answer = answer_of(reply, variable, self._options.quoting, document, shown)
            except JudgeError as error:
                failed = error
                spent += error.spent
                if error.kind in _FINAL:
                    break
                continue
            confidence = self._calibrations.confidence(variable.name, answer.label_probability)
            return replace(answer, confidence=confidence, truncated=shown.cut, usage=spent)
        assert failed is not None
        failed.spent = spent
        return failed

    async def _reply(self, request: ChatRequest) -> tuple[ChatReply, Usage]:
        """The reply and what it used; waits while the server is away, and asks again when it is back."""
        losses = turns = 0
        spent = Usage()
        while True:
            await self.gate.wait()
            if self._options.exact:
                request = replace(request, salt=f"{request.session}-{next(self._salts)}")
            ticket = self.meter.begin()
            reply = None
            try:
                reply = await self._backend.complete(request)
            except EngineAwayError as error:
                self.gate.away(error)
                losses, turns = losses + (not error.busy), turns + error.busy
                if losses >= _LOSSES or turns >= _TURNS:
                    failed = JudgeError(error.kind, f"{error}, {losses + turns} times", transient=True)
                    failed.spent = spent
                    raise failed from error
            finally:
                spent += self.meter.end(ticket, reply)
            if reply is not None:
                return self._checked(request, reply), spent

    def _checked(self, request: ChatRequest, reply: ChatReply) -> ChatReply:
        if self._options.exact and reply.cached_tokens:
            raise JudgeError("not_exact", f"{reply.cached_tokens} tokens came from the prefix cache")
        if reply.prompt_tokens:
            letters = sum(len(message.content) for message in request.messages)
            self._characters += _SMOOTHING * (letters / reply.prompt_tokens - self._characters)
        return reply


def _too_long(outcome: Answer | JudgeError) -> bool:
    return isinstance(outcome, JudgeError) and outcome.kind == "too_long"
