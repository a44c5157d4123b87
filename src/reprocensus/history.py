"""What runs did and what failed in them, from the store alone: as true a month later as on the day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.request import RunRequest
from reprocensus.tables import Tables

Row = dict[str, Any]
#: What a verdict used.
_USED = ("prompt_tokens", "cached_tokens", "output_tokens", "seconds", "cost")


@dataclass(frozen=True, slots=True)
class Retry:
    """A run that tries failed papers again, as the run asked that met them last, and how many they are."""

    request: RunRequest
    n_papers: int


def recent_runs(tables: Tables, limit: int) -> list[Row]:
    """The latest runs, the latest first."""
    return tables.read_rows("runs").sort("started_at", descending=True).head(limit).to_dicts()


def one_run(tables: Tables, name: str) -> Row:
    """The run of that id; else the only one whose id begins or ends so.

    Raises:
        UsageError: none, or several.
    """
    runs = tables.read_rows("runs")
    exact = runs.filter(run_id=name)
    loose = runs.filter(pl.col("run_id").str.starts_with(name) | pl.col("run_id").str.ends_with(name))
    found = exact if exact.height else loose
    if found.height == 1:
        return found.row(0, named=True)
    if found.height:
        raise UsageError(
            f"{name!r} means {counted(found.height, 'run')}, such as {found['run_id'][0]}; give the whole id"
        )
    raise UsageError(f"no run {name!r} in {tables.storage.uri}; reprocensus runs lists them")


def papers_of(tables: Tables, run_id: str) -> pl.DataFrame:
    """What a run's verdicts used, a paper a row, the dearest first: tokens, seconds of requests, US dollars.

    What failed is not in it, nor what the run took over; the run's own row has all that it used. `cost` is
    null where no price is known.
    """
    parts = [
        tables.read_run("verdicts", edition, run_id)
        .filter(run_id=run_id)
        .select("paper_id", *_USED, venue=pl.lit(edition.venue), year=pl.lit(edition.year))
        for edition in tables.editions("papers")
    ]
    if not parts:
        return pl.DataFrame(schema=["venue", "year", "paper_id", "verdicts", *_USED])
    known = pl.col("cost").is_not_null().any()
    return (
        pl.concat(parts)
        .group_by("venue", "year", "paper_id")
        .agg(
            pl.len().alias("verdicts"),
            *(pl.col(name).sum() for name in _USED[:-1]),
            pl.when(known).then(pl.col("cost").sum()).alias("cost"),
        )
        .sort("cost", "prompt_tokens", "paper_id", descending=[True, True, False], nulls_last=True)
    )


def failures_that_stand(
    tables: Tables, *, kinds: Collection[str] = (), stage: str | None = None, run_id: str | None = None
) -> pl.DataFrame:
    """Failures that nothing has mended, with venue and year, sorted by these and the paper."""
    found = tables.scan("failures")
    if kinds:
        found = found.filter(pl.col("kind").is_in(list(kinds)))
    if stage:
        found = found.filter(stage=stage)
    if run_id:
        found = found.filter(run_id=one_run(tables, run_id)["run_id"])
    return found.sort("venue", "year", "paper_id", "stage", "variable")


def retries(tables: Tables, failures: pl.DataFrame, kinds: Sequence[str] = ()) -> list[Retry]:
    """The runs that try the papers of these failures again, with the sources and the engine they had.

    Raises:
        UsageError: the run that met a failure is not known any more.
    """
    settings = {row["run_id"]: row["settings"] for row in tables.read_rows("runs").iter_rows(named=True)}
    if unknown := set(failures["run_id"]) - set(settings):
        raise UsageError(
            f"no row in the table runs for {', '.join(sorted(unknown))}, so nothing says where its papers "
            "came from; run the source again with --retry-failed"
        )
    merged: dict[RunRequest, set[tuple[str, int, str]]] = {}
    for row in failures.iter_rows(named=True):
        asked = RunRequest.model_validate_json(settings[row["run_id"]])
        request = asked.model_copy(
            update={
                "store": tables.storage.uri,
                "editions": (),
                "only_failed": True,
                "failed_kinds": tuple(kinds),
                "limit": None,
                "max_failed_share": None,
                "max_hours": None,
            }
        )
        merged.setdefault(request, set()).add((row["venue"], row["year"], row["paper_id"]))
    return [
        Retry(
            request.model_copy(update={"editions": tuple(sorted({f"{v}/{y}" for v, y, _ in papers}))}),
            len(papers),
        )
        for request, papers in merged.items()
    ]
