"""From a page's lines to what a reader sees as one: lines side by side on one baseline become one row."""

from typing import Final

from reprocensus.extract.pages import Page, Row
from reprocensus.extract.runs import append, close_address, is_raised, tidy

#: Lines that overlap by more than this, in points, stand below each other whatever their size.
_OVERLAP: Final = 30.0
#: How far, in ems, a piece may begin before the last one's end: under its exponent, or below its fraction.
_STACKED: Final = 2.5
#: A line of text has fewer pieces than this.
_PIECES: Final = 40
#: A tall sign (a root, a sum, a large bracket) hangs from its baseline: it has none in common with its line.
_TALL: Final = frozenset("√∑∏∫⋃⋂()[]{}|∥⌊⌋⌈⌉⟨⟩\ufffd ")


def page_rows(page: Page) -> list[Row]:
    """Return a page's rows in stream order, those that stand side by side on one baseline joined."""
    rows: list[Row] = []
    group: list[Row] = []
    last: Row | None = None
    for row in page.rows:
        # Most lines stand below each other, which two comparisons tell.
        if last is None or row.x0 < last.x1 - _OVERLAP or row.y0 > last.y1 or not _goes_on(group, row):
            if len(group) > 1:
                rows[-1] = _joined(group)
            rows.append(row)
            group = [row]
        else:
            group.append(row)
        last = row
    if len(group) > 1:
        rows[-1] = _joined(group)
    # The parts that tall brackets and sums are built of have no character of their own.
    return [row for row in rows if row.text and (row.text[0] != "\ufffd" or row.text.strip("\ufffd "))]


def _goes_on(group: list[Row], row: Row) -> bool:
    """Whether a row stands beside the last piece of a line, or beside all and level with the largest."""
    last = group[-1]
    if not (last.horizontal and row.horizontal):
        return False
    if _beside(last, row, row.x0 - last.x1):
        return True
    return 1 < len(group) < _PIECES and _beside(
        _main(group), row, row.x0 - max([piece.x1 for piece in group])
    )


def _beside(left: Row, right: Row, gap: float) -> bool:
    size = max(left.size, right.size)
    apart = abs(left.baseline - right.baseline)
    if gap < -0.2 * size:
        # No two lines overlap at one height: the piece goes on below an exponent.
        return apart <= 0.4 * size and gap > -_STACKED * size and right.x0 > left.x0
    if apart <= 0.15 * size:
        return True
    if gap > 0.3 * size:
        return False
    # A raised or lowered scrap close by belongs to its base.
    small = min(left.size, right.size)
    if apart <= (0.5 if small < 0.85 * size else 0.4) * size:
        return True
    return _is_tall(left) or _is_tall(right)


def _is_tall(row: Row) -> bool:
    return _TALL.issuperset(row.text)


def _joined(group: list[Row]) -> Row:
    main = _main(group)
    first, last = group[0], group[-1]
    text, gaps = _text(group, main)
    letters = sum([len(row.text) for row in group])
    bold = sum([len(row.text) for row in group if row.bold])
    wide = main.size
    return Row(
        text,
        first.page,
        main.block,
        main.size,
        bold > 0.8 * letters,
        first.starts_mono,
        last.ends_mono,
        first.x0,
        min([row.y0 for row in group]),
        max([row.x1 for row in group]),
        max([row.y1 for row in group]),
        main.baseline,
        first.horizontal,
        first.mark or is_raised(first.size, first.baseline, main.size, main.baseline),
        1 + sum([gap > wide for gap in gaps]),
        tuple(gaps),
    )


def _main(group: list[Row]) -> Row:
    """The first row of the size that most characters have; the base, where scraps outnumber it."""
    weight: dict[float, int] = {}
    for row in group:
        weight[row.size] = weight.get(row.size, 0) + len(row.text)
    size = max(weight, key=lambda key: (weight[key], key))
    main = next(row for row in group if row.size == size)
    largest = max(group, key=lambda row: row.size)
    if main.size <= 0.86 * largest.size and main.baseline < largest.baseline - 0.15 * largest.size:
        return largest
    return main


def _text(group: list[Row], main: Row) -> tuple[str, list[float]]:
    out = ""
    gaps: list[float] = []
    raised = False
    mono_from = -1
    end = group[0].x0
    for row in group:
        if row.text[0] == "\ufffd" and not row.text.strip("\ufffd "):
            # A part that tall brackets and roots are built of has no character of its own.
            end = max(end, row.x1)
            continue
        if out:
            gap = row.x0 - end
            gaps.append(gap)
            if not -0.2 * main.size <= gap <= 0.15 * main.size and not out.endswith(" "):
                out += " "
        if row.starts_mono and row.ends_mono:
            mono_from = len(out) if mono_from < 0 else mono_from
        elif mono_from >= 0:
            out = close_address(out, mono_from)
            mono_from = -1
        now = is_raised(row.size, row.baseline, main.size, main.baseline)
        out = append(out, row.text, raised=now, was_raised=raised) if now or raised else out + row.text
        raised = now
        # An index may end before the exponent above it does.
        end = max(end, row.x1)
    if mono_from >= 0:
        out = close_address(out, mono_from)
    return tidy(out), gaps
