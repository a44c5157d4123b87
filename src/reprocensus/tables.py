"""Tables: their partitions, and the journal that those are made from.

A partition is one file, `tables/<table>/venue=<VENUE>/year=<YEAR>/<table>.parquet`, replaced whole by
compare-and-set, so any reader with a plain glob sees either the old or the new one; `layout.py` has how one
who has half read the old one can go on. What each run judged
stays as immutable files in `journal/venue=<VENUE>/year=<YEAR>/<run>-<shard>-<table>.parquet`; a journaled
table's partition is the fold of those: of two rows with one key the one recorded later stands. The
partition's metadata names the files that are folded in, so a run killed at any point loses nothing (the
next one folds what is left) and two runs that publish at once cannot drop each other's rows.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import stamina

from reprocensus.errors import StoreError, WriteConflictError
from reprocensus.keys import digest
from reprocensus.layout import first_version, next_version
from reprocensus.migrations import conform, is_current, stamp, to_read, version_of
from reprocensus.records import Edition
from reprocensus.rows import scrubbed
from reprocensus.schemas import TableSchema, load_table
from reprocensus.storage import Storage

_FOLDED = b"reprocensus.folded"
_BASIS = b"reprocensus.basis"
_PACKED = b"reprocensus.packed"
_PACK = "pack"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as read. `folded`: the journal files it holds; `basis`: digest of what it was made from."""

    frame: pl.DataFrame
    folded: tuple[str, ...] = ()
    basis: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One immutable file: of a run's shard, or a pack of many of those, named after its latest run."""

    path: str
    run_id: str
    shard: str
    table: str

    @property
    def name(self) -> str:
        """The file's name: unique within its edition."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_pack(self) -> bool:
        """Whether it holds the rows of many files."""
        return self.shard.startswith(_PACK)


def partition_folder(edition: Edition) -> str:
    """`venue=<VENUE>/year=<YEAR>`, the venue percent-encoded where it must be."""
    return f"venue={quote(edition.venue, safe=' ')}/year={edition.year}"


def partition_path(table: str, edition: Edition) -> str:
    """Where the partition of an edition lies."""
    return f"tables/{table}/{partition_folder(edition)}/{table}.parquet"


def empty_frame(table: TableSchema) -> pl.DataFrame:
    """No rows, the table's columns."""
    return _polars(table.arrow.empty_table())


def frame_of(table: TableSchema, rows: Iterable[Row]) -> pl.DataFrame:
    """Rows as a frame with the table's types. Raises `pa.ArrowInvalid` where a value does not fit."""
    plain = [dict(row) for row in rows]
    try:
        return _polars(pa.Table.from_pylist(plain, schema=table.arrow))
    except UnicodeEncodeError:
        # File names and JSON can hold lone surrogates, Parquet cannot. Rare, so looked for only now.
        return _polars(pa.Table.from_pylist([scrubbed(row) for row in plain], schema=table.arrow))


