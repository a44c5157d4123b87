"""Options that several commands share, and what they stand for."""

from typing import Annotated

import typer

from reprocensus.settings import load_settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="path or fsspec URI of the store (default: REPROCENSUS_STORE, else ./data)"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print results as JSON")]
EngineChoice = Annotated[
    str | None, typer.Option("--engine", help="whose verdicts, where several engines judged")
]


def open_tables(store: str | None) -> Tables:
    """The tables of the store that `--store` names, else of the one in the settings."""
    settings = load_settings()
    return Tables(open_storage(store or settings.store, settings))
