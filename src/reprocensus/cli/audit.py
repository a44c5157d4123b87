"""The commands that measure verdicts against people's labels, and runs against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from reprocensus.cli import show
from reprocensus.cli.options import JsonOption, StoreOption, open_tables
from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.schemas import load_variables

if TYPE_CHECKING:
    from reprocensus.audit.audit import Audit, Verdicts
    from reprocensus.audit.compare import Compared, Comparison
    from reprocensus.audit.fitting import Fit
    from reprocensus.audit.measures import Measures
    from reprocensus.labels import LabelledPaper

_SHOWN, _QUOTE = 10, 300


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(audit)
    app.command()(compare)


def audit(
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="JSON lines or CSV of people's labels (default: the table labels)"),
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="this run's verdicts; several to compare repeated runs")
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="only this engine's verdicts")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="write a report to this file")] = None,
    fit: Annotated[
        Path | None,
        typer.Option("--fit", help="fit a model's confidences to the labels, into this file for CALIBRATION"),
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, help="disagreements to print, the most confident first")
    ] = _SHOWN,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure verdicts against people's labels: agreement, kappa, calibration, flips, disagreements.

    Without --run, --engine and --store a label file that brings repeated runs along has those measured.
    """
    from reprocensus.audit.audit import as_json as audit_as_json
    from reprocensus.audit.audit import audit as make_audit
    from reprocensus.labels import read_labels

    variables = load_variables()
    labelled = read_labels(labels, variables) if labels else None
    papers, runs = _gathered(labelled, run or [], engine, store)
    title = labels.name if labels else "the table labels"
    found = make_audit(title, papers, runs, variables)
    fitted = _fitted(fit, title, papers, runs) if fit else None
    if html:
        from reprocensus.audit.page import audit_page

        try:
            html.write_text(audit_page(found), "utf-8")
        except OSError as error:
            raise UsageError(f"the report cannot be written: {error}") from error
    if as_json:
        show.print_json({**audit_as_json(found), "fit": asdict(fitted)["qualities"] if fitted else None})
    else:
        _print(found, examples)
        if fitted:
            _print_fit(fitted, str(fit))


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="run_id, as in the table runs")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="another one of the same store")],
    examples: Annotated[
        int,
        typer.Option("--examples", min=0, help="differences to print, those both runs are surest of first"),
    ] = _SHOWN,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where two runs differ, by variable and venue, with examples."""
    from reprocensus.audit.compare import compare as make_comparison
    from reprocensus.audit.gather import stored_runs

    runs = stored_runs(open_tables(store), [first, second], None)
    if len(runs) < 2:
        raise UsageError(f"{first} and {second} are one run; compare takes two")
    (a, of_a), (b, of_b) = runs.items()
    found = make_comparison((a, b), of_a, of_b, load_variables())
    if as_json:
        show.print_json(asdict(found))
        return
    out = show.console()
    out.print(_compared("By variable", found.by_variable))
    if differing := [c for c in found.by_venue if c.agreement < 1]:
        out.print(_compared("By venue", differing))
    show.print_lines(_differences(found, examples))


def _gathered(
    labelled: "list[LabelledPaper] | None", run: list[str], engine: str | None, store: str | None
) -> "tuple[list[tuple[str, LabelledPaper]], Mapping[str, Verdicts]]":
    """The papers and the runs that are compared."""
    from reprocensus.audit.gather import own_runs, stored_people, stored_runs
    from reprocensus.labels import matched

    if labelled and any(paper.runs for paper in labelled) and not (run or engine or store):
        papers = matched(None, labelled)
        return papers, own_runs(papers)
    tables = open_tables(store)
    papers = stored_people(tables) if labelled is None else matched(tables, labelled)
    return papers, stored_runs(tables, run, engine)


def _fitted(
    file: Path, title: str, papers: "list[tuple[str, LabelledPaper]]", runs: "Mapping[str, Verdicts]"
) -> "Fit":
    """Fits the confidences of the only run there is, and writes them."""
    from reprocensus.audit.fitting import fit as make_fit

    if len(runs) > 1:
        raise UsageError("--fit takes the verdicts of one run, or those that stand: name one --run or none")
    fitted = make_fit(title, papers, next(iter(runs.values())), load_variables())
    try:
        file.write_text(fitted.calibrations.model_dump_json(indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"the calibration cannot be written: {error}") from error
    return fitted


def _print_fit(fitted: "Fit", file: str) -> None:
    table = Table(title="Confidences fitted to the labels", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("variable", "n", "agreement", "probability", "Brier before", "after"):
        table.add_column(name, justify="left" if name == "variable" else "right")
    for q in fitted.qualities:
        shares = (q.agreement, q.probability, q.brier_before, q.brier_after)
        table.add_row(q.variable, str(q.n), *map(_share, shares))
    show.console().print(table)
    show.print_lines(
        [
            "Brier: mean squared error of confidence, after fitting on other papers than those measured on",
            f"{file}: for {fitted.calibrations.engine} {fitted.calibrations.model}; verdicts made with "
            f"REPROCENSUS_CALIBRATION={file} have these confidences",
        ]
    )


def _print(found: "Audit", examples: int) -> None:
    out = show.console()
    out.print(_agreement(found))
    if found.repeats:
        table = Table(title="Repeated runs", box=SIMPLE_HEAD, pad_edge=False)
        for name in ("variable", "n", "runs", "identical", "flipped", "agreement of two"):
            table.add_column(name, justify="left" if name == "variable" else "right")
        for r in found.repeats:
            shares = (_share(r.identical), _share(r.flipped), _share(r.pairwise))
            table.add_row(r.variable, str(r.n), str(r.runs), *shares)
        out.print(table)
    levels = [(m, level) for m in found.measures for level in m.levels]
    if levels:
        table = Table(title="Agreement at each level of confidence", box=SIMPLE_HEAD, pad_edge=False)
        for name in ("variable", "confidence", "n", "mean", "agreement"):
            table.add_column(name, justify="left" if name == "variable" else "right")
        for m, at in levels:
            span = f"{at.low:g} to {at.high:g}"
            table.add_row(m.variable, span, str(at.n), _share(at.confidence), _share(at.agreement))
        out.print(table)
    show.print_lines(_disagreements(found, examples))


def _agreement(found: "Audit") -> Table:
    heads = (
        "variable",
        "n",
        "agreement",
        "95 %",
        "commonest",
        "kappa",
        "precision",
        "recall",
        "F1",
        "coverage",
    )
    table = Table(
        title=f"{found.title}: {found.n_papers} of {found.n_labelled} labelled papers are judged",
        caption="commonest: the agreement of always saying the commonest label",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in heads:
        table.add_column(name, justify="left" if name == "variable" else "right", no_wrap=True)
    for m in found.measures:
        table.add_row(m.variable, str(m.n), _share(m.agreement), f"{m.low:.3f}-{m.high:.3f}", *_shares(m))
    table.add_section()
    majority = sum(m.majority for m in found.measures) / len(found.measures)
    table.add_row(
        "mean", "", _share(found.mean_agreement), "", _share(majority), _share(found.mean_kappa), *[""] * 4
    )
    return table


def _shares(m: "Measures") -> list[str]:
    return [_share(value) for value in (m.majority, m.kappa, m.precision, m.recall, m.f1, m.coverage)]


def _disagreements(found: "Audit", examples: int) -> list[str]:
    """Both sides of some disagreements, and how many there are."""
    n = counted(len(found.disagreements), "disagreement")
    lines = [f"{n}, the most confident first; --json and --html have all"]
    for d in found.disagreements[:examples]:
        sure = "" if d.pair.confidence is None else f" ({d.pair.confidence:.2f})"
        lines.append(f"{d.variable}, {d.pair.paper}: people {d.pair.truth}, engine {d.pair.said}{sure}")
        lines += [f"  people: {d.pair.reason[:_QUOTE]}"] if d.pair.reason else []
        lines += [f"  engine: {d.pair.rationale[:_QUOTE]}"] if d.pair.rationale else []
        lines += [f"  p. {page}: {text[:_QUOTE]}" for page, text in d.pair.quotes]
    return lines


def _compared(title: str, rows: "Sequence[Compared]") -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
    for name in ("variable", "venue", "n", "agreement", "kappa", "from the first to the second"):
        table.add_column(name, justify="right" if name in ("n", "agreement", "kappa") else "left")
    for c in rows:
        changes = ", ".join(f"{change} {n}" for change, n in c.changes.items())
        table.add_row(c.variable, c.venue or "all", str(c.n), _share(c.agreement), _share(c.kappa), changes)
    return table


def _differences(found: "Comparison", examples: int) -> list[str]:
    """How the runs were made, and some differences with both sides."""
    shared = ", ".join(f"{name} {share:.0%}" for name, share in found.made_by.items())
    lines = [
        f"{counted(found.n, 'verdict')} in both runs, {found.only_first} only in {found.first}, "
        f"{found.only_second} only in {found.second}",
        f"made by the same: {shared}",
    ]
    n = len(found.differences)
    lines += [f"{n} differ, those that both are surest of first; --json has all" if n else "none differs"]
    for d in found.differences[:examples]:
        lines.append(f"{d.variable}, {d.paper}: {d.first.label}, then {d.second.label}")
        for side, name in ((d.first, found.first), (d.second, found.second)):
            sure = "" if side.confidence is None else f" ({side.confidence:.2f})"
            lines.append(f"  {name}: {side.label}{sure} {side.rationale[:_QUOTE]}")
            lines += [f"    p. {page}: {text[:_QUOTE]}" for page, text in side.quotes]
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
