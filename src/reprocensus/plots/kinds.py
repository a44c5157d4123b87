"""The kinds of figures. Each takes what is selected and gives a figure whose notes say what it shows."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.patches
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reprocensus.errors import UsageError
from reprocensus.plots.data import (
    Selection,
    corrections,
    judge_of,
    n_empirical,
    score_counts,
    shares,
    years_of,
)
from reprocensus.plots.figure import (
    BLUE,
    CONTEXT,
    FAINT,
    SMALL,
    TEXT,
    VERMILION,
    Frame,
    Look,
    ink_on,
    new_figure,
    plain,
    shade,
)

if TYPE_CHECKING:
    from reprocensus.analysis import Store

#: Papers of every kind count in these; in the others, empirical ones.
ALL_PAPERS = ("research_type", "researcher_affiliation")
_PANEL = 0.78
_GAP = 0.3


def trend(store: "Store", selection: Selection, look: Look) -> Figure:
    """Shares over the years with 95 % bands: a panel a venue for one variable, else a panel a variable."""
    by_venue = shares(store, selection, ("venue", "year"))
    if len(selection.variables) == 1:
        variable = selection.variables[0]
        what = "" if variable.positive == "Yes" else f" = {variable.positive}"
        title = f"{variable.title}{what}: share of papers, in %"
        n = int(by_venue["n"].sum())
        lines = {
            venue: by_venue.filter(venue=venue) for venue in by_venue["venue"].unique(maintain_order=True)
        }
        context = {name: [line for other, line in lines.items() if other != name] for name in lines}
        grey = "the other venues"
    else:
        pooled = shares(store, selection, ("year",))
        who = (
            selection.venues[0] if len(selection.venues) == 1 else f"{len(selection.venues)} venues together"
        )
        title = f"What papers document, in %: {who}"
        found = {v.title: v.name for v in selection.variables if v.name in set(pooled["variable"])}
        lines = {head: pooled.filter(variable=name) for head, name in found.items()}
        context = {
            head: [by_venue.filter(variable=name, venue=venue) for venue in selection.venues]
            if len(selection.venues) > 1
            else []
            for head, name in found.items()
        }
        grey = "single venues"
        n = n_empirical(store, selection)
    kind = "" if selection.variables[0].name in ALL_PAPERS else "empirical "
    notes = f"n = {n:,} {kind}papers. Bands: 95 % Wilson intervals."
    notes += f" Grey: {grey}." if any(context.values()) else ""
    return _panels(look, title, f"{notes} {_source(store, selection)}", lines, context)


def _panels(
    look: Look,
    title: str,
    notes: str,
    lines: Mapping[str, pl.DataFrame],
    context: Mapping[str, list[pl.DataFrame]],
) -> Figure:
    columns = min(len(lines), 2 if look.width < 5 else 4)
    rows = math.ceil(len(lines) / columns)
    body = rows * _PANEL + (rows - 1) * _GAP
    figure, (left, bottom, width, height) = new_figure(look, title, notes, body, Frame(0.3, 0.28, 0.22, 0.26))
    years = pl.concat(lines.values())["year"].sort()
    gap_x, gap_y = 0.34 / look.width, _GAP / body * height
    panel_x, panel_y = (width - gap_x * (columns - 1)) / columns, _PANEL / body * height
    for index, (head, line) in enumerate(lines.items()):
        row, column = divmod(index, columns)
        place = (
            left + column * (panel_x + gap_x),
            bottom + height - panel_y - row * (panel_y + gap_y),
            panel_x,
            panel_y,
        )
        axes = figure.add_axes(place)
        plain(axes)
        for other in context[head]:
            axes.plot(other["year"], 100 * other["share"], color=CONTEXT, linewidth=0.7, zorder=1)
        _line_with_band(axes, line)
        axes.set_title(head, size=TEXT, weight="bold", loc="left", pad=3)
        if head in line.get_column("venue", default=pl.Series([""])):
            axes.set_title(f"n = {line['n'].sum():,}", size=SMALL, loc="right", pad=3, color="#555555")
        axes.set_xlim(years[0] - 0.4, years[-1] + 0.4)
        axes.set_ylim(0, 100)
        axes.set_yticks([0, 50, 100])
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
        below = index + columns >= len(lines)
        axes.tick_params(labelleft=column == 0, labelbottom=below)
    return figure


def _line_with_band(axes: Axes, line: pl.DataFrame) -> None:
    years, share = line["year"], 100 * line["share"]
    low, high = 100 * line["low"], 100 * line["high"]
    if line.height > 1:
        axes.fill_between(years, low, high, color=BLUE, alpha=0.25, linewidth=0, zorder=2)
    else:
        axes.errorbar(years, share, [share - low, high - share], color=BLUE, linewidth=1, zorder=2)
    # A line along the edge, at 0 or 100 %, keeps its full width.
    axes.plot(years, share, color=BLUE, linewidth=1.3, marker="o", markersize=2.2, zorder=3, clip_on=False)
    axes.annotate(
        f"{share[-1]:.0f}",
        (years[-1], share[-1]),
        (3.5, 0),
        textcoords="offset points",
        va="center",
        size=TEXT,
        color=BLUE,
        annotation_clip=False,
    )


def scores(store: "Store", selection: Selection, look: Look) -> Figure:
    """Distribution of the documentation score (0 to 7) by year, with the mean."""
    counts = score_counts(store, selection)
    if counts.is_empty():
        raise UsageError("no paper of these venues is Experimental with a score: nothing to draw")
    top = max(7, int(counts["score"].max()))  # type: ignore[arg-type]
    years = counts["year"].unique().sort()
    totals = dict(counts.group_by("year").agg(pl.col("n").sum()).iter_rows())
    title = "Documentation score: share of papers, in %"
    notes = (
        f"n = {sum(totals.values()):,} empirical papers of {', '.join(selection.venues)}. Score: how many of "
        f"the seven variables a paper documents. Above the bars: the mean. {_source(store, selection)}"
    )
    figure, box = new_figure(look, title, notes, 1.75, Frame(0.34, 0.3, 0.2, 0.26))
    axes = figure.add_axes(box)
    bottoms = dict.fromkeys(years, 0.0)
    ends: dict[int, float] = {}
    for score in sorted(counts["score"].unique()):
        ns = dict(counts.filter(score=score).select("year", "n").iter_rows())
        heights = [100 * ns.get(year, 0) / totals[year] for year in years]
        colour = shade(score / top)
        axes.bar(years, heights, 0.86, list(bottoms.values()), color=colour, edgecolor="white", linewidth=0.4)
        ends[score] = bottoms[years[-1]] + heights[-1] / 2
        bottoms = {year: bottoms[year] + h for year, h in zip(years, heights, strict=True)}
    means = counts.group_by("year").agg(mean=(pl.col("score") * pl.col("n")).sum() / pl.col("n").sum())
    for year, mean in means.sort("year").iter_rows():
        axes.annotate(f"{mean:.1f}", (year, 100), (0, 5), textcoords="offset points", ha="center", size=TEXT)
    for score, height in zip(ends, _apart(list(ends.values()), 5.5), strict=True):
        axes.annotate(
            str(score), (years[-1] + 0.43, height), (3, 0), textcoords="offset points", va="center", size=TEXT
        )
    plain(axes)
    axes.grid(visible=False)
    axes.annotate("mean", (0, 1), (-3, 5), "axes fraction", "offset points", size=SMALL, ha="right")
    axes.annotate(
        "score", (1, 1), (2, 5), "axes fraction", "offset points", size=SMALL, annotation_clip=False
    )
    axes.set_ylim(0, 100)
    axes.set_xlim(years[0] - 0.5, years[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6 if look.width < 5 else 12, integer=True, min_n_ticks=1))
    return figure


def _apart(places: Sequence[float], least: float) -> list[float]:
    """Rising places from 0 to 100, moved as little as keeps neighbours `least` apart."""
    moved = list(places)
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + least)
    limit = 100 - least / 2
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - least
    return moved


def heatmap(store: "Store", selection: Selection, look: Look) -> Figure:
    """Share of each variable at each venue, all years together, in percent."""
    found = shares(store, selection, ("venue",))
    names = [v for v in selection.variables if v.name in set(found["variable"])]
    venues = [name for name in selection.venues if name in set(found["venue"])]
    cells = {
        (venue, name): share for venue, name, share in found.select("venue", "variable", "share").iter_rows()
    }
    first, last = years_of(store, selection)
    title = "What empirical papers document, in %"
    when = f"{first}" if first == last else f"{first} to {last}"
    notes = f"n = {n_empirical(store, selection):,} empirical papers of {when}. {_source(store, selection)}"
    body = 0.24 * len(venues)
    longest = max(len(name) for name in venues)
    room = Frame(min(0.16 + 0.062 * longest, 1.3), 0.6, 0.78, 0.06)
    figure, box = new_figure(look, title, notes, body, room)
    axes = figure.add_axes(box)
    for row, venue in enumerate(venues):
        for column, variable in enumerate(names):
            share = cells.get((venue, variable.name))
            colour = shade(share) if share is not None else (1.0, 1.0, 1.0, 1.0)
            axes.add_patch(
                mpl.patches.Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8)
            )
            words = "–" if share is None else f"{100 * share:.0f}"
            axes.text(
                column + 0.5, row + 0.52, words, ha="center", va="center", size=TEXT, color=ink_on(colour)
            )
    axes.set_xlim(0, len(names))
    axes.set_ylim(len(venues), 0)
    axes.set_xticks([i + 0.35 for i in range(len(names))], [v.title for v in names], rotation=40, ha="left")
    axes.set_yticks([i + 0.5 for i in range(len(venues))], venues)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def corrected(store: "Store", selection: Selection, look: Look) -> Figure:
    """Shares as judged beside shares corrected for the judge's errors, with their 95 % intervals."""
    pairs = corrections(store, selection)
    title = "Corrected for the judge's errors, in %"
    notes = (
        f"{pairs.about} Bars: 95 % intervals; the corrected ones hold the errors of sampling and of judging. "
        f"{_source(store, selection)}"
    )
    rows = pairs.rows
    heads = [f"{row['venue']}: {row['title']}" if pairs.by_venue else row["title"] for row in rows]
    room = Frame(min(0.16 + 0.056 * max(map(len, heads)), 1.9), 0.12, 0.2, 0.3)
    figure, box = new_figure(look, title, notes, 0.23 * len(rows) + 0.06, room)
    axes = figure.add_axes(box)
    for place, row in enumerate(rows):
        _marked(axes, place - 0.16, row["raw"], row["raw_low"], row["raw_high"], VERMILION, "o", "white")
        _marked(axes, place + 0.16, row["corrected"], row["low"], row["high"], BLUE, "D", BLUE)
    axes.annotate("○ as judged", (0, 1), (0, 3), "axes fraction", "offset points", size=TEXT, color=VERMILION)
    axes.annotate(
        "◆ corrected", (1, 1), (0, 3), "axes fraction", "offset points", size=TEXT, color=BLUE, ha="right"
    )
    plain(axes)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_yticks(range(len(rows)), heads)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    return figure


def _marked(
    axes: Axes, place: float, share: float, low: float, high: float, colour: str, marker: str, fill: str
) -> None:
    axes.plot([100 * low, 100 * high], [place, place], color=colour, linewidth=1, solid_capstyle="butt")
    axes.plot(
        [100 * share],
        [place],
        marker=marker,
        markersize=3.2,
        color=colour,
        markerfacecolor=fill,
        clip_on=False,
    )


def _source(store: "Store", selection: Selection) -> str:
    return f"Labels: {judge_of(store, selection)}."
