"""A store that fails: a recovery or a clear error, and never a corrupt or lost partition."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PAPER, Command, make_pdf, write_manifest
from faulty import FaultyProxy
from reprocensus.errors import StoreError
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.schemas import load_table
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Partition, Tables, frame_of
from rows_of import judged_twice, rows_of
from test_tables import document, paper, verdict

ICML = Edition("ICML", 2016)
ROUNDS = 3
WRITES = 50


@pytest.fixture
def proxy(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    with FaultyProxy(int(s3_server["REPROCENSUS_S3_ENDPOINT"].rsplit(":", 1)[1])) as proxy:
        for name, value in s3_server.items():
            monkeypatch.setenv(name, value)
        yield proxy


@pytest.fixture
def store() -> str:
    return f"s3://census/{uuid.uuid4().hex}"


def through(proxy: FaultyProxy, store: str, **changes: float) -> Tables:
    settings = Settings(s3_endpoint=proxy.url).model_copy(update={"s3_attempts": 5, **changes})
    return Tables(open_storage(store, settings))


def work(tables: Tables, number: int) -> None:
    """A small run: its journal, and a publication."""
    tables.append("papers", ICML, f"r{number}", "0000", [paper("p", number), paper(f"q{number}", number)])
    tables.append("documents", ICML, f"r{number}", "0000", [document("p", number)])
    tables.append("verdicts", ICML, f"r{number}", "0000", [verdict("p", "v", f"L{number}", number)])
    publish(tables, ICML)


def check(store: str, last: int) -> None:
    """Everything that was written stands, as read past the proxy."""
    tables = Tables(open_storage(store, Settings()))
    papers = tables.read("papers", ICML).frame["paper_id"].to_list()
    assert sorted(papers) == sorted(["p", *(f"q{n}" for n in range(last + 1))])
    assert tables.read("verdicts", ICML).frame["label"].to_list() == [f"L{last}"]
    for name in ("pdfs", "documents", "failures", "venue_statistics"):
        tables.read(name, ICML)


@pytest.mark.parametrize(
    ("fault", "methods", "every"),
    [
        ("500", "GET PUT HEAD", 7),
        ("503", "GET PUT HEAD", 5),
        ("reset", "PUT", 3),
        ("reset", "GET PUT HEAD", 9),
        ("lost", "PUT", 3),
        ("slow", "GET PUT HEAD", 40),
    ],
)
def test_what_passes_is_tried_again(
    proxy: FaultyProxy, store: str, fault: str, methods: str, every: int
) -> None:
    """Latency stands for the issue's 10 s at a tenth: it is longer than the silence that is allowed."""
    tables = through(proxy, store, s3_timeout_s=0.5 if fault == "slow" else 20)
    proxy.fault = lambda method, n: fault if method in methods.split() and n % every == 0 else ""
    for number in range(ROUNDS):
        work(tables, number)
    assert proxy.faults > 2
    check(store, ROUNDS - 1)


@pytest.mark.parametrize(
    ("fault", "methods", "words"),
    [
        ("expired", "GET PUT HEAD POST DELETE", "renew them"),
        ("denied", "PUT POST DELETE", "may not be written"),
        ("503", "PUT", "does not answer as it should"),
        ("reset", "PUT", "does not answer as it should"),
    ],
)
def test_what_stays_is_told_and_nothing_is_lost(
    proxy: FaultyProxy, store: str, fault: str, methods: str, words: str
) -> None:
    """Wherever it begins: before the journal, between journal and tables, in the middle of the tables."""
    tables = through(proxy, store, s3_attempts=2)
    work(tables, 0)
    quiet = proxy.requests
    work(through(proxy, store), 1)
    a_run = proxy.requests - quiet
    for number, share in enumerate((0.05, 0.4, 0.7), start=2):
        begins = proxy.requests + int(a_run * share)
        proxy.fault = lambda method, n, begins=begins: (  # type: ignore[misc]
            fault if n > begins and method in methods.split() else ""
        )
        with pytest.raises(StoreError, match=words) as raised:
            work(tables, number)
            raise AssertionError("it was not noticed")
        assert "secret" not in str(raised.value)
        proxy.fault = lambda method, n: ""
        work(tables, number)
        check(store, number)


