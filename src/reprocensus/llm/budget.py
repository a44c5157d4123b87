"""How many papers are in flight: as many as the server's KV cache holds, counted in tokens."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TokenBudget:
    """Lets papers in, in the order in which they come, as long as their tokens fit together.

    Papers beyond what the cache holds would push each other's prefixes out of it, and each would be read nine
    times. A paper that is larger than the whole budget goes in alone. Used in one event loop.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.in_flight = 0
        #: The most tokens that were in flight at a time.
        self.peak = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room(self, tokens: int) -> AsyncIterator[None]:
        """Waits until so many tokens fit, and holds them."""
        await self._enter(tokens)
        try:
            yield
        finally:
            self._leave(tokens)

    async def _enter(self, tokens: int) -> None:
        if not self._waiting and self._fits(tokens):
            self._take(tokens)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((tokens, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(tokens)
            else:
                self._waiting.remove((tokens, turn))
                self._admit()
            raise

    def _fits(self, tokens: int) -> bool:
        return not self.in_flight or self.in_flight + tokens <= self.tokens

    def _take(self, tokens: int) -> None:
        self.in_flight += tokens
        self.peak = max(self.peak, self.in_flight)

    def _leave(self, tokens: int) -> None:
        self.in_flight -= tokens
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            tokens, turn = self._waiting.popleft()
            if not turn.done():
                self._take(tokens)
                turn.set_result(None)
