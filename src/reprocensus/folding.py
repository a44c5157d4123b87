"""Text folded for comparison, with the way back to the offsets it came from. Pure.

Folded text has no spaces and no quotation marks, no hyphen between letters, no case, no accents, ligatures or
other compatibility forms (NFKD), and one kind of dash. So a quote that was broken over lines, hyphenated or
typeset otherwise folds to the same characters as the passage it was taken from.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

_Codes: TypeAlias = npt.NDArray[np.uint32]
_Places: TypeAlias = npt.NDArray[np.int32]

_QUOTATION_MARKS = frozenset("'\"`´‘’‚‛“”„‟′″«»‹›")
_DASHES = frozenset("-‐‑‒–—―−﹣－")
#: What TeX puts accents on.
_DOTLESS = {"ı": "i", "ȷ": "j"}
_HYPHEN = re.compile(r"(?<!-)-(?!-)")
_SPACE, _DASH = ord(" "), ord("-")
#: No character has this code.
_NOTHING = 0x110000


class Folded:
    """A text folded: `text`, and `origin[i]`, the offset that the folded character i came from.

    Costs some ten nanoseconds a character; `words` are worked out when first asked for.
    """

    def __init__(self, text: str) -> None:
        self._codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        self._alphabet = {code: _TABLE[code] for code in np.flatnonzero(np.bincount(self._codes)).tolist()}
        shown, origin = _unfolded(self._codes, self._alphabet, spaces=False)
        if len(shown) > 2:
            dashes = np.flatnonzero(shown[1:-1] == _DASH) + 1
            letters = _told(str.isalpha, self._alphabet)
            joins = dashes[letters[shown[dashes - 1]] & letters[shown[dashes + 1]]]
            if len(joins):
                shown, origin = np.delete(shown, joins), np.delete(origin, joins)
        self.text = shown.tobytes().decode("utf-32-le", "surrogatepass")
        self.origin = origin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the folded characters `[start, end)`, at least one, stand in the text."""
        return int(self.origin[start]), int(self.origin[end - 1]) + 1

    def place(self, offset: int) -> int:
        """The number of the first folded character that came from `offset` or later."""
        # A number of another type would have NumPy copy the whole array first.
        return int(np.searchsorted(self.origin, self.origin.dtype.type(offset))) if offset else 0

    @cached_property
    def words(self) -> "FoldedWords":
        """The text's words."""
        shown, origin = _unfolded(self._codes, self._alphabet, spaces=True)
        return FoldedWords(shown, origin, _told(str.isalnum, self._alphabet)[shown])


class FoldedWords:
    """The words of a text, runs of folded letters and digits: `texts[i]` is `[starts[i], ends[i])` of it."""

    def __init__(self, codes: _Codes, origin: _Places, within: "npt.NDArray[np.bool_]") -> None:
        spaced = np.where(within, codes, np.uint32(_SPACE))
        self.texts = spaced.tobytes().decode("utf-32-le", "surrogatepass").split()
        edges = np.flatnonzero(within[1:] != within[:-1]) + 1
        if len(within) and within[0]:
            edges = np.insert(edges, 0, 0)
        if len(edges) % 2:
            edges = np.append(edges, len(within))
        self.starts, self.ends = origin[edges[::2]], origin[edges[1::2] - 1] + 1
        numbers: dict[str, int] = {}
        ids = np.array([numbers.setdefault(text, len(numbers)) for text in self.texts], dtype=np.int32)
        self._numbers = numbers
        self._order = np.argsort(ids, kind="stable")
        self._first = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=len(numbers)))])

    def __len__(self) -> int:
        return len(self.texts)

    def where(self, word: str) -> "npt.NDArray[np.intp]":
        """The numbers of the words that are this one, in order."""
        number = self._numbers.get(word)
        if number is None:
            return self._order[:0]
        return self._order[self._first[number] : self._first[number + 1]]


def _unfolded(codes: _Codes, alphabet: Mapping[int, str], *, spaces: bool) -> tuple[_Codes, _Places]:
    """What each character of the text folds to, and which it came from; spaces only if they are wanted."""
    size = max(alphabet, default=0) + 1
    first = np.full(size, _NOTHING, dtype=np.uint32)
    for code, plain in alphabet.items():
        if plain and (spaces or plain != " "):
            first[code] = ord(plain[0])
    shown = first[codes]
    origin = np.flatnonzero(shown != _NOTHING).astype(np.int32)
    shown = shown[origin]
    longer = {code: plain for code, plain in alphabet.items() if len(plain) > 1}
    if longer:
        several = np.zeros(size, dtype=bool)
        several[list(longer)] = True
        at = np.flatnonzero(several[codes])
        rest = [longer[code][1:] for code in codes[at].tolist()]
        after = np.repeat(np.searchsorted(origin, at.astype(np.int32)) + 1, [len(plain) for plain in rest])
        shown = np.insert(shown, after, [ord(c) for plain in rest for c in plain])
        origin = np.insert(origin, after, origin[after - 1])
    return shown, origin


def _told(test: Callable[[str], bool], alphabet: Mapping[int, str]) -> "npt.NDArray[np.bool_]":
    """For each code that the alphabet folds to, whether its character passes the test."""
    held = {character for plain in alphabet.values() for character in plain}
    told = np.zeros(max(map(ord, held), default=0) + 1, dtype=bool)
    told[[ord(character) for character in held if test(character)]] = True
    return told


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
