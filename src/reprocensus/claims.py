"""Who works on an edition: one run at a time. Another waits, then plans anew what is left, or leaves it.

The lease of an edition is taken before its first shard and given back when it is published. Whoever takes
it looks whether the journal has grown since it planned, and if so plans the edition's papers again: what
another run did meanwhile is not done twice.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from reprocensus.leases import Held, Leases
from reprocensus.plan import Plan, Shard, Work
from reprocensus.publish import publish
from reprocensus.records import Edition, Paper
from reprocensus.state import EditionState, read_state
from reprocensus.tables import Tables, partition_folder

#: Plans papers of an edition by its state.
Planner = Callable[[Sequence[Paper], Mapping[Edition, EditionState]], Plan]
#: A lease that another run has is not asked for more often than this, in seconds.
_ASK_S: Final = 2.0


class Claims:
    """The editions that a run has for itself. `planned`: the journal files that its plan knew of."""

    def __init__(
        self,
        tables: Tables,
        leases: Leases,
        run_id: str,
        planned: Mapping[Edition, frozenset[str]],
        planner: Planner,
    ) -> None:
        self._tables = tables
        self._leases = leases
        self._run_id = run_id
        self._planned = planned
        self._planner = planner
        self._ours: set[Edition] = set()
        self._busy: dict[Edition, tuple[float, Held]] = {}

    def take(self, edition: Edition, shards: dict[str, Shard]) -> Held | None:
        """Claims the edition and returns None; or returns who has it.

        If another run has written to it since the plan was made, its shards among `shards` are planned anew,
        and what that run left unpublished is published.

        Raises:
            StoreError: the store cannot be read or written.
        """
        if edition in self._ours:
            return None
        asked, by = self._busy.get(edition, (0.0, None))
        if by and monotonic() - asked < _ASK_S:
            return by
        by = self._leases.take(_name(edition))
        if by:
            self._busy[edition] = (monotonic(), by)
            return by
        self._ours.add(edition)
        names = {e.name for e in self._tables.journal(edition) if e.run_id != self._run_id}
        if names != self._planned.get(edition, frozenset()):
            self._plan_again(edition, shards)
        return None

    def held_by(self, edition: Edition) -> Held | None:
        """Who had the edition when it was last asked for."""
        return self._busy.get(edition, (0.0, None))[1]

    def give_back(self, edition: Edition) -> None:
        """Ends the claim."""
        if edition in self._ours:
            self._ours.discard(edition)
            self._leases.give_back(_name(edition))

    def _plan_again(self, edition: Edition, shards: dict[str, Shard]) -> None:
        state = read_state(self._tables, edition)
        if state.needs_publishing:
            # A shard looks for its papers' texts in the tables.
            publish(self._tables, edition)
        mine = {name: shard for name, shard in shards.items() if shard.edition == edition}
        papers = [work.paper for shard in mine.values() for work in shard.works]
        left: dict[str, Work] = {w.paper.paper_id: w for w in self._planner(papers, {edition: state}).works}
        for name, shard in mine.items():
            works = (left.get(work.paper.paper_id) for work in shard.works)
            shards[name] = Shard(edition, shard.name, tuple(work for work in works if work))


def _name(edition: Edition) -> str:
    return f"editions/{partition_folder(edition)}"
