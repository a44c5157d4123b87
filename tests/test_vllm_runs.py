"""Whole runs with the vllm engine before a server that is told what to answer: what is stored, asked,
counted.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from chat_server import Body, ChatServer, Told, chat_server, good, question_of
from conftest import PAPER, Command, make_pdf, write_manifest
from plain_run import plain_run
from reprocensus.cli.app import app
from reprocensus.errors import EngineLostError, UsageError

VARIABLES = 9
#: Long enough that several blocks of the server's prefix cache are shared.
LONG = PAPER.replace(
    "References", "\n".join(f"We also tell that turtle {n} walks on." for n in range(24)) + "\nReferences"
)


def papers(folder: Path, n: int) -> str:
    text = [LONG.replace("A Small Study", f"Study {k}") for k in range(n)]
    return f"manifest:{write_manifest(folder, [(f'TEST-2020/p{k}', make_pdf(text[k])) for k in range(n)])}"


def environment(server: ChatServer, **more: str) -> dict[str, str]:
    return {
        "REPROCENSUS_VLLM_URL": server.url,
        "REPROCENSUS_ENGINE": "vllm",
        "REPROCENSUS_VLLM_START_WAIT_S": "0",
        **{f"REPROCENSUS_{name.upper()}": value for name, value in more.items()},
    }


def summary(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(
    source: str,
    server: ChatServer,
    folder: Path,
    again: bool = False,
    limit: str | None = None,
    shard_size: int | None = None,
    **settings: str,
) -> dict[str, Any]:
    """A run without Prefect; its row in the table runs. Raises what ends it."""
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name, value in environment(server, **settings).items():
            patch.setenv(name, value)
        run_id = plain_run(source, retry_failed=again, limit=limit, shard_size=shard_size)
    found: dict[str, Any] = table(folder, "runs").filter(run_id=run_id).to_dicts()[0]
    return found


def cli(folder: Path, *arguments: str, **settings: str) -> Result:
    """A command, without Prefect."""
    with chdir(folder):
        return CliRunner().invoke(app, list(arguments), env=settings)


def table(folder: Path, name: str) -> pl.DataFrame:
    found = sorted((folder / "data" / "tables" / name).rglob("*.parquet"))
    return pl.concat([pl.read_parquet(p, hive_partitioning=False) for p in found])


def questions(server: ChatServer) -> list[Body]:
    return [body for body in server.bodies if "<paper>" in body["messages"][-1]["content"]]


def test_a_run_stores_verdicts_tokens_cost_and_what_judged(reprocensus: Command, tmp_path: Path) -> None:
    with chat_server() as server:
        env = environment(server, vllm_price_per_hour="2.5", vllm_revision="r1", vllm_gpu="Some GPU")
        before = server.prompt_tokens
        done = reprocensus("run", papers(tmp_path, 3), "--json", **env)
        assert done.returncode == 0, done.stderr
        verdicts, run = table(tmp_path, "verdicts"), table(tmp_path, "runs").to_dicts()[0]
        asked = questions(server)
    assert verdicts.height == len(asked) == 27
    assert (verdicts["needs_review"] == False).all()  # noqa: E712
    assert set(verdicts["quotes"].explode().struct.field("match")) == {"exact"}
    # What the check before the run used is the server's, and no part of the run.
    counted = sum(len(" ".join(m["content"] for m in b["messages"]).split()) for b in asked)
    assert run["prompt_tokens"] == verdicts["prompt_tokens"].sum() == counted
    assert server.prompt_tokens - before > counted
    assert run["cached_tokens"] == verdicts["cached_tokens"].sum() > 0
    assert run["output_tokens"] == verdicts["output_tokens"].sum() == 27 * 8
    assert run["prefix_hit_rate"] == pytest.approx(run["cached_tokens"] / run["prompt_tokens"])
    assert run["cost"] == pytest.approx(verdicts["cost"].sum())
    told, sampling = json.loads(run["server"]), json.loads(run["sampling"])
    assert run["cost"] == pytest.approx(told["busy_seconds"] * 2.5 / 3600, rel=0.05, abs=1e-6)
    assert (told["model"], told["revision"], told["software"]) == ("tiny", "r1", "vllm 0.0.test")
    assert told["gpus"] == ["Some GPU"]
    assert len(told["template_sha"]) == 64
    assert (sampling["temperature"], sampling["seed"], sampling["quoting"]) == (0.0, 0, "numbers")
    check_what_is_told_of_its_use(reprocensus, verdicts, run)
    # What a reader opens: the prompt and the question whole, as they were sent.
    sent = {(b["messages"][0]["content"], question_of(b).strip()) for b in asked}
    assert sent == {(p["prompt"], p["question"]) for p in run["prompts"]}


def check_what_is_told_of_its_use(reprocensus: Command, verdicts: pl.DataFrame, run: dict[str, Any]) -> None:
    """A verdict, a paper, a run: tokens and cost of each stand where one looks for them."""
    first = verdicts.row(0, named=True)
    whole = ("--store", "data")
    why = reprocensus("why", first["paper_id"], first["variable"], *whole).stdout
    assert f"{first['prompt_tokens']:,} prompt tokens ({first['cached_tokens']:,} cached)" in why
    assert why.rstrip().endswith(" USD")
    used = json.loads(reprocensus("runs", run["run_id"], "--papers", "--json", *whole).stdout)
    assert len(used) == 3
    for name in ("prompt_tokens", "cached_tokens", "output_tokens", "cost"):
        assert sum(row[name] for row in used) == pytest.approx(run[name])
    assert [row["cost"] for row in used] == sorted((row["cost"] for row in used), reverse=True)
    assert "TEST-2020/p0" in reprocensus("runs", run["run_id"], "--papers", *whole).stdout
    told = reprocensus("runs", run["run_id"], *whole).stdout
    assert f"tokens   {run['prompt_tokens']:,} prompt" in told
    assert "for a paper's 9" in told
    assert "of the tokens looked up were in the prefix cache" in told
    assert '"gpus": ["Some GPU"]' in told
    refused = reprocensus("runs", "--papers", *whole)
    assert refused.returncode == 2 and "runs RUN --papers" in refused.stderr


def test_nothing_is_asked_again_and_a_failure_is_kept(tmp_path: Path) -> None:
    def refuses_code(body: Body, n: int) -> Told:
        return Told(None, refusal="No.") if "release the code" in question_of(body) else good(body)

    with chat_server(refuses_code) as server:
        source = papers(tmp_path, 2)
        row = run(source, server, tmp_path)
        failures = table(tmp_path, "failures").select("variable", "kind", "transient", "stage", "engine")
        assert failures.unique().rows() == [("open_source_code", "refusal", False, "judge", "vllm")]
        asked = len(questions(server))
        assert asked == 2 * (VARIABLES - 1) + 2 * 3
        # Refusals used tokens too.
        assert row["prompt_tokens"] > table(tmp_path, "verdicts")["prompt_tokens"].sum()
        run(source, server, tmp_path)
        assert len(questions(server)) == asked
        server.answer = lambda body, n: good(body)
        run(source, server, tmp_path, again=True)
        assert len(questions(server)) == asked + 2
        assert table(tmp_path, "failures").is_empty()


def test_a_server_that_is_lost_ends_the_run_and_what_was_judged_stands(tmp_path: Path) -> None:
    with chat_server() as server:

        def dies(body: Body, n: int) -> Told:
            if n == 30:
                threading.Thread(target=server.stop).start()
            return Told(good(body).text, wait_s=0.2 if n >= 30 else 0)

        server.answer = dies
        source = papers(tmp_path, 6)
        with pytest.raises(EngineLostError, match="did not come back within 1 s"):
            run(source, server, tmp_path, vllm_wait_s="1", vllm_kv_tokens="1500")
        first = table(tmp_path, "runs")["run_id"][0]
        assert table(tmp_path, "runs")["status"].to_list() == ["failed"]
        asked = len(questions(server))
        server.answer = lambda body, n: good(body)
        server.start()
        run(source, server, tmp_path)
        verdicts = table(tmp_path, "verdicts")
        assert verdicts.height == 6 * VARIABLES
        kept = verdicts.filter(run_id=first).height
        assert kept > 0
        assert len(questions(server)) - asked == 6 * VARIABLES - kept


@pytest.mark.parametrize("seed", [1])
def test_a_run_killed_anywhere_asks_nothing_twice_that_was_stored_and_loses_nothing(
    tmp_path: Path, seed: int
) -> None:
    """Killed outright, again and again; papers one after the other, and verdicts journaled as they come."""
    rng = random.Random(seed)
    with chat_server(lambda body, n: Told(good(body).text, wait_s=0.05)) as server:
        env = environment(server, vllm_kv_tokens="700", journal_interval_s="0", workers="1")
        command = [sys.executable, str(Path(__file__).parent / "plain_run.py"), papers(tmp_path, 5)]
        asked_of_stored = 0
        for kill in range(4):
            stored, seen = journaled(tmp_path), len(server.bodies)
            process = subprocess.Popen(
                command, cwd=tmp_path, env={**os.environ, **env}, stdout=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            if kill < 3:
                wait_for(server, process, seen + 3 + rng.randrange(19, 26))
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(120)
            asked_of_stored += sum(asked_for(body) in stored for body in server.bodies[seen:])
    assert process.returncode == 0
    assert table(tmp_path, "verdicts").height == 5 * VARIABLES
    assert asked_of_stored == 0
    assert len(stored) > 0
    # What was under way when it was killed, and no more, is asked twice.
    twice = sum(n - 1 for n in Counter(map(asked_for, questions(server))).values())
    assert twice <= 3 * 3 * VARIABLES


def wait_for(server: ChatServer, process: "subprocess.Popen[bytes]", bodies: int) -> None:
    """Until the server was asked so often, or the process has ended."""
    end = time.monotonic() + 120
    while len(server.bodies) < bodies and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def asked_for(body: Body) -> tuple[str, str]:
    """The title of the paper and the question, as `journaled` has them."""
    content = body["messages"][-1]["content"]
    title = content.split("Study ", 1)[-1].split(" ", 1)[0] if "Study " in content else ""
    return f"TEST-2020/p{title}", question_of(body).strip()


def journaled(folder: Path) -> set[tuple[str, str]]:
    """The papers and questions whose verdicts stand in the journal."""
    from reprocensus.prompt import question
    from reprocensus.schemas import load_variables

    told = {v.name: question(v) for v in load_variables()}
    files = (folder / "data" / "journal").rglob("*-verdicts.parquet")
    rows = [row for path in files for row in pl.read_parquet(path, hive_partitioning=False).to_dicts()]
    return {(row["paper_id"], told[row["variable"]]) for row in rows}


@pytest.mark.slow
def test_extraction_waits_for_room_in_the_kv_cache(tmp_path: Path) -> None:
    """One paper fits; while it is answered, some wait that are read, and the rest is not read yet."""
    read: list[int] = []

    def slow(body: Body, n: int) -> Told:
        if "<paper>" in body["messages"][-1]["content"]:
            held.append(n)
            if len(held) == VARIABLES + 1:
                files = (tmp_path / "data" / "journal").rglob("*-documents.parquet")
                read.append(sum(pl.read_parquet(p, hive_partitioning=False).height for p in files))
            return Told(good(body).text, wait_s=5 if len(held) <= VARIABLES else 0)
        return good(body)

    held: list[int] = []
    with chat_server(slow) as server:
        source = papers(tmp_path, 20)
        run(
            source, server, tmp_path, shard_size=20, vllm_kv_tokens="1", journal_interval_s="0.3", workers="2"
        )
        assert table(tmp_path, "verdicts").height == 20 * VARIABLES
    # In flight one, waiting eight, and one in hand.
    assert 1 <= read[0] <= 11


def test_a_paper_longer_than_the_context_is_cut_and_flagged(tmp_path: Path) -> None:
    with chat_server(context=1024) as server:
        text = PAPER.replace(
            "References", "\n".join(["Turtles are slow and walk on and on."] * 55) + "\nReferences"
        )
        manifest = write_manifest(
            tmp_path, [("TEST-2020/long", make_pdf(text)), ("TEST-2020/short", make_pdf())]
        )
        run(f"manifest:{manifest}", server, tmp_path)
        cut = table(tmp_path, "verdicts").select("paper_id", "variable", "truncated")
        sent = [b["messages"][-1]["content"] for b in questions(server)]
    by_paper = cut.filter(pl.col("truncated"))
    assert set(by_paper["paper_id"]) == {"TEST-2020/long"}
    assert by_paper.height == VARIABLES - 1
    shown = {text.split("</paper>")[0] for text in sent if "[...]" in text.split("</paper>")[0]}
    assert len(shown) == 1
    assert "NVIDIA V100" in shown.pop()


def test_repeat_judges_a_sample_again_and_replaces_nothing(tmp_path: Path) -> None:
    with chat_server() as server:
        source, env = papers(tmp_path, 4), environment(server)
        first = run(source, server, tmp_path)["run_id"]
        before = table(tmp_path, "verdicts")
        asked = len(questions(server))

        def wavers(body: Body, n: int) -> Told:
            return good(body, "No") if "release the code" in question_of(body) else good(body)

        server.answer = wavers
        done = cli(tmp_path, "repeat", first, "--sample", "50%", "--json", **env)
        assert done.exit_code == 0, done.output
        found = summary(done)
        assert len(questions(server)) - asked == 2 * VARIABLES
        flips = {row["variable"]: (row["flipped"], row["n"]) for row in found["flips"]}
        assert flips.pop("open_source_code") == (2, 2)
        assert set(flips.values()) == {(0, 2)}
        assert table(tmp_path, "verdicts").equals(before)
        row = table(tmp_path, "repeats").to_dicts()[0]
        assert (row["repeated_run"], row["n_papers"], len(row["verdicts"])) == (first, 2, 2 * VARIABLES)
        other = cli(tmp_path, "repeat", first, **{**env, "REPROCENSUS_VLLM_SEED": "7"})
        assert isinstance(other.exception, UsageError)
        assert "set it up as it was" in str(other.exception)
        assert isinstance(cli(tmp_path, "repeat", "nonsense", **env).exception, UsageError)


def test_plan_forecasts_tokens_and_cost_first_reckoned_then_measured(tmp_path: Path) -> None:
    with chat_server() as server:
        env = environment(server, vllm_price_per_hour="2", vllm_tokens_per_s="1000")
        source = papers(tmp_path, 3)
        blind = summary(cli(tmp_path, "plan", source, "--json", **env))["forecast"]
        assert (blind["papers"], blind["verdicts"]) == (3, 27)
        assert "15,000 tokens a paper" in blind["tokens_from"]
        assert blind["cost"] == pytest.approx(2 * blind["hours"])
        run(source, server, tmp_path, limit="2", vllm_price_per_hour="2")
        seen = summary(cli(tmp_path, "plan", source, "--json", **env))["forecast"]
        verdicts = table(tmp_path, "verdicts")
        assert seen["tokens_from"] == "measured on 2 papers that it judged"
        assert seen["prompt_tokens"] == pytest.approx(verdicts["prompt_tokens"].sum() / 2, rel=0.05)
        assert seen["read_tokens"] < seen["prompt_tokens"] / 2
        assert seen["speed_from"].startswith("that of run ")
        told = cli(tmp_path, "plan", source, **env).stdout
        assert "US dollars" in told
    assert summary(cli(tmp_path, "plan", source, "--engine", "rules", "--json"))["forecast"] is None


def test_engines_says_what_can_judge_here_and_what_to_do(tmp_path: Path) -> None:
    with chat_server() as server:
        done = cli(tmp_path, "engines", "vllm", "--check", "--json", **environment(server))
        assert done.exit_code == 0
        checks = {c["name"]: c["ok"] for c in summary(done)["vllm"]["checks"]}
        assert checks == {
            "reachable": True,
            "model": True,
            "context": True,
            "structured outputs": True,
            "log probabilities": False,
            "prefix caching": True,
        }
        server.prefix_caching = False
        off = cli(tmp_path, "engines", "vllm", "--check", **environment(server))
        assert off.exit_code == 0
        assert "(no) prefix caching: off; papers will be read once a question" in off.stdout
        asked = server.asked
        assert cli(tmp_path, "engines", "--json", **environment(server)).exit_code == 0
        assert server.asked == asked
    gone = cli(tmp_path, "engines", "vllm", **environment(server))
    assert gone.exit_code == 1
    assert "cannot judge here" in gone.stdout
    assert "cannot be reached" in gone.stdout
    assert cli(tmp_path, "engines", "rules").stdout.startswith("rules: can judge here")
