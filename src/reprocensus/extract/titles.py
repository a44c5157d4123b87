"""The paper's title: the largest type near the top of its first page."""

import re
from typing import Final

from reprocensus.extract.measures import Measures
from reprocensus.extract.pages import Row

_MAX_CHARS: Final = 300
_MIN_LETTERS: Final = 6
_NO_TITLE: Final = re.compile(
    r"(?:proceedings of|published as|under review|journal of|in proceedings|arxiv:|copyright|"
    r"the .{3,60} conference on|"
    r"conference on|workshop|\d+(?:st|nd|rd|th) (?:annual )?|vol(?:ume|\.)|abstract$|introduction$|"
    r"https?:|www\.|international joint|"
    r"transactions|research article|open access|full paper|long paper|short paper|advances in)",
    re.IGNORECASE,
)
_NO_METADATA: Final = re.compile(
    r"(?:untitled|microsoft word|.*\.(?:dvi|tex|docx?|pdf|ps|indd|rtf)\b|title$|paper\b|"
    r"formatting instructions|instructions for|"
    r"\d+$|.*\bpii\b|arxiv|main$|camera.?ready|iclr|latex|.*template|.*author guidelines)",
    re.IGNORECASE,
)


def title(rows: list[Row], height: float, measures: Measures, metadata: str, first_line: str) -> str:
    """Return the title of a paper whose first page has these rows, its furniture already left out.

    `metadata` is the PDF's own title, taken where the page gives none; `first_line` the last resort.
    """
    found = _from_page(rows, height, measures)
    if found:
        return found
    if _sane(metadata) and not _NO_METADATA.match(metadata) and " " in metadata.strip():
        return " ".join(metadata.split())
    return _shorten(first_line)


def title_rows(rows: list[Row], height: float, measures: Measures) -> list[Row]:
    """The rows that make the title up, or none."""
    top = [
        row
        for row in rows
        if row.horizontal and (height <= 0 or row.y0 < 0.5 * height) and _letters(row.text) > 0
    ]
    sizes = sorted({row.size for row in top if row.size >= measures.body + 0.8}, reverse=True)
    for size in sizes[:4]:
        block = _block(top, size)
        text = _joined(block)
        if _sane(text) and not _NO_TITLE.match(text):
            return block
    return _bold_block(top, measures)


def _from_page(rows: list[Row], height: float, measures: Measures) -> str:
    return _joined(title_rows(rows, height, measures))


def _block(top: list[Row], size: float) -> list[Row]:
    """The first run of rows of about this size that stand close below each other."""
    block: list[Row] = []
    for row in top:
        # Small capitals make a row's usual size smaller than its large letters.
        alike = abs(row.size - size) <= max(0.6, 0.06 * size)
        if not alike:
            if block:
                break
            continue
        if block and not 0 < row.baseline - block[-1].baseline < 2.4 * size:
            break
        block.append(row)
    return block


def _bold_block(top: list[Row], measures: Measures) -> list[Row]:
    block: list[Row] = []
    for row in top:
        fits = row.bold and row.size >= measures.body - 0.2 and not _NO_TITLE.match(row.text)
        if fits and (not block or 0 < row.baseline - block[-1].baseline < 2.0 * row.size):
            block.append(row)
        elif block:
            break
    return block if _sane(_joined(block)) else []


def _joined(rows: list[Row]) -> str:
    out = ""
    for row in rows:
        if out.endswith("-") and row.text[:1].islower():
            # A title is broken at hyphens of its own more often than inside a word.
            out += row.text
        else:
            out = f"{out} {row.text}" if out else row.text
    return re.sub(r"\s*[∗*†‡]+$", "", out).strip()


def _sane(text: str) -> bool:
    return _letters(text) >= _MIN_LETTERS and len(text) <= _MAX_CHARS and "\ufffd" not in text


def _letters(text: str) -> int:
    return sum(char.isalpha() for char in text)


def _shorten(line: str) -> str:
    words = " ".join(line.split())
    return words if len(words) <= _MAX_CHARS else words[:_MAX_CHARS].rsplit(" ", 1)[0]
