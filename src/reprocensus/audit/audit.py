"""An audit: labels and verdicts put together, variable by variable. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprocensus.audit.measures import (
    Measures,
    Pair,
    Repeats,
    calibration_error,
    comparable,
    measure,
    repeats,
)
from reprocensus.errors import UsageError
from reprocensus.labels import LabelledPaper
from reprocensus.variables import Variable

#: One run's verdicts: paper_id and variable to a row of `verdicts`, or to something with the same fields.
Verdicts = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A paper on which people and the engine differ, with both sides' evidence."""

    variable: str
    pair: Pair


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit finds. `runs` are those audited; with several, measures are of all their verdicts."""

    title: str
    runs: tuple[str, ...]
    n_labelled: int
    n_papers: int
    measures: tuple[Measures, ...]
    by_run: Mapping[str, tuple[Measures, ...]]
    repeats: tuple[Repeats, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def mean_agreement(self) -> float:
        """Over variables."""
        return sum(m.agreement for m in self.measures) / len(self.measures)

    @property
    def mean_kappa(self) -> float | None:
        """Over the variables that have one."""
        known = [m.kappa for m in self.measures if m.kappa is not None]
        return sum(known) / len(known) if known else None


def audit(
    title: str,
    papers: Sequence[tuple[str, LabelledPaper]],
    runs: Mapping[str, Verdicts],
    variables: Sequence[Variable],
) -> Audit:
    """Measures runs against labels. `papers` are the labelled ones, each with its paper_id in the runs.

    Raises:
        UsageError: no verdict of any run is on a labelled paper.
    """
    by_run: dict[str, tuple[Measures, ...]] = {}
    pairs: dict[str, list[Pair]] = {variable.name: [] for variable in variables}
    for name, verdicts in runs.items():
        mine = {variable.name: pairs_of(variable, papers, verdicts) for variable in variables}
        by_run[name] = _measured(variables, mine)
        for variable, found in mine.items():
            pairs[variable] += found
    measures = _measured(variables, pairs)
    if not measures:
        raise UsageError(
            f"{title}: no verdict is on one of the {len(papers)} labelled papers; "
            "check --store, or take in who judged them: reprocensus import FILE --engine NAME"
        )
    judged = {paper_id for verdicts in runs.values() for paper_id, _ in verdicts}
    return Audit(
        title=title,
        runs=tuple(runs),
        n_labelled=len({paper_id for paper_id, _ in papers}),
        n_papers=len({paper_id for paper_id, _ in papers} & judged),
        measures=measures,
        by_run=by_run if len(runs) > 1 else {},
        repeats=_repeats(papers, runs, variables) if len(runs) > 1 else (),
        disagreements=_disagreements(pairs),
    )


def as_json(found: Audit) -> dict[str, Any]:
    """The audit as JSON has it."""
    from dataclasses import asdict

    return {
        **asdict(found),
        "mean_agreement": found.mean_agreement,
        "mean_kappa": found.mean_kappa,
        "calibration_error": {m.variable: calibration_error(m.levels) for m in found.measures},
    }


def pairs_of(
    variable: Variable, papers: Sequence[tuple[str, LabelledPaper]], verdicts: Verdicts
) -> list[Pair]:
    """The labelled papers that were judged on the variable, with both labels."""
    found = []
    for paper_id, paper in papers:
        truth, verdict = paper.labels.get(variable.name), verdicts.get((paper_id, variable.name))
        if truth is not None and verdict is not None:
            said = (
                verdict["label"]
                if truth == verdict["label"]
                else comparable(verdict["label"], variable.labels)
            )
            found.append(
                Pair(
                    paper_id, truth, said, verdict.get("confidence"),
                    paper.reasons.get(variable.name, ""), verdict.get("rationale") or "",
                    tuple((q["page"], q["text"]) for q in verdict.get("quotes") or ()),
                    paper.weights.get(variable.name, 1.0), verdict.get("label_probability"),
                )
            )  # fmt: skip
    return found


def _measured(variables: Sequence[Variable], pairs: Mapping[str, Sequence[Pair]]) -> tuple[Measures, ...]:
    return tuple(measure(v.name, v.positive, pairs[v.name]) for v in variables if pairs[v.name])


def _repeats(
    papers: Sequence[tuple[str, LabelledPaper]], runs: Mapping[str, Verdicts], variables: Sequence[Variable]
) -> tuple[Repeats, ...]:
    """Over the papers that every run judged."""
    found = []
    for variable in variables:
        rows = [[run.get((paper_id, variable.name)) for run in runs.values()] for paper_id, _ in papers]
        labels = [[cell["label"] for cell in row if cell is not None] for row in rows if None not in row]
        if labels:
            found.append(repeats(variable.name, labels))
    return tuple(found)


def _disagreements(pairs: Mapping[str, Sequence[Pair]]) -> tuple[Disagreement, ...]:
    """Each once, the most confident first, those without a confidence last."""
    wrong = dict.fromkeys(
        Disagreement(variable, pair)
        for variable, found in pairs.items()
        for pair in found
        if pair.truth != pair.said
    )
    return tuple(
        sorted(
            wrong,
            key=lambda d: (d.pair.confidence is None, -(d.pair.confidence or 0), d.variable, d.pair.paper),
        )
    )
