"""Hostile PDFs, made in code: what a broken download gives, and what somebody may send on purpose."""

import random
import zlib
from collections.abc import Sequence
from typing import Any

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
WORDS = b"BT /F 10 Tf 72 700 Td (The method is evaluated on a public data set with five seeds.) Tj ET\n"


def stream(data: bytes, extra: bytes = b"", *, times: int = 1) -> bytes:
    """A stream object's body, compressed so many times."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    filters = b"/Filter[" + b"/FlateDecode" * times + b"]" if times else b""
    return b"<</Length %d%s%s>>\nstream\n%s\nendstream" % (len(data), filters, extra, data)


def build(objects: dict[int, bytes], trailer: bytes = b"", *, root: int = 1) -> bytes:
    """A PDF of numbered objects with a correct cross-reference table."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number in sorted(objects):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    size = max(objects) + 1
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        if number in offsets:
            out += b"%010d 00000 n \n" % offsets[number]
        else:
            out += b"0000000000 65535 f \n"
    out += b"trailer\n<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (size, root, trailer, start)
    return bytes(out)


def document(
    *contents: bytes,
    box: bytes = b"[0 0 612 792]",
    fonts: bytes = b"",
    resources: bytes = b"",
    page: bytes = b"",
    catalog: bytes = b"",
    more: dict[int, bytes] | None = None,
    trailer: bytes = b"",
) -> bytes:
    """A PDF with a page for each content stream (a whole stream object). Objects from 1000 on are free."""
    kids = b" ".join(b"%d 0 R" % (10 + 2 * n) for n in range(len(contents)))
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        2: b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(contents), kids),
        3: FONT,
        **(more or {}),
    }
    for n, content in enumerate(contents):
        objects[10 + 2 * n] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox%s/Resources<</Font<</F 3 0 R%s>>%s>>/Contents %d 0 R%s>>"
            % (box, fonts, resources, 11 + 2 * n, page)
        )
        objects[11 + 2 * n] = content
    return build(objects, trailer)


def nested_forms(levels: int) -> bytes:
    """A page that draws a form that draws two forms, and so on: 2 ** levels lines of text from a few kB."""
    more = {}
    for level in range(levels):
        last = level == levels - 1
        body = WORDS if last else b"/X Do /X Do\n"
        inner = b"/Font<</F 3 0 R>>" if last else b"/XObject<</X %d 0 R>>" % (1001 + level)
        extra = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<<%s>>" % inner
        more[1000 + level] = stream(body, extra)
    return document(stream(b"/X Do\n"), resources=b"/XObject<</X 1000 0 R>>", more=more)


