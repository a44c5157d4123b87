"""Reads a text page's lines from what MuPDF prints about it: positions from its JSON, styles from its HTML.

Both are written in C and cost a third of what building a Python object for every run of text does.
The JSON gives for each line its box and the font, size and origin of its first character; the HTML
gives, for the same lines in the same order, the text in runs of one style, with raised runs marked.
`compiled` does the same where it could be built.
"""

import os
import re
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from reprocensus.extract.characters import clean
from reprocensus.extract.lines import SCALE, Line, Lines, Run, Type
from reprocensus.mupdf import mupdf

_BUFFER: Final = 1 << 16
#: A printout of more bytes than this, as of a plot, gives its memory back.
_LARGE: Final = 1 << 20
_ROW: Final = '<p style="top:'
#: The same, whatever the fonts' names: in these no hyphen follows another.
_EXACT_ROW: Final = re.compile(r'<p style="top:(?=[-\d.]+pt;left:[-\d.]+pt;line-height:[-\d.]+pt">)')
_SPAN: Final = '<span style="font-family:'
#: Where in a row's markup its first run has begun at the latest that a second one can begin.
_PAST_FIRST: Final = 110
_ENTITY: Final = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));")
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_STYLE: Final = re.compile(r"(.*?),[\w-]*;font-size:(-?[\d.]+)pt", re.DOTALL)
#: Near-white: all three channels from e8 up.
_LIGHT: Final = re.compile("color:#(?:(?:f.|e[89a-f]){3})", re.IGNORECASE)
#: How the style of a run ends that nothing is painted with: every other one ends in a colour. What MuPDF
#: says about the page and about each line ends so, too.
_CLEAR: Final = 'pt">'
#: How MuPDF's XML tells a character that nothing is painted with, whatever its colour.
_TRANSPARENT: Final = b' alpha="#00"'
#: Half of a surrogate pair as MuPDF's JSON has it: in three bytes, which are no UTF-8.
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


class _Box(msgspec.Struct, gc=False):
    x: int
    y: int
    w: int
    h: int


class _Font(msgspec.Struct, gc=False, frozen=True):
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


class Reader:
    """Reads the lines of text pages. A context manager, for one document at a time.

    MuPDF's printers write through a file that lies in memory, if there can be one: MuPDF gathers what goes to
    a file, and puts what goes to its own buffers there byte by byte, which takes half as long again.
    """

    def __init__(self) -> None:
        self._file = -1
        self._out: Any = None

    def __enter__(self) -> Self:
        try:
            self._file = os.memfd_create("printout")
            self._out = mupdf.FzOutput(f"/proc/self/fd/{self._file}", 1)
        except (AttributeError, OSError, mupdf.FzErrorBase):
            # No such files on this system.
            self._out = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.fz_close_output()
        if self._file >= 0:
            os.close(self._file)

    def lines(self, textpage: Any) -> Lines:
        """The lines of one of MuPDF's text pages."""
        # Each is let go before the next is printed: a plot's take megabytes.
        blocks = _decode(self._print(mupdf.ll_fz_print_stext_page_as_json, textpage, SCALE)).blocks
        html = self._print(mupdf.ll_fz_print_stext_page_as_html, textpage, 0).decode("utf-8", "replace")
        found = read(blocks, html)
        if not found.clear and html.count("#000000") != html.count(_SPAN):
            # The HTML has colours without their opacity: red that is wholly transparent is red there.
            xml = self._print(mupdf.ll_fz_print_stext_page_as_xml, textpage, 0)
            found.clear = _TRANSPARENT in xml
        return found

    def _print(self, printer: Any, textpage: Any, last: Any) -> bytes:
        """What one of MuPDF's printers writes about a text page."""
        if self._out is None:
            return _buffered(printer, textpage, last)
        out = self._out.m_internal
        mupdf.ll_fz_seek_output(out, 0, os.SEEK_SET)
        printer(out, textpage.m_internal, last)
        mupdf.ll_fz_flush_output(out)
        size = mupdf.ll_fz_tell_output(out)
        data = os.pread(self._file, size, 0)
        if size > _LARGE:
            # Otherwise what was written before may stay there: to have memory mapped anew costs time.
            os.ftruncate(self._file, 0)
        return data


