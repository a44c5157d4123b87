"""How flows of a deployment end that cannot be done, and what they tell before they do anything."""

import functools
import logging
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun

from conftest import PAPER, make_pdf, write_manifest
from reprocensus.census import prepare
from reprocensus.maintain import Maintained
from reprocensus.request import RunRequest
from reprocensus.settings import Settings
from reprocensus_flows import records
from reprocensus_flows.deployed import backfill, maintain, nightly, part, reprocess
from reprocensus_flows.ending import not_said_before, told


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write_manifest(tmp_path, [("TEST-2020/p", make_pdf(PAPER))])


def test_a_wrong_request_ends_as_failed_with_its_message_and_no_traceback(
    manifest: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # What Prefect calls, without Prefect: it takes a state that a flow returns as the run's.
    ended = reprocess.fn(str(tmp_path / "s"), "NIPPS", sources=(f"manifest:{manifest}",))
    assert ended.is_failed()
    assert ended.message == "UsageError: no source lists NIPPS of any year; they list TEST/2020"
    assert ended.message in [record.message for record in caplog.records]
    assert not [record for record in caplog.records if record.exc_info]


def test_every_deployed_flow_ends_so() -> None:
    for each in (nightly, part, reprocess, backfill, maintain):
        assert each.fn.__code__ is told(each.fn).__code__, each.name


def test_a_fault_of_the_program_still_shows_where() -> None:
    @told
    def wrong() -> State[None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wrong()


def test_a_dry_run_tells_the_prompt_version_in_its_artifact_and_log(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[list[dict[str, str]]] = []
    monkeypatch.setattr(records, "create_table_artifact", lambda rows, **_: shown.append(rows))
    request = RunRequest(sources=(f"manifest:{manifest}",), store=str(tmp_path / "s"))
    prepared = prepare(request, Settings())
    version = prepared.judging.prompt_version
    assert len(version) == 12
    with caplog.at_level(logging.INFO, "reprocensus.run"):
        records.Recorder(Settings(), to_prefect=True).plan(prepared)
    assert {"what": "prompt version", "n": version} in shown[0]
    assert f"prompt version {version}" in caplog.text
    asked = functools.partial(reprocess.fn, str(tmp_path / "s"), sources=(f"manifest:{manifest}",))
    refused = asked(prompt_version="0" * 12, dry_run=True)
    assert version in str(refused.message)
    assert asked(prompt_version=version[:6], dry_run=True).is_completed()


def test_prefect_s_traceback_of_a_state_that_was_returned_is_not_shown() -> None:
    def record(error: Exception | None) -> logging.LogRecord:
        exc_info = (type(error), error, None) if error else None
        return logging.LogRecord("prefect.flow_runs", logging.ERROR, "f", 1, "ended", None, exc_info)

    assert not not_said_before(record(FailedRun("UsageError: no source lists NIPPS")))
    assert not_said_before(record(ValueError()))
    assert not_said_before(record(None))


def test_maintenance_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[dict[str, str]]] = []
    monkeypatch.setattr(records, "create_table_artifact", lambda rows, **_: shown.append(rows))
    done = Maintained(packed=3, packs=1, dead_runs=2, busy=("ICML 2016",))
    records.Recorder(Settings(), to_prefect=True).maintained(done, dry_run=True)
    assert {"of": "journal", "what": "3 files would be packed into 1"} in shown[0]
    assert shown[0][-2:] == [
        {"of": "runs", "what": "2 that had died marked as interrupted"},
        {"of": "busy", "what": "ICML 2016: a run works on it"},
    ]
