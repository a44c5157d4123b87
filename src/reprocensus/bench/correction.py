"""Do the intervals hold what they say? Synthetic corpora whose truth is known, judged with known errors."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reprocensus.statistics.correction import by_confusion, by_prediction
from reprocensus.statistics.intervals import wilson_of


@dataclass(frozen=True, slots=True)
class Judge:
    """A world and an engine in it: the true share, and how the engine errs. All from 0 to 1.

    `empirical`: share of papers that count; `mistyped`: how often the engine takes one kind for the other.
    """

    share: float
    sensitivity: float
    specificity: float
    empirical: float = 1.0
    mistyped: float = 0.0


#: Worlds like those of the variables: common and rare ones, good engines and one that says Yes too often.
JUDGES: Final = (
    Judge(0.60, 0.90, 0.95),
    Judge(0.05, 0.90, 0.97),
    Judge(0.85, 0.98, 0.70),
    Judge(0.40, 0.85, 0.85, empirical=0.90, mistyped=0.02),
    Judge(0.95, 0.97, 0.70, empirical=0.93, mistyped=0.01),
)
#: Papers of a corpus, and how many of them people label.
SIZES: Final = ((1000, 150), (5000, 400))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often an interval held the truth, and its mean width, for each of the three."""

    raw: float
    confusion: float
    prediction: float
    raw_width: float
    confusion_width: float
    prediction_width: float


def coverage(judge: Judge, n_papers: int, n_labelled: int, rounds: int, seed: int) -> Coverage:
    """`rounds` corpora of `n_papers`; people label `n_labelled` papers.

    For the correction by confusion these are papers from elsewhere, of which half document the variable; for
    prediction-powered inference they are a random part of the corpus. So each gets what it assumes.
    """
    random = np.random.default_rng(seed)
    held = np.zeros(3)
    width = np.zeros(3)
    for number in range(rounds):
        truth = _truth(judge, n_papers, random)
        said = _said(judge, truth, random)
        corpus = np.bincount(said, minlength=3).astype(float)
        raw = wilson_of(int(corpus[0]), int(corpus[0] + corpus[1]))
        labelled = slice(0, n_labelled)
        elsewhere = _truth(replace(judge, share=0.5), n_labelled, random)
        confusion = np.zeros((3, 3))
        np.add.at(confusion, (elsewhere, _said(judge, elsewhere, random)), 1)
        found = (
            by_confusion(corpus, confusion, seed=seed + number, draws=1000),
            by_prediction(
                truth[labelled], said[labelled], np.bincount(said[n_labelled:], minlength=3).astype(float)
            ),
        )
        intervals = [raw or (0.0, 1.0)]
        intervals += [(e.low, e.high) if e else (0.0, 1.0) for e in found]
        for at, (lowest, highest) in enumerate(intervals):
            held[at] += lowest <= judge.share <= highest
            width[at] += highest - lowest
    return Coverage(*(float(x) for x in held / rounds), *(float(x) for x in width / rounds))


def _truth(judge: Judge, n: int, random: np.random.Generator) -> np.ndarray:
    yes = random.random(n) < judge.share
    return np.where(random.random(n) < judge.empirical, np.where(yes, 0, 1), 2)


def _said(judge: Judge, truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    right = np.where(truth == 0, judge.sensitivity, judge.specificity)
    correct = random.random(len(truth)) < right
    yes = np.where(truth == 0, correct, ~correct)
    label = np.where(yes, 0, 1)
    mistyped = random.random(len(truth)) < judge.mistyped
    return np.where((truth == 2) ^ mistyped, 2, label)
