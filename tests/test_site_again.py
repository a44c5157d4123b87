"""A run's page: the command that does it again, and what stands of it."""

import shlex
import shutil
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer
from typer.testing import CliRunner

from conftest import ROOT, make_pdf, run_command, write_manifest
from reprocensus.cli.asked import takes_request
from reprocensus.cli.listing import WithListing
from reprocensus.request import RunRequest
from reprocensus.settings import Settings
from reprocensus.site import urls
from reprocensus.site.again import OMITTED, again
from reprocensus.site.answers import Answer
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import SiteOptions
from reprocensus.site.pages import answer
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

ROW: dict[str, Any] = {"engine": "vllm", "model": "Org/Name@abc 1a2b3c4d", "software": "{}"}


def _not_the_default(name: str) -> Any:
    """A value that the field may have and has not by itself."""
    field = RunRequest.model_fields[name]
    known = {"tracks": "all", "engine": "vllm", "variables": ("open_source_code", "pseudocode"), "year": 2020}
    known |= {
        "sources": ("icml/2016", "dir:papers two"),
        "editions": ("ICML/2016", "B/2017"),
        "max_failed_share": 0.5,
    }
    if name in known:
        return known[name]
    kind = field.annotation
    if get_origin(kind) is tuple:
        return ("one", "two words")
    inner = next((k for k in get_args(kind) if k is not type(None)), kind)
    return {"bool": True, "int": 7, "float": 0.5, "str": f"a {name}"}[getattr(inner, "__name__", "")]


def _parsed(command: str) -> RunRequest:
    """What `reprocensus run` makes of the command."""
    got: list[RunRequest] = []
    app = typer.Typer()
    app.command("run", cls=WithListing)(takes_request(lambda request, _: got.append(request)))
    words = shlex.split(command)
    assert words[:2] == ["reprocensus", "run"]
    done = CliRunner().invoke(app, words[2:])
    assert done.exit_code == 0, done.output
    return got[0]


@pytest.mark.parametrize("name", sorted(set(RunRequest.model_fields) - set(OMITTED) - {"store"}))
def test_every_field_of_a_request_is_spelt_as_the_command_line_reads_it(name: str) -> None:
    request = RunRequest(**{"engine": "vllm", name: _not_the_default(name)})
    read = _parsed(again(ROW, request.model_dump(mode="json")).command)
    assert read == request.model_copy(update={"store": "repeated"})
    assert getattr(read, name) != RunRequest.model_fields[name].default


def test_what_is_left_out_is_left_out_for_a_reason_and_all_together_hold() -> None:
    every = RunRequest(**{name: _not_the_default(name) for name in RunRequest.model_fields})
    assert set(OMITTED) < set(RunRequest.model_fields) and all(OMITTED.values())
    defaults = {name: RunRequest.model_fields[name].default for name in OMITTED}
    read = _parsed(again(ROW, every.model_dump(mode="json")).command)
    assert read == every.model_copy(update={"store": "repeated", **defaults})


def test_a_model_that_the_settings_named_is_named() -> None:
    settings = RunRequest(engine="vllm").model_dump(mode="json")
    assert "--model" not in again(ROW, settings).command
    assert "--model Org/Name " in again({**ROW, "sampling": "{}"}, settings).command


def test_no_folder_of_the_machine_is_told() -> None:
    request = RunRequest(sources=("dir:/home/ada/papers/x",), listing=("/home/ada/pages/a.html",))
    command = again(ROW, request.model_dump(mode="json")).command
    assert "ada" not in command and "--listing" in command


def test_imports_and_sittings_are_told_as_what_they_were() -> None:
    taken = {"import": "labels.csv", "given_as": "--who"}
    assert (
        again({**ROW, "engine": "Ada"}, taken).command
        == "reprocensus import labels.csv --who Ada --store repeated"
    )
    sitting = {
        "review": {"n": 5, "variables": ["pseudocode"], "venue": None, "random_share": 1.0, "blind": True}
    }
    expected = "reprocensus review --n 5 --variable pseudocode --random-share 1.0 --blind"
    assert again(ROW, sitting).command == expected


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, api: str) -> tuple[Path, list[str]]:
    """A store with a run by own variables, a repetition of it, and a run after; their ids."""
    folder = tmp_path_factory.mktemp("again")
    shutil.copytree(ROOT / "schemas", folder / "own")
    file = folder / "own" / "variables" / "pseudocode.toml"
    file.write_text(file.read_text().replace("Does the paper contain", "Is there", 1))
    manifest = write_manifest(folder, [("TEST-2020/a", make_pdf())])
    environment = {"REPROCENSUS_SCHEMAS": str(folder / "own")}
    done = run_command("run", f"manifest:{manifest}", "--store", "s", cwd=folder, **environment)
    assert done.returncode == 0, done.stderr
    first = _runs(folder / "s")[0]
    done = run_command(
        "repeat", first, "--sample", "50%", "--seed", "3", "--store", "s", cwd=folder, **environment
    )
    assert done.returncode == 0, done.stderr
    assert run_command("run", f"manifest:{manifest}", "--store", "s", cwd=folder).returncode == 0
    return folder / "s", _runs(folder / "s")


def _runs(store: Path) -> list[str]:
    return sorted(Tables(open_storage(str(store), Settings())).read_rows("runs")["run_id"])


def _page(store: Path, run_id: str) -> str:
    found = answer(Corpus(Tables(open_storage(str(store), Settings())), SiteOptions()), urls.run(run_id))
    assert isinstance(found, Answer)
    return found.body.decode()


def test_a_repetition_says_how_it_was_made_and_that_it_replaces_nothing(
    pages: tuple[Path, list[str]],
) -> None:
    store, (first, repetition, _) = pages
    html = _page(store, repetition)
    assert f"reprocensus repeat {first} --sample 0.5 --seed 3</code>" in html
    assert "a repetition replaces no verdict" in html and "later runs" not in html
    assert f'href="../../{urls.run(first)}"' in html


def test_a_run_by_variables_of_ones_own_says_so(
    pages: tuple[Path, list[str]],
) -> None:
    store, (first, repetition, last) = pages
    assert [name for name in (first, repetition, last) if "REPROCENSUS_SCHEMAS" in _page(store, name)] == [
        first, repetition,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "counts", "words"),
    [
        ("running", [], "Nothing yet"),
        ("failed", [], "It failed before"),
        ("interrupted", [], "It was interrupted before"),
        ("completed", [("judge", "done", 9)], "Nothing: later runs"),
        ("completed_with_failures", [("judge", "failed", 9)], "it made none"),
    ],
)
def test_what_stands_of_a_run_without_verdicts_depends_on_how_it_ended(
    pages: tuple[Path, list[str]], tmp_path: Path, status: str, counts: list[tuple[str, str, int]], words: str
) -> None:
    store = tmp_path / "s"
    shutil.copytree(pages[0], store)
    tables = Tables(open_storage(str(store), Settings()))
    row = tables.read_row("runs", pages[1][2])
    told = [dict(zip(("stage", "outcome", "n"), count, strict=True)) for count in counts]
    tables.write_row("runs", "other", {**(row or {}), "run_id": "other", "status": status, "counts": told})
    assert words in _page(store, "other")
