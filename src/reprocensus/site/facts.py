"""What an edition holds in sum, for the pages on data, runs and downloads: little enough that all fit."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from reprocensus.audit.measures import comparable, kappa
from reprocensus.records import Edition
from reprocensus.tables import Tables
from reprocensus.variables import Variable

_VERDICT: Final = (
    "paper_id", "variable", "label", "engine", "model", "run_id", "judged_at", "prompt_tokens",
    "cached_tokens", "output_tokens", "needs_review", "confidence", "quotes",
)  # fmt: skip
#: Tables that can be downloaded an edition; papers' texts mostly may not be passed on.
DOWNLOADS: Final = (
    "papers", "verdicts", "venue_statistics", "edition_scores", "corrected_statistics", "failures", "labels",
    "aliases", "pdfs", "places",
)  # fmt: skip


@dataclass(frozen=True)
class RunShare:
    """What of one edition a run's verdicts are."""

    n_verdicts: int
    n_papers: int
    n_review: int
    tokens: tuple[int, int, int]
    first: datetime
    last: datetime
    extractors: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """One edition's sums. `pairs`: (run, variable, people's label, the run's label) and how often.

    `rows`: how many rows each table has; `runs`: what runs' verdicts stand here.
    """

    edition: Edition
    n_papers: int
    n_main: int
    n_pdfs: int
    n_texts: int
    n_pages: int
    n_verdicts: int
    n_quotes: int
    n_review: int
    n_failures: int
    n_labels: int
    n_bytes: int
    tokens: tuple[int, int, int]
    last_listed: datetime | None
    last_judged: datetime | None
    rows: dict[str, int]
    runs: dict[str, RunShare]
    pairs: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)


def facts_of(tables: Tables, edition: Edition, variables: Sequence[Variable]) -> Facts:
    """Counts an edition's rows."""
    papers = tables.read("papers", edition, ("main", "listed_at", "pdf_sha256")).frame
    documents = tables.read(
        "documents", edition, ("paper_id", "n_pages", "extractor", "extractor_version")
    ).frame
    verdicts = tables.read("verdicts", edition, _VERDICT).frame
    verdicts = verdicts.with_columns(n_quotes=pl.col("quotes").list.len()).drop("quotes")
    labels = tables.read("labels", edition).frame
    pdfs = tables.read("pdfs", edition, ("pdf_sha256", "n_bytes")).frame.unique("pdf_sha256")
    others = {
        name: tables.read(name, edition, _first(name)).frame.height for name in DOWNLOADS if name != "labels"
    }
    return Facts(
        edition,
        papers.height,
        int(papers["main"].sum()),
        papers["pdf_sha256"].drop_nulls().len(),
        documents.height,
        int(documents["n_pages"].sum()),
        verdicts.height,
        int(verdicts["n_quotes"].sum()),
        int(verdicts["needs_review"].sum()),
        others["failures"],
        labels.height,
        int(pdfs["n_bytes"].sum()),
        _tokens(verdicts),
        papers["listed_at"].max(),  # type: ignore[arg-type]
        verdicts["judged_at"].max(),  # type: ignore[arg-type]
        {**others, "labels": labels.height},
        _runs(verdicts, documents),
        _pairs(verdicts, labels, variables),
    )


def _first(name: str) -> tuple[str, ...]:
    from reprocensus.schemas import load_table

    return (load_table(name).columns[0].name,)


def _tokens(verdicts: pl.DataFrame) -> tuple[int, int, int]:
    return (
        int(verdicts["prompt_tokens"].sum()),
        int(verdicts["cached_tokens"].sum()),
        int(verdicts["output_tokens"].sum()),
    )


def _runs(verdicts: pl.DataFrame, documents: pl.DataFrame) -> dict[str, RunShare]:
    read = documents.select(
        "paper_id", extractor=pl.concat_str("extractor", "extractor_version", separator=" ")
    )
    found = {}
    for (run_id,), rows in verdicts.join(read, on="paper_id", how="left").group_by("run_id"):
        found[str(run_id)] = RunShare(
            rows.height,
            rows["paper_id"].n_unique(),
            int(rows["needs_review"].sum()),
            _tokens(rows),
            rows["judged_at"].min(),  # type: ignore[arg-type]
            rows["judged_at"].max(),  # type: ignore[arg-type]
            tuple(rows["extractor"].drop_nulls().unique().sort()),
        )
    return found


def _pairs(
    verdicts: pl.DataFrame, labels: pl.DataFrame, variables: Sequence[Variable]
) -> Counter[tuple[str, str, str, str]]:
    """Verdicts beside people's labels; of several people's, the latest."""
    latest = labels.sort("recorded_at").unique(["paper_id", "variable"], keep="last")
    both = verdicts.join(latest.select("paper_id", "variable", truth="label"), on=["paper_id", "variable"])
    own = {variable.name: variable.labels for variable in variables}
    return Counter(
        (run_id, variable, truth, comparable(label, own.get(variable, ())))
        for run_id, variable, truth, label in both.select("run_id", "variable", "truth", "label").iter_rows()
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often a run says what people say of a variable; shares from 0 to 1."""

    variable: str
    n: int
    agreement: float
    kappa: float | None


def agreements(facts: Iterable[Facts], run_id: str, variables: Sequence[Variable]) -> list[Agreement]:
    """A run's agreement with people, by variable; none where no paper of it was labelled."""
    pairs: Counter[tuple[str, str, str]] = Counter()
    for one in facts:
        for (run, name, truth, said), n in one.pairs.items():
            if run == run_id:
                pairs[name, truth, said] += n
    found = []
    for variable in variables:
        own = [((truth, said), n) for (name, truth, said), n in pairs.items() if name == variable.name]
        total = sum(n for _, n in own)
        if total:
            right = sum(n for (truth, said), n in own if truth == said)
            chance = kappa([pair for pair, _ in own], [float(n) for _, n in own])
            found.append(Agreement(variable.name, total, right / total, chance))
    return found


def run_total(facts: Iterable[Facts], run_id: str) -> dict[str, Any]:
    """What of a run stands, over all editions."""
    shares = [(one.edition, one.runs[run_id]) for one in facts if run_id in one.runs]
    return {
        "editions": shares,
        "n_verdicts": sum(share.n_verdicts for _, share in shares),
        "n_papers": sum(share.n_papers for _, share in shares),
        "n_review": sum(share.n_review for _, share in shares),
        "extractors": sorted({name for _, share in shares for name in share.extractors}),
        "first": min((share.first for _, share in shares), default=None),
        "last": max((share.last for _, share in shares), default=None),
    }
