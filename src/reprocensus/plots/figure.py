"""How figures look: sizes for a journal's column or page, few colours that everybody can tell apart.

Ink is dark on white; what is highlighted differs from its context by colour, width and marker, so that it
does in grey too. Text is drawn as outlines: it looks the same wherever no fonts are.
"""

import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: In inches: 84 mm and 175 mm, a column and a page of most journals.
WIDTHS = {"column": 3.307, "page": 6.89}
#: From the palette of Okabe and Ito 2008, which colour-blind readers can tell apart.
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, CONTEXT, FAINT = "#222222", "#B4B4B4", "#E4E4E4"
#: One hue that only darkens, so that it reads in grey and by the colour-blind too.
SEQUENCE = "Blues"

TITLE, TEXT, SMALL = 8.0, 6.5, 5.5
_LINE = 0.105
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.labelsize": TEXT,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "reprocensus",
    "savefig.dpi": 300,
}


Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """What the caller wants of every figure: its width in inches, and words to add to its source."""

    width: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The room around the panels, in inches."""

    left: float = 0.42
    right: float = 0.1
    top: float = 0.12
    bottom: float = 0.35


def new_figure(look: Look, title: str, notes: str, body: float, room: Frame) -> tuple[Figure, Box]:
    """An empty figure with its title above and notes below, and (left, bottom, width, height) for the panels.

    `body` is the height in inches of the panels; the box is in fractions of the figure.
    """
    characters = int(look.width * 23.5)
    head = textwrap.wrap(title, int(look.width * 15.5))
    foot = textwrap.wrap(f"{notes} {look.source}".strip(), characters)
    above = 0.1 + len(head) * 0.15 + room.top
    below = room.bottom + 0.06 + len(foot) * _LINE
    height = above + body + below
    figure = Figure(figsize=(look.width, height), facecolor="white")
    figure.text(0.06 / look.width, 1 - 0.08 / height, "\n".join(head), size=TITLE, weight="bold", va="top")
    figure.text(0.06 / look.width, 0.05 / height, "\n".join(foot), size=SMALL, color="#555555", va="bottom")
    box = (
        room.left / look.width,
        below / height,
        1 - (room.left + room.right) / look.width,
        body / height,
    )
    return figure, box


def shade(share: float) -> tuple[float, float, float, float]:
    """The sequence's colour of a share from 0 to 1, its two ends left out: they hide edges and numbers."""
    red, green, blue, alpha = mpl.colormaps[SEQUENCE](0.06 + 0.86 * share)
    return float(red), float(green), float(blue), float(alpha)


def ink_on(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever contrasts more: relative luminance as in WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.179 else "black"


def plain(axes: Axes) -> None:
    """Leaves of the frame only what carries numbers."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def style() -> AbstractContextManager[None]:
    """While it lasts, matplotlib draws as our figures look; nothing of it stays."""
    return mpl.rc_context(_SETTINGS)


def save(make: Callable[[], Figure], path: Path, suffix: str) -> None:
    """Draws and writes a figure without a date in it, so that equal figures are equal files."""
    kind = suffix.removeprefix(".")
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with style():
        make().savefig(path, format=kind, metadata=metadata)
