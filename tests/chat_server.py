"""An OpenAI-compatible server that answers as it is told: well, wrongly, late, half, or not at all.

It counts tokens as words, keeps a prefix cache of whole prompts, and tells metrics under vLLM's names, so
that an engine's accounting can be held against it.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Body = dict[str, Any]
BLOCK = 16


@dataclass(frozen=True)
class Told:
    """What the server does with one request. `raw`: this is the body, whatever it is; `half`: of it is
    sent. `dropped`: the connection is closed or reset instead of a reply.
    """

    text: str | None = None
    status: int = 200
    raw: bytes | None = None
    half: bool = False
    dropped: Literal["", "close", "abort"] = ""
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    finish_reason: str = "stop"
    refusal: str | None = None
    logprobs: list[Body] | None = None


def good(body: Body, label: str | None = None, quotes: tuple[object, ...] = (1,)) -> Told:
    """An answer that obeys the request's schema."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    properties = schema.get("properties", {})
    if "label" not in properties:
        word = properties.get("word", {}).get("enum", ["x"])[0]
        return Told(json.dumps({"word": word}) if properties else "x" * 24)
    items = properties["quotes"]["items"]
    if items["type"] == "string" and quotes == (1,):
        quotes = ("We train a model",)
    chosen = label or properties["label"]["enum"][0]
    return Told(json.dumps({"quotes": list(quotes), "rationale": "It says so.", "label": chosen}))


def question_of(body: Body) -> str:
    """What is asked after the paper."""
    return str(body["messages"][-1]["content"].rsplit("</paper>", 1)[-1])


class ChatServer:
    """Serves `answer(body, n)` for the n-th chat request, from 0; on one port, even after it was stopped."""

    def __init__(self, answer: Callable[[Body, int], Told] | None = None, context: int = 100_000) -> None:
        self.answer = answer or (lambda body, n: good(body))
        self.context = context
        self.key: str | None = None
        self.model = "tiny"
        self.prefix_caching = True
        self.keeps_bodies = True
        self.bodies: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.under_way = self.most_under_way = self.asked = 0
        self.prompt_tokens = self.output_tokens = self.queries = self.hits = 0
        self._seen: set[int] = set()
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> "ChatServer":
        ready = threading.Event()

        def serve() -> None:
            loop = self._loop = asyncio.new_event_loop()
            loop.run_until_complete(self._start())
            ready.set()
            loop.run_forever()
            loop.run_until_complete(self._stop())
            loop.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(20)
        return self

    def stop(self) -> None:
        """Drops every connection and forgets its cache, as a server that dies."""
        if self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = None
        self._seen.clear()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/version", self._version)
        app.router.add_post("/tokenize", self._tokenize)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        assert self._runner is not None
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": "no"}, status=401)
        return web.json_response({"data": [{"id": self.model, "max_model_len": self.context}]})

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "0.0.test"})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        words = " ".join(m["content"] for m in body["messages"]).split()
        return web.json_response({"count": len(words), "tokens": [len(word) for word in words]})

    async def _metrics(self, request: web.Request) -> web.Response:
        cache = f'block_size="{BLOCK}",num_gpu_blocks="4096",enable_prefix_caching="{self.prefix_caching}"'
        lines = [
            f"vllm:cache_config_info{{{cache}}} 1.0",
            f'vllm:prompt_tokens_total{{model_name="tiny",engine="0"}} {float(self.prompt_tokens)}',
            f'vllm:generation_tokens_total{{model_name="tiny",engine="0"}} {float(self.output_tokens)}',
            f'vllm:prefix_cache_queries_total{{model_name="tiny",engine="0"}} {float(self.queries)}',
            f'vllm:prefix_cache_hits_total{{model_name="tiny",engine="0"}} {float(self.hits)}',
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        number, self.asked = self.asked, self.asked + 1
        if self.keeps_bodies:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answered(request, body, self.answer(body, number))
        finally:
            self.under_way -= 1

    async def _answered(self, request: web.Request, body: Body, told: Told) -> web.StreamResponse:
        if told.wait_s:
            await asyncio.sleep(told.wait_s)
        if told.dropped:
            assert request.transport is not None
            getattr(request.transport, told.dropped)()
            return web.Response()
        raw = told.raw if told.raw is not None else json.dumps(self._completion(body, told)).encode()
        if told.half:
            response = web.StreamResponse(headers={"Content-Length": str(len(raw))})
            await response.prepare(request)
            await response.write(raw[: len(raw) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(
            body=raw, status=told.status, headers=told.headers, content_type="application/json"
        )

    def _completion(self, body: Body, told: Told) -> Body:
        if told.status != 200:
            return {"error": {"message": told.text or "told to", "code": told.status}}
        words = " ".join(m["content"] for m in body["messages"]).split()
        cached = self._cached(words, body.get("cache_salt", ""))
        text = told.text or ""
        self.prompt_tokens += len(words)
        self.queries += len(words)
        self.hits += cached
        output = max(1, len(text.split()))
        self.output_tokens += output
        return {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": told.text, "refusal": told.refusal},
                    "finish_reason": told.finish_reason,
                    "logprobs": {"content": told.logprobs} if told.logprobs else None,
                }
            ],
            "usage": {
                "prompt_tokens": len(words),
                "completion_tokens": output,
                "prompt_tokens_details": {"cached_tokens": cached},
            },
        }

    def _cached(self, words: list[str], salt: str) -> int:
        """Tokens of whole blocks that were seen before, from the front; sees them."""
        cached, chain = 0, hash(salt)
        for start in range(0, len(words) - BLOCK, BLOCK):
            chain = hash((chain, tuple(words[start : start + BLOCK])))
            if self.prefix_caching and chain in self._seen:
                cached += BLOCK
            self._seen.add(chain)
        return cached


@contextmanager
def chat_server(
    answer: Callable[[Body, int], Told] | None = None, context: int = 100_000
) -> Iterator[ChatServer]:
    """A server for as long as the block lasts."""
    server = ChatServer(answer, context).start()
    try:
        yield server
    finally:
        server.stop()
