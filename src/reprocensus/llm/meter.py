"""What requests use: tokens, and of the time in which the server works for us the share that is theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from reprocensus.llm.chat import ChatReply
from reprocensus.records import Usage


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request under way."""

    began: float
    shares: float


class Meter:
    """Divides time among the requests under way, in equal parts, and prices it. Used in one thread.

    A moment in which n requests are under way is an n-th of it for each. So the shares of all requests add
    up to the time in which there was any, and its price to what that time costs. `shares` is the integral of
    1/n.
    """

    def __init__(self, price_per_hour: float | None, clock: Callable[[], float] = monotonic) -> None:
        """`price_per_hour`: of everything that runs the model, in US dollars."""
        self._price = price_per_hour
        self._clock = clock
        self._under_way = 0
        self._shares = 0.0
        self._at = clock()
        self.requests = 0
        self.busy_s = 0.0

    def begin(self) -> Ticket:
        """A request goes out."""
        self._advance()
        self._under_way += 1
        self.requests += 1
        return Ticket(self._at, self._shares)

    def end(self, ticket: Ticket, reply: ChatReply | None) -> Usage:
        """It came back, with a reply or without: what it used."""
        self._advance()
        self._under_way -= 1
        share = self._shares - ticket.shares
        cost = None if self._price is None else self._price / 3600 * share
        seconds = self._at - ticket.began
        if reply is None:
            return Usage(seconds=seconds, cost=cost)
        return Usage(reply.prompt_tokens, reply.cached_tokens or 0, reply.output_tokens, seconds, cost)

    def _advance(self) -> None:
        now = self._clock()
        passed, self._at = now - self._at, now
        if self._under_way:
            self._shares += passed / self._under_way
            self.busy_s += passed
