"""Text folded for comparison, with the way back to the offsets it came from. Pure.

Folded text has no spaces and no quotation marks, no hyphen between letters, no case, no accents, ligatures or
other compatibility forms (NFKD), and one kind of dash. So a quote that was broken over lines, hyphenated or
typeset otherwise folds to the same characters as the passage it was taken from.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

_QUOTATION_MARKS = frozenset("'\"`´‘’‚‛“”„‟′″«»‹›")
_DASHES = frozenset("-‐‑‒–—―−﹣－")
#: What TeX puts accents on.
_DOTLESS = {"ı": "i", "ȷ": "j"}
_HYPHEN = re.compile(r"(?<!-)-(?!-)")
_SPACE, _DASH = ord(" "), ord("-")


class Folded:
    """A text folded: `text`, and `origin[i]`, the offset that the folded character i came from.

    Costs some ten nanoseconds a character; `words` are worked out when first asked for.
    """

    def __init__(self, text: str) -> None:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        plain = {ord(character): _TABLE[ord(character)] for character in set(text)}
        # What a character folds to lies in `flat`, from `starts` on, as many characters as `lengths` says.
        starts, lengths = np.zeros((2, max(plain, default=0) + 1), dtype=np.int32)
        known = list(plain)
        lengths[known] = [len(folded) for folded in plain.values()]
        starts[known] = np.cumsum(lengths[known]) - lengths[known]
        flat = "".join(plain.values())
        if flat == "".join(map(chr, plain)):
            places, origin = starts[codes], np.arange(len(codes), dtype=np.int32)
        else:
            counts = lengths[codes]
            origin = np.repeat(np.arange(len(codes), dtype=np.int32), counts)
            first = np.cumsum(counts) - counts
            places = starts[codes][origin] + (np.arange(len(origin), dtype=np.int32) - first[origin])
        shown = np.array([ord(c) for c in flat], dtype=np.uint32)[places]
        letters = np.array([c.isalpha() for c in flat], dtype=bool)[places]
        self._apart, self._apart_origin = shown, origin
        self._alphanumeric = np.array([c.isalnum() for c in flat], dtype=bool)[places]
        packed = shown != _SPACE
        shown, origin, letters = shown[packed], origin[packed], letters[packed]
        if len(shown) > 2:
            joins = np.zeros(len(shown), dtype=bool)
            joins[1:-1] = (shown[1:-1] == _DASH) & letters[:-2] & letters[2:]
            shown, origin = shown[~joins], origin[~joins]
        self.text = shown.tobytes().decode("utf-32-le", "surrogatepass")
        self.origin = origin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the folded characters `[start, end)`, at least one, stand in the text."""
        return int(self.origin[start]), int(self.origin[end - 1]) + 1

    def place(self, offset: int) -> int:
        """The number of the first folded character that came from `offset` or later."""
        return int(np.searchsorted(self.origin, offset))

    @cached_property
    def words(self) -> "FoldedWords":
        """The text's words."""
        return FoldedWords(self._apart, self._apart_origin, self._alphanumeric)


class FoldedWords:
    """The words of a text, runs of folded letters and digits: `texts[i]` is `[starts[i], ends[i])` of it."""

    def __init__(self, codes: "np.typing.NDArray[np.uint32]", origin: "np.typing.NDArray[np.int32]",
                 within: "np.typing.NDArray[np.bool_]") -> None:  # fmt: skip
        spaced = np.where(within, codes, _SPACE).astype(np.uint32)
        self.texts = spaced.tobytes().decode("utf-32-le", "surrogatepass").split()
        edges = np.flatnonzero(np.diff(within, prepend=False, append=False))
        self.starts, self.ends = origin[edges[::2]], origin[edges[1::2] - 1] + 1
        numbers: dict[str, int] = {}
        ids = [numbers.setdefault(text, len(numbers)) for text in self.texts]
        self._numbers = numbers
        self._order = np.argsort(np.array(ids, dtype=np.int32), kind="stable")
        self._first = np.searchsorted(np.array(ids, dtype=np.int32)[self._order], np.arange(len(numbers) + 1))

    def __len__(self) -> int:
        return len(self.texts)

    def where(self, word: str) -> "np.typing.NDArray[np.intp]":
        """The numbers of the words that are this one, in order."""
        number = self._numbers.get(word)
        if number is None:
            return self._order[:0]
        return self._order[self._first[number] : self._first[number + 1]]


def fold(text: str) -> str:
    """The text folded, where nobody needs the way back."""
    folded = text.translate(_TABLE).replace(" ", "")
    return _without(folded, list(_joining_hyphens(folded))) if "-" in folded else folded


def fold_word(word: str) -> str:
    """One run of letters and digits, folded as `FoldedWords` has it."""
    return word.lower() if word.isascii() else word.translate(_TABLE)


def _joining_hyphens(folded: str) -> Iterator[int]:
    """Where single hyphens stand between letters."""
    for match in _HYPHEN.finditer(folded):
        at = match.start()
        if folded[at - 1 : at].isalpha() and folded[at + 1 : at + 2].isalpha():
            yield at


def _without(folded: str, gone: Sequence[int]) -> str:
    edges = [-1, *gone, len(folded)]
    return "".join(folded[start + 1 : end] for start, end in pairwise(edges))


def _plain(character: str) -> str:
    """What one character folds to: nothing, a space, itself, or what it stands for."""
    if character.isspace():
        return " "
    if character in _QUOTATION_MARKS or character == "\u00ad":
        return ""
    if character in _DASHES:
        return "-"
    if character.isascii():
        return character.lower()
    if character in _DOTLESS:
        return _DOTLESS[character]
    plain = unicodedata.normalize("NFKD", character)
    # An accent may go from a letter, but the stroke of a negated sign (≠) is all that makes it one.
    if plain[0].isalpha() or plain[0].isspace() or unicodedata.combining(character):
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    return "".join("-" if c in _DASHES else c for c in plain.casefold() if not c.isspace())


class _Table(dict[int, str]):
    """What each character folds to, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        plain = self[code] = _plain(chr(code))
        return plain


_TABLE = _Table()
