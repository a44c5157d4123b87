"""Puts a run together from its request: store, engine, plan, and at the end its record. Knows no Prefect."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reprocensus.engines import create_engine
from reprocensus.extract.version import extractor_version
from reprocensus.extract.workers import ExtractPool
from reprocensus.fetch.fetcher import Fetcher
from reprocensus.fetch.limits import Limiter
from reprocensus.fetch.locations import stamp_of
from reprocensus.listed import earlier_tries, mended, record_listings
from reprocensus.outcome import Progress, ShardReport
from reprocensus.plan import Judging, Plan, make_plan
from reprocensus.records import Edition
from reprocensus.request import RunRequest
from reprocensus.runs import Run, mark_interrupted, new_run_id
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.shard import Workshop
from reprocensus.sources import Gathered, SourceOptions, gather
from reprocensus.sources.history import History
from reprocensus.sources.online import OnlinePages
from reprocensus.state import read_state
from reprocensus.storage import open_storage
from reprocensus.tables import Tables


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
    if request.workers:
        settings = settings.model_copy(update={"workers": request.workers})
    variables = load_variables(request.variables)
    engine = create_engine(request.engine, settings)
    judging = Judging(variables, engine.name, engine.model, extractor_version(), engine.quoting)
    tables = Tables(open_storage(request.store, settings))
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
        gathered = gather(request.sources, options, request.limit)
    editions = {p.edition for p in gathered.papers} | {listing.edition for listing in gathered.listings}
    states = {edition: read_state(tables, edition) for edition in sorted(editions)}
    plan = make_plan(
        gathered.papers,
        states,
        judging,
        stamp_of,
        retry_failed=request.retry_failed,
        max_attempts=settings.max_attempts,
        now=datetime.now(UTC),
        recheck_after=timedelta(days=0 if request.recheck else settings.recheck_days),
    )
    return Prepared(request, settings, tables, judging, plan, gathered, earlier_tries(states))


@contextmanager
def running(
    prepared: Prepared, progress: Progress, limiter: Limiter | None = None
) -> Iterator[tuple[Run, Workshop]]:
    """A run with its workers and its engine started. The caller saves how it ended.

    `limiter` makes the limits of hosts hold beyond this process.

    Raises:
        StoreError: the store cannot be written, or not safely.
        EngineError: the engine cannot start.
    """
    settings = prepared.settings
    prepared.tables.storage.prepare()
    mark_interrupted(prepared.tables)
    run = Run(new_run_id(), prepared.request, prepared.judging)
    run.save(prepared.tables, "running")
    record_listings(prepared.tables, run.run_id, prepared.gathered, prepared.tries)
    with ExitStack() as stack:
        extractors = stack.enter_context(
            ExtractPool(settings.workers, settings.extract_timeout_s, settings.extract_memory_mb)
        )
        engine = stack.enter_context(create_engine(prepared.request.engine, settings))
        run.save(prepared.tables, "running", details=engine.details())
        fetcher = stack.enter_context(Fetcher(prepared.tables.storage, settings, limiter))
        yield (
            run,
            Workshop(
                prepared.tables,
                fetcher,
                extractors,
                engine,
                prepared.judging,
                run.run_id,
                progress,
                settings.journal_interval_s,
            ),
        )
