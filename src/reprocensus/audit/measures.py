"""How far labels agree. Pure.

Kappa: Cohen 1960. The interval of an agreement is the percentile bootstrap over papers, seeded.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from reprocensus.records import NOT_APPLICABLE, UNKNOWN

SEED, RESAMPLES = 20261121, 10_000
#: Lower ends of the levels of confidence.
LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Pair:
    """One variable of one paper, labelled twice: `truth` by people, `said` by the engine audited.

    `weight`: how many like it the pair stands for, where labels were drawn with unequal probabilities.
    `probability`: the label's, as a model gave it.
    """

    paper: str
    truth: str
    said: str
    confidence: float | None = None
    reason: str = ""
    rationale: str = ""
    quotes: tuple[tuple[int, str], ...] = ()
    weight: float = 1.0
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """The verdicts with a confidence in `[low, high)`, the highest level including 1."""

    low: float
    high: float
    n: int
    confidence: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Measures:
    """One variable's agreement. Shares from 0 to 1, None where nothing is to be shared.

    `agreement` counts `unknown` as wrong; `confusion[truth][said]` counts verdicts; precision, recall and F1
    are of `positive`; `coverage` is the share that is not `unknown`. Shares are of weights, counts are not.
    """

    variable: str
    positive: str
    n: int
    agreement: float
    low: float
    high: float
    kappa: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    coverage: float
    majority: float
    confusion: Mapping[str, Mapping[str, int]]
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """One variable over repeated runs: the share of papers with one label in all, and how far two agree."""

    variable: str
    runs: int
    n: int
    identical: float
    flipped: float
    pairwise: float


def comparable(said: str, labels: Sequence[str]) -> str:
    """The label as people who know no `not_applicable` would put it: nothing is documented, so No."""
    return "No" if said == NOT_APPLICABLE and "No" in labels else said


def measure(variable: str, positive: str, pairs: Sequence[Pair]) -> Measures:
    """The measures of at least one pair."""
    n = sum(pair.weight for pair in pairs)
    right = sum(pair.weight for pair in pairs if pair.truth == pair.said)
    low, high = bootstrap(pairs)
    hits = sum(pair.weight for pair in pairs if pair.truth == pair.said == positive)
    precision = _share(hits, sum(pair.weight for pair in pairs if pair.said == positive))
    recall = _share(hits, sum(pair.weight for pair in pairs if pair.truth == positive))
    f1 = None if precision is None or recall is None else _share(2 * precision * recall, precision + recall)
    truths: dict[str, float] = {}
    for pair in pairs:
        truths[pair.truth] = truths.get(pair.truth, 0.0) + pair.weight
    return Measures(
        variable, positive, len(pairs), right / n, low, high,
        kappa([(pair.truth, pair.said) for pair in pairs], [pair.weight for pair in pairs]),
        precision, recall, f1,
        coverage=sum(pair.weight for pair in pairs if pair.said != UNKNOWN) / n,
        majority=max(truths.values()) / n,
        confusion={
            truth: dict(sorted(Counter(p.said for p in pairs if p.truth == truth).items()))
            for truth in sorted(truths)
        },
        levels=levels(pairs),
    )  # fmt: skip


def bootstrap(pairs: Sequence[Pair]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the agreement, over papers.

    A paper that several runs judged is drawn with all of them. Papers with equally many right verdicts of
    equally many, by weight, are one kind, and drawing papers again makes the counts of kinds multinomial.
    """
    papers: dict[str, list[float]] = {}
    for pair in pairs:
        sums = papers.setdefault(pair.paper, [0.0, 0.0])
        sums[0] += pair.weight * (pair.truth == pair.said)
        sums[1] += pair.weight
    kinds = Counter((right, of) for right, of in papers.values())
    right, of = np.array(sorted(kinds)).T
    shares = np.array([kinds[kind] for kind in sorted(kinds)]) / len(papers)
    drawn = np.random.default_rng(SEED).multinomial(len(papers), shares, RESAMPLES)
    low, high = np.percentile(drawn @ right / (drawn @ of), (2.5, 97.5))
    return float(low), float(high)


def kappa(pairs: Sequence[tuple[str, str]], weights: Sequence[float] | None = None) -> float | None:
    """Cohen's kappa; None where both sides know but one label, so that chance alone agrees."""
    heavy = [1.0] * len(pairs) if weights is None else weights
    n, observed = sum(heavy), 0.0
    ours: dict[str, float] = {}
    theirs: dict[str, float] = {}
    for (a, b), weight in zip(pairs, heavy, strict=True):
        ours[a] = ours.get(a, 0.0) + weight
        theirs[b] = theirs.get(b, 0.0) + weight
        observed += weight * (a == b) / n
    if len(ours.keys() | theirs.keys()) == 1:
        return None
    expected = sum(ours[label] * theirs.get(label, 0.0) for label in ours) / n**2
    return _share(observed - expected, 1 - expected)


def levels(pairs: Sequence[Pair]) -> tuple[Level, ...]:
    """Agreement at each level of confidence that occurs."""
    found = []
    for low, high in zip(LEVELS, (*LEVELS[1:], 1.0), strict=True):
        at = [
            (pair.confidence, pair.truth == pair.said, pair.weight)
            for pair in pairs
            if pair.confidence is not None and (low <= pair.confidence < high or pair.confidence == high == 1)
        ]
        if at:
            n = sum(weight for *_, weight in at)
            mean = sum(confidence * weight for confidence, _, weight in at) / n
            found.append(Level(low, high, len(at), mean, sum(w for _, right, w in at if right) / n))
    return tuple(found)


def calibration_error(found: Sequence[Level]) -> float | None:
    """The expected calibration error: how far confidence is from agreement, on average over verdicts."""
    n = sum(level.n for level in found)
    return _share(sum(level.n * abs(level.confidence - level.agreement) for level in found), n)


def repeats(variable: str, papers: Sequence[Sequence[str]]) -> Repeats:
    """What repeated runs make of a variable: for each paper its labels, one a run, at least two."""
    runs = len(papers[0])
    same = sum(len(set(labels)) == 1 for labels in papers) / len(papers)
    agreeing = sum(a == b for labels in papers for a, b in combinations(labels, 2))
    pairs = len(papers) * runs * (runs - 1) // 2
    return Repeats(variable, runs, len(papers), same, 1 - same, agreeing / pairs)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
