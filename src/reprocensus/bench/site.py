"""How fast the site is: papers a second of a build, and how long readers of the served pages wait."""

import os
import random
import re
import resource
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reprocensus.settings import Settings
from reprocensus.site import urls
from reprocensus.site.build import build
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import SiteOptions
from reprocensus.storage import open_storage
from reprocensus.tables import Tables


@dataclass(frozen=True, slots=True)
class BuildSpeed:
    """One build: papers, files, seconds by the clock and of the processors."""

    n_papers: int
    n_files: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What readers saw: milliseconds to the whole page; and what the server took, memory in MiB."""

    n: int
    errors: int
    median_ms: float
    p95_ms: float
    worst_ms: float
    per_second: float
    memory_mib: float
    cpu_ms: float


def build_speed(store: str, settings: Settings, options: SiteOptions, *, again: bool) -> list[BuildSpeed]:
    """Builds the site into a temporary folder; with `again` a second time, nothing having changed."""
    found = []
    with tempfile.TemporaryDirectory(prefix="reprocensus-site-") as folder:
        for _ in range(1 + again):
            started, before = time.perf_counter(), _cpu()
            done = build(store, settings, options, Path(folder) / "site")
            spent = time.perf_counter() - started
            found.append(BuildSpeed(done.n_papers, done.n_files, spent, _cpu() - before))
    return found


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def waiting(
    store: str, settings: Settings, engine: str, *, workers: int, at_once: int, n: int, warm_s: float
) -> Waiting:
    """Serves the store in processes of its own and asks for papers at random, so many at once."""
    corpus = Corpus(Tables(open_storage(store, settings)), SiteOptions(engine=engine))
    papers = corpus.paper_ids()
    chosen = random.Random(20261121).choices(papers, k=n)
    command = [sys.executable, "-m", "reprocensus", "site", "serve", "--store", store, "--engine", engine]
    command += ["--port", "0", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.match(r"(http://\S+?)/ ", server.stdout.readline())
        assert found, "the server did not start"
        try:
            parts = urlsplit(found[1])
            host, port = parts.hostname or "127.0.0.1", parts.port or 80
            paths = [f"/{urls.paper(paper_id)}" for paper_id in chosen]
            # The server reads the tables; papers can be asked for all the time.
            _ask(host, port, paths[:200], at_once)
            time.sleep(warm_s)
            _ask(host, port, paths[: max(200, n // 10)], at_once)
            before, started = _family_cpu(server.pid), time.perf_counter()
            waits, errors = _ask(host, port, paths, at_once)
            spent = time.perf_counter() - started
            cpu = _family_cpu(server.pid) - before
            memory = _family_memory(server.pid)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    ordered = sorted(waits)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    return Waiting(
        n, errors, statistics.median(ordered), p95, ordered[-1], n / spent, memory, 1000 * cpu / max(1, n)
    )


def _family(pid: int) -> list[Path]:
    """Of a process and all below it, where Linux tells of them."""
    own = Path(f"/proc/{pid}")
    below = (own / "task" / str(pid) / "children").read_text().split()
    return [own, *(path for child in below for path in _family(int(child)))]


def _family_cpu(pid: int) -> float:
    """Seconds of the processors that a process and those below it have used."""
    fields = [(path / "stat").read_text().rpartition(")")[2].split() for path in _family(pid)]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def _family_memory(pid: int) -> float:
    """MiB that they have in memory; what several share is counted once (Linux' proportional set size)."""
    told = [(path / "smaps_rollup").read_text() for path in _family(pid)]
    return sum(int(found[1]) for text in told if (found := re.search(r"^Pss: +(\d+)", text, re.M))) / 1024


@dataclass(slots=True)
class _Reader:
    """One connection: when its request was sent, and what has come back of the answer."""

    connection: socket.socket
    started: float = 0.0
    got: bytes = b""

    def ask(self, host: str, path: str) -> None:
        self.got, self.started = b"", time.perf_counter()
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    def whole(self) -> bool:
        """Reads on; says whether the answer is complete."""
        self.got += self.connection.recv(1 << 18)
        head = self.got.find(b"\r\n\r\n")
        if head < 0:
            return False
        at = self.got.find(b"content-length: ", 0, head) + len(b"content-length: ")
        return len(self.got) >= head + 4 + int(self.got[at : self.got.find(b"\r\n", at)])


def _ask(host: str, port: int, paths: Sequence[str], at_once: int) -> tuple[list[float], int]:
    """Milliseconds for each path, asked over so many connections; and how many were not answered with 200.

    Each reader asks for its next page as soon as it has one. One loop over bare sockets: what the readers
    cost is taken from the server, which shares their processors.
    """
    left, waits, errors = list(paths)[::-1], list[float](), 0
    with selectors.DefaultSelector() as waiting_for, ExitStack() as stack:
        for _ in range(min(at_once, len(left))):
            reader = _Reader(stack.enter_context(socket.create_connection((host, port), timeout=60)))
            waiting_for.register(reader.connection, selectors.EVENT_READ, reader)
            reader.ask(host, left.pop())
        under_way = len(waiting_for.get_map())
        while under_way:
            for key, _ in waiting_for.select():
                reader = key.data
                if not reader.whole():
                    continue
                waits.append(1000 * (time.perf_counter() - reader.started))
                errors += not reader.got.startswith(b"HTTP/1.1 200")
                if left:
                    reader.ask(host, left.pop())
                else:
                    waiting_for.unregister(reader.connection)
                    under_way -= 1
    return waits, errors
