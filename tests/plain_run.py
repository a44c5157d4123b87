"""Runs what a flow runs, shard after shard, without Prefect: it starts in a tenth of the time.

python tests/plain_run.py SOURCE [--retry-failed]
"""

import sys

from reprocensus.census import prepare, started, workshop
from reprocensus.outcome import ShardReport
from reprocensus.publish import publish
from reprocensus.request import RunRequest
from reprocensus.settings import load_settings
from reprocensus.shard import process_shard


def plain_run(source: str, **request: object) -> str:
    """Brings the store of the settings up to date; the run's id."""
    settings = load_settings()
    asked = {"sources": (source,), "engine": settings.engine, "store": settings.store, **request}
    prepared = prepare(RunRequest.model_validate(asked), settings)
    for edition in prepared.unpublished:
        publish(prepared.tables, edition)
    report, status = ShardReport(), "failed"
    told = (lambda stage, outcome, n: None,)
    with started(prepared) as (run, _):
        made = prepared.tables, prepared.judging, prepared.request, prepared.settings, run.run_id
        with workshop(*made, *told) as shop:
            try:
                for shard in prepared.plan.shards(prepared.request.shard_size or 3):
                    report.add(process_shard(shard, shop))
                status = "completed"
            finally:
                for edition in prepared.editions:
                    publish(prepared.tables, edition)
                run.save(prepared.tables, status, report, None, shop.engine.details())
    return run.run_id


if __name__ == "__main__":
    plain_run(sys.argv[1], retry_failed="--retry-failed" in sys.argv)
