"""Limits of hosts that hold across processes and machines: those that share a Prefect API.

A host has two global concurrency limits there: its rate, one slot that decays after the host's interval, and
its places, slots that are given back when a request ends. They are made when the host is first asked, from
what the run's settings say.

Prefect's own `rate_limit` waits by being refused, and every refusal starts the slot's decay anew: with
several processes waiting for one host its rate falls far below the limit. So a slot is taken only once it has
been seen free. A process that is killed gives nothing back; its place decays when its download would have
had to end. Leases would do that too, but the temporary API keeps them in a memory that ends with it.
"""

import asyncio
import logging
import random
import re
from time import monotonic

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import ObjectAlreadyExists, PrefectException
from typing_extensions import override

from reprocensus.fetch.limits import LocalLimiter
from reprocensus.settings import HostLimit

_log = logging.getLogger(__name__)
#: So much longer than a host's interval is the pause in fact: requests must not come closer on their way.
_MARGIN = 1.1
#: Pauses between two looks at a slot, as a share of the interval, and their bounds in seconds.
_LOOK_SHARE, _LOOK_LEAST_S, _LOOK_MOST_S = 0.1, 0.05, 5.0
#: An API that did not answer is not asked again for so long.
_AWAY_S = 60.0
_LOCKED = 423


class PrefectLimiter(LocalLimiter):
    """Keeps to a host's limit within this process, and across all that share a Prefect API.

    `deadline_s` is the longest time of one download. Where the API is away, the limit within this process
    still holds, and the log says so. Made where Prefect's settings apply, used on one event loop.
    """

    def __init__(self, deadline_s: float) -> None:
        super().__init__()
        self._deadline_s = deadline_s
        self._client = get_client()
        self._entered: PrefectClient | None = None
        self._entering = asyncio.Lock()
        self._made: dict[str, HostLimit] = {}
        self._placed: dict[str, int] = {}
        self._away_until = 0.0

    @override
    async def permit(self, host: str, limit: HostLimit) -> None:
        """Waits for a place and for the host's next turn among all processes."""
        if monotonic() < self._away_until:
            return
        try:
            client = await self._ready()
            await self._make(client, host, limit)
            await self._take(client, _places(host), 0.5)
            self._placed[host] = self._placed.get(host, 0) + 1
            await self._take(client, _rate(host), limit.interval_s)
        except (httpx.HTTPError, PrefectException, OSError) as error:
            self._miss(error)

    @override
    async def release(self, host: str) -> None:
        """Gives the place back."""
        if not self._placed.get(host):
            return
        self._placed[host] -= 1
        try:
            client = await self._ready()
            await client.release_concurrency_slots([_places(host)], 1, occupancy_seconds=0.1)
        except (httpx.HTTPError, PrefectException, OSError) as error:
            self._miss(error)

    @override
    async def aclose(self) -> None:
        """Gives back the places that are still held, and closes the connection to the API."""
        for host, n in self._placed.items():
            for _ in range(n):
                await self.release(host)
        if self._entered is not None:
            await self._client.__aexit__(None, None, None)
            self._entered = None

    async def _ready(self) -> PrefectClient:
        async with self._entering:
            if self._entered is None:
                self._entered = await self._client.__aenter__()
            return self._entered

    async def _make(self, client: PrefectClient, host: str, limit: HostLimit) -> None:
        """Makes the host's limits as they are wanted here; of two runs that disagree the later decides."""
        if self._made.get(host) == limit:
            return
        # A pause of nothing is no rate, but Prefect needs one.
        decay = 1 / (max(limit.interval_s, 0.001) * _MARGIN)
        for name, slots, per_second in (
            (_rate(host), 1, decay),
            (_places(host), limit.at_once, 1 / self._deadline_s),
        ):
            try:
                await client.upsert_global_concurrency_limit_by_name(name, slots, per_second)
            except ObjectAlreadyExists:
                # Another process made it in between.
                await client.upsert_global_concurrency_limit_by_name(name, slots, per_second)
        self._made[host] = limit

    async def _take(self, client: PrefectClient, name: str, interval_s: float) -> None:
        pause = min(max(interval_s * _LOOK_SHARE, _LOOK_LEAST_S), _LOOK_MOST_S)
        while True:
            seen = await client.read_global_concurrency_limit_by_name(name)
            if seen.active_slots < seen.limit:
                try:
                    await client.increment_concurrency_slots([name], 1, "rate_limit")
                    return
                except httpx.HTTPStatusError as error:
                    if error.response.status_code != _LOCKED:
                        raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    def _miss(self, error: Exception) -> None:
        self._away_until = monotonic() + _AWAY_S
        self._made.clear()
        _log.warning(
            "Prefect's API does not answer (%s): for %.0f s hosts' limits hold within this process only",
            f"{type(error).__name__}: {error}".splitlines()[0],
            _AWAY_S,
        )


def _rate(host: str) -> str:
    return f"reprocensus rate {_plain(host)}"


def _places(host: str) -> str:
    return f"reprocensus places {_plain(host)}"


def _plain(host: str) -> str:
    """The host in characters that Prefect takes in a name."""
    return re.sub(r"[^A-Za-z0-9.:-]", "_", host)
