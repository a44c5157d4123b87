"""The commands that make web pages of a store: `site build`, `site serve`."""

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from reprocensus.cli.options import EngineChoice, StoreOption
from reprocensus.cli.progress import progress_display
from reprocensus.counting import counted
from reprocensus.outcome import Progress
from reprocensus.settings import load_settings
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
    pdfs: Annotated[
        bool, typer.Option("--pdfs/--no-pdfs", help="pass on the archived PDFs, as their licences must allow")
    ] = True,
    texts: Annotated[
        bool, typer.Option("--texts/--no-texts", help="show the papers' plain texts, as licences must allow")
    ] = True,
    full: Annotated[bool, typer.Option("--full", help="write every page, changed or not")] = False,
) -> None:
    """Write the site as static files, which any web server or bucket can hold.

    Again into the same folder, it writes what changed and removes what is gone.
    """
    from reprocensus.site.build import build as write

    settings = load_settings()
    evidence = Evidence.MARKED if marked_pdfs else Evidence.PICTURES if pictures else Evidence.NONE
    options = SiteOptions.of(settings, engine, evidence, pdfs=pdfs, texts=texts)
    started = time.monotonic()
    done = write(store or settings.store, settings, options, out, full=full, display=_shown)
    for paper_id, reason in done.drawn.failed:
        print(f"{paper_id}: no pictures: {reason}", file=sys.stderr)
    drawn = done.drawn
    if evidence is not Evidence.NONE:
        made, of_quotes = counted(drawn.pictures, "picture"), counted(drawn.marked, "PDF")
        print(f"{made} drawn, {drawn.kept} kept, {of_quotes} marked")
    print(
        f"{counted(done.n_papers, 'paper')}, {counted(done.n_files, 'file')} "
        f"made in {time.monotonic() - started:.1f} s; "
        f"{counted(len(done.editions), 'edition')} built, {len(done.unchanged)} unchanged, "
        f"{counted(done.n_removed, 'file')} removed: {out}/index.html"
    )


def _shown(totals: Mapping[str, int]) -> AbstractContextManager[Progress]:
    """A build's progress, on standard error."""
    return progress_display(totals, stages=tuple(totals), first="reading the store")


@app.command()
def serve(
    store: StoreOption = None,
    engine: EngineChoice = None,
    host: Annotated[str, typer.Option("--host", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="port to listen on; 0: any")] = 8000,
    pdfs: Annotated[bool, typer.Option("--pdfs/--no-pdfs", help="pass on the archived PDFs")] = True,
    texts: Annotated[bool, typer.Option("--texts/--no-texts", help="show the papers' plain texts")] = True,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes that make pages")] = 2,
) -> None:
    """Serve the same pages on demand, made from the tables as they are asked for."""
    from reprocensus.site.serve import serve as run

    settings = load_settings()
    options = SiteOptions.of(settings, engine, pdfs=pdfs, texts=texts)
    run(store or settings.store, settings, options, host, port, workers=workers)
