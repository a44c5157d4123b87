"""What `run` and `plan` can be asked: their options, each named once, and the request they stand for."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from reprocensus.cli.listing import AcceptOption, ListingOption, TracksOption
from reprocensus.cli.options import JsonOption, StoreOption
from reprocensus.errors import UsageError
from reprocensus.request import DEFAULT_SOURCE, RunRequest
from reprocensus.settings import load_settings

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE",
        help="an edition such as icml/2016, manifest:FILE (JSON lines) or dir:FOLDER (PDFs); samples/ if "
        "none is given",
        show_default=False,
    ),
]
EditionOption = Annotated[
    list[str] | None,
    typer.Option("--edition", help="of what the sources list, only this, as ICML/2016; may be repeated"),
]
EngineOption = Annotated[
    str | None, typer.Option("--engine", help="who judges (default: REPROCENSUS_ENGINE, else rules)")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="which model the engine asks, as its server names it")
]
VariablesOption = Annotated[
    str | None, typer.Option("--variables", help="names separated by commas (default: all)")
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        help="only the first so many papers that the sources list, done or not; with --edition the first of "
        "those editions",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="worker processes (default: REPROCENSUS_WORKERS, else one a processor)"
    ),
]
ShardOption = Annotated[
    int | None,
    typer.Option(
        "--shard-size",
        min=1,
        max=5000,
        help="papers in one unit of work (default: REPROCENSUS_SHARD_SIZE, else 250)",
    ),
]
VenueOption = Annotated[str | None, typer.Option("--venue", help="venue of a folder's papers")]
YearOption = Annotated[
    int | None, typer.Option("--year", min=1900, max=2100, help="year of a folder's papers")
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="try papers again that failed for good earlier")
]
RecheckOption = Annotated[
    bool, typer.Option("--recheck", help="ask the network again for every PDF that the store has")
]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="demand of a model's server that no reply depends on what is asked beside"),
]


def takes_request(command: Callable[[RunRequest, bool], None]) -> Callable[..., None]:
    """The command with all options of `asked`, and `--json`; it is called with the request they make.

    Raises:
        UsageError: when called, if they make none.
    """

    @functools.wraps(command)
    def with_options(*, as_json: bool, **options: object) -> None:
        command(asked(**options), as_json)  # type: ignore[arg-type]

    options = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(asked).parameters.values()
    ]
    json_option = inspect.Parameter(
        "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption
    )
    # Typer reads a command's options off its signature and its annotations.
    with_options.__signature__ = inspect.Signature([*options, json_option])  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in [*options, json_option]}
    return with_options


def asked(
    sources: Sources = None,
    edition: EditionOption = None,
    store: StoreOption = None,
    engine: EngineOption = None,
    model: ModelOption = None,
    variables: VariablesOption = None,
    limit: LimitOption = None,
    workers: WorkersOption = None,
    shard_size: ShardOption = None,
    venue: VenueOption = None,
    year: YearOption = None,
    retry_failed: RetryOption = False,
    tracks: TracksOption = "main",
    saved: ListingOption = None,
    accept_fewer: AcceptOption = False,
    recheck: RecheckOption = False,
    exact: ExactOption = False,
) -> RunRequest:
    """The request that options stand for; what they leave open is the settings'."""
    if not sources and not Path(DEFAULT_SOURCE.partition(":")[2]).exists():
        raise UsageError("no samples/ here; name a SOURCE: an edition, manifest:FILE or dir:FOLDER")
    names = tuple(name.strip() for name in (variables or "").split(",") if name.strip())
    if variables is not None and not names:
        raise UsageError("--variables names none; leave it out to judge all")
    settings = load_settings()
    return RunRequest(
        sources=tuple(sources or (DEFAULT_SOURCE,)),
        editions=tuple(edition or ()),
        venue=venue,
        year=year,
        store=store or settings.store,
        engine=engine or settings.engine,
        model=model,
        variables=names,
        limit=limit,
        workers=workers,
        shard_size=shard_size,
        retry_failed=retry_failed,
        tracks="all" if tracks == "all" else "main",
        listing=tuple(saved or ()),
        accept_fewer=accept_fewer,
        recheck=recheck,
        exact=exact,
    )
