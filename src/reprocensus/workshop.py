"""What a run's shards share: the store, the workers, the engine."""

from dataclasses import dataclass

from reprocensus.engines import Engine
from reprocensus.extract.workers import ExtractPool
from reprocensus.fetch.fetcher import Fetcher
from reprocensus.outcome import Progress
from reprocensus.plan import Judging
from reprocensus.tables import Tables


@dataclass(frozen=True, slots=True)
class Workshop:
    """Started, and shared by shards in several threads."""

    tables: Tables
    fetcher: Fetcher
    extractors: ExtractPool
    engine: Engine
    judging: Judging
    run_id: str
    progress: Progress
    journal_interval_s: float = 120
    #: Longest time that a shard may take, in seconds; 0: no limit.
    shard_timeout_s: float = 0
