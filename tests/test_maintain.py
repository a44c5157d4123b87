"""History: tables of any date from the journal, packs that lose none of it, objects that nothing names."""

import json
import os
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conftest import Command
from reprocensus.errors import StoreError
from reprocensus.fetch.locations import object_path
from reprocensus.leases import Leases
from reprocensus.maintain import Options, maintain
from reprocensus.publish import publish, rebuild
from reprocensus.records import Edition
from reprocensus.settings import Settings
from reprocensus.state import JOURNALED, read_state
from reprocensus.storage import Storage, open_storage
from reprocensus.tables import Tables, partition_folder, partition_path
from test_tables import T0, document, failure, paper, verdict

ICML = Edition("ICML", 2016)
NOW = Options(grace=timedelta(0))
RUNS = [f"2026010{day}T000000Z_aaaaa{day}" for day in range(1, 7)]


@pytest.fixture(params=["local", "s3"])
def tables(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    if request.param == "local":
        return Tables(open_storage(str(tmp_path / "store"), Settings()))
    for name, value in request.getfixturevalue("s3_server").items():
        monkeypatch.setenv(name, value)
    return Tables(open_storage(f"s3://census/{uuid.uuid4().hex}", Settings()))


@pytest.fixture
def here(tmp_path: Path) -> Tables:
    return Tables(open_storage(str(tmp_path / "here"), Settings()))


def a_history(tables: Tables) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """Six runs over changing papers; what every table was after each, by the minute of its last row."""
    then = {}
    for n, run in enumerate(RUNS):
        minute = 10 * n
        text = f"text {n // 2}"
        tables.append(
            "papers", ICML, run, "0000", [paper("p", minute, title=f"t{n}"), paper(f"q{n}", minute)]
        )
        tables.append("documents", ICML, run, "0000", [document("p", minute + 1, text)])
        tables.append("verdicts", ICML, run, "0000", [verdict("p", "v", f"L{n}", minute + 2, text)])
        tables.append("failures", ICML, run, "0000", [failure(f"q{n}", "fetch", minute + 2)])
        publish(tables, ICML)
        then[minute + 5] = contents(tables)
    return then


def contents(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    return {name: tables.read(name, ICML).frame.to_dicts() for name in (*JOURNALED, "venue_statistics")}


def test_tables_of_any_date_are_rebuilt(tables: Tables, tmp_path: Path) -> None:
    then = a_history(tables)
    for minute, was in then.items():
        out = Tables(open_storage(str(tmp_path / f"out-{minute}"), Settings()))
        rebuild(tables, ICML, out, T0 + timedelta(minutes=minute))
        assert contents(out) == was
    rebuild(tables, ICML, tables)
    assert contents(tables) == list(then.values())[-1]
    assert not read_state(tables, ICML).needs_publishing


def test_packing_loses_nothing_and_is_safe_to_be_cut_off(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = a_history(tables)
    wanted = list(then.values())[-1]
    dry = maintain(tables, Options(timedelta(0), dry_run=True))
    assert (dry.packed, dry.packs) == (24, 4)
    assert len(tables.journal(ICML)) == 24
    # Cut off after the first pack is written, before any partition knows of it.
    with monkeypatch.context() as patch:
        patch.setattr(tables, "update", lambda *_: (_ for _ in ()).throw(StoreError("cut off")))
        with pytest.raises(StoreError, match="cut off"):
            maintain(tables, NOW)
    publish(tables, ICML)
    assert contents(tables) == wanted
    assert maintain(tables, NOW).packs in (3, 4)
    maintain(tables, NOW)
    assert {entry.is_pack for entry in tables.journal(ICML)} == {True}
    assert len(tables.journal(ICML)) <= 5
    assert contents(tables) == wanted
    assert not read_state(tables, ICML).needs_publishing
    assert maintain(tables, NOW).packs == 0
    assert tables.read_run("verdicts", ICML, RUNS[2])["label"].to_list() == ["L2"]
    for minute, was in then.items():
        out = Tables(open_storage(str(tmp_path / f"out-{minute}"), Settings()))
        rebuild(tables, ICML, out, T0 + timedelta(minutes=minute))
        assert contents(out) == was
    tables.storage.delete(partition_path("verdicts", ICML))
    publish(tables, ICML)
    assert contents(tables) == wanted


def test_packs_become_one_when_there_are_many_and_history_is_thinned_when_asked(here: Tables) -> None:
    tables = here
    for n in range(9):
        for part in ("a", "b"):
            run = f"202601{n + 10}T000000Z_aaaaaa"
            tables.append("papers", ICML, run, part, [paper("p", 2 * n + (part == "b"), title=f"{n}{part}")])
        publish(tables, ICML)
        maintain(tables, NOW)
    # The ninth pack makes one of all; that one's parts go a time later.
    maintain(tables, NOW)
    maintain(tables, NOW)
    assert len(tables.journal(ICML)) == 1
    frames = [tables.read_journal(entry) for entry in tables.journal(ICML)]
    assert sorted(pl.concat(frames)["title"]) == sorted(f"{n}{part}" for n in range(9) for part in "ab")
    for run in ("20260201T000000Z_a", "20260202T000000Z_a"):
        tables.append("papers", ICML, run, "0000", [paper("q", 99 + run.startswith("20260202"), title=run)])
    assert maintain(tables, Options(timedelta(0), keep=timedelta(0))).rows_dropped == 1
    publish(tables, ICML)
    rows = {row["paper_id"]: row["title"] for row in tables.read("papers", ICML).frame.to_dicts()}
    assert rows == {"p": "8b", "q": "20260202T000000Z_a"}


def test_only_objects_that_nothing_names_are_deleted(tables: Tables) -> None:
    shas = {name: uuid.uuid5(uuid.NAMESPACE_URL, name).hex * 2 for name in ("table", "journal", "none")}
    for sha256 in shas.values():
        tables.storage.create(object_path(sha256), b"%PDF-")
    tables.append("papers", ICML, RUNS[0], "0000", [paper("p", 1, pdf_sha256=shas["journal"])])
    tables.append("papers", ICML, RUNS[1], "0000", [paper("p", 2, pdf_sha256=shas["table"])])
    publish(tables, ICML)
    young = maintain(tables, Options(timedelta(hours=1)))
    assert young.objects == 0
    dry = maintain(tables, Options(timedelta(seconds=-5), dry_run=True))
    assert dry.objects == 1
    done = maintain(tables, Options(timedelta(seconds=-5)))
    assert done.objects == 1
    left = [stored.path for stored in tables.storage.details("objects")]
    assert sorted(left) == sorted(object_path(shas[name]) for name in ("table", "journal"))


def test_an_edition_that_a_run_works_on_is_left_to_the_next_time(tmp_path: Path) -> None:
    tables = Tables(open_storage(str(tmp_path), Settings()))
    a_history(tables)
    with Leases(tables.storage, "r1") as leases:
        leases.take(f"editions/{partition_folder(ICML)}")
        done = maintain(tables, NOW)
    assert done.busy == ("ICML 2016",)
    assert done.packs == 0


def test_what_is_read_at_the_start_does_not_grow_with_history(here: Tables) -> None:
    """Calls to the store for an edition's state, after 2 and after 30 nights with maintenance."""
    tables = here
    counts = []
    for nights in (2, 30):
        for n in range(nights):
            run = f"2026{n // 28 + 1:02d}{n % 28 + 1:02d}T000000Z_{nights:06d}"
            tables.append("papers", ICML, run, "0000", [paper("p", n, title=run)])
        publish(tables, ICML)
        maintain(tables, NOW)
        maintain(tables, NOW)
        counts.append(calls(tables.storage, lambda: read_state(tables, ICML)))
    assert counts[1] == counts[0]
    assert len(tables.journal(ICML)) <= 4


def calls(storage: Storage, act: Any) -> int:
    """How many operations of the store an act takes."""
    n = 0
    names = ("version", "read", "open", "list", "age")

    def counted(name: str) -> Any:
        real = getattr(type(storage), name)

        def call(*arguments: Any) -> Any:
            nonlocal n
            n += 1
            return real(storage, *arguments)

        return call

    for name in names:
        setattr(storage, name, counted(name))
    try:
        act()
    finally:
        for name in names:
            delattr(storage, name)
    return n


def test_the_commands(reprocensus: Command, tmp_path: Path) -> None:
    tables = Tables(open_storage(str(tmp_path / "s"), Settings()))
    then = a_history(tables)
    told = json.loads(reprocensus("tables", "--store", "s", "--json").stdout)
    assert [(row["venue"], row["year"], row["papers"], row["journal"]) for row in told] == [
        ("ICML", 2016, 7, 24)
    ]
    minute = list(then)[2]
    when = (T0 + timedelta(minutes=minute)).isoformat()
    refused = reprocensus("tables", "rebuild", "--as-of", when, "--store", "s")
    assert refused.returncode == 2
    assert "--out" in refused.stderr
    done = reprocensus(
        "tables", "rebuild", "--edition", "icml/2016", "--as-of", when, "--out", "o", "--store", "s"
    )
    assert done.returncode == 0, done.stderr
    assert contents(Tables(open_storage(str(tmp_path / "o"), Settings()))) == then[minute]
    again = ("tables", "rebuild", "--out", "o", "--store", "s")
    refused = reprocensus(*again)
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert contents(Tables(open_storage(str(tmp_path / "o"), Settings()))) == then[minute], "nothing written"
    assert reprocensus(*again, "--force").returncode == 0
    (tmp_path / "new").mkdir()
    assert reprocensus("tables", "rebuild", "--out", "new", "--store", "s").returncode == 0
    assert reprocensus("tables", "rebuild", "--edition", "icml/1999", "--store", "s").returncode == 2
    assert reprocensus("tables", "rebuild", "--store", "s").returncode == 0
    assert "24 files would be packed" in reprocensus("maintain", "--dry-run", "--store", "s").stdout
    assert json.loads(reprocensus("maintain", "--store", "s", "--json").stdout)["packs"] == 4
    assert os.listdir(tmp_path / "s" / "tmp") == []  # noqa: PTH208
