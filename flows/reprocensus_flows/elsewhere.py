"""A shard that is worked on in another process or on another machine, such as a Dask worker.

It is sent as bytes, which Prefect does not look into. The other side opens the store and starts its own
worker processes, engine and fetcher by its own environment's settings, and keeps them for the run's next
shard. Credentials are not sent.
"""

import multiprocessing
import os
import pickle
import platform
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from reprocensus.census import settings_for, what_is_left, workshop
from reprocensus.engines import EngineDetails
from reprocensus.errors import FlowError
from reprocensus.outcome import ShardReport
from reprocensus.plan import Judging, Shard
from reprocensus.request import RunRequest
from reprocensus.settings import Settings, load_settings
from reprocensus.shard import process_shard
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from reprocensus.workshop import Workshop
from reprocensus_flows.limits import PrefectLimiter


@dataclass(frozen=True, slots=True)
class Order:
    """All that whoever works on a shard must be told. `fetches`: PDFs come from the network."""

    request: RunRequest
    judging: Judging
    run_id: str
    shard: Shard
    fetches: bool

    def packed(self) -> bytes:
        """As it is sent."""
        return pickle.dumps(self)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a shard, and what the engine that judged it, in the process `by`, can say by now."""

    report: ShardReport
    details: EngineDetails
    by: str


def carry_out(packed: bytes, workers: int) -> Done:
    """Works on the shard of an order, here, with so many processes for extraction.

    Raises:
        FlowError: worker processes cannot be started here.
        StoreError: the store cannot be read or written from here.
        EngineError: the engine cannot start here.
    """
    order: Order = pickle.loads(packed)
    with _bench(order, workers) as bench:
        shop = bench.shop
        shard = what_is_left(
            order.shard, order.run_id, shop.tables, order.judging, order.request, bench.settings
        )
        return Done(process_shard(shard, shop), shop.engine.details(), f"{platform.node()} {os.getpid()}")


def together(details: Collection[EngineDetails]) -> EngineDetails:
    """What the engines of several processes, the latest last, tell of the server that they share.

    They ask side by side: requests add up, and the longest time that one was busy is that of all.
    """
    *_, latest = details
    server = dict(latest.server)
    for name, of_all in (("requests", sum), ("kv_tokens_peak", sum), ("busy_seconds", max)):
        if name in server:
            server[name] = of_all(each.server.get(name, 0) for each in details)
    return replace(latest, server=server)


@dataclass(slots=True)
class _Bench:
    """What was started for a run in this process, and how many shards are being worked on with it."""

    shop: Workshop
    settings: Settings
    stack: ExitStack
    users: int = 0


_guard = threading.Lock()
_benches: dict[str, _Bench] = {}


@contextmanager
def _bench(order: Order, workers: int) -> Iterator[_Bench]:
    with _guard:
        # A run that nobody works for any more makes room.
        for run_id in [r for r, bench in _benches.items() if r != order.run_id and not bench.users]:
            _benches.pop(run_id).stack.close()
        bench = _benches.get(order.run_id) or _benches.setdefault(order.run_id, _start(order, workers))
        bench.users += 1
    try:
        yield bench
    finally:
        with _guard:
            bench.users -= 1


def _start(order: Order, workers: int) -> _Bench:
    if multiprocessing.current_process().daemon:
        raise FlowError(
            "this Dask worker may not start processes, and extraction needs some: start it with "
            "DASK_DISTRIBUTED__WORKER__DAEMON=False in its environment, or with --no-nanny"
        )
    settings = settings_for(order.request, load_settings()).model_copy(update={"workers": workers})
    tables = Tables(open_storage(order.request.store, settings))
    limiter = PrefectLimiter(settings.fetch_deadline_s) if order.fetches else None
    with ExitStack() as stack:
        shop = stack.enter_context(
            workshop(tables, order.judging, order.request, settings, order.run_id, _silent, limiter)
        )
        return _Bench(shop, settings, stack.pop_all())


def _silent(stage: str, outcome: str, n: int) -> None:
    """Progress is told by whoever sent the order, as shards come back."""
