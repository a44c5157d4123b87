"""A real Prefect server on PostgreSQL with Redis as broker, workers, deployments, Dask; and kills of them.

The kill tests print their seed; `REPROCENSUS_TEST_SEED` sets it, `REPROCENSUS_TEST_KILLS` how often they
kill.
"""

import http.server
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typing_extensions import override

import services
from conftest import PAPER, ROOT, Command, make_pdf, write_manifest
from plain_run import plain_run
from reprocensus.settings import load_settings
from rows_of import judged_twice, rows_of
from services import PrefectServer, Process, wait_for, worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SEED = int(os.environ.get("REPROCENSUS_TEST_SEED", "20261121"))
POINTS = int(os.environ.get("REPROCENSUS_TEST_KILLS", "4"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Prefect's server, to be used by the tests of this module."""
    services.need()
    folder = tmp_path_factory.mktemp("server")
    with services.postgres(folder / "postgres.log") as database, services.redis(folder) as port:
        server = PrefectServer(database, port, folder)
        server.start()
        yield server
        server.kill()


@dataclass
class Site:
    """A pool on the server with its deployments, and workers that end with the test."""

    server: PrefectServer
    folder: Path
    pool: str
    environment: dict[str, str]
    stack: ExitStack
    n_workers: int = 0

    def deploy(self, night: Mapping[str, Any], **settings: Any) -> None:
        """Writes a deployment file and deploys it, by the command."""
        file = self.folder / "deployment.toml"
        automations = settings.pop("automations", {})
        lines = [f"pool = {json.dumps(self.pool)}", *(f"{k} = {json.dumps(v)}" for k, v in settings.items())]
        lines += ["[night]", *(f"{k} = {json.dumps(v)}" for k, v in night.items())]
        lines += ["[automations]", *(f"{k} = {json.dumps(v)}" for k, v in automations.items())]
        file.write_text("\n".join(lines))
        # In a process of its own: Prefect reads its settings once a process, and this one has another server.
        environment = {**os.environ, "PREFECT_API_URL": self.server.url}
        command = [sys.executable, "-m", "reprocensus", "deploy", str(file)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr

    def worker(self) -> Process:
        """One more worker."""
        self.n_workers += 1
        name = f"{self.pool}-w{self.n_workers}"
        started = worker(self.server.url, self.folder, name, self.environment, self.pool)
        self.stack.callback(started.kill)
        return started

    def run(self, flow: str, **parameters: Any) -> UUID:
        """Starts a deployment's run."""
        deployment = self.api("GET", f"/deployments/name/{flow}/{self.pool}")
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return UUID(self.api("POST", f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def state(self, run: UUID) -> str:
        """Name of a run's state."""
        return str(self.api("GET", f"/flow_runs/{run}")["state"]["name"])

    def set_state(self, run: UUID, kind: str, name: str | None = None) -> None:
        """Puts a run in a state, as the automations do."""
        state = {"type": kind, **({"name": name} if name else {})}
        self.api("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def wait(self, run: UUID, *states: str, seconds: float = 600) -> str:
        """Waits until a run is in one of the states."""
        wait_for(lambda: self.state(run) in states, f"run {run} is {states}, not {self.state(run)}", seconds)
        return self.state(run)

    def completes(self, run: UUID, seconds: float = 600) -> None:
        """Waits until a run has ended; fails with all that is known of it unless it completed."""
        ended = self.wait(run, "Completed", "Failed", "Crashed", "Cancelled", seconds=seconds)
        assert ended == "Completed", self.told(run)

    def told(self, run: UUID) -> str:
        """A run's state and log on the server, and the end of what the workers printed."""
        state = self.api("GET", f"/flow_runs/{run}")["state"]
        wanted = {"logs": {"flow_run_id": {"any_": [str(run)]}}, "sort": "TIMESTAMP_DESC", "limit": 50}
        log = [line["message"] for line in reversed(self.api("POST", "/logs/filter", wanted))]
        printed = [
            f"{name}:\n{path.read_text('utf-8', 'replace')[-6000:]}"
            for name in (f"{self.pool}-w{n + 1}" for n in range(self.n_workers))
            if (path := self.folder / f"{name}.log").exists()
        ]
        return "\n".join([f"run {run}: {state['name']}: {state['message']}", *log, *printed])

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """All runs of one of the pool's deployments, the earliest first."""
        name = {"deployments": {"name": {"any_": [self.pool]}}, "flows": {"name": {"any_": [flow]}}}
        found: list[dict[str, Any]] = self.api(
            "POST", "/flow_runs/filter", {**name, "sort": "START_TIME_ASC"}
        )
        return found

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Asks the server; again where it is busy."""
        deadline = time.monotonic() + 60
        while True:
            answer = httpx.request(method, f"{self.server.url}{path}", json=body, timeout=60)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        pool = request.node.name.removeprefix("test_").replace("_", "-")[:30].strip("-")
        yield Site(server, tmp_path, pool, {"REPROCENSUS_WORKERS": "2"}, stack)


def undisturbed(folder: Path, source: str) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold after a run that nothing happened to, on disk and without Prefect."""
    store = folder / "undisturbed"
    plain_run(source, store=str(store))
    return rows_of(str(store), load_settings())


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Thirty small papers of three editions."""
    papers = [
        (f"TEST-{2019 + n % 3}/p{n}", make_pdf(PAPER.replace("A Small", f"Study {n}: A Small")))
        for n in range(30)
    ]
    return write_manifest(tmp_path, papers)


@pytest.mark.endurance
def test_a_night_and_a_reprocessing_beside_it_on_two_workers(
    site: Site,
    shared: Path,
    s3_server: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The scheduler fires the night, two workers share it in parts; the tables are an undisturbed run's."""
    manifest = f"manifest:{shared / 'corpus' / 'manifest.jsonl'}"
    store = "s3://census/two-workers"
    site.environment |= {**s3_server, "REPROCENSUS_SCALE_OUT": "pool", "REPROCENSUS_PARTS": "2"}
    site.environment |= {"REPROCENSUS_WORKERS": "1", "REPROCENSUS_SHARDS_AT_ONCE": "1"}
    night = {"sources": [manifest], "store": store, "shard_size": 50, "max_failed_share": 0.9}
    site.deploy(night, cron="* * * * *", timezone="Europe/Berlin")
    for _ in range(2):
        site.worker()
    wait_for(lambda: len(_under_way(site, "part")) == 2, "both parts are under way", 400)
    beside = site.run("reprocess", venue="ICML", years=[2015], variables=["open_datasets"])
    deployment = site.api("GET", f"/deployments/name/nightly/{site.pool}")
    site.api("POST", f"/deployments/{deployment['id']}/pause_deployment")
    site.completes(beside, seconds=900)
    (first, *_) = site.runs("nightly")
    started = time.monotonic()
    site.completes(UUID(first["id"]), seconds=1200)
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    expected = undisturbed(site.folder, manifest)
    found = rows_of(store, load_settings())
    for table in expected:
        assert found[table] == expected[table], f"{table} differs"
    n_tasks = site.api("POST", "/task_runs/count", {})
    again = site.run("nightly")
    site.completes(again)
    assert "nothing to do" in site.api("GET", f"/flow_runs/{again}")["state"]["message"]
    with capsys.disabled():
        print(
            f"\n241 papers, 2 workers, s3: night's end after reprocess {time.monotonic() - started:.0f} s",
            end="",
        )
        print(f"; {n_tasks} task runs on the server", end="")
        for run in tables_runs(store):
            print(f"; {run['engine']} {run['status']} {run['seconds']:.0f} s", end="")
        print()


def tables_runs(store: str) -> list[dict[str, Any]]:
    from reprocensus.history import recent_runs
    from reprocensus.storage import open_storage
    from reprocensus.tables import Tables

    return recent_runs(Tables(open_storage(store, load_settings())), 10)


def _under_way(site: Site, flow: str) -> list[dict[str, Any]]:
    return [run for run in site.runs(flow) if run["state"]["type"] == "RUNNING"]


def test_two_dask_workers_do_what_one_process_does(
    reprocensus: Command, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same stage code on a Dask cluster of two processes; the speed-up of extraction is printed."""
    manifest = f"manifest:{shared / 'corpus' / 'manifest.jsonl'}"
    common = (
        "run",
        manifest,
        "--engine",
        "fake",
        "--variables",
        "open_datasets",
        "--shard-size",
        "20",
        "--json",
    )
    environment = {"DASK_DISTRIBUTED__WORKER__DAEMON": "False", "REPROCENSUS_WORKERS": "1"}
    alone = {"REPROCENSUS_WORKERS": "1", "REPROCENSUS_SHARDS_AT_ONCE": "1"}
    port = services.free_port()
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        start = [sys.executable, "-m", "dask"]
        scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        one = ["worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path)]
        for n, command in enumerate([scheduler, one, one]):
            process = Process([*start, *command], tmp_path / f"dask{n}.log", environment)
            stack.callback(process.kill)
        _wait_for_dask(address, 2)
        dask = {**environment, "REPROCENSUS_SCALE_OUT": "dask", "REPROCENSUS_DASK_SCHEDULER": address}
        # Both workers import and start their processes before anything is measured.
        warm = ("run", f"manifest:{ROOT / 'samples' / 'manifest.jsonl'}", "--shard-size", "2", "--json")
        assert reprocensus(*warm, "--store", str(tmp_path / "warm"), **dask).returncode == 0
        single = _summary(reprocensus, *common, "--store", str(tmp_path / "one"), **alone)
        double = _summary(reprocensus, *common, "--store", str(tmp_path / "two"), **dask)
    assert rows_of(str(tmp_path / "two"), load_settings()) == rows_of(str(tmp_path / "one"), load_settings())
    with capsys.disabled():
        print(
            f"\nextraction of 241 papers: one process {single['seconds_at_work']:.1f} s, "
            f"two Dask workers {double['seconds_at_work']:.1f} s, "
            f"speed-up {single['seconds_at_work'] / double['seconds_at_work']:.2f} (2 is the most)"
        )


def _summary(reprocensus: Command, *arguments: str, **environment: str) -> dict[str, Any]:
    done = reprocensus(*arguments, **environment)
    assert done.stdout, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def _wait_for_dask(address: str, n: int) -> None:
    from distributed import Client

    deadline = time.monotonic() + services.START_S
    while True:
        try:
            with Client(address, timeout="5s") as client:  # type: ignore[no-untyped-call]
                client.wait_for_workers(n, timeout=services.START_S)
                return
        except OSError:
            assert time.monotonic() < deadline, f"no Dask scheduler at {address}"
            time.sleep(0.5)


class Heard(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    bodies: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def test_a_dead_machine_s_run_is_taken_up_and_a_failed_run_is_told(site: Site, small: Path) -> None:
    """Only the server's automations act here: crash by missed heartbeats, rerun, notification."""
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heard)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    site.stack.callback(listener.shutdown)
    store = site.folder / "store"
    notify = f"http://127.0.0.1:{listener.server_address[1]}/"
    night = {"sources": [f"manifest:{small}"], "store": str(store), "shard_size": 2}
    site.deploy(night, automations={"heartbeat_s": 30, "missed": 2, "notify": notify})
    first = site.worker()
    run = site.run("nightly")
    wait_for(lambda: any(store.glob("journal/**/*-documents.parquet")), "the night has begun", 300)
    first.kill()
    assert _kill_orphans(str(site.folder)) or site.state(run) == "Running"
    site.worker()
    wrong = site.run("reprocess", model="no such model", sources=[f"manifest:{small}"])
    assert site.wait(wrong, "Completed", "Failed") == "Failed"
    wait_for(lambda: any("no such model" in body for body in Heard.bodies), "the failure is told", 120)
    assert site.wait(run, "Completed", "Failed", seconds=400) == "Completed"
    assert site.api("GET", f"/flow_runs/{run}")["run_count"] == 2
    assert rows_of(str(store), load_settings()) == undisturbed(site.folder, f"manifest:{small}")
    assert judged_twice(str(store), load_settings()) == 0


def test_the_operators_chapter_works_as_written(tmp_path: Path) -> None:
    """Its first blocks, in a folder with nothing but the samples; only the port is another."""
    chapter = (ROOT / "docs" / "operators.md").read_text("utf-8")
    begin, end = re.findall(r"```sh\n(# operators: .*?)```", chapter, flags=re.S)
    block = f"{begin}\n{end}\nwait $server || true\n"
    assert "4200" in block
    port = str(services.free_port())
    script = block.replace("4200", port).replace("server start", f"server start --port {port}")
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    (tmp_path / "data").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = Process(["bash", "-euc", f"cd '{tmp_path}'\n{script}"], tmp_path / "log", {"PATH": path})
    try:
        wait_for(lambda: not done.running, "the chapter's commands end", 600)
        assert done.popen.returncode == 0, done.said()
        # All that it started has ended.
        assert not _kill_orphans(str(tmp_path / "data"), "prefect")
        assert "finished successfully" in done.said()
        assert "completed" in done.said()
    finally:
        done.kill()
        _kill_orphans(str(tmp_path / "data"), "prefect")


def _kill_orphans(mark: str, home: str = "home") -> int:
    """Kills what a killed worker left: runs are processes of their own, known by their PREFECT_HOME."""
    killed = 0
    for process in Path("/proc").iterdir():
        try:
            environment = (process / "environ").read_bytes().split(b"\0") if process.name.isdigit() else []
        except OSError:
            continue
        if f"PREFECT_HOME={mark}/{home}".encode() in environment:
            try:
                os.kill(int(process.name), 9)
                killed += 1
            except ProcessLookupError:
                continue
    return killed


def test_workers_killed_at_random_points(site: Site, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`kill -9` of the worker and its run, as of a machine; what the automations do is done at once here."""
    expected = undisturbed(site.folder, f"manifest:{small}")
    chance, killed, round_ = random.Random(SEED), 0, 0
    stores: list[Path] = []
    site.deploy({"sources": [f"manifest:{small}"], "store": str(site.folder / "none")})
    ready = site.worker()
    while killed < POINTS:
        store = site.folder / f"store{round_}"
        stores.append(store)
        round_ += 1
        night = {
            "sources": [f"manifest:{small}"],
            "store": str(store),
            "shard_size": 1,
            "max_failed_share": None,
        }
        run = site.run("nightly", night=night)
        while killed < POINTS:
            wait_for(lambda run=run: site.state(run) in ("Running", "Completed"), "it runs", 120)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 4))
            if site.state(run) == "Completed":
                break
            ready.kill()
            _kill_orphans(str(site.folder))
            killed += 1
            if site.state(run) == "Completed":
                ready = site.worker()
                break
            ready = site.worker()
            site.set_state(run, "CRASHED")
            site.set_state(run, "SCHEDULED", "AwaitingRetry")
        site.completes(run, seconds=200)
    for store in stores:
        assert rows_of(str(store), load_settings()) == expected
        assert judged_twice(str(store), load_settings()) == 0
        assert not list((store / "tmp").iterdir())
    with capsys.disabled():
        print(f"\nworker: seed {SEED}, {killed} kills over {len(stores)} nights")


def test_server_killed_at_random_points(site: Site, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`kill -9` of Prefect's server while a worker's run is under way; the run goes on when it is back."""
    expected = undisturbed(site.folder, f"manifest:{small}")
    chance, killed, round_ = random.Random(SEED + 1), 0, 0
    stores: list[Path] = []
    site.deploy({"sources": [f"manifest:{small}"], "store": str(site.folder / "none")})
    site.worker()
    while killed < POINTS:
        store = site.folder / f"store{round_}"
        stores.append(store)
        round_ += 1
        night = {
            "sources": [f"manifest:{small}"],
            "store": str(store),
            "shard_size": 1,
            "max_failed_share": None,
        }
        run = site.run("nightly", night=night)
        wait_for(lambda run=run: site.state(run) != "Scheduled", "it is taken up", 120)  # type: ignore[misc]
        while killed < POINTS and site.state(run) not in ("Completed", "Failed", "Crashed"):
            time.sleep(chance.uniform(0, 3))
            site.server.kill()
            site.server.start()
            killed += 1
        if site.wait(run, "Completed", "Failed", "Crashed", seconds=300) != "Completed":
            site.set_state(run, "SCHEDULED", "AwaitingRetry")
            site.completes(run, seconds=300)
    for store in stores:
        assert rows_of(str(store), load_settings()) == expected
        assert judged_twice(str(store), load_settings()) == 0
    with capsys.disabled():
        print(f"\nserver: seed {SEED + 1}, {killed} kills over {len(stores)} nights")
