"""Commands for whoever operates a store: what runs did, what failed, and setting up a Prefect server."""

import json
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.table import Table

from reprocensus.cli import show
from reprocensus.cli.options import JsonOption, StoreOption, open_tables
from reprocensus.counting import counted
from reprocensus.errors import STAGES, UsageError
from reprocensus.history import Retry, failures_that_stand, one_run, papers_of, recent_runs, retries
from reprocensus.prompt import prompt_version

#: Runs a request and returns the exit code.
Start = Callable[[Any, bool], int]


def add_to(app: typer.Typer, start: Start) -> None:
    """Adds the commands. `start` runs a request as `reprocensus run` does."""
    app.command("runs")(runs)
    app.command("deploy")(deploy)

    @app.command("failures")
    def failures(
        kind: Annotated[
            list[str] | None, typer.Option("--kind", help="only this kind, such as timeout; may be repeated")
        ] = None,
        stage: Annotated[
            str | None, typer.Option("--stage", help="only at this stage: list, fetch, extract or judge")
        ] = None,
        run: Annotated[str | None, typer.Option("--run", help="only those that this run met last")] = None,
        retry: Annotated[
            bool, typer.Option("--retry", help="try their papers again, now, however often they were tried")
        ] = False,
        store: StoreOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List failures that nothing has mended, or try their papers again.

        Exit code 1 if a retry leaves failures.
        """
        if stage is not None and stage not in STAGES:
            raise UsageError(f"--stage {stage!r}: stages are {', '.join(STAGES)}")
        tables = open_tables(store)
        found = failures_that_stand(tables, kinds=kind or (), stage=stage, run_id=run)
        if retry:
            raise typer.Exit(_retry(retries(tables, found, kind or ()), start, as_json))
        if as_json:
            print(json.dumps(found.to_dicts(), default=str, ensure_ascii=False))
        elif found.is_empty():
            none = "" if recent_runs(tables, 1) else ", and no runs"
            print(f"no failures in {tables.storage.uri}{none}")
        else:
            show.console().print(_failures_table(found))


def runs(
    run: Annotated[str | None, typer.Argument(help="one run, by its id or how it begins or ends")] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, help="so many, the latest first")
    ] = 20,
    papers: Annotated[
        bool, typer.Option("--papers", help="of one run: what each paper used, the dearest first")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, or say all that is kept of one: what it was asked, with what it judged, what came of it."""
    tables = open_tables(store)
    if papers:
        if run is None:
            raise UsageError("--papers is of one run: reprocensus runs RUN --papers")
        used = papers_of(tables, one_run(tables, run)["run_id"])
        if as_json:
            print(json.dumps(used.to_dicts(), ensure_ascii=False))
        else:
            show.console().print(_papers_table(used.head(limit), used.height))
        return
    if run is not None:
        row = one_run(tables, run)
        if as_json:
            version = {"prompt_version": _prompt_version(row)}
            print(json.dumps(row | version, default=str, ensure_ascii=False))
        else:
            show.print_lines(_run_lines(row))
        return
    rows = recent_runs(tables, limit)
    if as_json:
        print(json.dumps(rows, default=str, ensure_ascii=False))
    elif not rows:
        print(f"no runs in {tables.storage.uri}")
    else:
        show.console().print(_runs_table(rows))


def deploy(
    file: Annotated[Path, typer.Argument(help="a deployment file in TOML, such as infra/nightly.toml")],
    check: Annotated[bool, typer.Option("--check", help="only say what is wrong with the file")] = False,
) -> None:
    """Set up the Prefect server of PREFECT_API_URL: work pool, deployments, automations. Safe to repeat."""
    name = "check_deployment" if check else "deploy"
    found = entry_points(group="reprocensus.flows", name=name)
    if not found:
        raise UsageError(
            "nothing is installed that deploys flows; install the package rather than a copy of it"
        )
    show.print_lines(next(iter(found)).load()(file))


def _retry(wanted: Sequence[Retry], start: Start, as_json: bool) -> int:
    if not wanted:
        print("nothing to try again")
        return 0
    codes = []
    for each in wanted:
        if not as_json:
            show.print_lines(
                [f"trying {counted(each.n_papers, 'paper')} of {', '.join(each.request.sources)} again"]
            )
        codes.append(start(each.request, as_json))
    return max(codes)


def _failures_table(found: pl.DataFrame) -> Table:
    table = Table(
        "venue", "year", "paper", "stage", "kind", "variable", "tries", "again", "message", box=None
    )
    for row in found.iter_rows(named=True):
        again = "by itself" if row["transient"] else "if asked"
        cells = [row["venue"], row["year"], row["paper_id"], row["stage"], row["kind"], row["variable"] or ""]
        table.add_row(*(str(cell) for cell in [*cells, row["attempts"], again]), row["message"])
    return table


def _runs_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("run", "started (UTC)", "status", "engine", box=None)
    for name in ("seconds", "fetched", "extracted", "judged", "failed"):
        table.add_column(name, justify="right")
    for row in rows:
        done = {(c["stage"], c["outcome"]): c["n"] for c in row["counts"]}
        judged = sum(n for (s, o), n in done.items() if s == "judge" and o not in ("failed", "taken_over"))
        failed = sum(n for (_, outcome), n in done.items() if outcome == "failed")
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.0f}"
        counts = (done.get(("fetch", "done"), 0), done.get(("extract", "done"), 0), judged, failed)
        started = f"{row['started_at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            row["run_id"], started, row["status"], row["engine"], seconds, *(str(n) for n in counts)
        )
    return table


