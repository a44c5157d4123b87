"""Text that is in a PDF and that nobody sees on its page, such as instructions to a reviewing machine.

Only pages with something odd are looked at: near-white or tiny type, or type without a colour.
What a page shows is decided by drawing it: white letters on a dark box are seen, on paper they are not.
"""

import math
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from reprocensus.extract.characters import clean
from reprocensus.extract.pages import Row

#: Type below this size, in points, cannot be read.
TINY: Final = 3.0
#: Type below this size is a dot at most: it is no text, whether it says much or little.
DUST: Final = 0.3
_LIGHT: Final = 0xE8
#: Grey levels that differ by less than this are one to the eye.
_CONTRAST: Final = 26
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
#: Fewer words than this are a label in a figure, not a message.
_FEW_WORDS: Final = 4
_SCAN_SHARE: Final = 0.5
_MODE_INVISIBLE: Final = 3
#: A page of more square points than this, four of A4, is drawn where it is asked about only.
_LARGE_PAGE: Final = 2_000_000


class Box(NamedTuple):
    """A place on a page in points, with y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    def holds(self, other: "Box") -> bool:
        """Whether the middle of the other box lies in this one."""
        x, y = (other.x0 + other.x1) / 2, (other.y0 + other.y1) / 2
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1


class Hidden(NamedTuple):
    """A run of text that is not seen, and its place."""

    text: str
    box: Box


def look(page: Any, *, clear: bool) -> tuple[list[Hidden], bool]:
    """What is hidden on a MuPDF page, and whether its text is the layer of a text recognition.

    `clear` says that nothing is painted with some of its letters. Those that cut a picture to their shape
    are seen nevertheless.
    """
    unseen = _unseen(page) if clear else []
    layer = bool(unseen) and _is_scan(page)
    drawing = _Drawing(page)
    found: list[Hidden] = []
    for block in page.get_text("dict", flags=2)["blocks"]:
        for line in block.get("lines", ()):
            for span in line["spans"]:
                box = Box(*span["bbox"])
                if not span["text"].strip():
                    continue
                bare = span.get("alpha", 255) == 0
                if bare and any(place.holds(box) for place in unseen):
                    # A label over its own outlines is seen; a message is hidden wherever it stands.
                    lost = not layer and (is_message(span["text"]) or drawing.blends(box))
                else:
                    lost = (bare or _is_light(span["color"])) and drawing.blends(box)
                if lost:
                    found.append(Hidden(span["text"], box))
    return found, layer


def part(rows: list[Row], hidden: Iterable[Hidden]) -> tuple[list[Row], list[str]]:
    """The rows without the hidden runs, and the hidden text, a piece a row."""
    texts: dict[int, list[str]] = {}
    for run in hidden:
        text = " ".join(clean(run.text).split())
        for row in rows:
            if Box(row.x0, row.y0, row.x1, row.y1).holds(run.box) and text in row.text:
                row.text = " ".join(row.text.replace(text, " ", 1).split())
                texts.setdefault(id(row), []).append(text)
                break
    gone = [" ".join(texts[id(row)]) for row in rows if id(row) in texts]
    return [row for row in rows if row.text], [text for text in gone if is_message(text)]


def is_below(row: Row, size: float) -> bool:
    """Whether a row's type is smaller than this, in points.

    What a font calls a point may be anything, so the room that the letters take has to be small as well.
    """
    return row.size < size and min(row.y1 - row.y0, row.x1 - row.x0) < 1.5 * size


def is_message(text: str) -> bool:
    """Whether it is running text rather than a label."""
    return len(_WORD.findall(text)) >= _FEW_WORDS


def _unseen(page: Any) -> list[Box]:
    """The places of the runs that are set in rendering mode 3 or without any opacity."""
    return [
        Box(*span["bbox"])
        for span in page.get_texttrace()
        if span["type"] == _MODE_INVISIBLE or span["opacity"] == 0
    ]


def _is_light(colour: int) -> bool:
    return min(colour >> 16 & 255, colour >> 8 & 255, colour & 255) >= _LIGHT


def _is_scan(page: Any) -> bool:
    """Whether a picture fills most of the page."""
    sheet = page.rect
    boxes = [Box(*info["bbox"]) for info in page.get_image_info()]
    return any((b.x1 - b.x0) * (b.y1 - b.y0) > _SCAN_SHARE * sheet.width * sheet.height for b in boxes)


class _Drawing:
    """A page as it is drawn: once, when first asked, unless it is too large for that."""

    def __init__(self, page: Any) -> None:
        self._list = page.get_displaylist()
        self._small = page.rect.width * page.rect.height <= _LARGE_PAGE
        self._whole: Any = None

    def blends(self, box: Box) -> bool:
        """Whether nothing but one shade is drawn where the box is."""
        shades = self._shades(box)
        return not shades or max(shades) - min(shades) < _CONTRAST

    def _shades(self, box: Box) -> bytes:
        if not self._small:
            return bytes(self._list.get_pixmap(clip=tuple(box), alpha=0).samples)
        if self._whole is None:
            picture = self._list.get_pixmap(alpha=0)
            self._whole = picture, picture.samples
        picture, samples = self._whole
        left, right = (
            max(0, math.floor(box.x0) - picture.x),
            min(picture.width, math.ceil(box.x1) - picture.x),
        )
        top, bottom = (
            max(0, math.floor(box.y0) - picture.y),
            min(picture.height, math.ceil(box.y1) - picture.y),
        )
        if left >= right:
            return b""
        starts = range(top * picture.stride, bottom * picture.stride, picture.stride)
        return b"".join([samples[at + left * picture.n : at + right * picture.n] for at in starts])
