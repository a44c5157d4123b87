"""Text that is drawn first and then covered by a picture, so that nobody sees it.

Where pictures stand is read from the page's own operators, which costs little; only where running text stands
at such a place is the page drawn, with its pictures and without: ink that goes with them has been seen.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from reprocensus.extract.hidden import Box, is_message
from reprocensus.extract.pages import Row
from reprocensus.mupdf import mupdf, pymupdf

#: Operators that say where a picture is put: the state saved and restored, the matrix, the picture itself.
_OPERATOR: Final = re.compile(
    rb"(?<!\S)(?:(q)|(Q)|((?:[-+.\d]+\s+){6})cm|/([^\s/<>\[\]()]+)\s+Do)(?!\S)", re.ASCII
)
#: Longer pages are plots, not text; reading their operators would take longer than all the rest.
_LONGEST: Final = 1 << 19
#: Pixels a point at which a page is drawn to be compared.
_ZOOM: Final = 2.0
#: Levels of grey by which ink differs from paper, and by which it still does under what covers it.
_INK: Final = 60
_SEEN: Final = 12
#: Pages of more square points are not drawn.
_LARGE_PAGE: Final = 2_000_000


def pictures(bare: Any) -> set[bytes]:
    """The names of the pictures that a page itself puts somewhere, from its resources."""
    resources = mupdf.ll_pdf_dict_gets_inheritable(bare.obj().m_internal, "Resources")
    objects = resources and mupdf.ll_pdf_dict_gets(resources, "XObject")
    found: set[bytes] = set()
    for at in range(mupdf.ll_pdf_dict_len(objects) if objects else 0):
        value = mupdf.ll_pdf_dict_get_val(objects, at)
        kind = mupdf.ll_pdf_dict_gets(value, "Subtype")
        if kind and mupdf.ll_pdf_to_name(kind) == "Image":
            name = mupdf.ll_pdf_to_name(mupdf.ll_pdf_dict_get_key(objects, at))
            found.add(name.encode("utf-8", "surrogateescape"))
    return found


def covered(document: Any, index: int, rows: list[Row], names: set[bytes]) -> list[Row]:
    """The rows of running text that a picture covers. `names` are the page's `pictures`."""
    page = document.load_page(index)
    contents = page.read_contents()
    if len(contents) > _LONGEST or page.rect.width * page.rect.height > _LARGE_PAGE:
        return []
    turn = page.transformation_matrix
    places = [Box(*(rect * turn).normalize()) for rect in _places(contents, names)]
    suspects = {
        id(row): row
        for row in rows
        for place in places
        if place.holds(Box(row.x0, row.y0, row.x1, row.y1)) and is_message(row.text)
    }
    if not suspects:
        return []
    return list(_unseen(document, index, list(suspects.values())))


def _places(contents: bytes, names: set[bytes]) -> Iterator[Any]:
    """Where each picture is put, in the page's own coordinates."""
    matrix, saved = pymupdf.Matrix(1, 1), []
    for save, restore, numbers, name in _OPERATOR.findall(contents):
        if save:
            saved.append(matrix)
        elif restore:
            matrix = saved.pop() if saved else matrix
        elif numbers:
            try:
                matrix = pymupdf.Matrix(*map(float, numbers.split())) * matrix
            except ValueError:
                # Such as `1.2.3`, which MuPDF reads in its own way.
                continue
        elif name in names:
            yield pymupdf.Rect(0, 0, 1, 1) * matrix


def _unseen(document: Any, index: int, rows: list[Row]) -> Iterator[Row]:
    """Those of the rows whose ink shows only where the page is drawn without its pictures."""
    with pymupdf.open() as copy:
        copy.insert_pdf(document, from_page=index, to_page=index, links=False, annots=False, widgets=False)
        page = copy[0]
        # As it stands before it is shown turned, which is how the rows are measured.
        page.set_rotation(0)
        with_them = _drawn(page)
        for image in page.get_images(full=True):
            page.delete_image(image[0])
        without = _drawn(page)
    for row in rows:
        if _goes(_cut(with_them, row), _cut(without, row)):
            yield row


def _drawn(page: Any) -> Any:
    return page.get_pixmap(matrix=pymupdf.Matrix(_ZOOM, _ZOOM), colorspace=pymupdf.csGRAY, alpha=False)


def _cut(drawn: Any, row: Row) -> bytes:
    """The levels of grey where a row stands."""
    left, right = max(0, int(row.x0 * _ZOOM)), min(drawn.width, int(row.x1 * _ZOOM) + 1)
    top, bottom = max(0, int(row.y0 * _ZOOM)), min(drawn.height, int(row.y1 * _ZOOM) + 1)
    samples = drawn.samples
    lines = range(top * drawn.stride, bottom * drawn.stride, drawn.stride)
    return b"".join([samples[at + left : at + right] for at in lines]) if left < right else b""


def _goes(covered_part: bytes, bare_part: bytes) -> bool:
    """Whether ink on the bare part cannot be told from its surroundings on the covered one."""
    if not bare_part or len(bare_part) != len(covered_part):
        return False
    paper = max(set(bare_part), key=bare_part.count)
    ink = [shade for shade, bare in zip(covered_part, bare_part, strict=True) if abs(bare - paper) > _INK]
    rest = [shade for shade, bare in zip(covered_part, bare_part, strict=True) if abs(bare - paper) <= _SEEN]
    if not ink or not rest:
        return False
    return abs(sum(ink) / len(ink) - sum(rest) / len(rest)) < _SEEN
