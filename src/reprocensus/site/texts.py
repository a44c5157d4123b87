"""A paper's plain text as pages: cut into parts, with anchors and the quotes marked. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

#: Characters after which a part ends with its page, so that a part is a page of some 80 kB at most.
_PART: Final = 50_000


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
