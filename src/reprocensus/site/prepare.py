"""What a site has besides its pages, put together: drawing, the search database, the search files."""

import logging
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reprocensus.counting import counted
from reprocensus.errors import ReprocensusError
from reprocensus.outcome import Progress
from reprocensus.passages.workers import PassagePool
from reprocensus.records import Edition
from reprocensus.site import urls
from reprocensus.site.answers import Answer
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import EditionData
from reprocensus.site.evidence import Drawn, EvidenceFiles, write_evidence
from reprocensus.site.output import write
from reprocensus.site.pages import answer
from reprocensus.site.search.database import SearchDatabase
from reprocensus.site.search.entries import Entry, entries_of
from reprocensus.site.search.static_index import index_files
from reprocensus.site.shelf import Shelf
from reprocensus.site.views.evidence import paper_evidence

#: Seconds between two looks for editions that shelf or search do not have yet: on disk, elsewhere.
_EVERY_S: Final = 5.0
_EVERY_FAR_S: Final = 60.0
_log = logging.getLogger(__name__)


@contextmanager
def evidence_served(corpus: Corpus, workers: int) -> Iterator[None]:
    """The corpus' site makes pictures and marked PDFs when they are asked for."""
    with PassagePool(workers) as pool:
        corpus.evidence = EvidenceFiles(corpus.tables, corpus.variables, pool)
        yield


@contextmanager
def kept_up(corpus: Corpus) -> Iterator[Path]:
    """The corpus' site has a shelf and can be searched; yields the folder that holds both files.

    A thread fills them, papers' rows first and their finished pages last, and brings them up to date.
    """
    with tempfile.TemporaryDirectory(prefix="reprocensus-site-") as folder:
        take_up(corpus, Path(folder))
        stop = threading.Event()
        thread = threading.Thread(target=_keep_up, args=(corpus, stop), daemon=True, name="shelf")
        thread.start()
        try:
            yield Path(folder)
        finally:
            stop.set()
            thread.join()
            corpus.shelf, corpus.search = None, None


def take_up(corpus: Corpus, folder: Path) -> None:
    """The corpus' site uses the shelf and the search database in that folder, of this or another process."""
    corpus.shelf = Shelf(folder / "papers.sqlite")
    corpus.search = SearchDatabase(folder / "search.sqlite")


def _keep_up(corpus: Corpus, stop: threading.Event) -> None:
    searched: dict[Edition, str] = {}
    care = Care(stop)
    pause = _EVERY_S if "://" not in corpus.tables.storage.uri else _EVERY_FAR_S
    while not care.ended():
        assert corpus.shelf and corpus.search
        with care.of("the served site"):
            fill_shelf(corpus, corpus.shelf, care)
            fill(corpus, corpus.search, searched, care)
            finish_pages(corpus, corpus.shelf, care)
        care.again()
        stop.wait(pause)


