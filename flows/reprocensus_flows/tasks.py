"""Prefect's tasks: a shard here, a shard elsewhere, an edition's publication. Never a paper.

What the store fails at for a while is tried again with growing pauses; nothing else is, since a paper's
failure is a row and a wrong request stays wrong.
"""

import os
import time
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from reprocensus.census import Prepared, what_is_left
from reprocensus.claims import Claims
from reprocensus.errors import StoreError
from reprocensus.outcome import ShardReport
from reprocensus.plan import Shard
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.settings import Settings
from reprocensus.shard import process_shard
from reprocensus.tables import Tables
from reprocensus.workshop import Workshop
from reprocensus_flows.elsewhere import Done

#: Of a store's failures, those that waiting does not mend.
_FOR_GOOD = (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_JITTER = 0.5


@dataclass(frozen=True, slots=True)
class Floor:
    """What tasks of this process need and Prefect must not look into: it walks whatever a task is passed.

    `shop`: None where shards are worked on elsewhere.
    """

    prepared: Prepared
    tables: Tables
    shop: Workshop | None
    run_id: str
    shards: dict[str, Shard]
    editions: dict[str, Edition]
    claims: Claims
    left: Counter[str]


floor: ContextVar[Floor] = ContextVar("floor")


def transient(error: BaseException) -> bool:
    """Whether trying again may help: the store could not be reached, or was too busy."""
    if isinstance(error, StoreError):
        return not isinstance(error.__cause__, _FOR_GOOD)
    return isinstance(error, ConnectionError | TimeoutError)


def with_retries(what: Any, settings: Settings) -> Any:
    """The task with as many tries as the settings say."""
    return what.with_options(
        retries=settings.shard_retries,
        retry_delay_seconds=exponential_backoff(settings.shard_retry_delay_s),
        retry_jitter_factor=_JITTER if settings.shard_retry_delay_s else None,
        retry_condition_fn=_worth_another_try,
    )


def _worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    try:
        state.result()
    except Exception as error:
        return transient(error)
    return False


@task(task_run_name="shard {name}", cache_policy=NO_CACHE, persist_result=False)
def shard_task(name: str) -> ShardReport:
    """Fetches, extracts and judges one shard in this process."""
    here = floor.get()
    assert here.shop
    started = time.time()
    shard, prepared = here.shards[name], here.prepared
    if (runtime.task_run.run_count or 1) > 1:
        shard = what_is_left(
            shard, here.run_id, here.tables, prepared.judging, prepared.request, prepared.settings
        )
    report = process_shard(shard, here.shop)
    report.spans.append((started, time.time()))
    return report


@task(task_run_name="shard {name}", cache_policy=NO_CACHE, persist_result=False)
def distant_shard_task(name: str, order: bytes) -> Done:
    """Fetches, extracts and judges one shard wherever this runs, knowing no more than the order says."""
    from reprocensus_flows.elsewhere import carry_out

    started = time.time()
    done = carry_out(order, _threads_here())
    done.report.spans.append((started, time.time()))
    return done


@task(task_run_name="publish {name}", cache_policy=NO_CACHE, persist_result=False)
def publish_task(name: str) -> ShardReport:
    """Publishes one edition's tables and statistics."""
    here = floor.get()
    started = time.time()
    publish(here.tables, here.editions[name])
    if not here.left[name]:
        here.claims.give_back(here.editions[name])
    return ShardReport(spans=[(started, time.time())])


def _threads_here() -> int:
    """How many processes for extraction this Dask worker may start: as many as it was given threads."""
    from distributed import get_worker

    try:
        return int(get_worker().state.nthreads)
    except ValueError:
        return os.cpu_count() or 1
