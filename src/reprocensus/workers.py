"""Worker processes that end when their owner does, even if it is killed."""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.context import BaseContext
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_WATCH_INTERVAL_S: Final = 0.5


def worker_context() -> BaseContext:
    """How workers are started: by a fork server, which has no threads and no open files of ours."""
    return multiprocessing.get_context("forkserver")


def start_worker(owner: int, memory_mb: int | None, prepare: Callable[[], None] | None = None) -> None:
    """Initialises a worker process: ends with process `owner`, keeps to `memory_mb` of address space."""
    die_with(owner)
    if memory_mb:
        limit = memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ctrl-C reaches the whole process group; the owner decides what happens to its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if prepare:
        prepare()


def die_with(owner: int) -> None:
    """Ends this process when `owner` is gone.

    A worker's parent is the fork server, which outlives its owner for as long as workers hold its pipe: the
    kernel's parent-death signal alone would never come, so the owner itself is watched.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(owner,), daemon=True, name="owner-watch").start()


def alive(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _watch(owner: int) -> None:
    while alive(owner):
        time.sleep(_WATCH_INTERVAL_S)
    os._exit(1)
