"""Splits a paper's text into sentences, as offsets into it. Pure.

Paragraphs, headings and lines of algorithms stand on lines of their own, so a newline always ends a
sentence. Inside a line a full stop ends one unless it belongs to an abbreviation, an initial, a number, a
list or section number, or the next word goes on in lower case.
"""

import re
from collections.abc import Iterator

#: Words whose full stop does not end a sentence, in lower case and without it.
# fmt: off
ABBREVIATIONS = frozenset((
    "al", "alg", "algo", "app", "appx", "approx", "art", "cf", "ch", "chap", "corp", "def", "dept",
    "dr", "ed", "eds", "eg", "eq", "eqn", "eqns", "eqs", "etc", "ex", "exp", "ext", "fig", "figs", "ft",
    "ie", "inc", "jr", "lem", "ltd", "min", "max", "mr", "mrs", "ms", "no", "nos", "p", "para", "pp",
    "prof", "prop", "ref", "refs", "resp", "sec", "secs", "sect", "sr", "st", "std", "supp", "suppl",
    "tab", "tbl", "th", "thm", "univ", "var", "ver", "vol", "vs", "wrt", "e.g", "i.e", "a.k.a", "w.r.t",
    "s.t", "i.i.d", "ph.d", "u.s", "u.k", "a.s", "w.l.o.g", "jan", "feb", "mar", "apr", "jun", "jul",
    "aug", "sep", "sept", "oct", "nov", "dec",
))
# fmt: on
#: Abbreviations that do end a sentence when a capitalised word follows, though not before a digit or bracket.
_MAY_END = frozenset(
    {"al", "etc", "i.i.d", "no", "min", "max", "exp", "inc", "corp", "ltd", "a.s", "u.s", "u.k"}
)
_LINE = re.compile(r"[^\n]+")
_STOP = re.compile(r"[.!?][\"'’”)\]]{0,3}\s+(?=[\"'‘“(\[]{0,2}[^\W_a-z])")
_TOKEN_CHARS = 24
#: What a caption or statement begins with: "Figure 2. The turtle" is one sentence.
_CAPTION = re.compile(
    r"(?:Fig(?:ure|\.)|FIGURE|Tab(?:le|\.)|TABLE|Alg(?:orithm|\.)|Listing|Box|Theorem|Lemma|Corollary|Definition"
    r"|Proposition|Example|Remark|Procedure|Protocol)\s?[A-Z]?[\d.]{1,8}"
)


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """The spans of the sentences in `text[start:end]`, in order, trimmed, none empty, none over a newline."""
    stop = len(text) if end is None else end
    for line in _LINE.finditer(text, start, stop):
        yield from _line_spans(text, line.start(), line.end())


def _line_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for stop in _STOP.finditer(text, start, end):
        if text[stop.start()] != "." or _ends_sentence(text, begin, stop.start(), stop.end()):
            yield from _trimmed(text, begin, stop.end())
            begin = stop.end()
    yield from _trimmed(text, begin, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    inner = piece.strip()
    if inner:
        begin = start + piece.index(inner[0])
        yield begin, begin + len(inner)


def _ends_sentence(text: str, begin: int, stop: int, after: int) -> bool:
    """Whether the full stop at `stop` ends the sentence begun at `begin`; the next starts at `after`."""
    words = text[max(begin, stop - _TOKEN_CHARS) : stop].split()
    if not words:
        return False
    token = words[-1].lstrip("([{\"'“‘")
    if not text[begin:stop].lstrip()[len(token) :].strip() and _is_label(token):
        return False
    if stop - begin < _TOKEN_CHARS and _CAPTION.fullmatch(text[begin:stop]):
        return False
    lower = token.lower()
    if lower in ABBREVIATIONS:
        return lower in _MAY_END and text[after].isupper()
    if len(token) == 1 and token.isupper():
        # "by J. Smith" is an initial; "the matrix X. We" ends a sentence.
        return len(words) > 1 and words[-2].islower() and words[-2] not in {"by", "and", "of"}
    return True


def _is_label(token: str) -> bool:
    """A section or list number standing at the start of a line: '3.1', '2', 'A', 'B.2', 'iv'."""
    return (
        len(token) <= 6
        and (token.replace(".", "").isdigit() or token[:1].isupper())
        and (len(token) == 1 or any(c.isdigit() for c in token))
    )
