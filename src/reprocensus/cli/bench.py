"""`reprocensus bench`: what the parts cost and what their results are worth."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reprocensus.cli import show
from reprocensus.cli.options import EngineChoice, StoreOption
from reprocensus.counting import counted
from reprocensus.settings import load_settings

if TYPE_CHECKING:
    from reprocensus.bench.extraction import Figures

app = typer.Typer(help="Measure reprocensus on this machine.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    pass


@app.command()
def extract(
    folder: Annotated[Path, typer.Argument(help="PDFs at any depth below it")] = Path("samples"),
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="at most this many, at random")] = None,
    seed: Annotated[int, typer.Option("--seed", help="of everything drawn at random")] = 1,
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="time the other extractors that are installed")
    ] = True,
    peer_seconds: Annotated[
        float, typer.Option("--peer-seconds", min=1, help="CPU time that each of them gets")
    ] = 60.0,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="times that CPU time is taken; a paper's least counts")
    ] = 3,
    memory_files: Annotated[
        int,
        typer.Option(
            "--memory-files", min=0, help="files that one worker reads while its memory is watched; 0: none"
        ),
    ] = 700,
    sentences: Annotated[
        int, typer.Option("--sentences", min=0, help="sentences that are looked up on their pages")
    ] = 1000,
    score: Annotated[
        Path | None,
        typer.Option(
            "--score",
            exists=True,
            dir_okay=False,
            help="script that scores the texts where FOLDER has truths as .json",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Measure extraction: speed, memory and quality, beside MuPDF alone and other extractors."""
    from reprocensus.bench.extraction import Options, measure

    options = Options(
        folder=folder,
        limit=limit,
        seed=seed,
        peer_seconds=peer_seconds if peers else 0.0,
        rounds=rounds,
        memory_files=memory_files,
        sentences=sentences,
        script=score,
    )
    figures = measure(options, _teller(quiet=as_json))
    if as_json:
        print(json.dumps(figures.as_json()))
    else:
        _print(figures)


