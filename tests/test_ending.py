"""How flows of a deployment end that cannot be done, and what they tell before they do anything."""

import logging
from pathlib import Path

import pytest

from conftest import PAPER, make_pdf, write_manifest
from reprocensus.census import prepare
from reprocensus.request import RunRequest
from reprocensus.settings import Settings
from reprocensus_flows import records
from reprocensus_flows.deployed import backfill, maintain, nightly, part, reprocess
from reprocensus_flows.ending import told


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
    def wrong() -> None:  # type: ignore[misc]
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
    asked = {"store": str(tmp_path / "s"), "sources": (f"manifest:{manifest}",)}
    refused = reprocess.fn(**asked, prompt_version="0" * 12, dry_run=True)
    assert version in str(refused.message)
    assert reprocess.fn(**asked, prompt_version=version[:6], dry_run=True).is_completed()
