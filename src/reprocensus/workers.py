"""Worker processes that end when their owner does, even if it is killed."""

import ctypes
import math
import multiprocessing
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.context import BaseContext
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_WATCH_INTERVAL_S: Final = 0.5
_CPU_GRACE_S: Final = 10


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
