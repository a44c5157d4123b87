"""What a run is asked to keep to: a model, the time of a shard, and an end where nothing can be finished."""

import asyncio
import json
from pathlib import Path

import pytest

from chat_server import chat_server
from conftest import PAPER, Command, make_pdf, write_manifest
from plain_run import plain_run
from reprocensus.census import prepare
from reprocensus.engines import EngineDetails
from reprocensus.engines.fake import FakeEngine
from reprocensus.errors import EngineError, StoreError, UsageError
from reprocensus.request import RunRequest
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from reprocensus_flows import tasks
from reprocensus_flows.elsewhere import together

EACH = 6


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two editions of six papers."""
    texts = [PAPER.replace("A Small", f"Study {n}: A Small") for n in range(2 * EACH)]
    return write_manifest(
        tmp_path, [(f"TEST-{2020 + n // EACH}/p{n}", make_pdf(t)) for n, t in enumerate(texts)]
    )


def tables(tmp_path: Path) -> Tables:
    return Tables(open_storage(str(tmp_path / "s"), Settings()))


def test_a_run_asks_for_a_model(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request's wins over the settings', whose revision is not the other's; no engine takes any name."""
    with chat_server() as server:
        monkeypatch.setenv("REPROCENSUS_VLLM_URL", server.url)
        monkeypatch.setenv("REPROCENSUS_VLLM_START_WAIT_S", "0")
        monkeypatch.setenv("REPROCENSUS_VLLM_MODEL", "usual")
        monkeypatch.setenv("REPROCENSUS_VLLM_REVISION", "r7")
        monkeypatch.setenv("REPROCENSUS_STORE", str(tmp_path / "s"))
        request = RunRequest(sources=(f"manifest:{manifest}",), store=str(tmp_path / "s"), engine="vllm")

        def model(name: str | None) -> str:
            return prepare(request.model_copy(update={"model": name}), Settings()).judging.model

        assert model("tiny").startswith("tiny ")
        with pytest.raises(EngineError, match="not usual"):
            model(None)
        with pytest.raises(EngineError, match="not absent"):
            model("absent")
        plain_run(f"manifest:{manifest}", engine="vllm", model="tiny", variables=("pseudocode",))
        assert {body["model"] for body in server.bodies} == {"tiny"}
    with pytest.raises(UsageError, match=r"engine rules has the model .*, not tiny"):
        prepare(request.model_copy(update={"engine": "rules", "model": "tiny"}), Settings())


def test_what_copied_quotes_judged_is_not_asked_again(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat_server() as server:
        monkeypatch.setenv("REPROCENSUS_VLLM_URL", server.url)
        monkeypatch.setenv("REPROCENSUS_VLLM_QUOTING", "text")
        monkeypatch.setenv("REPROCENSUS_STORE", str(tmp_path / "s"))
        plain_run(f"manifest:{manifest}", engine="vllm")
        request = RunRequest(sources=(f"manifest:{manifest}",), store=str(tmp_path / "s"), engine="vllm")
        assert not prepare(request, Settings()).anything


def test_a_shard_that_hangs_is_left_and_the_others_go_on(
    manifest: Path, tmp_path: Path, reprocensus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = FakeEngine.ask

    async def hang(self: FakeEngine, document: object, variables: object, begun: object) -> object:
        if document.paper_id.endswith("/p1"):  # type: ignore[attr-defined]
            await asyncio.sleep(600)
        return await asked(self, document, variables, begun)  # type: ignore[arg-type]

    arguments = (
        "run",
        f"manifest:{manifest}",
        "--store",
        "s",
        "--engine",
        "fake",
        "--variables",
        "pseudocode",
    )
    with monkeypatch.context() as patch:
        patch.setattr(FakeEngine, "ask", hang)
        done = reprocensus(*arguments, "--shard-size", "2", REPROCENSUS_SHARD_TIMEOUT_S="8")
    assert done.returncode != 0
    assert "TEST 2020, shard 0000" in done.stderr
    assert "REPROCENSUS_SHARD_TIMEOUT_S" in done.stderr
    (row,) = tables(tmp_path).read_rows("runs").to_dicts()
    assert row["status"] == "failed"
    assert "ShardTimeoutError" in row["message"]
    # All was extracted, and all but the paper that hangs was judged and published.
    assert tables(tmp_path).scan("documents").height == 2 * EACH
    left = 2 * EACH - tables(tmp_path).scan("verdicts").height
    assert left == 1
    again = reprocensus(*arguments, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["plan"]["judge"] == left
    assert tables(tmp_path).scan("verdicts").height == 2 * EACH


def test_a_run_that_can_finish_nothing_ends(
    manifest: Path, tmp_path: Path, reprocensus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away must not be tried for every shard of a night in turn."""
    tried = []

    def lost(shard: object, shop: object) -> object:
        tried.append(shard)
        raise StoreError("the store is away")

    arguments = ("run", f"manifest:{manifest}", "--store", "s", "--shard-size", "1")
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "process_shard", lost)
        done = reprocensus(*arguments, REPROCENSUS_SHARD_RETRIES="0", REPROCENSUS_SHARDS_AT_ONCE="1")
    assert done.returncode != 0
    assert "the store is away" in done.stderr
    assert len(tried) <= 5
    (row,) = tables(tmp_path).read_rows("runs").to_dicts()
    assert "the last 3 shards could not be finished" in row["message"]
    assert reprocensus(*arguments).returncode == 0


def test_what_engines_elsewhere_tell_is_put_together() -> None:
    one = EngineDetails({"requests": 3, "busy_seconds": 2.0, "software": "x"}, {"seed": 0}, 0.5)
    two = EngineDetails({"requests": 4, "busy_seconds": 1.0, "software": "x"}, {"seed": 0}, 0.6)
    assert together([one, two]) == EngineDetails(
        {"requests": 7, "busy_seconds": 2.0, "software": "x"}, {"seed": 0}, 0.6
    )
    assert together([EngineDetails()]) == EngineDetails()
