"""Finds a claimed quote in a document's text. Pure.

A quote is stored only as it stands in the text, so what is stored can always be shown on its page.
"""

import bisect
import re
import unicodedata
from collections.abc import Sequence

from reprocensus.records import Answer, Claim, Document, Match, Quote

_SAME = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "\u00ad": None})


def page_at(page_starts: Sequence[int], offset: int) -> int:
    """The page, from 1, that holds the character at `offset`."""
    return max(1, bisect.bisect_right(page_starts, offset))


def locate(document: Document, claim: Claim) -> Quote | None:
    """The claim as it stands in the text, or None if it does not.

    Exact first (at `claim.start` if given, else the first place), then blind to case, kinds of space,
    quotation marks, dashes and compatibility forms such as ligatures.
    """
    wanted = claim.text.strip()
    if not wanted:
        return None
    text = document.text
    start = claim.start if claim.start is not None and text.startswith(claim.text, claim.start) else -1
    start = start + claim.text.index(wanted) if start >= 0 else text.find(wanted)
    if start >= 0:
        return _quote(document, start, start + len(wanted), Match.EXACT)
    span = _normalised_find(text, wanted)
    return _quote(document, *span, Match.NORMALISED) if span else None


def verify(document: Document, answer: Answer) -> tuple[tuple[Quote, ...], int]:
    """The answer's quotes that stand in the text, each once, and how many do not."""
    found: dict[tuple[int, int], Quote] = {}
    missing = 0
    for claim in answer.claims:
        quote = locate(document, claim)
        if quote is None:
            missing += 1
        else:
            found.setdefault((quote.start, quote.end), quote)
    return tuple(found.values()), missing


def _quote(document: Document, start: int, end: int, match: Match) -> Quote:
    page = page_at(document.extracted.page_starts, start)
    return Quote(document.text[start:end], page, start, end, match)


def _fold(text: str) -> tuple[str, list[int]]:
    """The text folded for comparison, and for each folded character the offset it came from."""
    folded: list[str] = []
    origin: list[int] = []
    space = True
    for offset, character in enumerate(text):
        for plain in unicodedata.normalize("NFKC", character).translate(_SAME).casefold():
            if plain.isspace() and space:
                continue
            space = plain.isspace()
            folded.append(" " if space else plain)
            origin.append(offset)
    return "".join(folded), origin


def _normalised_find(text: str, wanted: str) -> tuple[int, int] | None:
    needle = _fold(wanted)[0].strip()
    if not re.search(r"\w", needle):
        return None
    haystack, origin = _fold(text)
    at = haystack.find(needle)
    if at < 0:
        return None
    return origin[at], origin[at + len(needle) - 1] + 1
