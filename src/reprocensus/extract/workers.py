"""Worker processes that extract PDFs under a time and a memory limit, so that no file can hurt the run."""

import ctypes
import multiprocessing
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Final, Self

from pebble import ProcessExpired, ProcessPool

from reprocensus.errors import ExtractError
from reprocensus.extract.failures import failure
from reprocensus.records import Extracted

_PR_SET_PDEATHSIG: Final = 1
_WATCH_INTERVAL_S: Final = 0.5


class ExtractPool:
    """A pool of extraction processes, shared by any number of threads. A context manager.

    `workers` is the number of processes, `timeout_s` the wall-clock limit of one PDF in seconds,
    `memory_mb` the address space of one process in MiB, `max_tasks` how many PDFs a process takes
    before a fresh one replaces it. Workers end with this process, even if it is killed.
    """

    def __init__(
        self, workers: int, timeout_s: float = 120, memory_mb: int = 1500, max_tasks: int = 200
    ) -> None:
        self._workers = max(1, workers)
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._pool = ProcessPool(
            max_workers=self._workers,
            max_tasks=max_tasks,
            context=multiprocessing.get_context("forkserver"),
            initializer=_start_worker,
            initargs=(memory_mb * 1024 * 1024, os.getpid()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; what they were doing is lost."""
        self._pool.stop()
        self._pool.join()

    def submit(self, data: bytes) -> "Future[Extracted]":
        """Queue one PDF. The future's result raises whatever went wrong; see `outcome`."""
        future: Future[Extracted] = self._pool.schedule(_work, args=(data,), timeout=self._timeout_s)
        return future

    def extract(self, data: bytes) -> Extracted:
        """Extract one PDF in a worker and wait for it. Raise ExtractError where it gives no text."""
        result = self.outcome(self.submit(data))
        if isinstance(result, ExtractError):
            raise result
        return result

    def extract_all(self, items: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, Extracted | ExtractError]]:
        """Extract many named PDFs, yielding each as it finishes, in no particular order.

        At most twice as many as there are workers are held at a time: `items` is read as slots free up.
        """
        finished: queue.SimpleQueue[tuple[str, Future[Extracted]]] = queue.SimpleQueue()
        waiting: set[Future[Extracted]] = set()
        source = iter(items)
        exhausted = False
        try:
            while waiting or not exhausted:
                while not exhausted and len(waiting) < 2 * self._workers:
                    item = next(source, None)
                    if item is None:
                        exhausted = True
                        break
                    waiting.add(self._track(item[0], item[1], finished))
                if waiting:
                    name, future = finished.get()
                    waiting.discard(future)
                    yield name, self.outcome(future)
        finally:
            # The caller stopped early, or its iterable raised: free the slots for others.
            for future in waiting:
                future.cancel()

    def _track(
        self, name: str, data: bytes, finished: "queue.SimpleQueue[tuple[str, Future[Extracted]]]"
    ) -> "Future[Extracted]":
        future = self.submit(data)
        future.add_done_callback(lambda done: finished.put((name, done)))
        return future

    def outcome(self, future: "Future[Extracted]") -> Extracted | ExtractError:
        """Wait for a submitted PDF and return its text, or the error that says why there is none."""
        try:
            return future.result()
        except ExtractError as error:
            return error
        except TimeoutError:
            return failure("timeout", f"Extraction took longer than {self._timeout_s:g} s.")
        except MemoryError:
            return failure("memory", f"Extraction needed more than {self._memory_mb} MiB.")
        except ProcessExpired as error:
            return failure("crash", f"The worker died (exit code {error.exitcode}).")
        except CancelledError:
            return failure("crash", "Extraction was cancelled.")
        except Exception as error:
            if _is_memory(error):
                return failure("memory", f"Extraction needed more than {self._memory_mb} MiB.")
            return failure("crash", f"Extraction failed with {type(error).__name__}: {str(error)[:300]}.")


def _is_memory(error: BaseException) -> bool:
    # MuPDF and the C++ runtime report a refused allocation under names of their own.
    words = f"{type(error).__name__} {error}".lower()
    return any(part in words for part in ("bad_alloc", "malloc", "out of memory", "memoryerror", "code=1:"))


def _work(data: bytes) -> Extracted:
    from reprocensus.extract.document import extract

    return extract(data)


def _start_worker(memory_bytes: int, owner: int) -> None:
    _die_with_owner(owner)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ctrl-C reaches the whole process group; the owner decides what happens to its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from reprocensus.extract.pdf import silence

    silence()


def _die_with_owner(owner: int) -> None:
    """End this process when `owner` is gone.

    A worker's parent is the fork server, which outlives its owner for as long as workers hold its pipe:
    the kernel's parent-death signal alone would never come, so the owner itself is watched.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(owner,), daemon=True, name="owner-watch").start()


def _watch(owner: int) -> None:
    while _alive(owner):
        time.sleep(_WATCH_INTERVAL_S)
    os._exit(1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
