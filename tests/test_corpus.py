"""The main job on the real papers beside the checkout."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conftest import ROOT
from reprocensus.audit.measures import calibration_error, levels
from reprocensus.evidence import page_at
from reprocensus.extract.failures import KINDS as EXTRACT_KINDS
from reprocensus.keys import digest
from reprocensus.rows import document_of
from reprocensus.schemas import load_variables
from rules_measure import agreement, judged, pairs, print_agreement

pytestmark = [pytest.mark.corpus, pytest.mark.slow]
VOLATILE = ("run_id", "judged_at", "recorded_at")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "reprocensus", *arguments]


def run(source: str, store: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("run", source, "--store", str(store), "--json", *arguments),
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


def verdicts(store: Path) -> pl.DataFrame:
    frame = pl.read_parquet(store / "tables" / "verdicts")
    return frame.drop(VOLATILE).sort("paper_id", "variable")


def failures(store: Path) -> list[dict[str, Any]]:
    folder = store / "tables" / "failures"
    return pl.read_parquet(folder).to_dicts() if folder.exists() else []


@pytest.fixture(scope="module")
def census(shared: Path, tmp_path_factory: pytest.TempPathFactory, api: str) -> Path:
    """All papers of the shared manifest, judged."""
    store = tmp_path_factory.mktemp("census")
    done = run(f"manifest:{shared}/corpus/manifest.jsonl", store)
    assert done.returncode in (0, 1), done.stderr
    return store


def test_every_paper_ends_with_nine_verdicts_or_a_failure(census: Path, shared: Path) -> None:
    lines = (shared / "corpus" / "manifest.jsonl").read_text().splitlines()
    ids = {json.loads(line)["id"] for line in lines}
    names = {v.name for v in load_variables()}
    judged: dict[str, set[str]] = {}
    for paper_id, variable in verdicts(census).select("paper_id", "variable").rows():
        assert variable not in judged.setdefault(paper_id, set()), "judged twice"
        judged[paper_id].add(variable)
    failed = {row["paper_id"] for row in failures(census)}
    assert set(judged) | failed == ids
    assert {paper_id for paper_id, found in judged.items() if found != names} <= failed


def test_every_quote_stands_in_the_stored_text_on_its_page(census: Path) -> None:
    documents = {
        row["paper_id"]: row for row in pl.read_parquet(census / "tables" / "documents").iter_rows(named=True)
    }
    checked = 0
    for verdict in pl.read_parquet(census / "tables" / "verdicts").iter_rows(named=True):
        document = documents[verdict["paper_id"]]
        assert verdict["text_sha256"] == document["text_sha256"] == digest(document["text"])
        for quote in verdict["quotes"]:
            assert document["text"][quote["start"] : quote["end"]] == quote["text"] != ""
            assert quote["page"] == page_at(document["page_starts"], quote["start"])
            assert 1 <= quote["page"] <= document["n_pages"]
            checked += 1
    assert checked > 1000


def test_quotes_stand_on_that_page_of_the_pdf(census: Path) -> None:
    import pymupdf

    documents = {
        row["paper_id"]: row["pdf_sha256"]
        for row in pl.read_parquet(census / "tables" / "documents").iter_rows(named=True)
    }
    rows = pl.read_parquet(census / "tables" / "verdicts").iter_rows(named=True)
    quotes = [(row["paper_id"], quote) for row in rows for quote in row["quotes"]]
    found = 0
    chosen = random.Random(7).sample(quotes, 300)
    for paper_id, quote in chosen:
        with pymupdf.open(  # type: ignore[no-untyped-call]
            census / "objects" / "pdf" / f"{documents[paper_id]}.pdf"
        ) as pdf:
            pages = [pdf[n].get_text() for n in range(quote["page"] - 1, min(quote["page"] + 1, len(pdf)))]
        found += _letters(quote["text"]) in _letters("".join(pages))
    # A footnote or a formula may stand within the sentence in MuPDF's own order.
    assert found >= 0.93 * len(chosen)


def _letters(text: str) -> str:
    import unicodedata

    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isascii() and c.isalpha())


def test_agreement_with_the_labels_of_the_existing_census(
    census: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prints the README's figures. `not_applicable` counts as No, which is all the labels know.

    Each variable is at least as often right as the better of two baselines.
    """
    lines = (shared / "corpus" / "labels.jsonl").read_text().splitlines()
    labels = {line["id"]: line["labels"] for line in map(json.loads, lines)}
    rows = pl.read_parquet(census / "tables" / "documents").filter(pl.col("paper_id").is_in(list(labels)))
    papers = [(document_of(row), labels[row["paper_id"]]) for row in rows.iter_rows(named=True)]
    variables = load_variables()
    found = judged(papers, variables)
    ours = {(p, v): label for p, v, label in verdicts(census).select("paper_id", "variable", "label").rows()}
    assert all(answer.label == ours[p.paper_id, name] for p in found for name, answer in p.answers.items())
    with capsys.disabled():
        print_agreement(found, variables)
    for chosen in ([p for p in found if p.half == 1], found):
        measured = {v.name: agreement(chosen, v) for v in variables}
        assert sum(same for same, *_ in measured.values()) / len(variables) >= 0.90
        assert sum(kappa for _, kappa, *_ in measured.values()) / len(variables) >= 0.70
    for name, (same, _, commonest, naive) in measured.items():
        assert same >= max(commonest, naive), f"{name}: a baseline is right more often"
    pooled = [pair for variable in variables for pair in pairs(found, variable) if pair.confidence]
    assert (calibration_error(levels(pooled)) or 0) < 0.05


