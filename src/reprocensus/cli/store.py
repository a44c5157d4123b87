"""Commands for a store: what its tables hold, rebuilding them from the journal, and maintenance."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reprocensus.cli import show
from reprocensus.cli.options import JsonOption, StoreOption, open_tables
from reprocensus.cli.progress import working
from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.history import one_run
from reprocensus.maintain import Options
from reprocensus.maintain import maintain as maintain_store
from reprocensus.publish import rebuild as rebuild_tables
from reprocensus.records import Edition
from reprocensus.settings import load_settings
from reprocensus.state import JOURNALED, read_state
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

app = typer.Typer(help="What a store's tables hold, and making them anew from its journal.")


def add_to(main: typer.Typer) -> None:
    """Adds the commands."""
    main.add_typer(app, name="tables")
    main.command("maintain")(maintain)


@app.callback(invoke_without_command=True)
def status(context: typer.Context, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List every edition's rows by table, and how many files its journal has."""
    if context.invoked_subcommand:
        return
    tables = open_tables(store)
    rows = [_status(tables, edition) for edition in _editions(tables)]
    if as_json:
        print(json.dumps(rows))
        return
    shown = Table(box=SIMPLE_HEAD)
    for name in rows[0] if rows else ("no editions",):
        shown.add_column(name, justify="right" if name not in ("venue", "year") else "left")
    for row in rows:
        shown.add_row(*(str(value) for value in row.values()))
    show.console().print(shown)


@app.command("rebuild")
def rebuild(
    edition: Annotated[
        list[str] | None, typer.Option("--edition", help="such as icml/2016; may be repeated (default: all)")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="as they were when this run had ended, or at this time (ISO 8601, UTC)"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder to write them to, as a store of its own")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="write to --out although there is something already")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make tables and statistics anew from the journal: today's in place, those of any date with --out."""
    tables = open_tables(store)
    if as_of and not out:
        raise UsageError(
            "--as-of needs --out FOLDER: the store's own tables are those of today, and the next run would "
            "fold in what has been left out"
        )
    if out and not force and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"--out {out} is not empty; name a new folder, or say --force to write over a store's tables"
        )
    until = _when(tables, as_of) if as_of else None
    into = Tables(open_storage(str(out), load_settings())) if out else tables
    into.storage.prepare()
    with working("looking for editions in the journal", quiet=as_json) as say:
        wanted = _chosen(_editions(tables), edition or [])
        for number, one in enumerate(wanted, 1):
            say(f"rebuilding {one}, number {number} of {counted(len(wanted), 'edition')}")
            rebuild_tables(tables, one, into, until)
        if out:
            _copy_runs(tables, into, until)
    done = {
        "store": into.storage.uri,
        "as_of": until.isoformat() if until else None,
        "editions": [str(one) for one in wanted],
    }
    print(
        json.dumps(done)
        if as_json
        else f"rebuilt {counted(len(wanted), 'edition')} in {into.storage.uri}/tables"
    )


def maintain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be done, and do none of it")
    ] = False,
    grace_hours: Annotated[
        float, typer.Option("--grace-hours", min=0, max=1_000_000, help="nothing younger is deleted")
    ] = 24,
    keep_days: Annotated[
        float | None,
        typer.Option(
            "--keep-days",
            min=0,
            max=100_000,
            help="thin out history older than this (default: keep all of it)",
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack the journal's files, and delete objects that nothing refers to. Safe beside runs."""
    keep = timedelta(days=keep_days) if keep_days is not None else None
    done = maintain_store(
        open_tables(store),
        Options(timedelta(hours=grace_hours), keep, dry_run),
        load_settings().lease_s,
    )
    if as_json:
        print(json.dumps(asdict(done)))
        return
    lines = [f"{what:<12}{said}" for what, said in done.told(dry_run=dry_run)]
    show.print_lines(lines)


def _status(tables: Tables, edition: Edition) -> dict[str, Any]:
    rows = {name: tables.read(name, edition, ("recorded_at",)).frame.height for name in JOURNALED}
    entries = tables.journal(edition)
    return {
        "venue": edition.venue,
        "year": edition.year,
        **rows,
        "journal": len(entries),
        "packs": sum(entry.is_pack for entry in entries),
        "unpublished": len(read_state(tables, edition).unfolded),
    }


def _editions(tables: Tables) -> list[Edition]:
    return sorted({e for name in JOURNALED for e in tables.editions(name)} | set(tables.journaled_editions()))


def _chosen(known: list[Edition], names: list[str]) -> list[Edition]:
    by_name = {f"{edition.venue}/{edition.year}".casefold(): edition for edition in known}
    if unknown := [name for name in names if name.casefold() not in by_name]:
        raise UsageError(f"no edition {', '.join(unknown)} in the store; reprocensus tables lists them")
    return sorted(by_name[name.casefold()] for name in names) if names else known


def _when(tables: Tables, word: str) -> datetime:
    """The time that `--as-of` means: an ISO time, or when a run ended."""
    try:
        told = datetime.fromisoformat(word)
    except ValueError:
        run = one_run(tables, word)
        ended: datetime | None = run["finished_at"]
        if ended is None:
            raise UsageError(f"run {run['run_id']} has not ended; give a time instead") from None
        return ended
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _copy_runs(tables: Tables, into: Tables, until: datetime | None) -> None:
    runs = tables.read_rows("runs")
    for row in runs.filter(pl.col("started_at") <= until if until else True).iter_rows(named=True):
        into.write_row("runs", row["run_id"], row)
