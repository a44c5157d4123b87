"""The vllm engine must feed several GPUs from one core, for as long as a run lasts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_five_hundred_requests_a_second_of_processor_time_and_memory_that_stays() -> None:
    # A process of its own: in this one, threads and memory of the tests before would be counted, too.
    command = [sys.executable, str(Path(__file__).with_name("engine_overhead.py")), "--requests", "5000"]
    found = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    )
    assert found["requests"] >= 5_000
    assert found["per_core_second"] >= 500
    # What 5,000 requests leave behind; a kilobyte each would be 4 MiB over the last nine tenths.
    assert found["rss_mib"][-1] - found["rss_mib"][1] < 3
