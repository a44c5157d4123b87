"""The commands for statistics: stats, correct."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from reprocensus.cli import show
from reprocensus.cli.options import EngineChoice, JsonOption, StoreOption, open_tables
from reprocensus.errors import UsageError
from reprocensus.groups import GROUPS, group_statistics, read_labels
from reprocensus.schemas import load_variables
from reprocensus.settings import load_settings
from reprocensus.tables import Tables
from reprocensus.variables import Variable

LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", help="labels by people, JSON lines or CSV (default: the table labels)"),
]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(stats)
    app.command()(correct)


def stats(
    by: Annotated[
        str, typer.Option("--by", help="venue, year, affiliation, or several: venue,year")
    ] = "venue,year",
    trend: Annotated[bool, typer.Option("--trend", help="each venue's change a year instead")] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", help="two editions, venues or years: ICML/2016 ICML/2024", metavar="A B"),
    ] = None,
    checklist: Annotated[
        bool,
        typer.Option("--checklist", help="before and from the years of REPROCENSUS_CHECKLIST_YEARS instead"),
    ] = False,
    engine: EngineChoice = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the venue-level statistics."""
    variables = load_variables()
    if trend + checklist + (compare is not None) > 1:
        raise UsageError("--trend, --checklist and --compare are different tables; ask for one")
    labels, chosen = _labels(open_tables(store), engine, variables)
    if trend:
        _print_rows(_trends(labels, variables), as_json, "Change of the share a year, in percentage points")
    elif checklist:
        _print_rows(_around(labels, variables), as_json, "Shares before and from a year on, in %")
    elif compare:
        _print_rows(_difference(labels, compare, variables), as_json, "Difference of two shares, in %")
    else:
        _print_groups(labels, chosen, by, variables, as_json)


def _print_groups(
    labels: pl.DataFrame, engine: str, by: str, variables: Sequence[Variable], as_json: bool
) -> None:
    asked = [name.strip() for name in by.split(",")]
    groups = group_statistics(
        labels, [n for n in GROUPS if n in asked] if set(asked) <= set(GROUPS) else asked, variables
    )
    if as_json:
        print(json.dumps([{**group, "engine": engine} for group in groups]))
    elif not groups:
        raise UsageError("the store has no papers yet; run reprocensus run first, or check --store")
    else:
        shown = [name for name in GROUPS if name in asked]
        show.console().print(show.statistics_table(groups, shown, variables, engine))


def correct(
    labels: LabelsOption = None,
    by: Annotated[str, typer.Option("--by", help="venue, year or venue,year")] = "venue,year",
    venue: Annotated[list[str] | None, typer.Option("--venue", help="only these venues")] = None,
    year: Annotated[list[int] | None, typer.Option("--year", help="only these years")] = None,
    engine: EngineChoice = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct the shares for the engine's errors, as labels by people tell them; raw stands beside.

    By venue and year, the result is written to the table corrected_statistics as well.
    """
    from reprocensus.corrections import corrected_statistics, match_labels, save, stored_labels
    from reprocensus.labels import read_labels as read_people

    variables = load_variables()
    tables = open_tables(store)
    judged, chosen = _labels(tables, engine, variables)
    groups = [name for name in ("venue", "year") if name in by.split(",")]
    if not groups or set(by.split(",")) - set(groups):
        raise UsageError(f"--by {by!r}: shares are corrected by venue, year or venue,year")
    people = match_labels(tables, read_people(labels, variables)) if labels else stored_labels(tables)
    if people.is_empty():
        raise UsageError(
            f"no paper of {tables.storage.uri} is among the labels of {labels or 'its table labels'}; check "
            "--store and --labels"
        )
    part = judged
    if venue:
        part = part.filter(pl.col("venue").is_in(venue))
    if year:
        part = part.filter(pl.col("year").is_in(year))
    rows = corrected_statistics(part, people, groups, variables, judged, chosen)
    if len(groups) == 2:
        save(tables, rows)
    if as_json:
        print(json.dumps(rows))
    else:
        show.console().print(show.corrected_table(rows, groups))


def _trends(labels: pl.DataFrame, variables: Sequence[Variable]) -> list[dict[str, Any]]:
    from reprocensus.statistics import trends, venue_statistics

    return trends(venue_statistics(labels, variables, ("venue", "year"))).to_dicts()


def _around(labels: pl.DataFrame, variables: Sequence[Variable]) -> list[dict[str, Any]]:
    from reprocensus.statistics import around_year, venue_statistics

    years = load_settings().checklist_years
    if not years:
        raise UsageError('set REPROCENSUS_CHECKLIST_YEARS, such as {"NeurIPS": 2019}')
    known = set(labels["venue"].unique())
    if not known & set(years):
        raise UsageError(
            f"no papers of {', '.join(years)}, which REPROCENSUS_CHECKLIST_YEARS names; the store has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    return around_year(venue_statistics(labels, variables, ("venue", "year")), years).to_dicts()


def _difference(
    labels: pl.DataFrame, pair: tuple[str, str], variables: Sequence[Variable]
) -> list[dict[str, Any]]:
    from reprocensus.statistics import differences

    first, second = (_selected(labels, name) for name in pair)
    return [
        {"from": pair[0], "to": pair[1], **row} for row in differences(first, second, variables).to_dicts()
    ]


def _selected(labels: pl.DataFrame, name: str) -> pl.DataFrame:
    """The papers of an edition, a venue or a year."""
    venue, _, year = (
        name.rpartition("/") if "/" in name else (("", "", name) if name.isdecimal() else (name, "", ""))
    )
    if not venue and not year:
        raise UsageError(f"{name!r} is no edition, venue or year; say ICML/2016, ICML or 2016")
    found = labels
    if venue:
        found = found.filter(pl.col("venue").str.to_lowercase() == venue.lower())
    if year:
        if not year.isdecimal():
            raise UsageError(f"{name!r} is no edition, venue or year; say ICML/2016, ICML or 2016")
        found = found.filter(pl.col("year") == int(year))
    if found.is_empty():
        raise UsageError(f"the store has no papers of {name!r}; say ICML/2016, ICML or 2016")
    return found


def _print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, title: str) -> None:
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        raise UsageError("the store has no papers yet; run reprocensus run first, or check --store")
    else:
        show.console().print(show.rows_table(rows, title))


def _labels(tables: Tables, engine: str | None, variables: Sequence[Variable]) -> tuple[pl.DataFrame, str]:
    return read_labels(tables, variables, engine, load_settings().engine)
