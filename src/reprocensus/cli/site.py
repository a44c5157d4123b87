"""The commands that make web pages of a store: `site build`, `site serve`."""

import sys
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
    pictures: Annotated[
        bool, typer.Option("--pictures", help="draw the passage of every quote (about 15 kB each)")
    ] = False,
    marked_pdfs: Annotated[
        bool,
        typer.Option("--marked-pdfs", help="add each paper's PDF with all quotes marked; with --pictures"),
    ] = False,
) -> None:
    """Write the site as static files, which any web server or bucket can hold."""
    from reprocensus.site.build import build as write
    from reprocensus.site.prepare import draw, write_search

    corpus = _corpus(store, engine)
    if pictures or marked_pdfs:
        drawn = draw(corpus, list(corpus.editions), out, marked=marked_pdfs, workers=load_settings().workers)
        print(f"{drawn.pictures} pictures drawn, {drawn.kept} kept, {drawn.marked} PDFs marked")
        for paper_id, reason in drawn.failed:
            print(f"{paper_id}: no pictures: {reason}", file=sys.stderr)
    print(f"{write(corpus, out)} pages in {out}")
    print(f"{write_search(corpus, out) / 1e6:.1f} MB of search index")


@app.command()
def serve(
    store: StoreOption = None,
    engine: EngineChoice = None,
    host: Annotated[str, typer.Option("--host", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="port to listen on")] = 8000,
) -> None:
    """Serve the same pages on demand, made from the tables as they are asked for."""
    from reprocensus.site.prepare import evidence_served, search_served
    from reprocensus.site.serve import serve as run

    corpus = _corpus(store, engine)
    print(f"http://{host}:{port}/ (Ctrl+C ends it)", flush=True)
    with evidence_served(corpus, load_settings().workers), search_served(corpus):
        run(corpus, host, port)


def _corpus(store: str | None, engine: str | None) -> Corpus:
    settings = load_settings()
    return Corpus(open_tables(store), SiteOptions(engine=engine or settings.engine))
