"""Worker processes that extract PDFs under a time and a memory limit, so that no file can hurt the run."""

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from reprocensus.errors import ExtractError
from reprocensus.extract.failures import failure, is_out_of_memory
from reprocensus.records import Extracted
from reprocensus.workers import limit_cpu, start_worker, worker_context


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
        self._max_tasks = max_tasks
        self._lock = threading.Lock()
        self._closed = False
        self._pool = self._new_pool()

    def _new_pool(self) -> Any:
        return ProcessPool(
            max_workers=self._workers,
            max_tasks=self._max_tasks,
            context=worker_context(),
            initializer=start_worker,
            initargs=(os.getpid(), self._memory_mb, _prepare),
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
        with self._lock:
            self._closed = True
            self._pool.stop()
            self._pool.join()

    def submit(self, data: bytes) -> "Future[Extracted]":
        """Queue one PDF. The future's result raises whatever went wrong; see `outcome`."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the extraction pool is closed")
            if not self._pool.active:
                # pebble gives up for good when a worker dies between two PDFs; that must not end a run.
                self._pool = self._new_pool()
            future: Future[Extracted] = self._pool.schedule(
                _work, args=(data, self._timeout_s), timeout=self._timeout_s
            )
        return future

    def extract(self, data: bytes) -> Extracted:
        """Extract one PDF in a worker and wait for it. Raise ExtractError where it gives no text."""
        result = self.outcome(self.submit(data))
        if isinstance(result, ExtractError):
            raise result
        return result

    def extract_all(
        self, items: Iterable[tuple[str, bytes]]
    ) -> Iterator[tuple[str, Extracted | ExtractError]]:
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
        except (Exception, CancelledError) as error:
            return self._explain(error)

    def _explain(self, error: BaseException) -> ExtractError:
        if isinstance(error, TimeoutError):
            return failure("timeout", f"Extraction took longer than {self._timeout_s:g} s.")
        if is_out_of_memory(error):
            return failure("memory", f"Extraction needed more than {self._memory_mb} MiB.")
        if isinstance(error, ProcessExpired):
            return failure("crash", f"The worker died (exit code {error.exitcode}).")
        if isinstance(error, CancelledError):
            return failure("crash", "Extraction was cancelled.")
        return failure("crash", f"Extraction failed with {type(error).__name__}: {str(error)[:300]}.")


def _work(data: bytes, cpu_s: float) -> Extracted:
    limit_cpu(cpu_s)
    from reprocensus.extract.document import extract

    return extract(data)


def _prepare() -> None:
    from reprocensus.extract.pdf import silence

    silence()