def _buffered(printer: Any, textpage: Any, last: Any) -> bytes:
    buffer = mupdf.fz_new_buffer(_BUFFER)
    out = mupdf.FzOutput(buffer)
    printer(out.m_internal, textpage.m_internal, last)
    out.fz_close_output()
    data: bytes = mupdf.fz_buffer_extract(buffer)
    return data


def _decode(positions: bytes) -> _Page:
    try:
        return _DECODER.decode(positions)
    except (msgspec.DecodeError, UnicodeError):
        # A lone half of a surrogate pair, which a broken font may give: one character, not three.
        whole = _SURROGATE.sub("\ufffd".encode(), positions)
        return _DECODER.decode(whole.decode("utf-8", "replace").encode())


def read(blocks: list[_Block], html: str) -> Lines:
    """The lines of a page by its JSON decoded and its HTML."""
    types: dict[Type, int] = {}
    markup = html.split(_ROW)
    # Nearly all pages are black on white, every run of them. Short strings are counted fastest.
    coloured = html.count("#0") != html.count("<sp")
    light = coloured and _has_light(html)
    clear = coloured and html.count(_CLEAR) > len(markup)
    markup = _fitting(markup, sum([len(block.lines) for block in blocks]))
    lines: list[Line] = []
    at = 0
    for number, block in enumerate(blocks):
        for line in block.lines:
            at += 1
            drawn, box = markup[at], line.bbox
            kind = types.setdefault(_type_of(line.font, _points(drawn)), len(types))
            runs = _runs(drawn, line.text, types) if drawn.find(_SPAN, _PAST_FIRST) > 0 else None
            pale = light and _has_light(drawn)
            lines.append((number, line.text, box.x, box.y, box.w, box.h, line.y, kind, runs, pale))
    return Lines(lines, list(types), clear)


def _has_light(styles: str) -> bool:
    return _LIGHT.search(styles) is not None


def _fitting(markup: list[str], n_lines: int) -> list[str]:
    """The HTML's lines, as many as the JSON has; without styles where that cannot be had.

    The names of fonts stand in the HTML as they are, so one may look like the beginning of a line.
    """
    if len(markup) != n_lines + 1:
        markup = _EXACT_ROW.split(_ROW.join(markup))
    return markup if len(markup) == n_lines + 1 else [""] * (n_lines + 1)


def _runs(drawn: str, text: str, types: dict[Type, int]) -> list[Run] | None:
    """The runs of a line, or None where they do not make up the line's text, as the JSON has it.

    A font's name that looks like markup could otherwise put words on the page that nobody sees there.
    """
    runs: list[Run] = []
    # What is written of a line before its first run ends in `pt">`.
    for run in drawn[drawn.find(">") + 1 :].split("</span>")[:-1]:
        # Closing tags of the run before, opening ones, the style; and text without quotes and brackets.
        head, _, piece = run.rpartition('">')
        if "&" in piece:
            # Whatever is not printable ASCII is an entity here.
            piece = _ENTITY.sub(_character, piece)
        runs.append((piece, types.setdefault(_type(head), len(types))))
    whole = "".join([piece for piece, _ in runs])
    return runs if whole == text or clean(whole) == clean(text) else None


def _character(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(code) if code < 0x110000 else "\ufffd"


def _points(drawn: str) -> float:
    """The size of a line's first run in points, or 0 where it is not said."""
    start = drawn.find(">") + 1
    return _type(drawn[start : drawn.find('">', start)]).points


@lru_cache(maxsize=4096)
def _type_of(font: _Font, points: float) -> Type:
    # The JSON cuts sizes off, the HTML rounds them: 9.959 points are 9.95, and 10.0.
    return Type(font.name, font.weight == "bold", False, font.size, points or font.size / SCALE, False)


@lru_cache(maxsize=8192)
def _type(head: str) -> Type:
    """The type of a run, by what stands before its text: tags, and a style.

    A style is `CMR10,serif;font-size:10.0pt;color:#000000`. Closing tags of the run before it may come first.
    """
    tags, _, css = head.partition(_SPAN)
    match = _STYLE.match(css)
    # The HTML has fonts' names without what follows their last hyphen, which `lines` leaves out of them.
    font = match[1] + "-" if match else ""
    points = float(match[2]) if match else 0.0
    return Type(font, "<b>" in tags, "<tt>" in tags, round(points * SCALE), points, "<sup>" in tags)
