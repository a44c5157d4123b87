"""Tables as files to download: what the store holds, without people's mailboxes and the machine's folders."""

import json
from collections.abc import Callable
from typing import Any, Final

import polars as pl

from reprocensus.layout import first_version
from reprocensus.migrations import stamp
from reprocensus.records import Edition
from reprocensus.schemas import load_table
from reprocensus.site.facts import DOWNLOADS
from reprocensus.site.safe import masked, web_url, without_paths
from reprocensus.tables import Tables

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
        rows = cleaned.select(column.name for column in schema.columns).to_arrow().cast(schema.arrow)
        return first_version(rows, stamp(schema))
    if edition:
        where = pl.lit(edition.venue).alias("venue"), pl.lit(edition.year).alias("year")
        cleaned = cleaned.select(*where, pl.all())
    return _flat(cleaned).write_csv().encode("utf-8")


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as CSV can hold it, in the shape that `reprocensus export` gives it.

    A list is a JSON array in one cell, a list of structs one column a member, whose arrays run side by side.
    """
    columns: list[pl.Series] = []
    for column in frame.get_columns():
        if not isinstance(column.dtype, pl.List):
            columns.append(column)
        elif isinstance(column.dtype.inner, pl.Struct):
            rows = column.to_list()
            for member in column.dtype.inner.fields:
                cells = [_cell(None if row is None else [item[member.name] for item in row]) for row in rows]
                columns.append(pl.Series(f"{column.name}_{member.name}", cells, pl.String))
        else:
            columns.append(pl.Series(column.name, list(map(_cell, column.to_list())), pl.String))
    return pl.DataFrame(columns)


def _cell(value: list[Any] | None) -> str | None:
    return (
        None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    )


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
