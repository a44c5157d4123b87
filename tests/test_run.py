"""The command line from end to end, on small papers made here."""

import json
import os
import re
import sys
from pathlib import Path

import polars as pl
import pytest

from conftest import PAPER, SAMPLES, Command, make_pdf, write_manifest
from reprocensus.errors import SourceError
from reprocensus.records import COMMON_LABELS
from reprocensus.schemas import load_variables
from reprocensus.sources import SourceOptions, list_papers


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    papers = [
        ("TEST-2020/good", make_pdf()),
        ("TEST-2020/other", make_pdf(PAPER.replace("A Small Study", "Another Study"))),
        ("TEST-2021/broken", b"%PDF-1.7 nothing else"),
        ("TEST-2021/page", b"<!DOCTYPE html><html>login</html>"),
        ("TEST-2021/gone", None),
    ]
    return write_manifest(tmp_path, papers)


def table(store: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(store / "tables" / name, hive_partitioning=True)


def judged(store: Path, engine: str = "rules") -> dict[tuple[str, str], tuple[str, str]]:
    rows = (
        table(store, "verdicts")
        .filter(engine=engine)
        .select("paper_id", "variable", "label", "run_id")
        .rows()
    )
    return {(r[0], r[1]): (r[2], r[3]) for r in rows}


def test_a_run_judges_what_it_can_and_names_what_it_cannot(
    reprocensus: Command, manifest: Path, tmp_path: Path
) -> None:
    done = reprocensus("run", f"manifest:{manifest}", "--store", "s", "--json")
    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    assert summary["status"] == "completed_with_failures"
    verdicts = table(tmp_path / "s", "verdicts")
    assert verdicts.height == 18
    allowed = {v.name: v.all_labels for v in load_variables()}
    assert all(row["label"] in allowed[row["variable"]] for row in verdicts.iter_rows(named=True))
    failures = {r["paper_id"]: (r["stage"], r["kind"]) for r in table(tmp_path / "s", "failures").to_dicts()}
    assert failures["TEST-2021/page"] == ("fetch", "html")
    assert failures["TEST-2021/gone"] == ("fetch", "not_found")
    assert failures["TEST-2021/broken"][0] == "extract"
    assert table(tmp_path / "s", "papers").height == 5
    statistics = table(tmp_path / "s", "venue_statistics")
    assert statistics.filter(year=2020, variable="open_source_code")["n_yes"].to_list() == [2]
    assert statistics.filter(year=2021)["n_missing"].to_list() == [3] * 9

    again = reprocensus("run", f"manifest:{manifest}", "--store", "s")
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout
    assert "--retry-failed" in again.stdout
    assert table(tmp_path / "s", "runs").height == 1

    mended = tmp_path / "TEST-2021/gone.pdf"
    mended.write_bytes(make_pdf(PAPER.replace("A Small", "A Found")))
    planned = json.loads(reprocensus("plan", f"manifest:{manifest}", "--store", "s", "--json").stdout)
    assert (planned["fetch"], planned["judge"]) == (1, 9)
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s").returncode == 0
    assert set(table(tmp_path / "s", "failures")["paper_id"]) == {"TEST-2021/page", "TEST-2021/broken"}

    retried = reprocensus("run", f"manifest:{manifest}", "--store", "s", "--retry-failed")
    assert retried.returncode == 1
    assert table(tmp_path / "s", "failures")["attempts"].to_list() == [2, 2]
    assert table(tmp_path / "s", "verdicts").height == 27


def test_why_plan_stats_and_variables_answer(reprocensus: Command, manifest: Path) -> None:
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s", "--limit", "2").returncode == 0
    why = reprocensus("why", "good", "hardware_specification", "--store", "s")
    assert why.returncode == 0, why.stderr
    assert "NVIDIA V100" in why.stdout
    assert "page 1" in why.stdout
    told = json.loads(
        reprocensus("why", "TEST-2020/good", "open_source_code", "--store", "s", "--json").stdout
    )
    assert told["label"] == "Yes"
    assert "github.com/nowhere/numbers" in told["quotes"][0]["text"]
    assert told["run"]["run_id"] == told["run_id"]
    stats = json.loads(reprocensus("stats", "--by", "venue", "--store", "s", "--json").stdout)
    assert [(g["venue"], g["n_papers"]) for g in stats] == [("TEST", 2)]
    assert "TEST" in reprocensus("stats", "--store", "s").stdout
    names = [v["name"] for v in json.loads(reprocensus("variables", "--json").stdout)]
    assert names == [v.name for v in load_variables()]
    assert len(names) == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "manifest:none.jsonl"], "none.jsonl"),
        (["run", "nonsense"], "unknown source"),
        (["run", "nosuch/2016"], "nosuch"),
        (["run", "dir:.", "--venue", "X"], "--year"),
        (["run", "--engine", "magic", "dir:.", "--venue", "X", "--year", "2020"], "known: "),
        (["run", "--variables", "luck", "dir:.", "--venue", "X", "--year", "2020"], "unknown variable"),
        (["run"], "SOURCE"),
        (["why", "nobody", "pseudocode"], "no paper"),
        (["why", "nobody", "luck"], "unknown variable"),
        (["stats"], "no papers yet"),
        (["stats", "--by", "moon"], "moon"),
        (["stats", "--compare", "", ""], "is no edition, venue or year"),
        (["stats", "--store", "x" * 5000], "a store is a folder"),
        (["tables", "--store", str(SAMPLES)], "is a file; a store is a folder"),
        (["failures", "--store", "~nobody-is-called-so/x"], "a store is a folder"),
        (["failures", "--stage", "moon"], "list, fetch, extract, judge"),
        (["runs", "--limit", "9" * 30], "--limit"),
        (["maintain", "--grace-hours", "inf"], "--grace-hours"),
        (["maintain", "--keep-days", "1e300"], "--keep-days"),
        (["site", "serve", "--port", "99999"], "--port"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_exits_2(
    reprocensus: Command, arguments: list[str], words: str
) -> None:
    done = reprocensus(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_before_anything_began_is_told_in_words(
    reprocensus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "reprocensus.cli.app", Interrupted())
    done = reprocensus("stats")
    assert (done.returncode, done.stderr) == (130, "reprocensus: interrupted\n")


def test_some_editions_by_the_command_line(reprocensus: Command) -> None:
    """The limit is of the papers of the editions that are asked for, not of what the manifest has first."""

    def planned(*options: str) -> int:
        done = reprocensus("plan", f"manifest:{SAMPLES}", *options, "--json")
        assert done.returncode == 0, done.stderr
        return int(json.loads(done.stdout)["papers"])

    everything = planned()
    assert planned("--edition", "acl/2018") == 1
    assert planned("--edition", "ACL/2018", "--edition", "MIDL/2023") == 2
    assert planned("--edition", "MIDL/2023", "--limit", "1") == 1
    assert everything > 2
    wrong = reprocensus("plan", f"manifest:{SAMPLES}", "--edition", "ACL/1918")
    assert wrong.returncode == 2
    assert "ACL/1918" in wrong.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["plan"], ["why"], ["stats"], ["variables"]])
