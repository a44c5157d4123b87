"""Small charts as inline SVG, with the classes of the style sheet, so that they follow light and dark. Pure.

Each has a title that says what it shows; the figures themselves stand in a table beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markupsafe import Markup

#: Classes of lines in the style sheet: `s1` to `s8`, each with a colour and a dash of its own.
N_STYLES: Final = 8
_WIDTH: Final = 320
_HEIGHT: Final = 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 22


@dataclass(frozen=True, slots=True)
class Point:
    """A year's value with its interval, on the scale of the axis."""

    year: int
    value: float
    low: float | None = None
    high: float | None = None


def histogram(counts: Sequence[int], marked: int | None, title: str) -> "Markup":
    """Bars of how many papers have each score from 0 on; the one marked stands out."""
    width, height, base = 280, 110, 88
    most, step = max(counts, default=0) or 1, width / max(1, len(counts))
    parts = []
    for score, n in enumerate(counts):
        tall = (base - 18) * n / most
        name = "bar here" if score == marked else "bar"
        at = step * score + step / 2
        parts.append(
            f'<rect class="{name}" x="{step * score + 3:.1f}" y="{base - tall:.1f}" width="{step - 6:.1f}" '
            f'height="{max(tall, 0.5):.1f}"/><text x="{at:.1f}" y="{base - tall - 4:.1f}">{n:,}</text>'
            f'<text class="tick" x="{at:.1f}" y="{base + 16}">{score}</text>'
        )
    line = f'<line class="axis" x1="0" x2="{width}" y1="{base}" y2="{base}"/>'
    return _svg("histogram", width, height, title, "".join(parts) + line)


def lines(series: Mapping[str, Sequence[Point]], top: float, title: str, unit: str = "") -> "Markup":
    """A line a name over the years, with its band of intervals where there is but one; from 0 to `top`."""
    years = sorted({point.year for points in series.values() for point in points})
    if not years:
        return _svg("lines", _WIDTH, _HEIGHT, title, "")
    first, last = years[0], max(years[-1], years[0] + 1)

    def x(year: int) -> float:
        return _LEFT + (year - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (1 - value / top) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_grid(y, top, unit), _years(x, first, years[-1])]
    for number, points in enumerate(series.values()):
        style = f"s{number % N_STYLES + 1}"
        banded = [p for p in points if p.low is not None and p.high is not None]
        if len(series) == 1 and len(banded) > 1:
            edge = [(p.year, p.high or 0.0) for p in banded] + [(p.year, p.low or 0.0) for p in banded[::-1]]
            area = " ".join(f"{x(year):.1f},{y(value):.1f}" for year, value in edge)
            parts.append(f'<polygon class="band {style}" points="{area}"/>')
        path = " ".join(f"{x(p.year):.1f},{y(p.value):.1f}" for p in points)
        parts.append(f'<polyline class="line {style}" points="{path}"/>')
        parts += [
            f'<circle class="dot {style}" cx="{x(p.year):.1f}" cy="{y(p.value):.1f}" r="2.2"/>'
            for p in points
        ]
    return _svg("lines", _WIDTH, _HEIGHT, title, "".join(parts))


def interval(share: float | None, low: float | None, high: float | None, title: str) -> "Markup":
    """A share from 0 to 1 as a dot on a line, with its interval."""
    width, edge = 120, 5

    def x(value: float) -> str:
        return f"{edge + value * (width - 2 * edge):.1f}"

    parts = [f'<line class="axis" x1="{x(0)}" x2="{x(1)}" y1="8" y2="8"/>']
    if low is not None and high is not None:
        parts.append(f'<line class="range" x1="{x(low)}" x2="{x(high)}" y1="8" y2="8"/>')
    if share is not None:
        parts.append(f'<circle class="dot s1" cx="{x(share)}" cy="8" r="4"/>')
    return _svg("interval", width, 16, title, "".join(parts))


def key(number: int) -> "Markup":
    """The sample of a line's style that stands in a legend."""
    style = f"s{number % N_STYLES + 1}"
    return _svg("key", 26, 10, "", f'<line class="line {style}" x1="1" x2="25" y1="5" y2="5"/>')


def _grid(y: Callable[[float], float], top: float, unit: str) -> str:
    out = []
    n = int(top) if top <= 10 else 4
    for part in range(n + 1):
        value = top * part / n
        at, words = y(value), f"{value:.0f}" + (unit if part == n else "")
        out.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="tick end" x="{_LEFT - 4}" y="{at + 4:.1f}">{words}</text>'
        )
    return "".join(out)


def _years(x: Callable[[int], float], first: int, last: int) -> str:
    step = max(1, -(-(last - first) // 5))
    shown = list(range(first, last + 1, step))
    return "".join(f'<text class="tick" x="{x(year):.1f}" y="{_HEIGHT - 6}">{year}</text>' for year in shown)


def _svg(name: str, width: int, height: int, title: str, content: str) -> "Markup":
    from markupsafe import Markup, escape

    role = 'role="img"' if title else 'aria-hidden="true"'
    named = f"<title>{escape(title)}</title>" if title else ""
    return Markup(
        f'<svg class="{name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" {role}>'
        f"{named}{content}</svg>"
    )
