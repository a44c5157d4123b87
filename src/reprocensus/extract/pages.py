"""Plain page structures: what `pdf` reads and the layout modules work on. Points, with y downwards."""

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec


class Row(msgspec.Struct, gc=False):
    """One line as read: its text, and what tells headings, tables and paragraphs apart.

    `size` is that of most characters, in points; `cells` counts pieces set apart by wide gaps, and `gaps`
    has the widths of all; `mark` says that it begins with a raised mark, as footnotes do.
    A paper has thousands; a `Struct` is made in a fifth of a dataclass's time.
    """

    text: str
    page: int
    block: int
    size: float
    bold: bool
    starts_mono: bool
    ends_mono: bool
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    horizontal: bool = True
    mark: bool = False
    cells: int = 1
    gaps: tuple[float, ...] = ()

    @property
    def width(self) -> float:
        """Width in points."""
        return self.x1 - self.x0

    @property
    def first_word_width(self) -> float:
        """Estimated width in points of the first word, from the row's mean width of a character."""
        text = self.text
        end = text.find(" ")
        return (self.x1 - self.x0) * (end / len(text)) if end > 0 else self.x1 - self.x0


class Link(NamedTuple):
    """A link annotation to a web address."""

    x0: float
    y0: float
    x1: float
    y1: float
    uri: str


@dataclass(slots=True)
class Page:
    """One page: its rows in stream order. `number` counts from 1; `n_images` counts pictures on it.

    `hidden` holds the text that a reader of the page does not see; it is not among the rows.
    """

    number: int
    width: float
    height: float
    rows: list[Row]
    links: list[Link]
    n_images: int = 0
    hidden: list[str] = field(default_factory=list)
    ocr_layer: bool = False


@dataclass(slots=True)
class Pages:
    """All pages of a PDF that could be read, with what the file says about itself.

    `failed` counts pages that MuPDF could not read; they are present, without rows.
    """

    pages: list[Page]
    metadata_title: str
    repaired: bool
    failed: int
