"""Killed at any point and started again, a run leaves what an undisturbed one does. Nothing is judged twice.

Each series kills at random points of a run's true span, which is measured first. `SEED` and the points are in
what a failing test prints; REPROCENSUS_TEST_KILLS asks for another number of points.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl
import pytest

from conftest import PAPER, Command, make_pdf, write_manifest
from reprocensus.settings import Settings
from reprocensus.state import JOURNALED
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

SEED = 20261121
POINTS = int(os.environ.get("REPROCENSUS_TEST_KILLS", "20"))
#: A run against the S3 server takes many times longer: twenty points take twelve minutes.
S3_POINTS = int(os.environ.get("REPROCENSUS_TEST_KILLS", "6"))
#: Columns that say when and by which run: they differ between two undisturbed runs, too.
VOLATILE = {
    "run_id", "recorded_at", "judged_at", "listed_at", "failed_at", "first_seen", "last_checked", "pdf_stamp"
}  # fmt: skip
TABLES = (*JOURNALED, "venue_statistics", "edition_scores")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Papers of two editions, one of them broken."""
    texts = [PAPER.replace("A Small", f"Study {n}: A Small") for n in range(23)]
    papers: list[tuple[str, bytes | None]] = [
        (f"TEST-{2020 + n % 2}/p{n:02d}", make_pdf(text)) for n, text in enumerate(texts)
    ]
    papers.append(("TEST-2021/broken", b"%PDF-1.7 nothing else"))
    return write_manifest(tmp_path_factory.mktemp("papers"), papers)


def arguments(manifest: Path, store: str) -> list[str]:
    return ["run", f"manifest:{manifest}", "--store", store, "--shard-size", "3", "--workers", "1"]


def contents(store: str) -> dict[str, pl.DataFrame]:
    """Every table's lasting columns, in a fixed order."""
    tables = Tables(open_storage(store, Settings()))
    found = {}
    for name in TABLES:
        frame = tables.scan(name)
        kept = frame.select(column for column in frame.columns if column not in VOLATILE)
        order = kept.select(
            json=pl.struct(pl.all()).map_elements(lambda row: json.dumps(row, default=str), pl.String)
        )
        found[name] = kept[order["json"].arg_sort().to_list()] if kept.height else kept
    return found


def check(store: str, wanted: dict[str, pl.DataFrame]) -> None:
    """The tables are those of an undisturbed run, every verdict was journaled once, nothing is left over."""
    found = contents(store)
    for name, frame in wanted.items():
        assert found[name].equals(frame), f"{name} differs"
    tables = Tables(open_storage(store, Settings()))
    verdicts = [
        tables.read_journal(entry, ("paper_id", "variable"))
        for edition in tables.journaled_editions()
        for entry in tables.journal(edition)
        if entry.table == "verdicts"
    ]
    assert not pl.concat(verdicts).is_duplicated().any(), "something was judged twice"
    assert tables.storage.list("tmp") == []
    assert tables.storage.list("leases/runs") == []
    assert "running" not in tables.read_rows("runs")["status"].to_list()


@pytest.fixture(scope="module")
def undisturbed(
    manifest: Path, tmp_path_factory: pytest.TempPathFactory, api: str
) -> dict[str, pl.DataFrame]:
    store = str(tmp_path_factory.mktemp("undisturbed"))
    subprocess.run([sys.executable, "-m", "reprocensus", *arguments(manifest, store)], check=False)
    found = contents(store)
    assert found["verdicts"].height == 23 * 9
    assert found["failures"].height == 1
    return found


def points(series: str, number: int = POINTS) -> list[float]:
    """Shares of a run's span, the same for a seed."""
    chance = random.Random(f"{SEED} {series}")
    return [chance.random() for _ in range(number)]


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_kill_9_of_the_flow(
    manifest: Path, tmp_path: Path, api: str, undisturbed: dict[str, pl.DataFrame], reprocensus: Command
) -> None:
    """The process of the flow, with its workers, at any point after its run has begun."""

    def start(store: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "reprocensus", *arguments(manifest, str(store))]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def began(store: Path, process: "subprocess.Popen[bytes]") -> None:
        wait_for(lambda: any(store.glob("tables/runs/*.parquet")) or process.poll() is not None)

    process = start(tmp_path / "span")
    began(tmp_path / "span", process)
    since = time.monotonic()
    process.wait()
    span = time.monotonic() - since

    def one(number: int, share: float) -> bool:
        store = tmp_path / f"s{number}"
        process = start(store)
        began(store, process)
        time.sleep(share * span)
        killed = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        return killed

    shares = points("flow")
    with ThreadPoolExecutor(os.cpu_count() or 1) as side:
        killed = sum(side.map(one, range(POINTS), shares))
    assert killed >= POINTS * 0.6, "most ended before they were killed"
    for number, share in enumerate(shares):
        store = str(tmp_path / f"s{number}")
        done = reprocensus(*arguments(manifest, store))
        assert done.returncode in (0, 1), done.stderr
        try:
            check(store, undisturbed)
        except AssertionError as error:
            error.add_note(f"killed at {share:.3f} of {span:.1f} s, seed {SEED}")
            raise


