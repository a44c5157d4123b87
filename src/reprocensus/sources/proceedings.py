"""What a venue's adapter gives: where the pages of an edition are, and what a page lists. Pure.

A module `sources/<name>.py` is an adapter if it has the attributes of `Proceedings`. It knows the layout of
pages and nothing of the network: `listing` fetches the pages, or reads saved ones, and guards what comes out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol, runtime_checkable

from reprocensus.records import Edition

#: The track of papers that a venue reviews as its main programme.
MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue as an adapter knows it. `name` is what stands in `Edition.venue`, such as NeurIPS.

    `years` are those known to have proceedings under this adapter; those between and the next may be tried.
    """

    name: str
    years: tuple[int, ...]
    about: str = ""

    @property
    def spans(self) -> str:
        """The years known, in words: 2013-2015, 2018."""
        spans: list[list[int]] = []
        for year in sorted(self.years):
            if spans and spans[-1][-1] == year - 1:
                spans[-1].append(year)
            else:
                spans.append([year])
        return ", ".join(str(s[0]) if len(s) == 1 else f"{s[0]}-{s[-1]}" for s in spans) or "any"

    def may_have(self, year: int, today: date) -> bool:
        """Whether there may be an edition of that year: not before the first known, nor after the next one.

        That is the one after the last known, or next year's: proceedings may be out before the year begins.
        """
        return not self.years or min(self.years) <= year <= max(*self.years, today.year) + 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it came: `text` decoded, `url` the address it came from (after redirects)."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One paper as a page lists it.

    `key` is the venue's own identifier of the paper where it has one (PMLR's `abbasi-yadkori14`, NeurIPS'
    hash, an OJS article number, an arXiv or OpenReview id), else made from the title; it never depends on the
    host or on the order of the page. `paper_id` is `<venue>-<year>/<key>`. `track` is as the venue names it;
    `main` says whether it belongs to the main programme.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    landing_url: str | None
    pdf_url: str | None
    track: str = MAIN
    main: bool = True
    abstract: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a page yields: its papers, and the further pages that belong to the edition (absolute URLs).

    `side` are further pages that hold side tracks alone: they are read with `--tracks all` only.
    `edition` is set where the page says which edition it is of and the request could not (`pmlr/54`).
    `seen` counts entries that are no paper of the edition, such as rejected ones: a page with some is not
    empty. `notes` say what was left out and why.
    """

    papers: tuple[Listed, ...] = ()
    more: tuple[str, ...] = ()
    side: tuple[str, ...] = ()
    edition: Edition | None = None
    seen: int = 0
    notes: tuple[str, ...] = ()


class Proceedings(Protocol):
    """An adapter: a module with these attributes."""

    @property
    def VENUES(self) -> Mapping[str, Venue]:  # noqa: N802
        """Its venues by the word before the slash in `icml/2016`, lower case."""

    def start(self, slug: str, year: int) -> tuple[str, ...]:
        """The addresses of the pages that an edition's listing starts from. Raises `SourceError`."""

    def read(self, page: Page, edition: Edition) -> Found:
        """What one page of the edition yields. Empty if the layout is none it knows; never guesses."""


@runtime_checkable
class SaysYear(Protocol):
    """What an adapter may have besides: it tells from a saved page which year's edition it belongs to.

    A folder of saved pages holds several editions. Without this, the years in a page's address, title and
    headings decide.
    """

    def year_of(self, page: Page, slug: str) -> int | None:
        """The year of the edition of venue `slug` that the page says it is of.

        None if it does not say; 0 if it is of another venue.
        """


@runtime_checkable
class HasSide(Protocol):
    """What an adapter may have besides: pages to start from that hold side tracks alone."""

    def side(self, slug: str, year: int) -> tuple[str, ...]:
        """Their addresses; they are read with `--tracks all` only."""
