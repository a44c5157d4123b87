"""From the lines of a MuPDF text page to rows. `compiled` and `printed` are two ways to read the lines.

MuPDF ends a line where a column or a wide gap ends it, and tells for every character what it is set in.
"""

from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import msgspec

from reprocensus.extract.characters import clean
from reprocensus.extract.pages import Row
from reprocensus.extract.runs import Look, close_address, row_of, tidy

#: Places and sizes are told in whole hundredths of points, cut off.
SCALE: Final = 100.0

#: A page of as many lines holds a plot whose markers are characters of a font, a line each.
_CROWDED: Final = 1200
#: Type smaller than this, in hundredths of points, is tiny; lines that are less high are horizontal.
_TINY: Final = 3 * SCALE
_LOW: Final = 5 * SCALE
#: Horizontal lines are wider than this a character, in ems; slanting ones are as high as they are wide.
_WIDE: Final = 0.4
_BOLD_NAMES: Final = ("bold", "medi", "demi", "black", "cmbx", "sfbx", "cmssbx", "heavy", "-bd")
_MONO_NAMES: Final = (
    "mono",
    "monl",
    "cmtt",
    "sftt",
    "ectt",
    "txtt",
    "courier",
    "typewriter",
    "consol",
    "menlo",
    "lmtt",
)


class Type(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a run is set in: the name of its font, what the font's flags say, and the size.

    `size` is in whole hundredths of points, `points` the size itself. `high`: it stands higher than the
    line's first character.
    """

    font: str
    bold: bool
    mono: bool
    size: int
    points: float
    high: bool


#: A run of one type and one colour: its text, and the number of its type among the page's.
Run: TypeAlias = tuple[str, int]
#: The number of its block on the page, its text, its box (x0, y0, width, height) and the baseline of its
#: first character in hundredths of points, the number of that one's type, its runs (None: it is a single
#: one), and whether any of it is near-white.
Line: TypeAlias = tuple[int, str, int, int, int, int, int, int, list[Run] | None, bool]


class Lines(msgspec.Struct, array_like=True, gc=False):
    """The lines of a page with their types.

    `clear`: with some of their characters nothing is painted, by their rendering mode or their opacity.
    """

    lines: list[Line]
    types: list[Type]
    clear: bool


class _Style(NamedTuple):
    """What a type means: for a line of one run (`bold`, `mono`), and for a run (`look`); its size in points.

    `marked` says that its lines must be read run by run: it is raised, or its font's flags say bold.
    """

    bold: bool
    mono: bool
    size: float
    look: Look
    marked: bool


def rows_of(read: Lines, page: int) -> tuple[list[Row], set[int]]:
    """The rows of the page that have ink, and the indexes of those in light or tiny type."""
    rows: list[Row] = []
    suspects: set[int] = set()
    types = [_style(each) for each in read.types]
    sizes = [each.size for each in read.types]
    crowded = len(read.lines) >= _CROWDED
    for block, written, x, y, width, height, base, kind, runs, light in read.lines:
        text = written if written.isascii() and written.isprintable() else clean(written)
        if not text or text.isspace() or (crowded and len(text) < 3):
            continue
        bold, mono, points, _, _ = types[kind]
        size = sizes[kind]
        horizontal = height < _LOW or height < 2.3 * size or width > min(2 * height, _WIDE * size * len(text))
        if light or size < _TINY:
            suspects.add(len(rows))
        box = x / SCALE, y / SCALE, (x + width) / SCALE, (y + height) / SCALE
        if runs is not None and (
            bold
            or "/" in text
            or "http" in text
            or y + height - base > 0.45 * size
            or _is_mixed(runs, types, points)
        ):
            texts, looks = _runs(runs, types)
            row = row_of(texts, looks, box, base / SCALE, page, block, horizontal=horizontal)
            if row is not None:
                rows.append(row)
            continue
        if mono or "  " in text or text[0] == " " or text[-1] == " " or "http" in text or "\u00ad" in text:
            text = tidy(close_address(text, 0) if mono else text)
        rows.append(Row(text, page, block, points, bold, mono, mono, *box, base / SCALE, horizontal))
    return rows, suspects


def _is_mixed(runs: list[Run], types: list[_Style], points: float) -> bool:
    """Whether the styles of a line's runs matter: raised or bold ones, or more than half of another size."""
    alike = 0
    for _, kind in runs:
        run = types[kind]
        if run.marked:
            return True
        if run.size == points:
            alike += 1
    return 2 * alike <= len(runs)


def _runs(runs: list[Run], types: list[_Style]) -> tuple[list[str], list[Look]]:
    """The texts and looks of a line's runs; runs of one look that follow each other are one."""
    texts: list[str] = []
    looks: list[Look] = []
    before = None
    for written, kind in runs:
        # Each on its own: an accent of another font is a formula's.
        text = written if written.isascii() and written.isprintable() else _clean(written)
        look = types[kind].look
        if look is before:
            # Only the font or the colour is another, or it slants.
            texts[-1] += text
        else:
            texts.append(text)
            looks.append(look)
            before = look
    return texts, looks


@lru_cache(maxsize=8192)
def _clean(text: str) -> str:
    return clean(text)


@lru_cache(maxsize=4096)
def _style(type_: Type) -> _Style:
    # Of a subset's font the name begins with six letters of no meaning.
    name = type_.font.rpartition("+")[2].lower()
    family = name.rpartition("-")[0] or name
    bold, mono = type_.bold, type_.mono
    look = _same(
        round(type_.points, 1),
        bold or _says(family, _BOLD_NAMES),
        mono or _says(family, _MONO_NAMES),
        type_.high,
    )
    return _Style(
        bold or _says(name, _BOLD_NAMES),
        _says(name, _MONO_NAMES),
        look.size,
        look,
        bold or type_.high,
    )


@lru_cache(maxsize=4096)
def _same(size: float, bold: bool, mono: bool, high: bool) -> Look:
    """The same looks are the same object."""
    return Look(size, bold, mono, high)


def _says(name: str, words: tuple[str, ...]) -> bool:
    """Whether a font's name says that it is bold, or a typewriter's: its flags often do not."""
    return any(word in name for word in words)
