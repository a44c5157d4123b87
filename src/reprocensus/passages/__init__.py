"""Passages: where quotes stand on the pages of a PDF, pictures of them, and the PDF with all of them marked.

`PassagePool` does it in worker processes with limits, since MuPDF parses hostile bytes in C. A passage that
cannot be found or drawn costs its picture and nothing else.
"""

from reprocensus.passages.marks import COLOURS, Mark, Picture, colour_of

__all__ = ["COLOURS", "Mark", "Picture", "colour_of"]
