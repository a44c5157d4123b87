"""What can be said of a text without knowing the truth: by its own look, and against MuPDF's raw pages. Pure.

`check` looks at one paper and returns counts, `Quality.shares` turns the sum over papers into figures.
Letters-only comparisons fold ligatures, accents, case and everything that is no letter, so that they test
which words stand where and nothing else.
"""

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Protocol

from reprocensus.evidence import page_at
from reprocensus.records import Extracted
from reprocensus.sentences import sentence_spans

_LIGATURE_OR_CONTROL: Final = re.compile("[\ufb00-\ufb06\x00-\x09\x0b-\x1f\x7f-\x9f]")
#: A hyphen left where a line broke; "pre- and post-" is how people write.
_BROKEN_WORD: Final = re.compile(
    r"[^\W\d_]{2,}-[ \n](?!(?:and|or|to|nor|vs|versus|und|oder|bis|et|ou|as|than|but|versus)\b)[a-z]{2,}"
)
_HEADER_BAND: Final = 0.1
_HEADER_LETTERS: Final = 8
_HEADER_SLACK: Final = 20
_SENTENCE_LETTERS: Final = 20
_PIECE_LETTERS: Final = 6
_MAX_PIECES: Final = 4


class RawPage(Protocol):
    """A page as MuPDF gives it; `bench.baseline.RawPage` says what the fields mean."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def lines(self) -> Sequence[tuple[float, str]]: ...  # noqa: D102
    @property
    def uris(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def exponents(self) -> Sequence[str]: ...  # noqa: D102


@dataclass(slots=True)
class Quality:
    """Counts over papers.

    `urls` are addresses of link annotations that the page shows, `urls_intact` those that our text has in one
    piece; `exponents` are 10^-k set as superscripts, `exponents_unmarked` those that ours does not write so;
    `headers` are running headers left in the text; `sentences` were drawn at random, `sentences_on_page`
    stand on the page (or it and the next) in one piece, and `sentences_in_pieces` in at most four.
    """

    papers: int = 0
    urls: int = 0
    urls_intact: int = 0
    ligatures_and_controls: int = 0
    broken_words: int = 0
    headers: int = 0
    exponents: int = 0
    exponents_unmarked: int = 0
    sentences: int = 0
    sentences_on_page: int = 0
    sentences_in_pieces: int = 0

    def add(self, other: "Quality") -> None:
        """Adds another's counts to these."""
        for name in (field.name for field in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def shares(self) -> dict[str, float | int | None]:
        """The figures: shares of 1, or counts a paper; None where there was nothing to count."""
        return {
            "url_intact": _over(self.urls_intact, self.urls),
            "ligatures_and_controls": self.ligatures_and_controls,
            "broken_words_a_paper": _over(self.broken_words, self.papers),
            "headers_a_paper": _over(self.headers, self.papers),
            "exponents_unmarked": _over(self.exponents_unmarked, self.exponents),
            "sentences_on_page": _over(self.sentences_on_page, self.sentences),
            "sentences_in_pieces": _over(self.sentences_in_pieces, self.sentences),
        }


def check(ours: Extracted, raw: Sequence[RawPage], *, sentences: int, chance: random.Random) -> Quality:
    """One paper's counts; so many of its sentences, drawn by `chance`, are looked up on their pages."""
    found = Quality(papers=1)
    found.ligatures_and_controls = len(_LIGATURE_OR_CONTROL.findall(ours.text))
    found.broken_words = len(_BROKEN_WORD.findall(ours.text))
    found.urls, found.urls_intact = _urls(ours.text, raw)
    found.headers = _headers_left(ours, raw)
    found.exponents, found.exponents_unmarked = _exponents(ours.text, raw)
    letters = [letters_only(page.text) for page in raw]
    for start, end in _draw(ours.text, sentences, chance):
        page = page_at(ours.page_starts, start) - 1
        wanted, there = letters_only(ours.text[start:end]), "".join(letters[page : page + 2])
        found.sentences += 1
        found.sentences_on_page += wanted in there
        found.sentences_in_pieces += _in_pieces(wanted, there)
    return found


def letters_only(text: str) -> str:
    """The ASCII letters of a text in lower case, accents and ligatures resolved."""
    return "".join(
        char for char in unicodedata.normalize("NFKD", text).lower() if char.isascii() and char.isalpha()
    )


def _over(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _draw(text: str, count: int, chance: random.Random) -> list[tuple[int, int]]:
    spans = [
        (start, end)
        for start, end in sentence_spans(text)
        if len(letters_only(text[start:end])) >= _SENTENCE_LETTERS
    ]
    return chance.sample(spans, min(count, len(spans)))


def _in_pieces(wanted: str, there: str) -> bool:
    """Whether at most four pieces of `there`, none tiny, make it up: floats may cut a sentence."""
    for _ in range(_MAX_PIECES):
        if len(wanted) < _PIECE_LETTERS:
            return wanted in there
        low, high = 0, len(wanted)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if wanted[:middle] in there else (low, middle - 1)
        if low == len(wanted):
            return True
        if low < _PIECE_LETTERS:
            return False
        wanted = wanted[low:]
    return False


def _urls(text: str, raw: Sequence[RawPage]) -> tuple[int, int]:
    """Addresses of annotations that their page shows, and how many of those our text has whole."""
    lowered = text.lower()
    shown = intact = 0
    for page in raw:
        squeezed = re.sub(r"\s+", "", page.text).lower()
        for address in {_bare(uri) for uri in page.uris}:
            if len(address) < 5 or address not in squeezed:
                continue
            shown += 1
            intact += re.search(re.escape(address) + r"/?(?![\w/-])", lowered) is not None
    return shown, intact


def _bare(uri: str) -> str:
    return re.sub(r"^https?:/*", "", uri.strip().lower()).rstrip("/.,;)")


def _headers_left(ours: Extracted, raw: Sequence[RawPage]) -> int:
    """Lines at one height on many pages' tops, with which our text of such a page still begins or ends.

    Not counted where another line near the page's top says the same, as a section's heading may.
    """
    tops = [
        [(letters_only(line), round(50 * top)) for top, line in page.lines if top < _HEADER_BAND]
        for page in raw
    ]
    pages_with = Counter(line for page in tops for line in set(page))
    bounds = [*ours.page_starts, len(ours.text)]
    left = 0
    for number, lines in enumerate(tops):
        mine = letters_only(ours.text[bounds[number] : bounds[number + 1]])
        for words, height in set(lines):
            if len(words) < _HEADER_LETTERS or pages_with[words, height] < max(3, len(raw) // 4):
                continue
            reach = len(words) + _HEADER_SLACK
            others = [other for other, _ in lines if words in other]
            left += len(others) == 1 and (words in mine[:reach] or words in mine[-reach:])
    return left


def _exponents(text: str, raw: Sequence[RawPage]) -> tuple[int, int]:
    """How many 10^-k the pages show, and how many of those our text does not mark as powers."""
    shown = Counter(k for page in raw for k in page.exponents)
    marked = Counter(re.findall(r"10\s?(?:\^|\*\*)\s?[{(]?\s?[-−–]\s?(\d{1,3})", text))
    return shown.total(), sum(max(0, count - marked[k]) for k, count in shown.items())