def test_help_is_everywhere(reprocensus: Command, command: list[str]) -> None:
    done = reprocensus(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_help_names_the_settings_that_its_defaults_come_from(reprocensus: Command) -> None:
    for command in ("run", "plan"):
        told = " ".join(re.sub("[│╭╰─]", " ", reprocensus(command, "--help").stdout).split())
        for setting in ("STORE", "ENGINE", "WORKERS", "SHARD_SIZE"):
            assert f"REPROCENSUS_{setting}" in told, setting
    assert "REPROCENSUS_STORE" in reprocensus("list", "--help").stdout
    assert "[[" not in reprocensus("engines", "--help").stdout


def test_a_limit_counts_papers_that_are_done(reprocensus: Command) -> None:
    asked = (f"manifest:{SAMPLES}", "--limit", "2", "--variables", "pseudocode", "--json")
    assert reprocensus("run", *asked).returncode == 0
    planned = json.loads(reprocensus("plan", *asked).stdout)
    assert (planned["papers"], planned["done"]) == (2, 2)


def test_a_folder_of_pdfs_takes_titles_from_page_one(reprocensus: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pdfs" / "sub"
    folder.mkdir(parents=True)
    (folder / "Ä paper.PDF").write_bytes(make_pdf())
    (folder / "ä-paper.pdf").write_bytes(make_pdf(PAPER.replace("A Small Study", "One More Study")))
    (folder / "notes.txt").write_text("no paper")
    done = reprocensus("run", "dir:pdfs", "--venue", "My Venue", "--year", "2020", "--store", "s")
    assert done.returncode == 0, done.stderr
    papers = table(tmp_path / "s", "papers")
    assert sorted(papers["title"]) == ["A Small Study of Numbers", "One More Study of Numbers"]
    assert papers["venue"].unique().to_list() == ["My Venue"]
    assert papers["paper_id"].is_unique().all()
    assert (
        "nothing to do"
        in reprocensus("run", "dir:pdfs", "--venue", "My Venue", "--year", "2020", "--store", "s").stdout
    )


def test_a_corrected_pdf_is_judged_again_and_a_moved_one_is_not(reprocensus: Command, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, [("TEST-2020/p", make_pdf())])
    run = ("run", f"manifest:{manifest}", "--store", "s")
    assert reprocensus(*run).returncode == 0
    first = judged(tmp_path / "s")
    pdf = tmp_path / "TEST-2020/p.pdf"
    pdf.write_bytes(pdf.read_bytes() + b"\n%%EOF\n")
    assert reprocensus(*run).returncode == 0
    assert judged(tmp_path / "s") == first, "the text is the same, so are the verdicts"
    pdf.write_bytes(make_pdf(PAPER.replace("single NVIDIA V100 GPU", "machine")))
    assert reprocensus(*run).returncode == 0
    second = judged(tmp_path / "s")
    assert len(second) == 9
    assert {r for _, r in second.values()} != {r for _, r in first.values()}
    assert second["TEST-2020/p", "hardware_specification"][0] == "No"
    pdf.write_bytes(make_pdf())
    back = json.loads(reprocensus(*run, "--json").stdout)
    assert {"stage": "judge", "outcome": "taken_over", "n": 9} in back["counts"]
    assert judged(tmp_path / "s") == first, "this very text was judged before"


def test_engines_stand_side_by_side(reprocensus: Command, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, [("TEST-2020/p", make_pdf())])
    run = ("run", f"manifest:{manifest}", "--store", "s", "--json")
    assert reprocensus(*run).returncode == 0
    first = judged(tmp_path / "s")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"pseudocode": {"label": "Yes", "quote": "@first"}}))
    faked = reprocensus(*run, "--engine", "fake", REPROCENSUS_FAKE_ANSWERS=str(script))
    assert faked.returncode == 0, faked.stderr
    assert judged(tmp_path / "s", "fake")["TEST-2020/p", "pseudocode"][0] == "Yes"
    assert judged(tmp_path / "s") == first
    assert json.loads(reprocensus(*run).stdout)["status"] == "nothing_to_do"


