"""Commands about engines: which can judge here, what judging will come to, whether it comes out the same
again.
"""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reprocensus.census import Prepared
from reprocensus.cli import show
from reprocensus.cli.options import JsonOption, StoreOption, open_tables
from reprocensus.cli.progress import working
from reprocensus.counting import counted
from reprocensus.engines import Check, create_engine, engine_names, missing_for
from reprocensus.errors import EngineError, UsageError
from reprocensus.settings import Settings, load_settings


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(engines)
    app.command("repeat")(repeat_run)


def engines(
    name: Annotated[str | None, typer.Argument(metavar="ENGINE", help="only this one (default: all)")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="ask a server some tiny questions, to see that it is fit")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which engines can judge here, and why the others cannot.

    Exit code 1 if an engine that was named, or the one of the settings, cannot.
    """
    settings = load_settings()
    names = [name] if name else engine_names()
    found = {each: _look(each, settings, thorough=check) for each in names}
    fit = {each: all(c.ok is not False or not c.needed for c in checks) for each, checks in found.items()}
    if as_json:
        told = {each: {"fit": fit[each], "checks": [asdict(c) for c in found[each]]} for each in names}
        print(json.dumps(told))
    else:
        for each in names:
            show.print_lines([f"{each}: {'can judge here' if fit[each] else 'cannot judge here'}"])
            show.print_lines([_line(c) for c in found[each]])
    if not fit.get(name or settings.engine, True):
        raise typer.Exit(1)


def _look(name: str, settings: Settings, *, thorough: bool) -> tuple[Check, ...]:
    if missing := missing_for(name):
        return (Check("installed", False, missing),)
    try:
        return tuple(create_engine(name, settings).look(thorough=thorough))
    except (EngineError, UsageError) as error:
        return (Check("set up", False, str(error)),)


def _line(check: Check) -> str:
    mark = {True: "yes", False: "no " if check.needed else "(no)", None: "?  "}[check.ok]
    advice = f"; {check.advice}" if check.advice and check.ok is not True else ""
    return f"  {mark} {check.name}: {check.found}{advice}"


def forecast_as_json(prepared: Prepared) -> dict[str, Any] | None:
    """What judging will come to; null for an engine that asks no model."""
    from reprocensus.forecast import forecast

    found = forecast(prepared.tables, prepared.plan, prepared.judging, prepared.settings)
    return asdict(found) if found else None


def forecast_lines(prepared: Prepared) -> list[str]:
    """The same in words."""
    found = forecast_as_json(prepared)
    if not found or not found["papers"]:
        return []
    hours = (
        f"about {found['hours']:.2g} h at {found['tokens_per_s']:,.0f} tokens/s ({found['speed_from']})"
        if found["hours"] is not None
        else f"speed {found['speed_from']}"
    )
    price = (
        f"about {found['cost']:,.2f} US dollars"
        if found["cost"] is not None
        else "not known: set REPROCENSUS_VLLM_PRICE_PER_HOUR, and a speed"
    )
    return [
        f"tokens      {found['prompt_tokens']:,} sent, {found['read_tokens']:,} of them read and the rest "
        f"cached; {found['output_tokens']:,} answered ({found['tokens_from']})",
        f"time        {hours}",
        f"cost        {price}",
    ]


def repeat_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="run_id, as in the table runs")],
    sample: Annotated[str, typer.Option("--sample", help="share of its papers, such as 1% or 0.01")] = "1%",
    seed: Annotated[int, typer.Option("--seed", min=0, help="draws other papers")] = 0,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge part of a run again as it was, and say how many labels come out otherwise. Replaces no
    verdict.
    """
    from reprocensus.repeat import repeat

    with working(f"judging {sample} of the papers of run {run} again", quiet=as_json):
        found = repeat(open_tables(store), run, _share(sample), seed, load_settings())
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    title = f"Labels that came out otherwise, {counted(found.n_papers, 'paper')}"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
    for name in ("variable", "n", "flipped", "%", "95 %"):
        table.add_column(name, justify="left" if name == "variable" else "right")
    for row in found.flips:
        between = f"{100 * row.low:.1f}-{100 * row.high:.1f}"
        table.add_row(row.variable, str(row.n), str(row.flipped), f"{100 * row.rate:.1f}", between)
    show.console().print(table)
    lost = (
        (found.n_changed, ("rests on what has changed since", "rest on what has changed since")),
        (found.n_failed, ("failed this time", "failed this time")),
    )
    left = [f"{counted(n, 'verdict')} {why[n > 1]}" for n, why in lost if n]
    show.print_lines([*left, f"run {found.run_id}; in the tables repeats and runs"])


def _share(told: str) -> float:
    try:
        share = float(told.removesuffix("%")) / (100 if told.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError(f"--sample {told}: a share such as 1% or 0.01")
    return share
