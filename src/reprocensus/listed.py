"""What a run records of the listings it rests on: failed ones in `failures`, good ones in the history.

A failed listing is a row with stage `list`, whose paper_id names the edition. It stands until the edition is
listed well again: then a row with no attempts takes its place, and `state.current_failures` drops that.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from reprocensus.records import Edition, Failure, Stage
from reprocensus.rows import failure_row
from reprocensus.sources import Gathered, Unlisted
from reprocensus.sources.history import History
from reprocensus.state import EditionState
from reprocensus.tables import Tables


def earlier_tries(states: Mapping[Edition, EditionState]) -> dict[Edition, int]:
    """How often listing an edition failed in a row, for those whose last listing failed."""
    return {
        edition: int(row["attempts"])
        for edition, state in states.items()
        for row in state.failures.filter(pl.col("stage") == Stage.LIST).iter_rows(named=True)
    }


def mended(gathered: Gathered, tries: Mapping[Edition, int]) -> set[Edition]:
    """Editions that could not be listed before and are listed well now."""
    failed = {unlisted.edition for unlisted in gathered.failed}
    return {listing.edition for listing in gathered.listings if listing.edition in tries} - failed


def record_listings(tables: Tables, run_id: str, gathered: Gathered, tries: Mapping[Edition, int]) -> None:
    """Journals the listings that failed or are mended, and remembers those that went well.

    Raises:
        StoreError: the store cannot be written.
    """
    rows = {u.edition: _failure(u, run_id, tries.get(u.edition, 0)) for u in gathered.failed}
    for edition in mended(gathered, tries):
        rows[edition] = _failure(Unlisted(edition, ()), run_id, -1)
    for edition, failure in rows.items():
        tables.append("failures", edition, run_id, "listing", [failure_row(failure)])
    history = History(tables.storage)
    for listing in gathered.listings:
        if not listing.problems:
            history.write(listing)


def _failure(unlisted: Unlisted, run_id: str, tries: int) -> Failure:
    problems = unlisted.problems
    return Failure(
        stage=Stage.LIST,
        paper_id=f"{unlisted.edition.venue}-{unlisted.edition.year}",
        kind=problems[0].kind if problems else "none",
        transient=any(problem.transient for problem in problems),
        message=unlisted.message,
        attempted=str(unlisted.edition),
        run_id=run_id,
        failed_at=datetime.now(UTC),
        attempts=tries + 1,
    )
