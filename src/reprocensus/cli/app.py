"""The commands."""

import json
import sys
import time
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer

from reprocensus import __version__
from reprocensus.census import Prepared, prepare, settle
from reprocensus.cli import (
    analysis,
    audit,
    bench,
    engines,
    imports,
    listing,
    operate,
    review,
    show,
    site,
    sizing,
    statistics,
    text,
)
from reprocensus.cli import (
    store as store_commands,
)
from reprocensus.cli.asked import takes_request
from reprocensus.cli.options import JsonOption, StoreOption, open_tables
from reprocensus.cli.progress import progress_display, working
from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.groups import group_statistics, labels_of
from reprocensus.inspect import explain, failures
from reprocensus.logs import log_as
from reprocensus.outcome import RunOutcome
from reprocensus.request import RunRequest
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings, load_settings

app = typer.Typer(
    help="Reads AI papers and judges, with quoted evidence, what they document for their reproduction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(bench.app, name="bench")
app.add_typer(site.app, name="site")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command(cls=listing.WithListing)
@takes_request
def run(request: RunRequest, as_json: bool) -> None:
    """Fetch, extract and judge what is not done yet, then write tables and statistics.

    Exit code 1 if anything failed in this run, 2 if the request is wrong.
    """
    if code := _start(request, as_json):
        raise typer.Exit(code)


listing.add_commands(app)


@app.command(cls=listing.WithListing)
@takes_request
def plan(request: RunRequest, as_json: bool) -> None:
    """Say what a run would fetch, extract and judge, and do none of it."""
    # Whoever plans is there to read that a server is not.
    settings = load_settings().model_copy(update={"vllm_start_wait_s": 0})
    prepared = _prepared(request, settings, quiet=as_json)
    _tell(prepared)
    if as_json:
        print(
            json.dumps(
                {
                    **prepared.plan.counts(),
                    "prompt_version": prepared.judging.prompt_version,
                    "listings": _listings(prepared),
                    "forecast": engines.forecast_as_json(prepared),
                }
            )
        )
    else:
        version = f"prompts     version {prepared.judging.prompt_version}"
        show.print_lines([*show.plan_lines(prepared.plan), version, *engines.forecast_lines(prepared)])
    if prepared.gathered.failed:
        raise typer.Exit(1)


@app.command()
def why(
    paper: Annotated[str, typer.Argument(help="paper_id, its last part, or the title")],
    variable: Annotated[str, typer.Argument(help="name of a variable")],
    engine: Annotated[str | None, typer.Option("--engine", help="whose (default: the latest)")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print one verdict with its quotes in context, their pages, and the run that made it."""
    chosen = load_variables((variable,))[0]
    reason = explain(open_tables(store), paper, chosen, engine)
    if as_json:
        quotes = [
            {**quote, "before": before, "after": after}
            for quote, (before, after) in zip(reason.verdict["quotes"], reason.contexts, strict=True)
        ]
        found = {
            "venue": reason.edition.venue,
            "year": reason.edition.year,
            "title": reason.paper["title"],
            **reason.verdict,
            "quotes": quotes,
            "run": reason.run,
        }
        print(json.dumps(found, default=str, ensure_ascii=False))
    else:
        show.print_reason(show.console(), reason, chosen)


@app.command()
def variables(as_json: JsonOption = False) -> None:
    """List the variables that are judged, with their labels and criteria."""
    known = load_variables()
    if as_json:
        print(json.dumps([v.model_dump(exclude={"rules"}) for v in known]))
        return
    for v in known:
        criteria = [f"    {label}: {criterion}" for label, criterion in v.criteria.items()]
        head = f"{v.name}  ({', '.join(v.labels)})  {v.sha[:12]}"
        show.print_lines([head, f"    {v.question}", *criteria])


text.add_to(app)
analysis.add_to(app)
engines.add_to(app)
imports.add_to(app)
sizing.add_to(app)
audit.add_to(app)
review.add_to(app)
statistics.add_to(app)
store_commands.add_to(app)


def _start(request: RunRequest, as_json: bool) -> int:
    """Runs a request and prints what came of it; the exit code."""
    settings = load_settings()
    prepared = _prepared(request, settings, quiet=as_json)
    _tell(prepared)
    if settings.log_format:
        log_as(settings.log_format)
    started = time.monotonic()
    outcome = None
    if prepared.anything:
        outcome = _hand_over(prepared, quiet=as_json)
    else:
        settle(prepared)
    seconds = time.monotonic() - started
    if as_json:
        print(json.dumps(_summary(prepared, outcome, seconds)))
    else:
        _report(prepared, outcome, seconds)
    return int(bool(outcome and outcome.report.failed))


operate.add_to(app, _start)


def _prepared(request: RunRequest, settings: Settings, *, quiet: bool) -> Prepared:
    with working(f"listing {', '.join(request.sources)} and reading the store", quiet=quiet):
        return prepare(request, settings)


def _tell(prepared: Prepared) -> None:
    for found in prepared.gathered.listings:
        listing.tell(found)


def _listings(prepared: Prepared) -> list[dict[str, Any]]:
    """The editions among the sources, what they list, and what is wrong with that."""
    return [
        {
            "venue": found.edition.venue,
            "year": found.edition.year,
            "papers": len(found.papers),
            "left_out": found.left_out,
            "problems": [{"kind": problem.kind, "message": str(problem)} for problem in found.problems],
            "notes": list(found.notes),
        }
        for found in prepared.gathered.listings
    ]


def _hand_over(prepared: Prepared, *, quiet: bool) -> RunOutcome:
    """Hands the plan to whatever runs flows here."""
    found = entry_points(group="reprocensus.flows", name="run")
    if not found:
        raise UsageError("nothing is installed that runs flows; install the package rather than a copy of it")
    # A store that cannot be written should be known before seconds go into starting Prefect.
    prepared.tables.storage.prepare()
    counts = prepared.plan.counts()
    totals = {**counts, "publish": len(prepared.editions)}
    try:
        with progress_display(totals, quiet=quiet) as progress:
            outcome: RunOutcome = next(iter(found)).load()(prepared, progress)
    except KeyboardInterrupt as interrupt:
        again = "interrupted; the same command goes on where it stopped"
        print(f"reprocensus: {again}", file=sys.stderr)
        raise typer.Exit(130) from interrupt
    return outcome


def _summary(prepared: Prepared, outcome: RunOutcome | None, seconds: float) -> dict[str, Any]:
    report = outcome.report.counts if outcome else {}
    return {
        "run_id": outcome.run_id if outcome else None,
        "status": outcome.status if outcome else "nothing_to_do",
        "seconds": round(seconds, 3),
        "seconds_at_work": round(outcome.report.seconds_at_work(), 3) if outcome else 0.0,
        "store": prepared.tables.storage.uri,
        "plan": prepared.plan.counts(),
        "listings": _listings(prepared),
        "counts": [{"stage": s, "outcome": o, "n": n} for (s, o), n in sorted(report.items())],
        "failures": failures(prepared.tables, prepared.editions)
        .select("paper_id", "stage", "variable", "kind", "transient", "attempts", "message", "run_id")
        .to_dicts(),
    }


def _report(prepared: Prepared, outcome: RunOutcome | None, seconds: float) -> None:
    out = show.console()
    tables, plan = prepared.tables, prepared.plan
    every = load_variables()
    by = ("venue", "year")
    engine = prepared.judging.engine
    ours = {(edition.venue, edition.year) for edition in prepared.listed}
    groups = group_statistics(labels_of(tables, every, engine), by, every)
    of_this_run = [group for group in groups if (group["venue"], group["year"]) in ours]
    out.print(show.statistics_table(of_this_run, by, every, engine))
    if outcome:
        lines = show.outcome_lines(outcome, seconds)
        lines += show.failure_lines(failures(tables, prepared.editions), outcome.run_id)
    else:
        lines = [f"nothing to do: {plan.n_done} of {counted(plan.n_papers, 'paper')} done and unchanged"]
        lines += show.waiting_lines(plan)
    show.print_lines([*lines, f"tables: {tables.storage.uri}/tables"])
