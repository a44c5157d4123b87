"""Progress of a run or a build: live bars on a terminal, a plain line now and then in a log."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from reprocensus.outcome import Progress as Tell

_STAGES = ("fetch", "extract", "judge", "publish")
_LOG_EVERY_S = 5.0
#: Silence after which a log is told that work goes on; and after which it is told what is going on at all.
_SILENCE_S = 10.0
_FIRST_S = 2.0


@contextmanager
def progress_display(
    totals: Mapping[str, int],
    *,
    quiet: bool = False,
    stages: Sequence[str] = _STAGES,
    first: str = "starting Prefect",
) -> Iterator[Tell]:
    """Shows progress on standard error while the block runs; `totals` says how much each stage has to do.

    `first`: what is shown until something is told. A failure at one stage is done as far as the later ones
    are concerned, so bars may end short.
    """
    if quiet:
        yield lambda stage, outcome, n: None
    elif sys.stderr.isatty():
        with _bars(totals, stages, first) as tell:
            yield tell
    else:
        lines = _Lines(totals, stages)
        with _every(_SILENCE_S, lines.remind):
            yield lines.tell
        lines.write()


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Says on standard error what is going on while the block runs, if that takes more than a moment.

    Yields a way to say what it has come to.
    """
    started, now = time.monotonic(), [what]

    def remind() -> None:
        _say(f"{now[0]} ({time.monotonic() - started:.0f} s)")

    def say(words: str) -> None:
        now[0] = words

    if quiet:
        yield say
    else:
        with _every(_SILENCE_S, remind, _FIRST_S):
            yield say


@contextmanager
def _every(seconds: float, call: Callable[[], None], first: float | None = None) -> Iterator[None]:
    """Calls a function every so often from a thread, until the block ends."""
    ended = threading.Event()

    def keep_on() -> None:
        pause = seconds if first is None else first
        while not ended.wait(pause):
            call()
            pause = seconds

    thread = threading.Thread(target=keep_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _say(words: str) -> None:
    print(f"{datetime.now():%H:%M:%S}  {words}", file=sys.stderr, flush=True)


@contextmanager
def _bars(totals: Mapping[str, int], stages: Sequence[str], first: str) -> Iterator[Tell]:
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[red]{task.fields[failed]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        starting = bars.add_task(first, total=None, failed="")
        tasks = {s: bars.add_task(s, total=totals.get(s, 0), failed="", visible=False) for s in stages}
        failed: Counter[str] = Counter()
        guard = threading.Lock()

        def tell(stage: str, outcome: str, n: int) -> None:
            if stage not in tasks:
                return
            with guard:
                bars.update(starting, visible=False)
                for task in tasks.values():
                    bars.update(task, visible=True)
                failed[stage] += n if outcome == "failed" else 0
                words = f"{failed[stage]} failed" if failed[stage] else ""
                bars.update(tasks[stage], advance=n, failed=words)

        yield tell


class _Lines:
    """Counts, and writes them at most every few seconds, and at least when nothing was said for long."""

    def __init__(self, totals: Mapping[str, int], stages: Sequence[str]) -> None:
        self._totals, self._stages = totals, stages
        self._done: Counter[str] = Counter()
        self._failed = 0
        self._began = time.monotonic()
        self._written = 0.0
        #: What is going on before anything can be counted.
        self._before: str | None = None
        self._guard = threading.Lock()

    def tell(self, stage: str, outcome: str, n: int) -> None:
        with self._guard:
            if stage not in self._stages:
                self._before = f"{stage}: {outcome}"
                self._say(self._before)
                return
            self._before = None
            self._done[stage] += n
            self._failed += n if outcome == "failed" else 0
            if time.monotonic() - self._written >= _LOG_EVERY_S:
                self.write()

    def remind(self) -> None:
        """Says again what is going on, if nothing was said lately."""
        with self._guard:
            if time.monotonic() - self._written < _LOG_EVERY_S:
                return
            if self._before:
                self._say(f"{self._before} ({time.monotonic() - self._began:.0f} s)")
            else:
                self.write()

    def write(self) -> None:
        parts = [f"{stage} {self._done[stage]}/{self._totals.get(stage, 0)}" for stage in self._stages]
        self._say("  ".join([*parts, f"failed {self._failed}"]))

    def _say(self, words: str) -> None:
        self._written = time.monotonic()
        _say(words)
