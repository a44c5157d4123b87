"""A paper's plain text as pages: cut into parts, with anchors and the quotes marked. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from reprocensus.site.safe import masked, shown

if TYPE_CHECKING:
    from markupsafe import Markup

#: Characters after which a part ends with its page, so that a part is a page of some 80 kB at most.
_PART: Final = 50_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A quote in the text: `[start, end)`, its anchor, and the variable's place among the variables."""

    start: int
    end: int
    anchor: str
    order: int


def part_starts(page_starts: Sequence[int]) -> list[int]:
    """Which pages, counted from 0, begin a part."""
    parts: list[int] = [0]
    for page, start in enumerate(page_starts):
        if start - page_starts[parts[-1]] >= _PART:
            parts.append(page)
    return parts


def part_of(page_starts: Sequence[int], offset: int) -> int:
    """The part, from 1, that holds an offset of the text."""
    if not page_starts:
        return 1
    begins = [page_starts[page] for page in part_starts(page_starts)]
    return max(1, bisect_right(begins, offset))


def part_html(text: str, page_starts: Sequence[int], part: int, passages: Iterable[Passage]) -> "Markup":
    """One part's pages as HTML: a heading a page, a paragraph a line of the text.

    A page's anchor is `page-<number>`, a paragraph's `c<offset>` in code points of the whole text, a quote's
    its own. The text is escaped, names in e-mail addresses are masked.
    """
    from markupsafe import Markup

    firsts = part_starts(page_starts)
    pages = list(range(firsts[part - 1], firsts[part] if part < len(firsts) else len(page_starts)))
    ends = [*page_starts[1:], len(text)]
    marked = sorted(passages, key=lambda p: (p.start, p.end))
    out: list[str] = []
    for page in pages:
        out.append(f'<h2 id="page-{page + 1}">Page {page + 1}</h2>\n')
        offset = page_starts[page]
        for line in text[offset : ends[page]].split("\n"):
            if line.strip():
                inside = [p for p in marked if p.start < offset + len(line) and p.end > offset]
                content = _marked(masked(line), offset, inside) if inside else _escaped(masked(line))
                out.append(f'<p id="c{offset}">{content}</p>\n')
            offset += len(line) + 1
    return Markup("".join(out))


def _marked(line: str, offset: int, passages: Sequence[Passage]) -> str:
    """A line with its passages in `mark`; where they overlap, the piece has the classes of all."""
    cuts = {0, len(line)}
    for passage in passages:
        cuts |= {max(0, passage.start - offset), min(len(line), passage.end - offset)}
    edges = sorted(cuts)
    out: list[str] = []
    for start, end in pairwise(edges):
        out += [f'<a id="{p.anchor}"></a>' for p in passages if p.start - offset == start]
        over = [p for p in passages if p.start - offset <= start and p.end - offset >= end]
        piece = _escaped(line[start:end])
        classes = " ".join(dict.fromkeys(f"v{p.order}" for p in over))
        out.append(f'<mark class="{classes}">{piece}</mark>' if over else piece)
    return "".join(out)


def _escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(shown(text)))
