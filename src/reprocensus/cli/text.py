"""The command that shows what extraction makes of one PDF."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from reprocensus.errors import ExtractError, UsageError
from reprocensus.extract import FLAGS, ExtractPool
from reprocensus.settings import load_settings

#: Flags that say what a paper is like, not that its text is worse for it.
_HARMLESS: Final = frozenset({"no_references", "many_pages"})


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("text")(text)


def text(
    file: Annotated[Path, typer.Argument(help="a PDF")],
    raw: Annotated[bool, typer.Option("--raw", help="MuPDF's own lines in its own order")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="with page starts, sections, captions, flags and hidden text")
    ] = False,
) -> None:
    """Print a PDF's text as it would be judged; what is odd about it goes to standard error.

    Exit code 1 if it has no usable text.
    """
    settings = load_settings()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; name a PDF") from error
    with ExtractPool(1, settings.extract_timeout_s, settings.extract_memory_mb) as pool:
        try:
            found = pool.extract(data, mode="raw" if raw else "text")
        except ExtractError as error:
            raise ExtractError(error.kind, f"{file}: {error}", transient=error.transient) from error
    if as_json:
        print(json.dumps({"n_pages": found.n_pages, **asdict(found)}, ensure_ascii=False))
        return
    print(found.text, end="")
    for flag in found.flags:
        if flag not in _HARMLESS:
            print(f"reprocensus: {file}: {flag}: {FLAGS[flag]}", file=sys.stderr)
