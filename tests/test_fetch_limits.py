"""Limits of hosts across processes, measured at the server; and what happens when Prefect's API is away."""

import asyncio
import logging
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from conftest import make_pdf
from misbehaving import answer, serving
from reprocensus.fetch.limits import limit_for
from reprocensus.settings import HostLimit, Settings

WORKER = """
import sys
from reprocensus.fetch.blocking import BlockingClient
from reprocensus.settings import HostLimit, Settings
from reprocensus_flows.limits import PrefectLimiter

host, *urls = sys.argv[1:]
limits = {host: HostLimit(interval_s=0.5, at_once=2)}
settings = Settings(host_limits=limits, allow_private_hosts=True)
with BlockingClient(settings, PrefectLimiter(60)) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    for url in urls:
        assert client.get(url, accept="application/pdf").status == 200
"""


@pytest.mark.slow
def test_two_requests_a_second_hold_with_four_processes(api: str) -> None:
    with serving() as server:
        server.on("/robots.txt", answer(b"User-agent: *\nAllow: /\n"))
        host = server.url.removeprefix("http://")
        urls = [[server.on(f"/{w}-{n}", answer(make_pdf())) for n in range(5)] for w in range(4)]
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, host, *mine],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for mine in urls
        ]
        for worker in workers:
            assert worker.stdout and worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin
            print("go", file=worker.stdin, flush=True)
        for worker in workers:
            _, complaints = worker.communicate(timeout=120)
            assert worker.returncode == 0, complaints
            assert "does not answer" not in complaints
        times = server.times
    assert len(times) == 20
    in_a_second = [sum(start <= t < start + 1 for t in times) for start in times]
    assert max(in_a_second) <= 2, [round(b - a, 3) for a, b in pairwise(times)]
    # The limit holds, and is not far from being used: 0.55 s a request, and some for looking.
    assert (times[-1] - times[0]) / 19 < 1.2


def test_without_prefects_api_the_limit_holds_in_the_process_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from reprocensus_flows.limits import PrefectLimiter

    async def ask() -> list[float]:
        limiter = PrefectLimiter(60)
        times = []
        for _ in range(3):
            async with limiter.turn("h", HostLimit(interval_s=0.2, at_once=1)):
                times.append(time.monotonic())
        await limiter.aclose()
        return times

    away = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(away), caplog.at_level(logging.WARNING):
        times = asyncio.run(ask())
    assert min(b - a for a, b in pairwise(times)) > 0.19
    assert "within this process only" in caplog.text


def test_a_hosts_limit_is_the_most_particular_one_known() -> None:
    own = Settings(host_limits={"example.org": HostLimit(interval_s=9, at_once=1)}, fetch_interval_s=2)
    assert limit_for("papers.example.org", own).interval_s == 9
    assert limit_for("another.org", own).interval_s == 2
    assert limit_for("openreview.net", own).interval_s > limit_for("api2.openreview.net", own).interval_s > 1
    assert limit_for("export.arxiv.org", own).interval_s == 3