class Care:
    """Looks after what is brought up to date again and again: one part that fails keeps no other from it.

    What went wrong is told when it begins, not every few seconds while it stays so.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._told: set[str] = set()
        self._told_before: set[str] = set()

    def ended(self) -> bool:
        """Whether the server ends."""
        return self._stop.is_set()

    def again(self) -> None:
        """All was looked at once; it begins again."""
        self._told, self._told_before = set(), self._told

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """What is done within concerns that part alone; whatever happens there, others go on."""
        try:
            yield
        except Exception as error:
            # A store out of reach, a full disk, a row that no page can be made of.
            self.tell(f"{what} cannot be brought up to date", error)

    def tell(self, what: str, error: Exception) -> None:
        """Says what happened, and why."""
        known = isinstance(error, ReprocensusError)
        message = f"{what}: {error}" if known else f"{what}: {type(error).__name__}: {error}"
        if isinstance(error, sqlite3.Error):
            message += "; make room in the temporary folder, or name another one with TMPDIR, and start again"
        if message not in self._told | self._told_before:
            _log.warning("%s", message)
        self._told.add(message)


def fill_shelf(corpus: Corpus, shelf: Shelf, care: Care) -> None:
    """Puts the editions on the shelf that it lacks or that have changed; takes away those that are gone."""
    # Pages tell of an edition's figures, too: these must be no older than what stands on the shelf as its
    # version, or pages of older figures would stay.
    corpus.renew()
    there, versions = shelf.versions(), corpus.versions
    for edition in set(there) - set(versions):
        shelf.remove(edition)
    for edition, version in versions.items():
        if care.ended():
            return
        if there.get(edition) != version:
            with care.of(f"the shelf of {edition}"):
                data = EditionData(corpus.tables, corpus.statistics[edition], version)
                shelf.replace(edition, version, data.each())


def finish_pages(corpus: Corpus, shelf: Shelf, care: Care) -> None:
    """Makes the pages of the papers on the shelf that have none, and puts them there."""

    def pages(edition: Edition, addresses: list[str]) -> Iterator[tuple[str, bytes]]:
        failed: list[tuple[str, Exception]] = []
        for address in addresses:
            # An edition that has left the store since: its papers leave the shelf, too.
            if care.ended() or edition not in corpus.statistics:
                return
            try:
                found = answer(corpus, f"papers/{address}/")
            except Exception as error:
                # Tried again when it is asked for.
                failed.append((address, error))
            else:
                if isinstance(found, Answer):
                    yield address, found.body
            # Pages are served meanwhile, by the same interpreter where there is one process.
            time.sleep(0)
        if failed:
            papers, (first, why) = counted(len(failed), "paper"), failed[0]
            care.tell(f"{papers} of {edition} cannot be shown, the first is {first}", why)

    for edition, (version, addresses) in shelf.unfinished().items():
        if care.ended():
            return
        with care.of(f"the pages of {edition}"):
            shelf.finish(edition, version, pages(edition, addresses))


def fill(corpus: Corpus, database: SearchDatabase, known: dict[Edition, str], care: Care) -> None:
    """Brings the database up to date. `known`: what it holds of each edition, changed in place."""
    versions = corpus.versions
    for edition in set(known) - set(versions):
        database.replace(edition, ())
        del known[edition]
    for edition, version in versions.items():
        if care.ended():
            return
        if known.get(edition) != version:
            with care.of(f"the search of {edition}"):
                database.replace(edition, entries_of(corpus.tables, edition))
                known[edition] = version
            # Pages are served meanwhile, by the same interpreter.
            time.sleep(0)


def search_files(corpus: Corpus, tell: Progress) -> Iterator[tuple[str, bytes]]:
    """Addresses and content of the static search index; tells of every edition read."""

    def entries() -> Iterator[Entry]:
        for edition in corpus.editions:
            yield from entries_of(corpus.tables, edition)
            tell("search", "done", 1)

    for name, data in index_files(entries()):
        yield urls.search_file(name), data


def draw(
    corpus: Corpus, editions: list[Edition], out: Path, tell: Progress, *, marked: bool, workers: int
) -> Drawn:
    """Writes the pictures (and marked PDFs) of these editions that are not there; pages offer what is."""
    total = Drawn()
    with PassagePool(workers) as pool:
        files = corpus.evidence = EvidenceFiles(corpus.tables, corpus.variables, pool, out)
        for edition in editions:
            data = corpus.edition(edition)
            papers = (paper_evidence(corpus, rows) for rows in data.each())
            found = [evidence for evidence in papers if evidence]
            # Those without a PDF or a quote have nothing to draw.
            tell("draw", "done", len(corpus.edition_papers(edition)) - len(found))
            drawn = write_evidence(files, found, out, write, tell, marked=marked, workers=workers)
            total.pictures += drawn.pictures
            total.marked += drawn.marked
            total.kept += drawn.kept
            total.failed += drawn.failed
    return total
