"""A model's reply as an answer, or as the failure that it is. Pure.

Nothing is repaired and nothing guessed: what is not the JSON object that was asked for is a failure of its
own kind, whatever can be made out in it. The server was given the schema too, but may not have obeyed.
"""

import json
from math import exp
from typing import Any, Final

from reprocensus.errors import JudgeError
from reprocensus.excerpt import Excerpt
from reprocensus.llm.chat import ChatReply, Token
from reprocensus.prompt import (
    MAX_NUMBER,
    MAX_QUOTE,
    MAX_QUOTES,
    MAX_RATIONALE,
    QUOTE,
    RATIONALE,
    Quoting,
)
from reprocensus.records import Answer, Claim, Document
from reprocensus.variables import Variable

#: Kinds of replies that are no answers. The same request may be sent again: servers are not quite repeatable.
KINDS: Final = ("length", "refusal", "empty_reply", "oversized_reply", "broken_json", "off_schema")
#: No answer that obeys the schema is longer, whitespace apart.
_MOST: Final = 4 * (MAX_QUOTES * (MAX_QUOTE + 4) + MAX_RATIONALE + 200)
_KEYS: Final = {"quotes", "rationale", "label"}
_SHOWN: Final = 120
#: So many tokens at the end, less one, may be none of the text.
_ENDINGS: Final = 3


def answer_of(
    reply: ChatReply, variable: Variable, quoting: Quoting, document: Document, shown: Excerpt
) -> Answer:
    """The answer in a reply; quotes given by number are the sentences that they name.

    A number that no sentence has is a claim that does not stand in the paper.

    Raises:
        JudgeError: the reply is no answer; one of `KINDS`.
    """
    found = _object(reply, variable, quoting)
    label = found["label"]
    if quoting is Quoting.NUMBERS:
        claims = tuple(_sentence(number, document, shown) for number in _distinct(found["quotes"]))
    else:
        claims = tuple(Claim(quote) for quote in _distinct(found["quotes"]))
    probability = label_probability(reply, variable.all_labels, label)
    return Answer(label, claims, found["rationale"].strip(), label_probability=probability)


def _object(reply: ChatReply, variable: Variable, quoting: Quoting) -> dict[str, Any]:
    if reply.refusal or reply.finish_reason == "content_filter":
        raise JudgeError("refusal", f"the model refused: {reply.refusal[:_SHOWN] or reply.finish_reason}")
    if reply.finish_reason == "length":
        raise _failed("length", "the answer was cut off at the limit of tokens", reply)
    if not reply.text.strip():
        raise JudgeError("empty_reply", "the model answered nothing")
    if len(reply.text) > _MOST:
        raise _failed("oversized_reply", f"the answer has {len(reply.text)} characters", reply)
    try:
        # Strict: raw control characters in strings are no JSON.
        found = json.loads(reply.text)
    except (ValueError, RecursionError) as error:
        raise _failed("broken_json", f"the answer is no JSON ({error})", reply) from error
    if not isinstance(found, dict) or found.keys() != _KEYS or not isinstance(found["quotes"], list):
        raise _failed("off_schema", "the answer is not the object that was asked for", reply)
    if found["label"] not in variable.all_labels:
        raise _failed("off_schema", f"the label is none of {variable.name}", reply)
    if not isinstance(found["rationale"], str) or not RATIONALE.fullmatch(found["rationale"]):
        raise _failed("off_schema", "the rationale is missing, too long or not plain text", reply)
    is_quote = _is_number if quoting is Quoting.NUMBERS else _is_text
    if len(found["quotes"]) > MAX_QUOTES or not all(map(is_quote, found["quotes"])):
        raise _failed("off_schema", "the quotes are too many, too long or none", reply)
    return found


def _is_number(quote: object) -> bool:
    return type(quote) is int and 1 <= quote <= MAX_NUMBER


def _is_text(quote: object) -> bool:
    return isinstance(quote, str) and QUOTE.fullmatch(quote) is not None


def _distinct(quotes: list[Any]) -> list[Any]:
    return list(dict.fromkeys(quotes))


def _sentence(number: int, document: Document, shown: Excerpt) -> Claim:
    if not 1 <= number <= len(shown.sentences):
        return Claim(f"#{number}")
    start, end = shown.sentences[number - 1]
    return Claim(document.text[start:end], start)


def _failed(kind: str, what: str, reply: ChatReply) -> JudgeError:
    return JudgeError(kind, f"{what}: {reply.text[:_SHOWN]!r}")


def label_probability(reply: ChatReply, labels: tuple[str, ...], label: str) -> float | None:
    """How likely the model held its label, from 0 to 1, among the labels; None without log probabilities.

    The label's tokens are walked. At each, the likeliest tokens that go on towards some label still possible
    share the probability, and the chosen one's shares are multiplied. What the grammar forbids is left out,
    since servers give probabilities from before the grammar.
    """
    place = reply.text.rfind(f'"{label}"') + 1
    tail = _tail(reply, place) if place else None
    if tail is None:
        return None
    probability, told = 1.0, ""
    for begin, token in tail:
        before = token.text[: max(0, place - begin)]
        share = _share(token, before, told, labels)
        if share is None:
            return None
        probability *= share
        told += token.text[len(before) :]
        if sum(_leads_to(told, each) for each in labels) == 1:
            break
    return probability


def _tail(reply: ChatReply, place: int) -> list[tuple[int, Token]] | None:
    """The tokens of the text from `place` on, each with where it begins. None where they do not fit the text.

    They are laid on from the end: at the end stand the label and perhaps a token that ends the answer and is
    not in its text, further in front letters that are spread over several tokens.
    """
    for unseen in range(min(_ENDINGS, len(reply.tokens))):
        at, found = len(reply.text), []
        for token in reversed(reply.tokens[: len(reply.tokens) - unseen]):
            if not token.text or not reply.text.endswith(token.text, 0, at):
                break
            at -= len(token.text)
            found.append((at, token))
            if at <= place:
                return found[::-1]
    return None


def _share(token: Token, before: str, told: str, labels: tuple[str, ...]) -> float | None:
    """The chosen token's share of what goes on from `told` towards a label.

    `before`: what of the token stands before the label.
    """
    likely = dict(token.likeliest) | {token.text: token.logprob}
    if len(likely) == 1:
        return None
    towards = {
        text: exp(min(logprob, 0.0))
        for text, logprob in likely.items()
        if text.startswith(before)
        and len(text) > len(before)
        and any(_leads_to(told + text[len(before) :], each) for each in labels)
    }
    whole = sum(towards.values())
    return towards.get(token.text, 0.0) / whole if whole else None


def _leads_to(told: str, label: str) -> bool:
    """Whether what is told so far can become the label, or is the label and what closes it."""
    closed = f'{label}"'
    return closed.startswith(told) or told.startswith(closed)
