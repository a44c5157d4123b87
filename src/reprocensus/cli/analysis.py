"""The commands for analysts: schema, sql, export, plot, migrate."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reprocensus.cli import show
from reprocensus.cli.options import EngineChoice, JsonOption, StoreOption, open_tables
from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.schemas import TableSchema, load_table, load_tables, load_variables

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_SHOWN = 200
ForceOption = Annotated[bool, typer.Option("--force", help="replace a file that is there already")]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    for command in (schema, sql, export, plot, migrate):
        app.command()(command)


def schema(
    table: Annotated[
        str | None, typer.Argument(help="name of a table (default: all)", show_default=False)
    ] = None,
    views: Annotated[
        str | None, typer.Option("--views", help="print SQL that makes views: duckdb, spark or trino")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe the tables and their columns, or print the views.sql of a store."""
    if views:
        from reprocensus.analysis.views import views_sql

        storage = open_tables(store).storage
        # An engine makes no view of files that are not there yet.
        filled = [known for known in load_tables() if storage.list(f"tables/{known.name}")]
        print(views_sql(views, storage.uri, filled or load_tables(), load_variables()), end="")
        return
    chosen = [load_table(table)] if table else list(load_tables())
    if as_json:
        print(json.dumps([s.model_dump() for s in chosen]))
    elif table:
        show.console().print(_columns_table(chosen[0]))
    else:
        show.print_lines([f"{s.name}  ({', '.join(_key(s))})\n    {s.description}" for s in chosen])


def sql(
    query: Annotated[str, typer.Argument(help="one SELECT in DuckDB's SQL")],
    store: StoreOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="write a .csv, .jsonl or .parquet file")] = None,
    force: ForceOption = False,
) -> None:
    """Ask the tables in SQL; judged_papers has one row a paper and engine. Read-only."""
    if sum([as_json, as_csv, out is not None]) > 1:
        raise UsageError("--json, --csv and --out exclude each other")
    from reprocensus.analysis import open_store
    from reprocensus.analysis.export import print_csv, write_rows
    from reprocensus.analysis.sql import selected

    with selected(open_store(store), query) as rows:
        if out:
            write_rows(rows, out, force=force)
            show.print_lines([str(out)])
        elif as_csv:
            print_csv(rows, sys.stdout)
        elif as_json:
            show.print_json(rows.read_all().to_pylist())
        else:
            _print_rows(rows)


def export(
    out: Annotated[Path, typer.Option("--out", help="file for one table or a database, else a folder")],
    kind: Annotated[str, typer.Option("--format", help="csv, jsonl, parquet or duckdb")] = "csv",
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--table", help="a table; may be repeated (default: all but documents, the papers' texts)"
        ),
    ] = None,
    venue: Annotated[str | None, typer.Option("--venue", help="only this venue")] = None,
    year: Annotated[int | None, typer.Option("--year", help="only this year")] = None,
    excel: Annotated[bool, typer.Option("--excel", help="CSV that a spreadsheet opens safely")] = False,
    store: StoreOption = None,
    force: ForceOption = False,
) -> None:
    """Write tables as CSV, JSON lines, Parquet or one DuckDB database."""
    from reprocensus.analysis import open_store
    from reprocensus.analysis.export import export as write

    done = write(
        open_store(store), kind, out, tables=tables or (), venue=venue, year=year, excel=excel, force=force
    )
    show.print_lines([str(path) for path in done])


def plot(
    out: Annotated[Path, typer.Option("--out", help="file to write, .svg or .png")],
    kind: Annotated[str, typer.Argument(help="trend, scores, heatmap or corrected")] = "trend",
    venues: Annotated[
        list[str] | None, typer.Option("--venue", help="a venue; may be repeated (default: all)")
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("--variable", help="a variable; may be repeated (default: the seven scored)"),
    ] = None,
    engine: EngineChoice = None,
    width: Annotated[str, typer.Option("--width", help="column (84 mm) or page (175 mm)")] = "column",
    source: Annotated[
        str, typer.Option("--source", help="words to add to the line that names the labels' source")
    ] = "",
    store: StoreOption = None,
    force: ForceOption = False,
) -> None:
    """Draw a figure: trend by year, scores, heatmap of venues, corrected beside raw."""
    from reprocensus.analysis import open_store
    from reprocensus.plots import draw

    draw(
        open_store(store),
        kind,
        out,
        venues=venues or (),
        variables=variables or (),
        engine=engine,
        width=width,
        source=source,
        force=force,
    )
    show.print_lines([str(out)])


def migrate(store: StoreOption = None) -> None:
    """Write anew what an earlier version of this program wrote, so that every reader sees today's columns."""
    from reprocensus.upgrade import upgrade

    written = upgrade(open_tables(store))
    show.print_lines([f"{counted(len(written), 'file')} written anew", *written])


def _key(schema: TableSchema) -> tuple[str, ...]:
    return (*(("venue", "year") if schema.partitioned else ()), *schema.key)


def _columns_table(schema: TableSchema) -> Table:
    table = Table(
        title=schema.description, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title_justify="left"
    )
    for name in ("column", "type", "null", "description"):
        table.add_column(name, no_wrap=name != "description")
    if schema.partitioned:
        table.add_row("venue *", "string", "", "Venue of the edition.")
        table.add_row("year *", "int64", "", "Its year.")
    for column in schema.columns:
        name = column.name + (" *" if column.name in schema.key else "")
        members = ", ".join(f"{m.name} {m.type}" for m in column.fields)
        about = f"{column.description} Members: {members}." if members else column.description
        table.add_row(name, column.type, "null" if column.nullable else "", Text(about))
    table.caption = "* part of the key"
    return table


def _print_rows(rows: "pa.RecordBatchReader") -> None:
    shown: list[dict[str, Any]] = []
    total = 0
    for batch in rows:
        shown += batch.slice(0, max(0, _ROWS_SHOWN - len(shown))).to_pylist()
        total += batch.num_rows
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for field in rows.schema:
        numeric = str(field.type).startswith(("int", "uint", "float", "double", "decimal"))
        table.add_column(Text(field.name), justify="right" if numeric else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    show.console().print(table)
    if total > len(shown):
        print(
            f"{len(shown)} of {counted(total, 'row')}; --csv, --json or --out FILE gives all", file=sys.stderr
        )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.0f}"
    return "" if value is None else str(value)
