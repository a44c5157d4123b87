"""Puts together paragraphs that floats, footnotes, columns and pages interrupt."""

import re
from itertools import islice
from typing import Final

from reprocensus.extract.headings import LIST_ITEM
from reprocensus.extract.paragraphs import NOTE, Kind, Paragraph, ends_sentence

_LOWER: Final = re.compile(r"[\"“‘(\[]?[a-zà-ÿ]")
_CLOSED: Final = re.compile(r"[.!?][\"'”’)\]]*(?:\^?\d{1,2}|[†‡∗*])?$")
#: How far to look for the other half, in paragraphs: two pages of floats and footnotes are less.
_REACH: Final = 120
#: Type sizes in points that differ by no more than this are one.
_ALIKE: Final = 0.35
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
        done += before
        done.append(chain)
        # What came between may itself be half of something: it is looked at in its turn.
        pending += reversed(after)
    return done


def _other_half(chain: Paragraph, pending: list[Paragraph]) -> int | None:
    """How many paragraphs further the chain goes on, or None where it has ended."""
    text = chain.rows[-1].text
    if text[-1] in ".!?" or _CLOSED.search(text[-8:]):
        return None
    broken = text.endswith("-")
    kind, size = chain.kind, chain.size
    for distance, other in enumerate(islice(reversed(pending), _REACH)):
        if other.kind is not kind:
            if other.kind is Kind.HEADING:
                return None
            continue
        if not -_ALIKE <= other.size - size <= _ALIKE:
            continue
        if other.rows[0].mark:
            if chain.rows[0].mark and kind is Kind.SMALL and NOTE.match(other.rows[0].text):
                # The next footnote: this one has ended.
                return None
            continue
        if _is_scrap(other):
            continue
        return distance if _continues(chain, other, broken=broken) else None
    return None


def _continues(chain: Paragraph, other: Paragraph, *, broken: bool) -> bool:
    last, first = chain.rows[-1], other.rows[0]
    if LIST_ITEM.match(first.text):
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
        return full or last.text.endswith(",")
    # A capital goes on only where the line was full, no stop came, and nothing is indented.
    reaches = other.right - first.x1 < 2 * first.size or len(other.rows) > 1
    return full and reaches and not ends_sentence(last.text) and len(chain.text) > 60


def _is_scrap(other: Paragraph) -> bool:
    """Whether it is too little to be prose: a label in a figure, a piece of a formula."""
    if len(other.rows) > 1:
        return False
    row = other.rows[0]
    return (
        len(row.text) < 40 and row.x1 - row.x0 < 0.5 * (other.right - row.x0) and not ends_sentence(row.text)
    )
