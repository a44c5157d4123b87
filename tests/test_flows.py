"""How a run ends: killed, interrupted, or with a store that cannot be written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from conftest import PAPER, Command, make_pdf, write_manifest


def processes_with(mark: str) -> list[str]:
    """Command lines of live processes that were started with a mark in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line]


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    texts = [PAPER.replace("A Small", f"Study {n}: A Small") for n in range(40)]
    return write_manifest(tmp_path, [(f"TEST-2020/p{n}", make_pdf(t)) for n, t in enumerate(texts)])


def start(papers: Path, store: Path, mark: str, **environment: str) -> "subprocess.Popen[bytes]":
    arguments = ["run", f"manifest:{papers}", "--store", str(store), "--shard-size", "3"]
    return subprocess.Popen(
        [sys.executable, "-m", "reprocensus", *arguments],
        env={**os.environ, "REPROCENSUS_TEST_MARK": mark, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where runs that bring their own Prefect API keep its database, which takes long to make."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_run_that_is_stopped(
    papers: Path, tmp_path: Path, home: Path, sign: signal.Signals, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    """The run brings its own Prefect API here; that server and the workers must go with it."""
    monkeypatch.delenv("PREFECT_API_URL")
    store, mark = tmp_path / "s", f"mark-{sign.name}-{os.getpid()}"
    process = start(papers, store, mark, PREFECT_HOME=str(home))
    wait_for(lambda: any(store.glob("journal/**/*-documents.parquet")) or process.poll() is not None, 120)
    assert process.poll() is None, "it ended before it could be stopped"
    assert len(processes_with(mark)) > 2
    process.send_signal(sign)
    assert process.wait(30) != 0
    wait_for(lambda: not processes_with(mark), 10)
    if sign == signal.SIGINT:
        assert pl.read_parquet(store / "tables/runs/*.parquet")["status"].to_list() == ["interrupted"]


def test_a_store_that_cannot_be_written_ends_the_run_with_the_reason(
    papers: Path, tmp_path: Path, reprocensus: Command
) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "objects").write_text("no folder")
    done = reprocensus("run", f"manifest:{papers}", "--store", "s")
    assert done.returncode == 1
    assert "check that it exists, may be written" in done.stderr
    assert "Traceback" not in done.stderr
    (row,) = pl.read_parquet(tmp_path / "s/tables/runs/*.parquet").to_dicts()
    assert row["status"] == "failed"
    assert "StoreError" in row["message"]
    (tmp_path / "s" / "objects").unlink()
    assert reprocensus("run", f"manifest:{papers}", "--store", "s").returncode == 0
    assert pl.read_parquet(tmp_path / "s/tables/verdicts").height == 40 * 9


def test_two_runs_at_once_end_with_one_row_a_verdict(papers: Path, tmp_path: Path, api: str) -> None:
    store = tmp_path / "s"
    runs = [start(papers, store, "both") for _ in range(2)]
    assert [run.wait(240) for run in runs] == [0, 0]
    verdicts = pl.read_parquet(store / "tables/verdicts")
    assert verdicts.height == 40 * 9
    journaled = pl.concat(pl.read_parquet(path) for path in store.glob("journal/**/*-verdicts.parquet"))
    assert journaled.height == 40 * 9, "what one run does another waits for"
    assert not verdicts.select("paper_id", "variable").is_duplicated().any()
    assert pl.read_parquet(store / "tables/venue_statistics")["n_missing"].sum() == 0
