"""Words as search sees them, and where a query's words stand in a text. Pure.

`static/search.js` does the same in the browser; `tests/test_site_search.py` compares the two.
"""

import re
import unicodedata
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
#: A query has no more words than this; what follows is left out.
MAX_WORDS: Final = 12
#: Nor is a word longer.
MAX_LETTERS: Final = 40
#: Characters of a snippet before the first word that matches, and in all.
_BEFORE, _LONGEST = 80, 300


def fold(text: str) -> str:
    """The text in lower case and without accents and other marks, ligatures resolved (NFKD)."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).lower()


def words_of(text: str) -> list[str]:
    """The words of a text, folded: runs of letters and digits."""
    return [word[:MAX_LETTERS] for word in _WORD.findall(fold(text))]


def query_words(query: str) -> list[str]:
    """The words of a query, each once."""
    return list(dict.fromkeys(words_of(query[:400])))[:MAX_WORDS]


def marked(text: str, words: list[str], *, last_is_open: bool = True) -> list[tuple[str, bool]]:
    """The text in pieces, and for each whether it is one of the words; the last may be a beginning."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    for found in re.finditer(r"[^\W_]+(?:[\u0300-\u036f][^\W_]*)*", text):
        if _matches(fold(found[0]), words, last_is_open=last_is_open):
            if at < found.start():
                pieces.append((text[at : found.start()], False))
            pieces.append((found[0], True))
            at = found.end()
    if at < len(text):
        pieces.append((text[at:], False))
    return pieces


def snippet(text: str, words: list[str]) -> list[tuple[str, bool]]:
    """The part of a text around its first match, marked."""
    pieces = marked(text, words)
    first = 0
    for piece, hit in pieces:
        if hit:
            break
        first += len(piece)
    start = 0 if len(text) <= _LONGEST else max(0, min(first - _BEFORE, len(text) - _LONGEST))
    if start:
        start = text.find(" ", start) + 1 or start
    cut = text[start : start + _LONGEST]
    if start + _LONGEST < len(text):
        cut = cut[: cut.rfind(" ") if " " in cut[_BEFORE:] else None]
        return [*_led(cut, start, words), (" …", False)]
    return _led(cut, start, words)


def count(text: str, words: list[str]) -> int:
    """How many of the words stand in the text."""
    there = set(words_of(text))
    return sum(_matches_any(word, there, last=word == words[-1]) for word in words)


def _led(cut: str, start: int, words: list[str]) -> list[tuple[str, bool]]:
    pieces = marked(cut, words)
    return [("… ", False), *pieces] if start else pieces


def _matches(word: str, words: list[str], *, last_is_open: bool) -> bool:
    return word in words or bool(last_is_open and words and word.startswith(words[-1]))


def _matches_any(word: str, there: set[str], *, last: bool) -> bool:
    return word in there or (last and any(other.startswith(word) for other in there))
