"""Where bytes lie: a local folder, S3, or memory.

Paths are relative to the store's root, with forward slashes. Two ways of writing:

- `create`: an immutable object; writing it twice is harmless, half of it is never seen.
- `replace`: compare-and-set. The caller passes the version it read; if the object has changed since,
  `WriteConflictError` is raised and nothing is written. This is what makes a table's partition safe
  to replace while others read and write it.

`local` is a folder, `remote` whatever fsspec and s3fs know. An object's age is told by the store's own clock,
so that machines whose clocks differ agree on it.
"""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pyarrow.fs import FileSystem

from reprocensus.errors import StoreError, UsageError
from reprocensus.settings import Settings

_log = logging.getLogger(__name__)
#: Seconds between the clocks of this machine and of the store that are told, and that are too many.
_CLOCK_WARN_S: Final = 60.0
_CLOCK_MOST_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a listing tells of it: bytes, and seconds since it was written."""

    path: str
    n_bytes: int
    age_s: float


class Storage(ABC):
    """Bytes by path, with atomic creation and compare-and-set replacement."""

    uri: str

    @abstractmethod
    def version(self, path: str) -> str | None:
        """A token that changes whenever the object does; None where there is none."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The object's bytes. Raises `FileNotFoundError`."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """The object as a seekable file, for readers that need parts of it. Raises `FileNotFoundError`."""

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """Paths of the objects anywhere below a folder, sorted; empty where there is no such folder."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> None:
        """Writes an immutable object; an object already there under that name is left as it is."""

    @abstractmethod
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        """Replaces the object if it still has `version` (None: if it does not exist yet)."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Removes the object; it need not be there."""

    @abstractmethod
    def age(self, path: str) -> float | None:
        """Seconds since the object was written, by the store's clock; None where there is none."""

    @abstractmethod
    def details(self, folder: str) -> Iterator[Stored]:
        """Every object below a folder with its size and age, in no order."""

    @abstractmethod
    def arrow(self) -> tuple[FileSystem, str]:
        """The filesystem as Arrow's readers take it, and the root's path in it."""

    def exists(self, path: str) -> bool:
        """Whether the object is there."""
        return self.version(path) is not None

    def prepare(self) -> None:  # noqa: B027  (most stores need nothing)
        """Checks that the store can be written safely, and clears what a killed process left behind."""


def open_storage(uri: str, settings: Settings) -> Storage:
    """The storage behind a path or URI. Nothing is created or contacted yet.

    Raises:
        UsageError: the URI is mistyped, its protocol is not known here, or it is no folder.
    """
    if mistake := _mistake(uri):
        raise UsageError(f"store {uri!r} {mistake}; say a folder, s3://bucket/prefix or another fsspec URI")
    protocol, _, rest = uri.partition("://") if "://" in uri else ("file", "", uri)
    if protocol in ("file", "local"):
        from reprocensus.storage.local import LocalStorage

        return LocalStorage(_folder(uri, rest))
    from reprocensus.storage.remote import S3Storage, open_remote

    if protocol in ("s3", "s3a"):
        return S3Storage(rest.strip("/"), settings)
    return open_remote(protocol, rest, uri)


def _folder(uri: str, path: str) -> Path:
    """The folder that is meant; it need not be there, but whoever reads must be told that it can be none."""
    try:
        root = Path(path).expanduser().absolute()
        mistake = "is a file" if root.is_file() else ""
    except (OSError, RuntimeError, ValueError) as error:
        mistake = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if mistake:
        raise UsageError(f"store {_short(uri)!r}: {mistake}; a store is a folder")
    return root


def _short(uri: str) -> str:
    return uri if len(uri) <= 200 else f"{uri[:200]}…"


def check_clock(uri: str, ahead_s: float) -> None:
    """Compares this machine's clock, so many seconds ahead of the store's, with it.

    Raises:
        StoreError: they are far apart: of what two machines record of one paper, the older would stand.
    """
    if abs(ahead_s) < _CLOCK_WARN_S:
        return
    where = "ahead of" if ahead_s > 0 else "behind"
    words = f"this machine's clock is {abs(ahead_s):.0f} s {where} that of the store {uri}"
    if abs(ahead_s) > _CLOCK_MOST_S:
        raise StoreError(
            f"{words}: what is recorded later must have the later time, so set it (by NTP, say) and run again"
        )
    _log.warning("%s; set it, by NTP say", words)


def _mistake(uri: str) -> str:
    """What is wrong with how a store is written; empty if nothing. Each would make a folder of odd name."""
    if not uri or uri != uri.strip():
        return "is empty, or begins or ends with a space"
    if any(ord(character) < 32 for character in uri):
        return "has a line break or another control character in it"
    if re.match(r"[a-z0-9]{2,}:/(?!/)", uri):
        return "has one slash after its protocol"
    if re.match(r"s3a?:///*$|s3a?:///", uri):
        return "names no bucket"
    return ""
