"""Makes confidences of the probabilities that a model gives its labels, by what an audit found. Pure.

Models are surer than they are right. A file has, for each variable, the confidences that probabilities
are worth: fitted by `reprocensus audit --fit` (`audit/fitting.py`), or, by hand, Platt's formula.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from math import exp, log
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reprocensus.errors import UsageError
from reprocensus.validation import complaints

Share = Annotated[float, Field(ge=0, le=1)]
#: Probabilities nearer to 0 and 1 than this are taken for it.
_EDGE = 1e-4


class Knots(BaseModel):
    """One variable's, straight between some probabilities and level outside of them. Surer stays surer.

    `n`: the verdicts that it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    probabilities: Annotated[tuple[Share, ...], Field(min_length=1)]
    confidences: tuple[Share, ...]
    n: int = 0

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.probabilities) != len(self.confidences):
            raise ValueError("as many confidences as probabilities are needed")
        if any(b <= a for a, b in pairwise(self.probabilities)):
            raise ValueError("probabilities must rise")
        if any(b < a for a, b in pairwise(self.confidences)):
            raise ValueError("confidences must not fall where probabilities rise")
        return self

    def confidence(self, probability: float) -> float:
        """The confidence that a label's probability is worth, from 0 to 1."""
        at = bisect_left(self.probabilities, probability)
        if at == 0 or at == len(self.probabilities):
            return self.confidences[min(at, len(self.confidences) - 1)]
        (a, b), (low, high) = self.probabilities[at - 1 : at + 1], self.confidences[at - 1 : at + 1]
        return low + (high - low) * (probability - a) / (b - a)


class Curve(BaseModel):
    """One variable's by Platt's formula (1999): 1 / (1 + exp(-(intercept + slope * logit(probability)))).

    `n`: the verdicts that it was fitted on. The slope is not negative: surer stays surer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: float
    slope: Annotated[float, Field(ge=0)]
    n: int = 0

    def confidence(self, probability: float) -> float:
        """The confidence that a label's probability is worth, from 0 to 1."""
        return 1 / (1 + exp(-(self.intercept + self.slope * logit(probability))))


class Calibrations(BaseModel):
    """The curves of one engine and model, by variable; a variable without one keeps its probability.

    `labels`: whose labels they were fitted to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str = ""
    model: str = ""
    labels: str = ""
    variables: Mapping[str, Curve | Knots] = {}

    def confidence(self, variable: str, probability: float | None) -> float | None:
        """The confidence in a label, given its probability; None without one."""
        curve = self.variables.get(variable)
        return probability if probability is None or curve is None else curve.confidence(probability)


def logit(probability: float) -> float:
    """Log odds, within bounds."""
    bounded = min(max(probability, _EDGE), 1 - _EDGE)
    return log(bounded / (1 - bounded))


def parse_calibrations(text: str, origin: str) -> Calibrations:
    """The curves in a JSON file's text. Raises `UsageError` naming `origin` and what is wrong in it."""
    try:
        return Calibrations.model_validate(json.loads(text))
    except ValidationError as error:
        raise UsageError(f"calibration file {origin}: {complaints(error)}") from error
    except ValueError as error:
        raise UsageError(f"calibration file {origin}: {error}") from error
