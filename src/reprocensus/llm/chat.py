"""What passes between an engine and whatever runs its model: a request in, a reply or a typed failure out.

A `Backend` is a server (`engines/vllm.py`) or a model in this process (`engines/vllm_offline.py`). It knows
nothing of papers and variables. `LlmEngine` (`llm/engine.py`) knows nothing of HTTP and GPUs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user"]
    content: str


#: The conversation whose tokens tell one tokenizer and chat template from another.
FIXED: Final = (Message("system", "Fixed."), Message("user", "A turtle <b>walks</b>."))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model's tokens are chosen: greedy and seeded unless somebody says otherwise.

    `top_logprobs`: for every token answered, so many likeliest ones come with their log probabilities; the
    label's confidence is made of them. 0: none.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    top_logprobs: int = 5


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question about one paper.

    `schema`: JSON schema that the answer must obey. `session`: the same for all requests that share a
    paper's text, which a router sends to one replica by. `salt`: makes the prefix cache of others unusable;
    empty: no.
    """

    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    sampling: Sampling
    session: str
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One token answered: its text, its log probability, and the likeliest ones at its place with theirs."""

    text: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What came back, whole. `finish_reason` as OpenAI has it: `stop`, `length`, `content_filter`, ...

    `cached_tokens`: of the prompt's, those that the prefix cache had; None where the backend does not say.
    `refusal`: what the model says instead of an answer, where its API tells the two apart.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    tokens: tuple[Token, ...] = ()
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What runs the model, as far as it can be known; None or empty: not known.

    `context`: longest prompt and answer together, in tokens. `kv_tokens`: tokens that its KV caches hold.
    `template_sha`: digest of the tokens that a fixed conversation becomes, so of tokenizer and chat template
    together. `batch_invariant`: a reply does not depend on what else is computed beside it. `details`:
    whatever else is worth keeping with the run, as JSON values.
    """

    model: str
    revision: str = ""
    context: int | None = None
    kv_tokens: int | None = None
    software: str = ""
    quantisation: str = ""
    dtype: str = ""
    gpus: tuple[str, ...] = ()
    prefix_caching: bool | None = None
    batch_invariant: bool | None = None
    template_sha: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the model was started, over everybody who uses it, in tokens.

    `prefix_queries` were looked up in the prefix cache, `prefix_hits` found there.
    """

    prompt_tokens: int
    output_tokens: int
    prefix_queries: int
    prefix_hits: int


class Backend(Protocol):
    """Runs a model. Everything is called in one event loop: `start` first, `close` last.

    Failures are `JudgeError` where the request itself cannot be answered (its kinds are in `docs/engines.md`;
    `too_long` where the prompt exceeds the context), `EngineAwayError` where there is nobody to ask just now,
    and `EngineError` where nobody can be asked until a person changes something (a wrong key, no such model).
    """

    async def start(self) -> None:
        """Gets ready; loads the model, if that is its own. Raises `EngineAwayError` or `EngineError`."""
        ...

    async def close(self) -> None:
        """Gives everything back. Called once, whether or not `start` came through."""
        ...

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply to one request. Many are under way at a time."""
        ...

    async def count_tokens(self, messages: tuple[Message, ...]) -> int | None:
        """Tokens of the prompt that the messages become; None where that cannot be told."""
        ...

    async def alive(self) -> None:
        """Returns if requests would be answered; asked while it is waited for. Raises `EngineAwayError`."""
        ...

    async def facts(self) -> ServerFacts:
        """What runs the model."""
        ...

    async def counters(self) -> Counters | None:
        """Its own totals; None where it keeps none."""
        ...
