"""The text of a line set in several styles: superscripts marked, stretched addresses pulled together."""

import re
from typing import Final

from reprocensus.extract.pages import Row, Span

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


def row_of(
    spans: list[Span],
    box: tuple[float, float, float, float],
    page: int,
    block: int,
    *,
    horizontal: bool = True,
) -> Row:
    """The row that spans make, from left to right, within `box` (x0, y0, x1, y1)."""
    main = _base(spans)
    inked = [span for span in spans if not span.text.isspace()] or spans
    letters = bold = 0
    for span in inked:
        letters += len(span.text)
        if span.bold:
            bold += len(span.text)
    first = inked[0]
    return Row(
        _text(spans, main),
        page,
        block,
        round(main.size, 1),
        bold > 0.8 * letters,
        first.mono,
        inked[-1].mono,
        *box,
        main.baseline,
        horizontal,
        is_raised(first.size, first.baseline, main.size, main.baseline),
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


def _main(spans: list[Span]) -> Span:
    """The first span of the size that most characters have."""
    weight: dict[float, int] = {}
    for span in spans:
        weight[span.size] = weight.get(span.size, 0) + len(span.text)
    # On equal weight the larger size is the base: an exponent is never longer than that by right.
    size = max(weight, key=lambda key: (weight[key], key))
    return next(span for span in spans if span.size == size)


def _base(spans: list[Span]) -> Span:
    main = _main(spans)
    # Where the scraps outnumber the base (`10` with a long exponent), the largest lettered span is the base.
    largest = main
    for span in spans:
        if span.size > largest.size and not span.text.isspace():
            largest = span
    if largest is main:
        return main
    if main.size <= _SMALLER * largest.size and main.baseline < largest.baseline - _HIGHER * largest.size:
        return largest
    if abs(main.baseline - largest.baseline) < 0.5 and "".join([span.text for span in spans]).isupper():
        # Small capitals: the few large letters say how large the heading is.
        return largest
    return main


def _text(spans: list[Span], main: Span) -> str:
    out = ""
    raised = False
    mono_from = -1
    size, baseline = main.size, main.baseline
    for span in spans:
        text = span.text
        if text.isspace():
            out += text
            continue
        if span.mono:
            mono_from = len(out) if mono_from < 0 else mono_from
        elif mono_from >= 0:
            out = close_address(out, mono_from)
            mono_from = -1
        now = span.size < size and is_raised(span.size, span.baseline, size, baseline)
        out = append(out, text, raised=now, was_raised=raised) if now or raised else out + text
        raised = now
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
    lead = text.lstrip()
    if was_raised or not out.strip():
        return out + text.replace("−", "-")
    ordinal = _ORDINAL.match(lead) and out.rstrip()[-1:].isdigit()
    if ordinal or not (lead[0].isalnum() or lead[0] in "-−–+("):
        # `1st`, and marks that nobody takes for part of a number.
        return out + text
    if out.endswith(" ") and out.rstrip()[-1].isalpha():
        # `University ^2 Institute`: a mark that stands off belongs to what follows.
        return out + "^" + lead
    return out.rstrip() + "^" + lead.replace("−", "-").replace("–", "-")


def _only_mark(out: str) -> bool:
    stripped = out.strip()
    return 0 < len(stripped) <= 3 and not any(char.isalpha() and char.isupper() for char in stripped)
