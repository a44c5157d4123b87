"""The vllm engine: asks an OpenAI-compatible server, such as `vllm serve` or a router before several of them.

aiohttp rather than httpx or the openai package: a request costs a third of httpx's processor time
(`docs/engines.md`), and one core must feed several GPUs.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final

import aiohttp
import msgspec

from reprocensus.errors import EngineAwayError, EngineError, JudgeError
from reprocensus.keys import digest
from reprocensus.llm import metrics
from reprocensus.llm.chat import (
    FIXED,
    ChatReply,
    ChatRequest,
    Counters,
    Message,
    Sampling,
    ServerFacts,
    Token,
)
from reprocensus.llm.engine import LlmEngine
from reprocensus.llm.options import calibrations_of, options_of
from reprocensus.settings import Settings

_AWAY: Final = frozenset((408, 425, 500, 502, 503, 504))
_LOOK_S: Final = 30.0
_Ask = Callable[[], AbstractAsyncContextManager[aiohttp.ClientResponse]]
_SHOWN: Final = 300
#: Replies larger than this are not read to the end.
_MOST_BYTES: Final = 32 * 2**20
_TOO_LONG: Final = re.compile(
    r"maximum (?:context|model) length|context_length_exceeded|longer than the (?:maximum|max)|too long|"
    r"max_model_len|max_tokens.{0,40}too large",
    re.IGNORECASE,
)
#: What is asked to see whether anything is answered.
_SIMPLEST: Final = ChatRequest(
    (Message("user", "Hi"),), {"type": "boolean"}, Sampling(max_tokens=1, top_logprobs=0), session="check"
)


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Likely(msgspec.Struct):
    token: str
    logprob: float


class _Place(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Likely] = []


class _Logprobs(msgspec.Struct):
    content: list[_Place] | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Model(msgspec.Struct):
    id: str
    max_model_len: int | None = None
    root: str | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


_COMPLETION: Final = msgspec.json.Decoder(_Completion)
_MODELS: Final = msgspec.json.Decoder(_Models)


class VllmServer:
    """A `Backend` over HTTP."""

    def __init__(self, settings: Settings) -> None:
        self._base = _without_secrets(settings.vllm_url).rstrip("/")
        self._root = self._base.removesuffix("/v1")
        self._settings = settings
        self._model = settings.vllm_model or ""
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """See `Backend.start`."""
        if self._http is None:
            key = self._settings.vllm_key
            secret = key.get_secret_value().strip() if key else ""
            if not secret.isprintable():
                raise EngineError("REPROCENSUS_VLLM_KEY has control characters in it, which no key has")
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            # What is in flight is limited by the budget of tokens; connections are not limited here.
            self._http = aiohttp.ClientSession(
                # vLLM closes connections that were idle for 5 s: one used just then looks like a lost server.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=3),
                headers={"Content-Type": "application/json", **headers},
                timeout=aiohttp.ClientTimeout(total=self._settings.vllm_timeout_s, sock_connect=10),
                auto_decompress=True,
            )
        await self._models()

    async def close(self) -> None:
        """See `Backend.close`."""
        if self._http:
            await self._http.close()
        self._http = None

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See `Backend.complete`."""
        body = msgspec.json.encode(self._body(request))
        headers = {}
        if self._settings.vllm_session_header:
            headers[self._settings.vllm_session_header] = request.session
        raw = await self._call("POST", f"{self._base}/chat/completions", body, headers)
        try:
            return _reply(_COMPLETION.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
            shown = raw[:_SHOWN].decode("utf-8", "replace")
            message = f"the server's reply is no chat completion ({error}): {shown}"
            raise JudgeError("bad_reply", message, transient=True) from error

    async def count_tokens(self, messages: tuple[Message, ...]) -> int | None:
        """See `Backend.count_tokens`."""
        counted = await self._tokenized(messages)
        return counted.get("count") if counted else None

    async def alive(self) -> None:
        """See `Backend.alive`: looks whether the model answers, not just whether somebody listens."""
        try:
            await asyncio.wait_for(self.complete(_SIMPLEST), _LOOK_S)
        except TimeoutError as error:
            raise EngineAwayError(f"{self._base}: no reply within {_LOOK_S:g} s", kind="timeout") from error
        except JudgeError as error:
            raise EngineAwayError(f"{self._base} does not answer the simplest request ({error})") from error

    async def facts(self) -> ServerFacts:
        """See `Backend.facts`. GPU, revision and quantisation are taken from the settings: no server
        tells.
        """
        settings = self._settings
        served = await self._models()
        caches = metrics.labels(await self._metrics(), "vllm:cache_config_info")
        cache = caches[0] if caches else {}
        version = await self._look("/version")
        tokens = await self._tokenized(FIXED)
        return ServerFacts(
            model=served.id,
            revision=settings.vllm_revision,
            context=served.max_model_len,
            kv_tokens=sum(map(metrics.held, caches)) or None,
            software=f"vllm {version['version']}" if version and "version" in version else "",
            quantisation=settings.vllm_quantisation,
            dtype=cache.get("cache_dtype", ""),
            gpus=(settings.vllm_gpu,) * settings.vllm_gpus if settings.vllm_gpu else (),
            prefix_caching=metrics.flag(cache.get("enable_prefix_caching")),
            template_sha=digest(msgspec.json.encode(tokens["tokens"]))
            if tokens and "tokens" in tokens
            else "",
            details={"url": self._base, "root": served.root, "cache": cache},
        )

    async def counters(self) -> Counters | None:
        """See `Backend.counters`."""
        told = await self._metrics()
        names = ("prompt_tokens", "generation_tokens", "prefix_cache_queries", "prefix_cache_hits")
        totals = [metrics.total(told, f"vllm:{name}_total") for name in names]
        return None if None in totals else Counters(*(int(total or 0) for total in totals))

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.schema, "strict": True},
            },
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "user": request.session,
        }
        if sampling.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
        if request.salt:
            body["cache_salt"] = request.salt
        return body | self._settings.vllm_extra

    async def _models(self) -> _Model:
        """The model to use: the one named, or the only one."""
        try:
            served = _MODELS.decode(await self._call("GET", f"{self._base}/models", timeout_s=_LOOK_S)).data
        except (msgspec.DecodeError, UnicodeDecodeError, JudgeError) as error:
            message = f"{self._base}/models is not an OpenAI-compatible server's ({error})"
            raise EngineError(f"{message}; REPROCENSUS_VLLM_URL mostly ends in /v1") from error
        names = [model.id for model in served]
        wanted = self._settings.vllm_model
        serves = f"{self._base} serves {', '.join(names) or 'nothing'}"
        if wanted is None and len(names) != 1:
            raise EngineError(f"{serves}; name one by --model or REPROCENSUS_VLLM_MODEL")
        if wanted is not None and wanted not in names:
            raise EngineError(f"{serves}, not {wanted}; --model or REPROCENSUS_VLLM_MODEL names the model")
        found = next(model for model in served if wanted in (None, model.id))
        self._model = found.id
        return found

    async def _metrics(self) -> str:
        try:
            raw = await self._call("GET", f"{self._root}/metrics", timeout_s=_LOOK_S)
        except JudgeError:
            return ""
        return raw.decode("utf-8", "replace")

    async def _look(self, path: str) -> dict[str, Any] | None:
        with suppress(JudgeError, msgspec.DecodeError, UnicodeDecodeError):
            raw = await self._call("GET", f"{self._root}{path}", timeout_s=_LOOK_S)
            return msgspec.json.decode(raw, type=dict[str, Any])
        return None

    async def _tokenized(self, messages: tuple[Message, ...]) -> dict[str, Any] | None:
        body = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "add_generation_prompt": True,
        }
        kwargs = self._settings.vllm_extra.get("chat_template_kwargs")
        if kwargs:
            body["chat_template_kwargs"] = kwargs
        with suppress(JudgeError, msgspec.DecodeError, UnicodeDecodeError):
            raw = await self._call(
                "POST", f"{self._root}/tokenize", msgspec.json.encode(body), timeout_s=_LOOK_S
            )
            return msgspec.json.decode(raw, type=dict[str, Any])
        return None

    async def _call(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """The body of a reply with status 200; every other outcome is the error that it stands for."""
        if self._http is None:
            raise RuntimeError("the server is asked before `start`")
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=10) if timeout_s else None
        # A redirect is somebody else: a login page, or a host that is not to be told the key.
        options: dict[str, Any] = {"allow_redirects": False} | ({"timeout": timeout} if timeout else {})
        ask = partial(self._http.request, method, url, data=body, headers=headers, **options)
        try:
            status, retry_after, raw = await _exchange(ask)
        except TimeoutError as error:
            waited = timeout_s or self._settings.vllm_timeout_s
            raise EngineAwayError(f"{url}: no reply within {waited:g} s", kind="timeout") from error
        except aiohttp.ClientPayloadError as error:
            raise EngineAwayError(f"{url}: the reply broke off ({error})", kind="half_reply") from error
        except aiohttp.InvalidURL as error:
            raise EngineError(f"{url} is no URL; see REPROCENSUS_VLLM_URL") from error
        except aiohttp.ClientError as error:
            raise EngineAwayError(f"{url} cannot be reached ({error})") from error
        if len(raw) > _MOST_BYTES:
            raise JudgeError(
                "bad_reply", f"{url}: the reply has more than {_MOST_BYTES} bytes", transient=True
            )
        if status == 200:
            return raw
        raise _refused(url, status, raw, retry_after)


