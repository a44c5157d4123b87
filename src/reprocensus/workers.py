"""Worker processes: calls under a time limit, which outlive neither their owner nor a colleague's death."""

import ctypes
import math
import multiprocessing
import os
import queue
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError
from multiprocessing.context import BaseContext
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

from reprocensus.errors import PaperError

T = TypeVar("T")
_PR_SET_PDEATHSIG: Final = 1
_WATCH_INTERVAL_S: Final = 0.5
_CPU_GRACE_S: Final = 10
#: How long past its limit a call may stay unanswered before its worker counts as dead.
_STALL_S: Final = 20
#: A worker that still holds more resident memory than this after a call is replaced, in MiB.
_BALLOONED_MB: Final = 200


class WorkerDiedError(Exception):
    """A worker ended, twice, while it was at a call."""


class WorkerPool:
    """Calls functions in `workers` processes, from any number of threads. A context manager.

    Each process is a pebble pool of its own: those of one pool share a pipe and a lock, and one that dies
    while it holds the lock stalls the others. `memory_mb` limits a process' address space in MiB,
    `max_tasks` is how many calls it takes before a fresh one replaces it. It is replaced earlier after an
    error that is no `PaperError`, and if a call left it much larger: MuPDF does not give everything back when
    an allocation was refused, and the next call must not pay for that.
    """

    def __init__(
        self,
        workers: int,
        *,
        memory_mb: int | None = None,
        max_tasks: int = 200,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.workers = max(1, workers)
        self._cells = [_Cell(max_tasks, (os.getpid(), memory_mb, prepare)) for _ in range(self.workers)]
        self._free: queue.SimpleQueue[_Cell] = queue.SimpleQueue()
        for cell in self._cells:
            self._free.put(cell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the workers; what they were doing is lost."""
        for cell in self._cells:
            cell.close()

    def call(self, function: Callable[..., T], *arguments: Any, timeout_s: float) -> T:
        """The function's result. Waits for a free worker first; the time limit starts after that.

        A call whose worker dies is made once more in a fresh one: what killed it may have come from outside.

        Raises:
            TimeoutError: it took longer than the limit.
            WorkerDiedError: its worker died both times, or the pool is closed.
            Exception: whatever the function raised.
        """
        cell = self._free.get()
        try:
            try:
                return cell.call(function, arguments, timeout_s)
            except WorkerDiedError:
                return cell.call(function, arguments, timeout_s)
        finally:
            self._free.put(cell)


class _Cell:
    """One worker process, replaced whenever it dies."""

    def __init__(self, max_tasks: int, initargs: tuple[Any, ...]) -> None:
        self._max_tasks = max_tasks
        self._initargs = initargs
        self._pool: ProcessPool | None = None
        self._closed = False
        self._guard = threading.Lock()

    def call(self, function: Callable[..., T], arguments: tuple[Any, ...], timeout_s: float) -> T:
        try:
            future = self._ready().schedule(_run, args=(function, arguments), timeout=timeout_s)
        except RuntimeError as error:
            self._renew()
            raise WorkerDiedError(f"no worker process could be had ({error})") from error
        try:
            result, expected, ballooned = future.result(timeout_s + _STALL_S)
        except (ProcessExpired, CancelledError, BrokenExecutor) as error:
            self._renew()
            raise WorkerDiedError(f"the worker process died ({error})") from error
        except TimeoutError as error:
            stalled = not future.done()
            self._renew()
            if stalled:
                raise WorkerDiedError("the worker process stopped answering") from error
            raise
        except Exception:
            self._renew()
            raise
        if ballooned:
            self._renew()
        if expected is not None:
            raise expected
        return cast(T, result)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._stop()

    def _ready(self) -> ProcessPool:
        with self._guard:
            if self._closed:
                raise WorkerDiedError("the workers have been stopped")
            if self._pool is None or not self._pool.active:
                self._stop()
                self._pool = ProcessPool(
                    max_workers=1,
                    max_tasks=self._max_tasks,
                    context=worker_context(),
                    initializer=start_worker,
                    initargs=self._initargs,
                )
            return self._pool

    def _renew(self) -> None:
        with self._guard:
            self._stop()

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None


def _run(function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[T | None, PaperError | None, bool]:
    """Runs in the worker: the function's result or its foreseen error, and whether it has ballooned."""
    try:
        result = function(*arguments)
    except PaperError as error:
        return None, error, _ballooned()
    return result, None, _ballooned()


def _ballooned() -> bool:
    """Whether this process holds far more memory than a call should leave behind (Linux; elsewhere: no)."""
    try:
        resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return False
    return resident * resource.getpagesize() > _BALLOONED_MB * 2**20


def worker_context() -> BaseContext:
    """How workers are started: by a fork server, which has no threads and no open files of ours."""
    return multiprocessing.get_context("forkserver")


def start_worker(owner: int, memory_mb: int | None, prepare: Callable[[], None] | None = None) -> None:
    """Initialises a worker: it ends with process `owner` and keeps to `memory_mb` of address space."""
    die_with(owner)
    if memory_mb:
        limit = memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ctrl-C reaches the whole process group; the owner decides what happens to its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if prepare:
        prepare()


def limit_cpu(seconds: float) -> None:
    """Lets the kernel end this process after so much more CPU time.

    The last resort: a parser that loops in C lets no Python thread run, so that nothing else would end it
    once the owner, which keeps the time, is gone.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + seconds + _CPU_GRACE_S)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def die_with(owner: int) -> None:
    """Ends this process when `owner` is gone, however it went.

    A worker's parent is the fork server, which stays as long as a worker holds its pipe: the kernel's signal
    at a parent's death comes only if the server dies first. So the owner itself is watched.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        handle = os.pidfd_open(owner)
    except ProcessLookupError:
        os._exit(1)
    except (OSError, AttributeError):
        handle = -1
    threading.Thread(target=_watch, args=(owner, handle), daemon=True, name="owner-watch").start()


def alive(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _watch(owner: int, handle: int) -> None:
    if handle >= 0:
        # Readable at the owner's end, even while nobody has collected it.
        select.select([handle], [], [])
    else:
        while alive(owner):
            time.sleep(_WATCH_INTERVAL_S)
    os._exit(1)
