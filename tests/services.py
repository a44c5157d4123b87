"""Services that a test starts and ends: PostgreSQL, Redis, an S3 server, Prefect's server, its workers.

PostgreSQL and Redis are Debian's (`tests/services.sh` installs them). PostgreSQL will not run as root, so a
test that does starts it as `postgres`, which Debian's package makes.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

START_S = 180
ACCOUNT = "reprocensus"


def free_port() -> int:
    """A port that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, seconds: float = START_S) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def missing() -> list[str]:
    """Which of Debian's packages are not here."""
    found = {"postgresql": _postgres_folder() is not None, "redis-server": bool(shutil.which("redis-server"))}
    return [name for name, here in found.items() if not here]


def need() -> None:
    """Skips the test where the packages are not here; fails it in CI, which installs them."""
    if lacking := missing():
        words = f"needs Debian's {' and '.join(lacking)}: bash tests/services.sh installs them"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)


class Process:
    """A process, and whatever it starts, in a group of its own."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def kill(self, *, group: bool = True) -> None:
        """`kill -9`, of all that it started too unless `group` is false."""
        with suppress(ProcessLookupError):
            if group:
                os.killpg(self.popen.pid, signal.SIGKILL)
            else:
                self.popen.kill()
        self.popen.wait()

    def stop(self) -> None:
        """Asks it to end, and sees to it that it does."""
        self.popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(20)
        self.kill()

    def said(self) -> str:
        """The end of what it printed."""
        return self.log.read_text("utf-8", "replace")[-4000:]


@contextmanager
def postgres(log: Path) -> Iterator[str]:
    """A PostgreSQL of the test's own; the URL that Prefect takes."""
    binaries = _postgres_folder()
    assert binaries
    # Not in pytest's folders: those are their owner's alone, whatever one changes there.
    with tempfile.TemporaryDirectory(prefix="reprocensus-postgres-") as name:
        folder, port = Path(name), free_port()
        as_user: list[str] = []
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = str(folder / "data")
        subprocess.run(
            [*as_user, str(binaries / "initdb"), "-D", data, "-U", ACCOUNT, "-A", "trust", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        where = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        options = ["-c", "fsync=off", "-c", "max_connections=200"]
        server = Process([*as_user, str(binaries / "postgres"), "-D", data, *where, *options], log)
        try:
            ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
            wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL answers")
            yield f"postgresql+asyncpg://{ACCOUNT}@127.0.0.1:{port}/postgres"
        finally:
            server.popen.send_signal(signal.SIGINT)
            server.popen.wait(30)


@contextmanager
def redis(folder: Path) -> Iterator[int]:
    """A Redis of the test's own, without persistence; its port."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = Process(command, folder / "redis.log")
    try:
        ready = ["redis-cli", "-p", str(port), "ping"]
        wait_for(
            lambda: subprocess.run(ready, check=False, capture_output=True).stdout == b"PONG\n",
            "Redis answers",
        )
        yield port
    finally:
        server.stop()


def _postgres_folder() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return found[-1] if found else None


class PrefectServer:
    """Prefect's server on PostgreSQL with Redis as broker, as in `infra/`; can be killed and started."""

    def __init__(self, database: str, redis_port: int, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.folder = folder
        self.environment = {
            **server_environment(database, redis_port),
            "PREFECT_HOME": str(folder / "server-home"),
            "PREFECT_API_URL": self.url,
        }
        self.process: Process | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        command = [
            sys.executable,
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        self.process = Process(command, self.folder / "server.log", self.environment)
        wait_for(self._answers, "Prefect's server answers")

    def kill(self) -> None:
        """`kill -9`."""
        assert self.process
        self.process.kill()

    def _answers(self) -> bool:
        assert self.process
        assert self.process.running, self.process.said()
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False


def server_environment(database: str, redis_port: int) -> dict[str, str]:
    """What `infra/compose.yaml` sets for Prefect's server."""
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis_port),
        "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{redis_port}/1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def worker(url: str, folder: Path, name: str, environment: Mapping[str, str], pool: str) -> Process:
    """A process worker of the pool."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--name", name]
    mine = {"PREFECT_API_URL": url, "PREFECT_HOME": str(folder / "home"), "DO_NOT_TRACK": "1"}
    # A worker looks for runs every so many seconds; a test should not wait for that.
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1"}
    return Process(command, folder / f"{name}.log", {**mine, **quick, **environment})
