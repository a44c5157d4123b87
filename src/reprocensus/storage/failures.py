"""What a filesystem raises, as a `StoreError` that says which store and what to do."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reprocensus.errors import StoreError

_CHECK: Final = "check that it exists, may be written and has space"
#: What a message tells of the cause, and what to do about it. The first that fits.
_ADVICE: Final = (
    (
        r"file lock .* could not be acquired",
        "another process has held that lock all the time: end it if it hangs, then run again",
    ),
    (
        r"ExpiredToken|token .*expired|Bad Request|InvalidAccessKeyId|SignatureDoesNotMatch|NoCredentials"
        r"|credentials",
        "its credentials are wrong or have expired: renew them (REPROCENSUS_S3_KEY, REPROCENSUS_S3_SECRET or "
        "the usual AWS chain) and run again; what was journaled stands",
    ),
    (
        r"AccessDenied|Forbidden|PermissionError|Read-only file system",
        "it may not be written with these rights: allow it, then run again; what was journaled stands",
    ),
    (
        r"SlowDown|InternalError|ServiceUnavailable|Timeout|Connect|reset by peer|Disconnected|Broken pipe",
        "the server does not answer as it should: run again later, or raise REPROCENSUS_S3_ATTEMPTS and "
        "REPROCENSUS_S3_TIMEOUT_S; what was journaled stands",
    ),
    (
        r"No space left|Disk quota|File too large",
        "make room, then run again; what was journaled stands",
    ),
)


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turns whatever a filesystem raises into a `StoreError`; a missing object is one, too."""
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
        raise StoreError(f"store {uri}: {type(error).__name__}: {error}{free}; {_advice(error)}") from error


def _advice(error: BaseException) -> str:
    told: str = ""
    seen: BaseException | None = error
    while seen is not None and len(told) < 10_000:
        told += f"{type(seen).__name__} {seen} "
        seen = seen.__cause__ or seen.__context__
    return next((advice for cause, advice in _ADVICE if re.search(cause, told)), _CHECK)
