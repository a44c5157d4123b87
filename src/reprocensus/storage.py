"""Where bytes lie: a local folder, S3, or memory. The one module that knows fsspec and s3fs.

Paths are relative to the store's root, with forward slashes. Two ways of writing:

- `create`: an immutable object; writing it twice is harmless, half of it is never seen.
- `replace`: compare-and-set. The caller passes the version it read; if the object has changed since,
  `WriteConflictError` is raised and nothing is written. This is what makes a table's partition safe
  to replace while others read and write it.

Local files are written beside, synced and renamed, under a lock file for `replace`. S3 uses conditional
puts (If-Match, If-None-Match); a bucket that ignores the conditions is refused at the first write.
"""

import os
import shutil
import socket
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from filelock import FileLock
from pyarrow.fs import FileSystem, FSSpecHandler, LocalFileSystem, PyFileSystem
from typing_extensions import override

from reprocensus.errors import StoreError, UsageError, WriteConflictError
from reprocensus.settings import Settings
from reprocensus.workers import alive

TEMPORARY = "tmp"
LOCKS = "locks"


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
        UsageError: the URI's protocol is not known here.
    """
    protocol, _, rest = uri.partition("://") if "://" in uri else ("file", "", uri)
    if protocol in ("file", "local"):
        return LocalStorage(Path(rest).expanduser().absolute())
    if protocol in ("s3", "s3a"):
        return S3Storage(rest.strip("/"), settings)
    try:
        filesystem = fsspec.filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"store {uri!r}: {error}; use a local path, s3://bucket/prefix or another"
        ) from error
    return RemoteStorage(filesystem, rest.rstrip("/"), uri)


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
    def arrow(self) -> tuple[FileSystem, str]:
        return LocalFileSystem(), self.root.as_posix()

    @override
    def create(self, path: str, data: bytes) -> None:
        if not (self.root / path).exists():
            self._put(path, data)

    @override
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        with self._lock(path):
            if self.version(path) != version:
                raise WriteConflictError(
                    f"{path} in {self.uri} was replaced by another run; reading it again"
                )
            self._put(path, data)

    @override
    def prepare(self) -> None:
        with _store_errors(self.uri):
            (self.root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            for left in (self.root / TEMPORARY).iterdir():
                host, pid, _ = ("", "", "", *left.name.rsplit("-", 2))[-3:]
                if host == socket.gethostname() and pid.isdigit() and not alive(int(pid)):
                    left.unlink(missing_ok=True)

    def _put(self, path: str, data: bytes) -> None:
        target = self.root / path
        with _store_errors(self.uri):
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
            temporary = self.root / TEMPORARY / name
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def _lock(self, path: str) -> FileLock:
        lock = self.root / LOCKS / (path.replace("/", "_") + ".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(lock)


class RemoteStorage(Storage):
    """Any other fsspec filesystem. Its replacement is checked, not atomic: one writing run at a time."""

    def __init__(self, filesystem: Any, root: str, uri: str) -> None:
        self.fs = filesystem
        self.root = root
        self.uri = uri
        self._guard = threading.Lock()

    def _full(self, path: str) -> str:
        return f"{self.root}/{path}"

    @override
    def version(self, path: str) -> str | None:
        try:
            return str(self.fs.ukey(self._full(path)))
        except FileNotFoundError:
            return None

    @override
    def read(self, path: str) -> bytes:
        return cast(bytes, self.fs.cat_file(self._full(path)))

    @override
    def open(self, path: str) -> BinaryIO:
        return cast(BinaryIO, self.fs.open(self._full(path), "rb"))

    @override
    def list(self, folder: str) -> list[str]:
        with _store_errors(self.uri):
            try:
                found = self.fs.find(self._full(folder))
            except FileNotFoundError:
                return []
        prefix = self._full("").lstrip("/")
        return sorted(name.lstrip("/").removeprefix(prefix) for name in found)

    @override
    def arrow(self) -> tuple[FileSystem, str]:
        return PyFileSystem(FSSpecHandler(self.fs)), self.root  # type: ignore[abstract]

    @override
    def create(self, path: str, data: bytes) -> None:
        if not self.exists(path):
            with _store_errors(self.uri):
                self.fs.pipe_file(self._full(path), data)

    @override
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        with self._guard, _store_errors(self.uri):
            if self.version(path) != version:
                raise WriteConflictError(
                    f"{path} in {self.uri} was replaced by another run; reading it again"
                )
            self.fs.pipe_file(self._full(path), data)


class S3Storage(RemoteStorage):
    """S3 and what speaks it. A partition is replaced by one conditional put."""

    def __init__(self, root: str, settings: Settings) -> None:
        client = {"region_name": settings.s3_region} if settings.s3_region else {}
        filesystem = fsspec.filesystem(
            "s3",
            endpoint_url=settings.s3_endpoint,
            key=settings.s3_key.get_secret_value() if settings.s3_key else None,
            secret=settings.s3_secret.get_secret_value() if settings.s3_secret else None,
            client_kwargs=client,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        super().__init__(filesystem, root, f"s3://{root}")

    @override
    def version(self, path: str) -> str | None:
        with _store_errors(self.uri):
            try:
                return cast(str, self.fs.info(self._full(path), refresh=True)["ETag"])
            except FileNotFoundError:
                return None

    @override
    def create(self, path: str, data: bytes) -> None:
        if not self.exists(path):
            with _store_errors(self.uri):
                self.fs.pipe_file(self._full(path), data)

    @override
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        bucket, _, key = self._full(path).partition("/")
        with _store_errors(self.uri):
            try:
                self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
            except Exception as error:
                if _is_conflict(error):
                    raise WriteConflictError(f"{path} in {self.uri} was replaced by another run") from error
                raise

    @override
    def prepare(self) -> None:
        """Raises `StoreError` unless the bucket honours conditional puts."""
        probe = f"{LOCKS}/probe-{uuid.uuid4().hex}"
        self.replace(probe, b"1", None)
        try:
            self.replace(probe, b"2", None)
        except WriteConflictError:
            return
        finally:
            self.fs.rm_file(self._full(probe))
        raise StoreError(
            f"{self.uri} ignores conditional writes (If-None-Match), so two runs would destroy each other's "
            "tables; use AWS S3, MinIO, Ceph or another server that honours them"
        )


def _is_conflict(error: BaseException) -> bool:
    """Whether a put was refused because its condition did not hold (HTTP 412, or 409 under contention)."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        if code in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
            return True
        seen = seen.__cause__
    return False


@contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Turns what a filesystem raises into a `StoreError` that says which store and what to check."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        # Botocore's and aiohttp's errors share no base class, hence the wide net.
        free = ""
        if isinstance(error, OSError) and "://" not in uri:
            root = next((p for p in [Path(uri), *Path(uri).parents] if p.exists()), Path("/"))
            free = f" ({shutil.disk_usage(root).free // 2**20} MiB free)"
            if root.is_file():
                raise StoreError(f"store {uri}: {root} is a file; a store is a folder") from error
        raise StoreError(
            f"store {uri}: {type(error).__name__}: {error}{free}; check that it exists, may be written and "
            "has space"
        ) from error
