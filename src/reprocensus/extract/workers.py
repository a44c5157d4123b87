"""Worker processes that extract PDFs under a time and a memory limit, so that no file can hurt the run."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reprocensus.errors import ExtractError
from reprocensus.extract.failures import failure, is_out_of_memory
from reprocensus.records import Extracted
from reprocensus.workers import WorkerDiedError, WorkerPool, limit_cpu

if TYPE_CHECKING:
    from reprocensus.extract.document import Mode


class ExtractPool:
    """A pool of extraction processes, shared by any number of threads. A context manager.

    `workers` is the number of processes, `timeout_s` the wall-clock limit of one PDF in seconds,
    `memory_mb` the address space of one process in MiB, `max_tasks` how many PDFs a process takes
    before a fresh one replaces it. Workers end with this process, even if it is killed.
    """

    def __init__(
        self, workers: int, timeout_s: float = 120, memory_mb: int = 1500, max_tasks: int = 200
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._pool = WorkerPool(workers, memory_mb=memory_mb, max_tasks=max_tasks, prepare=_prepare)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; what they were doing is lost."""
        self._pool.close()

    def extract(self, data: bytes, *, mode: "Mode" = "text") -> Extracted:
        """Extract one PDF in a worker and wait for it. Raise ExtractError where it gives no text."""
        try:
            return self._pool.call(work, data, self._timeout_s, mode, timeout_s=self._timeout_s)
        except ExtractError:
            raise
        except Exception as error:
            raise self.explain(error) from error

    def extract_all(
        self, items: Iterable[tuple[str, bytes]]
    ) -> Iterator[tuple[str, Extracted | ExtractError]]:
        """Extract many named PDFs, yielding each as it finishes, in no particular order.

        At most twice as many as there are workers are held at a time: `items` is read as slots free up.
        """
        source = iter(items)
        with ThreadPoolExecutor(self._pool.workers) as threads:
            waiting: dict[Future[Extracted], str] = {}
            exhausted = False
            while waiting or not exhausted:
                while not exhausted and len(waiting) < 2 * self._pool.workers:
                    item = next(source, None)
                    if item is None:
                        exhausted = True
                    else:
                        waiting[threads.submit(self.extract, item[1])] = item[0]
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), _outcome(future)

    def explain(self, error: Exception) -> ExtractError:
        """The failure that an error of a worker is."""
        if isinstance(error, TimeoutError):
            return failure("timeout", f"Extraction took longer than {self._timeout_s:g} s.")
        if is_out_of_memory(error):
            return failure("memory", f"Extraction needed more than {self._memory_mb} MiB.")
        if isinstance(error, WorkerDiedError):
            return failure("crash", f"Extraction failed twice: {error}.")
        return failure("crash", f"Extraction failed with {type(error).__name__}: {str(error)[:300]}.")


def _outcome(future: "Future[Extracted]") -> Extracted | ExtractError:
    error = future.exception()
    if isinstance(error, ExtractError):
        return error
    return future.result()


def work(data: bytes, cpu_s: float, mode: "Mode" = "text") -> Extracted:
    """What a worker does with one PDF, in at most about so much CPU time. Raise what extraction raises."""
    limit_cpu(cpu_s)
    from reprocensus.extract.document import extract
    from reprocensus.mupdf import give_back

    try:
        return extract(data, mode=mode)
    finally:
        give_back()


def _prepare() -> None:
    from reprocensus.mupdf import silence

    silence()
