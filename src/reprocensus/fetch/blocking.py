"""The HTTP client for code that is not async: threads of shards, and the listing of editions."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from reprocensus.fetch.client import HTML, Client, Response
from reprocensus.fetch.limits import Limiter
from reprocensus.settings import Settings

T = TypeVar("T")


class BlockingClient:
    """A `Client` for code that is not async: its event loop runs in a thread. A context manager."""

    def __init__(self, settings: Settings, limiter: Limiter | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="fetch", daemon=True)
        self._thread.start()
        self.client = self.call(_make(settings, limiter))

    def get(self, url: str, *, accept: str = HTML, most_bytes: int = 64 * 2**20) -> Response:
        """The body behind an address, as `Client.get` has it. Raises `FetchError`."""
        return self.call(self.client.get(url, accept=accept, most_bytes=most_bytes))

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the client's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Runs a coroutine on the client's loop without waiting. Cancelling the future ends it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def soon(self, callback: Callable[[], object]) -> None:
        """Calls a function on the client's loop."""
        self._loop.call_soon_threadsafe(callback)

    def close(self) -> None:
        """Ends what is under way and closes the connections. Closing twice is harmless."""
        if not self._loop.is_closed():
            self.call(_end(self.client))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _make(settings: Settings, limiter: Limiter | None) -> Client:
    return Client(settings, limiter)


async def _end(client: Client) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.aclose()
