"""The arithmetic of gpu-check, and that it says plainly where it cannot run."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from conftest import ROOT
from gpu_check import Asked, as_markdown, summary
from reprocensus.sizing import Model

MODEL = Model("m", 100, 2, 4, 2, 25, 200, 1000)


def test_the_floor_reads_each_text_once() -> None:
    """Two papers with three and one questions; of the first, the cache had what it could."""
    text = [Asked("a", 0, 1000, 0, 10), Asked("a", 0, 1010, 960, 10), Asked("a", 0, 990, 960, 10)]
    best = summary([*text, Asked("b", 0, 500, 0, 10)], 2, 4, 2.0, MODEL, None)
    assert best.papers_an_hour == 3600
    assert (best.prompt_tokens, best.cached_tokens, best.output_tokens) == (3500, 1920, 40)
    assert best.cached_share == best.sharable_share == pytest.approx(1920 / 3500, abs=1e-4)
    assert best.fraction_of_floor is None
    rate = 1e-3
    worse = summary([text[0], text[1], Asked("a", 0, 990, 0, 10)], 1, 4, 2.0, MODEL, rate)
    assert worse.cached_share < worse.sharable_share
    assert worse.fraction_of_floor == pytest.approx(worse.floor_tflop / rate / 2, rel=1e-2)
    assert worse.done_tflop_s * 2 > worse.floor_tflop


@pytest.mark.parametrize("front_first", [True, False])
def test_texts_of_a_paper_share_the_instructions(front_first: bool) -> None:
    """Whichever comes first, nobody can do better than read them once."""
    front = Asked("a", 1, 200, 0 if front_first else 96, 10)
    body = [Asked("a", 0, 1000, 96 if front_first else 0, 10), *[Asked("a", 0, 1000, 960, 10)] * 2]
    for order in ([front, *body], [*body, front]):
        found = summary(order, 1, 4, 2.0, MODEL, None)
        assert found.cached_share == found.sharable_share == round((96 + 2 * 960) / 3200, 4)
    # Both at once: neither had them from the other, and nothing shows how long they are.
    apart = summary(
        [Asked("a", 1, 200, 0, 10), Asked("a", 0, 1000, 0, 10), *body[1:]], 1, 4, 2.0, MODEL, None
    )
    assert apart.sharable_share == apart.cached_share == round(2 * 960 / 3200, 4)


def test_the_report_names_what_is_not_known() -> None:
    row = summary([Asked("a", 0, 100, 0, 10)], 1, 1, 1.0, MODEL, None)
    report = {
        "model": "m",
        "device": "none",
        "sustained_tflop_s": None,
        "start_seconds": 1.0,
        "answer_tokens": 10,
        "server": {"software": "vllm 0", "dtype": "bfloat16"},
        "settings": [vars(row)],
    }
    text = as_markdown(report)
    assert "a rate that is not known" in text
    assert text.rstrip().endswith("| - |")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_where_there_is_no_vllm_it_says_so_and_ends_well() -> None:
    script = ROOT / "infra" / "vllm" / "gpu_check.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "gpu-check skipped: vLLM is not installed for this Python\n")
