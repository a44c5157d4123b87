"""Puts a run together from its request: store, engine, plan, and at the end its record. Knows no Prefect."""

import secrets
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reprocensus.claims import Claims
from reprocensus.engines import Engine, create_engine
from reprocensus.errors import StoreError, UsageError
from reprocensus.extract.version import extractor_version
from reprocensus.extract.workers import ExtractPool
from reprocensus.fetch.fetcher import Fetcher
from reprocensus.fetch.limits import Limiter
from reprocensus.fetch.locations import stamp_of
from reprocensus.leases import Leases
from reprocensus.listed import earlier_tries, mended, record_listings
from reprocensus.outcome import Progress, ShardReport
from reprocensus.plan import Judging, Plan, Shard, make_plan, that_failed
from reprocensus.records import Edition, Paper
from reprocensus.request import RunRequest
from reprocensus.runs import Run, mark_interrupted, new_run_id
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.sources import Gathered, SourceOptions, gather
from reprocensus.sources.history import History
from reprocensus.sources.online import OnlinePages
from reprocensus.state import EditionState, read_state
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from reprocensus.variables import Variable
from reprocensus.workshop import Workshop

#: Editions that a message names.
_NAMED: Final = 12


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request with everything looked up that a run needs to know before it starts.

    `tries`: how often listing an edition failed before, where it did.
    """

    request: RunRequest
    settings: Settings
    tables: Tables
    judging: Judging
    plan: Plan
    gathered: Gathered
    tries: Mapping[Edition, int]
    #: By edition, the journal files that the plan rests on.
    journaled: Mapping[Edition, frozenset[str]] = field(default_factory=dict)

    @property
    def listed(self) -> set[Edition]:
        """The editions that the request is about."""
        found = {paper.edition for paper in self.gathered.papers}
        found |= {listing.edition for listing in self.gathered.listings}
        return found | {failed.edition for failed in self.gathered.failed}

    @property
    def mended(self) -> set[Edition]:
        """Editions that could not be listed before and are listed well now."""
        return mended(self.gathered, self.tries)

    @property
    def anything(self) -> bool:
        """Whether a run would do anything, be it to record that an edition could not be listed."""
        return self.plan.anything or bool(self.gathered.failed) or bool(self.mended)

    @property
    def unpublished(self) -> tuple[Edition, ...]:
        """Editions to publish before any paper is worked on."""
        return tuple(
            sorted({*self.plan.unpublished, *(f.edition for f in self.gathered.failed), *self.mended})
        )

    @property
    def editions(self) -> list[Edition]:
        """Editions that the run touches."""
        return sorted({*self.plan.editions, *self.unpublished})

    def report(self) -> ShardReport:
        """What there is to count before any shard: the editions that were listed, and those that were not."""
        failed = len(self.gathered.failed)
        counts = {("list", "done"): len(self.gathered.listings) - failed, ("list", "failed"): failed}
        return ShardReport(Counter({key: n for key, n in counts.items() if n}))

    @property
    def shard_size(self) -> int:
        """Papers a shard."""
        return self.request.shard_size or self.settings.shard_size


def prepare(request: RunRequest, settings: Settings) -> Prepared:
    """Lists the papers, reads what the store holds of their editions and plans. Writes nothing.

    An edition whose listing fails stands in `gathered.failed`; the others are planned without it.

    Raises:
        UsageError: a source, variable or engine is wrong.
        StoreError: the store cannot be read.
    """
    # A store that is mistyped is refused as it was typed.
    storage = open_storage(request.store, settings)
    request = request.whole()
    settings = settings_for(request, settings)
    engine = create_engine(request.engine, settings)
    variables = _judgeable(engine, load_variables(request.variables), named=bool(request.variables))
    _check_model(engine, request.model)
    judging = Judging.of(engine, variables, extractor_version())
    tables = Tables(storage)
    with OnlinePages(settings) as pages:
        options = SourceOptions(
            request.venue,
            request.year,
            request.tracks,
            request.listing,
            request.accept_fewer,
            pages,
            History(tables.storage),
        )
        # Of chosen editions, the limit is of their papers, not of what the sources list first.
        limit = None if request.editions else request.limit
        gathered = _only(gather(request.sources, options, limit), request.editions, request.limit)
    editions = {p.edition for p in gathered.papers} | {listing.edition for listing in gathered.listings}
    states = {edition: read_state(tables, edition) for edition in sorted(editions)}
    papers: Sequence[Paper] = gathered.papers
    if request.only_failed:
        papers = that_failed(papers, states, request.failed_kinds)
    plan = _plan(papers, states, judging, request, settings)
    journaled = {edition: state.journaled for edition, state in states.items()}
    return Prepared(request, settings, tables, judging, plan, gathered, earlier_tries(states), journaled)


def _judgeable(engine: Engine, variables: Sequence[Variable], *, named: bool) -> tuple[Variable, ...]:
    """The variables that the engine can judge. Raises `UsageError` if one that was named cannot be."""
    lacking = [v.name for v in variables if engine.reads_rules and v.rules is None]
    if lacking and named:
        raise UsageError(
            f"{', '.join(lacking)}: engine {engine.name} judges by rules, and there are no [rules] in the "
            "variable's file; write some, or choose an engine that asks a language model"
        )
    return tuple(v for v in variables if v.name not in lacking)


def settings_for(request: RunRequest, settings: Settings) -> Settings:
    """The settings of a run: where the request says otherwise, it wins."""
    asked: dict[str, Any] = {}
    if request.workers:
        asked["workers"] = request.workers
    if request.exact:
        asked["vllm_exact"] = True
    if request.model and request.model != settings.vllm_model:
        # What is said of the usual model does not hold of another.
        asked |= {"vllm_model": request.model, "vllm_revision": "", "vllm_quantisation": ""}
    return settings.model_copy(update=asked)


def _check_model(engine: Engine, model: str | None) -> None:
    """Raises `UsageError` unless the engine would judge with the model: rules have none to choose from."""
    if model and engine.model != model and not engine.model.startswith((f"{model} ", f"{model}@")):
        raise UsageError(
            f"engine {engine.name} has the model {engine.model}, not {model}; do without a model's name, or "
            "choose another engine"
        )


def _plan(
    papers: Sequence[Paper],
    states: Mapping[Edition, EditionState],
    judging: Judging,
    request: RunRequest,
    settings: Settings,
) -> Plan:
    return make_plan(
        papers,
        states,
        judging,
        stamp_of,
        retry_failed=request.retry_failed or request.only_failed,
        max_attempts=settings.max_attempts,
        now=datetime.now(UTC),
        recheck_after=timedelta(days=0 if request.recheck else settings.recheck_days),
    )


def _only(gathered: Gathered, editions: Collection[str], limit: int | None) -> Gathered:
    """What was gathered of these editions, such as `ICML/2016`, up to so many papers; all if none are named.

    Raises:
        UsageError: none of the sources has one of them.
    """
    if not editions:
        return gathered
    wanted = {name.casefold() for name in editions}
    listed = {p.edition for p in gathered.papers} | {listing.edition for listing in gathered.listings}
    listed |= {failed.edition for failed in gathered.failed}
    known = {_key(edition) for edition in listed}
    if unknown := sorted(name for name in editions if name.casefold() not in known):
        form = "" if all("/" in name for name in unknown) else " (an edition is VENUE/YEAR)"
        there = in_words(listed, [name.partition("/")[0] for name in unknown])
        raise UsageError(f"no source lists the edition {', '.join(unknown)}{form}; they list {there}")
    return Gathered(
        [paper for paper in gathered.papers if _key(paper.edition) in wanted][:limit],
        [listing for listing in gathered.listings if _key(listing.edition) in wanted],
        [failed for failed in gathered.failed if _key(failed.edition) in wanted],
    )


def in_words(editions: Collection[Edition], venues: Collection[str] = ()) -> str:
    """Editions as they are asked for, such as `ICML/2016`: those of the venues if any, of many the first."""
    folded = {venue.casefold() for venue in venues}
    near = sorted(e for e in editions if e.venue.casefold() in folded) or sorted(editions)
    names = [f"{edition.venue}/{edition.year}" for edition in near]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "nothing") + more


def _key(edition: Edition) -> str:
    return f"{edition.venue}/{edition.year}".casefold()


def what_is_left(
    shard: Shard, run_id: str, tables: Tables, judging: Judging, request: RunRequest, settings: Settings
) -> Shard:
    """The shard for another try at it, or for the first that may not be the only one.

    An earlier try may have journaled a part before it failed or its machine died: that part is done. Its
    machine may also be alive still and only be out of sight, so this one's journal has names of its own.
    """
    name = f"{shard.name}x{secrets.token_hex(3)}"
    entries = tables.journal(shard.edition)
    if not any(entry.run_id == run_id and entry.shard.startswith(shard.name) for entry in entries):
        return replace(shard, name=name)
    papers = [work.paper for work in shard.works]
    states = {shard.edition: read_state(tables, shard.edition)}
    return Shard(shard.edition, name, _plan(papers, states, judging, request, settings).works)


def settle(prepared: Prepared) -> None:
    """Where there is nothing to do: marks runs that died when their work was done, but not yet their row.

    Raises:
        StoreError: the store cannot be written.
    """
    storage, settings = prepared.tables.storage, prepared.settings
    mark_interrupted(prepared.tables, Leases(storage, "", settings.lease_s))


@contextmanager
def started(prepared: Prepared) -> Iterator[tuple[Run, Claims]]:
    """A new run with its row written, and with what its listings said. The caller saves how it ended.

    While it goes on, the store knows that it is alive, and which editions it has for itself.

    Raises:
        StoreError: the store cannot be written, or not safely.
    """
    tables, settings = prepared.tables, prepared.settings
    tables.storage.prepare()
    run = Run(new_run_id(), prepared.request, prepared.judging)

    def planner(papers: Sequence[Paper], states: Mapping[Edition, EditionState]) -> Plan:
        return _plan(papers, states, prepared.judging, prepared.request, settings)

    with Leases(tables.storage, run.run_id, settings.lease_s) as leases:
        leases.take(f"runs/{run.run_id}")
        mark_interrupted(tables, leases)
        run.save(tables, "running")
        record_listings(tables, run.run_id, prepared.gathered, prepared.tries)
        try:
            yield run, Claims(tables, leases, run.run_id, prepared.journaled, planner)
        except BaseException:
            if not _has_ended(tables, run.run_id):
                # Its row could not be written, on a full disk say: the next run marks it, by its lease.
                leases.leave(f"runs/{run.run_id}")
            raise


def _has_ended(tables: Tables, run_id: str) -> bool:
    try:
        row = tables.read_row("runs", run_id)
    except StoreError:
        return False
    return row is not None and row["status"] != "running"


@contextmanager
def workshop(
    tables: Tables,
    judging: Judging,
    request: RunRequest,
    settings: Settings,
    run_id: str,
    progress: Progress,
    limiter: Limiter | None = None,
) -> Iterator[Workshop]:
    """What a run's shards share in this process: worker processes, the engine and the fetcher, started.

    Raises:
        EngineError: the engine cannot start.
    """
    with ExitStack() as stack:
        extractors = stack.enter_context(
            ExtractPool(settings.workers, settings.extract_timeout_s, settings.extract_memory_mb)
        )
        engine = stack.enter_context(create_engine(request.engine, settings))
        fetcher = stack.enter_context(Fetcher(tables.storage, settings, limiter))
        yield Workshop(
            tables,
            fetcher,
            extractors,
            engine,
            judging,
            run_id,
            progress,
            settings.journal_interval_s,
            settings.shard_timeout_s,
        )
