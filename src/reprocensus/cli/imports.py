"""The command that takes labels of others into a store."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reprocensus.cli.options import JsonOption, StoreOption, open_tables
from reprocensus.counting import counted
from reprocensus.imports import import_file
from reprocensus.schemas import load_variables


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("import")(import_labels)


def import_labels(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV or JSON lines, by its suffix")],
    engine: Annotated[str | None, typer.Option("--engine", help="name for a census' verdicts")] = None,
    model: Annotated[str, typer.Option("--model", help="the model that made them, if known")] = "imported",
    who: Annotated[str | None, typer.Option("--who", help="name for people's labels")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in another census' labels as verdicts (--engine), or people's as labels (--who)."""
    tables = open_tables(store)
    done = import_file(tables, file, load_variables(), engine=engine, model=model, who=who)
    if as_json:
        print(json.dumps(asdict(done)))
        return
    print(
        f"{counted(done.n_papers, 'paper')}, {done.n_new_papers} of them new; "
        f"{counted(done.n_new, 'label')} added, {done.n_known} known already"
        + (
            f"; {counted(done.n_merged, 'row')} of papers named more than once: the last stands"
            if done.n_merged
            else ""
        )
        + (
            f"; {counted(done.n_unlisted, 'paper')} left out, not listed by the store"
            if done.n_unlisted
            else ""
        )
    )
