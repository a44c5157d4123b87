"""The text of a line set in several styles: superscripts marked, stretched addresses pulled together."""

import re
from typing import Final, NamedTuple

from reprocensus.extract.pages import Row

_ORDINAL: Final = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
#: An address that justification has pulled apart at its points and strokes: `https : / / example . org/x`.
_STRETCHED: Final = re.compile(r"https?(?: :|:(?= /)| ?: ?/ /)(?: ?[/.] ?|[^\s/.])*")
_LONE_MARK: Final = re.compile(r" \^[\d,*†‡]{1,4}$")
_LOOSE: Final = re.compile(r" *([-/_.:~=?&%#]) *")
_ADDRESS: Final = re.compile(r"://|^//|www\.|^[\w.~-]+[/_.][\w./_~-]+$")
_POINT: Final = re.compile(r" ?([:/.]) ?")
#: A raised run is at most this large, and stands at least this much over the base, both in ems of the base.
_SMALLER: Final = 0.86
_HIGHER: Final = 0.15
#: How far a raised run stands over its base, in ems of the base: MuPDF only says that it does.
_RISE: Final = 0.34
#: A first run whose baseline lies this many ems over the line's lower edge is raised itself.
_DEEP: Final = 0.43


class Look(NamedTuple):
    """The style of a run, its size in points. `high`: it stands higher than the line's first character."""

    size: float
    bold: bool = False
    mono: bool = False
    high: bool = False


class _Base(NamedTuple):
    """What a line stands on: type size and baseline in points, and which runs are raised over it."""

    size: float
    baseline: float
    raised: list[bool]


def row_of(
    texts: list[str],
    looks: list[Look],
    box: tuple[float, float, float, float],
    baseline: float,
    page: int,
    block: int,
    *,
    horizontal: bool = True,
) -> Row | None:
    """The row that runs make, from left to right, within `box` (x0, y0, x1, y1), or None if it has no ink.

    `baseline` is that of the first run.
    """
    letters = heavy = based = first = last = 0
    largest = 0.0
    main = looks[0].size
    marks = pulled = False
    for number, text in enumerate(texts):
        if text.isspace() or not text:
            continue
        size, bold, mono, high = looks[number]
        length = len(text)
        if not letters:
            first = number
        last = number
        letters += length
        if size == main:
            based += length
        if bold:
            heavy += length
        if mono:
            pulled = True
        if high:
            marks = True
        if size > largest:  # noqa: PLR1730 - calling `max` takes longer than all the rest
            largest = size
    if not letters:
        return None
    raised: list[bool] = []
    if main < largest or 2 * based < letters:
        main, baseline, raised = _base(texts, looks, largest, baseline, box[3])
        marks = True in raised
    elif marks:
        limit = _SMALLER * main
        raised = [look.high and look.size <= limit for look in looks]
    return Row(
        _text(texts, looks, raised) if marks or pulled else tidy("".join(texts)),
        page,
        block,
        main,
        heavy > 0.8 * letters,
        looks[first].mono,
        looks[last].mono,
        *box,
        baseline,
        horizontal,
        marks and raised[first],
    )


def is_raised(size: float, baseline: float, main_size: float, main_baseline: float) -> bool:
    """Whether type of this size and baseline is a superscript of the main one."""
    return size <= _SMALLER * main_size and baseline <= main_baseline - _HIGHER * main_size


def tidy(text: str) -> str:
    """The text of a row with single spaces, without soft hyphens but at its end."""
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    if "http" in text:
        text = _STRETCHED.sub(lambda match: _POINT.sub(r"\1", match[0]), text)
    if "\u00ad" in text:
        # A soft hyphen counts only where the line breaks.
        text = text[:-1].replace("\u00ad", "") + text[-1:]
    return text


def _base(
    texts: list[str],
    looks: list[Look],
    largest: float,
    baseline: float,
    bottom: float,
) -> _Base:
    """The base of a line that does not stand on its first run."""
    small, rise = _SMALLER * largest, _RISE * largest
    # A line may begin with a raised mark: then the others stand below it.
    lowered = 0 < looks[0].size <= small and bottom - baseline > _DEEP * largest
    levels = [look.size <= small if lowered else look.high for look in looks]
    size = _usual(texts, looks)
    base = next(number for number, look in enumerate(looks) if look.size == size)
    if size < largest:
        top = next(n for n, look in enumerate(looks) if look.size == largest and not texts[n].isspace())
        # Where the scraps outnumber the base (`10` with a long exponent), the largest type is the base.
        scraps = size <= small and levels[base] > levels[top]
        # Small capitals: the few large letters say how large the heading is.
        if scraps or (levels[base] == levels[top] and "".join(texts).isupper()):
            base, size = top, largest
    level, limit = levels[base], _SMALLER * size
    raised = [high and not level and look.size <= limit for high, look in zip(levels, looks, strict=True)]
    if lowered:
        baseline += 0.0 if level else rise
    elif level:
        baseline -= rise
    return _Base(size, baseline, raised)


def _usual(texts: list[str], looks: list[Look]) -> float:
    """The size of most characters, blanks too."""
    weight: dict[float, int] = {}
    for text, look in zip(texts, looks, strict=True):
        weight[look.size] = weight.get(look.size, 0) + len(text)
    # On equal weight the larger size is the base: an exponent is never longer than that by right.
    return max(weight, key=lambda key: (weight[key], key))


def _text(texts: list[str], looks: list[Look], raised: list[bool]) -> str:
    out = ""
    was_raised = False
    mono_from = -1
    for number, text in enumerate(texts):
        if text.isspace() or not text:
            out += text
            continue
        if looks[number].mono:
            mono_from = len(out) if mono_from < 0 else mono_from
        elif mono_from >= 0:
            out = close_address(out, mono_from)
            mono_from = -1
        now = bool(raised) and raised[number]
        if now or was_raised:
            out = append(out, text, raised=now, was_raised=was_raised)
            was_raised = now
        else:
            out += text
    if mono_from >= 0:
        out = close_address(out, mono_from)
    return tidy(out)


def close_address(out: str, start: int) -> str:
    """The text with the typewriter run from `start` pulled together, if that makes one address of it."""
    run = out[start:]
    body = run.strip()
    if " " not in body:
        return out
    closed = _LOOSE.sub(r"\1", body)
    if " " in closed or not any(char in closed for char in "/_.") or not _ADDRESS.search(closed):
        return out
    return out[:start] + run.replace(body, closed)


def append(out: str, text: str, *, raised: bool, was_raised: bool) -> str:
    """Add a span's text; a raised one after a base is marked `^`, a leading one is set off by a space."""
    if not raised:
        # `1 The data set`: a footnote's own mark must not grow together with its first word.
        if was_raised and text[:1].isalpha() and (_only_mark(out) or _LONE_MARK.search(out[-8:])):
            return out + " " + text
        return out + text
    text = text.replace("−", "-")
    if was_raised or not out.strip():
        return out + text
    lead = text.lstrip()
    ordinal = _ORDINAL.match(lead) and out.rstrip()[-1:].isdigit()
    if ordinal or not (lead[0].isalnum() or lead[0] in "-–+("):
        # `1st`, and marks that nobody takes for part of a number.
        return out + text
    if out.endswith(" ") and out.rstrip()[-1].isalpha():
        # `University ^2 Institute`: a mark that stands off belongs to what follows.
        return out + "^" + lead
    return out.rstrip() + "^" + lead.replace("–", "-")


def _only_mark(out: str) -> bool:
    stripped = out.strip()
    return 0 < len(stripped) <= 3 and not any(char.isalpha() and char.isupper() for char in stripped)