@app.command()
def correction(
    rounds: Annotated[int, typer.Option("--rounds", min=10, help="corpora of each kind")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="of everything drawn at random")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Measure how often 95 % intervals hold the truth, raw and corrected, over corpora made at random."""
    from dataclasses import asdict

    from reprocensus.bench.correction import JUDGES, SIZES, coverage

    rows = [
        {**asdict(judge), "n_papers": n, "n_labelled": labelled, **asdict(found)}
        for judge in JUDGES
        for n, labelled in SIZES
        for found in [coverage(judge, n, labelled, rounds, seed)]
    ]
    if as_json:
        print(json.dumps({"rounds": rounds, "seed": seed, "coverage": rows}))
        return
    table = Table(
        title=f"Share of 95 % intervals that hold the truth, {rounds} corpora each", box=SIMPLE_HEAD
    )
    for name in rows[0]:
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*(f"{x:.3f}" if isinstance(x, float) else str(x) for x in row.values()))
    show.console().print(table)


@app.command()
def night(
    papers: Annotated[int, typer.Option("--papers", min=1, help="papers with tiny texts")] = 60_000,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="an empty folder to work in (default: a temporary one)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
) -> None:
    """Measure a night over many papers with the fake engine, and the next one, with nothing new."""
    from tempfile import TemporaryDirectory

    from reprocensus.bench.night import measure

    with TemporaryDirectory() as temporary:
        found = measure(papers, folder or Path(temporary), _teller(quiet=as_json))
    if as_json:
        print(json.dumps(found.as_json()))
        return
    table = Table(
        title=f"{counted(found.papers, 'paper')}, {counted(found.verdicts, 'verdict')}", box=SIMPLE_HEAD
    )
    for name in ("", "wall s", "CPU s", "peak MiB", "task runs", "database MiB", "status"):
        table.add_column(name, justify="right")
    for name, one in (("everything new", found.full), ("nothing new", found.nothing)):
        values = (one.wall_s, one.cpu_s, one.peak_mib, one.task_runs, one.database_mib, one.status)
        table.add_row(name, *(str(value) for value in values))
    show.console().print(table)


def _teller(*, quiet: bool) -> Callable[[str], None]:
    """Says on standard error what is being done, once for each phase."""
    said: list[str] = []

    def tell(phase: str) -> None:
        if phase not in said and not quiet:
            print(f"measuring: {phase}", file=sys.stderr)
        said[:] = [phase]

    return tell


def _print(figures: "Figures") -> None:
    out = show.console()
    out.print(_speeds(figures))
    out.print(_rest(figures))
    for name, kind in figures.failures.items():
        print(f"no text: {name}: {kind}")


def _speeds(figures: "Figures") -> Table:
    of = f"{counted(figures.papers, 'paper')}, {counted(figures.pages, 'page')}"
    title = f"CPU time of {of} ({figures.folder}, seed {figures.seed})"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.add_column("extractor")
    table.add_column("version")
    for name in ("papers", "CPU s", "over get_textpage", "over ours"):
        table.add_column(name, justify="right")
    base = f"MuPDF {figures.pymupdf}"
    over = _ratio(figures.ours_over_textpage)
    inverse = 1 / figures.ours_over_textpage if figures.ours_over_textpage else None
    read = str(figures.papers)
    table.add_row("get_textpage alone", base, read, f"{figures.textpage_cpu_s:.1f}", "1.00", _ratio(inverse))
    table.add_row("reprocensus", f"{figures.reader} reader", read, f"{figures.ours_cpu_s:.1f}", over, "1.00")
    for name, peer in figures.peers.items():
        label = f"{name} (raw order)" if peer.raw else name
        if peer.version is None:
            table.add_row(label, "not installed")
            continue
        cells = (str(peer.papers), f"{peer.cpu_s:.1f}", _ratio(peer.over_textpage), _ratio(peer.over_ours))
        table.add_row(label, peer.version, *cells)
    return table


def _rest(figures: "Figures") -> Table:
    table = Table(box=SIMPLE_HEAD, show_header=False, pad_edge=False)
    rows: list[tuple[str, object]] = [
        ("pages a CPU second", f"{figures.pages_per_cpu_s:.1f}"),
        (
            "CPU seconds a paper: half, 95 %, all below",
            f"{figures.cpu_s_p50:.3f}, {figures.cpu_s_p95:.3f}, {figures.cpu_s_max:.3f}",
        ),
    ]
    if figures.memory:
        early, peak, files = figures.memory.early_mib, figures.memory.peak_mib, figures.memory.files
        rows.append(
            (
                f"peak memory of a worker, early and after {counted(files, 'file')}, MiB",
                f"{early:.0f}, {peak:.0f}",
            )
        )
    if figures.two_workers_over_one:
        rows.append(("two workers over one", _ratio(figures.two_workers_over_one)))
    rows += [(name.replace("_", " "), value) for name, value in figures.quality.items()]
    rows += [(f"planted: {name}", value) for name, value in (figures.planted or {}).items()]
    for name, value in rows:
        table.add_row(name, "nothing to count" if value is None else str(value))
    return table


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


@app.command("site")
def site(
    store: StoreOption = None,
    engine: EngineChoice = None,
    requests: Annotated[int, typer.Option("--requests", min=1, help="papers that readers ask for")] = 5_000,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="requests under way at a time")] = 50,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="processes that serve, and that build")
    ] = 2,
    warm_s: Annotated[
        float, typer.Option("--warm-s", min=0, help="seconds for it to read and make pages")
    ] = 180,
    build: Annotated[bool, typer.Option("--build/--no-build", help="measure the build, too")] = True,
) -> None:
    """Measure the site: papers a second of a static build, and how long readers of a served one wait."""
    from reprocensus.bench.site import build_speed, waiting
    from reprocensus.site.options import SiteOptions

    settings = load_settings().model_copy(update={"workers": workers})
    chosen, judge = store or settings.store, engine or settings.engine
    if build:
        for done in build_speed(chosen, settings, SiteOptions(engine=judge, pdfs=False), again=True):
            print(
                f"build: {counted(done.n_papers, 'paper')}, {counted(done.n_files, 'file')} "
                f"in {done.seconds:.1f} s "
                f"({done.n_papers / done.seconds:.0f} papers/s), {done.cpu_seconds:.1f} s of the processors "
                f"({done.n_papers * workers / done.cpu_seconds:.0f} papers/s if {workers} were free)"
            )
    found = waiting(chosen, settings, judge, workers=workers, at_once=at_once, n=requests, warm_s=warm_s)
    print(
        f"serve: {counted(found.n, 'request')}, {at_once} at once, {counted(found.errors, 'error')}; "
        f"median {found.median_ms:.1f}, 95th percentile {found.p95_ms:.1f}, "
        f"longest {found.worst_ms:.1f} ms; {found.per_second:.0f} a second, "
        f"{found.cpu_ms:.2f} ms of the processors each; {found.memory_mib:.0f} MiB"
    )
