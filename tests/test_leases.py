"""Leases and claims: one run at a time works on an edition, and dead ones are found out."""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from reprocensus.claims import Claims
from reprocensus.leases import Leases, is_gone, this_process
from reprocensus.plan import Plan, Shard, Work
from reprocensus.records import Edition, Paper
from reprocensus.runs import mark_interrupted
from reprocensus.settings import Settings
from reprocensus.state import read_state
from reprocensus.storage import Storage, open_storage
from reprocensus.tables import Tables
from test_tables import paper

ICML = Edition("ICML", 2016)
NAME = "editions/venue=ICML/year=2016"


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "local":
        return open_storage(str(tmp_path / "store"), Settings())
    for name, value in request.getfixturevalue("s3_server").items():
        monkeypatch.setenv(name, value)
    return open_storage(f"s3://census/{uuid.uuid4().hex}", Settings())


def test_one_has_a_lease_until_it_gives_it_back(storage: Storage) -> None:
    with Leases(storage, "r1") as one, Leases(storage, "r2") as other:
        assert one.take(NAME) is None
        assert one.take(NAME) is None
        held = other.take(NAME)
        assert held
        assert (held.run_id, held.pid) == ("r1", os.getpid())
        other.give_back(NAME)
        assert other.take(NAME), "only who has it can give it back"
        one.give_back(NAME)
        assert other.take(NAME) is None
        assert one.take(NAME)
    with Leases(storage, "r3") as third:
        assert third.take(NAME) is None, "what a run has ends with it"


def test_a_lease_that_is_renewed_lasts_and_one_that_is_not_runs_out(storage: Storage) -> None:
    """By the store's clock: what the holder's machine thinks of the time does not matter."""
    path = f"leases/{NAME}.json"
    elsewhere = {"run_id": "far", "host": "elsewhere", "pid": 1, "token": "t", "life_s": 2.0}
    storage.replace(path, json.dumps(elsewhere).encode(), None)
    with Leases(storage, "r1", life_s=2.0) as mine:
        held = mine.take(NAME)
        assert held
        assert held.host == "elsewhere"
        deadline = time.monotonic() + 20
        while mine.take(NAME):
            assert time.monotonic() < deadline, "it was never taken over"
            time.sleep(0.2)
        with Leases(storage, "r2", life_s=2.0) as other:
            until = time.monotonic() + 5
            while time.monotonic() < until:
                assert other.take(NAME), "it was renewed"
                time.sleep(0.5)


def test_a_dead_process_of_this_machine_is_known_at_once() -> None:
    here = this_process()
    assert not is_gone(here)
    assert is_gone({**here, "pid": 999_999_999})
    assert is_gone({**here, "booted": "another boot"})
    assert not is_gone({**here, "pid": 999_999_999, "host": "elsewhere"})
    assert not is_gone({**here, "pid": 999_999_999, "pids": "pid:[another container's]"})


def test_a_dead_run_is_marked_whatever_the_history(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only runs that did not end are looked at: the cost does not grow with history."""
    tables = Tables(storage)
    row: dict[str, Any] = {
        "run_id": "dead", "started_at": None, "finished_at": None, "status": "running", "engine": "rules",
        "model": "m", "settings": "{}", "prompts": [], "software": "{}", "hardware": "{}", "counts": [],
        "prompt_tokens": 0, "cached_tokens": 0, "output_tokens": 0,
    }  # fmt: skip
    now = paper("p", 0)["recorded_at"]
    tables.write_row("runs", "dead", {**row, "started_at": now})
    tables.write_row("runs", "old", {**row, "run_id": "old", "started_at": now, "status": "completed"})
    told = {**this_process(), "pid": 999_999_999, "run_id": "dead", "token": "t", "life_s": 60}
    storage.replace("leases/runs/dead.json", json.dumps(told).encode(), None)
    monkeypatch.setattr(tables, "read_rows", lambda name: pytest.fail("the whole history was read"))
    with Leases(storage, "r1") as leases:
        leases.take("runs/r1")
        assert mark_interrupted(tables, leases) == 1
        assert leases.open_runs() == ["r1"]
    found = tables.read_row("runs", "dead")
    assert found
    assert found["status"] == "interrupted"
    assert storage.list("leases/runs") == []


def test_who_waited_for_an_edition_plans_it_again(tmp_path: Path) -> None:
    tables = Tables(open_storage(str(tmp_path), Settings()))
    papers = [Paper(name, ICML, name, "test", f"/{name}.pdf") for name in ("p", "q")]
    asked: list[list[str]] = []

    def planner(given: object, states: object) -> Plan:
        assert isinstance(given, list)
        asked.append([p.paper_id for p in given])
        return Plan((Work(papers[1], fetch=True),), 2, 1, 0, {}, ())

    def shards() -> dict[str, Shard]:
        return {"s": Shard(ICML, "0000", tuple(Work(p, fetch=True) for p in papers))}

    planned = {ICML: read_state(tables, ICML).journaled}
    with Leases(tables.storage, "r1") as one, Leases(tables.storage, "r2") as two:
        first = Claims(tables, one, "r1", planned, planner)
        second = Claims(tables, two, "r2", planned, planner)
        mine = shards()
        assert first.take(ICML, mine) is None
        assert mine == shards()
        his = shards()
        assert second.take(ICML, his)
        by = second.held_by(ICML)
        assert by
        assert by.run_id == "r1"
        tables.append("papers", ICML, "r1", "0000", [paper("p", 1)])
        first.give_back(ICML)
        deadline = time.monotonic() + 20
        while second.take(ICML, his):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert [w.paper.paper_id for w in his["s"].works] == ["q"]
        assert asked == [["p", "q"]]
        assert tables.read("papers", ICML).frame.height == 1, "what the other left unpublished is published"
