"""Worker processes that draw and mark PDFs under a time and a memory limit."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from reprocensus.errors import ExtractError
from reprocensus.extract.failures import failure, is_out_of_memory
from reprocensus.passages.marks import Mark, Picture
from reprocensus.workers import WorkerDiedError, WorkerPool, limit_cpu

T = TypeVar("T")


class PassagePool:
    """A pool of processes that draw passages, shared by any number of threads. A context manager.

    `timeout_s` is the wall-clock limit of one PDF in seconds, `memory_mb` the address space of one process
    in MiB. Nothing is started before the first call.
    """

    def __init__(self, workers: int, timeout_s: float = 60, memory_mb: int = 1500) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._pool = WorkerPool(workers, memory_mb=memory_mb, max_tasks=100)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; what they were doing is lost."""
        self._pool.close()

    def pictures(self, data: bytes, marks: Sequence[Mark]) -> list[Picture | None]:
        """A picture of each mark's passage, None where it cannot be found or drawn.

        Raise ExtractError where the PDF cannot be opened or costs more than the limits.
        """
        return self._call(_pictures, data, tuple(marks))

    def marked(self, data: bytes, marks: Sequence[Mark], name: str = "") -> bytes:
        """The PDF with every mark as a highlight annotation; `name` becomes its title.

        Raise ExtractError where the PDF cannot be opened or costs more than the limits.
        """
        return self._call(_marked, data, tuple(marks), name)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return self._pool.call(function, self._timeout_s, *arguments, timeout_s=self._timeout_s)
        except ExtractError:
            raise
        except TimeoutError as error:
            raise failure("timeout", f"Marking the PDF took longer than {self._timeout_s:g} s.") from error
        except Exception as error:
            if is_out_of_memory(error):
                raise failure("memory", f"Marking the PDF needed more than {self._memory_mb} MiB.") from error
            what = str(error) if isinstance(error, WorkerDiedError) else f"{type(error).__name__}: {error}"
            raise failure("crash", f"Marking the PDF failed: {what[:300]}.") from error


def _pictures(cpu_s: float, data: bytes, marks: Sequence[Mark]) -> list[Picture | None]:
    limit_cpu(cpu_s)
    from reprocensus.passages.pdf import pictures

    return pictures(data, marks)


def _marked(cpu_s: float, data: bytes, marks: Sequence[Mark], name: str) -> bytes:
    limit_cpu(cpu_s)
    from reprocensus.passages.pdf import marked

    return marked(data, marks, name)
