"""Tables and query results as files for other programs: CSV, JSON lines, Parquet, a DuckDB database.

In CSV a list becomes a JSON array in one cell, and a list of structs such as `quotes` one column a member
(`quotes_text`, `quotes_page`, ...) whose arrays run side by side. The other formats keep lists as they are.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import duckdb
import pyarrow as pa

from reprocensus.analysis.sql import connect
from reprocensus.analysis.views import JUDGED_PAPERS, quoted
from reprocensus.errors import StoreError, UsageError
from reprocensus.schemas import load_table

if TYPE_CHECKING:
    from reprocensus.analysis import Store

#: Format -> suffix of its files.
FORMATS = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "duckdb": ".duckdb"}
#: The papers' own texts, which mostly may not be passed on: exported only by name.
_BY_NAME_ONLY = ("documents",)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def export(
    store: "Store",
    kind: str,
    out: Path,
    *,
    tables: Sequence[str] = (),
    venue: str | None = None,
    year: int | None = None,
    excel: bool = False,
    force: bool = False,
) -> list[Path]:
    """Writes tables of the store, all but the papers' texts if none are named; returns the files.

    One named table becomes the file `out`, several become `out/<table>.<suffix>`; a DuckDB database is one
    file. A file is there whole or not at all. `excel` is for CSV that a spreadsheet opens: a byte order mark,
    and an apostrophe before cells that it would run as a formula.

    Raises:
        UsageError: an unknown format, table, venue or year, or a file that is there already, without `force`.
        StoreError: the store cannot be read, or a file cannot be written.
    """
    if kind not in FORMATS:
        raise UsageError(f"unknown format {kind!r}; formats are {', '.join(FORMATS)}")
    known = [*store, JUDGED_PAPERS]
    if unknown := [name for name in tables if name not in known]:
        raise UsageError(f"unknown table {', '.join(unknown)}; tables are {', '.join(known)}")
    _check_edition(store, venue, year)
    names = list(tables) or [name for name in store if name not in _BY_NAME_ONLY]
    with closing(connect(store, " ".join(names))) as connection, _export_errors(out):
        if kind == "duckdb":
            with whole_file(out, force=force) as temporary:
                _database(connection, temporary, names, venue, year)
            return [out]
        files = {name: out if len(tables) == 1 else out / f"{name}{FORMATS[kind]}" for name in names}
        if not force and (there := [str(path) for path in files.values() if path.exists()]):
            raise UsageError(f"{', '.join(there)} exists already; --force replaces it")
        for name, path in files.items():
            relation = connection.sql(f"SELECT * FROM {name}{_where(connection, name, venue, year)}")
            write(connection, relation, kind, path, excel=excel, force=force)
        return list(files.values())


def _check_edition(store: "Store", venue: str | None, year: int | None) -> None:
    held = store["papers"].select("venue", "year").unique().collect()
    for name, wanted in (("venue", venue), ("year", year)):
        known = sorted(held[name].unique())
        if wanted is not None and wanted not in known:
            raise UsageError(f"no {name} {wanted} in {store.uri}; it has {', '.join(map(str, known))}")


def write_rows(rows: pa.RecordBatchReader, out: Path, *, force: bool = False) -> None:
    """Writes a query's result; the suffix of `out` says how.

    Raises:
        UsageError: another suffix, or a file that is there already, without `force`.
    """
    kinds = {suffix: kind for kind, suffix in FORMATS.items() if kind != "duckdb"} | {".json": "jsonl"}
    if out.suffix not in kinds:
        raise UsageError(f"--out {out}: the name must end in {', '.join(kinds)}")
    with closing(duckdb.connect()) as connection, _export_errors(out):
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("result", rows)
        write(connection, connection.sql("SELECT * FROM result"), kinds[out.suffix], out, force=force)


def print_csv(rows: pa.RecordBatchReader, out: TextIO) -> None:
    """Writes a query's result to an open file as CSV."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.csv"
        write_rows(rows, path)
        with path.open(encoding="utf-8", newline="") as file:
            shutil.copyfileobj(file, out)


