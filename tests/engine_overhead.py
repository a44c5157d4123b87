"""What a request costs the vllm engine itself: processor time and memory, before a server that answers at
once.

    python tests/engine_overhead.py --requests 100000
    python tests/engine_overhead.py --requests 9000 --characters 50000 --httpx

The server runs in a process of its own. Requests a second are of this process's processor time, so they are
those of one core, whatever else the machine does. `--httpx` sends the same bodies with httpx, to compare.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from injected import RICH, _document
from reprocensus.engines.vllm import create
from reprocensus.records import Answer, SectionKind
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings

HERE = Path(__file__).parent
_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Overhead:
    """`rss_mib`: the process's memory after each tenth of the requests."""

    requests: int
    cpu_s: float
    wall_s: float
    rss_mib: tuple[float, ...]

    @property
    def per_core(self) -> float:
        """Requests a second of processor time."""
        return self.requests / self.cpu_s


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that answers at once, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(HERE / "instant_server.py"), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def rss_mib() -> float:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(url: str, requests: int, characters: int) -> Overhead:
    """Asks all questions about one paper after the other, some papers side by side."""
    variables = load_variables()
    body = "We train a model on a single machine and report how it does. " * (characters // 61 + 1)
    parts = (*RICH[:-2], (SectionKind.BODY, "4. More", body[:characters]))
    document = _document("p", parts)
    papers = max(10, requests // len(variables))
    memory = []
    with create(Settings(vllm_url=url)) as engine:

        async def some(n: int) -> None:
            for _ in range(n):
                found = await engine.ask(document, variables)
                assert all(isinstance(answer, Answer) for answer in found.values())

        async def tenth() -> None:
            await asyncio.gather(*(some(papers // 10 // _SIDE_BY_SIDE + 1) for _ in range(_SIDE_BY_SIDE)))

        asyncio.run(some(3))
        asked = (papers // 10 // _SIDE_BY_SIDE + 1) * _SIDE_BY_SIDE * 10 * len(variables)
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(10):
            asyncio.run(tenth())
            memory.append(round(rss_mib(), 1))
        return Overhead(asked, time.process_time() - cpu, time.perf_counter() - wall, tuple(memory))


def httpx_measure(url: str, requests: int, characters: int) -> Overhead:
    """The same number of like bodies with httpx."""
    import httpx

    message = {"role": "user", "content": "x " * (characters // 2 + 2000)}
    body = {"model": "tiny", "messages": [message], "response_format": {"json_schema": {"schema": {}}}}

    async def everything() -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(limits=limits) as client:

            async def some(n: int) -> None:
                for _ in range(n):
                    reply = await client.post(f"{url}/chat/completions", json=body)
                    reply.json()

            await asyncio.gather(*(some(requests // 72) for _ in range(72)))

    cpu, wall = time.process_time(), time.perf_counter()
    asyncio.run(everything())
    return Overhead(requests // 72 * 72, time.process_time() - cpu, time.perf_counter() - wall, ())


def main() -> None:
    """Measures and prints a line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=9_000)
    parser.add_argument("--characters", type=int, default=1_000)
    parser.add_argument("--httpx", action="store_true")
    asked = parser.parse_args()
    with server() as url:
        for name, how in (("engine", measure), ("httpx", httpx_measure))[: 1 + asked.httpx]:
            found = how(url, asked.requests, asked.characters)
            print(
                json.dumps(
                    {
                        "what": name,
                        "requests": found.requests,
                        "characters": asked.characters,
                        "per_core_second": round(found.per_core),
                        "ms_of_cpu_each": round(1000 * found.cpu_s / found.requests, 3),
                        "wall_s": round(found.wall_s, 1),
                        "rss_mib": found.rss_mib,
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
