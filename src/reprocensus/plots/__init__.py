"""Figures of a store's statistics, as SVG or PNG: the same store gives the same bytes.

`data` reads the tables, `figure` knows how figures look, `kinds` draws each kind.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reprocensus.analysis.export import whole_file
from reprocensus.errors import UsageError
from reprocensus.plots import kinds
from reprocensus.plots.data import Selection, select_of
from reprocensus.plots.figure import WIDTHS, Look, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reprocensus.analysis import Store

#: Kind -> what draws it; its docstring's first line is its description.
KINDS: "dict[str, Callable[[Store, Selection, Look], Figure]]" = {
    "trend": kinds.trend,
    "scores": kinds.scores,
    "heatmap": kinds.heatmap,
    "corrected": kinds.corrected,
}
SUFFIXES = (".svg", ".png")


def draw(
    store: "Store",
    kind: str,
    out: Path,
    *,
    venues: Sequence[str] = (),
    variables: Sequence[str] = (),
    engine: str | None = None,
    width: str = "column",
    source: str = "",
    force: bool = False,
) -> None:
    """Draws one figure of the venues and variables named, all of them if none are.

    `engine`: whose verdicts, if not of the store's only engine or the one in the settings. `width`: `column`
    (84 mm) or `page` (175 mm). `source` is added to the line that says where the labels come from.

    Raises:
        UsageError: an unknown kind, engine, venue, variable, width or suffix, nothing to draw, or a file
            that is there already, without `force`.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown plot {kind!r}; kinds are {', '.join(KINDS)}")
    if width not in WIDTHS:
        raise UsageError(f"unknown width {width!r}; widths are {', '.join(WIDTHS)}")
    if out.suffix not in SUFFIXES:
        raise UsageError(f"--out {out}: the name must end in {' or '.join(SUFFIXES)}")
    selection = select_of(store, venues, variables, engine)
    with whole_file(out, force=force) as temporary:
        save(lambda: KINDS[kind](store, selection, Look(WIDTHS[width], source)), temporary, out.suffix)
