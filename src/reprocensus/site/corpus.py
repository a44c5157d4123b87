"""What the store holds, read for pages: an edition at a time, the last few kept, read anew when replaced."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from reprocensus.records import Edition
from reprocensus.schemas import load_table, load_variables
from reprocensus.site import urls
from reprocensus.site.facts import Facts, facts_of
from reprocensus.site.names import PaperIndex, paper_index
from reprocensus.site.options import SiteOptions
from reprocensus.tables import Tables, partition_path
from reprocensus.variables import Variable

if TYPE_CHECKING:
    from reprocensus.site.evidence import EvidenceFiles
    from reprocensus.site.search.database import SearchDatabase

Row = dict[str, Any]
#: What an edition's pages are made of. A change in one of them changes pages of that edition.
TABLES: Final = (
    "papers", "aliases", "verdicts", "documents", "failures", "labels", "pdfs",
    "edition_scores", "venue_statistics", "corrected_statistics",
)  # fmt: skip
#: Documents without their texts, which are read a few at a time.
_DOCUMENT_COLUMNS: Final = (
    "paper_id", "pdf_sha256", "text_sha256", "page_starts", "n_pages", "extractor", "extractor_version",
    "flags",
)  # fmt: skip
#: What tells one judgement from another, and what came of it.
_JUDGEMENT: Final = (
    "paper_id", "variable", "engine", "label", "model", "run_id", "judged_at", "recorded_at", "variable_sha",
    "prompt_sha", "text_sha256",
)  # fmt: skip
#: Columns whose few values stand in many rows: kept once each.
_REPEATED: Final = (
    "paper_id", "variable", "label", "engine", "model", "run_id", "variable_sha", "prompt_sha", "text_sha256",
)  # fmt: skip
#: Bytes of frames that are kept; the rest is read again when it is asked for.
_KEPT: Final = 200 * 2**20


@dataclass(frozen=True)
class EditionStatistics:
    """What is known of an edition in sum, of one engine. Rows by variable where there is one a variable."""

    edition: Edition
    engine: str
    engines: tuple[str, ...]
    scores: Row
    shares: Mapping[str, Row]
    corrected: Mapping[str, Row]


class EditionData:
    """An edition's tables as read. Rows of one paper lie together, so that one paper's are found at once."""

    def __init__(self, tables: Tables, statistics: EditionStatistics, version: str) -> None:
        self.edition, self.statistics, self.version = statistics.edition, statistics, version
        self._tables = tables
        self.papers = tables.read("papers", self.edition).frame.sort("paper_id")
        self.paper_ids: list[str] = self.papers["paper_id"].to_list()
        self._texts: dict[str, str] = {}
        self._at = {paper_id: at for at, paper_id in enumerate(self.paper_ids)}
        self._verdicts = _Grouped(
            tables.read("verdicts", self.edition).frame.sort("paper_id", "variable"), _REPEATED
        )
        self._documents = _Grouped(tables.read("documents", self.edition, _DOCUMENT_COLUMNS).frame)
        self._failures = _Grouped(tables.read("failures", self.edition).frame)
        self._labels = _Grouped(tables.read("labels", self.edition).frame)
        self._aliases = _Grouped(tables.read("aliases", self.edition).frame)
        self._earlier = _Grouped(_earlier(tables, self.edition, self._verdicts.frame))

    def paper(self, paper_id: str) -> Row:
        """The paper's row. Raises `KeyError`."""
        return self.papers.row(self._at[paper_id], named=True)

    def verdicts(self, paper_id: str) -> list[Row]:
        """Its verdicts, of every engine."""
        return self._verdicts.rows(paper_id)

    def document(self, paper_id: str) -> Row | None:
        """Its document without the text."""
        found = self._documents.rows(paper_id)
        return found[0] if found else None

    def text(self, paper_id: str) -> str:
        """The text of a paper, read from the store unless it is held."""
        return self._texts[paper_id] if paper_id in self._texts else self._read([paper_id]).get(paper_id, "")

    def hold_texts(self, paper_ids: Sequence[str]) -> None:
        """Reads the texts of some papers at once, instead of those that were held before."""
        self._texts = self._read(paper_ids)

    def _read(self, paper_ids: Sequence[str]) -> dict[str, str]:
        if not any(self.document(paper_id) for paper_id in paper_ids):
            return {}
        found = self._tables.read_documents(self.edition, paper_ids)
        return dict(found.select("paper_id", "text").iter_rows())

    def pdfs(self, paper_ids: Sequence[str]) -> set[str]:
        """Digests of the PDFs that some papers' pages lead to."""
        documents = (self.document(paper_id) for paper_id in paper_ids)
        listed = (self.paper(paper_id)["pdf_sha256"] for paper_id in paper_ids)
        return {sha for sha in listed if sha} | {d["pdf_sha256"] for d in documents if d}

    def failures(self, paper_id: str) -> list[Row]:
        """What failed with it."""
        return self._failures.rows(paper_id)

    def labels(self, paper_id: str) -> list[Row]:
        """What people say of it."""
        return self._labels.rows(paper_id)

    def earlier(self, paper_id: str) -> list[Row]:
        """Judgements of it that others have replaced, the latest first; columns of `_JUDGEMENT`."""
        return self._earlier.rows(paper_id)

    def aliases(self, paper_id: str) -> list[str]:
        """Its other names."""
        return [row["alias"] for row in self._aliases.rows(paper_id)]

    @property
    def all_failures(self) -> pl.DataFrame:
        """The edition's failures."""
        return self._failures.frame

    @property
    def all_verdicts(self) -> pl.DataFrame:
        """The edition's verdicts, of every engine."""
        return self._verdicts.frame

    @cached_property
    def addresses(self) -> dict[str, str]:
        """paper_id by the paper's address (`urls.id_path`)."""
        return {urls.id_path(paper_id): paper_id for paper_id in self.paper_ids}

    @cached_property
    def size(self) -> int:
        """Bytes in memory, about."""
        grouped = (self._verdicts, self._documents, self._failures, self._labels, self._earlier)
        frames = [self.papers, *(group.frame for group in grouped)]
        return int(sum(frame.estimated_size() for frame in frames)) + 400 * len(self.paper_ids)


