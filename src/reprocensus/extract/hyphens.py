"""Words broken at a line's end: whether the hyphen belongs to the word, by the paper's own vocabulary."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

#: Latin-1 in lower case, with a space for whatever is neither letter nor hyphen.
_LETTERS: Final = bytes(
    min(ord(chr(code).lower()), 255) if chr(code).isalpha() or code == 0x2D else 0x20 for code in range(256)
)
_TOKEN: Final = re.compile(r"\S*")
_LEFT: Final = re.compile(r"((?:[\w'’]+-)*[\w'’]+)-$")
_RIGHT: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
#: First parts that English writers join with a hyphen, so that it stays when the paper does not say.
_KEEPERS: Final = re.compile(
    "well|high|low|state|ill|one|six|large|small|long|short|real|best|worst|time|data|model|task|end|"
    "fine|coarse|right|"
    "left|art|world|machine|domain|class|sample|gradient|attention|region|open|closed|super|hyper"
)
#: First parts for which that holds even if the second part stands nowhere else in the paper.
_ALWAYS: Final = re.compile(
    "self|well|non|cross|semi|meta|multi|super|hand|time|first|second|third|single|double|two|three|"
    "four|five|half|"
    "user|human|quasi"
)
#: Last parts of compounds that keep their hyphen whatever stands before them.
_TAILS: Final = re.compile(
    "based|driven|aware|specific|dimensional|agnostic|invariant|guided|tuned|supervised|grained|"
    "valued|trained|oriented|independent|free|scale|level|limited|purpose|called"
)
#: Parts that begin closed words (frame-work, some-times): with these a hyphen is mostly the line's.
_CLOSED: Final = re.compile(
    "in|con|com|per|pro|re|de|dis|un|en|be|for|to|so|as|is|on|at|up|an|ex|im|inter|over|under|out|"
    "pre|post|anti|co|mis|trans|sub|frame|net|some|every|any|else|mean|further|where|there|other|like|how|through|with|"
    "within|straight|feed|base|run|band|work|bench|back|bottle|look|never|none|not|sur|sup"
)
#: Endings that are no words: before them a hyphen is the line's.
_ENDINGS: Final = re.compile(
    r"(?:[ts]ions?|tional(?:ly)?|ings?|ments?|mental|ness|ships?|it(?:y|ies)|[ae]nc(?:e|es|y)|"
    r"[ai]bl[ey]|abilit(?:y|ies)|"
    r"ful(?:ly)?|i[zs](?:e|es|ed|ing|ation)|ally|ously?|ives?(?:ly)?|ers?|ed|e?ly|is[mt]s?|ures?|als?|"
    r"ic(?:s|al|ally)?|ties|ent|ant|est)"
)


class Vocabulary:
    """The words of one paper that stand whole on a line, counted without regard to case.

    They are counted as bytes: `bytes.translate` and `split` take a tenth of a regular expression's time.
    """

    def __init__(self, rows: Iterable[str]) -> None:
        # Halves of broken words are no words.
        words = Counter(_bytes(_without_halves("\n".join(rows))).translate(_LETTERS).split())
        self._words = words
        #: First parts of compounds that the paper writes with a hyphen.
        self._heads: Counter[bytes] = Counter()
        for word in [word for word in words if b"-" in word]:
            parts = word.split(b"-")
            self._heads[parts[0]] += 1
            for part in parts:
                words[part] += 1
        self._listed = b" " + b" ".join(words)

    def __getitem__(self, word: str) -> int:
        return self._words[_bytes(word.lower())]

    def has_prefix(self, prefix: str) -> bool:
        """Whether any word begins with this."""
        # Asked some twenty times a paper: looking through one string is faster than sorting the words.
        return b" " + _bytes(prefix.lower()) in self._listed

    def keeps_hyphen(self, before: str, after: str) -> bool:
        """Whether the hyphen that ends `before` stays when `after` is put behind it."""
        # Sought in the last word only: over a whole line that takes ten times as long.
        left_match, right_match = _LEFT.search(before[before.rfind(" ") + 1 :]), _RIGHT.match(after)
        if left_match is None or right_match is None:
            return True
        left, right = left_match[1], right_match[0]
        if len(left) == 1 and self[right]:
            # Hardly any word is broken behind one letter: `L-Lipschitz`, `t-test`.
            return not self[left + right] > self[f"{left}-{right}"]
        if right[0].isupper() and not left.isupper():
            return not self[left + right] > self[f"{left}-{right}"]
        if any(char.isdigit() or char == "_" for char in left.rsplit("-", 1)[-1]):
            return True
        return self._judge(left, right)

    def _judge(self, left: str, right: str) -> bool:
        last, first = left.rsplit("-", 1)[-1], right.split("-", 1)[0]
        with_hyphen = self[f"{left}-{right}"] + self[f"{last}-{first}"]
        without = self[left + right] + self[last + first]
        if with_hyphen != without:
            return with_hyphen > without
        # Neither form stands elsewhere, or both do: another form of the word, or an ending, decides.
        closed = self._has_form(last, first)
        if not with_hyphen and not closed and self._is_joined_elsewhere(last, first):
            return True
        if with_hyphen or closed or _ENDINGS.fullmatch(first):
            return False
        if self._is_compound(last.lower(), first):
            return True
        if "-" in left or "-" in right:
            return bool(self[last] and self[first])
        return not _CLOSED.fullmatch(last.lower()) and self._are_words(last, first)

    def _has_form(self, last: str, first: str) -> bool:
        return len(first) >= 3 and self.has_prefix(last + first[: 2 if len(first) < 6 else 3])

    def _is_joined_elsewhere(self, last: str, first: str) -> bool:
        """Whether the paper has a hyphen in another form of the word, or behind this first part as a rule.

        `pre-trained` says how `pre-training` is written, and `re-rank` and `re-train` how `re-weight` is.
        """
        if len(first) >= 4 and self.has_prefix(f"{last}-{first[:4]}"):
            return True
        return self._heads[_bytes(last.lower())] >= 3 and len(first) >= 4 and self[first] > 0

    def _is_compound(self, last: str, first: str) -> bool:
        """Whether either part is one that compounds are made with."""
        if _ALWAYS.fullmatch(last) and len(first) >= 3:
            return True
        if _KEEPERS.fullmatch(last) and self[first]:
            return True
        return bool(_TAILS.fullmatch(first.lower())) and not _CLOSED.fullmatch(last)

    def _are_words(self, last: str, first: str) -> bool:
        """Whether both parts are words of the paper, long enough not to be syllables."""
        if len(last) < 3 or len(first) < 3 or not self[first]:
            return False
        return bool(self._heads[_bytes(last.lower())]) or (
            len(last) > 3 and len(first) > 3 and bool(self[last])
        )


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _without_halves(text: str) -> str:
    """The text without the two halves of every word that a line's end breaks."""
    pieces = text.replace("\u00ad\n", "-\n").replace("\u2010\n", "-\n").split("-\n")
    for number, piece in enumerate(pieces):
        start = _TOKEN.match(piece).end() if number else 0  # type: ignore[union-attr]
        end = max(piece.rfind(" "), piece.rfind("\n"), start) if number < len(pieces) - 1 else len(piece)
        pieces[number] = piece[start:end]
    return "\n".join(pieces)