def test_an_unfounded_yes_becomes_unknown_and_errors_never_become_labels(
    reprocensus: Command, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path, [("TEST-2020/p", make_pdf())])
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps(
            {
                "pseudocode": {"label": "Yes", "quote": "words that stand nowhere"},
                "open_datasets": {"label": "Yes"},
                "open_source_code": {"label": "Perhaps"},
                "dataset_splits": {"error": "refused", "transient": True},
            }
        )
    )
    run = ("run", f"manifest:{manifest}", "--store", "s", "--engine", "fake")
    assert reprocensus(*run, REPROCENSUS_FAKE_ANSWERS=str(script)).returncode == 1
    rows = {r["variable"]: r for r in table(tmp_path / "s", "verdicts").to_dicts()}
    for name in ("pseudocode", "open_datasets"):
        assert (rows[name]["label"], rows[name]["needs_review"], rows[name]["quotes"]) == (
            "unknown",
            True,
            [],
        )
    failures = {r["variable"]: r["kind"] for r in table(tmp_path / "s", "failures").to_dicts()}
    assert failures == {"open_source_code": "bad_label", "dataset_splits": "refused"}
    assert not set(rows) & set(failures)
    assert set(COMMON_LABELS) >= {r["label"] for r in rows.values()}


def test_some_variables_alone(reprocensus: Command, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, [("TEST-2020/p", make_pdf())])
    run = ("run", f"manifest:{manifest}", "--store", "s", "--variables")
    assert reprocensus(*run, "open_datasets, pseudocode").returncode == 0
    assert {v for _, v in judged(tmp_path / "s")} == {"open_datasets", "pseudocode"}
    planned = reprocensus("plan", f"manifest:{manifest}", "--store", "s", "--json")
    assert json.loads(planned.stdout)["judge"] == 7


