"""Decides what a run has to do: compares what is listed with what the store holds. Writes nothing.

A paper's PDF is read again only if its stamp changed or, from the network, if it was not checked for long.
Its text is taken again only if the PDF or the extractor changed, and a variable is judged again only if
text, variable, prompt, engine or model changed.
Failures that are not transient wait until their input changes or `retry_failed` is asked for.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

import polars as pl

from reprocensus.engines import Engine
from reprocensus.fetch.locations import host_of, is_url, public
from reprocensus.keys import verdict_key
from reprocensus.prompt import DEFAULT_QUOTING, Quoting, prompt_sha, prompt_version
from reprocensus.records import Edition, Paper, Seen
from reprocensus.rows import seen_of
from reprocensus.state import VERDICT_KEY, EditionState
from reprocensus.variables import Variable


@dataclass(frozen=True, slots=True)
class Judging:
    """With what a run judges. `extractor_version` belongs to it because a text depends on it.

    `reads_rules`: the engine reads a variable's rules, so that a verdict depends on them.
    """

    variables: tuple[Variable, ...]
    engine: str
    model: str
    extractor_version: str
    quoting: Quoting = DEFAULT_QUOTING
    reads_rules: bool = True

    @classmethod
    def of(cls, engine: Engine, variables: tuple[Variable, ...], extractor_version: str) -> Self:
        """Judging with an engine as it is set up."""
        return cls(
            variables, engine.name, engine.model, extractor_version, engine.quoting, engine.reads_rules
        )

    @property
    def prompt_version(self) -> str:
        """The version of the variables' prompts, as `runs RUN` tells it and `reprocess` can be held to it."""
        return prompt_version(prompt_sha(variable, self.quoting) for variable in self.variables)

    def key(self, text_sha256: str, variable: Variable) -> str:
        """The verdict's key: same key, same judgement."""
        return self.keys(text_sha256, variable)[0]

    def keys(self, text_sha256: str, variable: Variable) -> tuple[str, ...]:
        """The verdict's key, and those that the same judgement may stand under in an older store."""
        prompt = prompt_sha(variable, self.quoting)
        return tuple(
            verdict_key(text_sha256, variable.name, sha, prompt, self.engine, self.model)
            for sha in self.variable_shas(variable)
        )

    def variable_shas(self, variable: Variable) -> tuple[str, ...]:
        """The digest of what the engine reads of the variable, and those that older stores have instead."""
        # Once every verdict had the digest of the whole file, rules and all. It says more than is needed.
        sha = variable.sha_for(reads_rules=self.reads_rules)
        return tuple(dict.fromkeys((sha, variable.sha)))


@dataclass(frozen=True, slots=True)
class Held:
    """A text that the store holds, made with the current extractor, and what is not judged on it yet."""

    pdf_sha256: str
    text_sha256: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done for one paper. `variables` are those to judge if its text is new.

    `record`: the source says something new of it. `title`: as the store has it. `pdf_sha256`: its PDF, where
    that need not be fetched.
    `recheck`: it is fetched to see whether it has changed; what stands stays if that fails. `seen`: the PDFs
    that it was before, the current one last.
    `attempts`: how often each input was tried before, by `failures.attempted`.
    """

    paper: Paper
    fetch: bool = False
    extract: bool = False
    variables: tuple[str, ...] = ()
    record: bool = False
    title: str = ""
    pdf_sha256: str | None = None
    held: Held | None = None
    recheck: bool = False
    seen: tuple[Seen, ...] = ()
    attempts: Mapping[str, int] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """Whether there is anything to do."""
        return self.fetch or self.extract or self.record or bool(self.variables)


@dataclass(frozen=True, slots=True)
class Shard:
    """Papers of one edition that are worked on together. `name` is unique within the edition and the run."""

    edition: Edition
    name: str
    works: tuple[Work, ...]

    @property
    def host(self) -> str:
        """The host that most of its fetching waits for; empty if it fetches nothing from the network."""
        hosts = Counter(host_of(w.paper.location) for w in self.works if w.fetch and is_url(w.paper.location))
        return hosts.most_common(1)[0][0] if hosts else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `waiting` counts, by stage, what failed earlier and is not tried again."""

    works: tuple[Work, ...]
    n_papers: int
    n_done: int
    n_waiting: int
    waiting: Mapping[str, int]
    unpublished: tuple[Edition, ...]

    @property
    def anything(self) -> bool:
        """Whether a run would do anything at all."""
        return bool(self.works or self.unpublished)

    @property
    def editions(self) -> list[Edition]:
        """Editions that the run touches."""
        return sorted({w.paper.edition for w in self.works} | set(self.unpublished))

    @property
    def hosts(self) -> set[str]:
        """Hosts of the network that are fetched from."""
        return {host_of(w.paper.location) for w in self.works if w.fetch and is_url(w.paper.location)}

    def counts(self) -> dict[str, int]:
        """Papers listed, done and waiting, and what would be fetched, extracted and judged.

        Papers that are yet to be read count in `judge` with all their variables.
        """
        return {
            "papers": self.n_papers,
            "done": self.n_done,
            "fetch": sum(w.fetch for w in self.works),
            "extract": sum(w.extract for w in self.works),
            "judge": sum(len(w.variables) for w in self.works),
            "waiting": self.n_waiting,
        }

    def shards(self, size: int) -> Iterator[Shard]:
        """The work in shards of at most `size` papers, none across two editions.

        Editions on different hosts take turns, so that shards side by side do not wait for the same host.
        """
        queues: dict[str, deque[Shard]] = defaultdict(deque)
        for shard in self._by_edition(size):
            queues[shard.host].append(shard)
        while queues:
            for host in list(queues):
                yield queues[host].popleft()
                if not queues[host]:
                    del queues[host]

    def _by_edition(self, size: int) -> Iterator[Shard]:
        by_edition: dict[Edition, list[Work]] = defaultdict(list)
        for work in self.works:
            by_edition[work.paper.edition].append(work)
        for edition, works in sorted(by_edition.items()):
            for number, start in enumerate(range(0, len(works), size)):
                yield Shard(edition, f"{number:04d}", tuple(works[start : start + size]))


