"""Keeps a store small and quick: packs the journal's files, and deletes objects that nothing refers to.

Safe beside runs, and to be killed at any point. What is packed is deleted one maintenance later, and only
after a grace time: somebody may still be reading it. Folding a row twice changes nothing, so the files and
their pack may stand side by side.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from reprocensus.counting import counted
from reprocensus.fetch.locations import object_path
from reprocensus.leases import Leases
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.runs import mark_interrupted, new_run_id
from reprocensus.schemas import load_table
from reprocensus.state import JOURNALED
from reprocensus.storage import Stored
from reprocensus.tables import JournalEntry, Partition, Tables, edition_of, partition_folder

#: A table's packs of an edition are made one when there are more of them.
_PACKS: Final = 8
#: Fewer files than this are not worth a pack.
_FEWEST: Final = 2
_OBJECTS: Final = "objects"
_TEMPORARY: Final = "tmp"
Parts = list[tuple[str, pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class Options:
    """`grace`: what is younger is never deleted. `keep`: history older than this is thinned out; None: none.

    Thinning out drops rows that another row had replaced by then: tables as of later dates stay the same.
    """

    grace: timedelta = timedelta(hours=24)
    keep: timedelta | None = None
    dry_run: bool = False


@dataclass(slots=True)
class Maintained:
    """What was done, or in a dry run would be. `busy`: editions that a run works on, left for next time."""

    packed: int = 0
    packs: int = 0
    deleted: int = 0
    objects: int = 0
    n_bytes: int = 0
    rows_dropped: int = 0
    dead_runs: int = 0
    busy: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether anything was done, or would be."""
        return any((self.packed, self.deleted, self.objects, self.rows_dropped, self.dead_runs))

    def told(self, *, dry_run: bool) -> list[tuple[str, str]]:
        """The same in words: of what, and what came of it."""
        words = " would be" if dry_run else ""
        lines = [
            ("journal", f"{counted(self.packed, 'file')}{words} packed into {self.packs}"),
            ("", f"{counted(self.deleted, 'file')} packed earlier{words} deleted"),
            ("objects", f"{self.objects}{words} deleted"),
            ("bytes", f"{self.n_bytes}{words} freed"),
            ("history", f"{counted(self.rows_dropped, 'row')}{words} dropped"),
        ]
        if self.dead_runs:
            lines.append(("runs", f"{self.dead_runs} that had died marked as interrupted"))
        return lines + [("busy", f"{name}: a run works on it") for name in self.busy]


def maintain(tables: Tables, options: Options, life_s: float = 60.0) -> Maintained:
    """Maintains the store.

    Raises:
        StoreError: the store cannot be read or written.
    """
    done = Maintained()
    if options.dry_run:
        leases = Leases(tables.storage, "")
        _do(tables, options, leases, done)
        return done
    tables.storage.prepare()
    with Leases(tables.storage, f"maintain_{new_run_id()}", life_s) as leases:
        done.dead_runs = mark_interrupted(tables, leases)
        _do(tables, options, leases, done)
    return done


def _do(tables: Tables, options: Options, leases: Leases, done: Maintained) -> None:
    open_runs = set(leases.open_runs())
    busy = []
    for edition, stored in sorted(_journals(tables).items()):
        name = f"editions/{partition_folder(edition)}"
        if not options.dry_run and leases.take(name):
            busy.append(str(edition))
            continue
        try:
            _edition(tables, edition, stored, open_runs, options, done)
        finally:
            if not options.dry_run:
                leases.give_back(name)
    done.busy = tuple(busy)
    _collect(tables, open_runs, options, done)


def _journals(tables: Tables) -> dict[Edition, dict[str, Stored]]:
    """Every edition's journal files by name."""
    found: dict[Edition, dict[str, Stored]] = defaultdict(dict)
    for stored in tables.storage.details("journal"):
        found[edition_of(stored.path)][stored.path.rsplit("/", 1)[-1]] = stored
    return found


def _edition(
    tables: Tables,
    edition: Edition,
    stored: dict[str, Stored],
    open_runs: set[str],
    options: Options,
    done: Maintained,
) -> None:
    entries = tables.journal(edition)
    gone = _packed_long_ago(tables, entries, stored, options.grace)
    done.deleted += len(gone)
    done.n_bytes += sum(stored[e.name].n_bytes for e in gone)
    if not options.dry_run:
        for entry in gone:
            tables.storage.delete(entry.path)
    left = [entry for entry in entries if entry not in gone]
    held = {name for entry in left if entry.is_pack for name in tables.names_in(entry)}
    changed = bool(gone)
    for table in JOURNALED:
        mine = [e for e in left if e.table == table and e.run_id not in open_runs and e.name not in held]
        packs = [e for e in mine if e.is_pack]
        chosen = [e for e in mine if not e.is_pack] + (packs if len(packs) > _PACKS else [])
        if len(chosen) < _FEWEST:
            continue
        done.packed += len(chosen)
        done.packs += 1
        if not options.dry_run:
            _pack(tables, edition, table, chosen, options, done)
            changed = True
    if changed and not options.dry_run:
        _forget(tables, edition)


