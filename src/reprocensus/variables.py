"""A reproducibility variable: what is asked of a paper, read from one TOML file in `schemas/variables/`.

Pure: parses text that somebody else read. What a verdict depends on is the digest of what its engine reads:
the file's bytes for the rules, the question and what it is asked about for a language model (`sha_for`). A
change to either makes it another variable, and its papers are judged again.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from reprocensus.domains import Domains
from reprocensus.errors import SchemaError
from reprocensus.keys import digest
from reprocensus.records import COMMON_LABELS, NOT_APPLICABLE, SectionKind
from reprocensus.validation import complaints

#: A word as cues and the index of a paper's words have it: a run of letters or of digits.
WORD = re.compile(r"[^\W\d_]+|\d+")
#: Stands in a pattern for "any of the cue's terms".
TERMS = "%terms%"


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r} does not compile: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
Word = Annotated[str, Field(pattern=r"^(?:[^\W\d_A-Z]+|\d+)\*?$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cue(_Model):
    """One lexical cue: where a sentence shows it, the sentence speaks for `label` with `weight`.

    `pattern` and `unless` are Python regular expressions, case-insensitive; a sentence that also matches
    `unless` does not count. `terms` are literal names (a blank or hyphen in one may be either, or missing);
    they replace %terms% in the pattern, and are the pattern where there is none. Only sentences that hold
    one of `words` are looked at: lower-case runs of letters or of digits, `train*` for a beginning; without
    them, those that hold all words of a term, or every sentence. Negative weights speak against the label.
    A cue with `domains` is shown by an e-mail address of the kind `domain_kind`.
    """

    label: str
    pattern: Pattern | None = None
    terms: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()
    domains: Domains | None = None
    domain_kind: str | None = None
    weight: float
    unless: Pattern | None = None
    case_sensitive: bool = False
    sections: tuple[SectionKind, ...] | None = None
    #: Counts only in sections whose title matches; in others with the weight `elsewhere`, if that is given.
    titles: Pattern | None = None
    elsewhere: float | None = None
    #: Counts in at most so many sentences; the rules' own cap where not given.
    cap: int | None = None
    #: Whether a sentence is quoted for this cue; if not, then only where there is nothing better.
    quotable: bool = True
    note: str = ""

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        if bool(self.pattern or self.terms) == bool(self.domains):
            raise ValueError("a cue needs a pattern, terms, or domains; domains stand alone")
        if self.domains and self.domain_kind not in self.domains.kinds:
            raise ValueError(f"domain_kind {self.domain_kind!r} is not among {sorted(self.domains.kinds)}")
        if not self.domains and bool(self.terms) != (TERMS in (self.pattern or TERMS)):
            raise ValueError(f"a pattern with terms needs {TERMS}, and {TERMS} needs terms")
        return self

    def place(self, text: str) -> int | None:
        """Where the text shows the cue; None where it does not."""
        if self.domains and self.domain_kind:
            place = next(self.domains.places(text, self.domain_kind), None)
        else:
            found = self.regex.search(text)
            place = found.start() if found else None
        return None if place is None or (self.unless_regex and self.unless_regex.search(text)) else place

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern with its terms filled in, compiled."""
        return _compiled(self.pattern or TERMS, self.terms, self.case_sensitive)

    @cached_property
    def unless_regex(self) -> re.Pattern[str] | None:
        """The exception, compiled."""
        return _compiled(self.unless, (), self.case_sensitive) if self.unless else None

    @cached_property
    def term_words(self) -> tuple[tuple[str, ...], ...]:
        """The words of each term, as an index of words has them."""
        return _words_of(self.terms)


class Gate(_Model):
    """When a variable does not apply: `variable` came out as `label` and nothing spoke for this one.

    `unless_title` names sections (an evaluation, say) in whose presence it applies after all;
    `unless_text` and `unless_words` do so by a sentence, as in a cue.
    """

    variable: str
    label: str
    unless_title: Pattern | None = None
    unless_text: Pattern | None = None
    unless_words: tuple[str, ...] = ()
    rationale: str


class Calibration(_Model):
    """Makes a confidence of a distance from the threshold: see `lexical.confidence`. Fitted to labels."""

    intercept: Annotated[float, Field(ge=0)]
    slope: Annotated[float, Field(ge=0)]


class Rules(_Model):
    """How the rules engine judges a variable.

    mode `sentence`: the best sentence's summed weight against `threshold`.
    mode `paper`: each cue counts once a sentence, at most `cap` sentences a cue, summed over the paper.
    mode `sides`: labels have cues of their own, summed as in `paper`; two sides present give `both`.
    Cues for `default` only give quotes that speak against the other labels.
    """

    mode: Literal["sentence", "paper", "sides"]
    default: str
    threshold: float = 1.0
    #: How far from the threshold a score is half way to certain.
    scale: Annotated[float, Field(gt=0)] = 1.0
    cap: Annotated[int, Field(gt=0)] = 3
    both: str | None = None
    sections: tuple[SectionKind, ...] = (
        SectionKind.ABSTRACT,
        SectionKind.BODY,
        SectionKind.APPENDIX,
    )
    #: Only the first so many pages are looked at.
    pages: int | None = None
    #: Whether cues count in the paper's title, too.
    title_counts: bool = True
    found: str
    none_found: str
    gate: Gate | None = None
    calibration: Calibration | None = None
    cues: tuple[Cue, ...]

    @property
    def all_sections(self) -> frozenset[SectionKind]:
        """Every kind of section that a cue looks at."""
        return frozenset(self.sections).union(*(cue.sections or () for cue in self.cues))


