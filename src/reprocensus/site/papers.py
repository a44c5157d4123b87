"""What a paper's page says. Pure: rows in, a page's content out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from reprocensus.records import UNKNOWN
from reprocensus.site import urls
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import EditionStatistics, PaperRows, Row
from reprocensus.site.evidence import offered
from reprocensus.site.safe import web_url, without_paths
from reprocensus.site.texts import part_of
from reprocensus.variables import Variable

#: Names of classes in the style sheet for the labels, by what they say for reproduction.
MARKS: Final = {"Yes": "yes", "No": "no", UNKNOWN: "unknown", "not_applicable": "na"}


@dataclass(frozen=True, slots=True)
class Quote:
    """A passage: where it stands in the PDF and in the text, and its picture if there is one."""

    text: str
    page: int
    start: int
    end: int
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
    verdict: Row | None = None


@dataclass(frozen=True, slots=True)
class PaperPage:
    """Everything on a paper's page. Addresses are relative to the site's root, or of the web.

    `tokens`: sent, of these from the cache, and answered; `names`: what it is called elsewhere.
    """

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
    judged_at: datetime | None
    tokens: tuple[int, int, int]
    document: Row | None
    report: str | None
    names: tuple[str, ...]
    #: Address of the PDF with all passages marked, if it is made.
    evidence_pdf: str | None = None

    @property
    def n_to_review(self) -> int:
        """How many of its results a person should look at."""
        return sum(judgement.needs_review for judgement in self.judgements)

    @property
    def has_others(self) -> bool:
        """Whether other engines judged it too."""
        return any(judgement.others for judgement in self.judgements)

    @property
    def has_earlier(self) -> bool:
        """Whether it was judged before."""
        return any(judgement.earlier for judgement in self.judgements)


@lru_cache(maxsize=8)
def paper_page(corpus: Corpus, rows: PaperRows) -> PaperPage:
    """The page of a paper. Raises `KeyError` where the store has its edition no more."""
    row, options, paper_id = rows.paper, corpus.options, rows.paper_id
    verdicts, document = rows.verdicts, rows.document
    engine = engine_of(corpus.statistics[rows.edition], verdicts)
    own = {v["variable"]: v for v in verdicts if v["engine"] == engine}
    failures = tuple({**f, "message": without_paths(f["message"])} for f in rows.failures)
    archive = archive_pdf(corpus, document["pdf_sha256"] if document else row["pdf_sha256"])
    newest = max(own.values(), key=lambda v: v["judged_at"], default=None)
    evidence = offered(corpus.evidence, paper_id, list(own.values()), document)
    context = _Context(
        corpus, paper_id, archive, document, own, verdicts, rows.labels, failures,
        rows.earlier, evidence.pictures,
    )  # fmt: skip
    return PaperPage(
        paper_id,
        row,
        engine if own else "",
        tuple(sorted({v["model"] for v in own.values()})),
        web_url(row["pdf_url"]) or web_url(row["pdf_location"]),
        web_url(row["landing_url"]),
        archive,
        urls.text(paper_id) if document and options.texts else None,
        urls.run(newest["run_id"]) if newest else None,
        tuple(_judgement(context, variable) for variable in corpus.variables),
        documentation_score({name: v["label"] for name, v in own.items()}, corpus.scored),
        len(corpus.scored),
        failures,
        tuple(sorted({v["run_id"] for v in own.values()})),
        newest["judged_at"] if newest else None,
        _tokens(own.values()),
        document,
        options.report_link(paper_id),
        tuple(rows.aliases),
        evidence.marked,
    )


def documentation_score(labels: dict[str, str], scored: Sequence[Variable]) -> int | None:
    """How many of the scored variables an experimental paper documents; None for another."""
    if labels.get("research_type") != "Experimental":
        return None
    return sum(labels.get(v.name) == "Yes" for v in scored)


def archive_pdf(corpus: Corpus, sha256: str | None) -> str | None:
    """Where the archived PDF is: on the site, or in the archive of the web that the options name."""
    options = corpus.options
    if sha256 is None or sha256 in corpus.lacking:
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
    own: dict[str, Row]
    verdicts: list[Row]
    labels: list[Row]
    failures: tuple[Row, ...]
    earlier: list[Row]
    pictures: Mapping[str, str]


def shown_verdicts(corpus: Corpus, rows: PaperRows) -> list[Row]:
    """The verdicts that the paper's page shows first: those of one engine."""
    engine = engine_of(corpus.statistics[rows.edition], rows.verdicts)
    return [row for row in rows.verdicts if row["engine"] == engine]


def engine_of(statistics: EditionStatistics, verdicts: list[Row]) -> str:
    """The edition's engine, or the one that judged most of this paper where that did not."""
    engines = [v["engine"] for v in verdicts]
    usual = statistics.engine
    return usual if usual in engines or not engines else max(sorted(set(engines)), key=engines.count)


def _judgement(context: _Context, variable: Variable) -> Judgement:
    name = variable.name
    verdict = context.own.get(name)
    people = tuple(row for row in context.labels if row["variable"] == name)
    other = [v for v in context.verdicts if v["variable"] == name and v is not verdict]
    earlier = tuple(_changed(row, verdict) for row in context.earlier if row["variable"] == name)
    if verdict is None:
        failed = next((f for f in context.failures if f["variable"] in (name, None)), None)
        return Judgement(variable, None, "none", (), "", None, False, people, tuple(other), earlier, failed)
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
        tuple(other),
        earlier,
        None,
        verdict,
    )


def _changed(earlier: Row, now: Row | None) -> Row:
    """An earlier judgement with what is otherwise in today's, in words."""
    if now is None or earlier["engine"] != now["engine"]:
        return {**earlier, "changed": ()}
    words = {"text_sha256": "text", "variable_sha": "definition", "prompt_sha": "question", "model": "model"}
    return {**earlier, "changed": tuple(word for key, word in words.items() if earlier[key] != now[key])}


def _quote(context: _Context, verdict: Row, number: int, quote: Row) -> Quote:
    anchor = f"{verdict['variable']}-{number}"
    document, plain_text = context.document, None
    current = document is not None and document["text_sha256"] == verdict["text_sha256"]
    if document and current and context.corpus.options.texts:
        part = part_of(document["page_starts"], quote["start"])
        plain_text = f"{urls.text(context.paper_id, part)}#{anchor}"
    pdf = f"{context.archive}#page={quote['page']}" if context.archive and current else None
    where = quote["page"], quote["start"], quote["end"]
    picture = context.pictures.get(anchor)
    return Quote(quote["text"], *where, quote["match"], anchor, pdf, plain_text, picture)


def _tokens(verdicts: Any) -> tuple[int, int, int]:
    sums = [0, 0, 0]
    for verdict in verdicts:
        for at, name in enumerate(("prompt_tokens", "cached_tokens", "output_tokens")):
            sums[at] += verdict[name]
    return (sums[0], sums[1], sums[2])
