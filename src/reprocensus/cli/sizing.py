"""The command that computes what models make of GPUs, before any is rented."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reprocensus.cli import show
from reprocensus.cli.options import JsonOption
from reprocensus.errors import UsageError
from reprocensus.schemas import load_serving

if TYPE_CHECKING:
    from reprocensus.sizing import Estimate

_NUMBERS = ("GB", "papers in flight", "floor/h", "expected/h", "$/1000", "of the census'")


def add_to(app: typer.Typer) -> None:
    """Registers the command."""
    app.command()(estimate)


def estimate(
    gpu: Annotated[list[str] | None, typer.Option("--gpu", help="only GPUs whose name contains this")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="only models whose name contains this")
    ] = None,
    paper: Annotated[int, typer.Option(min=1, help="tokens of a paper")] = 12_000,
    question: Annotated[int, typer.Option(min=1, help="tokens of a question")] = 300,
    answer: Annotated[int, typer.Option(min=1, help="tokens of an answer")] = 60,
    questions: Annotated[int, typer.Option(min=1, help="questions a paper")] = 9,
    price: Annotated[
        float | None, typer.Option("--price", min=0, help="US dollars an hour of one GPU, for all of them")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="also what does not fit")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compute papers an hour and cost a paper of open models on GPUs: arithmetic, no measurement."""
    from reprocensus.sizing import Load
    from reprocensus.sizing import estimate as compute

    serving, load = load_serving(), Load(paper, questions, question, answer)
    _check("GPU", gpu, [g.name for g in serving.gpus])
    _check("model", model, [m.name for m in serving.models])
    found = [
        compute(m, g, precision, load, serving.assumed, price)
        for g in serving.gpus
        if _chosen(g.name, gpu)
        for m in serving.models
        if _chosen(m.name, model)
        for precision in serving.precisions(g)
    ]
    shown = [e for e in found if e.fits or everything]
    if as_json:
        typer.echo(
            json.dumps([asdict(e) | {"census_usd_a_paper": serving.census_usd_a_paper} for e in shown])
        )
        return
    show.console().print(_table(shown, serving.census_usd_a_paper))
    typer.echo(
        "floor/h: papers an hour that the hardware cannot exceed: reading, then answering.\n"
        f"expected/h: {serving.assumed.reached:.0%} of that, with the weights read for each token.\n"
        f"of the census': of the {serving.census_usd_a_paper} USD that it paid for a paper."
    )


def _check(what: str, asked: list[str] | None, known: list[str]) -> None:
    """Raises `UsageError` if a name that was asked for is none of those known."""
    for part in asked or ():
        if not any(_chosen(name, [part]) for name in known):
            raise UsageError(
                f"no {what} {part!r}; known: {', '.join(known)}; schemas/serving.toml takes others"
            )


def _chosen(name: str, parts: list[str] | None) -> bool:
    return not parts or any(part.lower() in name.lower() for part in parts)


def _table(estimates: "list[Estimate]", census_usd: float) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("GPU", "model", "weights"):
        table.add_column(heading, no_wrap=True)
    for heading in _NUMBERS:
        table.add_column(heading, justify="right")
    for e in estimates:
        table.add_row(
            f"{e.gpu.name} {e.gpu.memory_gb:g} GB",
            e.model.name,
            e.precision,
            f"{e.weights_gb:.1f}",
            str(e.papers_in_flight) if e.fits else "does not fit",
            f"{e.floor.one_after_the_other:,.0f}",
            f"{e.expected:,.0f}",
            f"{1000 * e.usd_a_paper:.2f}",
            f"{e.usd_a_paper / census_usd:.0%}",
        )
    return table
