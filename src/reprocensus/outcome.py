"""What comes of a shard and of a run, and how progress is told while it goes on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from reprocensus.records import Usage

#: Called from any thread with the stage, the outcome and how many more of it there are.
Progress = Callable[[str, str, int], None]


@dataclass(slots=True)
class ShardReport:
    """Counts by (stage, outcome), and tokens used."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
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
        self.prompt_tokens += other.prompt_tokens
        self.cached_tokens += other.cached_tokens
        self.output_tokens += other.output_tokens
        self._pay(other.cost)

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
