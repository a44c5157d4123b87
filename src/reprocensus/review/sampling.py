"""Which verdicts are worth a person's time, drawn with known probabilities. Pure.

Poisson sampling: each item is drawn by itself, with probability min(1, c q), where q is a mixture of a random
part and of the item's share in all worth, and c makes the expected number what is asked for. Worth is the
standard deviation of whether the verdict is right, which is what makes an inverse-probability-weighted
estimate vary least (Neyman 1934; mixed with a random part as in active inference, Zrnic and Candes 2024,
arXiv 2403.03208). As every probability is above 0 and known, such estimates are unbiased.

An item's random number is a digest of the seed and its name: the same seed draws the same items, and asking
for more keeps those drawn before. Items are asked in the order of that number over the probability. Given
that an item was drawn, this is uniform whatever its worth (Ohlsson 1998), so a review that stops early leaves
a random part of what was drawn.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reprocensus.keys import digest
from reprocensus.records import UNKNOWN

#: Asked along with any other variable: it says whether the paper counts at all.
TYPE: Final = "research_type"
_ROUNDS: Final = 100


@dataclass(frozen=True, slots=True)
class Item:
    """A verdict that may be reviewed. `disputed`: another engine or run said otherwise."""

    paper_id: str
    variable: str
    label: str
    confidence: float | None
    needs_review: bool = False
    disputed: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Paper and variable."""
        return self.paper_id, self.variable


@dataclass(frozen=True, slots=True)
class Drawn:
    """A label to be asked for. `probability`: that of being asked for at all.

    `along`: the item itself was not drawn, another variable of its paper was.
    """

    paper_id: str
    variable: str
    probability: float
    worth: float
    reasons: tuple[str, ...] = ()
    along: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Paper and variable."""
        return self.paper_id, self.variable


def reasons(item: Item) -> tuple[str, ...]:
    """What makes it more than a coin's toss whether the verdict is right."""
    holds = {
        "needs_review": item.needs_review,
        "unknown": item.label == UNKNOWN,
        "disputed": item.disputed,
        "no_confidence": item.confidence is None,
    }
    return tuple(name for name, held in holds.items() if held)


def worth(item: Item) -> float:
    """sqrt(p (1 - p)) of a verdict right with probability p; 1/2 where something speaks against it."""
    if item.confidence is None or reasons(item):
        return 0.5
    sure = min(max(item.confidence, 0.5), 1.0)
    return math.sqrt(sure * (1 - sure))


def probabilities(worths: Sequence[float], n: float, random_share: float) -> list[float]:
    """Each item's probability of being drawn; they sum to n, or to the number of items if that is less.

    `random_share`: the part of the draw that does not look at worth, above 0 and at most 1.

    Raises:
        ValueError: the share is none.
    """
    if not 0 < random_share <= 1:
        raise ValueError(f"random share {random_share} is not above 0 and at most 1")
    size, total = len(worths), math.fsum(worths)
    if n >= size:
        return [1.0] * size
    shares = [random_share / size + (1 - random_share) * (w / total if total else 1 / size) for w in worths]
    scale = float(n)
    for _ in range(_ROUNDS):  # What is certain leaves the rest to others; few rounds settle it.
        certain = sum(scale * q >= 1 for q in shares)
        open_ = math.fsum(q for q in shares if scale * q < 1)
        wanted = (n - certain) / open_ if open_ else scale
        if math.isclose(wanted, scale, rel_tol=1e-12):
            break
        scale = wanted
    return [min(1.0, scale * q) for q in shares]


def draw(items: Sequence[Item], n: float, random_share: float, seed: int) -> list[Drawn]:
    """About n items, in the order in which to ask, each after its paper's research type if that is new.

    The research type comes along with probability 1 - product of (1 - p) over the paper's items.
    """
    worths = [worth(item) for item in items]
    chances = probabilities(worths, n, random_share)
    missed: dict[str, float] = {}
    for item, chance in zip(items, chances, strict=True):
        missed[item.paper_id] = missed.get(item.paper_id, 1.0) * (1 - chance)
    found = []
    for item, chance, value in zip(items, chances, worths, strict=True):
        number = uniform(seed, item)
        if number < chance:
            found.append((number / chance, item, chance, value))
    taken = {item.key for _, item, _, _ in found}
    asked: dict[tuple[str, str], Drawn] = {}
    for _, item, chance, value in sorted(found, key=lambda each: each[0]):
        kind = (item.paper_id, TYPE)
        together = 1 - missed[item.paper_id]
        if item.variable != TYPE and kind not in taken:
            asked.setdefault(kind, Drawn(*kind, together, 0.0, (), along=True))
        exact = together if item.variable == TYPE else chance
        asked.setdefault(item.key, Drawn(*item.key, exact, value, reasons(item)))
    return _types_first(list(asked.values()))


def uniform(seed: int, item: Item) -> float:
    """The item's own random number, from 0 to 1."""
    return int(digest(f"{seed}\n{item.paper_id}\n{item.variable}")[:13], 16) / 16**13


def _types_first(asked: Sequence[Drawn]) -> list[Drawn]:
    """The same, a drawn research type moved before the first other item of its paper."""
    types: Mapping[str, Drawn] = {one.paper_id: one for one in asked if one.variable == TYPE}
    ordered: dict[tuple[str, str], Drawn] = {}
    for one in asked:
        kind = types.get(one.paper_id)
        if kind:
            ordered.setdefault(kind.key, kind)
        ordered.setdefault(one.key, one)
    return list(ordered.values())
