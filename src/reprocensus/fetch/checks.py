"""Whether bytes are a whole PDF, and what they are if not. Pure."""

import re
from typing import Final

from reprocensus.errors import FetchError

#: Acrobat takes a header within the first 1,024 bytes; some servers put junk before it.
_HEADER_WITHIN: Final = 1024
#: So near its end a PDF says %%EOF (ISO 32000-1, annex H, note 18, has Acrobat look through 1,024 bytes).
_TRAILER_WITHIN: Final = 1024
#: Some files have junk after their trailer, which readers forgive.
_JUNK_WITHIN: Final = 64 * 1024
#: A linearised file says in its first object how long it is (ISO 32000-1, annex F).
_LINEARISED: Final = re.compile(rb"/Linearized\b[^>]*?/L\s+(\d+)")


def check_pdf(data: bytes, location: str) -> None:
    """Raises `FetchError` unless the bytes can be a PDF; says what they look like instead."""
    if not data:
        raise FetchError("empty", f"{location} is empty; fetch it again")
    head = data[:_HEADER_WITHIN]
    if b"%PDF-" in head:
        return
    if data[:2] == b"\x1f\x8b":
        raise FetchError("gzip", f"{location} is a gzip body that was stored undecoded; fetch it again")
    if looks_like_html(data):
        raise FetchError("html", f"{location} is a web page (login, error or viewer page?), not a PDF")
    raise FetchError("not_pdf", f"{location} has no %PDF- header in its first {_HEADER_WITHIN} bytes")


def looks_like_html(data: bytes) -> bool:
    """Whether the bytes begin as a web page does."""
    start = data[:_HEADER_WITHIN].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<script", b"<!--")):
        return True
    return b"<html" in start


def check_whole(data: bytes, location: str) -> None:
    """Raises `FetchError` if a download breaks off: a PDF ends with its trailer.

    Damage elsewhere is for the extractor to judge; MuPDF mends a good deal of it.
    """
    if b"%%EOF" in data[-_TRAILER_WITHIN:]:
        return
    said = _LINEARISED.search(data[: 2 * _HEADER_WITHIN])
    if said and int(said[1]) > len(data):
        raise _truncated(f"{location} has {len(data)} of the {int(said[1])} bytes that it says it has")
    tail = data[-_JUNK_WITHIN:]
    if b"%%EOF" not in tail and b"startxref" not in tail:
        raise _truncated(f"{location} breaks off after {len(data)} bytes: a PDF ends with its trailer")


def _truncated(message: str) -> FetchError:
    return FetchError("truncated", f"{message}; fetch it again", transient=True)
