"""Sources: who lists papers. One module a kind of source, found by the word before the colon.

A module `sources/<kind>.py` has a function `list_papers(rest, options) -> list[Paper]`, where `rest` is
what follows the colon.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

from reprocensus.errors import SourceError
from reprocensus.records import Paper

#: In bytes, percent-encoded: file systems take 255 for a name, and locks add the path's other parts.
_LONGEST_VENUE: Final = 120


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the caller says about a source that does not say it itself."""

    venue: str | None = None
    year: int | None = None


def source_kinds() -> list[str]:
    """The kinds of source there are."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def check_venue(venue: str) -> str:
    """The venue, if it can name a folder of the store. Raises `ValueError` that says why it cannot."""
    if re.search(r"[/\\=\x00-\x1f\x7f\ud800-\udfff]", venue) or not venue.strip(". "):
        raise ValueError(f"venue {venue!r} has characters that cannot stand in a folder name")
    if len(quote(venue)) > _LONGEST_VENUE:
        raise ValueError(f"venue {venue[:40]!r}… is too long for a folder name")
    return venue


def list_papers(sources: Iterable[str], options: SourceOptions, limit: int | None = None) -> list[Paper]:
    """The papers of all sources in their order, at most `limit`.

    Raises:
        SourceError: a source is unknown, unreadable or empty, or two different papers share a paper_id.
    """
    papers: dict[str, Paper] = {}
    for source in sources:
        listed = _list(source, options)
        if not listed:
            raise SourceError(f"source {source!r} lists no paper")
        for paper in listed:
            before = papers.setdefault(paper.paper_id, paper)
            if (before.edition, before.location) != (paper.edition, paper.location):
                raise SourceError(
                    f"paper_id {paper.paper_id!r} is listed twice, for {before.location} and "
                    f"{paper.location}; every paper needs an id of its own"
                )
    return list(papers.values())[:limit]


def _list(source: str, options: SourceOptions) -> list[Paper]:
    kind, colon, rest = source.partition(":")
    if not colon or kind not in source_kinds():
        if Path(source).exists():
            kind = "dir" if Path(source).is_dir() else "manifest"
            raise SourceError(f"source {source!r} has no kind; did you mean {kind}:{source}?")
        if "/" in source and not colon:
            raise SourceError(
                f"source {source!r}: no venue adapters are installed yet; use manifest:FILE or dir:FOLDER"
            )
        kinds = ", ".join(f"{k}:..." for k in source_kinds())
        raise SourceError(f"unknown source {source!r}; known: {kinds}")
    module = importlib.import_module(f"{__name__}.{kind}")
    return cast(list[Paper], module.list_papers(rest, options))
