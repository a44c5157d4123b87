"""Makes an edition's tables from its journal: the fold, then the statistics that rest on it."""

from dataclasses import replace
from datetime import datetime

import polars as pl

from reprocensus.placed import publish_places
from reprocensus.records import Edition
from reprocensus.schemas import load_table, load_variables
from reprocensus.state import JOURNALED, basis_of, current_failures, current_verdicts
from reprocensus.statistics import edition_scores, judged, venue_statistics
from reprocensus.tables import Partition, Tables, empty_frame


def publish(tables: Tables, edition: Edition) -> None:
    """Folds every journal file of the edition into its partitions and writes its statistics.

    Safe to run at any time, by any number of runs at once: it adds what is missing and changes nothing else.

    Raises:
        StoreError: the store cannot be read or written.
    """
    entries = tables.journal(edition)
    parts: dict[str, Partition] = {}

    def fold(name: str, current: Partition) -> Partition:
        folded = tables.folded(name, current, entries)
        frame = folded.frame
        if name == "verdicts":
            frame = current_verdicts(frame, parts["documents"].frame)
        if name == "failures":
            frame = current_failures(
                frame,
                parts["papers"].frame,
                parts["pdfs"].frame,
                parts["documents"].frame,
                parts["verdicts"].frame,
            )
        # A table without rows is written too: analysts read every table of every edition.
        if current.version and folded is current and frame.height == current.frame.height:
            return current
        return Partition(frame, folded.folded, "", current.version)

    for name in JOURNALED:
        parts[name] = tables.update(name, edition, lambda current, name=name: fold(name, current))  # type: ignore[misc]
    publish_statistics(tables, edition, parts)


def rebuilt(tables: Tables, edition: Edition, until: datetime | None = None) -> dict[str, Partition]:
    """The edition's partitions as its journal alone makes them; writes nothing.

    `until`: leaves out what was recorded later, so that they are what they were then.
    """
    entries, parts = tables.journal(edition), dict[str, Partition]()
    for name in JOURNALED:
        part = tables.folded(name, Partition(empty_frame(load_table(name))), entries, until)
        parts[name] = part
    verdicts = current_verdicts(parts["verdicts"].frame, parts["documents"].frame)
    parts["verdicts"] = replace(parts["verdicts"], frame=verdicts)
    frames = [parts[name].frame for name in ("failures", "papers", "pdfs", "documents", "verdicts")]
    parts["failures"] = replace(parts["failures"], frame=current_failures(*frames))
    return parts


def rebuild(tables: Tables, edition: Edition, into: Tables, until: datetime | None = None) -> None:
    """Makes the edition's tables and statistics anew from its journal, into this store or another.

    Raises:
        StoreError: the journal cannot be read, or `into` not be written.
    """
    parts = rebuilt(tables, edition, until)
    for name, part in parts.items():
        into.update(name, edition, lambda current, part=part: replace(part, version=current.version))  # type: ignore[misc]
    publish_statistics(into, edition, parts)


def publish_statistics(tables: Tables, edition: Edition, parts: dict[str, Partition]) -> None:
    """Writes the edition's statistics unless they rest on these very partitions already."""
    publish_places(tables, edition, parts["papers"].frame, parts["documents"].frame)
    basis = basis_of(parts)
    variables = load_variables()
    papers, verdicts = parts["papers"].frame, parts["verdicts"].frame
    engines = verdicts["engine"].unique().sort().to_list() or [""]
    labels = {engine: judged(papers, verdicts.filter(engine=engine), variables) for engine in engines}
    for name, make in (("edition_scores", edition_scores), ("venue_statistics", venue_statistics)):
        rows = [make(mine, variables).with_columns(engine=pl.lit(engine)) for engine, mine in labels.items()]
        frame: pl.DataFrame = pl.concat(rows)

        def change(current: Partition, frame: pl.DataFrame = frame) -> Partition:
            return current if current.basis == basis else Partition(frame, (), basis, current.version)

        tables.update(name, edition, change)