def test_a_bucket_that_may_not_be_written_is_refused_at_the_start(proxy: FaultyProxy, store: str) -> None:
    proxy.fault = lambda method, n: "denied" if method == "PUT" else ""
    with pytest.raises(StoreError, match="may not be written"):
        through(proxy, store).storage.prepare()


WRITER = """
import sys
from test_store_faults import *
add(Tables(open_storage(sys.argv[1], Settings())), sys.argv[2])
"""


def add(tables: Tables, name: str) -> None:
    """Adds a row to one partition again and again."""
    schema = load_table("papers")
    for n in range(WRITES):
        row = frame_of(schema, [paper(f"{name}-{n}", n)])

        def change(now: Partition, row: object = row) -> Partition:
            return Partition(now.frame.vstack(row), (), "", now.version)  # type: ignore[arg-type]

        tables.update("papers", ICML, change)


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_two_writers_on_one_partition_lose_no_update(
    kind: str, tmp_path: Path, s3_server: dict[str, str], store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, each adding a row 50 times."""
    where = str(tmp_path / "s") if kind == "local" else store
    environment = {**os.environ, **s3_server, "PYTHONPATH": str(Path(__file__).parent)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, where, name], env=environment) for name in ("a", "b")
    ]
    assert [writer.wait(300) for writer in writers] == [0, 0]
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    found = Tables(open_storage(where, Settings())).read("papers", ICML).frame["paper_id"].to_list()
    assert sorted(found) == sorted(f"{name}-{n}" for name in ("a", "b") for n in range(WRITES))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    try:
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a small disk here")
    except FileNotFoundError:
        pytest.skip("no mount here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_and_one_that_turns_read_only(small_disk: Path) -> None:
    tables = Tables(open_storage(str(small_disk / "s"), Settings()))
    work(tables, 0)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(os.urandom(4096))
    with pytest.raises(StoreError, match="make room"):
        work(tables, 1)
    assert list((small_disk / "s" / "tmp").iterdir()) == []
    check(str(small_disk / "s"), 0)
    filler.unlink()
    work(tables, 1)
    check(str(small_disk / "s"), 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match="may not be written"):
        work(tables, 2)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    check(str(small_disk / "s"), 1)


def test_a_disk_that_fills_up_while_papers_are_fetched(
    small_disk: Path, tmp_path: Path, reprocensus: Command
) -> None:
    """The run ends and says so; with room again the next one does the rest, and nothing is left over."""
    texts = [f"Study {n}: " + PAPER for n in range(12)]
    pdfs = [make_pdf(text) + b"\n%" + os.urandom(60_000).hex().encode() + b"\n%%EOF" for text in texts]
    manifest = write_manifest(tmp_path, [(f"TEST-{2020 + n % 2}/p{n}", pdf) for n, pdf in enumerate(pdfs)])
    arguments = ("run", f"manifest:{manifest}", "--shard-size", "3", "--store")
    store = small_disk / "s"
    # A lease cannot be given back on a full disk, and its process, this one, lives on.
    settings = {"REPROCENSUS_SHARD_RETRIES": "0", "REPROCENSUS_LEASE_S": "1"}
    done = reprocensus(*arguments, str(store), **settings)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((store / "tmp").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    again = reprocensus(*arguments, str(store), **settings)
    assert again.returncode == 0, again.stderr
    assert reprocensus(*arguments, str(tmp_path / "other")).returncode == 0
    assert rows_of(str(store), Settings()) == rows_of(str(tmp_path / "other"), Settings())
    assert judged_twice(str(store), Settings()) == 0
    statuses = Tables(open_storage(str(store), Settings())).read_rows("runs").sort("started_at")["status"]
    assert statuses[-1] == "completed"
    assert "running" not in statuses.to_list()
    assert not list((store / "leases" / "runs").iterdir())


LIMITED = """
import resource, signal, sys
from test_store_faults import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tables = Tables(open_storage(sys.argv[1], Settings()))
work(tables, 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    work(tables, 1)
except StoreError as error:
    print(error)
"""


def test_a_write_that_is_cut_off_leaves_what_was(tmp_path: Path) -> None:
    """By a limit on files' sizes, which every machine has."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "s")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "make room" in done.stdout
    assert list((tmp_path / "s" / "tmp").iterdir()) == []
    tables = Tables(open_storage(str(tmp_path / "s"), Settings()))
    assert tables.read("verdicts", ICML).frame["label"].to_list() == ["L0"]
    work(tables, 1)
    check(str(tmp_path / "s"), 1)
