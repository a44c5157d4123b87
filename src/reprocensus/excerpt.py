"""What of a paper a model is shown: some of its sections, cut to a length if need be, numbered. Pure.

All variables that read the same sections are shown the very same text, so that a server reads it once. A
paper that is too long is cut by this rule, and the excerpt says so:

1. The front matter and the abstract stay (up to a quarter of the length).
2. The rest is taken in passages of whole lines, about `PASSAGE` characters each, or a twelfth of the length
if
   that is less; none goes across two sections. They are ranked by how many different words of the variables'
   lists (`text.words` in their files) stand in them; of equals the earlier one comes first.
3. Passages are kept from the top of that list as long as they fit, shown in the paper's order, and a line
   `GAP` stands wherever something was left out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reprocensus.reading import MAX_SENTENCE
from reprocensus.records import Extracted, SectionKind
from reprocensus.sentences import sentence_spans
from reprocensus.variables import WORD, TextWanted

#: Raise it whenever the same paper may be shown otherwise.
VERSION: Final = "1"
PASSAGE: Final = 1500
GAP: Final = "[...]"
_SHORTEST: Final = 200
_FIRST: Final = (SectionKind.FRONT, SectionKind.ABSTRACT)
#: With less than this the sections asked for are taken to be missed by extraction.
_LEAST: Final = 40
Span = tuple[int, int]

_OPENING: Final = re.compile(r"<(?=[\w/|｜<!?])")
_BRACKETED: Final = re.compile(r"\[(?=/?\w*[A-Z]{3,}\w*\])")
_NOT_TEXT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown of one paper. `spans`: the stretches of its text, in order; `cut`: it is not all that was
    asked for. `sentences[n - 1]` is where the sentence numbered n stands, if they are numbered.
    """

    text: str
    spans: tuple[Span, ...]
    cut: bool
    sentences: tuple[Span, ...] = ()


def excerpt(
    paper: Extracted,
    wanted: TextWanted,
    words: Sequence[str] = (),
    *,
    numbered: bool = False,
    limit: int | None = None,
) -> Excerpt:
    """The paper's text as shown; at most `limit` characters of it if given, ranked by `words`."""
    spans = _sections(paper, wanted)
    whole = _shown(paper, [span for _, span in spans], numbered, cut=False)
    if limit is None or len(whole.text) <= limit:
        return whole
    return _cut(paper, spans, words, numbered, limit)


def neutral(text: str) -> str:
    """The text with nothing in it that ends a fence or that a chat template takes for its own.

    A blank goes between `<` and what would make it a tag or a role token, and after the bracket of `[INST]`
    and its like. Quotes are looked up without regard to blanks, so one that was copied with them is still
    found. Control characters and halves of characters become blanks.
    """
    text = _NOT_TEXT.sub(" ", text)
    return _BRACKETED.sub("[ ", _OPENING.sub("< ", text))


def ranking_words(wanted: Iterable[TextWanted]) -> tuple[str, ...]:
    """The words of all of them, each once, sorted."""
    return tuple(sorted({word for text in wanted for word in text.words}))


def _sections(paper: Extracted, wanted: TextWanted) -> list[tuple[SectionKind, Span]]:
    """The stretches asked for; the first page if there is hardly anything in them."""
    stop = len(paper.text)
    if wanted.pages is not None and wanted.pages < paper.n_pages:
        stop = paper.page_starts[wanted.pages]
    found = [
        (section.kind, (section.start, min(section.end, stop)))
        for section in paper.sections
        if section.kind in wanted.sections and section.start < stop
    ]
    if sum(len(paper.text[start:end].strip()) for _, (start, end) in found) >= _LEAST:
        return found
    page = paper.page_starts[1] if paper.n_pages > 1 else len(paper.text)
    return [(SectionKind.FRONT, (0, page))]


def _shown(paper: Extracted, spans: Sequence[Span], numbered: bool, *, cut: bool) -> Excerpt:
    lines: list[str] = []
    sentences: list[Span] = []
    before: int | None = None
    for start, end in spans:
        if cut and start != (before if before is not None else 0):
            lines.append(GAP)
        before = end
        if not numbered:
            lines.append(neutral(paper.text[start:end]).strip("\n"))
            continue
        for first, last in _sentences(paper.text, start, end):
            sentences.append((first, last))
            lines.append(f"#{len(sentences)} {neutral(paper.text[first:last])}")
    if cut and before is not None and before < len(paper.text.rstrip()):
        lines.append(GAP)
    return Excerpt("\n".join(filter(None, lines)), tuple(spans), cut, tuple(sentences))


def _sentences(text: str, start: int, end: int) -> Iterable[Span]:
    for first, last in sentence_spans(text, start, end):
        for begin in range(first, last, MAX_SENTENCE):
            yield begin, min(begin + MAX_SENTENCE, last)


def _cut(
    paper: Extracted,
    sections: Sequence[tuple[SectionKind, Span]],
    words: Sequence[str],
    numbered: bool,
    limit: int,
) -> Excerpt:
    size = max(_SHORTEST, min(PASSAGE, limit // 12))
    head = [span for kind, span in sections if kind in _FIRST]
    passages = [
        p for kind, span in sections if kind not in _FIRST for p in _passages(paper.text, *span, size)
    ]
    kept = _fitting([p for span in head for p in _passages(paper.text, *span, size)], limit // 4)
    exact = frozenset(word for word in words if not word.endswith("*"))
    beginnings = tuple(word[:-1] for word in words if word.endswith("*"))
    ranked = sorted(passages, key=lambda span: (-_rank(paper.text[slice(*span)], exact, beginnings), span))
    room = limit - sum(end - start for start, end in kept)
    overhead = len(GAP) + 1
    for span in ranked:
        cost = span[1] - span[0] + overhead + (_numbers(paper.text, span) if numbered else 0)
        if cost <= room:
            kept.append(span)
            room -= cost
    return _shown(paper, _joined(sorted(kept)), numbered, cut=True)


def _numbers(text: str, span: Span) -> int:
    """Characters that numbering the sentences of a span adds, at most."""
    return 7 * sum(1 for _ in _sentences(text, *span))


def _fitting(spans: Sequence[Span], room: int) -> list[Span]:
    kept = []
    for start, end in spans:
        if end - start > room:
            break
        kept.append((start, end))
        room -= end - start
    return kept


def _passages(text: str, start: int, end: int, size: int) -> Iterable[Span]:
    """Whole lines together up to `size` characters; a longer line is broken."""
    first = start
    while first < end:
        last = min(first + size, end)
        if last < end:
            line_end = text.rfind("\n", first, last)
            blank = text.rfind(" ", first, last)
            last = (line_end if line_end > first else blank if blank > first else last - 1) + 1
        yield first, last
        first = last


def _rank(passage: str, exact: frozenset[str], beginnings: tuple[str, ...]) -> int:
    found = set(WORD.findall(passage.lower()))
    return len(found & exact) + sum(any(w.startswith(b) for w in found) for b in beginnings)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans that follow each other made one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
