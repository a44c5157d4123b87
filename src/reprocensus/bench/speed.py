"""CPU time of extraction, of MuPDF's text pages alone and of the peers, in one process, paper by paper.

Interleaved, so that whatever else the machine does hits all of them alike; only the ratios mean something on
a busy machine. Opening the file counts everywhere. Rubbish is collected between them, off the clock.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reprocensus.bench import baseline
from reprocensus.bench.papers import Sample
from reprocensus.bench.peers import Peer, cpu_seconds, hushed, load
from reprocensus.errors import ExtractError
from reprocensus.extract import extract
from reprocensus.mupdf import silence

OURS = "reprocensus"
TEXTPAGE = "get_textpage"


@dataclass(slots=True)
class Timing:
    """What one extractor took: CPU seconds by paper, and what kept it from reading the others.

    `seconds` are the least of all rounds, `first` those of the first, which is the only one of peers.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """CPU seconds in all."""
        return sum(self.seconds.values())

    def over(self, other: "Timing") -> float | None:
        """Its CPU time over another's, on the papers that both have read; None if there are none."""
        return _ratio(self.seconds, other.seconds)

    def over_once(self, other: "Timing") -> float | None:
        """The same by the first round alone: one round against the least of several would be no match."""
        return _ratio(self.first, other.first)


def _ratio(ours: dict[str, float], theirs: dict[str, float]) -> float | None:
    both = ours.keys() & theirs.keys()
    base = sum(theirs[name] for name in both)
    return sum(ours[name] for name in both) / base if base else None


def measure_speed(
    samples: Sequence[Sample],
    peers: Sequence[Peer],
    *,
    peer_seconds: float,
    rounds: int,
    tick: Callable[[], None],
) -> dict[str, Timing]:
    """Timings by name: ours, MuPDF's text pages, and each peer's.

    A peer stops once it has used `peer_seconds` of CPU time: the slow ones see a sample of the papers.
    Ours and MuPDF's go over all papers `rounds` times, and the least time of a paper counts: what else runs
    on the machine takes the processor's caches, which only ever costs time. `tick` is called a paper.
    """
    silence()
    timings = {name: Timing() for name in (OURS, TEXTPAGE, *(peer.name for peer in peers))}
    readers: dict[str, Callable[[bytes], object]] = {TEXTPAGE: baseline.textpages, OURS: extract}
    readers |= {peer.name: peer.read for peer in peers if not peer.meddling}
    with hushed():
        _warm(samples, readers, [peer for peer in peers if not peer.meddling])
    for turn, sample in enumerate(samples):
        names = list(readers)
        # Nobody is always first: the first to read a paper warms the caches for the others.
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if name in (OURS, TEXTPAGE) or timings[name].total < peer_seconds:
                with hushed():
                    _time(timings[name], sample, readers[name])
        tick()
    for _ in range(rounds - 1):
        for turn, sample in enumerate(samples):
            for name in (OURS, TEXTPAGE) if turn % 2 else (TEXTPAGE, OURS):
                _time(timings[name], sample, readers[name])
            tick()
    for peer in peers:
        if peer.meddling:
            with hushed():
                _warm(samples, {peer.name: peer.read}, [peer])
                for sample in samples:
                    if timings[peer.name].total < peer_seconds:
                        _time(timings[peer.name], sample, peer.read)
    return timings


def _warm(
    samples: Sequence[Sample], readers: dict[str, Callable[[bytes], object]], peers: Sequence[Peer]
) -> None:
    for peer in peers:
        load(peer)
    smallest = min(samples, key=lambda sample: sample.path.stat().st_size)
    for read in readers.values():
        _time(Timing(), smallest, read)
    gc.collect()
    gc.freeze()


def _time(timing: Timing, sample: Sample, read: Callable[[bytes], object]) -> None:
    data = sample.read()
    gc.collect()
    started = cpu_seconds()
    try:
        read(data)
    except ExtractError as error:
        timing.failed[sample.name] = error.kind
    except Exception as error:
        # Peers raise whatever they like; that one of them cannot read a paper is a figure, not an error.
        timing.failed[sample.name] = type(error).__name__
    else:
        taken = cpu_seconds() - started
        first = timing.first.setdefault(sample.name, taken)
        timing.seconds[sample.name] = min(taken, timing.seconds.get(sample.name, first))
