"""How files are read that another version of this program wrote. Pure: Arrow tables in and out.

Every Parquet file names its table and the version of the table's schema. The rule:

- **A column, or a member of a struct, may be added at any time**, without a new version. It must be nullable,
  or its schema file must give a `default`. Older files read as if they held null, or the default.
- **Everything else breaks**: a column renamed, removed or of another type. The table's `version` goes up by
  one and `MIGRATIONS` gets a function from the version before. It is applied as a file is read, and the file
  is written anew when its partition is next replaced. Files of the journal are immutable and stay as they
  are.
- **A derived table** (statistics) is not migrated: an older file of another shape reads as empty, and the
  next publication makes it again.
- **What is newer than the program is refused**: a higher version, or a column that it does not know. It would
  drop what it does not know when it next replaced the partition.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from reprocensus.errors import StoreError
from reprocensus.schemas import Column, TableSchema

TABLE_KEY = b"reprocensus.table"
VERSION_KEY = b"reprocensus.schema_version"

Migration = Callable[[pa.Table], pa.Table]
#: (table, version) -> what makes that version's rows into the next version's.
MIGRATIONS: dict[tuple[str, int], Migration] = {}


def stamp(schema: TableSchema) -> dict[bytes, bytes]:
    """The metadata that says what a file holds."""
    return {TABLE_KEY: schema.name.encode(), VERSION_KEY: str(schema.version).encode()}


def version_of(schema: TableSchema, metadata: Mapping[bytes, bytes] | None, path: str) -> int:
    """The schema version that a file was written with; 1 where the file does not say.

    Raises:
        StoreError: the file holds another table, or was written by a newer version of this program.
    """
    metadata = metadata or {}
    table = metadata.get(TABLE_KEY, schema.name.encode()).decode()
    if table != schema.name:
        raise StoreError(
            f"{path} holds the table {table}, not {schema.name}; somebody moved it, so move it back"
        )
    version = int(metadata.get(VERSION_KEY, b"1"))
    if version > schema.version:
        raise StoreError(
            f"{path} has version {version} of the table {schema.name}, this program knows {schema.version}; "
            "upgrade reprocensus to the version that wrote it, or a later one"
        )
    return version


def is_current(schema: TableSchema, version: int, present: pa.Schema) -> bool:
    """Whether a file's rows can be used as they lie, nullable columns that it lacks being null."""
    if version < schema.version:
        return False
    return all(
        column.nullable
        if (index := present.get_field_index(column.name)) < 0
        else present.field(index).type == column.arrow.type
        for column in schema.columns
    )


def to_read(
    schema: TableSchema, version: int, present: pa.Schema, columns: Sequence[str] | None, path: str
) -> list[str] | None:
    """Which of a file's columns must be read to answer for `columns`; None: all.

    Raises:
        StoreError: the file has a column that this program does not know.
    """
    known = {column.name for column in schema.columns}
    if version == schema.version and (unknown := [name for name in present.names if name not in known]):
        raise StoreError(
            f"{path} has columns that this program does not know ({', '.join(unknown)}); upgrade reprocensus "
            "to the version that wrote it, or a later one"
        )
    if columns is None or version < schema.version:
        return None
    return [name for name in columns if name in present.names]


def conform(
    rows: pa.Table, schema: TableSchema, version: int, columns: Sequence[str] | None, path: str
) -> pa.Table:
    """Rows of a file as the schema has them today; only the columns named, if any are.

    Raises:
        StoreError: nothing leads from that version to this one, or what a migration left does not fit.
    """
    for step in range(version, schema.version):
        migration = MIGRATIONS.get((schema.name, step))
        if migration is None:
            raise StoreError(
                f"{path} has version {step} of the table {schema.name}, and nothing leads from there to "
                f"version {step + 1}; add a migration in migrations.py"
            )
        rows = migration(rows)
    by_name = {column.name: column for column in schema.columns}
    wanted = [by_name[name] for name in (by_name if columns is None else columns)]
    try:
        arrays = [_column(rows, column) for column in wanted]
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise StoreError(
            f"{path}, version {version} of the table {schema.name}: {error}; a change that breaks needs a "
            "new version and a migration (migrations.py)"
        ) from error
    return pa.Table.from_arrays(arrays, schema=pa.schema([column.arrow for column in wanted]))


def _column(rows: pa.Table, column: Column) -> "pa.ChunkedArray[Any]":
    wanted = column.arrow.type
    if column.name not in rows.column_names:
        if column.default is None and not column.nullable:
            raise pa.ArrowInvalid(
                f"it lacks the column {column.name}, which has no default and may not be null"
            )
        return pa.chunked_array([_filled(column.default, wanted, rows.num_rows)], wanted)
    found = rows.column(column.name)
    if found.type == wanted:
        return found
    if column.type == "list<struct>" and _members(found.type) < _members(wanted):
        return pa.chunked_array([pa.array(found.to_pylist(), wanted)], wanted)
    raise pa.ArrowInvalid(f"its column {column.name} is {found.type}, not {wanted}")


def _filled(value: Any, kind: pa.DataType, n: int) -> "pa.Array[Any]":
    return pa.array([value] * n, kind)


def _members(kind: pa.DataType) -> set[tuple[str, str]]:
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return set()
    return {(field.name, str(field.type)) for field in kind.value_type}
