"""Reads a text page's lines by `textpage.c`, which is built when reprocensus is installed, if it can be.

It reads MuPDF's memory by the headers of one version, so it is used with that version only, and only as its
source stands now; otherwise, and where there is no compiler, `printed` does the same, more slowly.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from reprocensus.extract.lines import Lines
from reprocensus.keys import digest
from reprocensus.mupdf import pymupdf

SOURCE = Path(__file__).with_name("textpage.c")
#: Built by `hatch_build.py`.
LIBRARY = SOURCE.with_name("libtextpage.so")
_ROOM = 1 << 18
#: A page that takes more bytes than this, as of a plot, does not keep them.
_LARGE = 1 << 21


@cache
def library() -> Any:
    """The compiled reader, or None where there is none for this MuPDF."""
    try:
        wanted = f"{pymupdf.mupdf_version}+{digest(SOURCE.read_bytes())}"
        found = ctypes.CDLL(str(LIBRARY))
        found.textpage_version.restype = ctypes.c_char_p
        found.textpage_write.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        found.textpage_write.restype = ctypes.c_size_t
        version = found.textpage_version().decode()
    except (OSError, AttributeError, UnicodeDecodeError):
        return None
    return found if version == wanted else None


class Reader:
    """Reads the lines of text pages. Only where there is a `library`."""

    def __init__(self) -> None:
        self._write = library().textpage_write
        self._decoder = msgspec.msgpack.Decoder(Lines)
        self._room = ctypes.create_string_buffer(_ROOM)

    def lines(self, textpage: Any) -> Lines:
        """The lines of one of MuPDF's text pages. Raise MemoryError if there is no room for them."""
        address = int(textpage.m_internal.this)
        room = self._room
        length = self._write(address, room, len(room))
        if length > len(room):
            room = ctypes.create_string_buffer(length)
            length = self._write(address, room, length)
            if length <= _LARGE:
                self._room = room
        if not length:
            raise MemoryError("no memory is left for the lines of a page")
        return self._decoder.decode(memoryview(room)[:length])
