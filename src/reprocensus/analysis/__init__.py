"""The tables of a store as analysts like them: Polars, SQL, Arrow, on disk or S3, always read-only.

>>> import reprocensus
>>> store = reprocensus.open("data")
>>> store.verdicts.filter(variable="open_source_code", label="Yes").collect()
>>> store.sql("SELECT venue, year, count(*) AS n FROM papers GROUP BY ALL ORDER BY ALL")
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from reprocensus.analysis.datasets import TableReader
from reprocensus.errors import UsageError
from reprocensus.groups import choose_engine
from reprocensus.schemas import load_tables
from reprocensus.settings import Settings, load_settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

if TYPE_CHECKING:
    import pyarrow.dataset as ds

__all__ = ["Store", "open_store"]


class Store:
    """The tables of one store, by name: `store["papers"]` or `store.papers`.

    Nothing is read before a frame is collected; each time it is, it reads what the store holds then.
    """

    def __init__(self, tables: Tables, usual_engine: str) -> None:
        self._usual_engine = usual_engine
        self._reader = TableReader(tables)
        self.uri = tables.storage.uri
        self._names = tuple(schema.name for schema in load_tables())

    def __getitem__(self, name: str) -> pl.LazyFrame:
        """The table as a lazy frame, columns `venue` and `year` in front. Raises `KeyError` for no table."""
        self._check(name)
        return self._reader.scan(name)

    def __getattr__(self, name: str) -> pl.LazyFrame:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._names})

    def __repr__(self) -> str:
        return f"reprocensus.open({self.uri!r}): {', '.join(self._names)}"

    def dataset(self, name: str) -> "ds.Dataset":
        """The table as a pyarrow dataset of the files that the store holds now.

        Use it soon and once: it may remember the footers of files that are replaced in the meantime.
        """
        self._check(name)
        return self._reader.dataset(name)

    def sql(self, query: str) -> pl.DataFrame:
        """The result of one SELECT in DuckDB's SQL over the tables, `judged_papers` included.

        Raises:
            UsageError: the query is wrong; the message is DuckDB's, in one line.
        """
        from reprocensus.analysis.sql import selected

        with selected(self, query) as rows:
            frame = pl.from_arrow(rows.read_all())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def choose_engine(self, named: str | None = None) -> str:
        """The engine named, else the store's only one, else the one in the settings.

        Raises:
            UsageError: that engine has no verdicts here; the message names those that have.
        """
        engines = self["verdicts"].select(pl.col("engine").unique().sort()).collect()["engine"]
        return choose_engine(engines.to_list(), named, self._usual_engine)

    def _check(self, name: str) -> None:
        if name not in self._names:
            raise KeyError(f"there is no table {name!r}; the tables are {', '.join(self._names)}")


def open_store(store: str | None = None, settings: Settings | None = None) -> Store:
    """The tables of a store: a path or URI, or what `REPROCENSUS_STORE` says. S3 access as in the settings.

    Raises:
        UsageError: nothing has been written there.
        StoreError: it cannot be reached.
    """
    settings = settings or load_settings()
    tables = Tables(open_storage(store or settings.store, settings))
    if not tables.storage.list("tables"):
        raise UsageError(
            f"the store {tables.storage.uri} has no tables; run `reprocensus run` first, or name another"
        )
    return Store(tables, settings.engine)