def _papers_table(rows: pl.DataFrame, n: int) -> Table:
    title = (
        counted(n, "paper")
        if n == rows.height
        else f"{rows.height} of {counted(n, 'paper')}; --limit and --json have more"
    )
    table = Table("paper", title=title, box=None)
    for name in ("verdicts", "prompt tokens", "cached", "output", "seconds", "US cents"):
        table.add_column(name, justify="right")
    for row in rows.iter_rows(named=True):
        cents = "-" if row["cost"] is None else f"{100 * row['cost']:.4f}"
        counts = (row["verdicts"], row["prompt_tokens"], row["cached_tokens"], row["output_tokens"])
        table.add_row(row["paper_id"], *map(str, counts), f"{row['seconds']:.1f}", cents)
    return table


def _used_lines(row: dict[str, Any]) -> list[str]:
    """Tokens and cost of a run and of one of its papers, and what ran the model."""
    judged = sum(c["n"] for c in row["counts"] if c["stage"] == "judge" and c["outcome"] != "taken_over")
    tokens = (
        f"{row['prompt_tokens']:,} prompt ({row['cached_tokens']:,} cached), {row['output_tokens']:,} output"
    )
    cost = "not known" if row["cost"] is None else show.dollars(row["cost"])
    lines = [f"tokens   {tokens}; cost {cost}"]
    if row["prompt_tokens"] and judged:
        each = (
            f"{row['prompt_tokens'] / judged:,.0f} prompt, {row['output_tokens'] / judged:,.0f} output tokens"
        )
        per = len(row["prompts"])
        paid = "" if row["cost"] is None else f", {show.dollars(row['cost'] / judged)}"
        whole = (
            "" if row["cost"] is None else f"; {show.dollars(row['cost'] / judged * per)} for a paper's {per}"
        )
        lines.append(f"each     {each}{paid} a verdict or failure{whole}")
    if row["prefix_hit_rate"] is not None:
        lines.append(
            f"cache    {row['prefix_hit_rate']:.1%} of the tokens looked up were in the prefix cache"
        )
    for name in ("server", "sampling"):
        if row[name]:
            told = {k: v for k, v in json.loads(row[name]).items() if v not in (None, "", [], {})}
            lines.append(f"{name:<8} {json.dumps(told, ensure_ascii=False)}")
    return lines


def _prompt_version(row: dict[str, Any]) -> str | None:
    """None for a run that asked nothing, such as an import."""
    return prompt_version(p["prompt_sha"] for p in row["prompts"]) if row["prompts"] else None


def _run_lines(row: dict[str, Any]) -> list[str]:
    asked = {k: v for k, v in json.loads(row["settings"]).items() if v not in (None, [], False, "")}
    hardware, software = json.loads(row["hardware"]), json.loads(row["software"])
    ended = f"{row['finished_at']:%Y-%m-%d %H:%M:%S}" if row["finished_at"] else "has not ended"
    machine = f"{hardware.get('host')}, {counted(hardware.get('processors') or 0, 'processor')}"
    lines = [
        f"run {row['run_id']}: {row['status']}",
        f"started  {row['started_at']:%Y-%m-%d %H:%M:%S} UTC, ended {ended}",
        f"engine   {row['engine']} ({row['model']})",
        f"asked    {json.dumps(asked, ensure_ascii=False)}",
        f"on       {machine}; commit {row['git_commit']}",
        f"software {', '.join(f'{name} {version}' for name, version in software.items())}",
        *_used_lines(row),
    ]
    if row["message"]:
        lines.append(f"message  {row['message']}")
    lines += [f"{c['stage']:<8} {c['n']:>7} {c['outcome']}" for c in row["counts"]]
    if version := _prompt_version(row):
        lines.append(f"prompts  version {version}")
    lines += [f"prompt   {p['variable']}: {p['prompt_sha'][:12]}" for p in row["prompts"]]
    return lines
