"""MuPDF's own printouts of a page to lines: positions from its JSON, styles from its HTML.

Both are written in C and cost a third of what building a Python object for every run of text does.
The JSON gives for each line its box and the font, size and origin of its first character; the HTML
gives, for the same lines in the same order, the text in runs of one style, with raised runs marked.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from reprocensus.extract.characters import clean
from reprocensus.extract.pages import Row, Span
from reprocensus.extract.runs import append, close_address, row_of, tidy

#: JSON lengths are whole numbers: hundredths of points.
SCALE: Final = 100.0

_ROW: Final = '<p style="top:'
_SPAN: Final = "<span"
#: Where in a row's markup its first run has begun at the latest that a second one can begin.
_PAST_FIRST: Final = 110
#: One run of one style: its style, its text, and the tags behind it, which are the next run's.
#: It begins with letters, not with the tags: so `re` finds its place by them, twice as fast.
_RUN: Final = re.compile(r'<span style="font-family:([^"]*)">([^<]*)</span>((?:</?\w+>)*)')
_ENTITY: Final = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));")
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_STYLE: Final = re.compile(r"(.*?),[\w-]*;font-size:(-?[\d.]+)pt", re.DOTALL)
_BOLD_NAMES: Final = re.compile("bold|medi|demi|black|cmbx|sfbx|cmssbx|heavy|-bd")
_MONO_NAMES: Final = re.compile("mono|monl|cmtt|sftt|ectt|txtt|courier|typewriter|consol|menlo|lmtt")
#: How far a raised run stands over its base, in ems of the base, and how much smaller it is at least.
_RISE: Final = 0.34
_SMALLER: Final = 0.86
#: A first run whose baseline lies this many ems over the line's lower edge is raised itself.
_DEEP: Final = 0.43
#: A page with more lines than this holds a plot whose markers are characters of a font, a line each.
_CROWDED: Final = 1200
#: Near-white: all three channels from e8 up.
_LIGHT: Final = re.compile("color:#(?:(?:f.|e[89a-f]){3})", re.IGNORECASE)
#: How the style of a run ends that nothing is painted with: every other one ends in a colour. What MuPDF
#: says about the page and about each line ends so, too.
_CLEAR: Final = 'pt">'
#: Type smaller than three points, in hundredths.
_TINY: Final = 300
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class _Box(msgspec.Struct, gc=False):
    x: int
    y: int
    w: int
    h: int


class _Font(msgspec.Struct, gc=False):
    name: str
    weight: str
    size: int


class _Line(msgspec.Struct, gc=False):
    bbox: _Box
    font: _Font
    y: int
    text: str


class _Block(msgspec.Struct, gc=False):
    lines: list[_Line] = []


class _Page(msgspec.Struct, gc=False):
    blocks: list[_Block]


_DECODER: Final = msgspec.json.Decoder(_Page)


def _decode(positions: bytes) -> _Page:
    try:
        return _DECODER.decode(positions)
    except (msgspec.DecodeError, UnicodeError):
        # A lone half of a surrogate pair, which a broken font may give.
        return _DECODER.decode(_SURROGATE.sub(rb"\\ufffd", positions.decode("utf-8", "replace").encode()))


def _has_light(styles: str) -> bool:
    return _LIGHT.search(styles) is not None


class Printouts(NamedTuple):
    """A page's JSON decoded, its HTML cut at the lines, and what colours say of any text on it.

    `light`: it is near-white; `clear`: it has no colour at all, by its rendering mode or its opacity.
    """

    blocks: list[_Block]
    markup: list[str]
    light: bool
    clear: bool


def printouts(positions: Callable[[], bytes], styles: Callable[[], bytes]) -> Printouts:
    """Have the JSON and the HTML of a page printed, each let go before the next: a plot's take megabytes."""
    blocks = _decode(positions()).blocks
    html = styles().decode("utf-8", "replace")
    light = ("color:#f" in html or "color:#e" in html) and _has_light(html)
    lines = html.split(_ROW)
    return Printouts(blocks, lines, light, html.count(_CLEAR) > len(lines))


