"""A folder on a local, or well-behaved network, disk: files are written beside, synced and renamed."""

import os
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock
from pyarrow.fs import FileSystem, LocalFileSystem
from typing_extensions import override

from reprocensus.errors import WriteConflictError
from reprocensus.storage import Storage, Stored, check_clock
from reprocensus.storage.failures import store_errors
from reprocensus.workers import alive

TEMPORARY: Final = "tmp"
LOCKS: Final = "locks"
#: Files share locks, so that there are never more of them: each is held for one write.
_LOCKS: Final = 64
#: Seconds that a write waits for another's: a process that hangs must not make all others hang.
_LOCK_WAIT_S: Final = 300.0


class LocalStorage(Storage):
    """A folder on a local (or well-behaved network) disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)

    @override
    def version(self, path: str) -> str | None:
        try:
            stat = (self.root / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return f"{stat.st_ino}-{stat.st_mtime_ns}-{stat.st_size}"

    @override
    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    @override
    def open(self, path: str) -> BinaryIO:
        return (self.root / path).open("rb")

    @override
    def list(self, folder: str) -> list[str]:
        base = self.root / folder
        return sorted(p.relative_to(self.root).as_posix() for p in base.rglob("*") if p.is_file())

    @override
    def delete(self, path: str) -> None:
        with store_errors(self.uri):
            (self.root / path).unlink(missing_ok=True)

    @override
    def age(self, path: str) -> float | None:
        try:
            written = (self.root / path).stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self._clock() - written

    @override
    def details(self, folder: str) -> Iterator[Stored]:
        now = self._clock()
        for path in (self.root / folder).rglob("*"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                yield Stored(path.relative_to(self.root).as_posix(), stat.st_size, now - stat.st_mtime)

    def _clock(self) -> float:
        """The time by the disk's own clock, which on a network disk is another machine's."""
        with store_errors(self.uri):
            (self.root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            probe = self._temporary()
            try:
                probe.touch()
                return probe.stat().st_mtime
            finally:
                probe.unlink(missing_ok=True)

    @override
    def arrow(self) -> tuple[FileSystem, str]:
        return LocalFileSystem(), self.root.as_posix()

    @override
    def create(self, path: str, data: bytes) -> None:
        if not (self.root / path).exists():
            self._put(path, data)

    @override
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        with store_errors(self.uri), self._lock(path):
            if self.version(path) != version:
                raise WriteConflictError(
                    f"{path} in {self.uri} was replaced by another run; reading it again"
                )
            self._put(path, data)

    @override
    def prepare(self) -> None:
        with store_errors(self.uri):
            check_clock(self.uri, time.time() - self._clock())
            for left in (self.root / TEMPORARY).iterdir():
                host, pid, _ = ("", "", "", *left.name.rsplit("-", 2))[-3:]
                if host == socket.gethostname() and pid.isdigit() and not alive(int(pid)):
                    left.unlink(missing_ok=True)

    def _put(self, path: str, data: bytes) -> None:
        target = self.root / path
        with store_errors(self.uri):
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            temporary = self._temporary()
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def _temporary(self) -> Path:
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
        return self.root / TEMPORARY / name

    def _lock(self, path: str) -> FileLock:
        lock = self.root / LOCKS / f"{zlib.crc32(path.encode()) % _LOCKS:02d}.lock"
        with store_errors(self.uri):
            lock.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(lock, timeout=_LOCK_WAIT_S)
