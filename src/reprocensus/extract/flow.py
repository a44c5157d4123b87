"""Puts together paragraphs that floats, footnotes, columns and pages interrupt."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from reprocensus.extract.headings import LIST_ITEM
from reprocensus.extract.paragraphs import NOTE, Kind, Paragraph, ends_sentence, is_grid

_LOWER: Final = re.compile(r"[\"“‘(\[]?[a-zà-ÿ]")
_CLOSED: Final = re.compile(r"[.!?][\"'”’)\]]*(?:\^?\d{1,2}|[†‡∗*])?$")
#: How far to look for the other half, in paragraphs: two pages of floats and footnotes are less.
_REACH: Final = 120
#: Type sizes in points that differ by no more than this are one.
_ALIKE: Final = 0.35
#: A row that stands lower than this, in ems, is no displayed formula that the sentence leads to.
_DISPLAY: Final = 2.6
#: The same for a row of other type: a footnote stands lower.
_LEADING: Final = 1.1
_WORD: Final = re.compile(r"[a-z]{4}|[a-z]{2,3} [a-z]")
#: Rows of fewer characters may be labels, cells, or pieces of formulas.
_LABEL: Final = 40
#: As many of the last rows say where their column lies: looking at all of them would take quadratic time.
_LAST: Final = 12
#: How far to look, in paragraphs, for one that begins where a short row does.
_NEARBY: Final = 30
#: A float's text in the body's type has no more rows than this.
_FEW: Final = 2
_RUNNING: Final = (Kind.BODY, Kind.SMALL)


def join(paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Return the paragraphs with interrupted ones joined and what interrupted them moved out of the way.

    What stands on the page where the paragraph begins goes before it, what stands on the page where it ends
    goes after it, so that pages stay in order.
    """
    done: list[Paragraph] = []
    pending = list(reversed(paragraphs))
    while pending:
        chain = pending.pop()
        before: list[Paragraph] = []
        after: list[Paragraph] = []
        while chain.kind in _RUNNING:
            found = _other_half(chain, pending)
            if found is None:
                break
            between = [pending[-1 - k] for k in range(found)] + after
            other = pending[-1 - found]
            first, last = chain.rows[0].page, other.rows[-1].page
            if any(first < p.page < last for p in between):
                break
            del pending[-1 - found :]
            before += [p for p in between if p.page == first and first != last]
            after = [p for p in between if not (p.page == first and first != last)]
            chain = Paragraph(chain.rows + other.rows, chain.kind, other.right, chain.size)
        # What came between may itself be half of something: it is looked at in its turn.
        pending += reversed(after)
        if before:
            # A note that goes before its paragraph goes before the paragraph's heading, too.
            head = [done.pop()] if chain.kind is Kind.BODY and done and done[-1].kind is Kind.HEADING else []
            pending += [chain, *head, *reversed(before)]
        else:
            done.append(chain)
    return done


def _other_half(chain: Paragraph, pending: list[Paragraph]) -> int | None:
    """How many paragraphs further the chain goes on, or None where it has ended."""
    text = chain.rows[-1].text
    if text[-1] in ".!?" or _CLOSED.search(text[-8:]):
        return None
    width = max([row.x1 - row.x0 for row in chain.rows[-_LAST:]])
    second = None
    for seen, (distance, other) in enumerate(_candidates(chain, pending, width)):
        rows = other.rows
        goes_on = _continues(chain, other, broken=text.endswith("-"))
        if goes_on and (_LOWER.match(rows[0].text) or (not seen and len(rows) > _FEW)):
            return distance
        if goes_on and not seen:
            # A row or two with a capital may belong to a float; what goes on in small letters is surer.
            second = distance
        elif len(rows) > 1 or rows[0].x1 - rows[0].x0 > 0.8 * width or ends_sentence(rows[0].text):
            break
    return second


