"""Where a quote stands among the words of a page. Pure.

The paper's text and the page differ: hyphens and ligatures were joined, powers marked, paragraphs put in
reading order, headers taken out. What both share are letters and digits, so those are compared. A quote that
the page has in pieces, because a figure or the turn of a column stands between, is found piece by piece.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

from reprocensus.folding import fold

#: A piece of a quote with fewer letters is not looked for by itself, unless it is all that is left.
_LEAST: Final = 10
#: What is found after fewer letters of something else is taken as the continuation.
_NEAR: Final = 400
#: Places that are compared where the same letters stand at several.
_PLACES: Final = 64
#: Of this share of a quote that is not found on its page, the neighbours are asked.
_ENOUGH: Final = 0.97


class Word(NamedTuple):
    """A word of a page, its box in points with y downwards, and the line that it stands in."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    line: tuple[int, int]


class Rect(NamedTuple):
    """A place on a page in points, with y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quote stands: for each page its numbers of words there, and the share of it that was found."""

    words: dict[int, tuple[int, ...]]
    share: float


class PageWords:
    """The words of one page, ready for finding quotes among them."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = words

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        texts = [letters_of(word.text) for word in self.words]
        return "".join(texts), list(accumulate(map(len, texts), initial=0))

    @property
    def letters(self) -> str:
        """All letters and digits of the page, in MuPDF's order."""
        return self._folded[0]

    def at(self, start: int, end: int) -> range:
        """The numbers of the words that hold the letters `[start, end)`."""
        starts = self._folded[1]
        return range(bisect_right(starts, start) - 1, bisect_right(starts, end - 1))

    def rects(self, numbers: Iterable[int]) -> list[Rect]:
        """One rectangle for each run of words that follow each other in a line."""
        found: list[Rect] = []
        last = -2
        for number in sorted(set(numbers)):
            word = self.words[number]
            if not letters_of(word.text) and number != last + 1:
                continue
            joins = number == last + 1 and self.words[last].line == word.line
            if joins and found:
                box = found[-1]
                found[-1] = Rect(
                    min(box.x0, word.x0), min(box.y0, word.y0), max(box.x1, word.x1), max(box.y1, word.y1)
                )
            else:
                found.append(Rect(word.x0, word.y0, word.x1, word.y1))
            last = number
        return found


def letters_of(text: str) -> str:
    """Only the letters and digits of a text, folded."""
    return "".join(filter(str.isalnum, fold(text)))


def find(pages: dict[int, PageWords], text: str, page: int, before: str = "", after: str = "") -> Place:
    """Where the quote stands on `page`; what is missing there may stand on the next or the previous one."""
    wanted = letters_of(text)
    open_ = [(0, len(wanted))]
    words: dict[int, tuple[int, ...]] = {}
    beside = letters_of(before), letters_of(after)
    for number in (page, page + 1, page - 1):
        if number not in pages or not open_:
            continue
        found: list[int] = []
        still: list[tuple[int, int]] = []
        for start, end in open_:
            spans, left = _pieces(pages[number].letters, wanted[start:end], *beside)
            still += [(start + a, start + b) for a, b in left]
            found += [n for span in spans for n in pages[number].at(*span)]
        open_ = still
        if found:
            words[number] = tuple(sorted(set(found)))
        if sum(b - a for a, b in open_) <= (1 - _ENOUGH) * len(wanted):
            break
    missing = sum(b - a for a, b in open_)
    return Place(words, 1 - missing / len(wanted) if wanted else 0.0)


def _pieces(
    letters: str, wanted: str, before: str, after: str
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where the pieces of `wanted` stand in `letters`, and which stretches of it were not found."""
    spans: list[tuple[int, int]] = []
    missing: list[tuple[int, int]] = []
    at = lost = 0
    while at < len(wanted):
        length = _longest(letters, wanted, at)
        if length < min(_LEAST, len(wanted)) and not (spans and at + length == len(wanted) and length > 2):
            at += 1
            continue
        piece = wanted[at : at + length]
        follow = spans[-1][1] if spans else None
        start = _best(letters, piece, before + wanted[:at], wanted[at + length :] + after, follow)
        if length < _LEAST and follow is not None and not follow <= start <= follow + _NEAR:
            at += 1
            continue
        if lost < at:
            missing.append((lost, at))
        spans.append((start, start + length))
        at += length
        lost = at
    if lost < len(wanted):
        missing.append((lost, len(wanted)))
    return spans, missing


def _longest(letters: str, wanted: str, at: int) -> int:
    """How many letters of `wanted` from `at` on stand together somewhere in `letters`."""
    low, high = 0, len(wanted) - at
    if letters.find(wanted[at:]) >= 0:
        return high
    if letters.find(wanted[at : at + min(_LEAST, high)]) < 0:
        return 0
    while low < high - 1:
        middle = (low + high) // 2
        if letters.find(wanted[at : at + middle]) >= 0:
            low = middle
        else:
            high = middle
    return low


def _best(letters: str, piece: str, before: str, after: str, follow: int | None) -> int:
    """Of the places of a piece, the one soon after the last piece, else between the words beside it."""
    best, score = -1, (-1, 0)
    start = letters.find(piece)
    for _ in range(_PLACES):
        if start < 0:
            break
        near = 0
        if follow is not None and follow <= start <= follow + _NEAR:
            near = _NEAR - (start - follow)
        alike = _same_end(letters[:start], before) + _same_start(letters[start + len(piece) :], after)
        if (near + alike, -start) > score or best < 0:
            best, score = start, (near + alike, -start)
        start = letters.find(piece, start + 1)
    return best


def _same_end(left: str, right: str) -> int:
    count = 0
    for a, b in zip(reversed(left[-80:]), reversed(right[-80:]), strict=False):
        if a != b:
            break
        count += 1
    return count


def _same_start(left: str, right: str) -> int:
    count = 0
    for a, b in zip(left[:80], right[:80], strict=False):
        if a != b:
            break
        count += 1
    return count
