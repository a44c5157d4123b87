"""A server on loopback that misbehaves, path by path, for the tests of fetching; counts what it is asked."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Ask:
    """One request."""

    path: str
    headers: dict[str, str]
    number: int


@dataclass
class Server:
    """What answers at `url`: a function a path, given the request and where to write."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    routes: dict[str, Callable[[Ask, Writer], Awaitable[None]]] = field(default_factory=dict)

    def on(self, path: str, *answers: bytes | Callable[[Ask, Writer], Awaitable[None]]) -> str:
        """Answers a path with these, one after the other, the last again and again; returns its address."""

        async def play(ask: Ask, writer: Writer) -> None:
            answer = answers[min(ask.number, len(answers)) - 1]
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(ask, writer)

        self.routes[path] = play
        return self.url + path


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP answer; a header's underscores stand for dashes, and an empty one is left out."""
    given = {"Content-Length": str(len(body)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


@contextmanager
def serving() -> Iterator[Server]:
    """The server, in a thread, for the time of the block."""
    server = Server()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    listening: list[asyncio.Server] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *rest = head.split("\r\n")
            path = first.split(" ")[1]
            pairs = (line.partition(":") for line in rest if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            server.asked[path] += 1
            if path != "/robots.txt":
                server.times.append(time.monotonic())
            server.agents.add(headers.get("user-agent", ""))
            play = server.routes.get(path)
            if play is None:
                writer.write(answer(b"none", "404 Not Found"))
            else:
                await play(Ask(path, headers, server.asked[path]), writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def listen() -> None:
        listening.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{listening[0].sockets[0].getsockname()[1]}"
        started.set()

    async def end() -> None:
        listening[0].close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=lambda: (loop.create_task(listen()), loop.run_forever()), daemon=True)
    thread.start()
    assert started.wait(10)
    yield server
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
