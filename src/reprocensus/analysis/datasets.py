"""Tables as Arrow datasets and lazy frames: columns and editions that a query leaves out are not read.

A dataset opens each file once, so a partition that is replaced meanwhile is read whole, old or new. Files of
another version (`migrations.py`) are brought into today's shape in memory.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from polars.io.plugins import register_io_source

from reprocensus.errors import StoreError
from reprocensus.schemas import TableSchema, load_table
from reprocensus.tables import Tables, edition_of

#: Files that are read side by side; what they hold is in memory together.
_AT_ONCE = 16


class TableReader:
    """Makes datasets of a store's tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._plain: set[str] = set()

    def scan(self, name: str) -> pl.LazyFrame:
        """The table as a lazy frame that lists the store's files anew each time it is collected."""
        shape = arrow_schema(load_table(name))
        empty = pl.from_arrow(shape.empty_table())
        assert isinstance(empty, pl.DataFrame)

        def source(
            columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            left = n_rows
            yield empty.select(columns) if columns is not None else empty
            listed = self._files(name)
            for start in range(0, len(listed), _AT_ONCE):
                files = listed[start : start + _AT_ONCE]
                rows = pl.scan_pyarrow_dataset(self._dataset(load_table(name), files))
                rows = rows if predicate is None else rows.filter(predicate)
                rows = rows if columns is None else rows.select(columns)
                part = (rows if left is None else rows.head(left)).collect()
                yield part
                if left is not None and (left := left - part.height) <= 0:
                    return

        return register_io_source(source, schema=empty.schema, explain_name=name)

    def dataset(self, name: str) -> ds.Dataset:
        """The files that the table has now."""
        return self._dataset(load_table(name), self._files(name))

    def _files(self, name: str) -> list[str]:
        return [p for p in self._tables.storage.list(f"tables/{name}") if p.endswith(".parquet")]

    def _dataset(self, schema: TableSchema, files: Sequence[str]) -> ds.Dataset:
        shape = arrow_schema(schema)
        unknown = [path for path in files if path not in self._plain]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = pool.map(lambda path: self._tables.reads_as_it_lies(schema.name, path), unknown)
            # Files are never replaced by older ones, so what reads as it lies will do so for good.
            self._plain.update(path for path, plain in zip(unknown, answers, strict=True) if plain)
        filesystem, root = self._tables.storage.arrow()
        parquet = ds.ParquetFileFormat()
        fragments = [
            parquet.make_fragment(f"{root}/{path}", filesystem, _where(schema, path))
            for path in files
            if path in self._plain
        ]
        lying = ds.FileSystemDataset(fragments, shape, parquet, filesystem)
        others = [self._converted(schema, path) for path in files if path not in self._plain]
        if not others:
            return lying
        converted: Any = ds.dataset(pa.concat_tables(others))
        both: Any = ds.dataset([lying, converted])
        assert isinstance(both, ds.Dataset)
        return both

    def _converted(self, schema: TableSchema, path: str) -> pa.Table:
        if schema.derived:
            raise StoreError(
                f"{path} in {self._tables.storage.uri} was computed by another version of this program; "
                "`reprocensus migrate` computes it again"
            )
        rows = self._tables.read_file(schema.name, path)
        if schema.partitioned:
            edition = edition_of(path)
            rows = rows.add_column(0, "year", pa.array([edition.year] * rows.num_rows, pa.int64()))
            rows = rows.add_column(0, "venue", pa.array([edition.venue] * rows.num_rows, pa.string()))
        return rows.cast(arrow_schema(schema))


def arrow_schema(schema: TableSchema) -> pa.Schema:
    """The table's columns, with the edition's in front where it is partitioned."""
    edition = [pa.field("venue", pa.string(), False), pa.field("year", pa.int64(), False)]
    return pa.schema([*(edition if schema.partitioned else []), *schema.arrow])


def _where(schema: TableSchema, path: str) -> ds.Expression | None:
    if not schema.partitioned:
        return None
    edition = edition_of(path)
    return (ds.field("venue") == edition.venue) & (ds.field("year") == edition.year)
