"""Which editions are meant by a venue and years."""

from collections.abc import Sequence

from reprocensus.census import in_words, prepare
from reprocensus.errors import UsageError
from reprocensus.request import RunRequest
from reprocensus.settings import Settings
from reprocensus.sources import source_kinds, venues


def is_edition(source: str) -> bool:
    """Whether a source is an edition such as icml/2016, rather than a manifest or a folder."""
    return source.partition(":")[0] not in source_kinds()


def chosen(sources: Sequence[str], venue: str | None, years: Sequence[int]) -> tuple[str, ...]:
    """The sources that may list a venue's editions of some years; the venue's own editions if there are none.

    Raises:
        UsageError: nothing is left, or the venue is unknown.
    """
    if not sources:
        if not venue:
            raise UsageError("name a venue, or sources such as icml/2016")
        found = [f"{word}/{year}" for word in _words(venue) for year in editions_known(word, years)]
    else:
        words = _words(venue) if venue else []
        found = [s for s in sources if not is_edition(s) or _meant(s, words, years)]
    if not found:
        raise UsageError(f"nothing lists {venue or 'a venue'} of {', '.join(map(str, years)) or 'any year'}")
    return tuple(found)


def editions_known(word: str, years: Sequence[int]) -> list[int]:
    """The years, of those wanted, of which the venue is known to have proceedings; all if none are wanted.

    Raises:
        UsageError: the venue is unknown.
    """
    venue = venues().get(word.lower())
    if venue is None:
        raise UsageError(f"unknown venue {word!r}; reprocensus sources lists them")
    return [year for year in venue.years if not years or year in years]


def editions_of(
    request: RunRequest, settings: Settings, venue: str | None, years: Sequence[int]
) -> tuple[str, ...]:
    """The editions of a venue and of years that the request's sources list. Raises `UsageError` if none."""
    listed = prepare(request, settings).gathered
    found = {p.edition for p in listed.papers} | {listing.edition for listing in listed.listings}
    names = sorted(
        f"{edition.venue}/{edition.year}"
        for edition in found
        if (not venue or edition.venue.casefold() == venue.casefold())
        and (not years or edition.year in years)
    )
    if not names:
        raise UsageError(
            f"no source lists {venue or 'a venue'} of {', '.join(map(str, years)) or 'any year'}; they list "
            + in_words(found, [venue] if venue else [])
        )
    return tuple(names)


def _words(venue: str) -> list[str]:
    """The words before the slash that mean a venue, by its name or by the word itself."""
    folded = venue.casefold()
    return [word for word, known in venues().items() if folded in (word, known.name.casefold())]


def _meant(source: str, words: Sequence[str], years: Sequence[int]) -> bool:
    word, _, year = source.partition("/")
    return (not words or word.lower() in words) and (not years or year in map(str, years))
