"""A paper's text cut into sentences and indexed by word, so that a cue looks at few of them. Pure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from reprocensus import instructions
from reprocensus.records import Extracted, Section, SectionKind
from reprocensus.sentences import sentence_spans
from reprocensus.variables import WORD

#: No cue needs more of one sentence than this; what a broken page runs together is cut here.
MAX_SENTENCE = 1200
#: A title stands within so many characters.
_OPENING = 4000


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, where it starts, on which page, and the number of the section it stands in."""

    text: str
    start: int
    page: int
    section: int


class Reading:
    """The sentences of a paper's sections of the kinds given, and in which of them each word occurs."""

    def __init__(self, extracted: Extracted, kinds: Container[SectionKind] = frozenset(SectionKind)) -> None:
        self.sections = extracted.sections
        self._text = extracted.text
        self.sentences: list[Sentence] = []
        self._postings: dict[str, list[int]] = {}
        for number, section in enumerate(extracted.sections):
            if section.kind in kinds:
                self._add(extracted, number, section)
        self._vocabulary = sorted(self._postings)
        #: Where the paper's title ends; 0 if it does not stand at the beginning.
        self.title_end = _title_end(extracted)

    def addressed(self, names: Sequence[str]) -> set[int]:
        """The numbers of the sentences that stand in a line in which the judge is spoken to.

        `names` are the variables' names.
        """
        suspects = self.holding(instructions.WORDS)
        named = [name for name in names if "_" in name and name in self._text]
        if named or instructions.INVISIBLE.search(self._text):
            suspects = set(range(len(self.sentences)))
        found: set[int] = set()
        for number in suspects:
            if number not in found and instructions.speaks_to_the_judge(self.sentences[number].text, named):
                found.update(self._line_of(number))
        return found

    def _line_of(self, number: int) -> range:
        """The numbers of the sentences in the same line."""
        first = last = number
        while first > 0 and self._goes_on(first - 1):
            first -= 1
        while last + 1 < len(self.sentences) and self._goes_on(last):
            last += 1
        return range(first, last + 1)

    def _goes_on(self, number: int) -> bool:
        """Whether the line goes on after the sentence."""
        here, after = self.sentences[number], self.sentences[number + 1]
        return "\n" not in self._text[here.start + len(here.text) : after.start]

    def _add(self, extracted: Extracted, number: int, section: Section) -> None:
        text, pages = extracted.text, extracted.page_starts
        for start, end in _cut(sentence_spans(text, section.start, section.end)):
            words = text[start:end]
            here = len(self.sentences)
            self.sentences.append(Sentence(words, start, bisect_right(pages, start), number))
            for word in set(WORD.findall(words.lower())):
                self._postings.setdefault(word, []).append(here)

    def holding(self, words: Iterable[str]) -> set[int]:
        """The numbers of the sentences that hold one of the words (`train*`: a word that begins so)."""
        found: set[int] = set()
        for word in words:
            for spelled in self._beginning(word[:-1]) if word.endswith("*") else (word,):
                found.update(self._postings.get(spelled, ()))
        return found

    def naming(self, names: Iterable[tuple[str, ...]]) -> set[int]:
        """The numbers of the sentences that hold all the words of one of the names."""
        found: set[int] = set()
        for name in names:
            lists = [self._postings.get(word) for word in name]
            if all(lists):
                first, *rest = (set(numbers) for numbers in lists if numbers)
                found.update(first.intersection(*rest))
        return found

    def _beginning(self, prefix: str) -> list[str]:
        first = bisect_left(self._vocabulary, prefix)
        last = bisect_left(self._vocabulary, prefix + "\U0010ffff")
        return self._vocabulary[first:last]


def _title_end(extracted: Extracted) -> int:
    words = extracted.title.split()
    if not words:
        return 0
    found = re.search(r"\s+".join(map(re.escape, words)), extracted.text[:_OPENING], re.IGNORECASE)
    return found.end() if found else 0


def _cut(spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    for start, end in spans:
        for begin in range(start, end, MAX_SENTENCE):
            yield begin, min(begin + MAX_SENTENCE, end)
