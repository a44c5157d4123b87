"""Where shards are worked on, by the setting `scale_out`: threads of this process, or a Dask cluster.

Extraction has processes of its own wherever a shard is worked on, so a thread a shard is enough here and a
Dask worker needs one thread for each of them.
"""

from contextlib import ExitStack
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from reprocensus.census import Prepared
from reprocensus.errors import UsageError
from reprocensus.settings import Settings

Runner = TaskRunner[Any]


def side_by_side(prepared: Prepared) -> int:
    """Shards side by side here; more than set where several hosts are fetched from: that is waiting."""
    hosts = len(prepared.plan.hosts)
    return max(prepared.settings.shards_at_once, min(hosts, prepared.settings.hosts_at_once))


def threads(prepared: Prepared) -> Runner:
    """Runs tasks in this process."""
    return ThreadPoolTaskRunner(max_workers=side_by_side(prepared))


def dask(settings: Settings, stack: ExitStack) -> tuple[Runner, int]:
    """A started runner for tasks on a Dask cluster, and how many of them to keep there; ends with the stack.

    Raises:
        UsageError: Dask is not installed, or the scheduler does not answer.
    """
    try:
        import dask.config
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise UsageError("SCALE_OUT=dask needs Dask: pip install 'reprocensus[dask]'") from error
    # Extraction starts processes, which Dask's workers may not unless told so.
    stack.enter_context(dask.config.set({"distributed.worker.daemon": False}))
    if settings.dask_scheduler:
        runner = DaskTaskRunner(address=settings.dask_scheduler)
    else:
        cluster = {"n_workers": settings.workers, "threads_per_worker": 1, "processes": True}
        runner = DaskTaskRunner(cluster_kwargs={**cluster, "dashboard_address": None})
    stack.enter_context(runner)
    try:
        processes = sum(runner.client.nthreads().values())  # type: ignore[no-untyped-call]
    except OSError as error:
        raise UsageError(
            f"no Dask scheduler answers at {settings.dask_scheduler} ({error}); start one with "
            "`dask scheduler`, or set DASK_SCHEDULER to its address"
        ) from error
    # One more for each worker to take up as soon as it is done with one.
    return runner, 2 * max(1, processes)
