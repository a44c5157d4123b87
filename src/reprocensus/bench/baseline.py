"""What MuPDF itself makes of a PDF: the baseline of speed, and the raw text that ours is checked against.

It shares no code with `extract.pdf` on purpose: a check that reads pages the way the extractor does would
repeat its mistakes.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from reprocensus.mupdf import pymupdf

_SUPERSCRIPT: Final = 1
_NEGATIVE: Final = re.compile(r"[-−–‐]\s?(\d{1,3})")


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page as MuPDF gives it. `lines` are (top edge as a share of the page's height, text), from the top.

    `uris` are the web addresses of its link annotations, `exponents` the k of every 10^-k that is set as a
    superscript.
    """

    text: str
    lines: tuple[tuple[float, str], ...]
    uris: tuple[str, ...]
    exponents: tuple[str, ...]


def count_pages(data: bytes) -> int:
    """How many pages a PDF has."""
    with pymupdf.open(stream=data, filetype="pdf") as document:
        return int(document.page_count)


def textpages(data: bytes) -> None:
    """Makes MuPDF's text page of every page and throws it away."""
    with pymupdf.open(stream=data, filetype="pdf") as document:
        for page in document:
            page.get_textpage()


def text(data: bytes) -> str:
    """The text of every page in MuPDF's own order, as `page.get_text()` gives it."""
    with pymupdf.open(stream=data, filetype="pdf") as document:
        return "\f".join(page.get_text() for page in document)


def raw_pages(data: bytes) -> list[RawPage]:
    """Every page for the checks of `quality`."""
    with pymupdf.open(stream=data, filetype="pdf") as document:
        return [_raw_page(document, number) for number in range(document.page_count)]


def _raw_page(document: Any, number: int) -> RawPage:
    try:
        page = document.load_page(number)
    except Exception:
        # Ours has no text of a page that cannot be read either; it flags the paper.
        return RawPage("", (), (), ())
    found = page.get_text("dict", flags=pymupdf.TEXTFLAGS_TEXT)
    lines = [line for block in found["blocks"] for line in block.get("lines", ())]
    height = found["height"] or 1.0
    placed = sorted(
        (line["bbox"][1] / height, "".join(span["text"] for span in line["spans"])) for line in lines
    )
    uris = (link.get("uri") or "" for link in page.get_links())
    return RawPage(
        text=page.get_text(),
        lines=tuple(placed),
        uris=tuple(uri for uri in uris if uri.lower().startswith(("http://", "https://"))),
        exponents=tuple(k for line in lines for k in _exponents(line["spans"])),
    )


def _exponents(spans: list[dict[str, Any]]) -> list[str]:
    """The k of every 10 that is followed by a smaller, raised -k in the same line."""
    found = []
    for index, base in enumerate(spans):
        if not re.search(r"(?<![\d.])10\s?$", base["text"]):
            continue
        raised = ""
        for span in spans[index + 1 :]:
            above = span["origin"][1] < base["origin"][1] - 0.15 * base["size"]
            if not (span["size"] < 0.9 * base["size"] and (above or span["flags"] & _SUPERSCRIPT)):
                break
            raised += span["text"]
        match = _NEGATIVE.match(raised.strip())
        if match:
            found.append(match[1])
    return found
