"""Draws passages and marks them in PDFs. Loads MuPDF; meant for worker processes (`PassagePool`)."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from PIL import Image, ImageChops

from reprocensus.extract.pdf import open_pdf
from reprocensus.mupdf import pymupdf
from reprocensus.passages.marks import Mark, Picture
from reprocensus.passages.places import PageWords, Place, Rect, Word, find

#: Pixels an inch: a line of a column fills a phone held upright, twice over.
DPI: Final = 130
#: Least share of a quote that must be found for it to be shown at all.
LEAST_SHARE: Final = 0.6
#: Points shown around a passage.
_ABOVE, _BELOW, _BESIDE = 30.0, 42.0, 10.0
#: Rects further apart than this, in points, are drawn as two strips.
_APART: Final = 90.0
#: Longest picture, in pixels; a passage that needs more is cut off below.
_TALLEST: Final = 1600
#: Points between two strips.
_GAP: Final = 6
_QUALITY: Final = 60
#: Who made the annotations.
AUTHOR: Final = "reprocensus"
_WORDS_FLAGS: Final = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP
#: A page larger than this, in points, is drawn at a lower resolution.
_LARGE: Final = 1500.0


class Marker:
    """One PDF, opened for marking. A context manager. Raises ExtractError where it cannot be opened."""

    def __init__(self, data: bytes) -> None:
        self._document = open_pdf(data)
        self._words: dict[int, PageWords] = {}

    def __enter__(self) -> "Marker":
        return self

    def __exit__(self, *_: object) -> None:
        self._document.close()

    def place(self, mark: Mark) -> Place:
        """Where the mark's quote stands."""
        near = (mark.page - 1, mark.page, mark.page + 1)
        pages = {number: self.words(number) for number in near if 1 <= number <= self._document.page_count}
        return find(pages, mark.text, mark.page, mark.before, mark.after)

    def words(self, page: int) -> PageWords:
        """The words of a page, from 1; none where it cannot be read."""
        if page not in self._words:
            try:
                found = self._document[page - 1].get_text("words", flags=_WORDS_FLAGS)
            except MemoryError:
                raise
            except Exception:
                # A page that cannot be read holds no passage; the others may.
                found = []
            self._words[page] = PageWords([Word(w[0], w[1], w[2], w[3], w[4], (w[5], w[6])) for w in found])
        return self._words[page]

    def picture(self, mark: Mark) -> Picture | None:
        """The passage, drawn; None where too little of the quote is found to show it."""
        place = self.place(mark)
        if place.share < LEAST_SHARE or not place.words:
            return None
        strips = [
            self._strip(page, cluster, colour=mark.colour)
            for page, numbers in sorted(place.words.items())
            for cluster in _clusters(self.words(page).rects(numbers))
        ]
        whole = _stacked([strip for strip in strips if strip.width and strip.height])
        sink = io.BytesIO()
        whole.save(sink, "WEBP", quality=_QUALITY, method=4)
        return Picture(sink.getvalue(), whole.width, whole.height, min(place.words), round(place.share, 4))

    def marked(self, marks: Sequence[Mark], name: str = "") -> bytes:
        """A PDF with every mark as a highlight annotation, made of nothing but the pages of this one.

        Its pages, outline and links to places in it and to http(s) addresses are copied; scripts, embedded
        files, forms, other annotations and actions are not. A password that was not needed to read is gone.
        """
        source = self._document
        with pymupdf.open() as target:
            target.insert_pdf(source, links=False, annots=False, widgets=False)
            _outline(source, target)
            for page in target:
                _links(source[page.number], page, target.page_count)
            for mark in marks:
                for page, numbers in sorted(self.place(mark).words.items()):
                    _highlight(target[page - 1], self.words(page).rects(numbers), mark)
            target.set_metadata({"title": name or _title(source), "producer": AUTHOR})
            return bytes(target.tobytes(garbage=3, deflate=True, use_objstms=1, no_new_id=True))

    def _strip(self, number: int, rects: Sequence[Rect], *, colour: str) -> Image.Image:
        """The part of a page around some rects, with these as under a highlighter."""
        page = self._document[number - 1]
        area = _around(rects, self.words(number).words) & page.rect
        scale = DPI / 72 * min(1.0, _LARGE / max(area.width, area.height, 1.0))
        drawn = page.get_pixmap(
            matrix=pymupdf.Matrix(scale, scale),
            clip=area,
            colorspace=pymupdf.csRGB,
            alpha=False,
            annots=False,
        )
        picture = Image.frombytes("RGB", (drawn.width, drawn.height), drawn.samples)
        tint = _channels(colour)
        for rect in rects:
            left, top = int(rect.x0 * scale) - drawn.x, int(rect.y0 * scale) - drawn.y
            right, bottom = int(rect.x1 * scale) - drawn.x + 1, int(rect.y1 * scale) - drawn.y + 1
            box = (max(0, left), max(0, top), min(picture.width, right), min(picture.height, bottom))
            if box[0] < box[2] and box[1] < box[3]:
                picture.paste(_tinted(picture.crop(box), tint), box)
        return picture


