"""The extractor's version, known without loading MuPDF."""

from importlib.metadata import version

from reprocensus.extract.document import LAYOUT_VERSION


def extractor_version() -> str:
    """Version of the layout rules and of MuPDF, as in `documents.extractor_version`."""
    return f"{LAYOUT_VERSION}+{version('pymupdf')}"
