"""Where a PDF is and where it is kept: locations, their hosts and stamps, and the store's own paths."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def object_path(sha256: str) -> str:
    """Where a PDF lies in the store."""
    return f"objects/pdf/{sha256}.pdf"


def is_url(location: str) -> bool:
    """Whether a location is an address rather than a path. Only http and https are ever fetched."""
    head, separator, _ = location.partition("://")
    return bool(separator) and head.isascii() and head.replace("+", "").isalnum()


def host_of(url: str) -> str:
    """The host that limits apply to, in lower case, with its port where that is not the scheme's own.

    Empty if the address names none.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    own = port is None or port == _DEFAULT_PORTS.get(parts.scheme)
    return host if own or not host else f"{host}:{port}"


def public(url: str) -> str:
    """The address without user name and password, which must reach no log, table or terminal."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def stamp_of(location: str) -> str | None:
    """What tells a local file's version without reading it; None if it is missing. A URL is its own stamp."""
    if is_url(location):
        return location
    try:
        stat = Path(location).stat()
    except (OSError, ValueError):
        return None
    return f"{stat.st_size}-{stat.st_mtime_ns}"
