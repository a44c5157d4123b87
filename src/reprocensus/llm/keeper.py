"""Ends the processes of a model with the process that started them, however that ended.

vLLM's engine runs in processes of its own. If their owner is killed they live on, for minutes at least, and
hold the GPU's memory, which the next run needs.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

_LOOK_S: Final = 1.0


def start() -> "subprocess.Popen[bytes]":
    """Starts the process that looks after this one's children. Kill it once they have ended in order."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # What kills the owner's whole group must not take this one with it.
        start_new_session=True,
    )


def _keep(owner_pid: int) -> None:
    # Comes with vLLM, and nothing else here needs it.
    import psutil

    known: dict[int, psutil.Process] = {}
    with suppress(psutil.NoSuchProcess):
        owner = psutil.Process(owner_pid)
        while owner.is_running() and owner.status() != psutil.STATUS_ZOMBIE:
            known |= {child.pid: child for child in owner.children(recursive=True)}
            known = {pid: child for pid, child in known.items() if child.is_running()}
            time.sleep(_LOOK_S)
    known.pop(os.getpid(), None)
    for process in known.values():
        with suppress(psutil.NoSuchProcess):
            for each in (*process.children(recursive=True), process):
                with suppress(psutil.NoSuchProcess):
                    each.kill()


if __name__ == "__main__":
    _keep(int(sys.argv[1]))
