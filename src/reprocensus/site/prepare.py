"""What a site has besides its pages, put together: drawing, the search database, the search files."""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

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
    while not stop.is_set():
        try:
            assert corpus.shelf and corpus.search
            fill_shelf(corpus, corpus.shelf, stop)
            fill(corpus, corpus.search, searched, stop)
            finish_pages(corpus, corpus.shelf, stop)
        except ReprocensusError as error:
            # A store that cannot be reached for a while; the pages say so themselves.
            _log.warning("the served site is not brought up to date: %s", error)
        stop.wait(_EVERY_S if "://" not in corpus.tables.storage.uri else _EVERY_FAR_S)


def fill_shelf(corpus: Corpus, shelf: Shelf, stop: threading.Event | None = None) -> None:
    """Puts the editions on the shelf that it lacks or that have changed; takes away those that are gone."""
    there = shelf.versions()
    for edition in set(there) - set(corpus.editions):
        shelf.remove(edition)
    for edition in corpus.editions:
        if stop and stop.is_set():
            return
        version = corpus.version(edition)
        if there.get(edition) != version:
            data = EditionData(corpus.tables, corpus.statistics[edition], version)
            shelf.replace(edition, version, data.each())


def finish_pages(corpus: Corpus, shelf: Shelf, stop: threading.Event | None = None) -> None:
    """Makes the pages of the papers on the shelf that have none, and puts them there."""

    def pages(addresses: list[str]) -> Iterator[tuple[str, bytes]]:
        for address in addresses:
            if stop and stop.is_set():
                return
            # An edition that has left the store since: its papers leave the shelf, too.
            with suppress(KeyError):
                found = answer(corpus, f"papers/{address}/")
                if isinstance(found, Answer):
                    yield address, found.body
            # Pages are served meanwhile, by the same interpreter where there is one process.
            time.sleep(0)

    for edition, (version, addresses) in shelf.unfinished().items():
        shelf.finish(edition, version, pages(addresses))


def fill(
    corpus: Corpus, database: SearchDatabase, known: dict[Edition, str], stop: threading.Event | None = None
) -> None:
    """Brings the database up to date. `known`: what it holds of each edition, changed in place."""
    for edition in set(known) - set(corpus.editions):
        database.replace(edition, ())
        del known[edition]
    for edition in corpus.editions:
        if stop and stop.is_set():
            return
        version = corpus.version(edition)
        if known.get(edition) != version:
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
