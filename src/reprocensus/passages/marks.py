"""What is to be marked in a PDF, in which colour, and what comes out. Pure."""

from dataclasses import dataclass
from typing import Final

#: Raise it whenever pictures or marked PDFs may come out otherwise: names of their files depend on it.
VERSION: Final = "1"
#: One colour a variable, in the order in which variables are shown: light enough for black type on them.
COLOURS: Final = (
    "#ffd54d",
    "#8fd3ff",
    "#ffb3d1",
    "#a8e6a1",
    "#ffbd80",
    "#c9b8ff",
    "#7fe3d4",
    "#e6c3a0",
    "#d7e37a",
)
#: So much of the text before and after a quote tells it from the same words elsewhere on the page.
AROUND: Final = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """One quote to be marked: `text` on `page` (from 1) or the next one, between the words beside it.

    `title` names the variable, `label` and `note` are what the annotation says, `colour` is `#rrggbb`.
    """

    text: str
    page: int
    before: str = ""
    after: str = ""
    colour: str = COLOURS[0]
    title: str = ""
    label: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A passage as a WebP picture, `width` and `height` in pixels, on `page`, with the quote highlighted.

    `share` is how much of the quote was found there, of 1.
    """

    data: bytes
    width: int
    height: int
    page: int
    share: float


def colour_of(position: int) -> str:
    """The colour of the variable that is shown at this position, from 0."""
    return COLOURS[position % len(COLOURS)]


def context(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after `text[start:end]`."""
    return text[max(0, start - AROUND) : start], text[end : end + AROUND]