def rows_of(printed: Printouts, page: int) -> tuple[list[Row], set[int]]:
    """The rows of the page that have ink, and the indexes of those in light or tiny type.

    Raise ValueError where the printouts do not fit together.
    """
    rows: list[Row] = []
    suspects: set[int] = set()
    blocks, markup, colours, _ = printed
    crowded = len(markup) > _CROWDED
    at = 0
    for number, block in enumerate(blocks):
        for line in block.lines:
            at += 1
            text = line.text
            if not text.isascii() or not text.isprintable():
                text = clean(text)
            if not text or text.isspace() or (crowded and len(text) < 3):
                continue
            drawn = markup[at]
            box, font = line.bbox, line.font
            x0, y0, width, height, size = box.x, box.y, box.w, box.h, font.size
            bold, mono = _looks(font.name)
            bold = bold or font.weight == "bold"
            horizontal = height < 500 or height < 2.3 * size or width > 2 * height
            if size < _TINY or (colours and _has_light(drawn)):
                suspects.add(len(rows))
            if drawn.find(_SPAN, _PAST_FIRST) > 0 and _is_mixed(line, drawn, bold):
                frame = x0 / SCALE, y0 / SCALE, (x0 + width) / SCALE, (y0 + height) / SCALE
                row = _mixed(line, drawn, frame, page, number, horizontal)
                if row is not None:
                    rows.append(row)
                continue
            if (
                mono
                or "  " in text
                or text[0] == " "
                or text[-1] == " "
                or "http" in text
                or "\u00ad" in text
            ):
                text = tidy(close_address(text, 0) if mono else text)
            rows.append(
                Row(
                    text,
                    page,
                    number,
                    _tenths(size),
                    bold,
                    mono,
                    mono,
                    x0 / SCALE,
                    y0 / SCALE,
                    (x0 + width) / SCALE,
                    (y0 + height) / SCALE,
                    line.y / SCALE,
                    horizontal,
                )
            )
    if at != len(markup) - 1:
        raise ValueError("MuPDF's printouts of the page do not fit together")
    return rows, suspects


def _is_mixed(line: _Line, drawn: str, bold: bool) -> bool:
    """Whether the styles of a line's runs matter: raised ones, bold or larger ones, a part of an address."""
    size = line.font.size
    if "<sup>" in drawn or bold or "<b>" in drawn or "/" in line.text or "http" in line.text:
        return True
    if line.bbox.y + line.bbox.h - line.y > 0.45 * size:
        return True
    same = f"font-size:{size / SCALE:.1f}pt"
    return 2 * drawn.count(same) <= drawn.count(_SPAN)


def _runs(drawn: str) -> list[tuple[str, str, str]]:
    """The runs of a line: the tags before each, its style, its text."""
    runs: list[tuple[str, str, str]] = []
    tags = drawn[drawn.find(">") + 1 : drawn.find(_SPAN)]
    for css, text, following in _RUN.findall(drawn):
        runs.append((tags, css, text))
        tags = following
    return runs


def _mixed(
    line: _Line, drawn: str, frame: tuple[float, float, float, float], page: int, block: int, horizontal: bool
) -> Row | None:
    """The row of a line with several runs whose styles matter, or None if it has no ink."""
    runs = _runs(drawn)
    row = _upon_first(runs, line, frame, page, block, horizontal)
    if row is not None:
        return row
    spans = _spans(runs, line, frame[3])
    return row_of(spans, frame, page, block, horizontal=horizontal) if spans else None


