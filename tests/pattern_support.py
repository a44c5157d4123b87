"""Which alternatives of a regular expression some papers support, and the expression without the rest.

An alternative of `(?:a|b)` is supported by the papers in which the expression still matches when it is the
only one of its group. So a pattern can be cut back to what some papers support, and tried on others.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

#: Matches nothing; stands for a group none of whose alternatives is left.
NOTHING = "(?!)"


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several alternatives: `pattern[start:end]`; the group's are all in `group`."""

    start: int
    end: int
    group: tuple[tuple[int, int], ...]


def branches(pattern: str) -> list[Branch]:
    """The alternatives of every group that has several, the outermost first; none inside a lookaround."""
    found: list[Branch] = []
    for group in sorted(_groups(pattern)):
        if len(group) > 1:
            found += [Branch(start, end, group) for start, end in group]
    return found


def _groups(pattern: str) -> Iterator[tuple[tuple[int, int], ...]]:
    """The spans of the alternatives of each group, the whole pattern being one."""
    open_: list[tuple[bool, list[int]]] = [(True, [0])]
    at = 0
    while at < len(pattern):
        step = _atom(pattern, at)
        sign = pattern[at]
        if step > 1:
            at += step
            continue
        if sign == "(":
            head = re.match(r"\((?:\?(?:[:=!]|<[=!]|[a-z-]+:))?", pattern[at:])
            assert head
            counts = open_[-1][0] and not re.match(r"\(\?<?[=!]", head[0])
            open_.append((counts, [at + len(head[0])]))
            at += len(head[0])
            continue
        if sign == "|":
            open_[-1][1].append(at + 1)
        elif sign == ")":
            counts, starts = open_.pop()
            if counts:
                yield _spans(starts, at)
        at += 1
    yield _spans(open_[0][1], len(pattern))


def _atom(pattern: str, at: int) -> int:
    """The length of an escape or a set of characters at `at`; 1 for anything else."""
    if pattern[at] == "\\":
        return 2
    if pattern[at] == "[":
        end = at + (3 if pattern[at + 1] == "^" else 2)
        while pattern[end] != "]":
            end += 2 if pattern[end] == "\\" else 1
        return end + 1 - at
    return 1


def _spans(starts: Sequence[int], end: int) -> tuple[tuple[int, int], ...]:
    return tuple(zip(starts, [start - 1 for start in starts[1:]] + [end], strict=True))


def support(
    pattern: str, matching: Mapping[str, Sequence[str]], compiled: Callable[[str], re.Pattern[str]]
) -> dict[Branch, frozenset[str]]:
    """For each alternative the papers that support it; `matching`: sentences that the pattern matches."""
    found = {}
    for branch in branches(pattern):
        first, last = branch.group[0][0], branch.group[-1][1]
        alone = compiled(pattern[:first] + pattern[branch.start : branch.end] + pattern[last:])
        found[branch] = frozenset(
            paper for paper, sentences in matching.items() if any(map(alone.search, sentences))
        )
    return found


def without(pattern: str, gone: Iterable[Branch]) -> str:
    """The pattern without some of its alternatives."""
    dropped = {(branch.start, branch.end) for branch in gone}
    spans = {branch.group for branch in gone}
    edits: list[tuple[int, int, str]] = []
    for group in spans:
        kept = [span for span in group if span not in dropped]
        if not kept:
            edits.append((group[0][0], group[-1][1], NOTHING))
            continue
        for start, end in group:
            if (start, end) in dropped:
                # With the bar after it, or, of the last, the one before it.
                last = all(other in dropped for other in group if other[0] >= start)
                edits.append((start - 1, end, "") if last else (start, end + 1, ""))
    return _edited(pattern, edits)


def _edited(pattern: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """The pattern after the edits, of which those inside another are left out."""
    done, at = [], 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start < at:
            continue
        done += [pattern[at:start], new]
        at = end
    return "".join(done) + pattern[at:]
