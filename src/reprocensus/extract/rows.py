"""From a page's lines to rows: what a reader sees as one line, with superscripts marked."""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from reprocensus.extract.pages import Line, Page, Span

_ORDINAL: Final = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
_SMALL_CAP: Final = re.compile(r"\b[A-Z]$")
#: An address that justification has pulled apart at its points and strokes: `https : / / example . org/x`.
_STRETCHED: Final = re.compile(r"https?(?: :|:(?= /)| ?: ?/ /)(?: ?[/.] ?|[^\s/.])*")
_LONE_MARK: Final = re.compile(r" \^[\d,*†‡]{1,4}$")
_LOOSE: Final = re.compile(r" *([-/_.:~=?&%#]) *")
_ADDRESS: Final = re.compile(r"://|^//|www\.|^[\w.~-]+[/_.][\w./_~-]+$")
_POINT: Final = re.compile(r" ?([:/.]) ?")


@dataclass(slots=True)
class Row:
    """One line as read: its text and what tells headings, tables and paragraphs apart.

    `size` is that of most characters, in points; `cells` counts pieces set apart by wide gaps;
    `mark` says that it begins with a raised mark, as footnotes do; `fit` is the width of its first word.
    """

    text: str
    page: int
    block: int
    size: float
    bold: bool
    italic: bool
    starts_mono: bool
    ends_mono: bool
    starts_bold: bool
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    cells: int = 1
    gaps: tuple[float, ...] = ()
    mark: bool = False
    horizontal: bool = True

    @property
    def width(self) -> float:
        """Width in points."""
        return self.x1 - self.x0

    @property
    def first_word_width(self) -> float:
        """Estimated width in points of the first word, from the row's mean width of a character."""
        word = self.text.split(" ", 1)[0]
        return self.width * len(word) / max(1, len(self.text))


def page_rows(page: Page) -> list[Row]:
    """Return a page's rows in stream order; lines that stand side by side on one baseline become one row."""
    rows: list[Row] = []
    group: list[Line] = []
    for line in page.lines:
        if group and not _beside(group[-1], line):
            _add(rows, group, page.number)
            group = []
        group.append(line)
    if group:
        _add(rows, group, page.number)
    return rows


def _add(rows: list[Row], group: list[Line], page: int) -> None:
    row = _row(group, page)
    # The parts that tall brackets and sums are built of have no character of their own.
    if row.text.strip("\ufffd "):
        rows.append(row)


def _beside(left: Line, right: Line) -> bool:
    if not (left.horizontal and right.horizontal):
        return False
    size = max(_main(left.spans).size, _main(right.spans).size)
    if right.x0 < left.x1 - 0.2 * size:
        return False
    apart = abs(_main(left.spans).baseline - _main(right.spans).baseline)
    if apart <= 0.15 * size:
        return True
    # A raised or lowered scrap close by belongs to its base.
    small = min(_main(left.spans).size, _main(right.spans).size)
    return small < 0.85 * size and apart <= 0.5 * size and right.x0 - left.x1 < 0.3 * size


def _main(spans: list[Span]) -> Span:
    """The first span of the size that most characters have."""
    if len(spans) == 1:
        return spans[0]
    weight: dict[float, int] = defaultdict(int)
    for span in spans:
        weight[round(span.size, 1)] += len(span.text)
    # On equal weight the larger size is the base: an exponent is never longer than that by right.
    size = max(weight, key=lambda key: (weight[key], key))
    return next(span for span in spans if round(span.size, 1) == size)


def _row(lines: list[Line], page: int) -> Row:
    spans = [span for line in lines for span in line.spans]
    main = _base(spans)
    text, gaps = _text(lines, main)
    letters = sum(len(span.text) for span in spans) or 1
    first = next((span for span in spans if span.text.strip()), spans[0])
    last = next((span for span in reversed(spans) if span.text.strip()), spans[-1])
    return Row(
        text=text,
        page=page,
        block=lines[0].block,
        size=round(main.size, 1),
        bold=sum(len(span.text) for span in spans if span.bold) > 0.8 * letters,
        italic=sum(len(span.text) for span in spans if span.italic) > 0.8 * letters,
        starts_mono=first.mono,
        ends_mono=last.mono,
        starts_bold=first.bold,
        x0=lines[0].x0,
        y0=min(line.y0 for line in lines),
        x1=max(line.x1 for line in lines),
        y1=max(line.y1 for line in lines),
        baseline=main.baseline,
        cells=1 + sum(1 for gap in gaps if gap > 1.0 * main.size),
        gaps=tuple(gaps),
        mark=_raised(first, main) and not first.text[:1].isspace(),
        horizontal=lines[0].horizontal,
    )


