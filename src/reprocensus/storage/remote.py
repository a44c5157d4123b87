"""What is no local disk: S3, and whatever else fsspec has. The one module that knows fsspec and s3fs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Final, cast

import fsspec
from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem
from typing_extensions import override

from reprocensus.errors import StoreError, UsageError, WriteConflictError
from reprocensus.settings import Settings
from reprocensus.storage import Storage, Stored, check_clock
from reprocensus.storage.failures import store_errors

#: Longest wait for a connection, in seconds, and how often an answer that breaks off is asked for again.
_CONNECT_S: Final = 15.0
_READS: Final = 4
#: Put once, on condition that it is not there: a put that is not refused then tells of a careless bucket.
_MARK: Final = "locks/conditional-put"


def open_remote(protocol: str, rest: str, uri: str) -> "RemoteStorage":
    """Any filesystem that fsspec has. Raises `UsageError` where it has none for the protocol."""
    try:
        filesystem = fsspec.filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"store {uri!r}: {error}; use a local path, s3://bucket/prefix or another"
        ) from error
    return RemoteStorage(filesystem, rest.rstrip("/"), uri)


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
        with self._reading():
            return cast(bytes, self.fs.cat_file(self._full(path)))

    @override
    def open(self, path: str) -> BinaryIO:
        with self._reading():
            return cast(BinaryIO, self.fs.open(self._full(path), "rb"))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        missing = None
        with store_errors(self.uri):
            try:
                yield
            except FileNotFoundError as error:
                missing = error
        if missing:
            raise missing

    @override
    def list(self, folder: str) -> list[str]:
        with store_errors(self.uri):
            try:
                found = self.fs.find(self._full(folder))
            except FileNotFoundError:
                return []
        prefix = self._full("").lstrip("/")
        return sorted(name.lstrip("/").removeprefix(prefix) for name in found)

    @override
    def delete(self, path: str) -> None:
        with store_errors(self.uri):
            try:
                self.fs.rm_file(self._full(path))
            except FileNotFoundError:
                return

    @override
    def age(self, path: str) -> float | None:
        with store_errors(self.uri):
            try:
                return _seconds(datetime.now(UTC), self.fs.modified(self._full(path)))
            except FileNotFoundError:
                return None

    @override
    def details(self, folder: str) -> Iterator[Stored]:
        with store_errors(self.uri):
            try:
                found = self.fs.find(self._full(folder), detail=True)
            except FileNotFoundError:
                return
            now = self._clock()
        prefix = self._full("").lstrip("/")
        for name, info in found.items():
            written = info.get("LastModified") or info.get("created") or now
            path = name.lstrip("/").removeprefix(prefix)
            yield Stored(path, int(info["size"] or 0), _seconds(now, written))

    def _clock(self) -> datetime:
        return datetime.now(UTC)

    @override
    def arrow(self) -> tuple[FileSystem, str]:
        return PyFileSystem(FSSpecHandler(self.fs)), self.root  # type: ignore[abstract]

    @override
    def create(self, path: str, data: bytes) -> None:
        if not self.exists(path):
            with store_errors(self.uri):
                self.fs.pipe_file(self._full(path), data)

    @override
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        with self._guard, store_errors(self.uri):
            if self.version(path) != version:
                raise WriteConflictError(
                    f"{path} in {self.uri} was replaced by another run; reading it again"
                )
            self.fs.pipe_file(self._full(path), data)


class S3Storage(RemoteStorage):
    """S3 and what speaks it. A partition is replaced by one conditional put."""

    def __init__(self, root: str, settings: Settings) -> None:
        client = {"region_name": settings.s3_region} if settings.s3_region else {}
        config = {
            "connect_timeout": min(settings.s3_timeout_s, _CONNECT_S),
            "read_timeout": settings.s3_timeout_s,
            "retries": {"mode": "standard", "max_attempts": settings.s3_attempts},
        }
        filesystem = fsspec.filesystem(
            "s3",
            endpoint_url=settings.s3_endpoint,
            key=settings.s3_key.get_secret_value() if settings.s3_key else None,
            secret=settings.s3_secret.get_secret_value() if settings.s3_secret else None,
            client_kwargs=client,
            config_kwargs=config,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        # Botocore has tried often enough; what is left is an answer that breaks off while it is read.
        filesystem.retries = _READS
        super().__init__(filesystem, root, f"s3://{root}")

    @override
    def open(self, path: str) -> BinaryIO:
        """The object, or what replaces it while it is read: `layout.py` says why that is right."""
        with self._reading():
            size = self.fs.info(self._full(path), refresh=True)["size"]
            # With its size given, s3fs does not tie the file to one version: it would fail at the next.
            return cast(BinaryIO, self.fs.open(self._full(path), "rb", size=size))

    @override
    def age(self, path: str) -> float | None:
        head = self._head(path)
        return _seconds(_date(head), head["LastModified"]) if head else None

    @override
    def _clock(self) -> datetime:
        return _date(self.fs.call_s3("head_bucket", Bucket=self.root.partition("/")[0]))

    @override
    def version(self, path: str) -> str | None:
        head = self._head(path)
        return str(head["ETag"]) if head else None

    @override
    def replace(self, path: str, data: bytes, version: str | None) -> None:
        """A put that was done though its answer was lost ends as a conflict: the caller reads what stands."""
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        bucket, _, key = self._full(path).partition("/")
        with store_errors(self.uri):
            try:
                self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
            except Exception as error:
                if _is_conflict(error):
                    raise WriteConflictError(f"{path} in {self.uri} was replaced by another run") from error
                raise

    @override
    def prepare(self) -> None:
        """Raises `StoreError` unless the bucket honours conditional puts and the clocks agree.

        The mark that this is tried with stays in the store: one that is removed again would be left behind
        where the server or this process dies in between, and another run could put it anew meanwhile.
        """
        honoured = self._mark_is_refused()
        check_clock(self.uri, self._ahead_s(_MARK))
        if honoured or self._mark_is_refused():
            return
        raise StoreError(
            f"{self.uri} ignores conditional writes (If-None-Match), so two runs would destroy each other's "
            "tables; use AWS S3, MinIO, Ceph or another server that honours them"
        )

    def _mark_is_refused(self) -> bool:
        """Puts the mark unless there is one. Whether that was refused, as it must be if there is."""
        try:
            self.replace(_MARK, b"", None)
        except WriteConflictError:
            return True
        return False

    def _ahead_s(self, path: str) -> float:
        """How far this machine's clock is ahead of the server's, to a second or two."""
        head = self._head(path)
        return _seconds(datetime.now(UTC), _date(head)) if head else 0.0

    def _head(self, path: str) -> Any:
        """What the server says of the object; None where there is none. One request: s3fs lists besides."""
        bucket, _, key = self._full(path).partition("/")
        with store_errors(self.uri):
            try:
                return self.fs.call_s3("head_object", Bucket=bucket, Key=key)
            except FileNotFoundError:
                return None


def _seconds(now: datetime, then: datetime | float) -> float:
    if not isinstance(then, datetime):
        return now.timestamp() - then
    return (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()


def _date(answer: Any) -> datetime:
    """When the server answered, by its own clock."""
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(told) if told else datetime.now(UTC)


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
