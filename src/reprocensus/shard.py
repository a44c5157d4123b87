"""The way of a shard of papers through fetch, extract and judge.

A paper goes to the engine as soon as it is read, and the next is read when the engine has room for it: one
thread reads, another judges (`judge.py`), and `ledger.py` journals what both come to. Whatever was journaled
is not done again if the run is killed after it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from math import inf
from time import monotonic

import polars as pl

from reprocensus.errors import FetchError, PaperError, ShardTimeoutError, StoreError
from reprocensus.fetch.fetcher import Unchanged, Want
from reprocensus.fetch.locations import stamp_of
from reprocensus.judge import judge
from reprocensus.ledger import Ledger
from reprocensus.outcome import ShardReport
from reprocensus.plan import Shard, Work, extract_attempt, fetch_attempt, recheck_attempt
from reprocensus.records import Document
from reprocensus.rows import Row, document_of, new_document
from reprocensus.takeover import Earlier
from reprocensus.variables import Variable
from reprocensus.workshop import Workshop

#: So many texts are read from the store at a time.
_TEXTS = 50
_LOOK_S = 1.0


def process_shard(shard: Shard, shop: Workshop) -> ShardReport:
    """Fetches, extracts and judges the shard's papers as far as each needs it.

    Raises only for the store's or the engine's sake, because the run ends or the shard's time is up: a
    paper's failure is a row.
    """
    ledger = Ledger(shard, shop)
    try:
        asyncio.run(_judge(ledger, shop))
    finally:
        # Whatever ends the run, what was done is not to be done again.
        ledger.save(last=True)
    return ledger.report


async def _judge(ledger: Ledger, shop: Workshop) -> None:
    time = _Time(ledger.shard, shop.shard_timeout_s)
    saving = asyncio.create_task(_save_now_and_then(ledger, shop.journal_interval_s))
    judging = judge(shop.engine, _Reading(ledger, shop, time).documents(), shop.run_id, ledger.judged)
    try:
        await asyncio.wait_for(judging, time.left_s())
    except TimeoutError:
        time.left_s()
        raise
    finally:
        saving.cancel()


async def _save_now_and_then(ledger: Ledger, interval_s: float) -> None:
    """Journals while nothing comes in, because a host or the engine is slow."""
    while True:
        await asyncio.sleep(max(interval_s, _LOOK_S))
        # What could not be written is still there, and whoever writes next will say what is wrong.
        with suppress(StoreError):
            ledger.save_if_due()


class _Time:
    """What is left of a shard's time."""

    def __init__(self, shard: Shard, limit_s: float) -> None:
        self._shard = shard
        self._limit_s = limit_s
        self._ends_at = monotonic() + limit_s if limit_s else inf

    def left_s(self) -> float | None:
        """Seconds that are left; None if there is no limit.

        Raises:
            ShardTimeoutError: none are.
        """
        left = self._ends_at - monotonic()
        if left <= 0:
            raise ShardTimeoutError(
                f"{self._shard.edition}, shard {self._shard.name}: it took longer than the "
                f"{self._limit_s:g} s of REPROCENSUS_SHARD_TIMEOUT_S; what was done stands, the next run "
                "does the rest"
            )
        return None if left == inf else left


