"""The real vLLM with a tiny random model, on processors: `make test-vllm`. It talks nonsense."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conftest import ROOT, SAMPLES, SHARED, Command
from random_model import make_tiny_model
from reprocensus.engines import vllm as http
from reprocensus.engines import vllm_offline as offline
from reprocensus.llm.chat import ChatReply, ChatRequest
from test_flows import wait_for
from vllm_server import BLOCK, CONTEXT, ENVIRONMENT, KV_CACHE_BYTES, STRUCTURED, Server

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.timeout(1500)]

#: Of the corpus every so manieth paper, so that all kinds of venues are there: 25 of 241.
EVERY = 10


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model whose tokenizer has read our documentation."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    return make_tiny_model(tmp_path_factory.mktemp("tiny"), texts)


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    served = Server(tiny, tmp_path_factory.mktemp("serve") / "log")
    try:
        served.start()
        served.wait()
        yield served
    finally:
        served.kill()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of real papers: of the corpus where it is, else the samples."""
    listed = SHARED / "corpus" / "manifest.jsonl" if SHARED.exists() else SAMPLES
    lines = [json.loads(line) for line in listed.read_text("utf-8").splitlines()]
    chosen = lines[::EVERY] if len(lines) > 100 else lines
    for line in chosen:
        line["file"] = str(listed.parent / line["file"])
    manifest = tmp_path_factory.mktemp("papers") / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in chosen), "utf-8")
    return manifest


@pytest.fixture
def in_process(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of vllm-offline with the tiny model."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    engine = {
        "dtype": "bfloat16",
        "enforce_eager": True,
        "kv_cache_memory_bytes": KV_CACHE_BYTES,
        "block_size": BLOCK,
        "max_num_seqs": 32,
        "structured_outputs_config": json.loads(STRUCTURED),
    }
    return {
        "REPROCENSUS_VLLM_MODEL": str(tiny),
        "REPROCENSUS_VLLM_CONTEXT": str(CONTEXT),
        "REPROCENSUS_VLLM_ENGINE": json.dumps(engine),
    }


@dataclass
class Tap:
    """What an engine asked and what it got, in order. Without the checks that it makes as it starts."""

    asked: list[ChatRequest] = field(default_factory=list)
    replies: list[tuple[ChatRequest, ChatReply]] = field(default_factory=list)
    checks: list[ChatReply] = field(default_factory=list)
    on_reply: Callable[[int], None] = lambda _: None

    def on(self, patch: pytest.MonkeyPatch, backend: type[Any]) -> "Tap":
        complete = backend.complete

        async def tapped(this: Any, request: ChatRequest) -> ChatReply:
            check = request.session == "check"
            if not check:
                self.asked.append(request)
            reply: ChatReply = await complete(this, request)
            if check:
                self.checks.append(reply)
            else:
                self.replies.append((request, reply))
                self.on_reply(len(self.replies))
            return reply

        patch.setattr(backend, "complete", tapped)
        return self


def judged(store: Path) -> dict[tuple[str, str], str]:
    """Every outcome that a store holds, by paper and variable: a label, or the kind of the failure."""
    verdicts = pl.read_parquet(store / "tables/verdicts")
    failures = pl.read_parquet(store / "tables/failures").filter(stage="judge")
    rows = [*verdicts.select("paper_id", "variable", what="label").rows()]
    rows += failures.select("paper_id", "variable", what="kind").rows()
    found = {(paper, variable): what for paper, variable, what in rows}
    assert len(found) == len(rows), "an outcome stands twice"
    return found


def the_run(store: Path) -> dict[str, Any]:
    rows = pl.read_parquet(store / "tables/runs/*.parquet").sort("started_at").to_dicts()
    return rows[-1]


def check_outcomes(store: Path, tap: Tap, papers: Path) -> None:
    """Every question ended in a verdict with verified quotes or in a typed failure, and no other way."""
    import jsonschema

    documents = {row["paper_id"]: row for row in pl.read_parquet(store / "tables/documents").to_dicts()}
    assert len(documents) == len(papers.read_text().splitlines())
    outcomes = judged(store)
    assert len(outcomes) == 9 * len(documents)
    unfit = 0
    for request, reply in tap.replies:
        try:
            jsonschema.validate(json.loads(reply.text), request.schema)
        except (ValueError, jsonschema.ValidationError):
            unfit += 1
    kinds = Counter(what for what in outcomes.values() if what.islower() and what not in COMMON)
    assert set(kinds) <= {"length", "broken_json", "off_schema"}, kinds
    assert unfit == 0 or kinds, "a reply that obeys no schema became a verdict"
    for verdict in pl.read_parquet(store / "tables/verdicts").to_dicts():
        text = documents[verdict["paper_id"]]["text"]
        for quote in verdict["quotes"]:
            assert text[quote["start"] : quote["end"]] == quote["text"]
        assert verdict["label"] != "Yes" or verdict["quotes"]
    assert sum(reply.prompt_tokens > CONTEXT for _, reply in tap.replies) == 0


