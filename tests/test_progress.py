"""What a command says while it works, off a terminal."""

import time
from collections.abc import Callable

import pytest

from reprocensus.cli import progress
from reprocensus.cli.progress import progress_display, working


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SILENCE_S", "_FIRST_S", "_LOG_EVERY_S"):
        monkeypatch.setattr(progress, name, 0.05)


def said(capsys: pytest.CaptureFixture[str], so_far: list[str]) -> str:
    so_far.append(capsys.readouterr().err)
    return "".join(so_far)


def test_a_run_that_takes_its_time_says_so_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    with progress_display({"fetch": 2}) as tell:
        tell("prefect", "starting", 0)
        _until(lambda: "prefect: starting (0 s)" in said(capsys, heard))
        tell("fetch", "done", 1)
        heard.clear()
        _until(lambda: said(capsys, heard).count("fetch 1/2") >= 2)
    assert "fetch 1/2" in capsys.readouterr().err
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_work_that_takes_long_says_what_it_is_and_how_far(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    with working("looking") as say:
        _until(lambda: "looking (0 s)" in said(capsys, heard))
        say("rebuilding 1 of 2")
        _until(lambda: "rebuilding 1 of 2 (" in said(capsys, heard))
    capsys.readouterr()
    with working("looking", quiet=True):
        time.sleep(0.2)
    assert capsys.readouterr().err == ""


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "not said"
        time.sleep(0.02)
