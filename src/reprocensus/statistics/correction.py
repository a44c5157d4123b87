"""Shares corrected for the engine's errors, which papers labelled by people tell. See docs/statistics.md.

Each paper is in one of three classes: it counts and documents the variable, it counts and does not, it does
not count (not empirical). The engine may take one for another.

`by_confusion` solves for the classes' true frequencies from how often the engine says which class and from
the confusion matrix of labelled papers: Rogan and Gladen 1978 (Am. J. Epidemiol. 107:71), for more than two
classes as in Buonaccorsi 2010 (Measurement Error, ch. 3). It assumes that the engine errs on labelled papers
as it does on the others of the same true class. `by_prediction` is prediction-powered inference (Angelopoulos
et al. 2023, Science 382:669) with the weight of PPI++ (arXiv 2311.01453), for a ratio. It assumes that the
labelled papers are a random sample of the edition's; `by_weighted_prediction` is the same for papers drawn
with known unequal probabilities, weighted by their inverse (active inference, Zrnic and Candes 2024,
arXiv 2403.03208; Hajek's ratio form, as a review that was not finished scales all probabilities alike).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reprocensus.statistics.intervals import Z

Array = NDArray[np.float64]
#: The classes, in the order of every array here.
YES: Final = 0
NO: Final = 1
OUT: Final = 2
_DRAWS: Final = 4000
#: Pseudo-counts: Jeffreys' prior, spread over the classes that there are.
_PRIOR: Final = 0.5
_SEED: Final = 20260616
#: More draws than this at 0 or 1 mean that the matrix does not fit the corpus.
_UNFIT: Final = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval, all from 0 to 1."""

    value: float
    low: float
    high: float


def by_confusion(corpus: Array, confusion: Array, seed: int = _SEED, draws: int = _DRAWS) -> Estimate | None:
    """The true share of YES among YES and NO. None where people labelled no paper YES, or none NO.

    Also None where no share at all explains what the engine says: it must err otherwise here than on the
    labelled papers, and the formula would put every draw at 0 or at 1.

    `corpus`: how many papers the engine puts into each class, shape (3,). `confusion`: of labelled papers,
    how many that people put into the row's class the engine puts into the column's, shape (3, 3).

    The interval comes from draws of the confusion matrix's rows and of the corpus' frequencies, each from the
    Dirichlet distribution that its counts and Jeffreys' prior give, so it carries both errors, and a class
    that was never mistaken may be mistaken in papers yet to come.
    """
    if confusion[YES].sum() == 0 or confusion[NO].sum() == 0 or corpus[:2].sum() == 0:
        return None
    # Of a class that no labelled paper is in, nobody knows what the engine makes: it is left out.
    used = np.flatnonzero(confusion.sum(1) > 0)
    counts, seen = confusion[np.ix_(used, used)], corpus[used]
    observed: Array = counts / counts.sum(1, keepdims=True)
    plain = _share(_solve(observed[None], (seen / seen.sum())[None]))
    random = np.random.default_rng(seed)
    prior = 2 * _PRIOR / len(used)
    rows: Array = random.standard_gamma(counts + prior, (draws, *counts.shape))
    frequencies: Array = random.standard_gamma(seen + prior, (draws, len(used)))
    shares = _share(
        _solve(rows / rows.sum(2, keepdims=True), frequencies / frequencies.sum(1, keepdims=True))
    )
    if not np.isfinite(shares).any() or float(np.mean((shares <= 0) | (shares >= 1))) > _UNFIT:
        return None
    low, high = np.nanquantile(shares, (0.025, 0.975))
    value = float(plain[0]) if np.isfinite(plain[0]) else float(np.nanmedian(shares))
    return Estimate(value, min(float(low), value), max(float(high), value))


def _solve(matrices: Array, frequencies: Array) -> Array:
    """The true frequencies that each matrix turns into each observed ones, made non-negative; nan: no one."""
    transposed = np.swapaxes(matrices, 1, 2)
    singular = np.abs(np.linalg.det(transposed)) < 1e-9
    transposed[singular] = np.eye(matrices.shape[1])
    found: Array = np.asarray(np.linalg.solve(transposed, frequencies[..., None])[..., 0], dtype=np.float64)
    found[singular] = np.nan
    return np.where(found < 0, 0.0, found)


def _share(classes: Array) -> Array:
    counted = classes[:, YES] + classes[:, NO]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counted > 0, classes[:, YES] / counted, np.nan)


