"""The closed sets of words that extraction uses: kinds of failure and flags."""

from typing import Final

from reprocensus.errors import ExtractError

#: Every kind an `ExtractError` can have, with what it means.
KINDS: Final[dict[str, str]] = {
    "empty": "the file has no bytes",
    "not_pdf": "no %PDF- header in the first 1024 bytes: HTML, gzip or something else",
    "encrypted": "a password is needed to read it",
    "broken": "the file says it is a PDF, but its page tree cannot be read",
    "no_pages": "a PDF without pages, often a download that was cut off",
    "no_text": "pages but no usable text layer: scanned images that need OCR",
    "too_many_pages": "more pages than the limit",
    "timeout": "extraction took longer than its time limit",
    "memory": "extraction needed more memory than its limit",
    "crash": "the worker process died or failed in an unforeseen way",
}

#: Every flag an `Extracted` can carry, with what it means.
FLAGS: Final[dict[str, str]] = {
    "repaired": "MuPDF rebuilt the file's damaged structure; text may be missing",
    "pages_failed": "some pages could not be read; their text is missing",
    "few_characters": "fewer than 1000 characters in all, or fewer than 200 a page",
    "image_pages": "at least half of the pages are pictures without text",
    "many_pages": "more than 100 pages",
    "garbled": "more than 2 % of the characters have no known meaning (fonts without a character map)",
    "hidden_text": "there is text that a reader does not see; it was kept out (column hidden_text)",
    "ocr_layer": "the text of some pages is the invisible layer that text recognition put over a scan",
    "no_references": "no list of references was found",
}

_ADVICE: Final[dict[str, str]] = {
    "empty": "Put a whole copy in its place, or have it fetched again.",
    "not_pdf": "Look at what the address serves and fetch the PDF itself.",
    "encrypted": "Get a copy without a password.",
    "broken": "Put another copy in its place, or have it fetched again: this one may be cut off.",
    "no_pages": "It was probably cut off: put a whole copy in its place, or have it fetched again.",
    "no_text": "Run OCR over it and put the result in its place.",
    "too_many_pages": "It is probably a whole volume: get the single paper.",
    "timeout": "Raise the time limit, or leave the paper out.",
    "memory": "Raise the memory limit, or leave the paper out.",
    "crash": "Try it once more; if it happens again, leave the paper out and report the file.",
}


#: What a busy machine or a killed worker may cause as well as the file.
_PASSING: Final = frozenset({"timeout", "crash"})


def failure(kind: str, what: str) -> ExtractError:
    """Build the error of one kind: `what` happened, followed by what to do about it."""
    return ExtractError(kind, f"{what} {_ADVICE[kind]}", transient=kind in _PASSING)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation was refused, under whatever name."""
    if isinstance(error, MemoryError):
        return True
    words = f"{type(error).__name__} {error}".lower()
    return any(part in words for part in ("bad_alloc", "malloc", "calloc", "realloc", "out of memory"))
