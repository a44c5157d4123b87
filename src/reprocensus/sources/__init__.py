"""Sources: who lists papers. One module a kind of source, found by its file name.

`manifest:FILE` and `dir:FOLDER` are read by the module of that name, with `list_papers(rest, options)`.
`icml/2016` is an edition of a venue: its adapter is the module whose `VENUES` has the word before the slash
(`proceedings.Proceedings`), and `listing` drives it.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final, cast
from urllib.parse import quote

from reprocensus.errors import ListError, SourceError
from reprocensus.records import Edition, Paper
from reprocensus.sources.history import History, shrunk
from reprocensus.sources.listing import TRACKS, Listing, list_online, list_saved
from reprocensus.sources.pages import CUT_OFF, Pages, SavedPages
from reprocensus.sources.proceedings import Proceedings, Venue

#: In bytes, percent-encoded: file systems take 255 for a name, and locks add the path's other parts.
_LONGEST_VENUE: Final = 120
_EDITION: Final = re.compile(r"([a-z][\w-]*)/(\d{1,4})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the caller says about a source that does not say it itself.

    `tracks` and `listing` (saved pages) are for editions; with `mixed` the pages are of several editions, and
    one of another is no mistake. `online` is the way to their pages, `history` what
    they listed before; without them editions are read from saved pages alone, and nothing is compared.
    """

    venue: str | None = None
    year: int | None = None
    tracks: str = "main"
    listing: tuple[str, ...] = ()
    accept_fewer: bool = False
    online: Pages | None = None
    history: History | None = None
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Unlisted:
    """An edition whose listing failed, or is not all there, and why."""

    edition: Edition
    problems: tuple[ListError, ...]

    @property
    def message(self) -> str:
        """All that is wrong with it."""
        return "; ".join(str(problem) for problem in self.problems)


@dataclass(slots=True)
class Gathered:
    """The papers of all sources, the listings of the editions among them, and the listings that failed."""

    papers: list[Paper]
    listings: list[Listing] = field(default_factory=list)
    failed: list[Unlisted] = field(default_factory=list)


def source_kinds() -> list[str]:
    """The kinds of source there are, as they stand before a colon."""
    return sorted(name for name, module in _modules().items() if hasattr(module, "list_papers"))


def adapters() -> Mapping[str, Proceedings]:
    """The venues' adapters by the word before the slash of `icml/2016`."""
    return {
        word: cast(Proceedings, module)
        for module in _modules().values()
        if hasattr(module, "VENUES")
        for word in cast(Proceedings, module).VENUES
    }


def venues() -> Mapping[str, Venue]:
    """The venues by the word before the slash."""
    return {word: adapter.VENUES[word] for word, adapter in sorted(adapters().items())}


@cache
def _modules() -> Mapping[str, ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def check_venue(venue: str) -> str:
    """The venue, if it can name a folder of the store. Raises `ValueError` that says why it cannot."""
    if re.search(r"[/\\=\x00-\x1f\x7f\ud800-\udfff]", venue) or not venue.strip(". "):
        raise ValueError(f"venue {venue!r} has characters that cannot stand in a folder name")
    if len(quote(venue)) > _LONGEST_VENUE:
        raise ValueError(f"venue {venue[:40]!r}… is too long for a folder name")
    return venue


def list_papers(sources: Iterable[str], options: SourceOptions, limit: int | None = None) -> list[Paper]:
    """The papers of all sources in their order, at most `limit`. For callers that want all or nothing.

    Raises:
        SourceError: as `gather`, or a listing failed.
    """
    gathered = gather(sources, options, limit)
    if gathered.failed:
        raise SourceError("; ".join(failed.message for failed in gathered.failed))
    return gathered.papers


def gather(sources: Iterable[str], options: SourceOptions, limit: int | None = None) -> Gathered:
    """The papers of all sources in their order, at most `limit`, and the editions whose listing failed.

    Raises:
        SourceError: a source is unknown, unreadable or empty, or two different papers share a paper_id. An
            edition that cannot be listed raises nothing: the others go on without it.
    """
    papers: dict[str, Paper] = {}
    gathered = Gathered([])
    sources = list(sources)
    if sum(bool(_EDITION.fullmatch(source)) for source in sources) > 1:
        options = replace(options, mixed=True)
    for source in sources:
        for paper in _list(source, options, gathered):
            before = papers.setdefault(paper.paper_id, paper)
            if (before.edition, before.location) != (paper.edition, paper.location):
                raise SourceError(
                    f"paper_id {paper.paper_id!r} is listed twice, for {before.location} and "
                    f"{paper.location}; every paper needs an id of its own"
                )
    gathered.papers = list(papers.values())[:limit]
    return gathered


def list_edition(source: str, options: SourceOptions) -> Listing:
    """One edition, such as `icml/2016`, from saved pages or from the network.

    What went wrong stands in its `problems`; that it lists fewer papers than before is one of them.

    Raises:
        SourceError: the venue is unknown, has no such edition, or a saved page cannot be read.
    """
    word, year = _edition(source)
    adapter = adapters().get(word)
    if adapter is None:
        raise SourceError(f"source {source!r}: unknown venue {word!r}; reprocensus sources lists them")
    if options.tracks not in TRACKS:
        raise SourceError(f"--tracks {options.tracks}: main or all")
    if options.listing:
        pages = SavedPages(options.listing, mixed=options.mixed)
        listing = list_saved(adapter, word, year, pages, source, options.tracks)
    elif options.online:
        venue = adapter.VENUES[word]
        if not venue.may_have(year, datetime.now(UTC).date()):
            raise SourceError(
                f"source {source!r}: {venue.name} is known for {venue.spans}; there is no edition of {year}, "
                "or not yet (pages that were saved are read with --listing)"
            )
        listing = list_online(adapter, word, year, options.online, source, options.tracks)
    else:
        raise SourceError(f"{source}: nothing here reads from the network; name saved pages with --listing")
    return _compared(listing, options)


def _compared(listing: Listing, options: SourceOptions) -> Listing:
    if options.accept_fewer:
        return listing.without_problem(CUT_OFF)
    if options.history is None or not listing.by_page:
        return listing
    problem = shrunk(options.history.read(listing.edition), listing)
    return listing.with_problem(problem) if problem else listing


def _edition(source: str) -> tuple[str, int]:
    named = _EDITION.fullmatch(source)
    if not named:
        raise SourceError(f"source {source!r} is no edition; name one such as icml/2016")
    return named[1].lower(), int(named[2])


def _list(source: str, options: SourceOptions, gathered: Gathered) -> list[Paper]:
    kind, colon, rest = source.partition(":")
    if colon and kind in source_kinds():
        module = _modules()[kind]
        listed = cast(list[Paper], module.list_papers(rest, options))
        if not listed:
            raise SourceError(f"source {source!r} lists no paper")
        return listed
    if _EDITION.fullmatch(source) and (
        source.split("/", maxsplit=1)[0].lower() in adapters() or not Path(source).exists()
    ):
        listing = list_edition(source, options)
        gathered.listings.append(listing)
        if listing.problems:
            gathered.failed.append(Unlisted(listing.edition, listing.problems))
        return list(listing.papers)
    if Path(source).exists():
        kind = "dir" if Path(source).is_dir() else "manifest"
        raise SourceError(f"source {source!r} has no kind; did you mean {kind}:{source}?")
    kinds = ", ".join(f"{k}:..." for k in source_kinds())
    raise SourceError(f"unknown source {source!r}; known: {kinds}, and editions such as icml/2016")
