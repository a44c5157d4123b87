"""How often one host is asked, and by how many at once.

`hosts.toml` holds what is known of some hosts; the setting `host_limits` overrides it, and a longer
`Crawl-delay` in robots.txt overrides both. A `Limiter` makes requests keep to a limit: `LocalLimiter` within
this process, flows' own across all processes and machines that share a Prefect API.
"""

import asyncio
import random
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib.resources import files
from time import monotonic
from typing import Protocol

from reprocensus.settings import HostLimit, Settings

#: A pause is up to so much longer, by chance, so that requests fall into no rhythm.
_JITTER = 0.1


class Limiter(Protocol):
    """Lets requests to a host pass one after the other, at its pace."""

    def turn(self, host: str, limit: HostLimit) -> AbstractAsyncContextManager[None]:
        """Waits for the host's next turn; the request is made, and its body read, inside."""

    async def aclose(self) -> None:
        """Gives back what the limiter holds."""


class LocalLimiter:
    """Keeps to a host's limit within this process. One event loop may use it.

    A subclass may ask others for `permit` too: it is asked for one request of a host at a time.
    """

    def __init__(self) -> None:
        self._gates: dict[str, _Gate] = {}

    @asynccontextmanager
    async def turn(self, host: str, limit: HostLimit) -> AsyncIterator[None]:
        """Waits for the host's next turn; the request is made, and its body read, inside."""
        gate = self._gates.setdefault(host, _Gate(limit.at_once))
        async with gate.places:
            async with gate.order:
                await asyncio.sleep(max(0.0, gate.next_at - monotonic()))
                await self.permit(host, limit)
                gate.next_at = monotonic() + limit.interval_s * random.uniform(1, 1 + _JITTER)
            try:
                yield
            finally:
                await self.release(host)

    async def permit(self, host: str, limit: HostLimit) -> None:
        """Waits until others who ask the same host let this process ask."""

    async def release(self, host: str) -> None:
        """Tells them that the request has ended."""

    async def aclose(self) -> None:
        """Gives back what the limiter holds: nothing here."""


class _Gate:
    """Where the requests to one host queue."""

    def __init__(self, at_once: int) -> None:
        self.places = asyncio.Semaphore(at_once)
        self.order = asyncio.Lock()
        self.next_at = 0.0


def limit_for(host: str, settings: Settings) -> HostLimit:
    """The host's limit: as set, else as known of it or of a domain above it, else the default."""
    for known in (settings.host_limits, _bundled()):
        name = host
        while name:
            if name in known:
                return known[name]
            name = name.partition(".")[2]
    return HostLimit(interval_s=settings.fetch_interval_s)


@cache
def _bundled() -> Mapping[str, HostLimit]:
    data = tomllib.loads(files("reprocensus.fetch").joinpath("hosts.toml").read_text("utf-8"))
    return {
        host: HostLimit(interval_s=entry["interval_s"], at_once=entry["at_once"])
        for host, entry in data.items()
    }