class Tables:
    """The tables of one store."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def editions(self, table: str) -> list[Edition]:
        """Editions that have a partition of the table, sorted."""
        paths = self.storage.list(f"tables/{table}")
        return sorted({edition_of(path) for path in paths if path.endswith(".parquet") and "/venue=" in path})

    def journaled_editions(self) -> list[Edition]:
        """Editions that have a journal, sorted."""
        return sorted({edition_of(path) for path in self.storage.list("journal")})

    def read(self, table: str, edition: Edition, columns: Sequence[str] | None = None) -> Partition:
        """The partition as it stands, empty if there is none; only some columns if named.

        Raises:
            StoreError: it is no Parquet file, or one that cannot be read as this table (`migrations.py`).
        """
        path = partition_path(table, edition)
        version = self.storage.version(path)
        schema = load_table(table)
        if version is None:
            frame = empty_frame(schema)
            return Partition(frame.select(columns) if columns else frame)
        arrow, meta = self._read(path, schema, columns)
        folded = tuple(json.loads(meta.get(_FOLDED, b"[]")))
        return Partition(_polars(arrow), folded, meta.get(_BASIS, b"").decode(), version)

    def scan(
        self,
        table: str,
        editions: Sequence[Edition] | None = None,
        columns: Sequence[str] | None = None,
        each: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows,
    ) -> pl.DataFrame:
        """All rows of the editions (all of them if not named), with columns venue and year in front.

        `each`: what becomes of an edition's rows before the next are read, to hold less of them all.
        """
        wanted = self.editions(table) if editions is None else editions
        empty = empty_frame(load_table(table))
        frames = [(Edition("", 0), empty.select(columns) if columns else empty)]
        frames += [(edition, each(self.read(table, edition, columns).frame)) for edition in wanted]
        return pl.concat(
            frame.select(
                pl.lit(edition.venue).alias("venue"),
                pl.lit(edition.year, pl.Int64).alias("year"),
                pl.all(),
            )
            for edition, frame in frames
        )

    def append(self, table: str, edition: Edition, run_id: str, shard: str, rows: Sequence[Row]) -> None:
        """Adds an immutable file of the run to the journal; nothing if there are no rows."""
        self.append_frame(table, edition, run_id, shard, frame_of(load_table(table), rows))

    def append_frame(self, table: str, edition: Edition, run_id: str, shard: str, rows: pl.DataFrame) -> None:
        """The same of a frame with the table's columns."""
        if rows.height:
            path = f"journal/{partition_folder(edition)}/{run_id}-{shard}-{table}.parquet"
            schema = load_table(table)
            self.storage.create(path, first_version(_arrow(schema, rows), stamp(schema)))

    def journal(self, edition: Edition) -> list[JournalEntry]:
        """Every journal file of the edition, oldest run first."""
        entries = []
        for path in self.storage.list(f"journal/{partition_folder(edition)}"):
            run_id, shard, table = path.rsplit("/", 1)[-1].removesuffix(".parquet").rsplit("-", 2)
            entries.append(JournalEntry(path, run_id, shard, table))
        return entries

    def read_journal(self, entry: JournalEntry, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of one journal file; only some columns if named."""
        return _polars(self._read(entry.path, load_table(entry.table), columns)[0])

    def read_parts(self, entry: JournalEntry) -> list[tuple[str, pl.DataFrame]]:
        """The rows of a journal file by the name that they were first written under: several of a pack."""
        rows, meta = self._read(entry.path, load_table(entry.table))
        told: list[tuple[str, int]] = (
            json.loads(meta[_PACKED]) if _PACKED in meta else [(entry.name, rows.num_rows)]
        )
        parts, start = [], 0
        for name, length in told:
            parts.append((name, _polars(rows.slice(start, length))))
            start += length
        return parts

    def names_in(self, entry: JournalEntry) -> list[str]:
        """The names of the files that a pack holds; looks at its footer alone."""
        with self._parquet(entry.path) as (_, parquet):
            meta = parquet.schema_arrow.metadata or {}
        return [name for name, _ in json.loads(meta.get(_PACKED, b"[]"))]

    def read_run(self, table: str, edition: Edition, run_id: str) -> pl.DataFrame:
        """What one run wrote to the edition's journal."""
        schema = load_table(table)
        found: dict[str, pl.DataFrame] = {}
        for entry in self.journal(edition):
            if entry.table == table and (entry.is_pack or entry.run_id == run_id):
                found.update((n, rows) for n, rows in self.read_parts(entry) if n.startswith(f"{run_id}-"))
        return pl.concat([empty_frame(schema), *found.values()])

    def pack(self, table: str, edition: Edition, parts: Sequence[tuple[str, pl.DataFrame]]) -> str:
        """Writes journal files' rows into one immutable file; returns its name."""
        schema, names = load_table(table), [name for name, _ in parts]
        rows = _arrow(schema, pl.concat([empty_frame(schema), *(frame for _, frame in parts)]))
        told = json.dumps([[name, frame.height] for name, frame in parts]).encode()
        latest = max(names).rsplit("-", 2)[0]
        name = f"{latest}-{_PACK}{digest(told)[:16]}-{table}.parquet"
        path = f"journal/{partition_folder(edition)}/{name}"
        self.storage.create(path, first_version(rows, {**stamp(schema), _PACKED: told}))
        return name

    def read_documents(self, edition: Edition, paper_ids: Sequence[str]) -> pl.DataFrame:
        """The documents of some papers, with their texts."""
        path, schema = partition_path("documents", edition), load_table("documents")
        found = _polars(self._read(path, schema, papers=paper_ids)[0])
        return found.filter(pl.col("paper_id").is_in(list(paper_ids)))

    def folded(
        self,
        table: str,
        current: Partition,
        entries: Sequence[JournalEntry],
        until: datetime | None = None,
    ) -> Partition:
        """The partition with the journal files folded in that it does not hold yet; writes nothing.

        `until`: leaves out rows that were recorded later.
        """
        schema = load_table(table)
        new = [e for e in entries if e.table == table and e.name not in set(current.folded)]
        if not new:
            return current
        rows = pl.concat([current.frame, *(self.read_journal(e).select(current.frame.columns) for e in new)])
        if until:
            rows = rows.filter(pl.col("recorded_at") <= until)
        kept = rows.sort("recorded_at", maintain_order=True).unique(schema.key, keep="last").sort(schema.key)
        return Partition(kept, tuple(sorted({*current.folded, *(e.name for e in new)})), "", current.version)

    def replace(self, table: str, edition: Edition, partition: Partition) -> None:
        """Writes the partition over the version it was read at.

        Raises:
            WriteConflictError: it has been replaced since.
        """
        meta = {_FOLDED: json.dumps(partition.folded).encode(), _BASIS: partition.basis.encode()}
        self._replace(
            partition_path(table, edition), load_table(table), partition.frame, meta, partition.version
        )

    def update(self, table: str, edition: Edition, change: Callable[[Partition], Partition]) -> Partition:
        """Reads, changes and replaces the partition until nobody else came between.

        `change` is a pure function of what it is given; where it returns its argument nothing is written.
        """
        for attempt in stamina.retry_context(on=WriteConflictError, attempts=20, wait_max=2.0, timeout=120):
            with attempt:
                current = self.read(table, edition)
                changed = change(current)
                if changed is not current:
                    self.replace(table, edition, changed)
        return changed

    def write_row(self, table: str, path: str, row: Row) -> None:
        """Writes a one-row file of an unpartitioned table, over whatever was there."""
        schema = load_table(table)
        full = f"tables/{table}/{path}.parquet"
        for attempt in stamina.retry_context(on=WriteConflictError, attempts=10, wait_max=1.0, timeout=60):
            with attempt:
                self._replace(full, schema, frame_of(schema, [row]), {}, self.storage.version(full))

    def read_row(self, table: str, path: str) -> dict[str, Any] | None:
        """The row of a file that `write_row` wrote; None where there is none."""
        full = f"tables/{table}/{path}.parquet"
        if not self.storage.exists(full):
            return None
        found: list[dict[str, Any]] = self.read_file(table, full).to_pylist()
        return found[0] if found else None

    def read_rows(self, table: str) -> pl.DataFrame:
        """All rows of an unpartitioned table."""
        files = [p for p in self.storage.list(f"tables/{table}") if p.endswith(".parquet")]
        schema = load_table(table)
        return pl.concat([empty_frame(schema), *(_polars(self._read(path, schema)[0]) for path in files)])

    def read_file(self, table: str, path: str) -> pa.Table:
        """The rows of one file of a table, whatever version wrote it."""
        return self._read(path, load_table(table))[0]

    def is_of_today(self, table: str, path: str) -> bool:
        """Whether the file has today's version and every column: written anew it would not change."""
        schema = load_table(table)
        with self._parquet(path) as (_, parquet):
            version = version_of(schema, parquet.schema_arrow.metadata, path)
            return version == schema.version and parquet.schema_arrow.remove_metadata() == schema.arrow

    def rewrite(self, table: str, path: str) -> None:
        """Writes a file in today's shape over the one that is there."""
        schema = load_table(table)
        for attempt in stamina.retry_context(on=WriteConflictError, attempts=20, wait_max=2.0, timeout=120):
            with attempt:
                version = self.storage.version(path)
                rows, meta = self._read(path, schema)
                kept = {key: meta[key] for key in (_FOLDED, _BASIS) if key in meta}
                self._replace(path, schema, _polars(rows), kept, version)

    def reads_as_it_lies(self, table: str, path: str) -> bool:
        """Whether plain readers see in the file what `read_file` gives; looks at its footer alone."""
        schema = load_table(table)
        with self._parquet(path) as (_, parquet):
            version = version_of(schema, parquet.schema_arrow.metadata, path)
            to_read(schema, version, parquet.schema_arrow, None, path)
            return is_current(schema, version, parquet.schema_arrow)

    def _replace(
        self,
        path: str,
        schema: TableSchema,
        frame: pl.DataFrame,
        metadata: Mapping[bytes, bytes],
        version: str | None,
    ) -> None:
        """Puts the rows in the file's place, such that whoever is reading it can go on."""
        rows, meta = _arrow(schema, frame), {**stamp(schema), **metadata}
        if version is None:
            data = first_version(rows, meta)
        else:
            try:
                data = next_version(self.storage.read(path), rows, meta, time.time())
            except FileNotFoundError as error:
                raise WriteConflictError(f"{path} in {self.storage.uri} was deleted meanwhile") from error
        self.storage.replace(path, data, version)

    def _read(
        self,
        path: str,
        schema: TableSchema,
        columns: Sequence[str] | None = None,
        papers: Sequence[str] | None = None,
    ) -> tuple[pa.Table, dict[bytes, bytes]]:
        with self._parquet(path) as (file, parquet):
            present = parquet.schema_arrow
            meta = present.metadata or {}
            version = version_of(schema, meta, path)
            names = to_read(schema, version, present, columns, path)
            if schema.derived and not is_current(schema, version, present):
                # Without its basis it counts as stale, so the next publication makes it again.
                return conform(schema.arrow.empty_table(), schema, schema.version, columns, path), {}
            if papers is not None and version == schema.version:
                # Texts are long: row groups without any of the papers are left out.
                file.seek(0)
                rows = pq.read_table(
                    file,
                    columns=names,
                    filters=[("paper_id", "in", list(papers))],
                    partitioning=None,
                    page_checksum_verification=True,
                )
            else:
                rows = parquet.read(columns=names)
            return conform(rows, schema, version, columns, path), meta

    @contextmanager
    def _parquet(self, path: str) -> Iterator[tuple[BinaryIO, pq.ParquetFile]]:
        try:
            with (
                self.storage.open(path) as file,
                pq.ParquetFile(file, page_checksum_verification=True) as parquet,
            ):
                yield file, parquet
        except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            # Arrow raises `OSError` without a number where a file's insides are not what they say.
            lost = (
                "restore it from a copy, or delete it and run again: what it held is then done anew"
                if path.startswith("journal/")
                else "delete it and run again, it is rebuilt from the journal"
            )
            raise StoreError(
                f"{path} in {self.storage.uri} is no Parquet file, or a damaged one ({error}); somebody else "
                f"wrote or cut it: {lost}"
            ) from error


def _arrow(table: TableSchema, frame: pl.DataFrame) -> pa.Table:
    return frame.select(column.name for column in table.columns).to_arrow().cast(table.arrow)


def _polars(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def edition_of(path: str) -> Edition:
    """The edition whose partition the file is."""
    venue, year = path.split("/venue=", 1)[1].split("/")[:2]
    return Edition(unquote(venue), int(year.removeprefix("year=")))
