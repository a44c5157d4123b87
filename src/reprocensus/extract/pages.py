"""Plain page structures: what `pdf` reads and the layout modules work on. Points, with y downwards."""

from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """A run of characters of one font, size and baseline."""

    text: str
    size: float
    font: str
    bold: bool
    italic: bool
    mono: bool
    baseline: float
    x0: float
    x1: float


@dataclass(slots=True)
class Line:
    """A line as the PDF's stream gives it: spans from left to right, and the block they came in."""

    spans: list[Span]
    x0: float
    y0: float
    x1: float
    y1: float
    block: int
    horizontal: bool = True


class Link(NamedTuple):
    """A link annotation to a web address."""

    x0: float
    y0: float
    x1: float
    y1: float
    uri: str


@dataclass(slots=True)
class Page:
    """One page: its lines in stream order. `number` counts from 1; `n_images` counts pictures drawn."""

    number: int
    width: float
    height: float
    lines: list[Line]
    links: list[Link]
    n_images: int = 0


@dataclass(slots=True)
class Pages:
    """All pages of a PDF that could be read, with what the file says about itself.

    `failed` counts pages that MuPDF could not read; they are present, without lines.
    """

    pages: list[Page]
    metadata_title: str
    repaired: bool
    failed: int
