"""Worker processes under load: their peak memory over many files, and what a second one brings."""

import contextlib
import itertools
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from reprocensus.bench.papers import Sample
from reprocensus.errors import ExtractError
from reprocensus.extract.workers import ExtractPool, work
from reprocensus.workers import WorkerPool

EARLY = 100
_LIMIT_S = 120.0
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak resident memory of one worker in MiB, after `EARLY` files and after all `files`."""

    files: int
    early_mib: float
    peak_mib: float


def peak_memory(samples: Sequence[Sample], files: int) -> Memory:
    """Lets one worker, which is never replaced, take so many files, going round the samples."""
    early = peak = 0.0
    with WorkerPool(1, memory_mb=1500, max_tasks=0) as pool:
        for number, sample in enumerate(itertools.islice(itertools.cycle(samples), files), start=1):
            peak = pool.call(_peak_after, sample.read(), timeout_s=_LIMIT_S)
            if number <= EARLY:
                early = peak
    return Memory(files, early, peak)


def two_over_one(samples: Sequence[Sample]) -> float:
    """Papers a second (wall clock) of two workers over those of one: the best of rounds taken in turns."""
    items = [(sample.name, sample.read()) for sample in samples]
    best = {1: float("inf"), 2: float("inf")}
    with ExtractPool(1) as one, ExtractPool(2) as two:
        # Starts the workers and has them import MuPDF, off the clock.
        for pool in (one, two):
            list(pool.extract_all(items[:4]))
        for _ in range(_ROUNDS):
            for workers, pool in ((1, one), (2, two)):
                started = time.perf_counter()
                for _outcome in pool.extract_all(items):
                    pass
                best[workers] = min(best[workers], time.perf_counter() - started)
    return best[1] / best[2]


def _peak_after(data: bytes) -> float:
    """Runs in the worker: its peak resident memory in MiB once it has read one more file."""
    # A file without text has used memory all the same.
    with contextlib.suppress(ExtractError):
        work(data, _LIMIT_S)
    # Linux counts in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
