"""What pages on several editions show: series for trend charts, venues side by side. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reprocensus.records import Edition
from reprocensus.site import charts
from reprocensus.site.charts import Point
from reprocensus.site.edition_data import EditionStatistics
from reprocensus.statistics import trends
from reprocensus.variables import Variable

if TYPE_CHECKING:
    from markupsafe import Markup

#: Lines in one chart, as many as can be told apart.
MOST_LINES: Final = charts.N_STYLES
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its heading, and the variable it is of where it is of one."""

    title: str
    svg: "Markup"


@dataclass(frozen=True, slots=True)
class VenueRow:
    """A venue among venues: its first and last edition, and how its score went."""

    name: str
    editions: tuple[Edition, ...]
    n_papers: int
    last: EditionStatistics
    change: float | None


def venue_rows(statistics: Mapping[Edition, EditionStatistics]) -> list[VenueRow]:
    """Every venue, by name."""
    rows = []
    for name in sorted({edition.venue for edition in statistics}):
        own = [s for e, s in statistics.items() if e.venue == name]
        scored = [s for s in own if s.scores.get("documentation_score") is not None]
        change = None
        if len(scored) > 1 and scored[0].engine == scored[-1].engine:
            change = scored[-1].scores["documentation_score"] - scored[0].scores["documentation_score"]
        n_papers = sum(s.scores.get("n_papers", 0) for s in own)
        last = scored[-1] if scored else own[-1]
        rows.append(VenueRow(name, tuple(s.edition for s in own), n_papers, last, change))
    return rows


def chosen_venues(rows: Sequence[VenueRow]) -> list[str]:
    """The venues of two years or more that charts show, by name: those with most editions, then papers."""
    lasting = [row for row in rows if len(row.editions) > 1]
    best = sorted(lasting, key=lambda row: (-len(row.editions), -row.n_papers, row.name))[:MOST_LINES]
    return sorted(row.name for row in best)


def share_series(
    statistics: Iterable[EditionStatistics], variable: str, venues: Sequence[str]
) -> dict[str, list[Point]]:
    """Shares in per cent by year, a series a venue. Editions without a share are left out."""
    found: dict[str, list[Point]] = {venue: [] for venue in venues}
    for one in statistics:
        row = one.shares.get(variable)
        if one.edition.venue in found and row and row["share"] is not None:
            low, high = 100 * (row["ci_low"] or 0.0), 100 * (row["ci_high"] or 0.0)
            found[one.edition.venue].append(Point(one.edition.year, 100 * row["share"], low, high))
    return {venue: points for venue, points in found.items() if points}


def score_series(statistics: Iterable[EditionStatistics], venues: Sequence[str]) -> dict[str, list[Point]]:
    """Mean documentation scores by year, a series a venue."""
    found: dict[str, list[Point]] = {venue: [] for venue in venues}
    for one in statistics:
        score = one.scores.get("documentation_score")
        if one.edition.venue in found and score is not None:
            found[one.edition.venue].append(Point(one.edition.year, score))
    return {venue: points for venue, points in found.items() if points}


def trend_charts(
    statistics: Sequence[EditionStatistics], variables: Sequence[Variable], venues: Sequence[str], whose: str
) -> list[Chart]:
    """The documentation score and each variable over the years."""
    most = len([v for v in variables if v.in_documentation_score])
    found = [
        Chart(
            f"Documentation score (0 to {most})",
            charts.lines(
                score_series(statistics, venues), float(most), f"Mean documentation score by year, {whose}"
            ),
        )
    ]
    for variable in variables:
        series = share_series(statistics, variable.name, venues)
        title = f"{variable.title}: share of papers in per cent by year, {whose}"
        found.append(
            Chart(f"{variable.title}: {variable.positive}", charts.lines(series, 100.0, title, " %"))
        )
    return found


def slopes(statistics: Iterable[EditionStatistics], venue: str) -> dict[str, Row]:
    """How a venue's shares change a year, by variable (`statistics.trends`); of three years or more."""
    rows = [
        {"venue": venue, "year": one.edition.year, "variable": name, **{k: row[k] for k in _COUNTS}}
        for one in statistics
        if one.edition.venue == venue
        for name, row in one.shares.items()
    ]
    if not any(row["n_judged"] for row in rows):
        return {}
    found = trends(pl.DataFrame(rows, infer_schema_length=None)).to_dicts()
    return {row["variable"]: row for row in found if row["slope"] is not None}


_COUNTS: Final = ("n_judged", "n_yes", "share")
