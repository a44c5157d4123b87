"""Every command and snippet of the README runs, in the README's order, beside the samples."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.M | re.S)
SHELL = [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines() if line.strip()]
PYTHON = [body for kind, body in BLOCKS if kind == "python"]
#: What the README says comes out: of `run`, and of `why`.
SAMPLES = [body for kind, body in BLOCKS if kind == "text" and "reprocensus" not in body]
MAKE = re.compile(r"make (\w+)")
#: Exit codes other than 0 that a command is there to show.
EXPECTED: dict[str, int] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the samples in it, to follow the README in."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "samples", folder / "samples")
    shutil.copytree(ROOT / "infra", folder / "infra")
    return folder


def follow(command: list[str] | str, folder: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        shell=isinstance(command, str),
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def plain(output: str) -> str:
    """It without what differs from run to run and from terminal to terminal."""
    same = re.sub(r"\d{8}T\d{6}Z_\w{6}|\d{4}-\d\d-\d\d \d\d:\d\d|in \d+ s\b", "*", output)
    return " ".join(same.replace("─", " ").split())


@pytest.mark.slow
def test_the_commands_and_snippets_work_in_their_order(folder: Path, api: str) -> None:
    # `make run` is this command in an environment of its own, which the wheel's test and CI make.
    commands = [line for line in SHELL if line.startswith("reprocensus ")]
    assert len(commands) > 5
    samples = {"reprocensus run": SAMPLES[0], next(c for c in commands if " why " in c): SAMPLES[1]}
    for command in ["reprocensus run", *commands]:
        done = follow(command, folder)
        assert done.returncode == EXPECTED.get(command, 0), f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip()
        if sample := samples.pop(command, None):
            told = plain(done.stdout)
            for part in re.split(r"^tables: .*$", sample, flags=re.M):
                assert plain(part) in told, f"{command}\n{done.stdout}"
    assert PYTHON
    for snippet in PYTHON:
        done = follow([sys.executable, "-c", snippet], folder)
        assert done.returncode == 0, f"{snippet}\n{done.stderr}"


def test_the_rest_are_make_targets_and_the_check_that_runs_this() -> None:
    rest = [line for line in SHELL if not line.startswith("reprocensus ")]
    assert {"make run", "make test"} <= set(rest)
    targets = (ROOT / "Makefile").read_text("utf-8")
    for line in rest:
        if line == "bash .ci/run":
            assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
        else:
            target = MAKE.match(line)
            assert target, f"no test knows how to run {line!r}"
            assert f"\n{target[1]}:" in targets
        if "ARGS=" in line:
            for file in re.findall(r"tests/\w+\.py", line):
                assert (ROOT / file).exists()


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
        "samples/README.md",
    ],
)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text("utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{document} links to {target}"


def test_every_setting_is_explained() -> None:
    from reprocensus.settings import Settings

    chapters = [path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    words = "\n".join([README, *chapters]).replace("REPROCENSUS_", "")
    explained = set(re.findall(r"[A-Z][A-Z0-9_]+", words))
    assert {name.upper() for name in Settings.model_fields} - explained == set()


def test_every_table_and_module_that_the_documents_name_exists() -> None:
    words = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", words):
        found = [p for p in (ROOT / "src").rglob("*.py") if p.as_posix().endswith("/" + name)]
        found += [p for p in (ROOT / "flows").rglob("*.py") if p.as_posix().endswith("/" + name)]
        assert found or (ROOT / name).exists(), name


@pytest.mark.slow
def test_a_variable_of_one_s_own_takes_one_file(folder: Path, api: str) -> None:
    """The first block of its chapter, as written; then the same variable without rules."""
    chapter = (ROOT / "docs" / "variables.md").read_text("utf-8")
    (block,) = re.findall(r"```sh\n(# variables: one file\n.*?)```", chapter, flags=re.S)
    done = follow(["bash", "-euc", block], folder)
    assert done.returncode == 0, done.stderr
    assert "random_seeds  (Yes, No)" in done.stdout
    assert "Yes" in done.stdout.partition("paper_id")[2]
    file = folder / "mine" / "variables" / "random_seeds.toml"
    file.write_text(file.read_text("utf-8").partition("[rules]")[0], "utf-8")
    mine = "REPROCENSUS_SCHEMAS=mine reprocensus"
    refused = follow(f"{mine} run --variables random_seeds", folder)
    assert refused.returncode == 2
    assert "random_seeds: engine rules judges by rules" in refused.stderr
    planned = follow(f"{mine} plan --store elsewhere --limit 1 --json", folder)
    assert json.loads(planned.stdout)["judge"] == 9, planned.stderr
    planned = follow(f"{mine} plan --store elsewhere --limit 1 --engine fake --json", folder)
    assert json.loads(planned.stdout)["judge"] == 10, planned.stderr
