"""Judges part of a run again as it was judged, to see how many labels come out otherwise.

What comes of it is a row in `repeats` and a row in `runs`. No verdict of the store is touched.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from pydantic import ValidationError

from reprocensus.census import settings_for
from reprocensus.engines import create_engine
from reprocensus.errors import UsageError
from reprocensus.extract.version import extractor_version
from reprocensus.history import one_run
from reprocensus.judge import Judged, judge
from reprocensus.keys import digest, verdict_key
from reprocensus.outcome import ShardReport
from reprocensus.plan import Judging
from reprocensus.records import Document, Edition, Verdict
from reprocensus.request import RunRequest
from reprocensus.rows import document_of
from reprocensus.runs import Run, new_run_id
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.state import VERDICT_KEY
from reprocensus.statistics.intervals import wilson_of
from reprocensus.tables import Tables
from reprocensus.variables import Variable

Row = Mapping[str, Any]
#: A paper's verdicts in the run that is repeated, by variable.
Papers = dict[tuple[Edition, str], dict[str, Row]]


@dataclass(frozen=True, slots=True)
class Flips:
    """One variable's: verdicts made again, those with another label, and their share with its 95 %
    interval.
    """

    variable: str
    n: int
    flipped: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Repetition:
    """What a repetition found; as the table `repeats` has it."""

    run_id: str
    repeated_run: str
    sample: float
    seed: int
    n_papers: int
    n_changed: int
    n_failed: int
    flips: tuple[Flips, ...]
    verdicts: tuple[dict[str, Any], ...]


def repeat(tables: Tables, run_id: str, sample: float, seed: int, settings: Settings) -> Repetition:
    """Judges a share `sample`, above 0 and up to 1, of a run's papers again, at least one.

    Raises:
        UsageError: there is no such run, it judged nothing, or it cannot be repeated as things are set up.
        EngineError: the engine cannot start.
        EngineLostError: the engine's server went away for good.
    """
    row = one_run(tables, run_id)
    run_id = row["run_id"]
    request = _request(row)
    settings = settings_for(request, settings)
    engine = create_engine(row["engine"], settings)
    if engine.model != row["model"]:
        raise UsageError(
            f"run {run_id} judged with {row['model']}, and {row['engine']} is now set up as {engine.model}; "
            "set it up as it was: columns server and sampling of the table runs"
        )
    variables = {v.name: v for v in load_variables()}
    papers = _drawn(_verdicts(tables, run_id), run_id, sample, seed)
    every = tuple(variables.values())
    judging = Judging.of(engine, every, extractor_version())
    asked, changed = _asked(tables, papers, variables, judging)
    run = Run(new_run_id(), request, judging, {"repeats": run_id, "sample": sample, "seed": seed})
    report, judged = ShardReport(), list[Judged]()
    run.save(tables, "running")
    status, details = "failed", None
    try:
        with engine:
            asyncio.run(judge(engine, asked, run.run_id, judged.append))
            details = engine.details()
        status = "completed"
    finally:
        for each in judged:
            report.use(each.usage)
            report.counts["repeat", "done" if isinstance(each.outcome, Verdict) else "failed"] += 1
        run.save(tables, status, report, None, details)
    found = _found(run.run_id, run_id, sample, seed, papers, changed, judged)
    tables.write_row("repeats", run.run_id, {**asdict(found), "recorded_at": datetime.now(UTC)})
    return found


def _request(row: Row) -> RunRequest:
    try:
        return RunRequest.model_validate_json(row["settings"])
    except ValidationError as error:
        raise UsageError(f"run {row['run_id']} judged no papers itself, so it cannot be repeated") from error


def _verdicts(tables: Tables, run_id: str) -> Papers:
    """What the run judged, from the journal, where no later run replaces it."""
    papers: Papers = {}
    for edition in tables.editions("papers"):
        for row in tables.read_run("verdicts", edition, run_id).filter(run_id=run_id).iter_rows(named=True):
            papers.setdefault((edition, row["paper_id"]), {})[row["variable"]] = row
    if not papers:
        raise UsageError(f"run {run_id} made no verdicts, so there is nothing to repeat")
    return papers


def _drawn(papers: Papers, run_id: str, sample: float, seed: int) -> Papers:
    """The same papers for the same seed, whatever else the store holds."""
    order = sorted(papers, key=lambda paper: digest(f"{run_id} {seed} {paper[1]}"))
    return {paper: papers[paper] for paper in order[: max(1, ceil(sample * len(papers)))]}


def _asked(
    tables: Tables, papers: Papers, variables: Mapping[str, Variable], judging: Judging
) -> tuple[list[tuple[Document, Sequence[Variable]]], int]:
    """What to ask, and how many verdicts cannot be made again, because something they rest on has changed."""
    asked: list[tuple[Document, Sequence[Variable]]] = []
    changed = 0
    for edition in sorted({edition for edition, _ in papers}):
        names = [paper for where, paper in papers if where == edition]
        rows = tables.read_documents(edition, names).iter_rows(named=True)
        documents = {row["paper_id"]: document_of(row) for row in rows}
        for name in names:
            document, first = documents.get(name), papers[edition, name]
            same = [
                variables[variable]
                for variable, row in first.items()
                if document
                and variable in variables
                and _rests_on(row, document, variables[variable], judging)
            ]
            changed += len(first) - len(same)
            if document and same:
                asked.append((document, same))
    return asked, changed


def _rests_on(row: Row, document: Document, variable: Variable, judging: Judging) -> bool:
    key = verdict_key(*(row[column] for column in VERDICT_KEY))
    return key in judging.keys(document.text_sha256, variable)


def _found(
    run_id: str,
    repeated: str,
    sample: float,
    seed: int,
    papers: Papers,
    changed: int,
    judged: Sequence[Judged],
) -> Repetition:
    first = {(paper, variable): row for (_, paper), rows in papers.items() for variable, row in rows.items()}
    verdicts = []
    for again in (each.outcome for each in judged if isinstance(each.outcome, Verdict)):
        before = first[again.paper_id, again.variable]
        verdicts.append(
            {
                "paper_id": again.paper_id,
                "variable": again.variable,
                "first_label": before["label"],
                "label": again.label,
                "first_confidence": before["confidence"],
                "confidence": again.confidence,
                "rationale": again.rationale,
            }
        )
    verdicts.sort(key=lambda row: (row["variable"], row["paper_id"]))
    failed = len(judged) - len(verdicts)
    return Repetition(
        run_id, repeated, sample, seed, len(papers), changed, failed, _flips(verdicts), tuple(verdicts)
    )


def _flips(verdicts: Sequence[Mapping[str, Any]]) -> tuple[Flips, ...]:
    made = Counter(str(row["variable"]) for row in verdicts)
    flipped = Counter(str(row["variable"]) for row in verdicts if row["label"] != row["first_label"])
    found = []
    for variable, n in made.items():
        low, high = wilson_of(flipped[variable], n) or (0.0, 1.0)
        found.append(Flips(variable, n, flipped[variable], flipped[variable] / n, low, high))
    return tuple(found)
