"""One edition's tables as the site reads them, and what they say of one paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from reprocensus.records import Edition
from reprocensus.site import urls
from reprocensus.tables import Tables

Row = dict[str, Any]
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


@dataclass(frozen=True)
class EditionStatistics:
    """What is known of an edition in sum, of one engine. Rows by variable where there is one a variable."""

    edition: Edition
    engine: str
    engines: tuple[str, ...]
    scores: Row
    shares: Mapping[str, Row]
    corrected: Mapping[str, Row]


@dataclass(frozen=True, eq=False, slots=True)
class PaperRows:
    """What the tables say of one paper, but for its text. Two are the same only if they are one object.

    `paper`: its row of `papers`; `document`: its row of `documents` without the text; `earlier`: judgements
    that others have replaced, the latest first, columns of `_JUDGEMENT`; `aliases`: its other names.
    """

    edition: Edition
    paper: Row
    verdicts: list[Row]
    document: Row | None
    failures: list[Row]
    labels: list[Row]
    earlier: list[Row]
    aliases: list[str]

    @property
    def paper_id(self) -> str:
        """Whose they are."""
        return str(self.paper["paper_id"])

    @property
    def pdfs(self) -> set[str]:
        """Digests of the PDFs that the paper's page may lead to."""
        listed = self.paper["pdf_sha256"], self.document["pdf_sha256"] if self.document else None
        return {sha256 for sha256 in listed if sha256}


class EditionData:
    """An edition's tables as read. Rows of one paper lie together, so that one paper's are found at once."""

    def __init__(self, tables: Tables, statistics: EditionStatistics, version: str) -> None:
        self.edition, self.statistics, self.version = statistics.edition, statistics, version
        self.papers = tables.read("papers", self.edition).frame.sort("paper_id")
        self.paper_ids: list[str] = self.papers["paper_id"].to_list()
        self._at = {paper_id: at for at, paper_id in enumerate(self.paper_ids)}
        self._verdicts = _Grouped(
            tables.read("verdicts", self.edition).frame.sort("paper_id", "variable"), _REPEATED
        )
        self._documents = _Grouped(tables.read("documents", self.edition, _DOCUMENT_COLUMNS).frame)
        self._failures = _Grouped(tables.read("failures", self.edition).frame)
        self._labels = _Grouped(tables.read("labels", self.edition).frame)
        self._aliases = _Grouped(tables.read("aliases", self.edition).frame)
        self._earlier = _Grouped(_earlier(tables, self.edition, self._verdicts.frame))
        self._ready: dict[str, PaperRows] = {}

    def rows(self, paper_id: str) -> PaperRows:
        """What is said of a paper. Raises `KeyError`."""
        return self._ready.get(paper_id) or self._between(self._at[paper_id], self._at[paper_id] + 1)[0]

    def hold(self, start: int, stop: int) -> list[PaperRows]:
        """Makes ready what `rows` says of so many papers, in place of those before."""
        found = self._between(start, stop)
        self._ready = {one.paper_id: one for one in found}
        return found

    def each(self, n: int = 400) -> Iterator[PaperRows]:
        """Every paper by paper_id; so many are in memory at a time."""
        for start in range(0, len(self.paper_ids), n):
            yield from self._between(start, start + n)

    def _between(self, start: int, stop: int) -> list[PaperRows]:
        papers = self.papers.slice(start, stop - start).to_dicts()
        ids = [row["paper_id"] for row in papers]
        verdicts, documents = self._verdicts.rows(ids), self._documents.rows(ids)
        failures, labels = self._failures.rows(ids), self._labels.rows(ids)
        earlier, aliases = self._earlier.rows(ids), self._aliases.rows(ids)
        return [
            PaperRows(
                self.edition,
                row,
                verdicts.get(paper_id, []),
                next(iter(documents.get(paper_id, [])), None),
                failures.get(paper_id, []),
                labels.get(paper_id, []),
                earlier.get(paper_id, []),
                [alias["alias"] for alias in aliases.get(paper_id, [])],
            )
            for paper_id, row in zip(ids, papers, strict=True)
        ]

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

    def rows(self, paper_ids: Sequence[str]) -> dict[str, list[Row]]:
        """The rows of some papers that follow each other; no entry where a paper has none."""
        spans = [(paper_id, *self._span[paper_id]) for paper_id in paper_ids if paper_id in self._span]
        if not spans:
            return {}
        first, (_, last, length) = spans[0][1], spans[-1]
        found = self.frame.slice(first, last + length - first).to_dicts()
        return {paper_id: found[at - first : at - first + n] for paper_id, at, n in spans}
