"""What a site has besides its pages, put together: drawing, the search database, the search files."""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from reprocensus.errors import ReprocensusError
from reprocensus.passages.workers import PassagePool
from reprocensus.records import Edition
from reprocensus.site import urls
from reprocensus.site.corpus import Corpus
from reprocensus.site.evidence import Drawn, EvidenceFiles, write_evidence
from reprocensus.site.output import write
from reprocensus.site.search.database import SearchDatabase
from reprocensus.site.search.entries import entries_of
from reprocensus.site.search.static_index import index_files
from reprocensus.site.views.evidence import paper_evidence

#: Seconds after which a served site looks for editions that search does not know yet.
_EVERY_S: Final = 60.0
_log = logging.getLogger(__name__)


@contextmanager
def evidence_served(corpus: Corpus, workers: int) -> Iterator[None]:
    """The corpus' site makes pictures and marked PDFs when they are asked for."""
    with PassagePool(workers) as pool:
        corpus.evidence = EvidenceFiles(corpus.tables, corpus.variables, pool)
        yield


@contextmanager
def search_served(corpus: Corpus) -> Iterator[SearchDatabase]:
    """The corpus' site can be searched: a thread fills the database and keeps it up to date."""
    with tempfile.TemporaryDirectory(prefix="reprocensus-search-") as folder:
        database = SearchDatabase(Path(folder) / "search.sqlite")
        corpus.search = database
        stop = threading.Event()
        thread = threading.Thread(target=_keep_up, args=(corpus, database, stop), daemon=True, name="search")
        thread.start()
        try:
            yield database
        finally:
            corpus.search = None
            stop.set()
            thread.join()


def _keep_up(corpus: Corpus, database: SearchDatabase, stop: threading.Event) -> None:
    known: dict[Edition, str] = {}
    while not stop.is_set():
        try:
            fill(corpus, database, known, stop)
        except ReprocensusError as error:
            # A store that cannot be reached for a while; the pages say so themselves.
            _log.warning("search is not brought up to date: %s", error)
        stop.wait(_EVERY_S)


def fill(
    corpus: Corpus, database: SearchDatabase, known: dict[Edition, str], stop: threading.Event | None = None
) -> None:
    """Brings the database up to date. `known`: what it holds of each edition, changed in place."""
    for edition in corpus.editions:
        if stop and stop.is_set():
            return
        version = corpus.version(edition)
        if known.get(edition) != version:
            database.replace(edition, entries_of(corpus.tables, edition))
            known[edition] = version
            # Pages are served meanwhile, by the same interpreter.
            time.sleep(0)


def search_files(corpus: Corpus) -> Iterator[tuple[str, bytes]]:
    """Addresses and content of the static search index."""
    entries = chain.from_iterable(entries_of(corpus.tables, edition) for edition in corpus.editions)
    for name, data in index_files(entries):
        yield urls.search_file(name), data


def draw(corpus: Corpus, editions: list[Edition], out: Path, *, marked: bool, workers: int) -> Drawn:
    """Writes the pictures (and marked PDFs) of these editions that are not there; pages offer what is."""
    total = Drawn()
    with PassagePool(workers) as pool:
        files = corpus.evidence = EvidenceFiles(corpus.tables, corpus.variables, pool, out)
        for edition in editions:
            data = corpus.edition(edition)
            papers = (paper_evidence(data, paper_id) for paper_id in data.paper_ids)
            found = [evidence for evidence in papers if evidence]
            drawn = write_evidence(files, found, out, write, marked=marked, workers=workers)
            total.pictures += drawn.pictures
            total.marked += drawn.marked
            total.kept += drawn.kept
            total.failed += drawn.failed
    return total
