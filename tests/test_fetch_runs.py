"""Runs over papers from a server: nothing is asked twice, what changed is noticed, a kill costs nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from conftest import PAPER, Command, make_pdf
from misbehaving import Ask, Server, Writer, answer, serving

QUICK = {
    "REPROCENSUS_ALLOW_PRIVATE_HOSTS": "true",
    "REPROCENSUS_FETCH_INTERVAL_S": "0",
    "REPROCENSUS_FETCH_BACKOFF_S": "0.05",
    "REPROCENSUS_WORKERS": "1",
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def serve_pdf(server: Server, name: str, data: bytes) -> None:
    """Serves a PDF with an ETag, and 304 to who has it."""
    tag = f'"{hash(data)}"'

    async def play(ask: Ask, writer: Writer) -> None:
        held = ask.headers.get("if-none-match") == tag
        writer.write(
            answer(b"", "304 Not Modified", Content_Length="", ETag=tag) if held else answer(data, ETag=tag)
        )

    server.on(f"/{name}.pdf", play)


def manifest(folder: Path, server: Server, names: list[str]) -> Path:
    """A manifest of papers on the server."""
    lines = [
        {
            "id": f"NET-2020/{n}",
            "title": n,
            "venue": "NET",
            "year": 2020,
            "official_url": f"{server.url}/{n}.pdf",
        }
        for n in names
    ]
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def table(store: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(store / "tables" / name, hive_partitioning=True)


def counts(summary: str) -> dict[tuple[str, str], int]:
    return {(c["stage"], c["outcome"]): c["n"] for c in json.loads(summary)["counts"]}


@pytest.mark.slow
def test_an_address_is_asked_again_in_time_and_a_corrected_pdf_judged_again(
    reprocensus: Command, server: Server, tmp_path: Path
) -> None:
    for name in ("same", "mended", "gone"):
        serve_pdf(server, name, make_pdf(PAPER.replace("Numbers", name)))
    papers = manifest(tmp_path, server, ["same", "mended", "gone"])
    run = ("run", f"manifest:{papers}", "--store", "s", "--json")
    first = reprocensus(*run, **QUICK)
    assert first.returncode == 0, first.stderr
    asked = dict(server.asked)
    assert asked == {"/robots.txt": 1, "/same.pdf": 1, "/mended.pdf": 1, "/gone.pdf": 1}
    again = reprocensus(*run, **QUICK)
    assert json.loads(again.stdout)["status"] == "nothing_to_do"
    assert dict(server.asked) == asked
    seen = {row["paper_id"]: row for row in table(tmp_path / "s", "pdfs").to_dicts()}

    serve_pdf(server, "mended", make_pdf(PAPER.replace("single NVIDIA V100 GPU", "machine")))
    server.on("/gone.pdf", answer(b"", "404 Not Found"))
    checked = reprocensus(*run, "--recheck", **QUICK)
    assert checked.returncode == 1, checked.stderr
    assert counts(checked.stdout)["fetch", "unchanged"] == 1
    assert counts(checked.stdout)["fetch", "done"] == 1
    verdicts = table(tmp_path / "s", "verdicts")
    assert verdicts.height == 27, "what stood stands, although one paper is gone"
    assert (
        verdicts.filter(paper_id="NET-2020/mended", variable="hardware_specification")["label"].item() == "No"
    )
    (failure,) = table(tmp_path / "s", "failures").to_dicts()
    assert (failure["paper_id"], failure["kind"]) == ("NET-2020/gone", "not_found")
    pdfs = table(tmp_path / "s", "pdfs")
    assert pdfs.filter(paper_id="NET-2020/mended").height == 2
    (same,) = pdfs.filter(paper_id="NET-2020/same").to_dicts()
    assert same["first_seen"] == seen["NET-2020/same"]["first_seen"]
    assert same["last_checked"] > seen["NET-2020/same"]["last_checked"]
    assert json.loads(reprocensus(*run, **QUICK).stdout)["status"] == "nothing_to_do"

    serve_pdf(server, "gone", make_pdf(PAPER.replace("Numbers", "gone")))
    back = reprocensus(*run, "--recheck", "--retry-failed", **QUICK)
    assert back.returncode == 0, back.stderr
    assert table(tmp_path / "s", "failures").is_empty()


@pytest.mark.slow
def test_a_run_killed_while_it_waits_for_a_slow_host_fetches_nothing_twice(
    reprocensus: Command, server: Server, tmp_path: Path
) -> None:
    names = [f"p{n}" for n in range(8)]
    for name in names:
        serve_pdf(server, name, make_pdf(PAPER.replace("Numbers", name)))
    papers = manifest(tmp_path, server, names)
    slow = {"REPROCENSUS_FETCH_INTERVAL_S": "1.5", "REPROCENSUS_JOURNAL_INTERVAL_S": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "reprocensus", "run", f"manifest:{papers}", "--store", str(tmp_path / "s")],
        env={**os.environ, **QUICK, **slow},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "s").rglob("journal/**/*-pdfs.parquet"))) < 3:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    done = reprocensus("run", f"manifest:{papers}", "--store", "s", **QUICK)
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "s", "verdicts").height == 8 * 9
    twice = [path for path, n in server.asked.items() if n > 1 and path != "/robots.txt"]
    assert len(twice) <= 1, "only one that was under way when it was killed may be"


@pytest.mark.slow
def test_an_interrupt_ends_a_run_that_waits_for_a_slow_host(api: str, server: Server, tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(4)]
    for name in names:
        serve_pdf(server, name, make_pdf(PAPER.replace("Numbers", name)))
    papers = manifest(tmp_path, server, names)
    process = subprocess.Popen(
        [sys.executable, "-m", "reprocensus", "run", f"manifest:{papers}", "--store", str(tmp_path / "s")],
        env={**os.environ, **QUICK, "REPROCENSUS_FETCH_INTERVAL_S": "600"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not server.asked:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert pl.read_parquet(tmp_path / "s/tables/runs/*.parquet")["status"].to_list() == ["interrupted"]
