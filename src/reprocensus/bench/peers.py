"""Other extractors: one small adapter each. None is needed to use reprocensus; the extra `bench` has them."""

import importlib
import io
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final


@dataclass(frozen=True, slots=True)
class Peer:
    """An extractor to compare with: `read` takes a PDF's bytes and gives its text.

    `package` is what pip calls it; without one, `name` is a program. `raw` engines give the text in the
    file's order and do nothing about layout. One that is `meddling` changes MuPDF's settings for the whole
    process, and must run after everything else.
    """

    name: str
    package: str
    read: Callable[[bytes], str]
    raw: bool = False
    meddling: bool = False

    def version(self) -> str | None:
        """Its version, or None if it is not installed."""
        if not self.package:
            return _program_version(self.name)
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None


@contextmanager
def hushed() -> Iterator[None]:
    """Sends what is printed meanwhile, even from C, to nowhere: peers advertise on standard output."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, _ in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def load(peer: Peer) -> None:
    """Imports what the peer needs, so that its first paper does not pay for it."""
    module = {"pymupdf text": "reprocensus.mupdf", "pdfminer.six": "pdfminer.high_level"}
    if peer.package:
        importlib.import_module(module.get(peer.name, peer.package))


def cpu_seconds() -> float:
    """CPU time of this process and of the children it has waited for, in seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _pymupdf_text(data: bytes) -> str:
    from reprocensus.bench import baseline

    return baseline.text(data)


def _pypdfium2(data: bytes) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        parts = []
        for page in document:
            textpage = page.get_textpage()
            parts.append(textpage.get_text_bounded())
            textpage.close()
            page.close()
        return "\f".join(parts)
    finally:
        document.close()


def _pdftotext(data: bytes) -> str:
    done = subprocess.run(
        ["pdftotext", "-enc", "UTF-8", "-", "-"], input=data, capture_output=True, check=True, timeout=300
    )
    return done.stdout.decode("utf-8", "replace")


def _pypdf(data: bytes) -> str:
    import pypdf

    return "\f".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)


def _pdfminer(data: bytes) -> str:
    from pdfminer.high_level import extract_text

    return str(extract_text(io.BytesIO(data)))


def _pymupdf4llm(data: bytes) -> str:
    import pymupdf4llm

    from reprocensus.mupdf import pymupdf

    with pymupdf.open(stream=data, filetype="pdf") as document:
        return str(pymupdf4llm.to_markdown(document, use_ocr=False))


def _program_version(name: str) -> str | None:
    if shutil.which(name) is None:
        return None
    said = subprocess.run([name, "-v"], capture_output=True, text=True, check=False).stderr.split()
    return said[2] if len(said) > 2 else "?"


PEERS: Final = (
    Peer("pymupdf text", "pymupdf", _pymupdf_text, raw=True),
    Peer("pypdfium2", "pypdfium2", _pypdfium2, raw=True),
    Peer("pdftotext", "", _pdftotext),
    Peer("pypdf", "pypdf", _pypdf),
    Peer("pdfminer.six", "pdfminer.six", _pdfminer),
    Peer("pymupdf4llm", "pymupdf4llm", _pymupdf4llm, meddling=True),
)
