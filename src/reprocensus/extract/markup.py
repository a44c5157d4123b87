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
from reprocensus.extract.pages import Row
from reprocensus.extract.runs import Look, close_address, row_of, tidy

#: JSON lengths are whole numbers: hundredths of points.
SCALE: Final = 100.0

_ROW: Final = '<p style="top:'
#: The same, whatever the fonts' names: in these no hyphen follows another.
_EXACT_ROW: Final = re.compile(r'<p style="top:(?=[-\d.]+pt;left:[-\d.]+pt;line-height:[-\d.]+pt">)')
_SPAN: Final = '<span style="font-family:'
#: Where in a row's markup its first run has begun at the latest that a second one can begin.
_PAST_FIRST: Final = 110
_ENTITY: Final = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));")
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_STYLE: Final = re.compile(r"(.*?),[\w-]*;font-size:(-?[\d.]+)pt", re.DOTALL)
_BOLD_NAMES: Final = re.compile("bold|medi|demi|black|cmbx|sfbx|cmssbx|heavy|-bd")
_MONO_NAMES: Final = re.compile("mono|monl|cmtt|sftt|ectt|txtt|courier|typewriter|consol|menlo|lmtt")
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
    lines = html.split(_ROW)
    # Nearly all pages are black on white, every run of them. Short strings are counted fastest.
    if html.count("#0") == html.count("<sp"):
        return Printouts(blocks, lines, light=False, clear=False)
    return Printouts(blocks, lines, _has_light(html), html.count(_CLEAR) > len(lines))


def rows_of(printed: Printouts, page: int) -> tuple[list[Row], set[int]]:
    """The rows of the page that have ink, and the indexes of those in light or tiny type."""
    rows: list[Row] = []
    suspects: set[int] = set()
    blocks, markup, colours, _ = printed
    markup = _fitting(markup, sum([len(block.lines) for block in blocks]))
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
                runs = _runs(drawn, text)
                if runs is not None:
                    row = row_of(*runs, frame, line.y / SCALE, page, number, horizontal=horizontal)
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
    return rows, suspects


def _fitting(markup: list[str], n_lines: int) -> list[str]:
    """The HTML's lines, as many as the JSON has; without styles where that cannot be had.

    The names of fonts stand in the HTML as they are, so one may look like the beginning of a line.
    """
    if len(markup) != n_lines + 1:
        markup = _EXACT_ROW.split(_ROW.join(markup))
    return markup if len(markup) == n_lines + 1 else [""] * (n_lines + 1)


def _is_mixed(line: _Line, drawn: str, bold: bool) -> bool:
    """Whether the styles of a line's runs matter: raised ones, bold or larger ones, a part of an address."""
    size = line.font.size
    if "<sup>" in drawn or bold or "<b>" in drawn or "/" in line.text or "http" in line.text:
        return True
    if line.bbox.y + line.bbox.h - line.y > 0.45 * size:
        return True
    return 2 * drawn.count(_size_of(size)) <= drawn.count(_SPAN)


@lru_cache(maxsize=4096)
def _size_of(size: int) -> str:
    return f"font-size:{size / SCALE:.1f}pt"


def _runs(drawn: str, text: str) -> tuple[list[str], list[Look]] | None:
    """The texts and looks of a line's runs, or None where they do not make up the line's text.

    `text` is the line's as the JSON has it, cleaned. A font's name that looks like markup could otherwise put
    words on the page that nobody sees there.
    """
    texts: list[str] = []
    looks: list[Look] = []
    before = None
    # What is written of a line before its first run ends in `pt">`.
    for run in drawn[drawn.find(">") + 1 :].split("</span>")[:-1]:
        # Closing tags of the run before, opening ones, the style; and text without quotes and brackets.
        head, _, piece = run.rpartition('">')
        if "&" in piece:
            # Whatever is not printable ASCII is an entity here.
            piece = _text(piece)
        look = _look(head)
        if look is before:
            # Only the font is another, or it slants.
            texts[-1] += piece
        else:
            texts.append(piece)
            looks.append(look)
            before = look
    whole = "".join(texts)
    # Accents may be composed over two runs.
    return (texts, looks) if whole == text or clean(whole) == text else None


@lru_cache(maxsize=8192)
def _text(text: str) -> str:
    text = _ENTITY.sub(_character, text)
    return text if text.isascii() and text.isprintable() else clean(text)


def _character(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(code) if code < 0x110000 else "\ufffd"


@lru_cache(maxsize=8192)
def _look(head: str) -> Look:
    """What a run looks like, by what stands before its text: tags, and a style.

    A style is `CMR10,serif;font-size:10.0pt;color:#000000`. Closing tags of the run before it may come first.
    The same looks are the same object.
    """
    tags, _, css = head.partition(_SPAN)
    match = _STYLE.match(css)
    bold, mono = _looks(match[1]) if match else (False, False)
    size = float(match[2]) if match else 10.0
    return _same(size, bold or "<b>" in tags, mono or "<tt>" in tags, "<sup>" in tags)


@lru_cache(maxsize=4096)
def _same(size: float, bold: bool, mono: bool, high: bool) -> Look:
    return Look(size, bold, mono, high)


@lru_cache(maxsize=4096)
def _looks(font: str) -> tuple[bool, bool]:
    """Whether a font's name says that it is bold, and a typewriter's: its flags often do not."""
    name = font.lower()
    return bool(_BOLD_NAMES.search(name)), bool(_MONO_NAMES.search(name))


@lru_cache(maxsize=4096)
def _tenths(size: int) -> float:
    return round(size / SCALE, 1)
