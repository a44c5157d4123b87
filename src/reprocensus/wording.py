"""What a passage may not lose or gain and still be the one that was quoted. Pure.

A number, a name or a word that turns the sense ("not", "will") decides what a sentence documents. So a quote
whose numbers or such words differ from the passage's is no quote of it, however alike the rest is.
"""

import re
import unicodedata

from reprocensus.folding import fold_word

# fmt: off
#: Words that turn the sense of a sentence: what is denied, promised, possible or conditional.
TURNING = frozenset((
    "no", "not", "nor", "never", "none", "neither", "cannot", "without", "unless", "except", "hardly",
    "unable", "fail", "fails", "failed", "lack", "lacks", "will", "would", "could", "should", "may",
    "might", "can", "plan", "plans", "planned", "intend", "intends", "if", "future", "once", "upon",
    "only", "dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "wont", "cant", "couldnt",
    "wouldnt", "hasnt", "havent",
))
#: Words that an engine may add to a quote or leave out without saying anything.
FUNCTION = frozenset((
    "a", "an", "the", "of", "in", "on", "at", "to", "for", "from", "by", "with", "and", "or", "as",
    "is", "are", "was", "were", "be", "been", "it", "its", "this", "that", "these", "those", "we",
    "our", "us", "i", "they", "their", "which", "where", "when", "then", "than", "so", "also", "both",
    "such", "here", "there", "all", "each", "e", "g", "ie", "eg", "etc", "et", "al", "see", "using",
    "use", "used", "has", "have", "had",
))
#: Glued before a quote they make the word its opposite: "supervised" is no quote of "unsupervised".
_OPPOSITES = frozenset((
    "un", "in", "im", "ir", "il", "non", "dis", "mis", "de", "anti", "semi", "self", "sub", "under",
    "over", "pre", "post", "multi", "pseudo", "weakly", "a",
))
# fmt: on
_DIGITS = re.compile(r"\d+")
_SIGNS = re.compile(r"[<>≤≥≠≪≫⩽⩾%‰]")
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])['’](?=[^\W\d_])")
_CITATION = re.compile(r"\[\d{1,3}(?:[,;–-] ?\d{1,3}){0,12}\]|\([^()]{0,150}\b(?:19|20)\d\d[a-z]?\)")


def words_of(text: str) -> list[str]:
    """The words and numbers of a text, folded."""
    return [fold_word(word) for word in _WORD.findall(_APOSTROPHE.sub("", text))]


def is_weak(word: str) -> bool:
    """Whether a folded word may be missing or added."""
    return word in FUNCTION


def same_sense(quote: str, passage: str) -> bool:
    """Whether the numbers and the turning words of both are the same, in order.

    Numbers of citations that the quote leaves out do not count. Signs of comparison may be missing from the
    quote, as they are from many a text layer, but it may have no other.
    """
    quote, passage = (unicodedata.normalize("NFKC", text) for text in (quote, passage))
    numbers = _DIGITS.findall(quote)
    if numbers != _DIGITS.findall(passage) and numbers != _DIGITS.findall(_CITATION.sub(" ", passage)):
        return False
    signs = iter(_SIGNS.findall(passage))
    if not all(sign in signs for sign in _SIGNS.findall(quote)):
        return False
    return _turns(quote) == _turns(passage)


def _turns(text: str) -> list[str]:
    return [word for word in words_of(text) if word in TURNING]


def cut_amiss(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` cuts through a number, or leaves off a prefix that turns a word's sense."""
    if _splits_number(text, start) or _splits_number(text, end):
        return True
    if start == 0 or not (text[start - 1].isalpha() and text[start].isalpha()):
        return start > 1 and text[start - 1] in "-‐‑" and _prefix(text, start - 1) in _OPPOSITES
    return _prefix(text, start) in _OPPOSITES


def _prefix(text: str, end: int) -> str:
    begin = end
    while begin > max(0, end - 8) and text[begin - 1].isalpha():
        begin -= 1
    return text[begin:end].lower()


def _splits_number(text: str, at: int) -> bool:
    """Whether a number goes on over `at`: "0.1|5", "1|8", "1|,000", "1,|000"."""
    before, after = text[max(0, at - 2) : at], text[at : at + 2]
    if before[-1:].isdigit():
        return after[:1].isdigit() or (after[:1] in (".", ",") and after[1:2].isdigit())
    return before[-1:] in (".", ",") and before[:1].isdigit() and after[:1].isdigit()
