"""What the store holds, read for pages: an edition at a time, the last few kept, read anew when replaced."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from reprocensus.records import Edition
from reprocensus.schemas import load_table, load_variables
from reprocensus.site import urls
from reprocensus.site.edition_data import EditionData, EditionStatistics, PaperRows, Row
from reprocensus.site.facts import Facts, facts_of
from reprocensus.site.names import PaperIndex, paper_index
from reprocensus.site.options import SiteOptions
from reprocensus.tables import Tables, partition_path
from reprocensus.variables import Variable

if TYPE_CHECKING:
    from reprocensus.site.evidence import EvidenceFiles
    from reprocensus.site.search.database import SearchDatabase
    from reprocensus.site.shelf import Shelf

#: What an edition's pages are made of. A change in one of them changes pages of that edition.
TABLES: Final = (
    "papers", "aliases", "verdicts", "documents", "failures", "labels", "pdfs",
    "edition_scores", "venue_statistics", "corrected_statistics",
    "places",
)  # fmt: skip
#: Bytes of frames that are kept; the rest is read again when it is asked for.
_KEPT: Final = 200 * 2**20


class Corpus:
    """A store as the site sees it. Safe to use from several threads."""

    def __init__(self, tables: Tables, options: SiteOptions, *, kept: int = _KEPT) -> None:
        """Looks what is there in sum. `kept`: bytes of editions' tables that stay in memory."""
        self.tables, self.options, self._kept = tables, options, kept
        #: What makes pictures of passages and marked PDFs, and what searches, where the site has them.
        self.evidence: EvidenceFiles | None = None
        self.search: SearchDatabase | None = None
        #: Where papers' rows lie ready, if they do. It may lag behind the tables by seconds.
        self.shelf: Shelf | None = None
        #: Digests of PDFs that are known not to be in the store, though a paper has them.
        self.lacking: set[str] = set()
        self.variables: tuple[Variable, ...] = load_variables()
        self._guard, self._renewing = threading.Lock(), threading.Lock()
        self._held: OrderedDict[Edition, EditionData] = OrderedDict()
        self._reading: defaultdict[Edition, threading.Lock] = defaultdict(threading.Lock)
        self._papers: PaperIndex | None = None
        self._facts: dict[Edition, tuple[str, Facts]] = {}
        self._versions: dict[Edition, str] | None = None
        self._runs = ""
        self._texts: dict[str, str] = {}
        self._shelved: frozenset[Edition] = frozenset()
        self._all_shelved = False
        self.refresh()

    def held(self, edition: Edition | None) -> bool:
        """Whether what is said of the edition's papers is at hand, without reading tables."""
        return edition in self._shelved or edition in self._held

    def renew(self) -> bool:
        """Looks whether the store changed, and forgets what is not so any more; says whether it did."""
        # One at a time: what one thread has read must not be replaced by what another read before.
        with self._renewing:
            return self._renew()

    def _renew(self) -> bool:
        editions = tuple(sorted(self.tables.editions("papers")))
        versions = {edition: self.version(edition) for edition in editions}
        runs = self._runs_version()
        if self.shelf:
            self._shelved = frozenset(self.shelf.versions())
            self._all_shelved = self._shelved.issuperset(editions)
        if versions == self._versions and runs == self._runs:
            return False
        self.refresh()
        with self._guard:
            for edition, held in list(self._held.items()):
                if versions.get(edition) != held.version:
                    del self._held[edition]
            self._papers = None
            self._versions, self._runs = versions, runs
        return True

    @property
    def versions(self) -> dict[Edition, str]:
        """The editions that `renew` saw and their versions; their figures are as new, or newer."""
        return self._versions or {}

    def _runs_version(self) -> str:
        storage = self.tables.storage
        return " ".join(f"{path} {storage.version(path)}" for path in storage.list("tables/runs"))

    def refresh(self) -> None:
        """Reads what is there in sum: editions, statistics, runs, and which paper is where."""
        editions = tuple(sorted(self.tables.editions("papers")))
        # Whoever sees an edition in the other thread must find its figures.
        self.statistics = self._statistics(editions)
        self.editions = editions
        self.runs: tuple[Row, ...] = tuple(
            self.tables.read_rows("runs").sort("started_at", descending=True).to_dicts()
        )

    @cached_property
    def scored(self) -> tuple[Variable, ...]:
        """The variables of the documentation score."""
        return tuple(v for v in self.variables if v.in_documentation_score)

    @property
    def venues(self) -> tuple[str, ...]:
        """Venues, by name."""
        return tuple(sorted({e.venue for e in self.editions}))

    def editions_of(self, venue: str) -> tuple[Edition, ...]:
        """A venue's editions, the earliest first."""
        return tuple(e for e in self.editions if e.venue == venue)

    def version(self, edition: Edition) -> str:
        """Changes whenever one of the edition's partitions does."""
        storage = self.tables.storage
        return " ".join(str(storage.version(partition_path(name, edition))) for name in TABLES)

    def edition(self, edition: Edition) -> EditionData:
        """An edition's tables. Raises `KeyError` where there is no such edition."""
        statistics = self.statistics[edition]
        with self._guard:
            reading = self._reading[edition]
        # Many may ask at once; one of them reads.
        with reading:
            with self._guard:
                if held := self._held.get(edition):
                    self._held.move_to_end(edition)
                    return held
            data = EditionData(self.tables, statistics, self.version(edition))
            with self._guard:
                self._held[edition] = data
                while len(self._held) > 1 and sum(held.size for held in self._held.values()) > self._kept:
                    self._held.popitem(last=False)
            return data

    def paper(self, path: str) -> PaperRows | None:
        """What is said of the paper with that address or other name, as it stands in addresses."""
        if self.shelf:
            ready = self.shelf.get(path) or self.shelf.named(path) or self.shelf.named(_as_name(path))
            if ready or self._all_shelved:
                return ready if ready and ready.edition in self.statistics else None
        found = self.find(path)
        return self.edition(found[0]).rows(found[1]) if found else None

    def text(self, paper: PaperRows) -> str:
        """A paper's text, read from the store unless it is held; empty where there is none."""
        if paper.document is None:
            return ""
        if paper.paper_id not in self._texts:
            return self._read_texts(paper.edition, [paper.paper_id]).get(paper.paper_id, "")
        return self._texts[paper.paper_id]

    def hold_texts(self, papers: Sequence[PaperRows]) -> None:
        """Reads the texts of some papers of one edition at once, instead of those that were held before."""
        wanted = [paper.paper_id for paper in papers if paper.document]
        self._texts = self._read_texts(papers[0].edition, wanted) if wanted else {}

    def _read_texts(self, edition: Edition, paper_ids: Sequence[str]) -> dict[str, str]:
        found = self.tables.read_documents(edition, paper_ids)
        return dict(found.select("paper_id", "text").iter_rows())

    def find(self, path: str) -> tuple[Edition, str] | None:
        """Edition and paper_id of the paper with that address or other name, as it stands in addresses."""
        likely = urls.edition_of(path.partition("/")[0])
        if likely in self.statistics and (paper_id := self.edition(likely).addresses.get(path)):
            return likely, paper_id
        index = self._index()
        own = _as_name(path)
        return (
            index.papers.get(path) or index.papers.get(own) or index.others.get(path) or index.others.get(own)
        )

    def other_names(self) -> dict[str, tuple[Edition, str]]:
        """Papers' other addresses, and the paper that each leads to."""
        index = self._index()
        return {path: where for path, where in index.others.items() if path not in index.papers}

    def edition_papers(self, edition: Edition) -> list[str]:
        """The paper_ids of an edition; reads nothing but names."""
        return self._index().by_edition[edition]

    def paper_ids(self) -> list[str]:
        """Every paper, by edition and paper_id."""
        return [paper_id for _, paper_id in self._index().papers.values()]

    def _index(self) -> "PaperIndex":
        with self._guard:
            if self._papers is None:
                self._papers = paper_index(self.tables, self.editions)
            return self._papers

    def facts(self) -> dict[Edition, Facts]:
        """Every edition's sums; those of editions that were not replaced are kept."""
        for edition in self.editions:
            version = self.version(edition)
            if self._facts.get(edition, ("", None))[0] != version:
                self._facts[edition] = (version, facts_of(self.tables, edition, self.variables))
        return {edition: self._facts[edition][1] for edition in self.editions}

    def _statistics(self, editions: tuple[Edition, ...]) -> dict[Edition, EditionStatistics]:
        scores = _by_edition(self.tables.scan("edition_scores"))
        shares = _by_edition(self.tables.scan("venue_statistics"))
        corrected = _by_edition(self.tables.scan("corrected_statistics"))
        return {
            edition: _chosen(
                edition,
                self.options.engine,
                scores.get(edition, []),
                shares.get(edition, []),
                corrected.get(edition, []),
            )
            for edition in editions
        }


def _as_name(path: str) -> str:
    """An address spelt in another way, such as a paper_id as it is, in the way of `urls.id_path`."""
    return urls.id_path("/".join(map(urls.name_of, path.split("/"))))


def _by_edition(frame: pl.DataFrame) -> dict[Edition, list[Row]]:
    found: dict[Edition, list[Row]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(Edition(row["venue"], row["year"]), []).append(row)
    return found


def _chosen(
    edition: Edition, named: str, scores: list[Row], shares: list[Row], corrected: list[Row]
) -> EditionStatistics:
    """The figures of the engine named where it judged the edition, else of the one that judged most of it."""
    judged = {row["engine"]: row["n_papers"] - row["n_failed"] for row in scores if row["engine"]}
    engine = named if named in judged else max(sorted(judged), key=lambda e: judged[e], default="")
    nothing = dict.fromkeys(column.name for column in load_table("edition_scores").columns)
    own: Row = next((row for row in scores if row["engine"] == engine), nothing)
    return EditionStatistics(
        edition,
        engine,
        tuple(sorted(judged)),
        own,
        {row["variable"]: row for row in shares if row["engine"] == engine},
        {row["variable"]: row for row in corrected if row["engine"] == engine},
    )
