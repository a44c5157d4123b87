"""What an operator asks for: what runs did, what failed, trying that again, and limits that stop a run."""

import json
import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from conftest import PAPER, Command, make_pdf, write_manifest
from reprocensus.errors import LimitReachedError, StoreError, UsageError
from reprocensus.history import failures_that_stand, one_run, retries
from reprocensus.logs import JsonLines
from reprocensus.outcome import ShardReport
from reprocensus.request import RunRequest
from reprocensus.settings import Settings, load_settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from reprocensus_flows.editions import chosen
from reprocensus_flows.parts import split
from reprocensus_flows.tasks import transient

N = 30


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two editions; of the second, every other PDF is no PDF."""
    papers: list[tuple[str, bytes | None]] = [(f"TEST-2020/p{n}", make_pdf(_text(n))) for n in range(3)]
    papers += [(f"TEST-2021/p{n}", b"no pdf" if n % 2 else make_pdf(_text(100 + n))) for n in range(N)]
    return write_manifest(tmp_path, papers)


def _text(n: int) -> str:
    return PAPER.replace("A Small", f"Study {n}: A Small")


def tables(tmp_path: Path) -> Tables:
    return Tables(open_storage(str(tmp_path / "s"), Settings()))


def test_runs_and_failures_are_told_and_tried_again(
    manifest: Path, tmp_path: Path, reprocensus: Command
) -> None:
    first = reprocensus("run", f"manifest:{manifest}", "--store", "s", "--json", "--variables", "pseudocode")
    assert first.returncode == 1
    run_id = json.loads(first.stdout)["run_id"]
    listed = json.loads(reprocensus("runs", "--store", "s", "--json").stdout)
    assert [row["run_id"] for row in listed] == [run_id]
    told = reprocensus("runs", run_id[-6:], "--store", "s").stdout
    assert run_id in told
    assert "completed_with_failures" in told
    assert f"{N // 2} failed" in told
    assert "pseudocode" in told
    failed = json.loads(reprocensus("failures", "--store", "s", "--json").stdout)
    assert len(failed) == N // 2
    assert {row["run_id"] for row in failed} == {run_id}
    (kind,) = {row["kind"] for row in failed}
    assert json.loads(reprocensus("failures", "--kind", "other", "--store", "s", "--json").stdout) == []
    assert "p1" in reprocensus("failures", "--kind", kind, "--store", "s").stdout
    for n in (1, 3):
        (tmp_path / f"TEST-2021/p{n}.pdf").write_bytes(make_pdf(_text(200 + n)))
    again = reprocensus("failures", "--kind", kind, "--retry", "--store", "s")
    assert again.returncode == 1
    assert len(json.loads(reprocensus("failures", "--store", "s", "--json").stdout)) == N // 2 - 2
    # Only the failed papers were looked at: the others' verdicts are the first run's.
    verdicts = tables(tmp_path).scan("verdicts").filter(year=2021)
    assert Counter(run == run_id for run in verdicts["run_id"]) == {True: N // 2, False: 2}


def test_a_run_keeps_full_paths_so_that_it_is_tried_again_from_any_folder(
    manifest: Path, tmp_path: Path, reprocensus: Command
) -> None:
    folder = tmp_path / "TEST-2022"
    folder.mkdir()
    (folder / "bad.pdf").write_bytes(b"no pdf")
    sources = (f"manifest:{manifest.relative_to(tmp_path)}", "dir:TEST-2022")
    asked = ("--edition", "TEST/2022", "--variables", "pseudocode", "--store", "s")
    assert reprocensus("run", *sources, *asked).returncode == 1
    (row,) = tables(tmp_path).read_rows("runs").to_dicts()
    settings = json.loads(row["settings"])
    assert settings["sources"] == [f"manifest:{manifest}", f"dir:{folder}"]
    assert settings["store"] == str(tmp_path / "s")
    told = reprocensus("runs", row["run_id"], "--store", "s")
    version = json.loads(reprocensus("runs", row["run_id"], "--store", "s", "--json").stdout)[
        "prompt_version"
    ]
    assert f"prompts  version {version}" in told.stdout
    planned = reprocensus("plan", *sources, "--variables", "pseudocode", "--store", "s")
    assert f"prompts     version {version}" in planned.stdout
    (folder / "bad.pdf").write_bytes(make_pdf(_text(300)))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = reprocensus("failures", "--retry", "--store", str(tmp_path / "s"), cwd=elsewhere)
    assert again.returncode == 0, again.stderr


def test_what_is_no_file_stays_as_it_was_asked() -> None:
    request = RunRequest(sources=("icml/2016",), store="s3://bucket/x", listing=("~/pages",)).whole()
    assert (request.sources, request.store) == (("icml/2016",), "s3://bucket/x")
    assert request.listing == (str(Path.home() / "pages"),)


def test_a_run_that_nobody_knows_is_said_so(manifest: Path, tmp_path: Path, reprocensus: Command) -> None:
    assert reprocensus("runs", "--store", "s").stdout.startswith("no runs")
    assert reprocensus("failures", "--store", "s").stdout.strip().endswith("/s, and no runs")
    reprocensus("run", f"manifest:{manifest}", "--store", "s", "--variables", "pseudocode")
    assert reprocensus("runs", "zzz", "--store", "s").returncode == 2
    with pytest.raises(UsageError, match="no run"):
        one_run(tables(tmp_path), "zzz")
    found = failures_that_stand(tables(tmp_path))
    (retry,) = retries(tables(tmp_path), found, ["no_pdf"])
    assert (retry.n_papers, retry.request.only_failed, retry.request.editions) == (
        N // 2,
        True,
        ("TEST/2021",),
    )
    for file in (tmp_path / "s" / "tables" / "runs").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match="table runs"):
        retries(tables(tmp_path), found)


def test_too_many_failures_stop_a_run_and_say_why(manifest: Path, tmp_path: Path, api: str) -> None:
    from reprocensus.census import prepare
    from reprocensus_flows.handover import run

    store = str(tmp_path / "s")
    request = RunRequest(
        sources=(f"manifest:{manifest}",),
        store=store,
        variables=("pseudocode",),
        shard_size=5,
        max_failed_share=0.3,
    )
    with pytest.raises(LimitReachedError, match=r"TEST 2021: \d+ of \d+ papers failed.*max_failed_share"):
        run(prepare(request, load_settings()), lambda stage, outcome, n: None)
    (row,) = tables(tmp_path).read_rows("runs").to_dicts()
    assert row["status"] == "failed"
    assert "max_failed_share" in row["message"]
    # What was done until then is published.
    assert tables(tmp_path).scan("papers").filter(year=2021).height >= 20
    assert tables(tmp_path).scan("verdicts").height > 3


def test_only_some_editions_of_a_source(manifest: Path, tmp_path: Path, api: str) -> None:
    from reprocensus.census import prepare

    def planned(*editions: str) -> int:
        request = RunRequest(sources=(f"manifest:{manifest}",), store=str(tmp_path / "s"), editions=editions)
        return prepare(request, load_settings()).plan.n_papers

    assert (planned(), planned("TEST/2020"), planned("test/2021", "TEST/2020")) == (N + 3, 3, N + 3)
    with pytest.raises(UsageError, match="TEST/1999"):
        planned("TEST/1999")
    prepared = prepare(
        RunRequest(sources=(f"manifest:{manifest}",), store=str(tmp_path / "s")), load_settings()
    )
    assert split(prepared, 5) == [("TEST/2021",), ("TEST/2020",)]
    assert split(prepared, 1) == [("TEST/2020", "TEST/2021")]


def test_editions_by_venue_and_years() -> None:
    assert chosen((), "ICML", (2016, 2017)) == ("icml/2016", "icml/2017")
    assert chosen(("icml/2016", "icml/2017", "aaai/2016", "manifest:/x"), "ICML", (2016,)) == (
        "icml/2016",
        "manifest:/x",
    )
    with pytest.raises(UsageError, match="name a venue"):
        chosen((), None, ())
    with pytest.raises(UsageError, match="nothing lists"):
        chosen(("icml/2016",), "AAAI", ())


def test_only_what_may_mend_itself_is_tried_again() -> None:
    def store_error(cause: Exception) -> StoreError:
        error = StoreError("the store")
        error.__cause__ = cause
        return error

    assert transient(store_error(ConnectionResetError()))
    assert transient(store_error(TimeoutError()))
    assert not transient(store_error(PermissionError()))
    assert not transient(store_error(NotADirectoryError()))
    assert not transient(ValueError())
    assert not transient(UsageError())


def test_seconds_at_work_counts_what_overlaps_once() -> None:
    assert ShardReport(spans=[(0, 2), (1, 3), (5, 6), (5.5, 5.7)]).seconds_at_work() == 4


def test_metrics_and_json_lines(manifest: Path, tmp_path: Path, reprocensus: Command) -> None:
    file = tmp_path / "census.prom"
    done = reprocensus(
        "run",
        f"manifest:{manifest}",
        "--store",
        "s",
        "--variables",
        "pseudocode",
        REPROCENSUS_METRICS_FILE=str(file),
        REPROCENSUS_LOG_FORMAT="json",
    )
    text = file.read_text()
    assert f"reprocensus_run_failed_papers {N // 2:.1f}" in text
    assert 'reprocensus_run_outcomes{outcome="done",stage="extract"}' in text
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    failed = [line for line in lines if line.get("stage")]
    assert {line["paper_id"] for line in failed} == {f"TEST-2021/p{n}" for n in range(1, N, 2)}
    assert any(line.get("status") == "completed_with_failures" for line in lines)
    record = logging.LogRecord("x", logging.INFO, "f", 1, "a %s", ("b",), None)
    assert json.loads(JsonLines().format(record))["message"] == "a b"
    logging.getLogger("reprocensus").handlers.clear()


def test_prefect_s_own_commands_understand_its_server(api: str, tmp_path: Path) -> None:
    """Its client sends what a newer FastAPI refuses, and from a shell is how an operator looks at runs."""
    command = [sys.executable, "-m", "prefect", "flow-run", "ls"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