def pictures(data: bytes, marks: Sequence[Mark]) -> list[Picture | None]:
    """A picture of each mark's passage, None where there is none. Raises ExtractError for the whole PDF."""
    with Marker(data) as marker:
        return list(_each(marker, marks))


def _each(marker: Marker, marks: Sequence[Mark]) -> Iterator[Picture | None]:
    for mark in marks:
        try:
            yield marker.picture(mark)
        except MemoryError:
            raise
        except Exception:
            # MuPDF raises what it likes about a broken page; the passage goes without a picture.
            yield None


def marked(data: bytes, marks: Sequence[Mark], name: str = "") -> bytes:
    """The PDF with all marks as highlight annotations. Raises ExtractError where it cannot be opened."""
    with Marker(data) as marker:
        return marker.marked(marks, name)


def _clusters(rects: Sequence[Rect]) -> list[list[Rect]]:
    """The rects in groups that are near each other and in one column, in the order given."""
    groups: list[list[Rect]] = []
    for rect in rects:
        if groups and _near(groups[-1][-1], rect):
            groups[-1].append(rect)
        else:
            groups.append([rect])
    return groups


def _near(above: Rect, below: Rect) -> bool:
    apart = max(below.y0 - above.y1, above.y0 - below.y1)
    beside = min(above.x1, below.x1) - max(above.x0, below.x0)
    return apart < _APART and (beside > -_APART or apart < 0) and not (below.y1 < above.y0 and beside <= 0)


def _around(rects: Sequence[Rect], words: Sequence[Word]) -> Any:
    """The area to draw: the rects, some lines above and below, and the width of the lines around."""
    top, bottom = min(r.y0 for r in rects) - _ABOVE, max(r.y1 for r in rects) + _BELOW
    left, right = min(r.x0 for r in rects), max(r.x1 for r in rects)
    shown = [w for w in words if w.y1 > top and w.y0 < bottom]
    blocks = {w.line[0] for w in shown if w.x1 > left and w.x0 < right}
    beside = [w for w in shown if w.line[0] in blocks]
    left = min([left, *(w.x0 for w in beside)])
    right = max([right, *(w.x1 for w in beside)])
    return pymupdf.Rect(left - _BESIDE, top, right + _BESIDE, bottom)


def _stacked(strips: Sequence[Image.Image]) -> Image.Image:
    """The strips below each other on white, with a grey line between two."""
    gap = _GAP * DPI // 72
    height = sum(strip.height for strip in strips) + gap * (len(strips) - 1)
    width = max(strip.width for strip in strips)
    whole = Image.new("RGB", (width, min(height, _TALLEST)), "#b0b0b0")
    top = 0
    for strip in strips:
        sheet = Image.new("RGB", (width, strip.height), "white")
        sheet.paste(strip, (0, 0))
        whole.paste(sheet, (0, top))
        top += strip.height + gap
    return whole


def _tinted(piece: Image.Image, tint: tuple[int, int, int]) -> Image.Image:
    """The piece as it looks under a highlighter: each channel multiplied by the colour's."""
    return ImageChops.multiply(piece, Image.new("RGB", piece.size, tint))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _highlight(page: Any, rects: Sequence[Rect], mark: Mark) -> None:
    if not rects:
        return
    annotation = page.add_highlight_annot([pymupdf.Rect(*rect).quad for rect in rects])
    annotation.set_colors(stroke=[channel / 255 for channel in _channels(mark.colour)])
    words = f"{mark.title}: {mark.label}" + (f"\n{mark.note}" if mark.note else "")
    annotation.set_info(title=AUTHOR, subject=mark.title, content=words)
    annotation.update()


def _outline(source: Any, target: Any) -> None:
    """Copies the titles and pages of the outline."""
    try:
        entries = [entry[:3] for entry in source.get_toc(simple=True) if 1 <= entry[2] <= target.page_count]
        level = 0
        for entry in entries:
            # A level that is skipped, because its own entry leads nowhere, is no outline.
            level = entry[0] = min(entry[0], level + 1)
        target.set_toc(entries)
    except MemoryError:
        raise
    except Exception:
        # A broken outline is left out.
        return


def _links(source: Any, target: Any, n_pages: int) -> None:
    """Copies the page's links that lead to a place in the PDF or to an http(s) address."""
    for link in _safe(source.get_links(), n_pages):
        try:
            target.insert_link(link)
        except MemoryError:
            raise
        except Exception:
            # One odd link less.
            continue


def _safe(links: Iterable[dict[str, Any]], n_pages: int) -> Iterator[dict[str, Any]]:
    for link in links:
        if link["kind"] == pymupdf.LINK_URI and str(link["uri"]).lower().startswith(("http://", "https://")):
            yield {"kind": link["kind"], "from": link["from"], "uri": link["uri"]}
        elif link["kind"] == pymupdf.LINK_GOTO and 0 <= link["page"] < n_pages:
            place = {"kind": link["kind"], "from": link["from"], "page": link["page"]}
            yield {**place, "to": link["to"]} if isinstance(link.get("to"), pymupdf.Point) else place


def _title(source: Any) -> str:
    return str((source.metadata or {}).get("title") or "")
