"""Words broken at a line's end: whether the hyphen belongs to the word, by the paper's own vocabulary."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_LEFT: Final = re.compile(r"((?:[\w'’]+-)*[\w'’]+)-$")
_RIGHT: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
#: First parts that English writers join with a hyphen, so that it stays when the paper does not say.
_KEEPERS: Final = frozenset(
    "self well high low state cross semi ill so one two three four five six first second third single double "
    "large small long short real half quasi best worst time data model task user end fine coarse right left hand "
    "non art by up out in on off world human machine domain class sample gradient attention region open closed".split()
)
_PREFIXES: Final = frozenset(
    "in con com per pro re de dis un en be for to so as is on at up an a ex op im ob al ad ap sub sup inter over "
    "under out pre post anti non co mis trans per par pos pol mod met man men ten ver vis act art bar can car cat "
    "col den dim for gen her his ide lat let lin lo mar mat max min mul net no num or ran sa se sen ser sig sim so "
    "sta sum ta tar the tra ti va val var we".split()
)


class Vocabulary:
    """The words of one paper that stand whole on a line, counted without regard to case."""

    def __init__(self, rows: Iterable[str]) -> None:
        words: Counter[str] = Counter()
        for text in rows:
            found = _WORD.findall(text)
            if found and text.endswith("-"):
                found = found[:-1]
            words.update(word.lower() for word in found)
        self._words = words
        for word in list(words):
            if "-" in word:
                for part in word.split("-"):
                    words[part] += 1
        self._sorted = sorted(words)

    def __getitem__(self, word: str) -> int:
        return self._words[word.lower()]

    def has_prefix(self, prefix: str) -> bool:
        """Whether any word begins with this."""
        prefix = prefix.lower()
        at = bisect_left(self._sorted, prefix)
        return at < len(self._sorted) and self._sorted[at].startswith(prefix)

    def keeps_hyphen(self, before: str, after: str) -> bool:
        """Whether the hyphen that ends `before` stays when `after` is put behind it."""
        left_match, right_match = _LEFT.search(before), _RIGHT.match(after)
        if left_match is None or right_match is None:
            return True
        left, right = left_match[1], right_match[0]
        if right[0].isupper() and not left.isupper():
            return True
        if any(char.isdigit() or char == "_" for char in left.rsplit("-", 1)[-1]):
            return True
        return self._judge(left, right)

    def _judge(self, left: str, right: str) -> bool:
        last, first = left.rsplit("-", 1)[-1], right.split("-", 1)[0]
        with_hyphen = self[f"{left}-{right}"] + self[f"{last}-{first}"]
        without = self[left + right] + self[last + first]
        if with_hyphen != without:
            return with_hyphen > without
        if with_hyphen:
            return False
        if last.lower() in _KEEPERS and self[first]:
            return True
        # Neither form stands elsewhere: a longer or shorter form of the word (optimiz-ation, -ed) speaks for it.
        if len(first) >= 3 and self.has_prefix(last + first[: max(2, len(first) - 3)]):
            return False
        if "-" in left or "-" in right:
            return bool(self[last] and self[first])
        if last.lower() in _PREFIXES or len(last) < 3 or len(first) < 3:
            return False
        return bool(self[last] and self[first])
