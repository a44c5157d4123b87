"""Tables as files to download: what the store holds, without people's mailboxes and the machine's folders."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from reprocensus.records import Edition
from reprocensus.schemas import load_table
from reprocensus.site.facts import DOWNLOADS
from reprocensus.site.safe import masked, web_url, without_paths
from reprocensus.tables import Tables, encode

#: Media type of each kind of file.
KINDS: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
#: Columns that hold addresses: those of the web are passed on, paths of the machine are not.
_ADDRESSES: Final = frozenset({"pdf_location", "pdf_url", "landing_url", "location", "final_url"})
#: Columns that may name folders, and those that name the machine.
_MESSAGES: Final = frozenset({"message", "source", "settings", "attempted", "pdf_stamp"})
_WITHHELD: Final = {"runs": frozenset({"hardware"})}
#: Tables without editions that can be downloaded.
WHOLE: Final = ("runs",)


def download(tables: Tables, name: str, edition: Edition | None, suffix: str) -> bytes:
    """A table's rows of one edition as CSV or Parquet. What is masked keeps its length, so offsets hold."""
    schema = load_table(name)
    frame = tables.read(name, edition).frame if edition else tables.read_rows(name)
    cleaned = frame.with_columns(_clean(frame[column], _cleaner(name, column)) for column in frame.columns)
    if suffix == "parquet":
        return encode(schema, cleaned)
    if edition:
        where = pl.lit(edition.venue).alias("venue"), pl.lit(edition.year).alias("year")
        cleaned = cleaned.select(*where, pl.all())
    from reprocensus.analysis.export import write_rows

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.csv"
        write_rows(cleaned.to_arrow().to_reader(), file)
        return file.read_bytes()


def downloadable(name: str) -> bool:
    """Whether the table is offered."""
    return name in DOWNLOADS or name in WHOLE


def _cleaner(table: str, column: str) -> Callable[[str], str]:
    if column in _WITHHELD.get(table, ()):
        return lambda _: "{}"
    if column in _ADDRESSES:
        return lambda text: web_url(text) or ""
    if column in _MESSAGES:
        return lambda text: masked(without_paths(text))
    return masked


def _clean(column: pl.Series, clean: Callable[[str], str]) -> pl.Series:
    """The column with its words cleaned, in lists and structs too; left as it is where nothing changes."""
    if column.dtype == pl.String:
        once = {text: clean(text) for text in column.unique().drop_nulls()}
        changed = {text: new for text, new in once.items() if text != new}
        return column.replace(changed) if changed else column
    if isinstance(column.dtype, pl.List) and column.dtype.inner in (pl.String, pl.Struct):
        rows = column.to_list()
        cleaned = [_deep(row, clean) for row in rows]
        return pl.Series(column.name, cleaned, column.dtype) if cleaned != rows else column
    return column


def _deep(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_deep(item, clean) for item in value]
    if isinstance(value, dict):
        return {key: _deep(item, clean) for key, item in value.items()}
    return value
