"""Chooses the PDFs of a benchmark."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprocensus.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sample:
    """One PDF of a benchmark: its name (the file's path below the folder) and its bytes' place."""

    name: str
    path: Path

    def read(self) -> bytes:
        """The PDF's bytes."""
        return self.path.read_bytes()


def choose(folder: Path, *, limit: int | None, seed: int) -> list[Sample]:
    """PDFs at any depth below a folder, shuffled by `seed`; the first `limit` of them.

    Shuffled, so that whatever runs out of time has seen a fair sample.

    Raises:
        UsageError: the folder has no PDFs.
    """
    below = folder.rglob("*") if folder.is_dir() else iter(())
    found = sorted(path for path in below if path.suffix.lower() == ".pdf" and path.is_file())
    if not found:
        raise UsageError(f"no PDFs below {folder}; name a folder that has some")
    random.Random(seed).shuffle(found)
    return [Sample(path.relative_to(folder).with_suffix("").as_posix(), path) for path in found[:limit]]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed, by the nearest rank; 0 of none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, round(share * len(ranked)) - 1))] if ranked else 0.0
