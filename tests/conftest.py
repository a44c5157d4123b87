"""What tests share: the corpus beside the checkout, a Prefect API for the session, small papers made here."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest

from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.storage.remote import S3Storage

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
SAMPLES = ROOT / "samples" / "manifest.jsonl"


def pytest_configure() -> None:
    """A session that is asked to end, by `timeout` say, ends what it has started, as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests with the real vLLM are skipped where it is not installed, unless it is required; those of
    endurance unless they are asked for.
    """
    if "endurance" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("endurance"):
                item.add_marker(pytest.mark.skip(reason="make test ARGS='-m endurance' runs it"))
    if find_spec("vllm") is None and not vllm_required():
        for item in items:
            if item.get_closest_marker("vllm"):
                item.add_marker(pytest.mark.skip(reason="needs the real vLLM: make test-vllm"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where the real vLLM is required, a skipped test is no test."""
    report = yield
    if vllm_required() and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, where the real vLLM is required: {report.longrepr}"
    return report


def vllm_required() -> bool:
    """Whether `make test-vllm` runs the tests."""
    return os.environ.get("REPROCENSUS_TEST_VLLM") == "required"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real material beside the checkout; tests that need it are skipped where it is absent."""
    if not (SHARED / "corpus" / "manifest.jsonl").exists():
        pytest.skip("needs ../shared, which is not here")
    return SHARED


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect API for all tests, with a database of its own."""
    from reprocensus_flows.temporary_api import temporary_api

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        with temporary_api() as url:
            patch.setenv("PREFECT_API_URL", url)
            yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """A real S3 server on loopback with a bucket named census; the settings that lead to it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    settings = {
        "REPROCENSUS_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "REPROCENSUS_S3_KEY": "key",
        "REPROCENSUS_S3_SECRET": "secret",
        "REPROCENSUS_S3_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        storage = open_storage("s3://census/x", Settings())
    assert isinstance(storage, S3Storage)
    storage.fs.call_s3("create_bucket", Bucket="census")
    yield settings
    server.stop()


Command = Callable[..., "subprocess.CompletedProcess[str]"]


def run_command(*arguments: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command line in another folder than the checkout, in this process: Prefect is imported once.

    That it does the same in a process of its own is seen in test_flows, test_readme and test_wheel.
    """
    from reprocensus.cli import main

    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(chdir(cwd))
        stack.enter_context(mock.patch.object(sys, "argv", ["reprocensus", *arguments]))
        # What a run leaves in the environment ends with it.
        stack.enter_context(mock.patch.dict(os.environ, {"COLUMNS": "200", **environment}))
        with pytest.raises(SystemExit) as ended:
            main()
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture
def reprocensus(tmp_path: Path, api: str) -> Command:
    """The command line, run in a folder of the test's own unless it says otherwise."""

    def run(*arguments: str, cwd: Path = tmp_path, **environment: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*arguments, cwd=cwd, **environment)

    return run


@pytest.fixture(scope="session")
def site_store(tmp_path_factory: pytest.TempPathFactory, api: str) -> Path:
    """A store of small papers, hostile ones among them, judged twice (`site_support.PAPERS`)."""
    from site_support import write_papers

    folder = tmp_path_factory.mktemp("site")
    manifest = write_papers(folder)
    for more in ((), ("--retry-failed",)):
        done = run_command(
            "run", f"manifest:{manifest}", "--store", "store", "--workers", "2", *more, cwd=folder
        )
        # One paper has no PDF.
        assert done.returncode == 1, done.stderr
    return folder / "store"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, site_store: Path) -> Path:
    """That store as a static site, with pictures and marked PDFs, that is to lie below `/sub/`."""
    folder = tmp_path_factory.mktemp("static") / "site"
    done = run_command(
        "site", "build", "--store", str(site_store), "--out", str(folder), "--pictures", "--marked-pdfs",
        cwd=site_store.parent, REPROCENSUS_SITE_URL="https://census.example.org/sub/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


PAPER = """A Small Study of Numbers
Ada Byron
University of Nowhere, ada@nowhere.edu
Abstract
We train a model and report its accuracy.
1 Introduction
Numbers are interesting. We evaluate on the MNIST dataset.
2 Experiments
We split the data into 80% training, 10% validation and 10% test.
All experiments ran on a single NVIDIA V100 GPU.
We used Python 3.8, PyTorch 1.7.1 and NumPy 1.19.2.
We train for 20 epochs with a learning rate of 0.001 and a batch size of 64.
Our code is available at https://github.com/nowhere/numbers.
References
[1] Somebody. Something. 2010.
"""


def make_pdf(text: str = PAPER) -> bytes:
    """A PDF of one page, its first line in large type."""
    import pymupdf

    with pymupdf.open() as pdf:  # type: ignore[no-untyped-call]
        page = pdf.new_page()
        title, *lines = text.splitlines()
        page.insert_text((72, 60), title, fontsize=18)
        page.insert_text((72, 90), lines, fontsize=10)
        return bytes(pdf.tobytes())


def write_manifest(folder: Path, papers: Sequence[tuple[str, bytes | None]], venue: str = "TEST") -> Path:
    """A manifest of papers (id, PDF; None leaves the file out); an id begins with its edition."""
    lines = []
    for paper_id, data in papers:
        file = f"{paper_id}.pdf"
        if data is not None:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        year = int(paper_id.split("/")[0].rsplit("-", 1)[1])
        lines.append(
            {"id": paper_id, "title": f"Paper {paper_id}", "venue": venue, "year": year, "file": file}
        )
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return manifest
