"""SQL over a store: DuckDB reads the tables' datasets, and the editions and columns that a query names."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from reprocensus.analysis.views import JUDGED_PAPERS, judged_papers
from reprocensus.errors import UsageError
from reprocensus.schemas import load_variables

if TYPE_CHECKING:
    from reprocensus.analysis import Store

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
#: Rows that come out of DuckDB at a time.
_BATCH = 50_000


def connect(store: "Store", query: str | None = None, *, locked: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection with a view of each table; only of those that `query` may mean, if it is given.

    `locked`: it can neither read nor write files of its own accord, and nobody can change that.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    words = set(re.findall(r"\w+", query.lower())) if query is not None else set()
    every = query is None or bool(words & {"show", "information_schema", "duckdb_tables", "duckdb_views"})
    wide = every or JUDGED_PAPERS in words
    for name in store:
        if every or name in words or (wide and name in ("papers", "verdicts")):
            connection.register(name, store.dataset(name))
    if wide:
        connection.execute(f"CREATE VIEW {JUDGED_PAPERS} AS {judged_papers(load_variables())}")
    if locked:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def selected(store: "Store", query: str) -> Iterator[pa.RecordBatchReader]:
    """The result of one SELECT, in batches. Neither the store nor other files can be changed by it.

    Raises:
        UsageError: it is no single SELECT, or a wrong one; the message is DuckDB's, in one line.
    """
    try:
        statements = duckdb.extract_statements(query)
        if len(statements) != 1 or statements[0].type not in _READING:
            raise UsageError("a store is read with one SELECT; other statements are not run")
        with closing(connect(store, query, locked=True)) as connection:
            rows = connection.sql(query).to_arrow_reader(_BATCH)
            assert rows is not None
            yield rows
    except (duckdb.Error, pa.ArrowException) as error:
        raise UsageError(f"SQL: {_one_line(error)}{_known(store, error)}") from error


def _one_line(error: Exception) -> str:
    """What DuckDB says, without the picture of the query."""
    return " ".join(re.split(r"\n\nLINE |\nDid you mean", str(error))[0].split())


def _known(store: "Store", error: Exception) -> str:
    known = f"; the tables are {', '.join([*store, JUDGED_PAPERS])}"
    return known if "Table with name" in str(error) else ""