def _upon_first(
    runs: list[tuple[str, str, str]],
    line: _Line,
    frame: tuple[float, float, float, float],
    page: int,
    block: int,
    horizontal: bool,
) -> Row | None:
    """The same in one pass for a line whose first run is its base; None where it is not."""
    main = _style(runs[0][1])[0] if runs else 0.0
    small = _SMALLER * main
    bold, mono = _looks(line.font.name)
    bold = bold or line.font.weight == "bold"
    out = ""
    raised = starts_mono = False
    mono_from = -1
    letters = heavy = based = 0
    for tags, css, text in runs:
        size, bold_run, mono_run, high = _look(tags, css)
        if size > main:
            return None
        # Whatever is not printable ASCII is an entity here.
        if "&" in text:
            text = _text(text)  # noqa: PLW2901 - a copy under another name costs as much as the test
        if text.isspace() or not text:
            out += text
            continue
        length = len(text)
        if bold or bold_run:
            heavy += length
        if mono or mono_run:
            if mono_from < 0:
                mono_from = len(out)
                starts_mono = starts_mono or not letters
        elif mono_from >= 0:
            out = close_address(out, mono_from)
            mono_from = -1
        bold = mono = False
        letters += length
        if size == main:
            based += length
        now = high and size <= small
        out = append(out, text, raised=now, was_raised=raised) if now or raised else out + text
        raised = now
    if 2 * based < letters or not letters:
        return None
    if mono_from >= 0:
        out = close_address(out, mono_from)
    return Row(
        tidy(out),
        page,
        block,
        main,
        heavy > 0.8 * letters,
        starts_mono,
        mono_from >= 0,
        *frame,
        line.y / SCALE,
        horizontal,
    )


def _spans(runs: list[tuple[str, str, str]], line: _Line, bottom: float) -> list[Span]:
    """The spans of a line, with their baselines; none if it has no ink."""
    spans: list[Span] = []
    above: list[bool] = []
    largest = first = 0.0
    baseline = line.y / SCALE
    bold_font, mono_font = _looks(line.font.name)
    for tags, css, raw in runs:
        text = _text(raw)
        size, bold, mono, high = _look(tags, css)
        first = first or size
        if size > largest and not text.isspace():
            largest = size
        spans.append(Span(text, size, bold or bold_font, mono or mono_font, baseline))
        above.append(high)
        bold_font = mono_font = False
    if not largest:
        return []
    small = _SMALLER * largest
    rise = _RISE * largest
    if first <= small and bottom - baseline > _DEEP * largest:
        # The line begins with a raised mark: the others stand below it.
        return [span if span.size <= small else span._replace(baseline=baseline + rise) for span in spans]
    for number, high in enumerate(above):
        if high:
            spans[number] = spans[number]._replace(baseline=baseline - rise)
    return spans


def _text(text: str) -> str:
    if "&" not in text:
        return text
    text = _ENTITY.sub(_character, text)
    return text if text.isascii() and text.isprintable() else clean(text)


def _character(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(code) if code < 0x110000 else "\ufffd"


@lru_cache(maxsize=8192)
def _look(tags: str, css: str) -> tuple[float, bool, bool, bool]:
    """Size, bold, typewriter, raised: by the tags before a run and its style.

    Closing tags of the run before it may come first.
    """
    size, bold, mono = _style(css)
    return size, bold or "<b>" in tags, mono or "<tt>" in tags, "<sup>" in tags


@lru_cache(maxsize=4096)
def _style(css: str) -> tuple[float, bool, bool]:
    """Size, bold, typewriter, as in `CMR10,serif;font-size:10.0pt;color:#000000`."""
    match = _STYLE.match(css)
    if match is None:
        return 10.0, False, False
    return float(match[2]), *_looks(match[1])


@lru_cache(maxsize=4096)
def _looks(font: str) -> tuple[bool, bool]:
    """Whether a font's name says that it is bold, and a typewriter's: its flags often do not."""
    name = font.lower()
    return bool(_BOLD_NAMES.search(name)), bool(_MONO_NAMES.search(name))


@lru_cache(maxsize=4096)
def _tenths(size: int) -> float:
    return round(size / SCALE, 1)