class TextWanted(_Model):
    """What of a paper its question is asked about: `sections`, of the first so many `pages`.

    Variables that want the same are shown the same text. `words` rank the passages of a paper that is too
    long: lower-case runs of letters or of digits, `train*` for a beginning.
    """

    sections: tuple[SectionKind, ...] = (
        SectionKind.FRONT,
        SectionKind.ABSTRACT,
        SectionKind.BODY,
        SectionKind.APPENDIX,
        SectionKind.CHECKLIST,
    )
    pages: int | None = None
    words: tuple[Word, ...] = ()

    @property
    def what(self) -> tuple[object, ...]:
        """What two variables must share to be shown the same text."""
        return self.sections, self.pages


class Variable(_Model):
    """One variable; `sha` is the digest of the file it came from."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    order: int
    title: str
    #: Heads a column of a table.
    short: str
    question: str
    labels: tuple[str, ...]
    #: The label whose share is reported.
    positive: str
    #: Asks about experiments, so a theoretical paper in which nothing answers it is `not_applicable`.
    about_experiments: bool
    #: Counts towards the documentation score.
    in_documentation_score: bool = False
    criteria: dict[str, str]
    text: TextWanted = TextWanted()
    #: Without them only a language model judges it.
    rules: Rules | None = None
    sha: str

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Its own labels, then those that every variable has."""
        return self.labels + COMMON_LABELS

    @property
    def needed_rules(self) -> Rules:
        """Its rules. Raises `SchemaError` if it has none."""
        if self.rules is None:
            raise SchemaError(f"variable {self.name} has no [rules], so the rules engine cannot judge it")
        return self.rules

    def sha_for(self, *, reads_rules: bool) -> str:
        """Digest of what an engine reads of it: all of its file, or what a language model is asked and shown.

        So better rules make the rules judge again and no model. Ranking words are part of a model's name
        (`LlmOptions.model_name`), since all variables' words together rank the passages of a long paper.
        """
        return self.sha if reads_rules else self._asked_sha

    @property
    def _asked_sha(self) -> str:
        asked = {
            "question": self.question,
            "labels": self.labels,
            "criteria": [self.criteria.get(label) for label in self.all_labels],
            "sections": self.text.sections,
            "pages": self.text.pages,
        }
        return digest(json.dumps(asked, sort_keys=True))

    @model_validator(mode="after")
    def _labels_agree(self) -> Self:
        if self.positive not in self.labels:
            raise ValueError(f"positive label {self.positive!r} is not among {self.labels}")
        if missing := set(self.labels) - set(self.criteria):
            raise ValueError(f"no criterion for {sorted(missing)}")
        if self.about_experiments and NOT_APPLICABLE not in self.criteria:
            raise ValueError(
                "a variable with about_experiments = true says below [criteria] when it does not apply: "
                f'{NOT_APPLICABLE} = "The paper has no experiments."'
            )
        return self

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        if self.rules is None:
            return self
        used = {self.rules.default, *(cue.label for cue in self.rules.cues)}
        used |= {self.rules.both} if self.rules.both else set()
        if stray := used - set(self.all_labels):
            raise ValueError(f"rules use labels that the variable does not have: {sorted(stray)}")
        if self.about_experiments and self.rules.gate is None:
            raise ValueError(
                "a variable with about_experiments = true needs [rules.gate], such as variable = "
                '"research_type", label = "Theoretical", rationale = "A theoretical paper."'
            )
        return self


def parse_variable(source: bytes, origin: str, lists: bytes | None = None) -> Variable:
    """The variable in a TOML file's bytes.

    Where a cue's value is `{ list = "name" }`, that of `lists` is put in (a TOML file's bytes), and the
    digest covers both. Raises `SchemaError` naming `origin` and what is wrong in it.
    """
    try:
        data = tomllib.loads(source.decode("utf-8"))
        cues = data.get("rules", {}).get("cues", [])
        sha = digest(source)
        if any(_list_name(value) for cue in cues for value in cue.values()):
            if lists is None:
                raise ValueError("a cue names a list, and there is no file of lists beside the variables")
            found = tomllib.loads(lists.decode("utf-8"))
            data["rules"]["cues"] = [{k: _filled(v, found) for k, v in cue.items()} for cue in cues]
            sha = digest(f"{sha} {digest(lists)}")
        return Variable.model_validate({**data, "sha": sha})
    except ValidationError as error:
        raise SchemaError(f"variable file {origin}: {complaints(error)}") from error
    except ValueError as error:
        raise SchemaError(f"variable file {origin}: {error}") from error


def _list_name(value: object) -> str | None:
    """The name of the list that a cue's value stands for."""
    return value["list"] if isinstance(value, dict) and set(value) == {"list"} else None


def _filled(value: Any, lists: Mapping[str, Any]) -> Any:
    name = _list_name(value)
    if name is None:
        return value
    if name not in lists:
        raise ValueError(f"there is no list {name!r}; known: {', '.join(lists)}")
    return lists[name]


# Variables travel to worker processes with every paper; what was compiled for an equal cue is kept there.
@cache
def _compiled(pattern: str, terms: tuple[str, ...], case_sensitive: bool) -> re.Pattern[str]:
    filled = pattern.replace(TERMS, _alternatives(terms)) if terms else pattern
    return re.compile(filled, 0 if case_sensitive else re.IGNORECASE)


@cache
def _words_of(terms: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(WORD.findall(term.lower())) for term in terms)


def _alternatives(terms: tuple[str, ...]) -> str:
    """A pattern for any of the terms as whole words, longest first; a footnote number may touch them."""
    ordered = sorted(terms, key=lambda term: (-len(term), term))
    spelled = ("[ -]?".join(map(re.escape, re.split(r"[ -]", term))) for term in ordered)
    return rf"(?<![^\W\d_])(?:{'|'.join(spelled)})(?![^\W\d_])"
