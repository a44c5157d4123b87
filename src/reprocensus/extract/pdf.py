"""Reads PDF bytes into plain pages. The only module that imports PyMuPDF; meant for worker processes."""

from functools import lru_cache
from typing import Any

import pymupdf as _pymupdf

from reprocensus.extract.characters import clean
from reprocensus.extract.failures import failure, is_out_of_memory
from reprocensus.extract.pages import Line, Link, Page, Pages, Span

#: PyMuPDF carries hints for some of its functions only.
pymupdf: Any = _pymupdf

MAGIC_WINDOW = 1024
_ITALIC, _MONO, _BOLD = 2, 8, 16
_BOLD_NAMES = ("bold", "medi", "demi", "black", "cmbx", "sfbx", "cmssbx", "heavy", "-bd", "semibold")
# Not clipped to the page: that would cut words at its edge. `_line` drops what lies outside as a whole.
_MONO_NAMES = (
    "mono",
    "monl",
    "cmtt",
    "sftt",
    "ectt",
    "txtt",
    "courier",
    "typewriter",
    "consol",
    "menlo",
    "lmtt",
)
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE


def version() -> str:
    """PyMuPDF's version."""
    return str(pymupdf.VersionBind)


def silence() -> None:
    """Keep MuPDF's warnings and PyMuPDF's advice off the terminal, for the life of the process."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)


def read_pages(data: bytes, *, max_pages: int) -> Pages:
    """Read all pages of a PDF. Raise ExtractError where there is nothing to read (see `failures.KINDS`)."""
    check_magic(data)
    silence()
    document = _open(data)
    try:
        count = _page_count(document, max_pages)
        pages = [_read_page(document, number) for number in range(count)]
        read = [page for page in pages if page is not None]
        if not read:
            raise failure("broken", f"None of the {count} pages can be read.")
        metadata = document.metadata or {}
        return Pages(
            pages=[page or Page(i + 1, 0.0, 0.0, [], []) for i, page in enumerate(pages)],
            metadata_title=clean(str(metadata.get("title") or "")).strip(),
            repaired=bool(document.is_repaired),
            failed=count - len(read),
        )
    finally:
        document.close()


def check_magic(data: bytes) -> None:
    """Raise ExtractError unless the bytes say near their start that they are a PDF.

    MuPDF opens HTML and plain text as well, so it cannot be asked.
    """
    if not data:
        raise failure("empty", "The file is empty.")
    head = data[:MAGIC_WINDOW]
    if b"%PDF-" not in head:
        raise failure("not_pdf", f"The file is no PDF: {_looks_like(head)}.")


def _looks_like(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kinds = (
        (b"\x1f\x8b", "it is gzip-compressed (an undecoded download)"),
        (b"pk\x03\x04", "it is a zip archive"),
        (b"%!ps", "it is PostScript"),
        (b"\x89png", "it is a PNG image"),
        (b"\xff\xd8\xff", "it is a JPEG image"),
        (b"{\\rtf", "it is RTF"),
        (b"{", "it looks like JSON"),
    )
    for magic, words in kinds:
        if start.startswith(magic):
            return words
    if start.startswith((b"<!doctype html", b"<html")) or b"<head" in start or b"<body" in start:
        return "it is an HTML page, such as a login or error page"
    if start.startswith(b"<"):
        return "it looks like XML or HTML"
    return f"it starts with {head[:16]!r}"


def _open(data: bytes) -> Any:
    try:
        document = pymupdf.open(stream=data, filetype="pdf")
    except Exception as error:
        _pass_on(error)
        raise failure("broken", f"MuPDF cannot open the file ({_words(error)}).") from error
    # An empty user password has been tried already; only what still needs one is out of reach.
    if document.needs_pass:
        document.close()
        raise failure("encrypted", "The file is encrypted with a password.")
    return document


def _page_count(document: Any, max_pages: int) -> int:
    try:
        count = int(document.page_count)
    except Exception as error:
        _pass_on(error)
        raise failure("broken", f"The page tree cannot be read ({_words(error)}).") from error
    if count < 1:
        raise failure("no_pages", "The PDF has no pages.")
    if count > max_pages:
        raise failure("too_many_pages", f"The PDF has {count} pages, more than the limit of {max_pages}.")
    return count


def _read_page(document: Any, index: int) -> Page | None:
    try:
        page = document.load_page(index)
        found = page.get_text("dict", flags=_FLAGS)
        images = len(page.get_images())
    except Exception as error:
        _pass_on(error)
        # One unreadable page must not cost the others; the caller counts and flags it.
        return None
    lines = []
    for number, block in enumerate(found["blocks"]):
        for line in block.get("lines", ()):
            built = _line(line, number)
            if built is not None and _inside(built, found["width"], found["height"]):
                lines.append(built)
    return Page(index + 1, float(found["width"]), float(found["height"]), lines, _links(page), images)


def _line(line: dict[str, Any], block: int) -> Line | None:
    spans: list[Span] = []
    # MuPDF cuts a justified line into a span a word; runs of one style are put together again.
    run: list[str] = []
    style: tuple[str, float, int] = ("", 0.0, 0)
    baseline = start = end = 0.0
    for span in line["spans"]:
        size, font = span["size"], span["font"]
        x0, _, x1, _ = span["bbox"]
        here = span["origin"][1]
        if run and font == style[0] and abs(size - style[1]) < 0.05 and abs(here - baseline) < 0.3:
            run.append(span["text"])
            end = x1
            continue
        if run:
            spans.append(_span(run, style, baseline, start, end))
        run, style, baseline, start, end = [span["text"]], (font, size, span["flags"]), here, x0, x1
    if run:
        spans.append(_span(run, style, baseline, start, end))
    if not any(span.text.strip() for span in spans):
        return None
    x0, y0, x1, y1 = line["bbox"]
    return Line(spans, x0, y0, x1, y1, block, line["dir"][0] > 0.9)


def _inside(line: Line, width: float, height: float) -> bool:
    return line.x0 < width and line.x1 > 0 and line.y0 < height and line.y1 > 0


def _span(run: list[str], style: tuple[str, float, int], baseline: float, x0: float, x1: float) -> Span:
    font, size, flags = style
    bold, mono = _looks(font)
    return Span(
        text=clean("".join(run)),
        size=size,
        font=font,
        bold=bold or bool(flags & _BOLD),
        italic=bool(flags & _ITALIC),
        mono=mono or bool(flags & _MONO),
        baseline=baseline,
        x0=x0,
        x1=x1,
    )


@lru_cache(maxsize=4096)
def _looks(font: str) -> tuple[bool, bool]:
    """Whether a font's name says that it is bold, and that it is a typewriter's: its flags often do not."""
    name = font.lower()
    return any(part in name for part in _BOLD_NAMES), any(part in name for part in _MONO_NAMES)


def _links(page: Any) -> list[Link]:
    links = []
    try:
        link = page.first_link
        while link is not None:
            uri = link.uri or ""
            if uri.lower().startswith(("http://", "https://", "ftp://")):
                box = link.rect
                links.append(Link(box.x0, box.y0, box.x1, box.y1, clean(uri)))
            link = link.next
    except Exception as error:
        _pass_on(error)
        # Links only help to put broken addresses together; text without them is still good.
        return links
    return links


def _pass_on(error: Exception) -> None:
    """Raise MemoryError if that is what the error means: it concerns the process, not the file."""
    if is_out_of_memory(error):
        raise MemoryError(str(error)) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