def by_prediction(people: NDArray[Any], engine: NDArray[Any], corpus: Array) -> Estimate | None:
    """The share of YES among YES and NO, from a random sample that people labelled. None if none counts.

    `people`, `engine`: the class of each labelled paper by either, shape (n,). `corpus`: how many papers that
    nobody labelled the engine puts into each class, shape (3,). The interval is the normal one of the
    ratio's influence function.
    """
    n, unlabelled = len(people), float(corpus.sum())
    counted = float(np.mean(people != OUT)) if n else 0.0
    if counted == 0 or n < 2:
        return None
    share = float(np.mean(people == YES)) / counted
    if unlabelled == 0:
        return _estimate(share, float(np.var(_influence(people, share), ddof=1)) / n, counted)
    value, weight = share, 0.0
    for _ in range(3):  # The weight depends on the share; it settles at once.
        own, said = _influence(people, value), _influence(engine, value)
        spread = float(np.var(said, ddof=1))
        covariance = float(np.cov(own, said)[0, 1])
        weight = float(np.clip(covariance / (spread * (1 + n / unlabelled)), 0, 1)) if spread > 0 else 0.0
        yes = np.mean(people == YES) + weight * (corpus[YES] / unlabelled - np.mean(engine == YES))
        all_counted = np.mean(people != OUT) + weight * (
            (corpus[YES] + corpus[NO]) / unlabelled - np.mean(engine != OUT)
        )
        if all_counted <= 0:
            return None
        value = float(np.clip(yes / all_counted, 0, 1))
    # One disagreement more of either kind: errors that are rare may not be in a small sample at all.
    own = _influence(np.append(people, (YES, NO)), value)
    said = _influence(np.append(engine, (NO, YES)), value)
    outside = _corpus_variance(corpus, value)
    variance = float(np.var(own - weight * said, ddof=1)) / n + weight**2 * outside / unlabelled
    return _estimate(value, variance, float(all_counted))


def by_weighted_prediction(
    people: NDArray[Any], engine: NDArray[Any], weights: Array, corpus: Array
) -> Estimate | None:
    """As `by_prediction`, of papers drawn with known unequal probabilities. None if none counts.

    `weights`: one over each labelled paper's probability, shape (n,), known up to a factor. `corpus`: how
    many papers, the labelled ones included, the engine puts into each class, shape (3,).
    """
    if len(people) < 2 or corpus.sum() == 0:
        return None
    parts: Array = weights / weights.sum()
    counted = float(parts @ (people != OUT))
    if counted == 0:
        return None
    value, weight = float(parts @ (people == YES)) / counted, 0.0
    for _ in range(3):
        own, said = (_centred(_influence(x, value), parts) for x in (people, engine))
        spread = float((parts**2) @ said**2)
        weight = float(np.clip((parts**2) @ (own * said) / spread, 0, 1)) if spread > 0 else 0.0
        yes, all_counted = (
            float(parts @ ours + weight * (corpus_share - parts @ theirs))
            for ours, theirs, corpus_share in (
                (people == YES, engine == YES, corpus[YES] / corpus.sum()),
                (people != OUT, engine != OUT, (corpus[YES] + corpus[NO]) / corpus.sum()),
            )
        )
        if all_counted <= 0:
            return None
        value = float(np.clip(yes / all_counted, 0, 1))
    # One disagreement more of either kind, as above, at a usual weight.
    more: Array = np.append(parts, [float(parts.mean())] * 2)
    more = more / more.sum()
    own = _influence(np.append(people, (YES, NO)), value)
    said = _influence(np.append(engine, (NO, YES)), value)
    rest = _centred(own - weight * said, more)
    whole = float(more @ _centred(own, more) ** 2) / float(corpus.sum())
    return _estimate(value, float((more**2) @ rest**2) + whole, all_counted)


def _centred(values: Array, parts: Array) -> Array:
    centred: Array = values - parts @ values
    return centred


def _influence(classes: NDArray[Any], share: float) -> Array:
    """Each paper's pull on the ratio: 1 - share for YES, -share for NO, 0 for OUT."""
    pull: Array = np.where(classes == YES, 1 - share, np.where(classes == NO, -share, 0.0))
    return pull


def _corpus_variance(corpus: Array, share: float) -> float:
    pull = np.array([1 - share, -share, 0.0])
    frequency = corpus / corpus.sum()
    return float((frequency * pull**2).sum() - (frequency * pull).sum() ** 2)


def _estimate(value: float, variance: float, counted: float) -> Estimate:
    half = Z * float(np.sqrt(variance)) / counted
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))
