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
from reprocensus.errors import UsageError
from reprocensus.history import Retry, failures_that_stand, one_run, recent_runs, retries

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
        tables = open_tables(store)
        found = failures_that_stand(tables, kinds=kind or (), stage=stage, run_id=run)
        if retry:
            raise typer.Exit(_retry(retries(tables, found, kind or ()), start, as_json))
        if as_json:
            print(json.dumps(found.to_dicts(), default=str, ensure_ascii=False))
        elif found.is_empty():
            print("no failures")
        else:
            show.console().print(_failures_table(found))


def runs(
    run: Annotated[str | None, typer.Argument(help="one run, by its id or how it begins or ends")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="so many, the latest first")] = 20,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, or say all that is kept of one: what it was asked, with what it judged, what came of it."""
    tables = open_tables(store)
    if run is not None:
        row = one_run(tables, run)
        if as_json:
            print(json.dumps(row, default=str, ensure_ascii=False))
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
            show.print_lines([f"trying {each.n_papers} papers of {', '.join(each.request.sources)} again"])
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


def _run_lines(row: dict[str, Any]) -> list[str]:
    asked = {k: v for k, v in json.loads(row["settings"]).items() if v not in (None, [], False, "")}
    hardware, software = json.loads(row["hardware"]), json.loads(row["software"])
    ended = f"{row['finished_at']:%Y-%m-%d %H:%M:%S}" if row["finished_at"] else "has not ended"
    cost = "not known" if row["cost"] is None else f"{row['cost']:.2f} USD"
    tokens = f"{row['prompt_tokens']} prompt ({row['cached_tokens']} cached), {row['output_tokens']} output"
    machine = f"{hardware.get('host')}, {hardware.get('processors')} processors"
    lines = [
        f"run {row['run_id']}: {row['status']}",
        f"started  {row['started_at']:%Y-%m-%d %H:%M:%S} UTC, ended {ended}",
        f"engine   {row['engine']} ({row['model']})",
        f"asked    {json.dumps(asked, ensure_ascii=False)}",
        f"on       {machine}; commit {row['git_commit']}",
        f"software {', '.join(f'{name} {version}' for name, version in software.items())}",
        f"tokens   {tokens}; cost {cost}",
    ]
    if row["message"]:
        lines.append(f"message  {row['message']}")
    lines += [f"{c['stage']:<8} {c['n']:>7} {c['outcome']}" for c in row["counts"]]
    lines += [f"prompt   {p['variable']}: {p['prompt_sha'][:12]}" for p in row["prompts"]]
    return lines
