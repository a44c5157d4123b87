"""Makes confidences of the probabilities that a model gives its labels, by what an audit found. Pure.

Models are surer than they are right. Platt's formula with two numbers a variable, fitted on verdicts that
people checked: confidence = 1 / (1 + exp(-(intercept + slope * logit(probability)))). Platt 1999.
"""

import json
from collections.abc import Mapping
from math import exp, log
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reprocensus.errors import UsageError
from reprocensus.validation import complaints

#: Probabilities nearer to 0 and 1 than this are taken for it.
_EDGE = 1e-4


class Curve(BaseModel):
    """One variable's. `n`: the verdicts that it was fitted on. The slope is not negative: surer stays
    surer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: float
    slope: Annotated[float, Field(ge=0)]
    n: int = 0

    def confidence(self, probability: float) -> float:
        """The confidence that a label's probability is worth, from 0 to 1."""
        return 1 / (1 + exp(-(self.intercept + self.slope * logit(probability))))


class Calibrations(BaseModel):
    """The curves of one engine and model, by variable; a variable without one keeps its probability."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str = ""
    model: str = ""
    variables: Mapping[str, Curve] = {}

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