def workers_of(pid: int) -> list[int]:
    """Processes that descend from this one and wait for, or are at, an extraction."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
    names = {}
    for child in parents:
        ancestor = child
        while ancestor in parents and ancestor != pid:
            ancestor = parents[ancestor]
        if ancestor == pid and child != pid:
            try:
                names[child] = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
    servers = {child for child, name in names.items() if b"forkserver" in name}
    return [child for child in servers if parents[child] in servers]


def test_kill_9_of_an_extraction_worker(
    manifest: Path, tmp_path: Path, undisturbed: dict[str, pl.DataFrame], reprocensus: Command
) -> None:
    began = time.monotonic()
    reprocensus(*arguments(manifest, str(tmp_path / "span")))
    span = time.monotonic() - began
    killed = 0
    for number, share in enumerate(points("worker")):
        store, ended = str(tmp_path / f"s{number}"), threading.Event()

        def kill(share: float = share, ended: threading.Event = ended) -> None:
            nonlocal killed
            ended.wait(share * span)
            while not ended.wait(0.005):
                for pid in workers_of(os.getpid()):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                    return

        killer = threading.Thread(target=kill)
        killer.start()
        done = reprocensus(*arguments(manifest, store))
        ended.set()
        killer.join()
        assert done.returncode in (0, 1), done.stderr
        # A call whose worker dies is made again; a second death would leave a failure to retry.
        reprocensus(*arguments(manifest, store))
        check(store, undisturbed)
    assert killed >= POINTS * 0.6, "most runs had no worker to kill any more"


class Server:
    """An S3 server in a process of its own, on one port whenever it is started."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        script = Path(__file__).with_name("durable_s3.py")
        command = [sys.executable, str(script), str(self.port), str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/", timeout=2).status_code < 500
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.mark.timeout(1500)
def test_kill_9_of_the_s3_server(
    manifest: Path,
    tmp_path: Path,
    undisturbed: dict[str, pl.DataFrame],
    reprocensus: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server dies in the middle of a run, which fails and says so, or waits until it is back."""
    with serving(tmp_path / "objects") as server:
        for name, value in {
            "ENDPOINT": f"http://127.0.0.1:{server.port}", "KEY": "key", "SECRET": "secret",
            "REGION": "us-east-1", "ATTEMPTS": "2", "TIMEOUT_S": "20",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"REPROCENSUS_S3_{name}", value)
        monkeypatch.setenv("REPROCENSUS_SHARD_RETRIES", "0")
        # A run whose server is dead cannot give its leases back, and its process, this one, lives on.
        monkeypatch.setenv("REPROCENSUS_LEASE_S", "1")
        began = time.monotonic()
        reprocensus(*arguments(manifest, "s3://census/span"))
        span = time.monotonic() - began
        failed = 0
        for number, share in enumerate(points("s3", S3_POINTS)):
            store = f"s3://census/s{number}"
            ended = threading.Event()

            def kill(share: float = share, ended: threading.Event = ended) -> None:
                if not ended.wait(share * span):
                    server.kill()

            killer = threading.Thread(target=kill)
            killer.start()
            done = reprocensus(*arguments(manifest, store))
            ended.set()
            killer.join()
            if server.process and server.process.poll() is not None:
                server.start()
                time.sleep(1.5)
            assert "Traceback" not in done.stderr
            if (done.returncode and "StoreError" in done.stderr + done.stdout) or "store s3:" in done.stderr:
                failed += 1
            again = reprocensus(*arguments(manifest, store))
            assert again.returncode in (0, 1), again.stderr
            try:
                check(store, undisturbed)
            except AssertionError as error:
                error.add_note(f"killed at {share:.3f} of {span:.1f} s, seed {SEED}; {done.stderr}")
                raise
        assert failed >= S3_POINTS * 0.4, "the server's death was hardly noticed"
