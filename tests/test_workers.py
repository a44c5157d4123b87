"""Worker processes: limits, deaths, and work that goes on after them."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reprocensus.errors import ExtractError
from reprocensus.workers import WorkerDiedError, WorkerPool


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2) as made:
        yield made


def test_a_call_gives_the_functions_result_or_its_error(pool: WorkerPool) -> None:
    assert pool.call(sum, [1, 2], timeout_s=30) == 3
    with pytest.raises(ZeroDivisionError):
        pool.call(divmod, 1, 0, timeout_s=30)
    with pytest.raises(RuntimeError, match="own"):
        pool.call(_raise, "own", timeout_s=30)


def test_a_call_that_takes_too_long_is_ended(pool: WorkerPool) -> None:
    pool.call(abs, 1, timeout_s=30)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        pool.call(time.sleep, 60, timeout_s=1)
    assert time.monotonic() - started < 15
    assert pool.call(abs, -2, timeout_s=30) == 2


def test_a_call_that_kills_its_worker_is_made_twice_and_no_more(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(WorkerDiedError):
        pool.call(_die, str(tmp_path / "tries"), 9, timeout_s=30)
    assert (tmp_path / "tries").read_text() == "xx"
    assert pool.call(abs, -3, timeout_s=30) == 3


def test_a_worker_killed_from_outside_costs_nothing(pool: WorkerPool, tmp_path: Path) -> None:
    assert pool.call(_die, str(tmp_path / "tries"), 1, timeout_s=30) == "alive"


@pytest.mark.parametrize(
    ("kind", "replaced"), [("foreseen", False), ("unforeseen", True), ("small", False), ("large", True)]
)
def test_a_worker_is_replaced_after_the_unforeseen_and_when_it_stays_large(kind: str, replaced: bool) -> None:
    with WorkerPool(1) as pool:
        before = pool.call(os.getpid, timeout_s=30)
        try:
            pool.call(_leave_behind, kind, timeout_s=30)
        except (ExtractError, RuntimeError) as error:
            assert str(error) == kind
        assert (pool.call(os.getpid, timeout_s=30) != before) is replaced


def test_large_messages_survive_kills_at_random(pool: WorkerPool) -> None:
    """Kills come while data goes through the pipes, where a shared pool would stall for good."""
    data = bytes(3_000_000)
    pids: set[int] = {pool.call(os.getpid, timeout_s=30) for _ in range(4)}
    results: list[int] = []

    def work() -> None:
        for _ in range(15):
            size, pid = pool.call(_echo, data, timeout_s=30)
            pids.add(pid)
            results.append(len(size))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        time.sleep(0.3)
        for pid in list(pids)[-1:]:
            pids.discard(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "stalled"
    assert results == [len(data)] * 30


def _echo(data: bytes) -> tuple[bytes, int]:
    return data, os.getpid()


_kept: list[bytes] = []


def _leave_behind(kind: str) -> None:
    if kind == "foreseen":
        raise ExtractError("no_text", kind)
    if kind == "unforeseen":
        raise RuntimeError(kind)
    _kept.append(b"x" * (300_000_000 if kind == "large" else 1000))


def _raise(words: str) -> None:
    raise RuntimeError(words)


def _die(path: str, times: int) -> str:
    tries = Path(path)
    done = len(tries.read_text()) if tries.exists() else 0
    if done >= times:
        return "alive"
    tries.write_text("x" * (done + 1))
    os.kill(os.getpid(), signal.SIGKILL)
    return "dead"
