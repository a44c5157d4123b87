"""Finds claimed quotes in a document's text. Pure.

A quote is stored only as it stands in the text, so what is stored can always be shown on its page. It is
looked for exactly, then folded (`folding`), then with small changes (`approximate`); otherwise it is missing.
Numbers, names and words that turn the sense must be the paper's own (`wording`), however it was found.
"""

import bisect
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from reprocensus.approximate import best_passage
from reprocensus.folding import Folded, fold
from reprocensus.records import Answer, Claim, Document, Match, Quote
from reprocensus.sentences import sentence_spans
from reprocensus.wording import cut_amiss, same_sense, words_of

#: No quote is longer; more than this is looked up word for word alone.
MAX_FOLDED = 10_000
#: A quote is stitched of at most so many parts.
MAX_PARTS = 12
#: Places that are tried for a quote that stands at several.
_PLACES = 32
_ELLIPSIS = re.compile(r"\s*(?:\[\s?(?:\.{3,}|…)\s?\]|\(\s?(?:\.{3,}|…)\s?\)|\.{3,}|…|\.(?: \.){2,})\s*")
_OUTER = " \t\r\n\"'“”‘’«»"
#: A part of a stitched quote with less is found, but is no evidence by itself.
_LEAST_WORDS, _LEAST_LETTERS = 2, 8


def page_at(page_starts: Sequence[int], offset: int) -> int:
    """The page, from 1, that holds the character at `offset`."""
    return max(1, bisect.bisect_right(page_starts, offset))


class Evidence:
    """One document, ready for looking up quotes. Folding it costs some milliseconds, when first needed."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @cached_property
    def _folded(self) -> Folded:
        return Folded(self.document.text)

    def locate(self, claim: Claim) -> tuple[Quote, ...]:
        """The claim as it stands in the text: one quote, several if it was stitched, none if it is missing.

        Of a stitched quote ("A … B", or sentences that do not follow each other in the paper) all parts must
        stand in the text, in that order; parts that do follow each other are one quote, and single words
        among them are none.
        """
        wanted = claim.text.strip()
        if not wanted:
            return ()
        whole = self._exact_at(claim, wanted) or self._exact(wanted, 0)
        if whole:
            return (whole,)
        parts = [part for part in map(_bared, _ELLIPSIS.split(wanted)) if part]
        if len(parts) != 1:
            return self._stitched(parts) or self._stitched([s for part in parts for s in _sentences(part)])
        found = self._exact(parts[0], 0) or self._normalised(parts[0], 0)
        if found is None and (sentences := self._stitched(_sentences(parts[0]))):
            return sentences
        found = found or self._fuzzy(parts[0], 0)
        return (found,) if found else ()

    def verify(self, answer: Answer) -> tuple[tuple[Quote, ...], int]:
        """The answer's quotes that stand in the text, each once, and how many of its claims do not."""
        located = [self.locate(claim) for claim in answer.claims]
        found = {(quote.start, quote.end): quote for quotes in reversed(located) for quote in quotes}
        ordered = {(quote.start, quote.end): None for quotes in located for quote in quotes}
        return tuple(found[span] for span in ordered), sum(not quotes for quotes in located)

    def _stitched(self, parts: Sequence[str]) -> tuple[Quote, ...]:
        if not 1 < len(parts) <= MAX_PARTS:
            return ()
        found: list[Quote] = []
        after = 0
        for part in parts:
            quote = self._find(part, after)
            if quote is None:
                return ()
            after = quote.end
            found.append(quote)
        return tuple(quote for quote in self._joined(found) if _telling(quote.text))

    def _joined(self, quotes: Sequence[Quote]) -> list[Quote]:
        """The quotes, those with nothing but blanks and marks between them made one."""
        joined: list[Quote] = []
        for quote in quotes:
            before = joined[-1] if joined else None
            if before and not any(map(str.isalnum, self.document.text[before.end : quote.start])):
                match = max(before.match, quote.match, key=list(Match).index)
                score = min((s for s in (before.score, quote.score) if s is not None), default=None)
                joined[-1] = self._quote(before.start, quote.end, match, score)
            else:
                joined.append(quote)
        return joined

    def _find(self, wanted: str, after: int) -> Quote | None:
        """Exactly, folded, or with small changes; at `after` or later."""
        return self._exact(wanted, after) or self._normalised(wanted, after) or self._fuzzy(wanted, after)

    def _exact_at(self, claim: Claim, wanted: str) -> Quote | None:
        """The claim where its engine says that it stands."""
        if claim.start is None or not self.document.text.startswith(claim.text, claim.start):
            return None
        start = claim.start + claim.text.index(wanted)
        return self._quote(start, start + len(wanted), Match.EXACT)

    def _exact(self, wanted: str, after: int) -> Quote | None:
        text = self.document.text
        for start in _places(text, wanted, after):
            if not cut_amiss(text, start, start + len(wanted)):
                return self._quote(start, start + len(wanted), Match.EXACT)
        return None

    def _normalised(self, wanted: str, after: int) -> Quote | None:
        if len(wanted) > MAX_FOLDED:
            return None
        needle = fold(wanted)
        if not any(map(str.isalnum, needle)):
            return None
        text, folded = self.document.text, self._folded
        for place in _places(folded.text, needle, folded.place(after)):
            start, end = folded.span(place, place + len(needle))
            if start >= after and not cut_amiss(text, start, end) and same_sense(wanted, text[start:end]):
                return self._quote(start, end, Match.NORMALISED)
        return None

    def _fuzzy(self, wanted: str, after: int) -> Quote | None:
        passage = best_passage(self.document.text, self._folded, wanted, after)
        return self._quote(passage.start, passage.end, Match.FUZZY, passage.score) if passage else None

    def _quote(self, start: int, end: int, match: Match, score: float | None = None) -> Quote:
        page = page_at(self.document.extracted.page_starts, start)
        return Quote(self.document.text[start:end], page, start, end, match, score)


def _places(text: str, wanted: str, after: int) -> Iterator[int]:
    """The first places of a string from `after` on."""
    at = text.find(wanted, after)
    for _ in range(_PLACES):
        if at < 0:
            return
        yield at
        at = text.find(wanted, at + 1)


def _bared(part: str) -> str:
    """The part without quotation marks around it."""
    return part.strip(_OUTER)


def _sentences(part: str) -> list[str]:
    return [bared for start, end in sentence_spans(part[:MAX_FOLDED]) if (bared := _bared(part[start:end]))]


def _telling(part: str) -> bool:
    words = words_of(part)
    return len(words) >= _LEAST_WORDS and sum(map(len, words)) >= _LEAST_LETTERS
