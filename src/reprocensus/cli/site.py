"""The commands that make web pages of a store: `site build`, `site serve`."""

from pathlib import Path
from typing import Annotated

import typer

from reprocensus.cli.options import EngineChoice, StoreOption, open_tables
from reprocensus.settings import load_settings
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import SiteOptions

app = typer.Typer(help="Web pages of a store: static files, or served on demand.", no_args_is_help=True)


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", help="folder to write; made if it is not there")],
    store: StoreOption = None,
    engine: EngineChoice = None,
) -> None:
    """Write the site as static files, which any web server or bucket can hold."""
    from reprocensus.site.build import build as write

    print(f"{write(_corpus(store, engine), out)} pages in {out}")


@app.command()
def serve(
    store: StoreOption = None,
    engine: EngineChoice = None,
    host: Annotated[str, typer.Option("--host", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="port to listen on")] = 8000,
) -> None:
    """Serve the same pages on demand, made from the tables as they are asked for."""
    from reprocensus.site.serve import serve as run

    print(f"http://{host}:{port}/ (Ctrl+C ends it)", flush=True)
    run(_corpus(store, engine), host, port)


def _corpus(store: str | None, engine: str | None) -> Corpus:
    settings = load_settings()
    return Corpus(open_tables(store), SiteOptions(engine=engine or settings.engine))
