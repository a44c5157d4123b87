"""A reproducibility variable: what is asked of a paper, read from one TOML file in `schemas/variables/`.

Pure: parses text that somebody else read. A variable's version is the digest of its file's bytes, so any
change to a criterion or a pattern makes it another variable, and its papers are judged again.
"""

import re
import tomllib
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from reprocensus.errors import SchemaError
from reprocensus.keys import digest
from reprocensus.records import COMMON_LABELS, SectionKind


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r} does not compile: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cue(_Model):
    """One lexical pattern: where a sentence matches it, the sentence speaks for `label` with `weight`.

    `pattern` and `unless` are Python regular expressions, case-insensitive; a sentence that also matches
    `unless` does not count. Negative weights speak against the label.
    """

    label: str
    pattern: Pattern
    weight: float
    unless: Pattern | None = None
    case_sensitive: bool = False
    sections: tuple[SectionKind, ...] | None = None
    note: str = ""


class Rules(_Model):
    """How the rules engine judges a variable.

    mode `sentence`: the best sentence's summed weight against `threshold`.
    mode `paper`: each cue counts once a sentence, at most `cap` sentences a cue, summed over the paper.
    mode `sides`: two labels have cues of their own; both sides present give `both`.
    """

    mode: Literal["sentence", "paper", "sides"]
    default: str
    threshold: float = 1.0
    cap: int = 3
    both: str | None = None
    sections: tuple[SectionKind, ...] = (
        SectionKind.ABSTRACT,
        SectionKind.BODY,
        SectionKind.APPENDIX,
    )
    none_found: str
    cues: tuple[Cue, ...]


class Variable(_Model):
    """One variable; `sha` is the digest of the file it came from."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    order: int
    title: str
    question: str
    labels: tuple[str, ...]
    #: The label whose share is reported.
    positive: str
    #: Asks about experiments, so a theoretical paper in which nothing answers it is `not_applicable`.
    about_experiments: bool
    #: Counts towards the documentation score.
    in_documentation_score: bool = False
    criteria: dict[str, str]
    rules: Rules
    sha: str

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Its own labels, then those that every variable has."""
        return self.labels + COMMON_LABELS

    @model_validator(mode="after")
    def _labels_agree(self) -> Self:
        used = {self.rules.default, *(cue.label for cue in self.rules.cues)}
        used |= {self.rules.both} if self.rules.both else set()
        if stray := used - set(self.all_labels):
            raise ValueError(f"rules use labels that the variable does not have: {sorted(stray)}")
        if self.positive not in self.labels:
            raise ValueError(f"positive label {self.positive!r} is not among {self.labels}")
        if missing := set(self.labels) - set(self.criteria):
            raise ValueError(f"no criterion for {sorted(missing)}")
        return self


def parse_variable(source: bytes, origin: str) -> Variable:
    """The variable in a TOML file's bytes. Raises `SchemaError` naming `origin` and what is wrong in it."""
    try:
        data = tomllib.loads(source.decode("utf-8"))
        return Variable.model_validate({**data, "sha": digest(source)})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"variable file {origin}: {error}") from error
