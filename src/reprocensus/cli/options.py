"""Options that several commands share."""

from typing import Annotated

import typer

StoreOption = Annotated[
    str | None, typer.Option("--store", help="path or fsspec URI of the store [default: ./data]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print results as JSON")]
EngineChoice = Annotated[
    str | None, typer.Option("--engine", help="whose verdicts, where several engines judged")
]
