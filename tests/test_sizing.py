"""What models cost a GPU, against numbers reckoned by hand and what a real model has of parameters."""

import json

import pytest

from conftest import Command
from reprocensus.schemas import load_serving
from reprocensus.sizing import Load, decode_bytes, estimate, floor, shared_flop, unshared_flop

SERVING = load_serving()
MODELS = {model.name: model for model in SERVING.models}
GPUS = {gpu.name: gpu for gpu in SERVING.gpus}
LOAD = Load()
#: An H100 as measured: TFLOP/s in bf16, TB/s.
H100 = 790, 3.35


@pytest.mark.parametrize(
    ("name", "shared", "unshared", "floors", "kv_gb"),
    [
        ("Llama-3.1-8B-Instruct", 272, 1914, (10_500, 6_000, 1_300), 1.6),
        ("Qwen3-30B-A3B-Instruct-2507", 171, 1148, (16_600, 8_700, 2_200), 1.2),
        ("Llama-3.3-70B-Instruct", 2380, 17_032, (1_200, 1_000, 160), 3.9),
    ],
)
def test_the_design_numbers(
    name: str, shared: float, unshared: float, floors: tuple[float, float, float], kv_gb: float
) -> None:
    """Of a 12k-token paper with nine questions of 300 tokens and answers of 60, as reckoned elsewhere."""
    model = MODELS[name]
    assert shared_flop(model, LOAD) / 1e12 == pytest.approx(shared, rel=0.005)
    assert unshared_flop(model, LOAD) / 1e12 == pytest.approx(unshared, rel=0.005)
    assert LOAD.paper * model.kv_bytes / 1e9 == pytest.approx(kv_gb, abs=0.05)
    found = floor(model, LOAD, *H100)
    told = (found.overlapped, found.one_after_the_other, found.unshared)
    assert told == pytest.approx(floors, rel=0.035)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Qwen3-4B-Instruct-2507", 4.02),
        ("Llama-3.1-8B-Instruct", 8.03),
        ("Qwen3-8B", 8.19),
        ("Qwen3-14B", 14.77),
        ("Qwen3-30B-A3B-Instruct-2507", 30.53),
        ("Qwen3-32B", 32.76),
        ("Llama-3.3-70B-Instruct", 70.55),
    ],
)
def test_parameters_are_those_that_the_models_have(name: str, billions: float) -> None:
    assert MODELS[name].parameters / 1e9 == pytest.approx(billions, rel=0.003)


def test_flop_by_hand() -> None:
    model = MODELS["Llama-3.1-8B-Instruct"]
    assert model.active_parameters == 32 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    assert model.attention_flop(10, 100) == 4 * 4096 * 32 * (10 * 100 + 50)
    assert decode_bytes(model, Load(100, 1, 10, 4)) == 4 * 112 * 131_072


def test_asking_one_variable_again_costs_most_of_asking_all() -> None:
    model = MODELS["Llama-3.1-8B-Instruct"]
    one = shared_flop(model, Load(questions=1))
    assert one / shared_flop(model, LOAD) == pytest.approx(0.78, abs=0.02)


def test_more_costs_more_and_what_does_not_fit_says_so() -> None:
    model, gpu = MODELS["Qwen3-8B"], GPUS["H100"]
    base = estimate(model, gpu, "bf16", LOAD, SERVING.assumed)
    longer = estimate(model, gpu, "bf16", Load(paper=24_000), SERVING.assumed)
    assert longer.expected < base.expected
    assert longer.usd_a_paper > base.usd_a_paper
    assert longer.papers_in_flight < base.papers_in_flight
    assert base.expected < base.floor.one_after_the_other <= base.floor.overlapped
    assert not estimate(MODELS["Llama-3.3-70B-Instruct"], gpu, "bf16", LOAD, SERVING.assumed).fits
    dearer = estimate(model, gpu, "bf16", LOAD, SERVING.assumed, price=10 * gpu.usd_an_hour)
    assert dearer.usd_a_paper == pytest.approx(10 * base.usd_a_paper)


def test_the_command(reprocensus: Command) -> None:
    found = json.loads(reprocensus("estimate", "--json").stdout)
    assert {e["gpu"]["memory_gb"] for e in found} == {24, 48, 80}
    assert all(e["papers_in_flight"] >= 2 for e in found)
    dear = json.loads(
        reprocensus("estimate", "--gpu", "h100", "--model", "8b", "--price", "6", "--json").stdout
    )
    assert {e["model"]["name"] for e in dear} == {"Llama-3.1-8B-Instruct", "Qwen3-8B"}
    done = reprocensus("estimate", "--gpu", "L4 ", "--model", "Qwen3-8B")
    assert done.returncode == 2
    assert "no GPU 'L4 '; known: L4" in done.stderr
    done = reprocensus("estimate", "--gpu", "h100", "--model", "Foo", "--model", "8b")
    assert (done.returncode, "no model 'Foo'; known: " in done.stderr) == (2, True)
    assert "GPU" not in done.stderr
    assert "does not fit" in reprocensus("estimate", "--all", "--model", "70B", "--gpu", "H100").stdout
