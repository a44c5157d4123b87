"""Is what runs the model fit to judge? A few tiny requests tell; each answer says what to do."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

from reprocensus.engines import Check
from reprocensus.errors import JudgeError
from reprocensus.llm.chat import Backend, ChatReply, ChatRequest, Counters, Message, Sampling, ServerFacts
from reprocensus.llm.options import LlmOptions

#: A word that no model says unless it must.
_WORD: Final = "reprocensus-7f3a"
_OBEY: Final = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [_WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}
#: Long enough for some blocks of any prefix cache; short enough for any context.
_PREFIX: Final = "The turtle walks on, one step after the other, and the hare sleeps. "
_PREFIX_TIMES: Final = 24
#: Requests beside which one is asked to see whether they change its reply.
_CROWD: Final = 12
#: A paper's front matter, a question and an answer need that many tokens at the least.
_LEAST_CONTEXT: Final = 1024


async def check_backend(backend: Backend, facts: ServerFacts, options: LlmOptions) -> AsyncIterator[Check]:
    """Looks at model, context, structured outputs, log probabilities, prefix caching, exactness, in this
    order.

    Raises:
        EngineAwayError: it went away meanwhile.
        EngineError: it cannot be used at all.
    """
    yield _model(facts, options)
    yield _context(facts, options)
    try:
        reply = await backend.complete(_request(_OBEY, "Say hello.", options, max_tokens=48))
    except JudgeError as error:
        yield Check(
            "structured outputs", False, f"a request with a JSON schema failed ({error})", _STRUCTURED
        )
        return
    yield _structured(reply)
    yield _logprobs(reply, options)
    yield await _prefix_caching(backend, facts, options)
    if options.exact:
        yield await _invariant(backend, facts, options)


_STRUCTURED: Final = (
    "start the server with structured outputs, such as vLLM's "
    '--structured-outputs-config \'{"backend": "guidance"}\', without a reasoning parser'
)


def _model(facts: ServerFacts, options: LlmOptions) -> Check:
    if options.model and facts.model != options.model:
        served = facts.model or "none"
        return Check(
            "model",
            False,
            f"it serves {served}, not {options.model}",
            "name a served one by REPROCENSUS_VLLM_MODEL or --model",
        )
    return Check("model", True, facts.model)


def _context(facts: ServerFacts, options: LlmOptions) -> Check:
    context = options.context or facts.context
    if not context:
        return Check("context", False, "it does not tell its context", "set REPROCENSUS_VLLM_CONTEXT")
    if facts.context and context > facts.context:
        found = f"its context is {facts.context} tokens, not {context}"
        return Check("context", False, found, "lower REPROCENSUS_VLLM_CONTEXT or raise --max-model-len")
    if context - options.sampling.max_tokens < _LEAST_CONTEXT // 2:
        found = (
            f"a context of {context} tokens leaves no room beside answers of {options.sampling.max_tokens}"
        )
        return Check("context", False, found, "raise --max-model-len or lower REPROCENSUS_VLLM_MAX_TOKENS")
    return Check("context", True, f"{context} tokens")


def _structured(reply: ChatReply) -> Check:
    try:
        obeyed = json.loads(reply.text) == {"word": _WORD}
    except ValueError:
        obeyed = False
    if obeyed:
        return Check("structured outputs", True, "obeyed")
    return Check(
        "structured outputs", False, f"a JSON schema was not obeyed: {reply.text[:80]!r}", _STRUCTURED
    )


def _logprobs(reply: ChatReply, options: LlmOptions) -> Check:
    if not options.sampling.top_logprobs:
        return Check("log probabilities", None, "not asked for, so verdicts have no confidence", needed=False)
    if any(token.likeliest for token in reply.tokens):
        return Check("log probabilities", True, "given", needed=False)
    return Check(
        "log probabilities", False, "none are given", "verdicts will have no confidence", needed=False
    )


async def _prefix_caching(backend: Backend, facts: ServerFacts, options: LlmOptions) -> Check:
    """Asks twice about one text. Wanted on, so that a paper is read once; with exact, off."""
    before = await backend.counters()
    text = _PREFIX * _PREFIX_TIMES
    first = _request(_OBEY, f"{text}\nSay hello.", options, max_tokens=48)
    second = _request(_OBEY, f"{text}\nSay good bye.", options, max_tokens=48)
    if options.exact:
        first, second = replace(first, salt="check-1"), replace(second, salt="check-2")
    try:
        await backend.complete(first)
        reply = await backend.complete(second)
    except JudgeError as error:
        return Check("prefix caching", None, f"could not be told ({error})", needed=False)
    cached = reply.cached_tokens or _hits(before, await backend.counters())
    on = bool(cached) if cached is not None else facts.prefix_caching
    if options.exact:
        if on:
            advice = "start the server with --no-enable-prefix-caching for --exact"
            return Check("prefix caching", False, f"on: {cached} tokens came from it", advice)
        return Check("prefix caching", None if on is None else True, "off, as --exact wants")
    if on is None:
        advice = "start the server with --enable-prompt-tokens-details"
        return Check("prefix caching", None, "could not be told", advice, needed=False)
    if on:
        return Check("prefix caching", True, f"on: {cached or 'some'} tokens came from it", needed=False)
    advice = "papers will be read once a question: start the server with --enable-prefix-caching"
    return Check("prefix caching", False, "off", advice, needed=False)


def _hits(before: Counters | None, after: Counters | None) -> int | None:
    return None if before is None or after is None else after.prefix_hits - before.prefix_hits


async def _invariant(backend: Backend, facts: ServerFacts, options: LlmOptions) -> Check:
    """Asks the same alone and in a crowd: to the last digit of every log probability it must be the same."""
    advice = "start the server with VLLM_BATCH_INVARIANT=1"
    if facts.batch_invariant is False:
        return Check("batch invariance", False, "off", advice)
    sampling = replace(options.sampling, max_tokens=32, top_logprobs=1)
    prompts = [f"{_PREFIX * (1 + n % 5)}\nTell a story about turtle {n}." for n in range(_CROWD)]
    schema: dict[str, Any] = {"type": "string", "pattern": "^[a-z ]{24}$"}
    requests = [
        replace(_request(schema, p, options), sampling=sampling, salt=f"crowd-{p[-3:]}") for p in prompts
    ]
    try:
        alone = await backend.complete(requests[0])
        crowd: Sequence[ChatReply] = await asyncio.gather(*map(backend.complete, requests))
    except JudgeError as error:
        return Check("batch invariance", None, f"could not be told ({error})", advice)
    if (alone.text, alone.tokens) != (crowd[0].text, crowd[0].tokens):
        return Check("batch invariance", False, "a reply changed with what was asked beside it", advice)
    return Check("batch invariance", True, f"a reply was the same alone and beside {_CROWD - 1} others")


def _request(schema: Any, text: str, options: LlmOptions, max_tokens: int = 16) -> ChatRequest:
    sampling: Sampling = replace(options.sampling, max_tokens=max_tokens)
    return ChatRequest((Message("user", text),), schema, sampling, session="check")
