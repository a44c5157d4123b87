"""What comes of a shard and of a run, and how progress is told while it goes on."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from reprocensus.records import Usage

#: Called from any thread with the stage, the outcome and how many more of it there are.
Progress = Callable[[str, str, int], None]
#: Shows progress while a block runs; is told how much there is to do, by stage.
Display = Callable[[Mapping[str, int]], AbstractContextManager[Progress]]


@contextmanager
def not_shown(totals: Mapping[str, int]) -> Iterator[Progress]:
    """The display that shows nothing."""
    yield lambda stage, outcome, n: None


@dataclass(slots=True)
class ShardReport:
    """Counts by (stage, outcome), and tokens used.

    `failed_papers`: those that failed at any stage. `spans`: from when to when stages were at work, as
    seconds since the epoch; the rest of a run's time is orchestration.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed_papers: set[str] = field(default_factory=set)
    spans: list[tuple[float, float]] = field(default_factory=list)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    def use(self, usage: Usage) -> None:
        """Adds what one judgement used, whatever came of it."""
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.output_tokens += usage.output_tokens
        self._pay(usage.cost)

    def _pay(self, cost: float | None) -> None:
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost

    def add(self, other: "ShardReport") -> None:
        """Adds another shard's counts to these."""
        self.counts.update(other.counts)
        self.failed_papers |= other.failed_papers
        self.spans += other.spans
        self.prompt_tokens += other.prompt_tokens
        self.cached_tokens += other.cached_tokens
        self.output_tokens += other.output_tokens
        self._pay(other.cost)

    def seconds_at_work(self) -> float:
        """How long any stage was at work: the length of the spans' union."""
        total, until = 0.0, 0.0
        for start, end in sorted(self.spans):
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total

    @property
    def failed(self) -> dict[str, int]:
        """How many failed, by stage."""
        return {stage: n for (stage, outcome), n in self.counts.items() if outcome == "failed" and n}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended: `status` as in the table `runs`."""

    run_id: str
    status: str
    report: ShardReport
    message: str | None = None
