"""Waiting for a server that is away: one asks whether it is back, and everybody else stands still."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from reprocensus.errors import EngineAwayError, EngineError, EngineLostError, ReprocensusError

_LOG = logging.getLogger(__name__)
#: Pauses between two looks, in seconds: the first, and the longest.
_FIRST_S, _LONGEST_S = 0.5, 30.0


class Gate:
    """Open while the server answers. Whoever finds that it does not closes it; it opens when that is over.

    After `wait_s` without an answer it opens for good and lets nobody through. Used in one event loop.
    """

    def __init__(self, alive: Callable[[], Awaitable[None]], wait_s: float) -> None:
        self._alive = alive
        self._wait_s = wait_s
        self._open = asyncio.Event()
        self._open.set()
        self._over: ReprocensusError | None = None
        self._watch: asyncio.Task[None] | None = None
        #: How often the server was found to be away.
        self.closed = 0

    async def wait(self) -> None:
        """Returns when requests may be sent.

        Raises:
            EngineLostError: the server did not come back in time.
            EngineError: it came back as one that cannot be used.
        """
        await self._open.wait()
        if self._over:
            raise self._over

    def away(self, error: EngineAwayError) -> None:
        """Says that the server is away. Whoever waits waits for one watch, however many have seen it."""
        if self._over or not self._open.is_set():
            return
        self.closed += 1
        self._open.clear()
        level = logging.INFO if error.busy else logging.WARNING
        _LOG.log(level, "%s; waiting for it, at most %.0f s", error, self._wait_s)
        self._watch = asyncio.create_task(self._until_back(error))

    def end(self, error: ReprocensusError) -> None:
        """Lets nobody through from now on."""
        self._over = self._over or error
        if self._watch:
            self._watch.cancel()
        self._open.set()

    async def _until_back(self, error: EngineAwayError) -> None:
        began, pause = monotonic(), _FIRST_S
        try:
            while True:
                left = self._wait_s - (monotonic() - began)
                if left <= 0:
                    raise EngineLostError(f"{error}; it did not come back within {self._wait_s:.0f} s")
                await asyncio.sleep(min(max(pause, error.retry_after_s or 0), left))
                try:
                    await self._alive()
                except EngineAwayError as still:
                    error = still
                    pause = min(2 * pause, _LONGEST_S)
                else:
                    break
        except (EngineLostError, EngineError) as over:
            self._over = over
        self._open.set()
        if not self._over and not error.busy:
            _LOG.warning("it answers again after %.0f s", monotonic() - began)
