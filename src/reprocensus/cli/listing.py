"""The commands about sources: which venues there are, and what an edition lists."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand

from reprocensus.cli import show
from reprocensus.cli.options import JsonOption, StoreOption
from reprocensus.counting import counted
from reprocensus.errors import StoreError
from reprocensus.records import Paper
from reprocensus.settings import load_settings
from reprocensus.sources import SourceOptions, list_edition, venues
from reprocensus.sources.history import History
from reprocensus.sources.listing import TRACKS, Listing
from reprocensus.sources.online import OnlinePages
from reprocensus.storage import open_storage

_LISTING: Final = "--listing"
#: What is a source and no saved page, also after `--listing`: `icml/2016`, `manifest:FILE`.
_SOURCE: Final = re.compile(r"[a-z][\w-]*/\d{1,4}|[a-z]+:.*", re.IGNORECASE)


def _known_tracks(tracks: str) -> str:
    if tracks not in TRACKS:
        raise typer.BadParameter(f"{tracks!r} is neither main nor all")
    return tracks


TracksOption = Annotated[
    str,
    typer.Option(
        "--tracks",
        callback=_known_tracks,
        help="main, or all: workshops, demos, datasets and benchmarks too",
    ),
]
ListingOption = Annotated[
    list[str] | None,
    typer.Option(_LISTING, help="saved pages instead of the network: files and folders; may be repeated"),
]
AcceptOption = Annotated[
    bool, typer.Option("--accept-fewer", help="take a listing that has fewer papers than before")
]


class WithListing(TyperCommand):
    """A command whose `--listing` takes all files and folders after it, as a shell's `*` gives them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Writes the option's name before each of them, since click's options take one value."""
        return super().parse_args(ctx, _spread(args))


def _spread(args: Sequence[str]) -> list[str]:
    spread: list[str] = []
    # Click takes the first value itself; those after it may be `more`.
    first = more = False
    for arg in args:
        if arg.startswith("-"):
            first, more = arg == _LISTING, arg.startswith(f"{_LISTING}=")
        elif first:
            first, more = False, True
        elif more and not _SOURCE.fullmatch(arg):
            spread.append(_LISTING)
        else:
            more = False
        spread.append(arg)
    return spread


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    app.command("sources")(sources)
    app.command("list", cls=WithListing)(list_)


def sources(as_json: JsonOption = False) -> None:
    """List the venues whose editions can be listed and run, with the years known."""
    known = venues()
    if as_json:
        rows = [
            {"source": word, "venue": v.name, "years": list(v.years), "about": v.about}
            for word, v in known.items()
        ]
        print(json.dumps(rows))
        return
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in ("source", "venue", "years", "about"):
        table.add_column(name, overflow="fold")
    for word, venue in known.items():
        table.add_row(f"{word}/YEAR", venue.name, venue.spans, escape(venue.about))
    show.console().print(table)


def list_(
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="a venue's year, such as icml/2016")],
    tracks: TracksOption = "main",
    listing: ListingOption = None,
    accept_fewer: AcceptOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the papers of an edition, from the network or from saved pages; JSON lines with --json.

    Exit code 1, and why on standard error, if a page lists no paper, is a login or a challenge, or if the
    edition lists fewer papers than before (the store remembers).
    """
    settings = load_settings()
    history = History(open_storage(store or settings.store, settings))
    with OnlinePages(settings) as pages:
        options = SourceOptions(
            tracks=tracks,
            listing=tuple(listing or ()),
            accept_fewer=accept_fewer,
            online=pages,
            history=history,
        )
        found = list_edition(edition, options)
    if as_json:
        for paper in found.papers:
            print(json.dumps(_row(paper), ensure_ascii=False))
    else:
        _print(found)
    tell(found)
    if found.problems:
        raise typer.Exit(1)
    remember(history, found)


def tell(listing: Listing) -> None:
    """Says on standard error what is wrong with a listing, and what an operator may want to know."""
    for problem in listing.problems:
        print(f"reprocensus: {listing.edition}: {problem.kind}: {problem}", file=sys.stderr)
    for note in listing.notes:
        print(f"reprocensus: {listing.edition}: note: {note}", file=sys.stderr)


def remember(history: History, listing: Listing) -> None:
    """Keeps what was listed, for the next time to compare with."""
    try:
        history.write(listing)
    except (StoreError, OSError) as error:
        print(
            f"reprocensus: {listing.edition}: note: not remembered for the next listing: {error}",
            file=sys.stderr,
        )


def _row(paper: Paper) -> dict[str, Any]:
    return {
        "paper_id": paper.paper_id,
        "title": paper.title,
        "authors": list(paper.authors),
        "track": paper.track,
        "landing_url": paper.landing_url,
        "pdf_url": paper.pdf_url,
    }


def _print(listing: Listing) -> None:
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in ("paper_id", "title", "track", "pdf"):
        table.add_column(name, overflow="fold")
    for paper in listing.papers:
        table.add_row(
            *(escape(said or "-") for said in (paper.paper_id, paper.title, paper.track, paper.pdf_url))
        )
    if listing.papers:
        show.console().print(table)
    side = f", {listing.left_out} more in side tracks (--tracks all)" if listing.left_out else ""
    without = sum(paper.pdf_url is None for paper in listing.papers)
    no_pdf = f", {without} without a link to a PDF" if without else ""
    show.print_lines([f"{listing.edition}: {counted(len(listing.papers), 'paper')}{no_pdf}{side}"])
