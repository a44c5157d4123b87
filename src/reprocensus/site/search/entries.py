"""What search knows of each paper, from the tables of a store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from reprocensus.records import Edition
from reprocensus.site import safe, urls
from reprocensus.tables import Tables


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that a verdict rests on: its variable, its page (0 where that is not known), its words."""

    variable: str
    label: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper as search knows it; `address` is its page's."""

    address: str
    title: str
    authors: str
    edition: Edition
    evidence: tuple[Evidence, ...] = field(default=())


def entries_of(tables: Tables, edition: Edition) -> Iterator[Entry]:
    """The papers of an edition, by title. E-mail addresses in evidence are masked, as on the pages."""
    papers = tables.read("papers", edition, ["paper_id", "title", "authors"]).frame
    columns = ["paper_id", "variable", "label", "quotes", "rationale", "text_sha256"]
    verdicts = tables.read("verdicts", edition, columns).frame
    evidence: dict[str, list[Evidence]] = {}
    told = verdicts.filter((pl.col("quotes").list.len() > 0) | (pl.col("text_sha256") == ""))
    for row in told.iter_rows(named=True):
        found = evidence.setdefault(row["paper_id"], [])
        found += _evidence(row["variable"], row["label"], row["quotes"], row["rationale"])
    order = papers.sort(pl.col("title").str.to_lowercase(), "paper_id")
    for paper_id, title, authors in order.select("paper_id", "title", "authors").iter_rows():
        yield Entry(
            urls.paper(paper_id),
            safe.shown(title),
            safe.shown(", ".join(authors)),
            edition,
            tuple(dict.fromkeys(evidence.get(paper_id, ()))),
        )


def _evidence(
    variable: str, label: str, quotes: Sequence[dict[str, object]], rationale: str
) -> Iterator[Evidence]:
    for quote in quotes:
        page = quote["page"]
        yield Evidence(variable, label, page if isinstance(page, int) else 0, safe.plain(str(quote["text"])))
    if not quotes and rationale:
        # An imported verdict has its evidence there.
        yield Evidence(variable, label, 0, safe.plain(rationale))
