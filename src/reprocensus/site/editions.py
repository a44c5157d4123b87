"""What an edition's page says: its table of papers, a page at a time, and its failures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl

from reprocensus.site import urls
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import EditionData
from reprocensus.site.papers import MARKS, documentation_score
from reprocensus.site.safe import plain

#: Papers on one page of a table: as many as keep it below 100 kB.
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A paper in a table. `labels`: by variable, None where there is no verdict."""

    paper_id: str
    title: str
    labels: tuple[str | None, ...]
    score: int | None

    @property
    def href(self) -> str:
        """Its page."""
        return urls.paper(self.paper_id)

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Class and label of each variable."""
        return [(MARKS.get(label, "other") if label else "none", label or "–") for label in self.labels]


@lru_cache(maxsize=4)
def listed(corpus: Corpus, data: EditionData) -> list[Listed]:
    """The edition's papers by title, with the labels of the edition's engine."""
    names = [v.name for v in corpus.variables]
    of = pl.col("variable")
    labels = (
        data.all_verdicts.filter(engine=data.statistics.engine)
        .group_by("paper_id")
        .agg(pl.col("label").filter(of == name).last().cast(pl.String).alias(name) for name in names)
        .with_columns(pl.col("paper_id").cast(pl.String))
    )
    rows = data.papers.select("paper_id", "title").join(labels, on="paper_id", how="left")
    found = []
    for paper_id, title, *given in rows.iter_rows():
        score = documentation_score(dict(zip(names, given, strict=True)), corpus.scored)
        found.append(Listed(paper_id, title or paper_id, tuple(given), score))
    return sorted(found, key=lambda paper: (paper.title.casefold(), paper.paper_id))


def n_pages(n_rows: int, size: int = PAGE) -> int:
    """How many pages a table of so many rows has: one at least."""
    return max(1, -(-n_rows // size))


def table_json(corpus: Corpus, papers: Sequence[Listed]) -> bytes:
    """The whole table for scripts: columns, and a row a paper: address, title, score, labels."""
    content = {
        "variables": [{"name": v.name, "short": v.short, "title": v.title} for v in corpus.variables],
        "papers": [[p.href, plain(p.title), p.score, *p.labels] for p in papers],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
