"""The table `places`: where the authors of an edition's papers work, by the texts that stand now."""

from typing import Any, Final

import polars as pl

from reprocensus.keys import digest
from reprocensus.records import Edition, SectionKind
from reprocensus.schemas import load_domains, load_gazetteer, load_table, places_sha
from reprocensus.tables import Partition, Tables, frame_of

Row = dict[str, Any]
#: Raised when the rule in `places.py` changes: then every paper is looked at again.
RULE: Final = 1


def publish_places(tables: Tables, edition: Edition, papers: pl.DataFrame, documents: pl.DataFrame) -> None:
    """Writes the edition's rows; papers whose text stands as it did are not looked at again.

    Raises:
        StoreError: the store cannot be read or written.
    """
    rule = f"{RULE}-{places_sha()[:16]}"
    texts = dict(documents.select("paper_id", "text_sha256").sort("paper_id").iter_rows())
    basis = f"{rule} {digest(repr(sorted(texts.items())))}"

    def change(current: Partition) -> Partition:
        if current.basis == basis:
            return current
        there = current.frame.to_dicts() if current.basis.startswith(f"{rule} ") else []
        kept = [row for row in there if texts.get(row["paper_id"]) == row["text_sha256"]]
        known = [row["paper_id"] for row in kept]
        made = _rows(papers, documents.filter(~pl.col("paper_id").is_in(known)))
        frame = frame_of(load_table("places"), [*kept, *made]).sort("paper_id")
        return Partition(frame, (), basis, current.version)

    tables.update("places", edition, change)


def _rows(papers: pl.DataFrame, documents: pl.DataFrame) -> list[Row]:
    gazetteer, domains = load_gazetteer(), load_domains()
    authors = dict(papers.select("paper_id", "authors").iter_rows())
    rows = []
    for row in documents.select("paper_id", "text", "sections", "text_sha256").iter_rows(named=True):
        fronts = [part for part in row["sections"] if part["kind"] == SectionKind.FRONT]
        text = "\n".join(row["text"][part["start"] : part["end"]] for part in fronts)
        found = gazetteer.places(text, authors.get(row["paper_id"]) or (), domains)
        rows.append(
            {
                "paper_id": row["paper_id"],
                "countries": list(found.countries),
                "institutions": list(found.institutions),
                "text_sha256": row["text_sha256"],
            }
        )
    return rows