def _candidates(chain: Paragraph, pending: list[Paragraph], width: float) -> Iterator[tuple[int, Paragraph]]:
    """What may be the chain's other half, and how far on it is; up to where the chain has surely ended."""
    kind, size = chain.kind, chain.size
    for distance, other in enumerate(islice(reversed(pending), _REACH)):
        if other.kind is not kind or not -_ALIKE <= other.size - size <= _ALIKE:
            if other.kind is Kind.HEADING:
                return
            if _is_displayed(chain, other) and (
                abs(other.size - size) < _ALIKE or _is_scrap(other, chain, width)
            ):
                return
        elif _is_scrap(other, chain, width) and (distance or not _is_next_line(chain, other)):
            if _is_displayed(chain, other):
                return
            above = pending[-distance] if distance else chain
            if _is_last_line(other, above, islice(reversed(pending), distance + 1, distance + _NEARBY)):
                yield distance, other
        elif not other.rows[0].mark:
            yield distance, other
        elif chain.rows[0].mark and kind is Kind.SMALL and NOTE.match(other.rows[0].text):
            # The next footnote: this one has ended.
            return


def _continues(chain: Paragraph, other: Paragraph, *, broken: bool) -> bool:
    last, first = chain.rows[-1], other.rows[0]
    if LIST_ITEM.match(first.text) and not (
        first.text[0] == "(" and chain.kind is Kind.BODY and not ends_sentence(last.text)
    ):
        return False
    lower = bool(_LOWER.match(first.text))
    jump = first.page != last.page or first.baseline < last.baseline - last.size
    full = chain.right - last.x1 < first.first_word_width + 0.9 * last.size
    if broken and full:
        return lower or jump
    if not jump:
        near = first.baseline - last.baseline < 2.2 * last.size
        return lower and full and near and not ends_sentence(last.text)
    if chain.kind is Kind.SMALL and not lower:
        return False
    if lower:
        # What is so short may be a formula's piece.
        return full or (last.text.endswith(",") and len(chain.text) > _LABEL)
    # A capital goes on only where the line was full, no stop came, and nothing is indented.
    reaches = other.right - first.x1 < 2 * first.size or len(other.rows) > 1
    return full and reaches and not ends_sentence(last.text) and len(chain.text) > 60


def _is_next_line(chain: Paragraph, other: Paragraph) -> bool:
    """Whether it begins at the left edge of the rows above it, as no formula's piece does."""
    return (
        abs(other.rows[0].x0 - min([row.x0 for row in chain.rows[-_LAST:]])) < 1
        and _LOWER.match(other.rows[0].text) is not None
    )


def _is_displayed(chain: Paragraph, other: Paragraph) -> bool:
    """Whether a scrap stands close below: a formula's, behind which the sentence ends, if it goes on."""
    last, row = chain.rows[-1], other.rows[0]
    if row.page != last.page or row.x0 > chain.right or row.x1 < last.x0 or other.kind is Kind.CAPTION:
        return False
    near = _DISPLAY if other.kind is chain.kind and abs(other.size - chain.size) <= _ALIKE else _LEADING
    return 0.3 * last.size < row.baseline - last.baseline < near * last.size


def _is_last_line(other: Paragraph, above: Paragraph, below: Iterable[Paragraph]) -> bool:
    """Whether a short row of words opens a column, and begins where the paragraphs below it do: no label."""
    row, last = other.rows[0], above.rows[-1]
    if row.bold or not _WORD.match(row.text) or (row.page == last.page and row.baseline > last.baseline):
        return False
    return any(len(p.rows) > 1 and p.page == other.page and abs(p.rows[1].x0 - row.x0) < 1 for p in below)


def _is_scrap(other: Paragraph, chain: Paragraph, width: float) -> bool:
    """Whether it is too little for prose in a column so wide: a figure's label, cells, a formula's piece."""
    rows = other.rows
    if len(rows) > 1:
        return rows[0].width < 0.5 * width
    row = rows[0]
    if is_grid(row) or (row.bold and not chain.rows[-1].bold):
        return True
    return (
        len(row.text) < _LABEL
        and row.x1 - row.x0 < 0.5 * (other.right - row.x0)
        and not ends_sentence(row.text)
    )