def _base(spans: list[Span]) -> Span:
    main = _main(spans)
    # Where the scraps outnumber the base (`10` with a long exponent), the largest lettered span is the base.
    largest = max((span for span in spans if span.text.strip()), key=lambda span: span.size, default=main)
    if main.size < 0.8 * largest.size and main.baseline < largest.baseline - 0.15 * largest.size:
        return largest
    if main.size < largest.size and abs(main.baseline - largest.baseline) < 0.5 and _all_capitals(spans):
        # Small capitals: the few large letters say how large the heading is.
        return largest
    return main


def _all_capitals(spans: list[Span]) -> bool:
    return "".join(span.text for span in spans).isupper()


def _raised(span: Span, main: Span) -> bool:
    return span.size <= 0.86 * main.size and span.baseline <= main.baseline - 0.15 * main.size


def _text(lines: list[Line], main: Span) -> tuple[str, list[float]]:
    out = ""
    gaps: list[float] = []
    raised = False
    last: Span | None = None
    mono_from: int | None = None
    for line in lines:
        for index, span in enumerate(line.spans):
            if mono_from is not None and not span.mono and span.text.strip():
                out = _close_address(out, mono_from)
            text = span.text
            if last is not None and index == 0:
                gap = span.x0 - last.x1
                gaps.append(gap)
                if gap > 0.15 * main.size and not out.endswith(" "):
                    out += " "
            if last is not None and _is_small_cap(out, text, last, span, main):
                out = out.rstrip(" ")
                text = text.lstrip(" ")
            if span.text.strip():
                mono_from = None if not span.mono else (len(out) if mono_from is None else mono_from)
            now = bool(text.strip()) and _raised(span, main)
            out = _append(out, text, raised=now, was_raised=raised)
            raised = now if text.strip() else raised
            last = span
    if mono_from is not None:
        out = _close_address(out, mono_from)
    whole = " ".join(out.split())
    if "http" in whole:
        whole = _STRETCHED.sub(lambda match: _POINT.sub(r"\1", match[0]), whole)
    # A soft hyphen counts only where the line breaks.
    return whole[:-1].replace("\u00ad", "") + whole[-1:], gaps


def _close_address(out: str, start: int) -> str:
    """The text with the typewriter run from `start` pulled together, if that makes one address of it."""
    run = out[start:]
    body = run.strip()
    if " " not in body:
        return out
    closed = _LOOSE.sub(r"\1", body)
    if " " in closed or not any(char in closed for char in "/_.") or not _ADDRESS.search(closed):
        return out
    return out[:start] + run.replace(body, closed)


def _is_small_cap(out: str, text: str, last: Span, span: Span, main: Span) -> bool:
    """Whether `R` + `EFERENCES` are one word in small capitals, set as a large and a small part."""
    if not (0.6 * last.size <= span.size <= 0.9 * last.size) or abs(span.baseline - last.baseline) > 0.5:
        return False
    small = text.strip()
    return (
        len(small) > 1
        and small.isupper()
        and bool(_SMALL_CAP.search(out.rstrip()))
        and (span.x0 - last.x1 < 0.1 * main.size and not text.startswith(" "))
    )


def _append(out: str, text: str, *, raised: bool, was_raised: bool) -> str:
    """Add a span's text; a raised one after a base is marked `^`, a leading one is set off by a space."""
    if not raised:
        # `1 The data set`: a footnote's own mark must not grow together with its first word.
        if was_raised and text[:1].isalpha() and (_only_mark(out) or _LONE_MARK.search(out[-8:])):
            return out + " " + text
        return out + text
    lead = text.lstrip()
    if was_raised or not out.strip():
        return out + text.replace("−", "-")
    ordinal = _ORDINAL.match(lead) and out.rstrip()[-1:].isdigit()
    if ordinal or not (lead[0].isalnum() or lead[0] in "-−–+("):
        # `1st`, and marks that nobody takes for part of a number.
        return out + text
    if out.endswith(" ") and out.rstrip()[-1].isalpha():
        # `University ^2 Institute`: a mark that stands off belongs to what follows.
        return out + "^" + lead
    return out.rstrip() + "^" + lead.replace("−", "-").replace("–", "-")


def _only_mark(out: str) -> bool:
    stripped = out.strip()
    return 0 < len(stripped) <= 3 and not any(char.isalpha() and char.isupper() for char in stripped)
