"""`reprocensus bench extract`: all figures of extraction over one folder of PDFs."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from reprocensus import mupdf
from reprocensus.bench import baseline, planted, quality
from reprocensus.bench.papers import Sample, choose, percentile
from reprocensus.bench.peers import PEERS, Peer
from reprocensus.bench.pools import Memory, peak_memory, two_over_one
from reprocensus.bench.speed import OURS, TEXTPAGE, Timing, measure_speed
from reprocensus.errors import ExtractError
from reprocensus.extract import compiled, extract

#: The second worker is tried on this many papers.
_SIDE_BY_SIDE = 60


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure: PDFs below `folder`, the first `limit` after shuffling by `seed`.

    `peer_seconds` is each peer's CPU time at most (0 leaves them out), `rounds` how often ours and MuPDF's
    are taken, `memory_files` how many files the worker takes whose memory is watched (0 leaves that out and
    the second worker too), `sentences` how many
    are looked up on their pages. `script` scores the texts if the folder has truths beside its PDFs.
    """

    folder: Path
    limit: int | None = None
    seed: int = 1
    peer_seconds: float = 60.0
    rounds: int = 3
    memory_files: int = 700
    sentences: int = 1000
    script: Path | None = None


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """A peer's version (None: not installed) and its CPU time, beside ours on the papers that it read."""

    version: str | None
    raw: bool
    papers: int = 0
    failed: int = 0
    cpu_s: float = 0.0
    over_ours: float | None = None
    over_textpage: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Times are CPU seconds, memory is MiB, `over` are ratios of CPU time.

    `reader` says whether text pages are read by compiled code or from MuPDF's printouts. `papers` are those
    that gave text, `failures` the kinds of the others; `two_workers_over_one` is the ratio of papers a
    second by the clock on the wall.
    """

    folder: str
    seed: int
    papers: int
    pages: int
    pymupdf: str
    reader: Literal["compiled", "printed"]
    failures: dict[str, str]
    ours_over_textpage: float | None
    ours_cpu_s: float
    textpage_cpu_s: float
    pages_per_cpu_s: float
    cpu_s_p50: float
    cpu_s_p95: float
    cpu_s_max: float
    quality: dict[str, float | int | None]
    peers: dict[str, PeerFigures] = field(default_factory=dict)
    memory: Memory | None = None
    two_workers_over_one: float | None = None
    planted: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, floats rounded to what they are good for."""
        plain: dict[str, Any] = _rounded(asdict(self))
        return plain


def measure(options: Options, tick: Callable[[str], None]) -> Figures:
    """Measures everything asked for. `tick` is told what is being done, once for each paper or phase.

    Raises:
        UsageError: the folder has no PDFs, or the scoring script does not work.
    """
    samples = choose(options.folder, limit=options.limit, seed=options.seed)
    # Processes first: this one is still small, and nothing has touched MuPDF's settings yet.
    memory = pair = None
    if options.memory_files:
        tick("memory of a worker")
        memory = peak_memory(samples, options.memory_files)
        tick("a second worker")
        pair = two_over_one(samples[:_SIDE_BY_SIDE])
    mupdf.silence()
    checked, texts = _check(samples, options, tick)
    peers = _installed() if options.peer_seconds else []
    timings = measure_speed(
        samples,
        peers,
        peer_seconds=options.peer_seconds,
        rounds=options.rounds,
        tick=lambda: tick("CPU time, paper by paper"),
    )
    ours, base = timings[OURS], timings[TEXTPAGE]
    pages = {
        sample.name: baseline.count_pages(sample.read()) for sample in samples if sample.name in ours.seconds
    }
    seconds = list(ours.seconds.values())
    return Figures(
        folder=str(options.folder),
        seed=options.seed,
        papers=len(seconds),
        pages=sum(pages.values()),
        pymupdf=mupdf.version(),
        reader="compiled" if compiled.library() else "printed",
        failures=ours.failed,
        ours_over_textpage=ours.over(base),
        ours_cpu_s=ours.total,
        textpage_cpu_s=base.total,
        pages_per_cpu_s=sum(pages.values()) / ours.total if ours.total else 0.0,
        cpu_s_p50=percentile(seconds, 0.5),
        cpu_s_p95=percentile(seconds, 0.95),
        cpu_s_max=max(seconds, default=0.0),
        quality=checked.shares(),
        peers={peer.name: _figures(peer, timings) for peer in PEERS} if options.peer_seconds else {},
        memory=memory,
        two_workers_over_one=pair,
        planted=planted.score(options.script, options.folder, texts) if options.script else None,
    )


def _installed() -> list[Peer]:
    return [peer for peer in PEERS if peer.version()]


def _check(
    samples: Sequence[Sample], options: Options, tick: Callable[[str], None]
) -> tuple[quality.Quality, dict[str, str]]:
    """The quality of all texts together, and the texts by file name."""
    chance = random.Random(options.seed)
    total, texts = quality.Quality(), {}
    for number, sample in enumerate(samples):
        tick("quality, paper by paper")
        data = sample.read()
        try:
            ours = extract(data)
        except ExtractError:
            texts[sample.path.stem] = ""
            continue
        texts[sample.path.stem] = ours.text
        # So that they add up to the number asked for.
        share = options.sentences * (number + 1) // len(samples) - options.sentences * number // len(samples)
        total.add(quality.check(ours, baseline.raw_pages(data), sentences=share, chance=chance))
    return total, texts


def _figures(peer: Peer, timings: dict[str, Timing]) -> PeerFigures:
    version, timing = peer.version(), timings.get(peer.name)
    if version is None or timing is None:
        return PeerFigures(version=None, raw=peer.raw)
    return PeerFigures(
        version=version,
        raw=peer.raw,
        papers=len(timing.seconds),
        failed=len(timing.failed),
        cpu_s=timing.total,
        over_ours=timing.over_once(timings[OURS]),
        over_textpage=timing.over_once(timings[TEXTPAGE]),
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value
