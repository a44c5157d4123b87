"""reprocensus: what AI papers document for their reproduction, judged with quoted evidence."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reprocensus.analysis import Store

__version__ = "0.1.0"


def open(store: str | None = None) -> "Store":  # noqa: A001  (`reprocensus.open` is how one says it)
    """The tables of a store, as Polars lazy frames by name and for SQL; see `reprocensus.analysis`.

    `store` is a path or URI; without one, what `REPROCENSUS_STORE` says, or ./data.

    Raises:
        UsageError: nothing has been written there.
        StoreError: it cannot be reached.
    """
    from reprocensus.analysis import open_store

    return open_store(store)
