"""PyMuPDF's one door: every other module that needs the library takes it from here.

Importing this module loads MuPDF, so nothing imports it before there is a PDF to read: it is meant for worker
processes.
"""

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
