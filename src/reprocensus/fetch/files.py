"""Reads PDFs from local paths."""

import errno
import os
from stat import S_ISREG
from typing import Final

from reprocensus.errors import FetchError

#: What a disk or a network share may say now and not a minute later.
_PASSING: Final = frozenset(
    {errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT}
)


def read_file(location: str, most_bytes: int) -> tuple[bytes, str]:
    """A file's bytes, and the stamp that tells this version of it from another.

    Raises:
        FetchError: `not_found`, `not_a_file`, `too_large`, `unreadable` or `bad_location`.
    """
    try:
        # Opened without waiting: a pipe under a paper's name would wait for its writer for ever.
        descriptor = os.open(location, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            stat = os.fstat(file.fileno())
            if not S_ISREG(stat.st_mode):
                raise FetchError("not_a_file", f"{location} is a folder or a device, not a file")
            if stat.st_size > most_bytes:
                raise FetchError(
                    "too_large",
                    f"{location} has {stat.st_size / 2**20:.0f} MiB, over the limit of "
                    f"{most_bytes / 2**20:.0f}; raise REPROCENSUS_MAX_PDF_MB if it is a paper",
                )
            return file.read(most_bytes + 1), f"{stat.st_size}-{stat.st_mtime_ns}"
    except IsADirectoryError as error:
        raise FetchError("not_a_file", f"{location} is a folder, not a file") from error
    except FileNotFoundError as error:
        raise FetchError("not_found", f"{location} does not exist") from error
    except ValueError as error:
        raise FetchError("bad_location", f"{location!r}: {error}") from error
    except OSError as error:
        passing = error.errno in _PASSING
        raise FetchError("unreadable", f"{location}: {error.strerror}", transient=passing) from error
