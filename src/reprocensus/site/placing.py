"""Scores by country and by institution, over some editions. Pure but for the reading of tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import polars as pl

from reprocensus.records import Edition
from reprocensus.site.corpus import Corpus
from reprocensus.statistics import edition_scores, judged
from reprocensus.statistics.judged import PAPER_COLUMNS, VERDICT_COLUMNS

Row = dict[str, Any]
#: Places with fewer empirical papers have a mean, but no interval: it would say little.
_FEWEST: Final = 5
#: Half of a 95 % interval of a mean, in standard errors.
_Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Placed:
    """Scores by place, those with most papers first, and how many papers they rest on.

    `n_papers`: judged papers; `n_read`: those with a text; `n_known`: those of which a place is known.
    """

    rows: tuple[Row, ...]
    n_papers: int
    n_read: int
    n_known: int


def placed(corpus: Corpus, kind: str, editions: Sequence[Edition], most: int) -> Placed:
    """Scores by `kind` (countries, institutions), at most so many rows; a paper counts in each."""
    frames = [_labels(corpus, edition, corpus.version(edition)) for edition in editions]
    n_papers = sum(n for n, _ in frames)
    read = [frame for _, frame in frames if frame is not None]
    if not read:
        return Placed((), n_papers, 0, 0)
    labels = pl.concat(read).with_columns(place=pl.col(kind))
    n_known = labels.filter(pl.col("place").list.len() > 0).height
    each = labels.explode("place").filter(pl.col("place").is_not_null())
    scores = edition_scores(each, corpus.variables, ("place",))
    names = [variable.name for variable in corpus.scored]
    empirical = each.filter(research_type="Experimental")
    score = pl.sum_horizontal((pl.col(name) == "Yes").fill_null(False).cast(pl.Int64) for name in names)
    spread = empirical.group_by("place").agg(error=score.std() / pl.len().sqrt())
    mean = pl.col("documentation_score")
    half = pl.when(pl.col("n_empirical") >= _FEWEST).then(_Z * pl.col("error"))
    rows = (
        scores.join(spread, on="place", how="left")
        .with_columns(
            # `clip` keeps a null, the smaller or larger of a null and a number is the number.
            low=(mean - half).clip(0.0, None),
            high=(mean + half).clip(None, float(len(names))),
        )
        .sort("n_papers", "place", descending=[True, False])
        .head(most)
    )
    return Placed(tuple(rows.to_dicts()), n_papers, labels.height, n_known)


@lru_cache(maxsize=512)
def _labels(corpus: Corpus, edition: Edition, version: str) -> tuple[int, pl.DataFrame | None]:
    """How many papers were judged; of those with a text the labels and places, None where there are none.

    `version`: what the edition's tables were when they were read; another one is read anew.
    """
    statistics = corpus.statistics[edition]
    places = corpus.tables.read("places", edition).frame
    if places.is_empty():
        return statistics.scores["n_papers"] or 0, None
    papers = corpus.tables.read("papers", edition, PAPER_COLUMNS).frame
    verdicts = corpus.tables.read("verdicts", edition, VERDICT_COLUMNS).frame
    labels = judged(papers, verdicts.filter(engine=statistics.engine), corpus.variables)
    own = places.select("paper_id", "countries", "institutions")
    return labels.height, labels.join(own, on="paper_id")
