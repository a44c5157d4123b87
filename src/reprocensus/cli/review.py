"""The command that takes a person's labels, one verdict at a time."""

import csv
import getpass
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reprocensus.cli import show
from reprocensus.cli.options import EngineChoice, JsonOption, StoreOption, open_tables
from reprocensus.cli.progress import working
from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.schemas import load_variables
from reprocensus.settings import load_settings
from reprocensus.variables import Variable

if TYPE_CHECKING:
    from reprocensus.review.labelling import Frame, Labelling
    from reprocensus.review.sampling import Drawn


def add_to(app: typer.Typer) -> None:
    """Registers the command."""
    app.command()(review)


def review(
    n: Annotated[int, typer.Option("--n", min=1, help="about how many verdicts to draw")] = 50,
    variable: Annotated[list[str] | None, typer.Option("--variable", help="only these variables")] = None,
    venue: Annotated[str | None, typer.Option("--venue", help="only this venue")] = None,
    year: Annotated[int | None, typer.Option("--year", help="only this year")] = None,
    engine: EngineChoice = None,
    random_share: Annotated[
        float,
        typer.Option("--random-share", help="part drawn whatever the verdict is worth, above 0, at most 1"),
    ] = 0.3,
    seed: Annotated[
        int, typer.Option("--seed", help="another draw; keep to one seed in a store: see docs/judging.md")
    ] = 0,
    who: Annotated[
        str | None, typer.Option("--who", help="whose labels these are (default: the login name)")
    ] = None,
    show_verdict: Annotated[
        bool, typer.Option("--show-verdict", help="show the engine's label before you answer")
    ] = False,
    blind: Annotated[
        bool | None,
        typer.Option(
            "--blind/--no-blind",
            help="show the paper's passages and not those that the engine quotes, and never its verdict "
            "(default: where all is drawn at random, --random-share 1)",
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="print what would be asked, as JSON lines, and ask nothing")
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", help="take answers from CSV or JSON lines: paper_id, variable, label, comment"
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label the verdicts that are worth most, and some at random, beside their passages.

    The draw is the same each time, so the same command goes on where it stopped.
    """
    from reprocensus.review.labelling import Labelling, frame
    from reprocensus.review.sampling import draw
    from reprocensus.runs import new_run_id

    settings = load_settings()
    tables = open_tables(store)
    every = {v.name: v for v in load_variables()}
    chosen = load_variables(tuple(variable)) if variable else tuple(every.values())
    if not 0 < random_share <= 1:
        raise UsageError(f"--random-share {random_share}: it must be above 0 and at most 1")
    blind = random_share == 1 if blind is None else blind
    if blind and show_verdict:
        raise UsageError("--show-verdict shows what a blind review hides; add --no-blind")
    with working("reading the verdicts to draw from", quiet=as_json):
        found = frame(
            tables,
            engine=engine,
            usual=settings.engine,
            variables=[v.name for v in chosen],
            venue=venue,
            year=year,
        )
        drawn = draw(found.items, n, random_share, seed)
        labelling = Labelling(tables, who or getpass.getuser(), new_run_id(), found.papers)
        labelling.load()
    left = [one for one in drawn if one.key not in labelling.given]
    if listed:
        for one in left:
            print(json.dumps(_listed(one, found), ensure_ascii=False))
        return
    asked = {"n": n, "variables": [v.name for v in chosen], "venue": venue, "year": year}
    asked |= {
        "engine": found.engine,
        "random_share": random_share,
        "seed": seed,
        "who": labelling.who,
        "blind": blind,
    }
    left_out = 0
    with _kept(labelling, asked):
        labelling.restate(drawn)
        if answers:
            left_out = _take(answers, drawn, labelling, every)
        elif left:
            from reprocensus.cli.dialogue import Dialogue

            Dialogue(labelling, found.engine, every, left, show_verdict=show_verdict, blind=blind).hold()
    told = {
        "who": labelling.who,
        "engine": found.engine,
        "drawn": len(drawn),
        "labelled": sum(one.key in labelling.given for one in drawn),
        "written": labelling.n_written,
        "left_out": left_out,
    }
    if as_json:
        print(json.dumps(told))
        return
    lines = [f"{told['labelled']} of {counted(len(drawn), 'label')} asked for given by {labelling.who}"]
    if left_out:
        lines.append(
            f"{counted(left_out, 'answer')} left out that nobody asked for: the probability is not known; "
            "reprocensus import --who takes labels of another sample"
        )
    show.print_lines(lines)


def _listed(one: "Drawn", found: "Frame") -> dict[str, Any]:
    edition, title = found.papers[one.paper_id]
    return {
        "paper_id": one.paper_id,
        "venue": edition.venue,
        "year": edition.year,
        "title": title,
        "variable": one.variable,
        "probability": one.probability,
        "worth": one.worth,
        "reasons": list(one.reasons),
        "along": one.along,
    }


def _take(
    file: Path, drawn: "Sequence[Drawn]", labelling: "Labelling", variables: dict[str, Variable]
) -> int:
    """Writes the answers of a file to what was drawn; returns how many were to something else.

    Raises:
        UsageError: the file cannot be read, or an answer is no label of its variable. Then none is written.
    """
    from reprocensus.labels import decoded

    asked = {one.key: one for one in drawn}
    taken, left_out = [], 0
    for number, row in enumerate(_rows(file), 1):
        try:
            if not isinstance(row, dict) or not {"paper_id", "variable", "label"} <= set(row):
                raise ValueError("it lacks paper_id, variable or label")
            key = (str(row["paper_id"]), str(row["variable"]))
            label = decoded(row["label"], variables[key[1]])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"answers {file}, answer {number}: {error}") from error
        if key in asked:
            taken.append((asked[key], label, row.get("comment") or None))
        else:
            left_out += 1
    for one, label, comment in taken:
        held = labelling.given.get(one.key)
        if held is None or (held["label"], held["comment"]) != (label, comment):
            labelling.give(one, label, comment)
    return left_out


def _rows(file: Path) -> list[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            if file.suffix.lower() == ".csv":
                return list(csv.DictReader(lines))
            return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"answers {file}: {error}") from error


@contextmanager
def _kept(labelling: "Labelling", asked: dict[str, Any]) -> Iterator[None]:
    """Publishes at the end, however the sitting ends, and keeps how it drew as a row of `runs`."""
    from reprocensus.review.labelling import save_sitting

    started = datetime.now(UTC)
    try:
        yield
    except KeyboardInterrupt:
        print("\nreprocensus: interrupted; what you answered is kept", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        labelling.publish()
        if labelling.n_written:
            save_sitting(labelling, started, asked)
