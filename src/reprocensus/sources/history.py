"""What an edition listed before: kept in the store, so that a listing that shrinks is noticed.

One JSON object an edition, `listings/venue=V/year=Y.json`: page addresses and the keys of the papers that
each page listed, side tracks included. Pages are told apart by the papers that they share, since saved pages
may have no address of their own.
"""

import json
from collections.abc import Mapping
from urllib.parse import quote

from reprocensus.counting import counted
from reprocensus.errors import ListError, WriteConflictError
from reprocensus.records import Edition
from reprocensus.sources.listing import Listing
from reprocensus.storage import Storage

Pages = dict[str, list[str]]
_SHOWN = 5


class History:
    """The record of earlier listings in a store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, edition: Edition) -> Pages:
        """What each page of the edition listed when it was listed last; empty if it never was."""
        try:
            data = json.loads(self._storage.read(_path(edition)))
            return {str(url): [str(key) for key in keys] for url, keys in data["pages"].items()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            # A record that cannot be read must not keep the edition from being listed: it is written anew.
            return {}

    def write(self, listing: Listing) -> None:
        """Remembers a listing. Raises `StoreError` if the store cannot be written."""
        for _ in range(5):
            path = _path(listing.edition)
            version = self._storage.version(path)
            pages = merged(self.read(listing.edition), listing.by_page, whole=listing.whole)
            data = json.dumps({"pages": pages}, ensure_ascii=False, sort_keys=True).encode()
            try:
                self._storage.replace(path, data, version)
            except WriteConflictError:
                continue
            return


def _path(edition: Edition) -> str:
    return f"listings/venue={quote(edition.venue, safe='')}/year={edition.year}.json"


def shrunk(before: Mapping[str, list[str]], listing: Listing) -> ListError | None:
    """Why a listing has fewer papers than before; None if it has not.

    A whole listing is compared with everything listed before, saved pages with the pages whose papers they
    share. A paper less and another more is no shrinking: papers are withdrawn, and keys corrected.
    """
    now = {key for keys in listing.by_page.values() for key in keys}
    then = [set(keys) for keys in before.values() if listing.whole or now & set(keys)]
    had = set().union(*then)
    lost = sorted(had - now)
    if not lost or len(now) >= len(had):
        return None
    names = ", ".join(lost[:_SHOWN]) + (f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else "")
    return ListError(
        "fewer_papers",
        f"{listing.edition} lists {counted(len(now), 'paper')}, {len(had)} when it was listed before; "
        f"gone: {names}. "
        "Look at the page; if it is right, run again with --accept-fewer",
    )


def merged(before: Mapping[str, list[str]], now: Mapping[str, tuple[str, ...]], *, whole: bool) -> Pages:
    """The record after a listing: all of a whole one, else the pages of before that it does not replace."""
    new = {url: list(keys) for url, keys in now.items()}
    if whole:
        return new
    keys = {key for listed in now.values() for key in listed}
    kept = {url: list(old) for url, old in before.items() if not keys & set(old)}
    for url, listed in new.items():
        # Another saved page without an address of its own: it stands beside the first under its own name.
        kept[url if url not in kept else f"{url}#{listed[0]}"] = listed
    return kept
