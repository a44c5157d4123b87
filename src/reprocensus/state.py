"""What is already done in a store, per edition: the tables with every run's journal folded in."""

from dataclasses import dataclass, field

import polars as pl

from reprocensus.keys import digest
from reprocensus.records import Edition
from reprocensus.schemas import load_table
from reprocensus.tables import JournalEntry, Partition, Tables, empty_frame

#: Folded in this order: what stands in the later ones depends on the earlier.
JOURNALED = ("papers", "pdfs", "documents", "verdicts", "failures", "labels", "aliases")
#: Identifies what a verdict was made from.
VERDICT_KEY = ("text_sha256", "variable", "variable_sha", "prompt_sha", "engine", "model")

#: What planning needs of each; None is everything. Texts are not read.
_COLUMNS: dict[str, tuple[str, ...] | None] = {
    "papers": None,
    "pdfs": None,
    "documents": ("paper_id", "pdf_sha256", "text_sha256", "extractor_version", "recorded_at"),
    "verdicts": ("paper_id", *VERDICT_KEY, "recorded_at"),
    "failures": None,
    "labels": None,
    "aliases": None,
}


@dataclass(frozen=True, slots=True)
class EditionState:
    """What one edition holds. `unfolded`: journal files that no partition holds yet."""

    edition: Edition
    papers: pl.DataFrame
    documents: pl.DataFrame
    verdicts: pl.DataFrame
    failures: pl.DataFrame
    unfolded: tuple[JournalEntry, ...]
    statistics_stale: bool
    pdfs: pl.DataFrame = field(default_factory=lambda: empty_frame(load_table("pdfs")))
    #: Names of all journal files that the state was made from.
    journaled: frozenset[str] = frozenset()

    @property
    def needs_publishing(self) -> bool:
        """A run was killed before it published."""
        return bool(self.unfolded) or self.statistics_stale


def read_state(tables: Tables, edition: Edition) -> EditionState:
    """The state of an edition; reads no document's text and writes nothing."""
    entries = tables.journal(edition)
    stored = {name: tables.read(name, edition, _COLUMNS[name]) for name in JOURNALED}
    frames = {name: tables.folded(name, part, entries).frame for name, part in stored.items()}
    held = {name: set(part.folded) for name, part in stored.items()}
    papers, documents = frames["papers"], frames["documents"]
    verdicts = current_verdicts(frames["verdicts"], documents)
    basis = tables.read("venue_statistics", edition, ("variable",)).basis
    return EditionState(
        edition,
        papers,
        documents,
        verdicts,
        current_failures(frames["failures"], papers, frames["pdfs"], documents, verdicts),
        tuple(entry for entry in entries if entry.name not in held[entry.table]),
        bool(entries) and basis != basis_of(stored),
        frames["pdfs"],
        frozenset(entry.name for entry in entries),
    )


def basis_of(parts: dict[str, Partition]) -> str:
    """Digest of everything folded into an edition's partitions: what its statistics rest on."""
    return digest("\n".join(sorted(name for part in parts.values() for name in part.folded)))


def current_verdicts(verdicts: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """Verdicts on the text that stands now; those on an earlier text stay in the journal alone.

    Imported verdicts name no text and stand as they are.
    """
    texts = documents.select("paper_id", "text_sha256", stands=pl.lit(True))
    joined = verdicts.join(texts, on=["paper_id", "text_sha256"], how="left", maintain_order="left")
    return joined.filter(pl.col("stands").is_not_null() | (pl.col("text_sha256") == "")).drop("stands")


def current_failures(
    failures: pl.DataFrame,
    papers: pl.DataFrame,
    pdfs: pl.DataFrame,
    documents: pl.DataFrame,
    verdicts: pl.DataFrame,
) -> pl.DataFrame:
    """Failures that nothing later has mended.

    A failure to list ends with a row without attempts, to fetch with a later row in papers or pdfs, to
    extract with a later document or when the paper has another PDF by now, to judge with a later verdict of
    the same engine on the variable; of any engine where an older failure does not say which.
    """
    had = papers.filter(pl.col("pdf_sha256").is_not_null()).select(
        "paper_id", "pdf_sha256", pl.col("recorded_at").alias("had_at")
    )
    seen = pdfs.group_by("paper_id").agg(pl.col("recorded_at").max().alias("seen_at"))
    read = documents.select("paper_id", pl.col("recorded_at").alias("read_at"))
    variable = ["paper_id", "variable"]
    judged = verdicts.select(*variable, "engine", pl.col("recorded_at").alias("judged_at"))
    by_any = judged.group_by(variable).agg(pl.col("judged_at").max().alias("judged_by_any"))
    judged_at = pl.when(pl.col("engine").is_null()).then("judged_by_any").otherwise("judged_at")
    mended = (
        ((pl.col("stage") == "list") & (pl.col("attempts") == 0))
        | ((pl.col("stage") == "fetch") & (pl.col("had_at") > pl.col("recorded_at")))
        | ((pl.col("stage") == "fetch") & (pl.col("seen_at") > pl.col("recorded_at")))
        | ((pl.col("stage") == "extract") & (pl.col("read_at") > pl.col("recorded_at")))
        | ((pl.col("stage") == "extract") & ~pl.col("attempted").str.starts_with(pl.col("pdf_sha256")))
        | ((pl.col("stage") == "judge") & (judged_at > pl.col("recorded_at")))
    )
    return (
        failures.join(had, on="paper_id", how="left")
        .join(seen, on="paper_id", how="left")
        .join(read, on="paper_id", how="left")
        .join(judged, on=[*variable, "engine"], how="left")
        .join(by_any, on=variable, how="left")
        .filter(~mended.fill_null(False))
        .select(failures.columns)
    )