def make_plan(
    papers: Sequence[Paper],
    states: Mapping[Edition, EditionState],
    judging: Judging,
    stamp: Callable[[str], str | None],
    *,
    retry_failed: bool = False,
    max_attempts: int = 3,
    now: datetime | None = None,
    recheck_after: timedelta | None = None,
) -> Plan:
    """The plan for papers, given the state of each of their editions and a way to stamp a location.

    `recheck_after`: a PDF from the network that was not checked for so long is asked for again at `now`.
    """
    by_edition: dict[Edition, list[Paper]] = defaultdict(list)
    for paper in papers:
        by_edition[paper.edition].append(paper)
    decision = _Decision(judging, stamp, retry_failed, max_attempts, now, recheck_after)
    works = []
    n_waiting = 0
    # What is known of an edition is many small objects: one edition's at a time.
    for edition, mine in by_edition.items():
        known = _Known(states[edition], judging)
        for paper in mine:
            before = decision.waiting.total()
            work = decision.work(paper, known)
            if work.anything:
                works.append(work)
            else:
                n_waiting += decision.waiting.total() > before
    n_done = len(papers) - len(works) - n_waiting
    unpublished = tuple(sorted(e for e, state in states.items() if state.needs_publishing))
    return Plan(tuple(works), len(papers), n_done, n_waiting, dict(decision.waiting), unpublished)


def that_failed(
    papers: Sequence[Paper], states: Mapping[Edition, EditionState], kinds: Collection[str] = ()
) -> list[Paper]:
    """Of the papers, those with a failure that nothing has mended, of one of the kinds if any are given."""
    failed = {
        row["paper_id"]
        for state in states.values()
        for row in state.failures.iter_rows(named=True)
        if not kinds or row["kind"] in kinds
    }
    return [paper for paper in papers if paper.paper_id in failed]


class _Known:
    """An edition's state by paper. `verdicts`: paper, text and variable of what judging would repeat."""

    def __init__(self, state: EditionState, judging: Judging) -> None:
        self.papers = _by(state.papers.iter_rows(named=True), "paper_id")
        self.documents = _by(state.documents.iter_rows(named=True), "paper_id")
        self.verdicts = _repeated(state.verdicts, judging) if state.verdicts.height else set()
        self.pdfs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in state.pdfs.sort("last_checked").iter_rows(named=True):
            self.pdfs[row["paper_id"]].append(row)
        self.failures: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in state.failures.iter_rows(named=True):
            self.failures[row["paper_id"]].append(row)


def _repeated(verdicts: pl.DataFrame, judging: Judging) -> set[tuple[str, str, str]]:
    """Paper, text and variable of the verdicts that were made as this judging would make them."""
    same = pl.DataFrame(
        [
            (v.name, sha, prompt_sha(v, judging.quoting), judging.engine, judging.model)
            for v in judging.variables
            for sha in judging.variable_shas(v)
        ],
        schema={column: pl.String for column in VERDICT_KEY if column != "text_sha256"},
        orient="row",
    )
    rows = verdicts.join(same, on=same.columns, how="semi")
    return set(rows.select("paper_id", "text_sha256", "variable").iter_rows())


def _by(rows: Iterable[dict[str, Any]], column: str) -> dict[str, dict[str, Any]]:
    return {row[column]: row for row in rows}