def test_plan_writes_nothing(reprocensus: Command, manifest: Path, tmp_path: Path) -> None:
    done = reprocensus("plan", f"manifest:{manifest}", "--store", "s")
    assert done.returncode == 0
    assert "to judge    45 verdicts" in done.stdout
    assert not (tmp_path / "s").exists()


def test_the_run_is_recorded_whole(reprocensus: Command, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, [("TEST-2020/p", make_pdf())])
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s").returncode == 0
    (run,) = table(tmp_path / "s", "runs").to_dicts()
    assert run["status"] == "completed"
    assert run["finished_at"] > run["started_at"]
    assert len(run["prompts"]) == 9
    assert all(p["question"] and len(p["prompt_sha"]) == 64 for p in run["prompts"])
    assert json.loads(run["settings"])["sources"] == [f"manifest:{manifest}"]
    assert {"python", "pymupdf", "reprocensus"} <= set(json.loads(run["software"]))
    assert {(c["stage"], c["outcome"]) for c in run["counts"]} >= {("fetch", "done"), ("extract", "done")}


def test_the_same_store_on_s3(reprocensus: Command, tmp_path: Path, s3_server: dict[str, str]) -> None:
    store = "s3://census/run"
    run = ("run", f"manifest:{SAMPLES}", "--limit", "2", "--store", store)
    done = reprocensus(*run, **s3_server)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in reprocensus(*run, **s3_server).stdout
    stats = json.loads(reprocensus("stats", "--store", store, "--json", **s3_server).stdout)
    assert sum(group["n_papers"] for group in stats) == 2


def test_odd_papers_fail_alone(reprocensus: Command, tmp_path: Path) -> None:
    manifest = write_manifest(
        tmp_path, [("TEST-2020/good", make_pdf()), ("TEST-2020/odd [b] %41 ü\u2028", make_pdf())]
    )
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "folder.pdf").mkdir()
    (tmp_path / "loop.pdf").symlink_to(tmp_path / "loop.pdf")
    lines = [
        {
            "id": f"odd-{n}",
            "title": title,
            "venue": "T %41 ü",
            "year": 2020,
            "file": file,
            "authors": ["\ud800 A"],
        }
        for n, (title, file) in enumerate(
            [
                ("[bold]t[/]", "pipe.pdf"),
                (None, "folder.pdf"),
                ("\ud800", "loop.pdf"),
                ("t", "/dev/zero"),
                ("t", "a\u0000b.pdf"),
                ("t", "x" * 300),
                ("[/] end", "TEST-2020/good.pdf"),
            ]
        )
    ]
    with manifest.open("a") as file:
        file.write("\r\n".join(json.dumps(line) for line in lines))
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())
    done = reprocensus("run", f"manifest:{manifest}", "--store", "s", "--json")
    assert done.returncode == 1, done.stderr
    assert table(tmp_path / "s", "verdicts").height == 27
    failures = {row["paper_id"]: row["kind"] for row in json.loads(done.stdout)["failures"]}
    assert set(failures) == {f"odd-{n}" for n in range(6)}
    assert failures["odd-0"] == failures["odd-1"] == failures["odd-3"] == "not_a_file"
    why = reprocensus("why", "odd-6", "pseudocode", "--store", "s")
    assert "[/] end" in why.stdout
    assert "T %41 ü" in reprocensus("stats", "--store", "s").stdout
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s").returncode == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "a"}', "venue: is missing"),
        ('{"id": "a", "venue": "V", "year": "soon", "file": "x"}', "not 'soon'"),
        ('{"id": "a", "venue": "V", "year": 2020}', "no file and no official_url"),
        ('{"id": "a", "venue": "../V", "year": 2020, "file": "x"}', "folder name"),
        ("[" * 100_000, "no JSON"),
        ("nonsense", "no JSON"),
        (
            '{"id": "g", "venue": "V", "year": 2020, "file": "x"}\n'
            '{"id": "g", "venue": "V", "year": 2020, "file": "y"}',
            "twice",
        ),
    ],
)
def test_a_wrong_manifest_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "m.jsonl").write_text(line)
    with pytest.raises(SourceError, match=re.escape(words)):
        list_papers([f"manifest:{tmp_path}/m.jsonl"], SourceOptions())
