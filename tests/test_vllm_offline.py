"""What the engine in process says where it cannot run, and what it starts vLLM with. Needs no vLLM."""

import asyncio
from importlib.util import find_spec

import pytest

from reprocensus.engines import vllm_offline
from reprocensus.engines.vllm_offline import VllmModel, create, engine_arguments
from reprocensus.errors import EngineAwayError, EngineError
from reprocensus.llm.chat import FIXED, ChatRequest, Sampling
from reprocensus.settings import Settings

SETTINGS = Settings(vllm_model="somebody/model", vllm_context=4096)


def test_it_says_which_setting_it_lacks() -> None:
    with pytest.raises(EngineError, match="REPROCENSUS_VLLM_MODEL"):
        create(Settings())
    with pytest.raises(EngineError, match="REPROCENSUS_VLLM_CONTEXT"):
        create(Settings(vllm_model="somebody/model"))
    assert create(SETTINGS).model.startswith("somebody/model ")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_it_says_what_to_do() -> None:
    assert "pip install 'reprocensus[vllm]'" in vllm_offline.missing()
    with pytest.raises(EngineError, match="vLLM is not installed here"):
        asyncio.run(VllmModel(SETTINGS).start())


def test_asked_before_it_runs_it_is_away() -> None:
    request = ChatRequest(FIXED, {}, Sampling(), "s")
    with pytest.raises(EngineAwayError):
        asyncio.run(VllmModel(SETTINGS).complete(request))


def test_what_vllm_is_started_with() -> None:
    found = engine_arguments(SETTINGS)
    assert (found["model"], found["max_model_len"], found["seed"]) == ("somebody/model", 4096, 0)
    assert found["enable_prefix_caching"] is True
    assert found["structured_outputs_config"]["backend"] == "guidance"
    exact = engine_arguments(SETTINGS.model_copy(update={"vllm_exact": True}))
    assert exact["enable_prefix_caching"] is False
    own = engine_arguments(SETTINGS.model_copy(update={"vllm_engine": {"seed": 7, "block_size": 64}}))
    assert (own["seed"], own["block_size"]) == (7, 64)
