"""One PDF's bytes to its text, page starts, title and sections."""

import gc
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from reprocensus.counting import counted
from reprocensus.extract.addresses import Addresses
from reprocensus.extract.assemble import Writer, write
from reprocensus.extract.characters import count_unknown
from reprocensus.extract.failures import failure
from reprocensus.extract.flow import join
from reprocensus.extract.furniture import furniture
from reprocensus.extract.headings import CAPTION
from reprocensus.extract.hyphens import Vocabulary
from reprocensus.extract.linenumbers import drop_margin_numbers
from reprocensus.extract.measures import Measures, measure
from reprocensus.extract.pages import Page, Pages, Row
from reprocensus.extract.paragraphs import Kind, Segmenter
from reprocensus.extract.rows import page_rows
from reprocensus.extract.sections import divide
from reprocensus.extract.titles import title
from reprocensus.records import Caption, Extracted, HiddenText, Section, SectionKind

#: Laid out, or MuPDF's own lines.
Mode = Literal["text", "raw"]

EXTRACTOR: Final = "pymupdf"
#: Version of the layout rules: raise it whenever the text of any paper may change.
LAYOUT_VERSION: Final = "9"
MAX_PAGES: Final = 2000

_FEW_A_PAGE: Final = 200
_FEW_IN_ALL: Final = 1000
_SCRAPS_A_PAGE: Final = 60
_PLENTY: Final = 200
_MANY_PAGES: Final = 100
_GARBLED: Final = 0.02
_UNREADABLE: Final = 0.3


def extract(data: bytes, *, max_pages: int = MAX_PAGES, mode: Mode = "text") -> Extracted:
    """Turn the bytes of one PDF into an `Extracted`. Raise ExtractError (kinds: `KINDS`) if it cannot.

    The mode `raw` gives MuPDF's own lines in its own order, with nothing joined, moved or removed but
    hidden text; it is for comparing, and finds no sections.

    It parses in C in this very process: use `ExtractPool` on files that nobody has vouched for.
    """
    # MuPDF is loaded by the first call, not by importing this module.
    from reprocensus import mupdf
    from reprocensus.extract import pdf

    version = f"{LAYOUT_VERSION}+{mupdf.version()}"
    with _collector_paused():
        read = pdf.read_pages(data, max_pages=max_pages)
        return raw(read, version) if mode == "raw" else lay_out(read, version)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without Python's cyclic garbage collector, which finds nothing here and takes its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def raw(read: Pages, version: str) -> Extracted:
    """The lines of pages as they came, a line each. Raise ExtractError('no_text') if they are no use."""
    pages = ["".join(row.text + "\n" for row in page.rows if row.text) for page in read.pages]
    text = "".join(pages)
    unknown = _unknown(read)
    _check_usable(read, text, unknown)
    sections = (Section(SectionKind.BODY, "", 0, len(text)),)
    return Extracted(
        text=text,
        page_starts=tuple(itertools.accumulate(map(len, pages[:-1]), initial=0)),
        title="",
        sections=sections,
        flags=_flags(read, text, sections, unknown),
        extractor=f"{EXTRACTOR}-raw",
        extractor_version=version,
        hidden=_hidden(read),
    )


def _hidden(read: Pages) -> tuple[HiddenText, ...]:
    return tuple(HiddenText(page.number, text) for page in read.pages for text in page.hidden)


def lay_out(read: Pages, version: str) -> Extracted:
    """Turn pages that were read into an `Extracted`. Raise ExtractError('no_text') if they are no use."""
    drop_margin_numbers(read.pages)
    unknown = _unknown(read)
    rows = [page_rows(page) for page in read.pages]
    gone = furniture(read.pages, rows)
    kept = [[row for row in page if id(row) not in gone] for page in rows]
    if not any(kept):
        # Every page says the same: that is all there is to read.
        kept = rows
    measures = measure(kept)
    writer = _write(read.pages, kept, measures)
    text = writer.text()
    _check_usable(read, text, unknown)
    sections = divide(writer.placed, len(text))
    first_line = text.split("\n", 1)[0]
    return Extracted(
        text=text,
        page_starts=writer.page_starts(),
        title=title(kept[0], read.pages[0].height, measures, read.metadata_title, first_line),
        sections=sections,
        flags=_flags(read, text, sections, unknown),
        extractor=EXTRACTOR,
        extractor_version=version,
        captions=tuple(_captions(writer)),
        hidden=_hidden(read),
    )


def _captions(writer: Writer) -> Iterator[Caption]:
    for placed in writer.placed:
        if placed.paragraph.kind is Kind.CAPTION:
            label = CAPTION.match(placed.text)
            if label is not None:
                yield Caption(label[0].rstrip(" .:|–—("), placed.start, placed.end)


def _write(pages: list[Page], rows: list[list[Row]], measures: Measures) -> Writer:
    paragraphs = [found for page in rows for found in Segmenter(page, measures).paragraphs()]
    vocabulary = Vocabulary(row.text for page in rows for row in page)
    addresses = Addresses(link.uri for page in pages for link in page.links)
    return write(join(paragraphs), vocabulary, addresses, len(pages))


def _unknown(read: Pages) -> float:
    """The share of the PDF's characters that its fonts give no meaning to."""
    texts = [row.text for page in read.pages for row in page.rows]
    odd = "".join([text for text in texts if not text.isascii()])
    return count_unknown(odd) / max(1, sum(map(len, texts)))


def _check_usable(read: Pages, text: str, unknown: float) -> None:
    # Letter by letter only where the answer is in doubt: a paper has thousands a page.
    letters = sum(map(str.isalnum, text[: _PLENTY * len(read.pages)]))
    n_pages, pictured = len(read.pages), sum(1 for page in read.pages if page.n_images)
    if unknown > _UNREADABLE:
        raise failure("no_text", "The fonts do not say which characters they show.")
    if not letters:
        raise failure("no_text", f"{counted(n_pages, 'page')} without a text layer, {pictured} with images.")
    if letters < _SCRAPS_A_PAGE * n_pages and 2 * pictured >= n_pages:
        raise failure(
            "no_text",
            f"Only {letters} characters of text on {counted(n_pages, 'page')}, {pictured} with images.",
        )


def _flags(read: Pages, text: str, sections: tuple[Section, ...], unknown: float) -> tuple[str, ...]:
    n_pages = len(read.pages)
    pictures = sum(1 for page in read.pages if page.n_images and not page.rows)
    holds = {
        "repaired": read.repaired,
        "pages_failed": read.failed > 0,
        "few_characters": len(text) < max(_FEW_IN_ALL, _FEW_A_PAGE * n_pages),
        "image_pages": pictures * 2 >= n_pages and pictures > 0,
        "many_pages": n_pages > _MANY_PAGES,
        "hidden_text": any(page.hidden for page in read.pages),
        "ocr_layer": any(page.ocr_layer for page in read.pages),
        "garbled": unknown > _GARBLED,
        "no_references": all(section.kind is not SectionKind.REFERENCES for section in sections),
    }
    return tuple(flag for flag, held in holds.items() if held)