def test_again_does_nothing_and_says_so_in_seconds(census: Path, shared: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in census.rglob("*.parquet")}
    started = time.monotonic()
    done = run(f"manifest:{shared}/corpus/manifest.jsonl", census)
    assert time.monotonic() - started < 15
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "nothing_to_do"
    assert {p: p.stat().st_mtime_ns for p in census.rglob("*.parquet")} == before


def test_killed_at_random_it_ends_the_same(census: Path, shared: Path, tmp_path: Path) -> None:
    """Kills the run, and with it nothing else, at three points drawn from a recorded seed."""
    chance = random.Random(20261121)
    source, store = f"manifest:{shared}/corpus/manifest.jsonl", tmp_path / "store"
    arguments = ("--limit", "60", "--shard-size", "7")
    for _ in range(3):
        process = subprocess.Popen(
            command("run", source, "--store", str(store), *arguments), cwd=ROOT, stderr=subprocess.DEVNULL
        )
        journal = len(list(store.glob("journal/**/*.parquet")))
        deadline = time.monotonic() + 120
        # The clock starts when the run has begun to write, so that every kill meets work in progress.
        while len(list(store.glob("journal/**/*.parquet"))) <= journal and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 6))
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(2)
    assert not _workers_of(process.pid)
    done = run(source, store, *arguments)
    assert done.returncode in (0, 1), done.stderr
    assert verdicts(store).height == 60 * 9 - sum(9 for f in failures(store) if f["stage"] != "judge")
    alone = verdicts(census).filter(pl.col("paper_id").is_in(verdicts(store)["paper_id"].unique().to_list()))
    assert verdicts(store).equals(alone)
    journaled = pl.concat([pl.read_parquet(p) for p in store.glob("journal/**/*-verdicts.parquet")])
    assert not journaled.select("paper_id", "variable").is_duplicated().any(), "judged twice"
    assert not list((store / "tmp").iterdir())
    statuses = pl.read_parquet(store / "tables" / "runs" / "*.parquet")["status"].to_list()
    assert sorted(set(statuses)) in (["completed", "interrupted"], ["completed_with_failures", "interrupted"])


def _workers_of(owner: int) -> list[int]:
    """Processes that still name a dead run as their owner."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if "forkserver" in words and str(owner) in words:
                found.append(int(process.name))
    return found


def test_hostile_files_end_as_their_kind(shared: Path, tmp_path: Path, api: str) -> None:
    started = time.monotonic()
    folder = shared / "corpus" / "hostile"
    done = run(f"dir:{folder}", tmp_path, "--venue", "HOSTILE", "--year", "2026")
    assert time.monotonic() - started < 240
    assert done.returncode == 1, done.stderr
    papers = set(pl.read_parquet(tmp_path / "tables" / "papers")["paper_id"])
    assert len(papers) == 45
    failed = {row["paper_id"].split("/")[1]: row for row in failures(tmp_path)}
    judged = {p.split("/")[1] for p in verdicts(tmp_path)["paper_id"].unique()}
    assert {p.split("/")[1] for p in papers} == set(failed) | judged
    assert not set(failed) & judged
    fetch_kinds = {"empty", "html", "gzip", "not_pdf"}
    assert {row["kind"] for row in failed.values()} <= fetch_kinds | set(EXTRACT_KINDS)
    expected = {
        "password": "encrypted", "html_served": "html", "gzip_body": "gzip", "pdfplumber_empty": "empty",
        "ocr_test_rotated": "no_text", "edgar_image": "no_text", "truncated_1kib": "no_pages",
    }  # fmt: skip
    for part, kind in expected.items():
        names = [name for name in failed if part in name and "owner" not in name]
        assert names, part
        assert {failed[name]["kind"] for name in names} == {kind}
    for part in ("junk_prefix", "two_column", "gyllenberg", "owner_password"):
        assert any(part in name for name in judged), part