def _packed_long_ago(
    tables: Tables, entries: Sequence[JournalEntry], stored: dict[str, Stored], grace: timedelta
) -> list[JournalEntry]:
    """Files whose rows stand in a pack that is older than the grace time."""
    held: set[str] = set()
    for entry in entries:
        if entry.is_pack and entry.name in stored and stored[entry.name].age_s >= grace.total_seconds():
            held.update(_held_by(tables, entry, stored))
    return [entry for entry in entries if entry.name in held]


def _held_by(tables: Tables, pack: JournalEntry, stored: dict[str, Stored]) -> Iterable[str]:
    return (name for name in tables.names_in(pack) if name in stored and name != pack.name)


def _pack(
    tables: Tables,
    edition: Edition,
    table: str,
    chosen: Sequence[JournalEntry],
    options: Options,
    done: Maintained,
) -> None:
    """Packs files, and lets the partition know that it holds the pack as it held them."""
    parts: dict[str, pl.DataFrame] = {}
    for entry in chosen:
        parts.update(tables.read_parts(entry))
        if entry.is_pack:
            # Its own name stands for itself, so that it is known as packed.
            parts[entry.name] = tables.read_parts(entry)[0][1].clear()
    before = sum(frame.height for frame in parts.values())
    ordered = _thinned(table, sorted(parts.items()), options.keep)
    done.rows_dropped += before - sum(frame.height for _, frame in ordered)
    # The journal is folded first: a pack is known as folded because its files are.
    publish(tables, edition)
    name = tables.pack(table, edition, ordered)

    def known(current: Partition) -> Partition:
        return replace(current, folded=tuple(sorted({*current.folded, name})))

    tables.update(table, edition, known)


def _thinned(table: str, parts: Parts, keep: timedelta | None) -> Parts:
    """The rows without those that were replaced before the time that history is kept for."""
    if keep is None or not parts:
        return parts
    until = datetime.now(UTC) - keep
    key = load_table(table).key
    rows = pl.concat([frame.with_columns(_part=pl.lit(n)) for n, (_, frame) in enumerate(parts)])
    old = rows.filter(pl.col("recorded_at") <= until)
    standing = old.sort("recorded_at", maintain_order=True).unique(key, keep="last", maintain_order=True)
    kept = pl.concat([standing, rows.filter(pl.col("recorded_at") > until)])
    return [
        (name, kept.filter(_part=n).drop("_part").sort("recorded_at", maintain_order=True))
        for n, (name, _) in enumerate(parts)
    ]


def _forget(tables: Tables, edition: Edition) -> None:
    """Drops names of files that are no more from what partitions say they hold; then statistics follow."""
    there = {entry.name for entry in tables.journal(edition)}

    def known(current: Partition) -> Partition:
        folded = tuple(name for name in current.folded if name in there)
        return current if folded == current.folded else replace(current, folded=folded)

    for table in JOURNALED:
        tables.update(table, edition, known)
    publish(tables, edition)


def _collect(tables: Tables, open_runs: set[str], options: Options, done: Maintained) -> None:
    """Deletes objects that no row names, and files that a killed process left half written."""
    grace = options.grace.total_seconds()
    if open_runs:
        # An object is written before the row that names it: what a run has fetched since it began stays.
        ages = [tables.storage.age(f"tables/runs/{run_id}.parquet") for run_id in open_runs]
        grace += max((age for age in ages if age), default=0.0)
    old = [stored for stored in tables.storage.details(_OBJECTS) if stored.age_s > grace]
    named = _named(tables) if old else set()
    unnamed = [stored for stored in old if stored.path not in named]
    unnamed += [stored for stored in tables.storage.details(_TEMPORARY) if stored.age_s > grace]
    for stored in unnamed:
        done.objects += 1
        done.n_bytes += stored.n_bytes
        if not options.dry_run:
            tables.storage.delete(stored.path)


def _named(tables: Tables) -> set[str]:
    """Paths of all objects that a row of a table or of the journal names."""
    digests: set[str] = set()
    for edition in _journals(tables):
        for entry in tables.journal(edition):
            if entry.table in ("papers", "pdfs", "documents"):
                digests.update(tables.read_journal(entry, ("pdf_sha256",))["pdf_sha256"].drop_nulls())
    for table in ("papers", "pdfs", "documents"):
        for edition in tables.editions(table):
            digests.update(tables.read(table, edition, ("pdf_sha256",)).frame["pdf_sha256"].drop_nulls())
    return {object_path(sha256) for sha256 in digests}
