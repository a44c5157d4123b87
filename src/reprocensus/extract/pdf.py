"""Reads PDF bytes into plain pages. Loads MuPDF; meant for worker processes."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from reprocensus.extract import compiled, hidden, printed
from reprocensus.extract.characters import clean
from reprocensus.extract.covered import covered, pictures
from reprocensus.extract.failures import failure, is_out_of_memory
from reprocensus.extract.lines import rows_of
from reprocensus.extract.pages import Link, Page, Pages, Row
from reprocensus.mupdf import mupdf, pymupdf, silence

MAGIC_WINDOW = 1024
# Not clipped to the page: that would cut words at its edge. `_inside` drops what lies outside as a whole.
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE
#: Only pages with fewer lines than this are asked for their pictures.
_FEW_ROWS = 10


def read_pages(data: bytes, *, max_pages: int) -> Pages:
    """Read all pages of a PDF. Raise ExtractError where there is nothing to read (see `failures.KINDS`)."""
    document = open_pdf(data)
    try:
        count = _page_count(document, max_pages)
        with reader() as lines:
            pages = [_read_page(document, number, lines) for number in range(count)]
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


def reader() -> AbstractContextManager[compiled.Reader | printed.Reader]:
    """What reads the lines of one document's text pages: by far the faster one, where it was built."""
    return nullcontext(compiled.Reader()) if compiled.library() else printed.Reader()


def open_pdf(data: bytes) -> Any:
    """PyMuPDF's document, to be closed by the caller. Raise ExtractError where it cannot be opened."""
    check_magic(data)
    silence()
    return _open(data)


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


def _read_page(document: Any, index: int, reader: compiled.Reader | printed.Reader) -> Page | None:
    try:
        # MuPDF's own page: PyMuPDF's, for what is seldom asked, costs as much again.
        page = mupdf.fz_load_page(document.this, index)
        bare = mupdf.pdf_page_from_fz_page(page)
        textpage = _textpage(document, index, page, bare)
        lines = reader.lines(textpage)
        found, suspects = rows_of(lines, index + 1)
        box = mupdf.ll_fz_bound_page(page.m_internal)
        width, height = box.x1 - box.x0, box.y1 - box.y0
        rows = [row for row in found if row.x0 < width and row.x1 > 0 and row.y0 < height and row.y1 > 0]
        outside = _outside(found, rows) if len(rows) < len(found) else []
        images = len(document.get_page_images(index)) if len(rows) < _FEW_ROWS else 0
        sheet = Page(index + 1, width, height, rows, _links(document, index, bare), images)
        odd = any(hidden.is_message(found[at].text) for at in suspects)
        _take_out_hidden(document, sheet, outside, odd=odd, clear=lines.clear)
        if suspects:
            # What is left of what a figure carries for the program that drew it, in type of no size.
            sheet.rows = [row for row in sheet.rows if not hidden.is_below(row, hidden.DUST)]
        names = pictures(bare)
        if names:
            _take_out_covered(document, sheet, names)
    except Exception as error:
        _pass_on(error)
        # One unreadable page must not cost the others; the caller counts and flags it.
        return None
    return sheet


def _textpage(document: Any, index: int, page: Any, bare: Any) -> Any:
    """MuPDF's text page; of a page that is shown turned, as it stands before that."""
    turn = mupdf.ll_pdf_dict_gets_inheritable(bare.obj().m_internal, "Rotate")
    if turn and mupdf.ll_pdf_to_int(turn):
        return document.load_page(index).get_textpage(flags=_FLAGS).this
    return mupdf.FzStextPage(page, mupdf.FzStextOptions(_FLAGS))


def _take_out_hidden(document: Any, sheet: Page, outside: list[str], *, odd: bool, clear: bool) -> None:
    """Move what a reader does not see from the rows of a page to its hidden text."""
    sheet.hidden += [text for text in outside if hidden.is_message(text)]
    if odd or clear:
        found, sheet.ocr_layer = hidden.look(document.load_page(sheet.number - 1), clear=clear)
        sheet.rows, texts = hidden.part(sheet.rows, found)
        sheet.hidden += texts
    if odd:
        tiny = [
            row for row in sheet.rows if hidden.is_below(row, hidden.TINY) and hidden.is_message(row.text)
        ]
        sheet.hidden += [row.text for row in tiny]
        sheet.rows = [row for row in sheet.rows if row not in tiny]


def _take_out_covered(document: Any, sheet: Page, names: set[bytes]) -> None:
    """Move what pictures cover from a page's rows to its hidden text, unless it is the text of a scan."""
    rows = covered(document, sheet.number - 1, sheet.rows, names)
    if not rows:
        return
    if 2 * sum(len(row.text) for row in rows) > sum(len(row.text) for row in sheet.rows):
        # Some programs put what they recognised below the picture of the page.
        sheet.ocr_layer = True
        return
    gone = {id(row) for row in rows}
    sheet.hidden += [row.text for row in rows]
    sheet.rows = [row for row in sheet.rows if id(row) not in gone]


def _outside(found: list[Row], rows: list[Row]) -> list[str]:
    """The texts of those that are not among the rows on the sheet."""
    inside = {id(row) for row in rows}
    return [row.text for row in found if id(row) not in inside]


def _links(document: Any, index: int, bare: Any) -> list[Link]:
    """The page's annotations that lead to web addresses; those that lead inside the paper are passed over."""
    links: list[Link] = []
    try:
        annotations = mupdf.ll_pdf_dict_gets(bare.obj().m_internal, "Annots")
        turned: Any = None
        for number in range(mupdf.ll_pdf_array_len(annotations) if annotations else 0):
            annotation = mupdf.ll_pdf_array_get(annotations, number)
            action = mupdf.ll_pdf_dict_gets(annotation, "A")
            address = action and mupdf.ll_pdf_dict_gets(action, "URI")
            if not address:
                continue
            uri = clean(mupdf.ll_pdf_to_text_string(address)).strip()
            if uri.lower().startswith(("http:", "https:", "ftp:", "www.")):
                turned = turned or document.load_page(index).transformation_matrix
                box = mupdf.ll_pdf_dict_get_rect(annotation, mupdf.ll_pdf_new_name("Rect"))
                place = pymupdf.Rect(box.x0, box.y0, box.x1, box.y1) * turned
                links.append(Link(place.x0, place.y0, place.x1, place.y1, uri))
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