def write(
    connection: duckdb.DuckDBPyConnection,
    relation: duckdb.DuckDBPyRelation,
    kind: str,
    out: Path,
    *,
    excel: bool = False,
    force: bool = False,
) -> None:
    """Writes a relation as CSV, JSON lines or Parquet, in pieces, and as a whole or not at all."""
    columns = "*" if kind != "csv" else ", ".join(_flat(relation, excel=excel))
    options = {"csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json", "parquet": "FORMAT parquet, CODEC zstd"}
    relation.create_view("to_write", replace=True)
    with whole_file(out, force=force) as temporary:
        target = quoted(str(temporary))
        connection.execute(f"COPY (SELECT {columns} FROM to_write) TO {target} ({options[kind]})")
        if excel and kind == "csv":
            _mark(temporary)


@contextmanager
def whole_file(out: Path, *, force: bool) -> Iterator[Path]:
    """A name beside `out` to write to, which becomes `out` if the block ends well.

    Raises:
        UsageError: `out` is there already, and not `force`.
    """
    if out.exists() and (out.is_dir() or not force):
        raise UsageError(
            f"{out} exists already; " + ("it is a folder" if out.is_dir() else "--force replaces it")
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _database(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    names: Sequence[str],
    venue: str | None,
    year: int | None,
) -> None:
    connection.execute(f"ATTACH {quoted(str(path))} AS exported")
    for name in names:
        where = _where(connection, name, venue, year)
        connection.execute(f"CREATE TABLE exported.{name} AS SELECT * FROM {name}{where}")
        if name == JUDGED_PAPERS:
            continue
        schema = load_table(name)
        connection.execute(f"COMMENT ON TABLE exported.{name} IS {quoted(schema.description)}")
        for column in schema.columns:
            about = quoted(column.description)
            connection.execute(f'COMMENT ON COLUMN exported.{name}."{column.name}" IS {about}')
    connection.execute("DETACH exported")


def _where(connection: duckdb.DuckDBPyConnection, name: str, venue: str | None, year: int | None) -> str:
    has = set(connection.table(name).columns)
    tests = [f"venue = {quoted(venue)}"] if venue is not None and "venue" in has else []
    tests += [f"year = {year}"] if year is not None and "year" in has else []
    return " WHERE " + " AND ".join(tests) if tests else ""


def _flat(relation: duckdb.DuckDBPyRelation, *, excel: bool) -> Iterator[str]:
    for name, kind in zip(relation.columns, relation.types, strict=True):
        column = '"' + name.replace('"', '""') + '"'
        if kind.id == "list" and (members := _members(kind)):
            for member in members:
                inner = f'list_transform({column}, lambda x: x."{member}")'
                yield f'to_json({inner}) AS "{name}_{member}"'
        elif kind.id in ("list", "struct", "map", "array"):
            yield f"to_json({column}) AS {column}"
        elif kind.id == "varchar" and excel:
            risky = f"regexp_matches({column}, '^[=+@\\t\\r-]')"
            yield f"CASE WHEN {risky} THEN '''' || {column} ELSE {column} END AS {column}"
        else:
            yield column


def _members(kind: Any) -> list[str]:
    """The members' names of a list of structs."""
    item = kind.children[0][1]
    return [name for name, _ in item.children] if item.id == "struct" else []


def _mark(path: Path) -> None:
    marked = path.with_name(path.name + "-marked")
    with path.open("rb") as plain, marked.open("wb") as file:
        file.write(_BYTE_ORDER_MARK)
        shutil.copyfileobj(plain, file)
    marked.replace(path)


@contextmanager
def _export_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.IOException) as error:
        raise StoreError(f"{out} cannot be written: {error}; check the folder and its space") from error
