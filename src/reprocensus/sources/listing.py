"""Lists an edition: reads its pages through the venue's adapter, and lets nothing go missing unnamed.

A page that yields no paper and no further page is a `ListError` that says what the page is. The pages that do
yield are kept: one track page behind a login does not cost the others, but the listing has a problem.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from reprocensus.counting import counted
from reprocensus.errors import ListError, PaperError, SourceError
from reprocensus.keys import digest, slug
from reprocensus.records import Edition, Paper
from reprocensus.sources.html import parse, text_of
from reprocensus.sources.pages import Pages, SavedPage, SavedPages, same_address, why_cut, why_empty
from reprocensus.sources.proceedings import HasSide, Listed, Page, Proceedings, SaysYear

#: An edition with more pages than this is a loop.
_MOST_PAGES: Final = 400
TRACKS: Final = ("main", "all")


@dataclass(frozen=True, slots=True)
class Listing:
    """An edition as listed. `by_page`: the keys of all its papers, side tracks too, by page address.

    `problems` are why the listing is not all there; `notes` what an operator may want to know. `left_out`:
    papers of side tracks that were listed and not asked for. `whole`: all pages of the edition were asked
    for, not some saved ones.
    """

    edition: Edition
    papers: tuple[Paper, ...]
    by_page: Mapping[str, tuple[str, ...]]
    problems: tuple[ListError, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: int = 0
    whole: bool = True

    def without_problem(self, kind: str) -> "Listing":
        """The listing without the problems of that kind."""
        return replace(self, problems=tuple(problem for problem in self.problems if problem.kind != kind))

    def with_problem(self, problem: ListError) -> "Listing":
        """The listing with one more problem."""
        return replace(self, problems=(*self.problems, problem))


@dataclass(slots=True)
class _Reading:
    """What has been read of an edition so far."""

    edition: Edition
    tracks: str
    listed: list[Listed] = field(default_factory=list)
    by_page: dict[str, tuple[Listed, ...]] = field(default_factory=dict)
    problems: list[ListError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, page: Page, adapter: Proceedings) -> Iterable[str]:
        """Reads one page; returns the addresses of those that follow."""
        try:
            found = adapter.read(page, self.edition)
        except Exception as error:
            # One page that breaks its adapter must not cost a night's other editions; it is named as well.
            broken = f"{page.url} broke the adapter ({type(error).__name__}: {error}); please report it"
            self.problems.append(ListError("adapter", broken))
            return ()
        if found.edition:
            self.edition = found.edition
        follow = (*found.more, *(found.side if self.tracks == "all" else ()))
        self.notes += found.notes
        if not (found.papers or found.more or found.side or found.seen):
            self.problems.append(why_empty(page))
        elif cut := why_cut(page):
            self.problems.append(cut)
        if found.papers:
            # Saved pages may have no address of their own and share the edition's.
            self.by_page[page.url] = (*self.by_page.get(page.url, ()), *found.papers)
            self.listed += found.papers
        return follow


def list_online(
    adapter: Proceedings, word: str, year: int, pages: Pages, source: str, tracks: str
) -> Listing:
    """The edition as its pages list it, from the addresses that the adapter knows, and on from there.

    Raises:
        SourceError: the adapter knows no address for that year.
    """
    start = list(adapter.start(word, year))
    if tracks == "all" and isinstance(adapter, HasSide):
        start += adapter.side(word, year)
    reading = _Reading(Edition(adapter.VENUES[word].name, year), tracks)
    _read(reading, adapter, start, pages)
    return _listing(reading, source, whole=True)


def list_saved(
    adapter: Proceedings, word: str, year: int, saved: SavedPages, source: str, tracks: str
) -> Listing:
    """The edition as saved pages list it: those that are of this edition, and those that they link to."""
    reading = _Reading(Edition(adapter.VENUES[word].name, year), tracks)
    start = _start(adapter, word, year)
    chosen = _of_edition(adapter, word, year, saved, start, reading)
    if not chosen and not reading.problems:
        reading.problems.append(
            ListError("not_saved", f"none of the {len(saved.pages)} saved pages is of {reading.edition}")
        )
    done = {same_address(page.url) for page in chosen}
    follow = [url for page in chosen for url in reading.take(page, adapter)]
    queue = deque(url for url in follow if same_address(url) not in done)
    while queue:
        url = queue.popleft()
        if same_address(url) in done:
            continue
        done.add(same_address(url))
        try:
            page = saved.get(url)
        except ListError as error:
            reading.notes.append(str(error))
            continue
        queue.extend(reading.take(page, adapter))
    return _listing(reading, source, whole=False)


def _start(adapter: Proceedings, word: str, year: int) -> tuple[str, ...]:
    try:
        side = adapter.side(word, year) if isinstance(adapter, HasSide) else ()
        return (*adapter.start(word, year), *side)
    except SourceError:
        return ()


def _read(reading: _Reading, adapter: Proceedings, start: Sequence[str], pages: Pages) -> None:
    queue = deque(start)
    done: set[str] = set()
    while queue:
        url = queue.popleft()
        if same_address(url) in done:
            continue
        if len(done) >= _MOST_PAGES:
            reading.problems.append(
                ListError(
                    "too_many_pages", f"{reading.edition} links to over {_MOST_PAGES} pages; {url} is next"
                )
            )
            return
        done.add(same_address(url))
        try:
            page = pages.get(url)
            done.add(same_address(page.url))
            queue.extend(reading.take(page, adapter))
        except PaperError as error:
            reading.problems.append(ListError(error.kind, str(error), transient=error.transient))


def _of_edition(
    adapter: Proceedings, word: str, year: int, saved: SavedPages, start: Sequence[str], reading: _Reading
) -> list[Page]:
    """The saved pages of the edition, each with an address. What cannot be told is said."""
    chosen: list[Page] = []
    unclear: list[SavedPage] = []
    starts = {same_address(url) for url in start}
    for one in saved.pages:
        # A file that was named may come from wherever the venue was mirrored.
        hosts = () if one.named else start
        says = (
            year if same_address(one.page.url) in starts else _year_of(adapter, word, year, one.page, hosts)
        )
        if says is None and not one.named:
            # A login page says no year. Its file's name may, and then it is missing from that edition.
            says = next(iter(_years(one.file.stem)), None)
        if says == year:
            chosen.append(_addressed(one.page, start))
        elif one.named and says is not None:
            of = f"{reading.edition.venue} {says}" if says else "another venue"
            reading.problems.append(
                ListError("other_edition", f"{one.file} is a page of {of}, not of {reading.edition}")
            )
        elif says is None:
            unclear.append(one)
    for one in unclear:
        if one.named or len(saved.pages) == 1:
            chosen.append(_addressed(one.page, start))
        else:
            reading.notes.append(
                f"{one.file} does not say which year it is of and was left out; name it as a file if it is "
                f"of {reading.edition}"
            )
    return chosen


def _addressed(page: Page, start: Sequence[str]) -> Page:
    return page if page.url or not start else replace(page, url=start[0])


def _year_of(adapter: Proceedings, word: str, year: int, page: Page, start: Sequence[str]) -> int | None:
    """The year that a page is of: as the adapter knows, else as its address or its headings say.

    0 if the adapter does not know and the page is of another host than those that the edition starts from.
    """
    if isinstance(adapter, SaysYear):
        with suppress(Exception):
            # An adapter that breaks on a page says so when it reads it, if the page is of this edition.
            says = adapter.year_of(page, word)
            if says is not None:
                return says
    address = urlsplit(page.url)
    if address.netloc and start and _host(page.url) not in {_host(url) for url in start}:
        return 0
    found = _years(f"{address.path}?{address.query}")
    if not found:
        tree = parse(page.text)
        found = _years(" ".join(text_of(node) for node in tree.css("title, h1, h2")))
    return year if year in found else next(iter(found), None)


def _host(url: str) -> str:
    return same_address(url).split("/", 1)[0]


def _years(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)]


def _listing(reading: _Reading, source: str, *, whole: bool) -> Listing:
    merged = _merged(reading.listed)
    keys = _keys(merged)
    edition = reading.edition
    papers = []
    for one, key in zip(merged, keys, strict=True):
        if not (one.main or reading.tracks == "all"):
            continue
        papers.append(
            Paper(
                paper_id=f"{edition.venue}-{edition.year}/{key}",
                edition=edition,
                title=one.title,
                source=source,
                # Where no PDF is known the landing page is what there is to try, and to name in a failure.
                location=one.pdf_url or one.landing_url or "",
                authors=one.authors,
                abstract=one.abstract,
                track=one.track,
                main=one.main,
                landing_url=one.landing_url,
                pdf_url=one.pdf_url,
            )
        )
    problems = list(reading.problems)
    left_out = len(merged) - len(papers)
    if not papers and not problems:
        side = (
            f": {counted(left_out, 'paper')} in side tracks alone; ask for --tracks all" if left_out else ""
        )
        problems.append(ListError("no_papers", f"{edition} lists no paper{side}"))
    by_page = {url: tuple(one.key for one in listed) for url, listed in reading.by_page.items()}
    return Listing(edition, tuple(papers), by_page, tuple(problems), tuple(reading.notes), left_out, whole)


def _merged(listed: Iterable[Listed]) -> list[Listed]:
    """Each paper once, in order. Of one listed twice the main track's entry stands, filled from the other."""
    by_key: dict[str, list[Listed]] = defaultdict(list)
    order: list[tuple[str, int]] = []
    for one in listed:
        same = by_key[one.key]
        for number, other in enumerate(same):
            if _same_paper(one, other):
                first, second = (one, other) if one.main and not other.main else (other, one)
                same[number] = replace(
                    first,
                    authors=first.authors or second.authors,
                    landing_url=first.landing_url or second.landing_url,
                    pdf_url=first.pdf_url or second.pdf_url,
                    abstract=first.abstract or second.abstract,
                )
                break
        else:
            order.append((one.key, len(same)))
            same.append(one)
    return [by_key[key][number] for key, number in order]


def _same_paper(one: Listed, other: Listed) -> bool:
    if _plain(one.title) != _plain(other.title):
        return bool(one.pdf_url) and one.pdf_url == other.pdf_url
    same_authors = not one.authors or not other.authors or _names(one) == _names(other)
    return same_authors or (bool(one.pdf_url) and one.pdf_url == other.pdf_url)


def _plain(text: str) -> str:
    return slug(text) or text.casefold()


def _names(one: Listed) -> str:
    return _plain(" ".join(one.authors))


def _keys(papers: Sequence[Listed]) -> list[str]:
    """A key a paper. Different papers with one key all get a digest of title and authors, in any order."""
    count: dict[str, int] = defaultdict(int)
    for one in papers:
        count[one.key] += 1
    return [
        one.key if count[one.key] == 1 else f"{one.key}-{digest(f'{_plain(one.title)}|{_names(one)}')[:8]}"
        for one in papers
    ]
