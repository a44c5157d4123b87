"""The small parts of asking a model: the budget of tokens, the meter, the hit rate. No server, no clock."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprocensus.llm.budget import TokenBudget
from reprocensus.llm.chat import ChatReply, Counters
from reprocensus.llm.engine import hit_rate
from reprocensus.llm.meter import Meter, Ticket

REPLY = ChatReply("{}", "stop", 100, 7, 60)


async def settled() -> None:
    """Lets everybody who can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


class Papers:
    """Papers that hold room until they are let go; `inside`: those that do, in the order of coming in."""

    def __init__(self, budget: TokenBudget) -> None:
        self.budget = budget
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._go: dict[str, asyncio.Event] = {}

    async def come(self, name: str, tokens: int) -> None:
        self._go[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, tokens))
        await settled()

    async def leave(self, name: str) -> None:
        self._go[name].set()
        await settled()

    async def _hold(self, name: str, tokens: int) -> None:
        async with self.budget.room(tokens):
            self.inside.append(name)
            try:
                await self._go[name].wait()
            finally:
                self.inside.remove(name)


def with_papers(tokens: int, play: Callable[[Papers], Awaitable[None]]) -> TokenBudget:
    async def run() -> TokenBudget:
        papers = Papers(TokenBudget(tokens))
        await play(papers)
        for task in papers.tasks.values():
            task.cancel()
        await asyncio.gather(*papers.tasks.values(), return_exceptions=True)
        return papers.budget

    return asyncio.run(run())


def test_papers_come_in_as_long_as_they_fit_and_nobody_overtakes() -> None:
    async def play(papers: Papers) -> None:
        await papers.come("a", 60)
        await papers.come("b", 50)
        await papers.come("c", 10)
        # c would fit beside a; but then large papers would wait for ever.
        assert papers.inside == ["a"]
        await papers.leave("a")
        assert papers.inside == ["b", "c"]

    budget = with_papers(100, play)
    assert (budget.peak, budget.in_flight) == (60, 0)


def test_a_paper_larger_than_the_budget_goes_in_alone() -> None:
    async def play(papers: Papers) -> None:
        await papers.come("a", 10)
        await papers.come("huge", 500)
        await papers.come("c", 10)
        assert papers.inside == ["a"]
        await papers.leave("a")
        assert papers.inside == ["huge"]
        await papers.leave("huge")
        assert papers.inside == ["c"]

    assert with_papers(100, play).peak == 500


def test_who_gives_up_waiting_lets_the_next_one_in_and_keeps_no_room() -> None:
    async def play(papers: Papers) -> None:
        await papers.come("a", 60)
        await papers.come("large", 90)
        await papers.come("c", 40)
        assert papers.inside == ["a"]
        papers.tasks["large"].cancel()
        await settled()
        assert papers.inside == ["a", "c"]
        assert papers.budget.in_flight == 100

    with_papers(100, play)


def test_who_is_cancelled_just_as_it_is_let_in_gives_its_room_back() -> None:
    async def play(papers: Papers) -> None:
        await papers.come("a", 100)
        await papers.come("b", 100)
        papers._go["a"].set()
        # a leaves and lets b in within one step; b is cancelled before it takes the next.
        await asyncio.sleep(0)
        papers.tasks["b"].cancel()
        await settled()
        assert papers.budget.in_flight == 0
        await papers.come("c", 100)
        assert papers.inside == ["c"]

    with_papers(100, play)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 150), min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_all_get_in_and_never_too_many_at_a_time(sizes: list[int], rng: "object") -> None:
    budget = TokenBudget(100)
    inside: list[int] = []
    done: list[int] = []

    async def one(n: int, tokens: int) -> None:
        async with budget.room(tokens):
            inside.append(tokens)
            assert sum(inside) <= 100 or len(inside) == 1
            for _ in range(rng.randrange(4)):  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            inside.remove(tokens)
        done.append(n)

    async def everybody() -> None:
        await asyncio.gather(*(one(n, tokens) for n, tokens in enumerate(sizes)))

    asyncio.run(everybody())
    assert sorted(done) == list(range(len(sizes)))
    assert budget.in_flight == 0
    assert budget.peak <= max(100, *sizes)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_time_is_shared_by_those_under_way_and_adds_up() -> None:
    clock = Clock()
    meter = Meter(3600.0, clock)
    a = meter.begin()
    clock.now += 4
    b = meter.begin()
    clock.now += 6
    used_a = meter.end(a, REPLY)
    clock.now += 2
    used_b = meter.end(b, None)
    # At a dollar a second: a had four seconds for itself and half of six, b the other half and two.
    assert [used_a.cost, used_b.cost] == pytest.approx([7, 5])
    assert (used_a.seconds, used_b.seconds) == (10, 8)
    assert meter.busy_s == 12
    assert (used_a.prompt_tokens, used_a.cached_tokens, used_a.output_tokens) == (100, 60, 7)
    # What came to nothing used time, and no tokens that anybody told of.
    assert (used_b.prompt_tokens, used_b.output_tokens) == (0, 0)
    clock.now += 100
    c = meter.begin()
    clock.now += 1
    assert meter.end(c, REPLY).cost == pytest.approx(1)
    assert (meter.busy_s, meter.requests) == (13, 3)


def test_without_a_price_there_is_no_cost() -> None:
    meter = Meter(None, Clock())
    assert meter.end(meter.begin(), REPLY).cost is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), min_size=1, max_size=40))
def test_shares_add_up_to_the_time_in_which_there_was_any(steps: list[tuple[bool, float]]) -> None:
    clock = Clock()
    meter = Meter(3600.0, clock)
    tickets, paid = list[Ticket](), 0.0
    for begins, passed in steps:
        if begins or not tickets:
            tickets.append(meter.begin())
        else:
            paid += meter.end(tickets.pop(0), None).cost or 0.0
        clock.now += passed
    paid += sum(meter.end(ticket, None).cost or 0.0 for ticket in tickets)
    assert paid == pytest.approx(meter.busy_s, abs=1e-6)


def test_the_hit_rate_is_of_the_run_alone_and_a_restart_counts_from_its_start() -> None:
    before, after = Counters(10, 1, 1000, 900), Counters(20, 2, 1500, 1000)
    assert hit_rate(before, after) == pytest.approx(0.2)
    assert hit_rate(None, after) == pytest.approx(1000 / 1500)
    assert hit_rate(before, Counters(5, 1, 400, 100)) == pytest.approx(0.25)
    assert hit_rate(before, before) is None
    assert hit_rate(before, None) is None
