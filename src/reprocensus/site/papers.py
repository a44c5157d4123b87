"""What a paper's page says. Pure: rows in, a page's content out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reprocensus.records import UNKNOWN
from reprocensus.site import urls
from reprocensus.site.corpus import Corpus, EditionData
from reprocensus.site.safe import web_url
from reprocensus.site.texts import part_of
from reprocensus.variables import Variable

Row = dict[str, Any]
#: Names of classes in the style sheet for the labels, by what they say for reproduction.
MARKS: Final = {"Yes": "yes", "No": "no", UNKNOWN: "unknown", "not_applicable": "na"}


@dataclass(frozen=True, slots=True)
class Quote:
    """A passage: where it stands in the PDF and in the text, and its picture if there is one."""

    text: str
    page: int
    match: str
    anchor: str
    pdf: str | None
    plain_text: str | None
    #: Address of a picture of the passage in the PDF (`urls.evidence`), if it is made.
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row of the page's table: a variable's verdict, or that there is none."""

    variable: Variable
    label: str | None
    mark: str
    quotes: tuple[Quote, ...] = ()
    rationale: str = ""
    confidence: float | None = None
    needs_review: bool = False
    people: tuple[Row, ...] = ()
    others: tuple[Row, ...] = ()
    earlier: tuple[Row, ...] = ()
    failure: Row | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class PaperPage:
    """Everything on a paper's page. Addresses are relative to the site's root, or of the web."""

    paper_id: str
    row: Row
    engine: str
    models: tuple[str, ...]
    conference_pdf: str | None
    landing: str | None
    archive_pdf: str | None
    plain_text: str | None
    run: str | None
    judgements: tuple[Judgement, ...]
    score: int | None
    most: int
    failures: tuple[Row, ...]
    runs: tuple[str, ...]
    tokens: tuple[int, int, int]
    document: Row | None
    report: str | None
    names: tuple[str, ...]
    #: Address of the PDF with all passages marked, if it is made.
    evidence_pdf: str | None = None
    extra: Row = field(default_factory=dict)


def paper_page(corpus: Corpus, data: EditionData, paper_id: str) -> PaperPage:
    """The page of a paper. Raises `KeyError` where the edition has no such paper."""
    row, options = data.paper(paper_id), corpus.options
    verdicts, document = data.verdicts(paper_id), data.document(paper_id)
    engine = _engine(data, verdicts)
    own = {v["variable"]: v for v in verdicts if v["engine"] == engine}
    failures = tuple(data.failures(paper_id))
    archive = archive_pdf(corpus, document["pdf_sha256"] if document else row["pdf_sha256"])
    context = _Context(corpus, row["paper_id"], archive, document)
    judgements = tuple(
        _judgement(context, v, own.get(v.name), verdicts, data.labels(paper_id), failures)
        for v in corpus.variables
    )
    newest = max(own.values(), key=lambda v: v["judged_at"], default=None)
    return PaperPage(
        paper_id,
        row,
        engine,
        tuple(sorted({v["model"] for v in own.values()})),
        web_url(row["pdf_url"]) or web_url(row["pdf_location"]),
        web_url(row["landing_url"]),
        archive,
        urls.text(paper_id) if document and options.texts else None,
        urls.run(newest["run_id"]) if newest else None,
        judgements,
        documentation_score({name: v["label"] for name, v in own.items()}, corpus.scored),
        len(corpus.scored),
        failures,
        tuple(dict.fromkeys(v["run_id"] for v in own.values())),
        _tokens(own.values()),
        document,
        options.report_link(paper_id),
        tuple(data.aliases(paper_id)),
    )


def documentation_score(labels: dict[str, str], scored: Sequence[Variable]) -> int | None:
    """How many of the scored variables an experimental paper documents; None for another."""
    if labels.get("research_type") != "Experimental":
        return None
    return sum(labels.get(v.name) == "Yes" for v in scored)


def archive_pdf(corpus: Corpus, sha256: str | None) -> str | None:
    """Where the archived PDF is: on the site, or in the archive of the web that the options name."""
    options = corpus.options
    if sha256 is None:
        return None
    if options.archive_url:
        return web_url(f"{options.archive_url.rstrip('/')}/{sha256}.pdf")
    return urls.pdf(sha256) if options.pdfs else None


@dataclass(frozen=True, slots=True)
class _Context:
    corpus: Corpus
    paper_id: str
    archive: str | None
    document: Row | None


def _engine(data: EditionData, verdicts: list[Row]) -> str:
    """The edition's engine, or one that judged this paper where that did not."""
    engines = [v["engine"] for v in verdicts]
    usual = data.statistics.engine
    return usual if usual in engines or not engines else max(sorted(set(engines)), key=engines.count)


def _judgement(
    context: _Context,
    variable: Variable,
    verdict: Row | None,
    verdicts: list[Row],
    labels: list[Row],
    failures: Sequence[Row],
) -> Judgement:
    people = tuple(row for row in labels if row["variable"] == variable.name)
    own = verdict["engine"] if verdict else None
    others = tuple(v for v in verdicts if v["variable"] == variable.name and v["engine"] != own)
    if verdict is None:
        failed = [f for f in failures if f["variable"] in (variable.name, None)]
        return Judgement(
            variable, None, "none", people=people, others=others, failure=next(iter(failed), None)
        )
    quotes = tuple(_quote(context, verdict, number, q) for number, q in enumerate(verdict["quotes"], start=1))
    return Judgement(
        variable,
        verdict["label"],
        MARKS.get(verdict["label"], "other"),
        quotes,
        verdict["rationale"],
        verdict["confidence"],
        verdict["needs_review"],
        people,
        others,
        (),
        None,
        urls.run(verdict["run_id"]),
    )


def _quote(context: _Context, verdict: Row, number: int, quote: Row) -> Quote:
    anchor = f"{verdict['variable']}-{number}"
    document, plain_text = context.document, None
    current = document is not None and document["text_sha256"] == verdict["text_sha256"]
    if document and current and context.corpus.options.texts:
        part = part_of(document["page_starts"], quote["start"])
        plain_text = f"{urls.text(context.paper_id, part)}#{anchor}"
    pdf = f"{context.archive}#page={quote['page']}" if context.archive and current else None
    return Quote(quote["text"], quote["page"], quote["match"], anchor, pdf, plain_text)


def _tokens(verdicts: Any) -> tuple[int, int, int]:
    sums = [0, 0, 0]
    for verdict in verdicts:
        for at, name in enumerate(("prompt_tokens", "cached_tokens", "output_tokens")):
            sums[at] += verdict[name]
    return (sums[0], sums[1], sums[2])
