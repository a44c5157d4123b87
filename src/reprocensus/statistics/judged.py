"""Verdicts as one row a paper: what every statistic starts from."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from reprocensus.variables import Variable

#: How the source of a paper starts that only an import of labels brought into the store.
IMPORTED: Final = "import:"
#: What `judged` needs of the tables.
PAPER_COLUMNS: Final = ("paper_id", "source", "main")
VERDICT_COLUMNS: Final = ("paper_id", "variable", "label", "engine", "text_sha256")
_INDEX: Final = ("venue", "year", "paper_id")


def judged(papers: pl.DataFrame, verdicts: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """One row a paper of the main programme, a column a variable: its label, null where there is no verdict.

    `verdicts` are those of one engine. Columns: those of venue, year and paper_id that `papers` has, then the
    variables. An engine that read papers has a row for every paper listed, so that those which failed are
    counted. One whose labels were imported has the papers of its labels alone, as nobody can say what else it
    was given; and papers that only an import brought stand for no other engine.
    """
    index = [name for name in _INDEX if name in papers.columns]
    read = verdicts.is_empty() or bool((verdicts["text_sha256"] != "").any())
    of = pl.col("variable")
    labels = verdicts.group_by(index).agg(
        pl.col("label").filter(of == v.name).last().alias(v.name) for v in variables
    )
    main = papers.filter("main")
    own = main.join(labels.select(index), on=index, how="semi").select(index)
    listed = main.filter(~pl.col("source").str.starts_with(IMPORTED)).select(index)
    rows = pl.concat([listed, own]).unique(maintain_order=True) if read else own
    return rows.join(labels, on=index, how="left", maintain_order="left")
