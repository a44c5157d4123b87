"""What orchestration costs: the same stages over the same papers with Prefect, and without."""

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from conftest import Command
from reprocensus.census import prepare, started, workshop
from reprocensus.publish import publish
from reprocensus.request import RunRequest
from reprocensus.settings import load_settings
from reprocensus.shard import process_shard
from rows_of import rows_of

# Takes minutes. Seen over 241 papers: 1.5 %, and 0.7 to 1.2 % of a night on two workers.
pytestmark = [pytest.mark.endurance, pytest.mark.corpus]
MOST = 0.05


def stages_alone(request: RunRequest) -> None:
    """What a flow does, shard by shard and edition by edition, on as many threads, and nothing else."""
    settings = load_settings()
    prepared = prepare(request, settings)
    shards = list(prepared.plan.shards(prepared.shard_size))
    left = Counter(shard.edition for shard in shards)
    with started(prepared) as (run, _):
        made = (prepared.tables, prepared.judging, prepared.request, prepared.settings, run.run_id)
        with (
            workshop(*made, lambda stage, outcome, n: None) as shop,
            ThreadPoolExecutor(settings.shards_at_once) as threads,
        ):
            futures = {threads.submit(process_shard, shard, shop): shard for shard in shards}
            for future in as_completed(futures):
                future.result()
                left[futures[future].edition] -= 1
                if not left[futures[future].edition]:
                    threads.submit(publish, prepared.tables, futures[future].edition)
        run.save(prepared.tables, "completed")


def test_orchestration_costs_little(
    reprocensus: Command, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the run's own account, which other work on the machine does not disturb; the comparison is shown."""
    manifest = f"manifest:{shared / 'corpus' / 'manifest.jsonl'}"
    warm = reprocensus("run", manifest, "--store", str(tmp_path / "warm"), "--limit", "2", "--json")
    assert warm.returncode == 0, warm.stderr
    alone = measured(lambda: stages_alone(RunRequest(sources=(manifest,), store=str(tmp_path / "alone"))))
    told: list[str] = []
    flow = measured(
        lambda: told.append(reprocensus("run", manifest, "--store", str(tmp_path / "flow"), "--json").stdout)
    )
    summary = json.loads(told[0])
    n = summary["plan"]["papers"]
    share = 1 - summary["seconds_at_work"] / summary["seconds"]
    with capsys.disabled():
        print(
            f"\n{n} papers: alone {alone[0]:.1f} s ({alone[1]:.1f} s CPU), as a "
            f"flow {flow[0]:.1f} s ({flow[1]:.1f} s CPU), in which no stage was at work for "
            f"{summary['seconds'] - summary['seconds_at_work']:.1f} s, {100 * share:.1f} %"
        )
    assert rows_of(str(tmp_path / "flow"), load_settings()) == rows_of(
        str(tmp_path / "alone"), load_settings()
    )
    assert share <= MOST


def measured(what: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of this process' and its ended children's CPU."""
    before, began = _cpu(), time.monotonic()
    what()
    return time.monotonic() - began, _cpu() - before


def _cpu() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    mine = os.times()
    return mine.user + mine.system + ended.ru_utime + ended.ru_stime