def _earlier(tables: Tables, edition: Edition, current: pl.DataFrame) -> pl.DataFrame:
    """Verdicts of the journal that stand no more. A run that only took a verdict over does not count."""
    entries = [entry for entry in tables.journal(edition) if entry.table == "verdicts"]
    if len({entry.run_id for entry in entries}) < 2 and not any(entry.is_pack for entry in entries):
        return current.clear().select(_JUDGEMENT)
    every = pl.concat(tables.read_journal(entry).select(_JUDGEMENT) for entry in entries)
    key = ["paper_id", "variable", "engine"]
    once = every.sort("recorded_at").unique([*key, "run_id", "judged_at"], keep="last")
    # What repeats much is kept as categories, which join with no text.
    standing = current.select(pl.col(key).cast(pl.String), "judged_at")
    gone = once.join(standing, on=[*key, "judged_at"], how="anti")
    return gone.sort("paper_id", "judged_at", descending=[False, True])


class _Grouped:
    """A frame's rows by paper: sorted, with where each paper's start and end."""

    def __init__(self, frame: pl.DataFrame, repeated: Sequence[str] = ()) -> None:
        self.frame = frame.sort("paper_id", maintain_order=True)
        runs = self.frame["paper_id"].rle().struct.unnest() if frame.height else None
        self._span: dict[str, tuple[int, int]] = {}
        start = 0
        for length, paper_id in runs.iter_rows() if runs is not None else ():
            self._span[paper_id] = (start, length)
            start += length
        self.frame = (
            self.frame.with_columns(pl.col(*repeated).cast(pl.Categorical)) if repeated else self.frame
        )

    def rows(self, paper_id: str) -> list[Row]:
        span = self._span.get(paper_id)
        return self.frame.slice(*span).to_dicts() if span else []


class Corpus:
    """A store as the site sees it. Safe to use from several threads."""

    def __init__(self, tables: Tables, options: SiteOptions) -> None:
        self.tables, self.options = tables, options
        #: What makes pictures of passages and marked PDFs, and what searches, where the site has them.
        self.evidence: EvidenceFiles | None = None
        self.search: SearchDatabase | None = None
        self.variables: tuple[Variable, ...] = load_variables()
        self._guard = threading.Lock()
        self._held: OrderedDict[Edition, EditionData] = OrderedDict()
        self._papers: PaperIndex | None = None
        self._facts: dict[Edition, tuple[str, Facts]] = {}
        self._versions: dict[Edition, str] | None = None
        self._runs = ""
        self.refresh()

    def held(self, edition: Edition | None) -> bool:
        """Whether the edition's tables are in memory."""
        return edition in self._held

    def warm(self) -> None:
        """Reads editions until memory is full of them, so that the first who asks need not wait."""
        for edition in self.editions:
            with self._guard:
                full = sum(held.size for held in self._held.values()) > 0.9 * _KEPT
            if full:
                return
            if not self.held(edition):
                self.edition(edition)

    def renew(self) -> bool:
        """Looks whether the store changed, and forgets what is not so any more; says whether it did."""
        editions = tuple(sorted(self.tables.editions("papers")))
        versions = {edition: self.version(edition) for edition in editions}
        runs = self._runs_version()
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

    def _runs_version(self) -> str:
        storage = self.tables.storage
        return " ".join(f"{path} {storage.version(path)}" for path in storage.list("tables/runs"))

    def refresh(self) -> None:
        """Reads what is there in sum: editions, statistics, runs, and which paper is where."""
        self.editions = tuple(sorted(self.tables.editions("papers")))
        self.statistics = self._statistics()
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
        with self._guard:
            if held := self._held.get(edition):
                self._held.move_to_end(edition)
                return held
        data = EditionData(self.tables, self.statistics[edition], self.version(edition))
        with self._guard:
            self._held[edition] = data
            while len(self._held) > 1 and sum(held.size for held in self._held.values()) > _KEPT:
                self._held.popitem(last=False)
        return data

    def find(self, path: str) -> tuple[Edition, str] | None:
        """Edition and paper_id of the paper with that address or other name, as it stands in addresses."""
        likely = urls.edition_of(path.partition("/")[0])
        if likely in self.statistics and (paper_id := self.edition(likely).addresses.get(path)):
            return likely, paper_id
        index = self._index()
        own = urls.id_path("/".join(map(urls.name_of, path.split("/"))))
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

    def _statistics(self) -> dict[Edition, EditionStatistics]:
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
            for edition in self.editions
        }


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
