"""Fits the confidences of a model's verdicts to people's labels. Pure.

Isotonic regression by pool adjacent violators (Ayer et al. 1955): the confidence of a probability is the
share of verdicts with about that probability that people agree with, made to rise with it. Each variable is
fitted with all others' verdicts in small weight, as most labels are of few papers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from reprocensus.audit.audit import Verdicts, pairs_of
from reprocensus.audit.measures import Pair
from reprocensus.calibration import Calibrations, Knots
from reprocensus.errors import UsageError
from reprocensus.keys import digest
from reprocensus.labels import LabelledPaper
from reprocensus.records import UNKNOWN
from reprocensus.variables import Variable

#: With fewer verdicts in all than this, nothing is fitted.
LEAST = 30
#: So many verdicts all other variables' count for in one variable's fit.
_BORROWED = 10.0
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Quality:
    """One variable's fit. Brier scores (mean squared error of a confidence; less is better) of probabilities
    as the model gives them, and of confidences fitted on other papers than those measured on.
    """

    variable: str
    n: int
    agreement: float
    probability: float
    brier_before: float
    brier_after: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Calibrations and how good they are."""

    calibrations: Calibrations
    qualities: tuple[Quality, ...]


def fit(
    title: str,
    papers: Sequence[tuple[str, LabelledPaper]],
    verdicts: Verdicts,
    variables: Sequence[Variable],
) -> Fit:
    """The calibrations of the one model that made the verdicts, by labels called `title`.

    Verdicts that came out `unknown` are left out: people know no such label.

    Raises:
        UsageError: too few verdicts with a probability are labelled, or several models made them.
    """
    ids = {paper_id for paper_id, _ in papers}
    made = {
        (str(row.get("engine")), str(row.get("model")))
        for (paper_id, _), row in verdicts.items()
        if paper_id in ids and row.get("label_probability") is not None
    }
    if len(made) > 1:
        names = "; ".join(f"{engine} {model}" for engine, model in sorted(made))
        raise UsageError(f"{title}: several models judged these papers ({names}); name one --engine or --run")
    pairs = {v.name: _known(pairs_of(v, papers, verdicts)) for v in variables}
    n = sum(map(len, pairs.values()))
    if n < LEAST:
        raise UsageError(
            f"{title}: {n} labelled verdicts have a label_probability, and {LEAST} are needed to fit "
            "confidences; only engines that ask a language model give one, and only where the server tells "
            "log probabilities"
        )
    ((engine, model),) = made
    fitted = _fitted(pairs)
    return Fit(
        Calibrations(engine=engine, model=model, labels=title, variables=fitted),
        tuple(_quality(name, pairs) for name, found in pairs.items() if found),
    )


def pav(points: Iterable[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Blocks (mean x, mean y, weight) of points (x, y, weight), in order of x; their y rise."""
    blocks: list[tuple[float, float, float]] = []
    for _, tied in groupby(sorted(points), key=itemgetter(0)):
        blocks.append(_pooled(list(tied)))
        while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
            blocks[-2:] = [_pooled(blocks[-2:])]
    return blocks


def _pooled(blocks: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    whole = sum(weight for *_, weight in blocks)
    return sum(x * w for x, _, w in blocks) / whole, sum(y * w for _, y, w in blocks) / whole, whole


def knots(points: Sequence[tuple[float, float, float]], n: int) -> Knots:
    """The confidences of at least one point (probability, right or not, weight).

    Each block is drawn to the mean by one verdict's weight, so that three verdicts that are all right are not
    certain.
    """
    # Told to six digits, probabilities that are nearly alike are one: knots must rise.
    points = [(round(x, 6), y, w) for x, y, w in points]
    weight = sum(w for _, _, w in points)
    mean = sum(y * w for _, y, w in points) / weight
    drawn = pav((x, (y * w + mean) / (w + 1), w) for x, y, w in pav(points))
    return Knots(
        probabilities=tuple(round(x, 6) for x, _, _ in drawn),
        confidences=tuple(round(y, 4) for _, y, _ in drawn),
        n=n,
    )


def _known(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.probability is not None and pair.said != UNKNOWN]


def _points(pairs: Iterable[Pair], scale: float = 1.0) -> list[tuple[float, float, float]]:
    return [(pair.probability or 0.0, float(pair.truth == pair.said), pair.weight * scale) for pair in pairs]


def _fitted(pairs: Mapping[str, Sequence[Pair]]) -> dict[str, Knots]:
    found = {}
    for name, own in pairs.items():
        others = [pair for other, its in pairs.items() if other != name for pair in its]
        scale = min(1.0, _BORROWED / len(others)) if others else 0.0
        if own or others:
            found[name] = knots([*_points(own), *_points(others, scale)], len(own))
    return found


def _quality(name: str, pairs: Mapping[str, Sequence[Pair]]) -> Quality:
    own = pairs[name]
    before = after = weight = right = told = 0.0
    for fold in range(_FOLDS):
        kept = {v: [p for p in its if _fold(p) != fold] for v, its in pairs.items()}
        curve = _fitted(kept).get(name)
        for pair in (p for p in own if _fold(p) == fold):
            probability, truth = pair.probability or 0.0, float(pair.truth == pair.said)
            confidence = curve.confidence(probability) if curve else probability
            weight += pair.weight
            right += pair.weight * truth
            told += pair.weight * probability
            before += pair.weight * (probability - truth) ** 2
            after += pair.weight * (confidence - truth) ** 2
    return Quality(name, len(own), right / weight, told / weight, before / weight, after / weight)


def _fold(pair: Pair) -> int:
    """A paper is in the same fold with all of its variables."""
    return int(digest(pair.paper)[:8], 16) % _FOLDS