COMMON = {"unknown", "not_applicable"}


def sharable(tiny: Path, asked: list[ChatRequest]) -> int:
    """Tokens that a prefix cache of endless size could serve, in whole blocks, of requests in this order."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    held: set[int] = set()
    possible = 0
    for request in asked:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        prefixes, before = [], 0
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            before = hash((before, *ids[start : start + BLOCK]))
            prefixes.append(before)
        # The last token is always computed: its block is no hit where the prompt ends with it.
        usable = prefixes[: (len(ids) - 1) // BLOCK]
        hits = next((n for n, prefix in enumerate(usable) if prefix not in held), len(usable))
        possible += hits * BLOCK
        held.update(prefixes)
    return possible


def totals(replies: list[ChatReply]) -> dict[str, int]:
    return {
        "prompt_tokens": sum(reply.prompt_tokens for reply in replies),
        "generation_tokens": sum(reply.output_tokens for reply in replies),
        "prefix_cache_hits": sum(reply.cached_tokens or 0 for reply in replies),
    }


def check_accounts(store: Path, tap: Tap, tiny: Path) -> None:
    """The run's account is the sum of its replies, and the prefix cache did what it can do."""
    run, told = the_run(store), totals([reply for _, reply in tap.replies])
    assert run["prompt_tokens"] == told["prompt_tokens"] > 0
    assert run["output_tokens"] == told["generation_tokens"] > 0
    assert run["cached_tokens"] == told["prefix_cache_hits"]
    possible = sharable(tiny, tap.asked)
    assert possible > 0.5 * run["prompt_tokens"], "the papers' prefixes are hardly shared"
    print(f"\ncached {run['cached_tokens']} of {possible} possible, of {run['prompt_tokens']} prompt tokens")
    assert run["cached_tokens"] >= 0.8 * possible


