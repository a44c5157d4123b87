"""Where two runs differ: engines, models, prompts or the same thing twice. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reprocensus.audit.audit import Verdicts
from reprocensus.audit.measures import kappa
from reprocensus.errors import UsageError
from reprocensus.variables import Variable

#: What a verdict was made by, and may differ between runs.
_MADE_BY = ("engine", "model", "variable_sha", "prompt_sha", "text_sha256")


@dataclass(frozen=True, slots=True)
class Compared:
    """Verdicts that both runs gave, of one variable, in all or in one venue.

    `changes`: how often the first run's label became another one, such as "No → Yes".
    """

    variable: str
    venue: str | None
    n: int
    agreement: float
    kappa: float | None
    changes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Side:
    """What one run said and why."""

    label: str
    confidence: float | None
    rationale: str
    quotes: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One verdict that differs."""

    variable: str
    venue: str
    paper: str
    first: Side
    second: Side

    @property
    def sure(self) -> float:
        """How sure both sides are, the less sure one counting."""
        return min(self.first.confidence or 0, self.second.confidence or 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs beside each other. `made_by`: for each thing that made their verdicts, how many share it.

    `differences` are those that both runs are surest of first.
    """

    first: str
    second: str
    n: int
    only_first: int
    only_second: int
    made_by: Mapping[str, float]
    by_variable: tuple[Compared, ...]
    by_venue: tuple[Compared, ...]
    differences: tuple[Difference, ...]


def compare(
    names: tuple[str, str], first: Verdicts, second: Verdicts, variables: Sequence[Variable]
) -> Comparison:
    """Compares two runs by the verdicts that both have; rows have a `venue`.

    Raises:
        UsageError: they have none in common.
    """
    both = sorted(set(first) & set(second))
    if not both:
        raise UsageError(f"runs {names[0]} and {names[1]} judged no variable of the same paper")
    by_venue = [
        _compared(variable.name, venue, keys, first, second)
        for variable in variables
        for venue, keys in _venues(variable.name, both, first).items()
    ]
    by_variable = [
        _compared(variable.name, None, keys, first, second)
        for variable in variables
        if (keys := [key for key in both if key[1] == variable.name])
    ]
    differences = [
        _difference(key, first, second) for key in both if first[key]["label"] != second[key]["label"]
    ]
    return Comparison(
        *names,
        n=len(both),
        only_first=len(first) - len(both),
        only_second=len(second) - len(both),
        made_by={
            name: sum(first[key].get(name) == second[key].get(name) for key in both) / len(both)
            for name in _MADE_BY
        },
        by_variable=tuple(by_variable),
        by_venue=tuple(by_venue),
        differences=tuple(sorted(differences, key=lambda d: (-d.sure, d.variable, d.paper))),
    )


def _venues(
    variable: str, keys: Sequence[tuple[str, str]], first: Verdicts
) -> dict[str, list[tuple[str, str]]]:
    venues: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        if key[1] == variable:
            venues.setdefault(first[key]["venue"], []).append(key)
    return dict(sorted(venues.items()))


def _compared(
    variable: str, venue: str | None, keys: Sequence[tuple[str, str]], first: Verdicts, second: Verdicts
) -> Compared:
    labels = [(first[key]["label"], second[key]["label"]) for key in keys]
    same = sum(a == b for a, b in labels)
    changes = Counter(f"{a} → {b}" for a, b in labels if a != b)
    return Compared(variable, venue, len(keys), same / len(keys), kappa(labels), dict(changes.most_common()))


def _difference(key: tuple[str, str], first: Verdicts, second: Verdicts) -> Difference:
    paper, variable = key
    return Difference(variable, first[key]["venue"], paper, _side(first[key]), _side(second[key]))


def _side(row: Mapping[str, Any]) -> Side:
    quotes = tuple((quote["page"], quote["text"]) for quote in row.get("quotes") or ())
    return Side(row["label"], row.get("confidence"), row.get("rationale") or "", quotes)