def _without_secrets(url: str) -> str:
    """The URL. Raises `EngineError` if it carries what may be a secret: URLs are kept with runs and shown."""
    if "@" in url or "?" in url or "#" in url:
        raise EngineError(
            "REPROCENSUS_VLLM_URL has a name, a password or a query in it, and it is kept with every run: "
            "give the address alone, and the key in REPROCENSUS_VLLM_KEY"
        )
    return url


async def _exchange(ask: _Ask) -> tuple[int, str | None, bytes]:
    """Status, Retry-After and body of what is answered.

    A connection that lay idle may be closed by the server just as it is used. aiohttp then asks once more by
    itself, but for no POST; ours do no harm twice.
    """
    try:
        return await _answered(ask)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ClientConnectionResetError, aiohttp.ServerDisconnectedError):
        return await _answered(ask)


async def _answered(ask: _Ask) -> tuple[int, str | None, bytes]:
    async with ask() as response:
        return response.status, response.headers.get("Retry-After"), await _read(response)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body; of one that is larger than `_MOST_BYTES`, a little more than that."""
    parts, length = list[bytes](), 0
    async for part in response.content.iter_any():
        parts.append(part)
        length += len(part)
        if length > _MOST_BYTES:
            break
    return b"".join(parts)


def _refused(url: str, status: int, raw: bytes, retry_after: str | None) -> Exception:
    said = raw[:_SHOWN].decode("utf-8", "replace").strip()
    message = f"{url} answered {status}: {said}"
    if status == 429:
        return EngineAwayError(message, kind="server_busy", retry_after_s=_seconds(retry_after))
    if status in _AWAY:
        kind = "server_error" if status == 500 else "server_away"
        return EngineAwayError(message, kind=kind, retry_after_s=_seconds(retry_after))
    if status in (401, 403):
        return EngineError(f"{message}; is REPROCENSUS_VLLM_KEY the server's key?")
    if status in (400, 413, 422) and (status == 413 or _TOO_LONG.search(said)):
        return JudgeError("too_long", message)
    return JudgeError("bad_request", message)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header; a date is not worth its parsing here."""
    try:
        return min(max(float(retry_after), 0.0), 3600.0) if retry_after else None
    except ValueError:
        return None


def _reply(found: _Completion) -> ChatReply:
    choice, usage = found.choices[0], found.usage or _Usage()
    places = (choice.logprobs.content if choice.logprobs else None) or []
    return ChatReply(
        text=choice.message.content or "",
        finish_reason=choice.finish_reason or "",
        prompt_tokens=max(0, usage.prompt_tokens),
        output_tokens=max(0, usage.completion_tokens),
        cached_tokens=usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None,
        tokens=tuple(
            Token(p.token, p.logprob, tuple((likely.token, likely.logprob) for likely in p.top_logprobs))
            for p in places
        ),
        refusal=choice.message.refusal or "",
    )


def create(settings: Settings) -> LlmEngine:
    """The engine as the settings want it. Asks the server for what they leave open, when that is needed."""
    return LlmEngine("vllm", lambda: VllmServer(settings), options_of(settings), calibrations_of(settings))
