"""Puts a run together from its request: store, engine, plan, and at the end its record. Knows no Prefect."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from reprocensus.engines import create_engine
from reprocensus.extract.version import extractor_version
from reprocensus.extract.workers import ExtractPool
from reprocensus.fetch import Fetcher, stamp_of
from reprocensus.outcome import Progress
from reprocensus.plan import Judging, Plan, make_plan
from reprocensus.request import RunRequest
from reprocensus.runs import Run, mark_interrupted, new_run_id
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.shard import Workshop
from reprocensus.sources import SourceOptions, list_papers
from reprocensus.state import read_state
from reprocensus.storage import open_storage
from reprocensus.tables import Tables


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request with everything looked up that a run needs to know before it starts."""

    request: RunRequest
    settings: Settings
    tables: Tables
    judging: Judging
    plan: Plan

    @property
    def shard_size(self) -> int:
        """Papers a shard."""
        return self.request.shard_size or self.settings.shard_size


def prepare(request: RunRequest, settings: Settings) -> Prepared:
    """Lists the papers, reads what the store holds of their editions and plans. Writes nothing.

    Raises:
        UsageError: a source, variable or engine is wrong.
        StoreError: the store cannot be read.
    """
    if request.workers:
        settings = settings.model_copy(update={"workers": request.workers})
    variables = load_variables(request.variables)
    engine = create_engine(request.engine, settings)
    judging = Judging(variables, engine.name, engine.model, extractor_version())
    papers = list_papers(request.sources, SourceOptions(request.venue, request.year), request.limit)
    tables = Tables(open_storage(request.store, settings))
    states = {edition: read_state(tables, edition) for edition in sorted({p.edition for p in papers})}
    plan = make_plan(
        papers,
        states,
        judging,
        stamp_of,
        retry_failed=request.retry_failed,
        max_attempts=settings.max_attempts,
    )
    return Prepared(request, settings, tables, judging, plan)


@contextmanager
def running(prepared: Prepared, progress: Progress) -> Iterator[tuple[Run, Workshop]]:
    """A run with its workers and its engine started. The caller saves how it ended.

    Raises:
        StoreError: the store cannot be written, or not safely.
        EngineError: the engine cannot start.
    """
    settings = prepared.settings
    prepared.tables.storage.prepare()
    mark_interrupted(prepared.tables)
    run = Run(new_run_id(), prepared.request, prepared.judging)
    run.save(prepared.tables, "running")
    with ExitStack() as stack:
        extractors = stack.enter_context(
            ExtractPool(settings.workers, settings.extract_timeout_s, settings.extract_memory_mb)
        )
        engine = stack.enter_context(create_engine(prepared.request.engine, settings))
        fetcher = Fetcher(prepared.tables.storage, settings)
        yield (
            run,
            Workshop(prepared.tables, fetcher, extractors, engine, prepared.judging, run.run_id, progress),
        )
