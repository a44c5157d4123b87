"""Measures the rules engine on labelled papers, and fits what makes its confidences probabilities.

    python tests/rules_measure.py ../shared/corpus          agreement beside baselines, by halves
    python tests/rules_measure.py ../shared/corpus --fit    [rules.calibration] of the variables' files

The halves are drawn by the SHA-256 of a paper's id.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprocensus.audit.measures import Pair, bootstrap, calibration_error, comparable, kappa, levels
from reprocensus.keys import digest
from reprocensus.lexical import judge_paper
from reprocensus.records import Answer, Document
from reprocensus.schemas import load_variables
from reprocensus.variables import Calibration, Variable

#: Always the commonest label, or one naive expression a variable, written once and not tuned.
NAIVE = {
    "research_type": r"\bexperiments?\b",
    "researcher_affiliation": r"(?i)\b(?:google|microsoft|ibm|facebook|amazon|inc\.|labs)\b",
    "pseudocode": r"(?m)^(?:Algorithm|Procedure) \d",
    "open_source_code": r"(?i)\bour (?:source )?code\b|code is available|github\.com",
    "open_datasets": r"\b(?:MNIST|CIFAR|ImageNet|UCI|LIBSVM|Wikipedia|Netflix|MovieLens|Reuters)\b",
    "dataset_splits": r"(?i)cross.?validation|validation set|\d+ ?% (?:of the data )?for (?:train|test)",
    "hardware_specification": r"(?i)\b(?:nvidia|intel|xeon|geforce|tesla|ghz|tpu)\b",
    "software_dependencies": r"(?i)\b(?:python|pytorch|tensorflow|cuda|matlab|cplex) (?:version |v)?\d",
    "experiment_setup": r"(?i)\b(?:learning rate|step size|batch size|epochs|iterations|hidden units)\b",
}
#: How strongly a variable's own calibration is drawn to that of all, in papers.
_PRIOR = 2.0
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled paper as the rules judge it, and what the naive expressions say."""

    paper_id: str
    truth: Mapping[str, str]
    answers: Mapping[str, Answer]
    naive: Mapping[str, str]

    @property
    def half(self) -> int:
        """0 or 1; errors were read in half 0 alone since the halves were drawn."""
        return int(digest(self.paper_id), 16) % 2


def documents(corpus: Path) -> list[tuple[Document, Mapping[str, str]]]:
    """The labelled papers' texts by our own extraction, and their labels."""
    from reprocensus.extract import extract
    from reprocensus.rows import new_document

    manifest = {
        row["id"]: row for row in map(json.loads, (corpus / "manifest.jsonl").read_text().splitlines())
    }
    found = []
    for row in map(json.loads, (corpus / "labels.jsonl").read_text().splitlines()):
        pdf = (corpus / manifest[row["id"]]["file"]).read_bytes()
        found.append((new_document(row["id"], "", extract(pdf)), row["labels"]))
    return found


def judged(
    papers: Sequence[tuple[Document, Mapping[str, str]]], variables: Sequence[Variable]
) -> list[Judged]:
    """Every paper judged."""
    return [
        Judged(d.paper_id, labels, judge_paper(d, variables), {v.name: _naive(v, d) for v in variables})
        for d, labels in papers
    ]


def _naive(variable: Variable, document: Document) -> str:
    text = document.text.split("\nReferences", maxsplit=1)[0]
    if variable.name == "researcher_affiliation":
        text = text[:1500]
    found = bool(re.search(NAIVE[variable.name], text))
    return {
        "research_type": ("Theoretical", "Experimental"),
        "researcher_affiliation": ("Academia", "Collaboration"),
    }.get(variable.name, ("No", "Yes"))[found]


def pairs(papers: Sequence[Judged], variable: Variable) -> list[Pair]:
    """Label and answer of each paper."""
    return [
        Pair(
            p.paper_id, p.truth[variable.name],
            comparable(p.answers[variable.name].label, variable.labels), p.answers[variable.name].confidence,
        )
        for p in papers
    ]  # fmt: skip


def agreement(papers: Sequence[Judged], variable: Variable) -> tuple[float, float, float, float]:
    """Agreement and kappa of the rules, and the agreement of both baselines."""
    found = pairs(papers, variable)
    truths = [pair.truth for pair in found]
    same = sum(pair.truth == pair.said for pair in found) / len(found)
    chance = kappa([(pair.truth, pair.said) for pair in found])
    commonest = max(map(truths.count, variable.labels)) / len(truths)
    naive = sum(p.naive[variable.name] == p.truth[variable.name] for p in papers) / len(papers)
    return same, chance if chance is not None else math.nan, commonest, naive


