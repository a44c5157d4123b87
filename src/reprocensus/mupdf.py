"""PyMuPDF's one door: every other module that needs the library takes it from here.

Importing this module loads MuPDF, so nothing imports it before there is a PDF to read: it is meant for worker
processes.
"""

import ctypes
import sys
from typing import Any

import pymupdf as _pymupdf

#: The library, and the bindings of MuPDF's own functions. It carries hints for some of its functions only.
pymupdf: Any = _pymupdf
mupdf: Any = pymupdf.mupdf


def version() -> str:
    """PyMuPDF's version."""
    return str(pymupdf.VersionBind)


def silence() -> None:
    """Keep MuPDF's warnings and PyMuPDF's advice off the terminal, for the life of the process."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)


def give_back() -> None:
    """Give the system back what MuPDF keeps for the next document, and what lies free in the heap (Linux).

    Without this a worker grows by some ten MiB every hundred papers.
    """
    pymupdf.TOOLS.store_shrink(100)
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
