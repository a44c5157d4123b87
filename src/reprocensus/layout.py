"""How a Parquet file of the store is laid out so that it can be replaced while somebody reads it by its path.

Polars and DuckDB open a file twice: for its footer, and again for its pages. A file that is replaced in
between would give them the pages of one version under the footer of another. So a new version keeps the pages
of those before it where they were, as bytes that its own footer does not mention, and is never smaller:

    version 1   PAR1 [pages 1] [footer 1]
    version 2   PAR1 [pages 1] [footer 1] [pages 2]       [footer 2]
    version 3   PAR1 [pages 3] ...        [pages 2]       [footer 3]

Whoever holds the footer, or the size, of an earlier version reads that version, whole. The place of pages
that were replaced long ago is used again, so a file settles at two to three times what its rows take.
Parquet's footer names every page by its place in the file, and a reader looks at no byte that it does not
name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

#: Pages of an earlier version are kept in place for so long after it was replaced, in seconds,
KEPT_S: Final = 900.0
#: and of so many versions at most: a partition that is replaced without pause must not grow without end.
KEPT_VERSIONS: Final = 24
_KEPT: Final = b"reprocensus.kept"
_MAGIC: Final = b"PAR1"
#: Ends a Parquet file: the footer's length in four bytes, then the magic.
_END: Final = 8
#: Small enough that some papers' texts can be read without all of them.
_ROW_GROUP: Final = 1_000
#: Left free before the footer when a file grows, so that the next one, a little longer, finds room.
_SLACK: Final = 2_048
#: Rows change from version to version: pages may take this share of what the last ones took a row.
_LIKELY: Final = 0.7


@dataclass(frozen=True, slots=True)
class _Extent:
    """Bytes `[start, end)` that hold pages of a version, and when that was replaced (seconds since 1970)."""

    start: int
    end: int
    replaced_at: float


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Pages to be put at `start`, and the footer that names them there."""

    start: int
    pages: memoryview
    footer: memoryview

    @property
    def end(self) -> int:
        return self.start + len(self.pages)


def first_version(rows: pa.Table, metadata: Mapping[bytes, bytes]) -> bytes:
    """A file of its own: rows as Parquet, with metadata in the footer."""
    made = _encoded(rows, metadata, (), len(_MAGIC))
    return _MAGIC + bytes(made.pages) + bytes(made.footer)


def next_version(before: bytes, rows: pa.Table, metadata: Mapping[bytes, bytes], now: float) -> bytes:
    """The file that replaces `before`: its rows are `rows`, and who still reads `before` can go on.

    `now`: seconds since 1970. What `before` is no Parquet file is not kept.
    """
    try:
        old = pq.read_metadata(pa.BufferReader(before))
    except pa.ArrowInvalid:
        return first_version(rows, metadata)
    kept = _kept(old, now)
    likely = 0 if not old.num_rows else int(_LIKELY * rows.num_rows / old.num_rows * (_live_bytes(old)))
    for start, end in _gaps(kept, len(before)):
        if end - start < likely:
            continue
        made = _encoded(rows, metadata, kept, start)
        last = max((extent.end for extent in kept), default=0)
        if made.end <= end and max(made.end, last) <= len(before) - len(made.footer):
            return _assembled(before, len(before), made)
    made = _encoded(rows, metadata, kept, len(before))
    return _assembled(before, made.end + _SLACK + len(made.footer), made)


def _kept(old: pq.FileMetaData, now: float) -> tuple[_Extent, ...]:
    """The pages that must stay where they are, in the order of their places."""
    told: Sequence[Sequence[Any]] = json.loads((old.metadata or {}).get(_KEPT, b"[]"))
    # A clock that was set back must not keep pages for ever.
    dead = [_Extent(int(start), int(end), min(float(at), now)) for start, end, at in told]
    recent = sorted((e for e in dead if now - e.replaced_at < KEPT_S), key=lambda e: e.replaced_at)
    live = _extent(old)
    newest = recent[-(KEPT_VERSIONS - 1) :] + ([_Extent(*live, now)] if live else [])
    return tuple(sorted(newest, key=lambda e: e.start))


def _extent(meta: pq.FileMetaData) -> tuple[int, int] | None:
    """Where the pages lie that a footer names; None if it names none."""
    columns = [
        meta.row_group(i).column(j) for i in range(meta.num_row_groups) for j in range(meta.num_columns)
    ]
    if not columns:
        return None
    places = [(c.dictionary_page_offset or c.data_page_offset, c.total_compressed_size) for c in columns]
    return min(start for start, _ in places), max(start + size for start, size in places)


def _live_bytes(meta: pq.FileMetaData) -> int:
    live = _extent(meta)
    return live[1] - live[0] if live else 0


def _gaps(kept: Sequence[_Extent], size: int) -> list[tuple[int, int]]:
    """Stretches of a file of `size` bytes in which nothing is kept. The first bytes stay the magic."""
    gaps, start = [], len(_MAGIC)
    for extent in kept:
        if extent.start > start:
            gaps.append((start, extent.start))
        start = max(start, extent.end)
    return [*gaps, (start, size)] if start < size else gaps


def _encoded(
    rows: pa.Table, metadata: Mapping[bytes, bytes], kept: Sequence[_Extent], start: int
) -> _Encoded:
    """Rows as pages for the place `start`; offsets in the footer count from the file's first byte."""
    note = json.dumps([[e.start, e.end, round(e.replaced_at, 3)] for e in kept], separators=(",", ":"))
    meta = {**metadata, **({_KEPT: note.encode()} if kept else {})}
    sink = pa.BufferOutputStream()
    table = rows.replace_schema_metadata(meta)
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True) as writer:
        # Arrow starts a file with the magic, and takes every offset from where the sink stands.
        sink.write(bytes(start - len(_MAGIC)))
        writer.write_table(table, row_group_size=_ROW_GROUP)
    data = memoryview(sink.getvalue())
    length = int.from_bytes(data[-_END : -len(_MAGIC)], "little") + _END
    return _Encoded(start, data[start:-length], data[-length:])


def _assembled(before: bytes, size: int, made: _Encoded) -> bytes:
    """The bytes of `before`, made `size` long, with the new pages and the footer in place."""
    out = bytearray(size)
    out[: len(before)] = before
    out[made.start : made.end] = made.pages
    out[size - len(made.footer) :] = made.footer
    return bytes(out)