def fit(points: Sequence[tuple[float, bool]], prior: Calibration | None = None) -> Calibration:
    """Intercept and slope, neither negative, with which x in [0, 1] makes what was right likeliest."""
    import numpy as np
    from scipy.optimize import minimize

    x = np.array([point[0] for point in points])
    right = np.array([point[1] for point in points], dtype=float)
    start = np.array([prior.intercept, prior.slope] if prior else [1.0, 1.0])

    def loss(parameters: "np.typing.NDArray[np.float64]") -> float:
        logit = parameters[0] + parameters[1] * x
        likelihood = np.logaddexp(0, -logit) * right + np.logaddexp(0, logit) * (1 - right)
        drawn = _PRIOR * float(((parameters - start) ** 2).sum()) if prior else 0.0
        return float(likelihood.sum()) + drawn

    found = minimize(loss, start, bounds=[(0, 6), (0, 8)]).x
    return Calibration(intercept=round(float(found[0]), 3), slope=round(float(found[1]), 3))


def place(confidence: float, calibration: Calibration | None) -> float:
    """The x that a confidence was made of."""
    if calibration is None:
        return 2 * confidence - 1
    logit = math.log(confidence / (1 - confidence)) if confidence < 1 else 20.0
    return (
        min(1.0, max(0.0, (logit - calibration.intercept) / calibration.slope)) if calibration.slope else 1.0
    )


def _points(papers: Sequence[Judged], variable: Variable) -> list[tuple[str, float, bool]]:
    plain = [p for p in pairs(papers, variable) if p.confidence]
    known = {p.paper_id: p.answers[variable.name].label for p in papers}
    return [
        (p.paper, place(p.confidence or 0, variable.needed_rules.calibration), p.truth == p.said)
        for p in plain
        if known[p.paper] != "not_applicable"
    ]


def _fit_all(papers: Sequence[Judged], variables: Sequence[Variable]) -> dict[str, Calibration]:
    points = {v.name: [(x, right) for _, x, right in _points(papers, v)] for v in variables}
    pooled = fit([point for found in points.values() for point in found])
    return {name: fit(found, pooled) for name, found in points.items()}


def _print_fit(papers: Sequence[Judged], variables: Sequence[Variable]) -> None:
    """The calibration, and how far confidence is from agreement where it was fitted on other papers."""
    raw: list[Pair] = []
    held: list[Pair] = []
    for fold in range(_FOLDS):
        inside = [p for p in papers if int(digest(p.paper_id + "fold"), 16) % _FOLDS != fold]
        fitted = _fit_all(inside, variables)
        outside = [p for p in papers if p not in inside]
        for variable in variables:
            for name, x, right in _points(outside, variable):
                said = "right" if right else "wrong"
                c = fitted[variable.name]
                raw.append(Pair(name, "right", said, (1 + x) / 2))
                held.append(Pair(name, "right", said, 1 / (1 + math.exp(-c.intercept - c.slope * x))))
    for title, found in (("not calibrated", raw), ("fitted on the other folds", held)):
        brier = sum(((p.confidence or 0) - (p.said == "right")) ** 2 for p in found) / len(found)
        print(f"{title}: calibration error {calibration_error(levels(found)):.3f}, Brier score {brier:.4f}")
        for level in levels(found):
            print(f"  {level.low:.2f} to {level.high:.2f}  n {level.n:4}  confidence {level.confidence:.3f}"
                  f"  agreement {level.agreement:.3f}")  # fmt: skip
    for name, c in _fit_all(papers, variables).items():
        print(f"{name}\n[rules.calibration]\nintercept = {c.intercept}\nslope = {c.slope}\n")


def print_agreement(papers: Sequence[Judged], variables: Sequence[Variable]) -> None:
    """The agreement of each half and of all, beside the baselines."""
    for title, chosen in (
        ("half 0", [p for p in papers if p.half == 0]),
        ("half 1", [p for p in papers if p.half == 1]),
        ("all", list(papers)),
    ):
        head = f"{title}, {len(chosen)} papers"
        print(f"\n{head:<24} agreement  95 %         kappa  commonest  naive expression")
        rows = [agreement(chosen, variable) for variable in variables]
        for variable, row in zip(variables, rows, strict=True):
            low, high = bootstrap(pairs(chosen, variable))
            shares = f"{row[0]:.3f}      {low:.3f}-{high:.3f}  {row[1]:.3f}  {row[2]:.3f}      {row[3]:.3f}"
            print(f"{variable.name:<24} {shares}")
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        gap = " " * 17
        print(f"{'mean':<24} {means[0]:.3f}{gap}  {means[1]:.3f}  {means[2]:.3f}      {means[3]:.3f}")


def _main(corpus: Path, *, fitting: bool) -> None:
    variables = load_variables()
    papers = documents(corpus)
    judge_paper(papers[0][0], variables)
    started = time.process_time()
    for document, _ in papers:
        judge_paper(document, variables)
    seconds = time.process_time() - started
    found = judged(papers, variables)
    if fitting:
        _print_fit(found, variables)
    else:
        print(f"{1000 * seconds / len(papers):.1f} ms of CPU a paper for {len(variables)} variables")
        print_agreement(found, variables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with manifest.jsonl, labels.jsonl and the papers")
    parser.add_argument("--fit", action="store_true", help="fit the calibration instead")
    given = parser.parse_args()
    _main(given.corpus, fitting=given.fit)