class _Decision:
    """Decides about one paper at a time; counts what waits for somebody to look at it."""

    def __init__(
        self,
        judging: Judging,
        stamp: Callable[[str], str | None],
        retry_failed: bool,
        max_attempts: int,
        now: datetime | None,
        recheck_after: timedelta | None,
    ) -> None:
        self.judging = judging
        self.stamp = stamp
        self.retry_failed = retry_failed
        self.max_attempts = max_attempts
        self.now = now
        self.recheck_after = recheck_after
        self.waiting: Counter[str] = Counter()

    def work(self, paper: Paper, known: _Known) -> Work:
        """What is to be done for the paper."""
        row = known.papers.get(paper.paper_id)
        failures = known.failures.get(paper.paper_id, [])
        held = self._held(paper, known, failures)
        record = row is None or not _same(paper, row)
        work = Work(
            paper,
            variables=tuple(v.name for v in self.judging.variables),
            record=record,
            title=str(row["title"]) if row else "",
            held=held,
            attempts={f["attempted"]: f["attempts"] for f in failures},
            seen=tuple(seen_of(pdf) for pdf in known.pdfs.get(paper.paper_id, [])),
        )
        now = self.stamp(paper.location)
        if row is None or not _fresh(paper, row, now):
            if self._waits(failures, "fetch", fetch_attempt(paper.location, now)):
                return replace(work, variables=())
            return replace(work, fetch=True, extract=True)
        pdf = str(row["pdf_sha256"])
        if self._due(paper, row, work.seen, failures):
            work = replace(work, fetch=True, recheck=True)
        if held is None or held.pdf_sha256 != pdf:
            if self._waits(failures, "extract", extract_attempt(pdf, self.judging.extractor_version)):
                return replace(work, variables=(), pdf_sha256=pdf)
            return replace(work, extract=True, pdf_sha256=pdf)
        return replace(work, variables=held.missing, pdf_sha256=pdf)

    def _held(self, paper: Paper, known: _Known, failures: Sequence[Mapping[str, Any]]) -> Held | None:
        document = known.documents.get(paper.paper_id)
        if document is None or document["extractor_version"] != self.judging.extractor_version:
            return None
        text = str(document["text_sha256"])
        missing = []
        for variable in self.judging.variables:
            if (paper.paper_id, text, variable.name) in known.verdicts:
                continue
            keys = self.judging.keys(text, variable) if failures else ()
            if not any(self._waits(failures, "judge", key) for key in keys):
                missing.append(variable.name)
        return Held(str(document["pdf_sha256"]), text, tuple(missing))

    def _due(
        self,
        paper: Paper,
        row: Mapping[str, Any],
        seen: Sequence[Seen],
        failures: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Whether a PDF that stands is to be asked for again, because that was last done long ago."""
        if self.now is None or self.recheck_after is None or not is_url(paper.location):
            return False
        pdf = str(row["pdf_sha256"])
        checked = max((s.last_checked for s in seen if s.pdf_sha256 == pdf), default=row["recorded_at"])
        if self.now - checked < self.recheck_after:
            return False
        recent = [f for f in failures if self.now - f["failed_at"] < self.recheck_after]
        return not self._waits(recent, "fetch", recheck_attempt(paper.location, pdf))

    def _waits(self, failures: Sequence[Mapping[str, Any]], stage: str, attempted: str) -> bool:
        """Whether this very attempt failed before, for good or often enough, or is wanted later."""
        for failure in failures:
            same = failure["stage"] == stage and failure["attempted"] == attempted
            spent = not failure["transient"] or failure["attempts"] >= self.max_attempts
            if failure["kind"] == "rate_limited":
                # The host was too busy to be asked: that is no try, it is a date.
                later = failure["retry_at"]
                spent = later is not None and self.now is not None and self.now < later
            if same and spent and not self.retry_failed:
                self.waiting[stage] += 1
                return True
        return False


def _fresh(paper: Paper, row: Mapping[str, Any], stamp: str | None) -> bool:
    """Whether the PDF that the store has of the paper is the one that lies at its location."""
    return (
        row["pdf_sha256"] is not None
        and stamp is not None
        and (row["pdf_stamp"], row["pdf_location"]) == (stamp, paper.location)
    )


def fetch_attempt(location: str, stamp: str | None) -> str:
    """What a fetch tried, as told in `failures.attempted`."""
    where = public(location)
    return f"{where} {where if stamp == location else stamp or 'missing'}"


def recheck_attempt(location: str, pdf_sha256: str) -> str:
    """What a second look at a PDF that stands tried."""
    return f"{public(location)} after {pdf_sha256}"


def extract_attempt(pdf_sha256: str, extractor_version: str) -> str:
    """What an extraction tried; starts with the PDF's digest."""
    return f"{pdf_sha256} {extractor_version}"


def _same(paper: Paper, row: Mapping[str, Any]) -> bool:
    """Whether the source says of the paper what it said before. A title read off page 1 stands."""
    return (
        (not paper.title or row["title"] == paper.title)
        and tuple(row["authors"]) == paper.authors
        and (row["abstract"], row["track"], row["main"], row["landing_url"], row["pdf_url"])
        == (paper.abstract, paper.track, paper.main, paper.landing_url, paper.pdf_url)
    )
