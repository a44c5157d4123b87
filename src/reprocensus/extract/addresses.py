"""Web addresses broken over lines."""

import re
from collections.abc import Iterable
from typing import Final

_START: Final = re.compile(
    r"(?:https?:|ftp:|www\.|(?:[\w-]+\.)+(?:com|org|edu|net|io|ai|gov|uk|de|fr|ch|cn|jp|eu|info|co)/)",
    re.IGNORECASE,
)
_ENDED: Final = re.compile(r"[<>\"“”(){}\[\]]")
_MAX_ADDRESS: Final = 600
_HEAD: Final = re.compile(r"^[^\s<>\"“”]+")
_BREAKS_AFTER: Final = "/-_.=&?#%:~+@"
_LOOKS_LIKE_PATH: Final = re.compile(r"[/_=&?#%~]|\.\w|\w-\w|\d")
_CLOSERS: Final = ".,;:)]}>'\"”’"


class Addresses:
    """The web addresses that a paper's link annotations name, to put broken ones together with."""

    def __init__(self, uris: Iterable[str]) -> None:
        self._uris = sorted({_bare(uri) for uri in uris if uri})

    def joins(self, before: str, after: str, *, mono: bool) -> bool:
        """Whether `after` continues, without a space, an address that `before` ends in.

        `mono` says that both sides of the break are set in typewriter type.
        """
        tail = open_address(before)
        head = _HEAD.match(after)
        if not tail or head is None:
            return False
        known = self._known(tail, head[0])
        if known is not None:
            return known
        piece = head[0].rstrip(_CLOSERS)
        if tail[-1] in "/" and not piece[:1].isalnum() and piece[:1] not in "~_":
            return False
        if mono:
            return True
        if tail[-1] in _BREAKS_AFTER:
            return not (tail[-1] in "./" and piece.istitle() and piece.isalpha()) or _is_bare_start(tail)
        return bool(piece) and piece[0] in "/_=&?#%~." and len(piece) > 1

    def _known(self, tail: str, head: str) -> bool | None:
        """What the annotations say: True for one address, False for an ended one, None for nothing."""
        start, whole = _bare(tail), _bare(tail + head.rstrip(_CLOSERS))
        ended = False
        for uri in self._uris:
            goes_on = uri.startswith(start) and len(uri) > len(start) and (start or len(whole) > 4)
            if goes_on and (uri.startswith(whole) or whole.startswith(uri)):
                return True
            ended = ended or (uri == start and tail[-1] not in _BREAKS_AFTER)
        return False if ended else None


def open_address(text: str) -> str:
    """The address that a text ends in, without what stands before it, or an empty string."""
    token = text[-_MAX_ADDRESS:].rsplit(" ", 1)[-1]
    start = _START.search(token)
    if start is None:
        return ""
    address = token[start.start() :]
    return "" if _ENDED.search(address) else address


def _is_bare_start(tail: str) -> bool:
    return tail.lower().endswith((":", "//", "www."))


def _bare(uri: str) -> str:
    uri = uri.strip().lower()
    for scheme in ("https://", "http://", "ftp://", "https:", "http:", "https", "http"):
        if uri.startswith(scheme):
            uri = uri[len(scheme) :]
            break
    return uri.lstrip("/").rstrip("/")
