"""The vllm engine must feed several GPUs from one core, for as long as a run lasts."""

import pytest

from engine_overhead import measure, server


@pytest.mark.slow
def test_five_hundred_requests_a_second_of_processor_time_and_memory_that_stays() -> None:
    with server() as url:
        found = measure(url, requests=5_000, characters=1_000)
    assert found.per_core >= 500
    # What 5,000 requests leave behind; a kilobyte each would be 4 MiB over the last nine tenths.
    assert found.rss_mib[-1] - found.rss_mib[1] < 3