class _Reading:
    """Gets the texts of a shard's papers. All of it runs in one thread."""

    def __init__(self, ledger: Ledger, shop: Workshop, time: _Time) -> None:
        self._ledger = ledger
        self._time = time
        self._shop = shop
        self._variables = {v.name: v for v in shop.judging.variables}
        edition = ledger.shard.edition
        self._earlier = Earlier(shop.tables, edition, list(ledger.works), shop.judging, shop.run_id)
        #: What to judge of texts that the store holds.
        self._held: dict[str, tuple[str, ...]] = {}

    def documents(self) -> Iterator[tuple[Document, Sequence[Variable]]]:
        """Every document with the variables that it is to be judged on, as it comes."""
        ledger, judging = self._ledger, self._shop.judging
        for name, extracted in self._shop.extractors.extract_all(self._pdfs()):
            work, sha256 = ledger.works[name], ledger.pdfs[name][0]
            if isinstance(extracted, PaperError):
                ledger.fail(work, extracted, extract_attempt(sha256, judging.extractor_version))
                continue
            document = new_document(name, sha256, extracted)
            ledger.read(document)
            self._time.left_s()
            same = work.held is not None and work.held.text_sha256 == document.text_sha256
            yield from self._left(document, work.held.missing if work.held and same else self._variables)
            if len(self._held) >= _TEXTS:
                yield from self._stored_texts()
        ledger.save(last=True)
        yield from self._stored_texts()

    def _left(
        self, document: Document, names: Iterable[str]
    ) -> Iterator[tuple[Document, Sequence[Variable]]]:
        """The document with those of the variables that no earlier run judged; nothing if none are left."""
        wanted = [self._variables[name] for name in names]
        rows = self._earlier.of(document, wanted)
        self._ledger.take_over(rows)
        taken = {row["variable"] for row in rows}
        if left := [variable for variable in wanted if variable.name not in taken]:
            yield document, left

    def _stored_texts(self) -> Iterator[tuple[Document, Sequence[Variable]]]:
        """The documents of which the store holds the text."""
        names = list(self._held)
        for start in range(0, len(names), _TEXTS):
            some = names[start : start + _TEXTS]
            for document in self._read(some):
                yield from self._left(document, self._held.pop(document.paper_id))

    def _read(self, names: list[str]) -> Iterator[Document]:
        """The documents of some papers from the store. Raises `StoreError` if one is not there."""
        tables, edition = self._shop.tables, self._ledger.shard.edition
        found: dict[str, Row] = {}
        # An edition of which nothing was published yet has no such file.
        with suppress(FileNotFoundError):
            stored = tables.read_documents(edition, names)
            found |= {row["paper_id"]: row for row in stored.iter_rows(named=True)}
        if len(found) < len(names):
            # An earlier try at this shard has read it, and nothing was published since.
            for entry in tables.journal(edition):
                if entry.table == "documents" and entry.run_id == self._shop.run_id:
                    rows = tables.read_journal(entry).filter(pl.col("paper_id").is_in(names))
                    found |= {row["paper_id"]: row for row in rows.iter_rows(named=True)}
        if gone := sorted(set(names) - set(found)):
            raise StoreError(
                f"{edition}: the store has lost the text of {', '.join(gone)} meanwhile; run the same again"
            )
        yield from (document_of(found[name]) for name in names)

    def _pdfs(self) -> Iterator[tuple[str, bytes]]:
        """The PDFs to extract; fetches those that must be, and leaves out those whose text is held."""
        ledger = self._ledger
        works = ledger.shard.works
        for work in works:
            if not work.fetch:
                yield from self._stored(work)
        for want, outcome in self._shop.fetcher.fetch_all([_want(work) for work in works if work.fetch]):
            work = ledger.works[want.paper.paper_id]
            if isinstance(outcome, FetchError):
                ledger.fail(work, outcome, _attempted(work))
                if work.recheck:
                    yield from self._stored(work)
            elif isinstance(outcome, Unchanged):
                ledger.unchanged(work, outcome)
                yield from self._stored(work)
            else:
                ledger.have(work, outcome)
                if work.held and work.held.pdf_sha256 == outcome.sha256:
                    self._hold(work, work.held.missing)
                else:
                    yield work.paper.paper_id, outcome.data
            ledger.save_if_due()

    def _hold(self, work: Work, variables: tuple[str, ...]) -> None:
        if variables:
            self._held[work.paper.paper_id] = variables

    def _stored(self, work: Work) -> Iterator[tuple[str, bytes]]:
        """The paper's PDF from the store, if its text is wanted anew."""
        name = work.paper.paper_id
        if not (work.extract and work.pdf_sha256):
            self._hold(work, work.variables)
            return
        data = self._shop.fetcher.stored(work.pdf_sha256)
        self._ledger.pdfs.setdefault(name, (work.pdf_sha256, stamp_of(work.paper.location)))
        if data is None and not work.fetch:
            data = self._fetch_again(work)
        if data is not None:
            self._ledger.again(work)
            yield name, data

    def _fetch_again(self, work: Work) -> bytes | None:
        """The PDF of a paper whose object has gone from the store."""
        try:
            fetched = self._shop.fetcher.fetch(work.paper)
        except FetchError as error:
            self._ledger.pdfs.pop(work.paper.paper_id, None)
            self._ledger.fail(work, error, _attempted(work))
            return None
        self._ledger.have(work, fetched)
        return fetched.data


def _want(work: Work) -> Want:
    """What to fetch; of a PDF that is only checked, what tells the server which one is held."""
    seen = [s for s in work.seen if work.recheck and s.pdf_sha256 == work.pdf_sha256]
    return Want(work.paper, seen[-1] if seen else None)


def _attempted(work: Work) -> str:
    location = work.paper.location
    if work.recheck and work.pdf_sha256:
        return recheck_attempt(location, work.pdf_sha256)
    return fetch_attempt(location, stamp_of(location))
