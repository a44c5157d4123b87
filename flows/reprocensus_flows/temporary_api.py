"""Prefect's API for the time of one command: no server to start, none left behind.

Prefect's own ephemeral server outlives a client that is killed, holds its database, and costs the client six
seconds of imports. This one is the same server on the same kind of SQLite file, in a process that ends when
ours does, with the services that only deployments need switched off.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import httpx
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from reprocensus.errors import FlowError

_UNUSED_SERVICES = (
    "CANCELLATION_CLEANUP",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)
_START_LIMIT_S = 180


def database() -> Path:
    """The SQLite file that keeps flow runs; one a Prefect version, since none reads a later one's."""
    folder = Path(os.environ.get("PREFECT_HOME") or user_cache_path("reprocensus", ensure_exists=True))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"prefect-{version('prefect')}.db"


@contextmanager
def temporary_api() -> Iterator[str]:
    """The URL of an API that answers.

    Raises:
        FlowError: it does not start, or not in time.
    """
    file = database()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    environment = {
        **os.environ,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{file}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _UNUSED_SERVICES},
    }
    starting = _alone(file)
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(listening.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[listening.fileno()],
        env=environment,
        # Ctrl-C goes to a terminal's whole process group; the run still needs the API to end in order.
        start_new_session=True,
    )
    listening.close()
    complaints: list[bytes] = []
    drain = threading.Thread(target=lambda: complaints.extend(server.stderr or ()), daemon=True)
    drain.start()
    try:
        _wait(server, url, complaints)
        starting.close()
        yield url
    finally:
        server.kill()
        server.wait()
        starting.close()


def _alone(file: Path) -> ExitStack:
    """Waits until no other API is starting with the file: two that make its tables at once both fail."""
    stack = ExitStack()
    # One that takes longer than it may holds nobody up, nor does a disk without locks.
    with suppress(Timeout, OSError, NotImplementedError):
        stack.enter_context(FileLock(f"{file}.lock", timeout=_START_LIMIT_S))
    return stack


def _wait(server: "subprocess.Popen[bytes]", url: str, complaints: list[bytes]) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    ended = server.poll() is not None
    what = "ended as it started" if ended else f"did not start within {_START_LIMIT_S} s"
    said = b"".join(complaints[-5:]).decode("utf-8", "replace").strip()
    raise FlowError(
        f"Prefect's temporary API {what}; run again, or set PREFECT_API_URL to a server that runs. It said: "
        f"{said or 'nothing'}"
    )


def _end_with_owner() -> None:
    """Ends this process when the pipe from its owner closes, however the owner ended."""
    sys.stdin.buffer.read()
    os._exit(0)


def _serve(descriptor: int) -> None:
    import uvicorn
    from prefect.server.api.server import create_app

    threading.Thread(target=_end_with_owner, daemon=True).start()
    uvicorn.run(create_app(), fd=descriptor, log_level="critical", lifespan="on")


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
