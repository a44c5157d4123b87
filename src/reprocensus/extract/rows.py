"""From a page's lines to what a reader sees as one: lines side by side on one baseline become one row."""

from typing import Final

from reprocensus.extract.pages import Page, Row
from reprocensus.extract.runs import append, close_address, is_raised, tidy

#: Lines that overlap by more than this, in points, stand below each other whatever their size.
_OVERLAP: Final = 12.0


def page_rows(page: Page) -> list[Row]:
    """Return a page's rows in stream order, those that stand side by side on one baseline joined."""
    rows: list[Row] = []
    group: list[Row] = []
    last: Row | None = None
    for row in page.rows:
        # Most lines stand below each other, which two comparisons tell.
        if last is None or row.x0 < last.x1 - _OVERLAP or row.y0 > last.y1 or not _beside(last, row):
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


def _beside(left: Row, right: Row) -> bool:
    if not (left.horizontal and right.horizontal):
        return False
    size = max(left.size, right.size)
    if right.x0 < left.x1 - 0.2 * size:
        return False
    apart = abs(left.baseline - right.baseline)
    if apart <= 0.15 * size:
        return True
    # A raised or lowered scrap close by belongs to its base.
    small = min(left.size, right.size)
    return small < 0.85 * size and apart <= 0.5 * size and right.x0 - left.x1 < 0.3 * size


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
        first.block,
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
    for number, row in enumerate(group):
        if number:
            gap = row.x0 - end
            gaps.append(gap)
            if gap > 0.15 * main.size and not out.endswith(" "):
                out += " "
        if row.starts_mono and row.ends_mono:
            mono_from = len(out) if mono_from < 0 else mono_from
        elif mono_from >= 0:
            out = close_address(out, mono_from)
            mono_from = -1
        now = is_raised(row.size, row.baseline, main.size, main.baseline)
        out = append(out, row.text, raised=now, was_raised=raised) if now or raised else out + row.text
        raised = now
        end = row.x1
    if mono_from >= 0:
        out = close_address(out, mono_from)
    return tidy(out), gaps
