"""Fetches a paper's PDF into the store, once by content.

Outcomes that are failures (`FetchError.kind`): `not_found`, `unreadable`, `empty`, `html`, `gzip`,
`not_pdf`, `not_a_file`, `too_large`, `http_status`, `connection`, `bad_location`.
"""

import errno
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from urllib.parse import urlsplit

import httpx
import stamina

from reprocensus import __version__
from reprocensus.errors import FetchError
from reprocensus.keys import digest
from reprocensus.records import Paper
from reprocensus.settings import Settings
from reprocensus.storage import Storage

#: Acrobat takes a header within the first 1,024 bytes; some servers put junk before it.
_HEADER_WITHIN = 1024
#: What a disk or a network share may say now and not a minute later.
_PASSING = frozenset({errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT})
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A PDF in hand. `stamp` tells this version from another without reading it."""

    data: bytes
    sha256: str
    stamp: str


def object_path(sha256: str) -> str:
    """Where a PDF lies in the store."""
    return f"objects/pdf/{sha256}.pdf"


def is_url(location: str) -> bool:
    """Whether a location is fetched over HTTP."""
    return location.lower().startswith(("http://", "https://"))


def stamp_of(location: str) -> str | None:
    """What tells a local file's version without reading it; None if it is missing. URLs have no stamp yet."""
    if is_url(location):
        return location
    try:
        stat = Path(location).stat()
    except (OSError, ValueError):
        return None
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def check_pdf(data: bytes, location: str) -> None:
    """Raises `FetchError` unless the bytes can be a PDF; says what they look like instead."""
    if not data:
        raise FetchError("empty", f"{location} is empty; fetch it again")
    head = data[:_HEADER_WITHIN]
    if b"%PDF-" in head:
        return
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if data[:2] == b"\x1f\x8b":
        raise FetchError("gzip", f"{location} is a gzip body that was stored undecoded; fetch it again")
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<script")) or b"<html" in start:
        raise FetchError("html", f"{location} is a web page (login, error or viewer page?), not a PDF")
    raise FetchError("not_pdf", f"{location} has no %PDF- header in its first {_HEADER_WITHIN} bytes")


class Fetcher:
    """Reads PDFs from disk and from the network, politely: one request a host at a time, with a pause."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._settings = settings
        self._hosts: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def fetch(self, paper: Paper) -> Fetched:
        """The paper's PDF, checked and stored under its digest. Raises `FetchError`."""
        if is_url(paper.location):
            data, stamp = self._download(paper.location), paper.location
        else:
            data, stamp = self._read(paper.location)
        check_pdf(data, paper.location)
        sha256 = digest(data)
        self._storage.create(object_path(sha256), data)
        return Fetched(data, sha256, stamp)

    def stored(self, sha256: str) -> bytes | None:
        """A PDF fetched earlier, if the store still has it."""
        try:
            return self._storage.read(object_path(sha256))
        except FileNotFoundError:
            return None

    def _read(self, location: str) -> tuple[bytes, str]:
        limit = self._settings.max_pdf_mb * 2**20
        try:
            # Opened without waiting: a pipe under a paper's name would wait for its writer for ever.
            descriptor = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                stat = os.fstat(file.fileno())
                if not S_ISREG(stat.st_mode):
                    raise FetchError("not_a_file", f"{location} is a folder or a device, not a file")
                if stat.st_size > limit:
                    raise FetchError("too_large", self._too_large(location, stat.st_size))
                return file.read(limit + 1), f"{stat.st_size}-{stat.st_mtime_ns}"
        except IsADirectoryError as error:
            raise FetchError("not_a_file", f"{location} is a folder, not a file") from error
        except FileNotFoundError as error:
            raise FetchError("not_found", f"{location} does not exist") from error
        except ValueError as error:
            raise FetchError("bad_location", f"{location!r}: {error}") from error
        except OSError as error:
            passing = error.errno in _PASSING
            raise FetchError("unreadable", f"{location}: {error.strerror}", transient=passing) from error

    def _too_large(self, location: str, size: int) -> str:
        return (
            f"{location} has {size / 2**20:.0f} MiB, over the limit of {self._settings.max_pdf_mb}; "
            "raise REPROCENSUS_MAX_PDF_MB if it is a paper"
        )

    def _download(self, url: str) -> bytes:
        host = urlsplit(url).hostname
        if not host:
            raise FetchError("bad_location", f"{url!r} is no URL that can be fetched")
        with self._guard:
            turn = self._hosts.setdefault(host, threading.Lock())
        try:
            for attempt in stamina.retry_context(on=_may_pass, attempts=4, wait_initial=1, wait_max=30):
                with attempt, turn:
                    time.sleep(self._settings.fetch_interval_s)
                    body = self._get(url)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise FetchError(
                "not_found" if status in (404, 410) else "http_status",
                f"{url} answered {status}",
                transient=status in _RETRIED,
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            transient = not isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)
            raise FetchError(
                "connection", f"{url}: {type(error).__name__}: {error}", transient=transient
            ) from error
        return body

    def _get(self, url: str) -> bytes:
        contact = f"; {self._settings.contact}" if self._settings.contact else ""
        headers = {"User-Agent": f"reprocensus/{__version__} (research census of AI papers{contact})"}
        limit = self._settings.max_pdf_mb * 2**20
        timeout = self._settings.fetch_timeout_s
        body = bytearray()
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=timeout) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > limit:
                    raise FetchError("too_large", self._too_large(url, len(body)))
            return bytes(body)


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _RETRIED
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)
