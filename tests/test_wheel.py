"""The wheel, installed where nothing else is, outside the checkout, does what the checkout does."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

CHECKOUT = Path(__file__).parents[1]
SAMPLES = CHECKOUT / "samples" / "manifest.jsonl"
VARIABLES = sorted(path.stem for path in (CHECKOUT / "schemas" / "variables").glob("*.toml"))
LIMIT = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not (CHECKOUT / "pyproject.toml").is_file(), reason="no checkout to build from"),
]


def succeed(command: Sequence[str | Path], cwd: Path, env: dict[str, str]) -> str:
    """Standard output of a command that must exit 0."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    told = f"{command} exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, told
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """A clean environment with the wheel in it, and an empty folder to work in."""

    bin: Path
    home: Path

    def run(self, program: str, *arguments: str | Path) -> str:
        env = {
            "PATH": os.pathsep.join((str(self.bin), os.defpath)),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "TMPDIR": tempfile.gettempdir(),
        }
        return succeed([self.bin / program, *arguments], self.home, env)


@pytest.fixture(scope="module")
def pip_env() -> dict[str, str]:
    """This process's environment, where pip finds its index and cache, without what leaks the checkout."""
    leaks = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in leaks}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, pip_env: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps"]
    succeed([*pip, "-w", str(folder), str(CHECKOUT)], folder, pip_env)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, pip_env: dict[str, str], wheel: Path) -> Installed:
    folder = tmp_path_factory.mktemp("clean")
    environment, home = folder / "venv", folder / "home"
    home.mkdir()
    succeed([sys.executable, "-m", "venv", environment], home, pip_env)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    # What is imported is compiled then; the rest of a hundred packages need not be.
    succeed([*pip, "--no-compile", "-c", str(CHECKOUT / "constraints.txt"), str(wheel)], home, pip_env)
    return Installed(environment / "bin", home)


def test_the_wheel_carries_both_packages_the_schemas_and_the_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for kind in ("variables", "tables"):
        expected = {
            f"reprocensus/schemas/{kind}/{path.name}" for path in (CHECKOUT / "schemas" / kind).iterdir()
        }
        assert expected
        assert expected <= names
    assert "reprocensus/schemas/affiliations.toml" in names
    for package in (CHECKOUT / "src" / "reprocensus", CHECKOUT / "flows" / "reprocensus_flows"):
        files = [p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
        assert files
        assert {str(p.relative_to(package.parent)) for p in files} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {"reprocensus", "reprocensus_flows"} == {top for top in tops if not top.endswith(".dist-info")}
    assert not [name for name in names if "__pycache__" in name]


def test_what_is_imported_is_what_was_installed(installed: Installed) -> None:
    code = "import reprocensus, reprocensus_flows; print(reprocensus.__file__, *reprocensus_flows.__path__)"
    for place in installed.run("python", "-c", code).split():
        assert Path(place).is_relative_to(installed.bin.parent)


def test_it_has_what_it_needs_and_no_more(installed: Installed) -> None:
    installed.run("python", "-m", "pip", "check")
    packages = installed.run("python", "-m", "pip", "freeze").lower()
    assert "pymupdf==" in packages
    assert "pytest==" not in packages


def test_help_names_the_commands(installed: Installed) -> None:
    told = installed.run("reprocensus", "--help")
    assert "run" in told
    assert "variables" in told


def test_all_nine_variables_are_known(installed: Installed) -> None:
    assert len(VARIABLES) == 9
    told = installed.run("reprocensus", "variables")
    assert [name for name in VARIABLES if name not in told] == []


@pytest.mark.skipif(not SAMPLES.is_file(), reason="no samples/ beside the tests")
def test_it_judges_the_bundled_papers(installed: Installed) -> None:
    store = installed.home / "store"
    installed.run("reprocensus", "run", f"manifest:{SAMPLES}", "--limit", str(LIMIT), "--store", store)

    tables = {path.name for path in (store / "tables").iterdir()}
    assert {"papers", "documents", "verdicts", "runs"} <= tables
    files = sorted((store / "tables" / "verdicts").glob("venue=*/year=*/*.parquet"))
    rows = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]
    assert len(rows) == LIMIT * len(VARIABLES)
    judged = Counter(row["paper_id"] for row in rows)
    assert list(judged.values()) == [len(VARIABLES)] * LIMIT
    assert {row["variable"] for row in rows} == set(VARIABLES)
