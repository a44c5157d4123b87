"""What is usual in a paper: its body size, its leading, and the edges of its columns."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from reprocensus.extract.pages import Row

#: At a column's right edge more than this share of a paper's rows end, and more than this many.
_COLUMN: Final = 0.08
_MANY: Final = 20
#: Edges in points that differ by no more than this are one.
_SAME_EDGE: Final = 2.5


@dataclass(frozen=True, slots=True)
class Measures:
    """The paper's usual body size in points, its usual distance of baselines over size, and where its columns
    end on the right, in points.
    """

    body: float
    leading: float
    rights: tuple[float, ...] = ()


def measure(rows: list[list[Row]]) -> Measures:
    """Find the body size (most characters), the leading and the columns' right edges of a paper."""
    weight: dict[float, int] = defaultdict(int)
    for page in rows:
        for row in page:
            weight[row.size] += len(row.text)
    halves: dict[float, int] = defaultdict(int)
    for size, count in weight.items():
        halves[round(size * 2) / 2] += count
    body = max(halves, key=lambda size: halves[size]) if halves else 10.0
    steps: Counter[float] = Counter()
    for page in rows:
        last = -1.0, 0.0
        for row in page:
            size, baseline = row.size, row.baseline
            step = baseline - last[1]
            if size == last[0] and 0.9 * body < step < 3 * body and -0.3 < size - body < 0.3:
                steps[round(step / body, 2)] += 1
            last = size, baseline
    leading = steps.most_common(1)[0][0] if steps else 1.2
    ends = Counter([int(row.x1 + 0.5) for page in rows for row in page])
    few = max(_COLUMN * ends.total(), _MANY)
    return Measures(body, leading, tuple(float(end) for end, many in sorted(ends.items()) if many > few))


def with_usual(found: list[float], usual: tuple[float, ...], rows: list[Row]) -> list[float]:
    """A page's edges, and the paper's at which only a few of its rows end, as beside a long front matter."""
    new = [
        place
        for place in usual
        if all(abs(place - edge) > _SAME_EDGE for edge in found)
        and sum(abs(row.x1 - place) < _SAME_EDGE for row in rows) > 1
    ]
    return sorted([*found, *new]) if new else found


def edges(values: list[float]) -> list[float]:
    """Positions at which several rows begin or end, in order."""
    # Whole points, half up: `round` on every row of a paper takes longer than all the rest of this.
    values = sorted(values)
    places = [int(value + 0.5) for value in values]
    # In order, so that the last of a place is the furthest.
    furthest = dict(zip(places, values, strict=True))
    counts = Counter(places)
    found: list[float] = []
    for place, many in counts.items():
        around = many + counts.get(place - 1, 0) + counts.get(place + 1, 0)
        if around >= 4 and many * 3 >= around:
            found.append(furthest[place])
    return found
