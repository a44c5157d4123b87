"""The commands that make web pages of a store: `site build`, `site serve`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from reprocensus.cli.options import EngineChoice, StoreOption, open_tables
from reprocensus.settings import Settings, load_settings
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import Evidence, SiteOptions

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
    full: Annotated[bool, typer.Option("--full", help="write every page, changed or not")] = False,
) -> None:
    """Write the site as static files, which any web server or bucket can hold.

    Again into the same folder, it writes what changed and removes what is gone.
    """
    from reprocensus.site.build import build as write

    settings = load_settings()
    evidence = Evidence.MARKED if marked_pdfs else Evidence.PICTURES if pictures else Evidence.NONE
    options = _options(settings, engine, evidence)
    started = time.monotonic()
    done = write(store or settings.store, settings, options, out, full=full)
    for paper_id, reason in done.drawn.failed:
        print(f"{paper_id}: no pictures: {reason}", file=sys.stderr)
    drawn = done.drawn
    if evidence is not Evidence.NONE:
        print(f"{drawn.pictures} pictures drawn, {drawn.kept} kept, {drawn.marked} PDFs marked")
    print(
        f"{done.n_papers} papers, {done.n_files} files in {time.monotonic() - started:.1f} s; "
        f"{len(done.editions)} editions built, {len(done.unchanged)} unchanged, "
        f"{done.n_removed} files removed: {out}/index.html"
    )


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
    return Corpus(open_tables(store), _options(settings, engine))


def _options(settings: Settings, engine: str | None, evidence: Evidence = Evidence.NONE) -> SiteOptions:
    return SiteOptions(engine=engine or settings.engine, evidence=evidence)