def many_glyphs(count: int) -> bytes:
    """One page with so many glyphs in a few hundred lines."""
    line = b"(" + b"glyphs and " * 90 + b"more words) Tj 0 -0.001 Td\n"
    lines = max(1, count // 1000)
    return document(stream(WORDS + b"BT /F 1 Tf 10 780 Td\n" + line * lines + b"ET\n"))


def many_pages(count: int) -> bytes:
    """So many pages with one content stream, in one flat list."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents 11 0 R>>"
    kids = range(100, 100 + count)
    return build(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, b" ".join(b"%d 0 R" % kid for kid in kids)),
            3: FONT,
            11: stream(WORDS),
            **dict.fromkeys(kids, page),
        }
    )


def inflating_content(mebibytes: int) -> bytes:
    """A page whose content inflates to so many MiB of spaces before the text, from a few kB."""
    return document(_inflating(b" ", mebibytes, WORDS))


def inflating_font(mebibytes: int) -> bytes:
    """A page whose embedded font file inflates to so many MiB."""
    descriptor = b"<</Type/FontDescriptor/FontName/Bad/Flags 4/FontBBox[0 0 1 1]/FontFile2 1001 0 R>>"
    font = b"<</Type/Font/Subtype/TrueType/BaseFont/Bad/FontDescriptor 1000 0 R>>"
    more = {1000: descriptor, 1001: _inflating(b"\0", mebibytes, b""), 1002: font}
    page = stream(b"BT /G 10 Tf 72 600 Td (set in the font) Tj ET\n" + WORDS)
    return document(page, fonts=b"/G 1002 0 R", more=more)


def inflating_cmap(mebibytes: int) -> bytes:
    """A font whose character map inflates to so many MiB."""
    more = {3: _with(FONT, b"/ToUnicode 1000 0 R"), 1000: _inflating(b" ", mebibytes, b"")}
    return document(stream(WORDS), more=more)


def _with(dictionary: bytes, entries: bytes) -> bytes:
    return dictionary[:-2] + entries + b">>"


def _inflating(filler: bytes, mebibytes: int, tail: bytes) -> bytes:
    """A stream of so many MiB, packed twice, that was never whole in memory.

    A block that ends in a full flush refers to nothing before it, so one packed MiB stands for all.
    """
    block, packer, last = filler * 2**20, zlib.compressobj(9, wbits=-15), zlib.compressobj(9, wbits=-15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 1
    for _ in range(mebibytes):
        check = zlib.adler32(block, check)
    end = last.compress(tail) + last.flush() + zlib.adler32(tail, check).to_bytes(4, "big")
    data = zlib.compress(b"\x78\xda" + packed * mebibytes + end, 9)
    return b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>\nstream\n%s\nendstream" % (len(data), data)


def deep_page_tree(depth: int) -> bytes:
    """One page below so many nested nodes."""
    objects = {1: b"<</Type/Catalog/Pages 100 0 R>>", 3: FONT, 11: stream(WORDS)}
    for level in range(depth):
        kid = 101 + level if level < depth - 1 else 10
        parent = b"/Parent %d 0 R" % (99 + level) if level else b""
        objects[100 + level] = b"<</Type/Pages/Count 1/Kids[%d 0 R]%s>>" % (kid, parent)
    objects[10] = (
        b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents 11 0 R>>"
        % (99 + depth)
    )
    return build(objects)


def cyclic_page_tree() -> bytes:
    """A page tree whose node is its own kid, and then a page."""
    return document(stream(WORDS)).replace(b"/Kids[10 0 R]", b"/Kids[2 0 R 10 0 R]")


def cyclic_outlines() -> bytes:
    """An outline whose entries are one another's next and child."""
    more = {
        1000: b"<</Type/Outlines/First 1001 0 R/Last 1002 0 R/Count 2>>",
        1001: b"<</Title(a)/Parent 1000 0 R/Next 1002 0 R/First 1001 0 R/Last 1002 0 R/Count 9>>",
        1002: b"<</Title(b)/Parent 1001 0 R/Next 1001 0 R/Prev 1001 0 R>>",
    }
    return document(stream(WORDS), catalog=b"/Outlines 1000 0 R", more=more)


def deep_objects(depth: int) -> bytes:
    """An array nested so deep that a parser which recurses runs out of stack."""
    return document(stream(WORDS), more={1000: b"[" * depth + b"]" * depth}, page=b"/Deep 1000 0 R")


def deep_content(depth: int) -> bytes:
    """So many saved graphics states, marked contents and nested arrays in one content stream."""
    body = b"q /P BMC " * depth + b"[" * depth + b"]" * depth + b"\n" + WORDS + b"EMC Q " * depth
    return document(stream(body))


def bad_fonts() -> bytes:
    """Fonts with rubbish for files, widths, encodings and character maps."""
    chance = random.Random(4)
    rubbish = chance.randbytes(5000)
    cmap = b"/CIDInit begincmap 1 begincodespacerange <00> <FFFFFFFFFFFF> endcodespacerange\n"
    cmap += b"9999999 beginbfrange\n"
    cmap += b"<00> <FF> <D800>\n<20> <7E> [<DFFF> <0000> <FFFF>]\n" * 50
    fonts = {
        1000: b"<</Type/Font/Subtype/Type1/BaseFont/A/FontDescriptor 1001 0 R/FirstChar -5/LastChar 99999999"
        b"/Widths[1e30 -1e30 null]/ToUnicode 1003 0 R>>",
        1001: b"<</Type/FontDescriptor/FontName/A/Flags -1/FontFile 1002 0 R/FontFile2 1002 0 R"
        b"/FontFile3 1002 0 R>>",
        1002: stream(rubbish, b"/Length1 99999999/Length2 -1/Length3 0"),
        1003: stream(cmap),
        1004: b"<</Type/Font/Subtype/Type0/BaseFont/B/Encoding/Identity-H/DescendantFonts[1004 0 R]>>",
        1005: b"<</Type/Font/Subtype/Type3/FontBBox[0 0 0 0]/FontMatrix[0 0 0 0 0 0]/CharProcs<</a 1006 0 R>>"
        b"/Encoding<</Differences[97/a]>>/FirstChar 97/LastChar 97/Widths[0]"
        b"/Resources<</Font<</T 1005 0 R>>>>>>",
        1006: stream(b"BT /T 1 Tf (aaaa) Tj ET"),
    }
    body = b"".join(
        b"BT /%s 10 Tf 72 %d Td (aaaa some words) Tj ET\n" % (name, 600 - 20 * n)
        for n, name in enumerate((b"A", b"B", b"C"))
    )
    return document(stream(body + WORDS), fonts=b"/A 1000 0 R/B 1004 0 R/C 1005 0 R", more=fonts)


def annotations(count: int, *, links: bool) -> bytes:
    """A page with so many annotations: links to a web address of a point's size, or notes with text."""
    entry = (
        b"<</Type/Annot/Subtype/Link/Rect[%d %d %d %d]/A<</S/URI/URI(https://example.org/%d)>>>>"
        if links
        else b"<</Type/Annot/Subtype/Text/Rect[%d %d %d %d]/Contents(A note, number %d)>>"
    )
    entries = b"\n".join(
        entry % (n % 600, n // 600 % 700, n % 600 + 1, n // 600 % 700 + 1, n) for n in range(count)
    )
    return document(stream(WORDS), page=b"/Annots[%s]" % entries)


def scripted() -> bytes:
    """JavaScript on opening, an attached file, and a form."""
    more = {
        1000: b"<</S/JavaScript/JS(while\\(true\\){app.alert\\(1\\);})>>",
        1001: b"<</Names[(a.exe) 1002 0 R]>>",
        1002: b"<</Type/Filespec/F(a.exe)/EF<</F 1003 0 R>>>>",
        1003: stream(b"MZ" + bytes(1000), b"/Type/EmbeddedFile"),
        1004: b"<</Fields[1005 0 R]/XFA 1003 0 R>>",
        1005: b"<</FT/Tx/T(field)/V(value)/Kids[1005 0 R]>>",
    }
    catalog = b"/OpenAction 1000 0 R/Names<</EmbeddedFiles 1001 0 R/JavaScript 1001 0 R>>/AcroForm 1004 0 R"
    return document(stream(WORDS), catalog=catalog, more=more)


def huge_numbers() -> bytes:
    """Text placed, scaled and sized by numbers beyond any page."""
    body = b"".join(
        b"BT /F %s Tf %s %s Td (words out there) Tj ET\n" % (size, x, y)
        for size in (b"1e38", b"-1e38", b"0", b"0.000001", b"99999999999999999999")
        for x, y in ((b"1e38", b"-1e38"), (b"72", b"700"), (b"nan", b"inf"))
    )
    return document(stream(b"1e38 0 0 1e38 0 0 cm\n" + body), stream(body + WORDS))


def truncations(data: bytes, parts: int = 10) -> Sequence[bytes]:
    """The first tenth, two tenths, and so on of a file."""
    return [data[: len(data) * n // parts] for n in range(1, parts)]


def encrypted(data: bytes, *, user: str, owner: str) -> bytes:
    """The same PDF, encrypted with AES-256; an empty `user` password opens it without being asked."""
    import pymupdf as _pymupdf

    pymupdf: Any = _pymupdf
    with pymupdf.open(stream=data) as opened:
        return bytes(opened.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=user, owner_pw=owner))