def test_a_server_judges_real_papers(
    server: Server,
    tiny: Path,
    papers: Path,
    tmp_path: Path,
    reprocensus: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tap, before = Tap().on(monkeypatch, http.VllmServer), server.totals()
    done = reprocensus("run", f"manifest:{papers}", "--engine", "vllm", "--store", "s", **server.settings)
    assert done.returncode in (0, 1), done.stderr
    store = tmp_path / "s"
    check_outcomes(store, tap, papers)
    check_accounts(store, tap, tiny)
    after = server.totals()
    everything = totals([*(reply for _, reply in tap.replies), *tap.checks])
    assert {name: after[name] - before[name] for name in after} == everything


def test_a_model_in_process_judges_real_papers(
    in_process: dict[str, str],
    tiny: Path,
    papers: Path,
    tmp_path: Path,
    reprocensus: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tap = Tap().on(monkeypatch, offline.VllmModel)
    counted: list[Any] = []
    counters = offline.VllmModel.counters

    async def remembered(this: Any) -> Any:
        counted.append(await counters(this))
        return counted[-1]

    monkeypatch.setattr(offline.VllmModel, "counters", remembered)
    arguments = ["run", f"manifest:{papers}", "--engine", "vllm-offline", "--store", "s"]
    done = reprocensus(*arguments, **in_process)
    assert done.returncode in (0, 1), done.stderr
    store = tmp_path / "s"
    check_outcomes(store, tap, papers)
    check_accounts(store, tap, tiny)
    last, everything = counted[-1], totals([*(reply for _, reply in tap.replies), *tap.checks])
    assert last.prompt_tokens == everything["prompt_tokens"]
    assert last.output_tokens == everything["generation_tokens"]
    assert last.prefix_hits == everything["prefix_cache_hits"]


def test_engines_checks_the_server(server: Server, reprocensus: Command) -> None:
    done = reprocensus("engines", "vllm", "--check", "--json", **server.settings)
    assert done.returncode == 0, done.stderr
    found = {check["name"]: check for check in json.loads(done.stdout)["vllm"]["checks"]}
    for name in ("model", "context", "structured outputs", "log probabilities", "prefix caching"):
        assert found[name]["ok"], found[name]
    assert found["context"]["found"] == f"{CONTEXT} tokens"
    nobody = reprocensus("engines", "vllm", "--check", REPROCENSUS_VLLM_URL="http://127.0.0.1:9/v1")
    assert nobody.returncode == 1
    assert "cannot be reached" in nobody.stdout


def test_exact_asks_without_the_prefix_cache(
    server: Server, tmp_path: Path, reprocensus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's cache is on; each request has a part of it to itself."""
    tap = Tap().on(monkeypatch, http.VllmServer)
    arguments = ["run", f"manifest:{SAMPLES}", "--limit", "1", "--engine", "vllm", "--store", "s", "--exact"]
    done = reprocensus(*arguments, **server.settings)
    assert done.returncode in (0, 1), done.stderr
    assert the_run(tmp_path / "s")["cached_tokens"] == 0
    assert len(judged(tmp_path / "s")) == 9
    assert len({request.salt for request in tap.asked}) == len(tap.asked) >= 9


def test_what_is_asked_again_comes_out_the_same(server: Server, tmp_path: Path, reprocensus: Command) -> None:
    """Greedy, on processors: no label flips, though batches and cache hits differ."""
    arguments = ["run", f"manifest:{SAMPLES}", "--limit", "3", "--engine", "vllm", "--store", "s"]
    assert reprocensus(*arguments, **server.settings).returncode in (0, 1)
    run = the_run(tmp_path / "s")["run_id"]
    done = reprocensus("repeat", run, "--sample", "100%", "--store", "s", "--json", **server.settings)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n_papers"] == 3
    verdicts = pl.read_parquet(tmp_path / "s/tables/verdicts").height
    assert sum(row["n"] for row in found["flips"]) == verdicts > 0
    assert sum(row["flipped"] for row in found["flips"]) == 0


def test_a_server_that_dies_is_waited_for_when_it_is_back(
    server: Server, papers: Path, tmp_path: Path, reprocensus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed over a batch and started again: the run pauses, goes on, and nothing has failed for it."""

    def restart() -> None:
        server.kill()
        server.start()

    killer = threading.Thread(target=restart)
    tap = Tap(on_reply=lambda n: killer.start() if n == 40 else None).on(monkeypatch, http.VllmServer)
    arguments = ["run", f"manifest:{papers}", "--engine", "vllm", "--store", "s"]
    done = reprocensus(*arguments, **server.settings, REPROCENSUS_VLLM_WAIT_S="600")
    killer.join()
    server.wait()
    assert done.returncode in (0, 1), done.stderr
    check_outcomes(tmp_path / "s", tap, papers)
    assert len(tap.asked) > len(tap.replies), "nothing was under way when the server was killed"
    assert the_run(tmp_path / "s")["status"].startswith("completed")


def test_a_model_in_process_that_dies_is_started_again(
    in_process: dict[str, str], tmp_path: Path, reprocensus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        for child in active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    tap = Tap(on_reply=lambda n: kill() if n == 5 else None).on(monkeypatch, offline.VllmModel)
    arguments = ["run", f"manifest:{SAMPLES}", "--limit", "3", "--engine", "vllm-offline", "--store", "s"]
    done = reprocensus(*arguments, **in_process)
    assert done.returncode in (0, 1), done.stderr
    assert len(judged(tmp_path / "s")) == 3 * 9
    assert len(tap.asked) > len(tap.replies) >= 5


def test_no_model_outlives_a_run_that_is_killed(in_process: dict[str, str], tmp_path: Path, api: str) -> None:
    """A GPU whose memory a forgotten process holds is no good to the next run."""
    import psutil

    command = [sys.executable, "-m", "reprocensus", "run", f"manifest:{SAMPLES}", "--engine", "vllm-offline"]
    process = subprocess.Popen(
        [*command, "--store", str(tmp_path / "s")],
        env={**os.environ, **in_process},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run, started = psutil.Process(process.pid), list[Any]()

    def has_an_engine() -> bool:
        started[:] = run.children(recursive=True)
        # vLLM names its processes, and loses their environment by that.
        return any("EngineCor" in child.name() for child in started) or process.poll() is not None

    wait_for(has_an_engine, 600)
    process.kill()
    assert process.wait(30) == -signal.SIGKILL
    _, left = psutil.wait_procs(started, timeout=300)
    assert not left


def test_gpu_check_measures(tmp_path: Path) -> None:
    """On a processor with the tiny model, so that the script runs before it meets a GPU."""
    script, out = ROOT / "infra" / "vllm" / "gpu_check.py", tmp_path / "report"
    command = [
        sys.executable,
        str(script),
        "--cpu",
        "--papers",
        "4",
        "--at-once",
        "1",
        "4",
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [*command, "--answer", "20"],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads((out / "gpu-check.json").read_text("utf-8"))
    assert [row["papers_at_once"] for row in report["settings"]] == [1, 4]
    for row in report["settings"]:
        assert (row["papers"], row["requests"]) == (4, 4 * 9)
        assert row["output_tokens"] <= 20 * row["requests"]
        assert row["papers_an_hour"] == pytest.approx(3600 * 4 / row["seconds"], rel=0.01)
        assert row["sharable_share"] >= row["cached_share"] >= 0.8 * row["sharable_share"] > 0.5
    assert "| 4 |" in (out / "gpu-check.md").read_text("utf-8")
