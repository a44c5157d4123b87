"""Extraction: from the bytes of one PDF to the text, page starts, title and sections of a paper.

`extract` does it in this process; `ExtractPool` does it in worker processes with limits, which is what a run
uses, since MuPDF parses hostile bytes in C. Neither is imported before it is asked for.
"""

from typing import TYPE_CHECKING, Any

from reprocensus.extract.failures import FLAGS, KINDS

if TYPE_CHECKING:
    from reprocensus.extract.document import extract
    from reprocensus.extract.workers import ExtractPool

__all__ = ["FLAGS", "KINDS", "ExtractPool", "extract"]


def __getattr__(name: str) -> Any:
    # MuPDF stays out of processes that only want the pool, and pebble out of those that only extract.
    if name == "extract":
        from reprocensus.extract.document import extract

        return extract
    if name == "ExtractPool":
        from reprocensus.extract.workers import ExtractPool

        return ExtractPool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
