"""Finds a passage that a quote renders with small changes. Pure.

The quote's rarest words are looked up in an index of the text's words; where several of them stand as far
apart as in the quote there is a candidate, and only the few best are compared word by word. So the cost does
not grow with the number of places that are a little alike.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Indel, Levenshtein

from reprocensus.folding import Folded
from reprocensus.wording import TURNING, cut_amiss, is_weak, same_sense, words_of

#: Least likeness of a passage, of 1: the curve is in docs/judging.md.
THRESHOLD = 0.75
#: Quotes with fewer words say too little to be recognised by most of them; longer ones are no quotes.
MIN_WORDS, MAX_CHARS = 5, 1500
#: So many of the quote's rarest words are looked up, each at so many places, for so many candidates.
_ANCHORS, _PLACES, _CANDIDATES = 6, 32, 3
#: Most words, of all, that may be misspelt or broken.
_SLIPS = 0.25
#: Places of words are counted in steps of so many words.
_STEP = 4


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of the text and its likeness to the quote, from 0 to 1."""

    start: int
    end: int
    score: float


def best_passage(text: str, folded: Folded, quote: str, after: int = 0) -> Passage | None:
    """The passage from `after` on that is most like the quote, or None if none is like enough.

    Likeness is 1 less the Levenshtein distance between the letters and digits of both, by the longer's.
    Every word of the quote stands in the passage, in order, but function words and slips of spelling;
    numbers, names and words that turn the sense are the same.
    """
    if len(quote) > MAX_CHARS:
        return None
    words = words_of(quote)
    if len(words) < MIN_WORDS:
        return None
    found: Passage | None = None
    for place in _candidates(folded, words):
        passage = _compared(text, folded, quote, words, place, after)
        if passage and (found is None or passage.score > found.score):
            found = passage
    return found


def _candidates(folded: Folded, words: Sequence[str]) -> list[int]:
    """Numbers of the words of the text where the quote may begin, those that most anchors agree on first."""
    known = {word: folded.words.where(word) for word in dict.fromkeys(words)}
    absent = sum(len(known[word]) == 0 for word in words if not is_weak(word))
    if absent > _SLIPS * len(words):
        return []
    anchors = sorted(
        (n for n, word in enumerate(words) if len(known[word])), key=lambda n: len(known[words[n]])
    )
    votes: Counter[int] = Counter()
    for anchor in anchors[:_ANCHORS]:
        starts = {int(at) - anchor for at in known[words[anchor]][:_PLACES]}
        votes.update({step + near for step in (start // _STEP for start in starts) for near in (0, 1)})
    chosen: list[int] = []
    for step, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0])):
        if all(abs(step - other) > 1 for other in chosen):
            chosen.append(step)
            if len(chosen) == _CANDIDATES:
                break
    return [step * _STEP for step in chosen]


def _compared(
    text: str, folded: Folded, quote: str, words: Sequence[str], place: int, after: int
) -> Passage | None:
    """The passage around a place, if it is like the quote and says the same."""
    there = folded.words
    slack = _STEP + 2 + len(words) // 6
    begin, end = max(0, place - slack), min(len(there), place + len(words) + slack)
    while begin < end and there.starts[begin] < after:
        begin += 1
    if begin >= end:
        return None
    names = [text[there.starts[n]].isupper() for n in range(begin, end)]
    kept = _aligned(words, there.texts[begin:end], names)
    if kept is None:
        return None
    start, stop = int(there.starts[begin + kept[0]]), int(there.ends[begin + kept[1]])
    if cut_amiss(text, start, stop) or not same_sense(quote, text[start:stop]):
        return None
    passage = "".join(there.texts[begin + kept[0] : begin + kept[1] + 1])
    score = round(Levenshtein.normalized_similarity("".join(words), passage), 4)
    return Passage(start, stop, score) if score >= THRESHOLD else None


def _aligned(words: Sequence[str], there: Sequence[str], names: Sequence[bool]) -> tuple[int, int] | None:
    """The first and the last word of the passage that the quote's words stand for; None if some do not."""
    if len({w for w in words if not is_weak(w)}.difference(there)) > _SLIPS * len(words):
        return None
    pairs: list[tuple[int, int]] = []
    src = dest = 0
    blocks = [b for b in Indel.opcodes(list(words), list(there)) if b.tag == "equal"]
    for block in [*blocks, None]:
        ends = (block.src_start, block.dest_start) if block else (len(words), len(there))
        filled = _filled(words, range(src, ends[0]), there, range(dest, ends[1]), names)
        if filled is None:
            return None
        pairs += filled
        if block:
            src, dest = block.src_end, block.dest_end
            pairs += zip(range(block.src_start, src), range(block.dest_start, dest), strict=True)
    return _trimmed(words, pairs) if pairs else None


def _filled(
    words: Sequence[str], gone: range, there: Sequence[str], come: range, names: Sequence[bool]
) -> list[tuple[int, int]] | None:
    """Pairs for the quote's words between two that are equal; None if one that matters has no counterpart."""
    if not gone:
        return []
    run = _broken("".join(words[gone.start : gone.stop]), there, come)
    if run:
        return [(gone[0], run[0]), (gone[-1], run[-1])]
    pairs: list[tuple[int, int]] = []
    first = come.start
    for ours in gone:
        slips = (n for n in range(first, come.stop) if not names[n] and _slip(words[ours], there[n]))
        theirs = next(slips, None)
        if theirs is not None:
            pairs.append((ours, theirs))
            first = theirs + 1
        elif not is_weak(words[ours]):
            return None
    return pairs


def _broken(ours: str, there: Sequence[str], come: range) -> range | None:
    """The words of the passage that make the same letters, only broken elsewhere: "repro ducible"."""
    for begin in come:
        end, joined = begin, ""
        while end < come.stop and len(joined) < len(ours):
            joined += there[end]
            end += 1
        if joined == ours:
            return range(begin, end)
    return None


def _slip(ours: str, theirs: str) -> bool:
    """Whether two words differ by spelling alone: never numbers, short words or other beginnings."""
    shorter = min(len(ours), len(theirs))
    if shorter < 5 or ours[:2] != theirs[:2] or not (ours.isalpha() and theirs.isalpha()):
        return False
    if ours in TURNING or theirs in TURNING:
        return False
    most = 1 if shorter < 8 else 2
    return Levenshtein.distance(ours, theirs, score_cutoff=most) <= most


def _trimmed(words: Sequence[str], pairs: list[tuple[int, int]]) -> tuple[int, int]:
    """From the first to the last word of the passage, without function words matched far off by chance."""
    first, last = 0, len(pairs) - 1
    while first < last and pairs[first + 1][1] - pairs[first][1] > 3 and is_weak(words[pairs[first][0]]):
        first += 1
    while last > first and pairs[last][1] - pairs[last - 1][1] > 3 and is_weak(words[pairs[last][0]]):
        last -= 1
    return pairs[first][1], pairs[last][1]
