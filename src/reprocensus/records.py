"""The records that pass between stages. Frozen, plain, picklable; no behaviour beyond derived fields.

Offsets are counted in Unicode code points of `Document.text`, half open: `text[start:end]`.
Pages are counted from 1. Times are timezone-aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

NOT_APPLICABLE = "not_applicable"
UNKNOWN = "unknown"
#: Labels that every variable may come out with besides its own.
COMMON_LABELS = (NOT_APPLICABLE, UNKNOWN)


class Stage(StrEnum):
    """The stages at which a paper can fail; at LIST an edition does, and `paper_id` names that."""

    LIST = "list"
    FETCH = "fetch"
    EXTRACT = "extract"
    JUDGE = "judge"


class SectionKind(StrEnum):
    """What part of a paper a stretch of its text belongs to."""

    FRONT = "front"
    ABSTRACT = "abstract"
    BODY = "body"
    REFERENCES = "references"
    APPENDIX = "appendix"
    CHECKLIST = "checklist"


class Match(StrEnum):
    """How a quote was found in the text."""

    EXACT = "exact"
    NORMALISED = "normalised"
    FUZZY = "fuzzy"


@dataclass(frozen=True, slots=True, order=True)
class Edition:
    """A venue-year, such as ICML 2016."""

    venue: str
    year: int

    def __str__(self) -> str:
        return f"{self.venue} {self.year}"


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as a source lists it. `location` is where its PDF can be read: a path or an http(s) URL."""

    paper_id: str
    edition: Edition
    title: str
    source: str
    location: str
    authors: tuple[str, ...] = ()
    abstract: str | None = None
    track: str = "main"
    main: bool = True
    landing_url: str | None = None
    pdf_url: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A PDF that a paper's location gave, as in the table `pdfs`. Times are when that was first and last."""

    pdf_sha256: str
    location: str
    n_bytes: int
    first_seen: datetime
    last_checked: datetime
    final_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch `[start, end)` of a document's text. A document's sections cover its text without gaps."""

    kind: SectionKind
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Caption:
    """The caption `[start, end)` of a figure, table or algorithm, and what it names, such as `Figure 3`."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class HiddenText:
    """Text in the PDF that a reader of its page does not see. It is not in the document's text."""

    page: int
    text: str


@dataclass(frozen=True, slots=True)
class Extracted:
    """What extraction makes of one PDF. `page_starts[i]` is the offset at which page i+1 starts."""

    text: str
    page_starts: tuple[int, ...]
    title: str
    sections: tuple[Section, ...]
    flags: tuple[str, ...]
    extractor: str
    extractor_version: str
    captions: tuple[Caption, ...] = ()
    hidden: tuple[HiddenText, ...] = ()

    @property
    def n_pages(self) -> int:
        """Pages of the PDF, those without text included."""
        return len(self.page_starts)


@dataclass(frozen=True, slots=True)
class Document:
    """The extracted text of one paper's PDF, identified by the digests of both."""

    paper_id: str
    pdf_sha256: str
    text_sha256: str
    extracted: Extracted

    @property
    def text(self) -> str:
        """The paper's text; every quote stands in it word for word."""
        return self.extracted.text


@dataclass(frozen=True, slots=True)
class Claim:
    """A quote as an engine claims it; `start` says where it stands, if the engine knows."""

    text: str
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote found in the document: `text == document.text[start:end]`, starting on page `page`.

    `score`, from 0 to 1, is how like the passage is to a claim that was found with small changes.
    """

    text: str
    page: int
    start: int
    end: int
    match: Match
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What judging used: tokens, seconds from asking to the answer, US dollars. 0 where none are used.

    `cached_tokens` are those of the prompt's that a prefix cache held. `cost` is None where no price is
    known.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.seconds + other.seconds,
            None if self.cost is other.cost is None else (self.cost or 0.0) + (other.cost or 0.0),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's answer to one variable's question, not yet verified.

    `label_probability`: as the model gave it, before calibration made the confidence of it. `truncated`: the
    engine was shown less of the paper than the question asks about.
    """

    label: str
    claims: tuple[Claim, ...] = ()
    rationale: str = ""
    confidence: float | None = None
    label_probability: float | None = None
    truncated: bool = False
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One variable of one paper, judged, with quotes that were verified against the text."""

    paper_id: str
    variable: str
    label: str
    quotes: tuple[Quote, ...]
    rationale: str
    confidence: float | None
    needs_review: bool
    variable_sha: str
    prompt_sha: str
    text_sha256: str
    engine: str
    model: str
    run_id: str
    judged_at: datetime
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None
    truncated: bool = False
    label_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One paper's failure at one stage. `attempted` is the digest or stamp of the input that failed."""

    stage: Stage
    paper_id: str
    kind: str
    transient: bool
    message: str
    attempted: str
    run_id: str
    failed_at: datetime
    variable: str | None = None
    engine: str | None = None
    attempts: int = 1
    retry_at: datetime | None = None
