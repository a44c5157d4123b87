"""Tables: the fold of the journal, partitions that readers trust, schemas that hold."""

import io
import itertools
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from reprocensus.errors import StoreError
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.schemas import load_table, load_tables
from reprocensus.settings import Settings
from reprocensus.state import read_state
from reprocensus.storage import open_storage
from reprocensus.tables import Tables, partition_path

EDITION = Edition("A B%", 2020)
T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(open_storage(str(tmp_path), Settings()))


def paper(paper_id: str, minute: int, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {c.name: "x" for c in load_table("papers").columns} | {
        "track": "main",
        "main": True,
    }
    when = T0 + timedelta(minutes=minute)
    return {**row, "paper_id": paper_id, "authors": ["A"], "listed_at": when, "recorded_at": when, **changes}


def document(paper_id: str, minute: int, text: str = "text") -> dict[str, Any]:
    row: dict[str, Any] = {c.name: "x" for c in load_table("documents").columns}
    when = T0 + timedelta(minutes=minute)
    lists = {"page_starts": [0], "n_pages": 1, "flags": [], "sections": [], "captions": [], "hidden_text": []}
    return {**row, **lists, "paper_id": paper_id, "text": text, "text_sha256": text, "recorded_at": when}


def verdict(paper_id: str, variable: str, label: str, minute: int, text: str = "text") -> dict[str, Any]:
    row: dict[str, Any] = {
        c.name: "x" if c.type == "string" else c.default for c in load_table("verdicts").columns
    }
    when = T0 + timedelta(minutes=minute)
    numbers = {
        "confidence": 0.5,
        "needs_review": False,
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
    }
    own = {"paper_id": paper_id, "variable": variable, "label": label, "text_sha256": text, "quotes": []}
    return {**row, **numbers, **own, "judged_at": when, "recorded_at": when}


def failure(
    paper_id: str, stage: str, minute: int, attempted: str = "x", variable: str | None = None
) -> dict[str, Any]:
    when = T0 + timedelta(minutes=minute)
    own = {"paper_id": paper_id, "stage": stage, "variable": variable, "attempted": attempted}
    rest = {"kind": "k", "message": "m", "run_id": "r", "transient": False, "attempts": 1}
    return {**own, **rest, "failed_at": when, "recorded_at": when}


def test_of_two_rows_the_later_stands_in_whatever_order_runs_publish(tmp_path: Path) -> None:
    runs = {
        "r1": paper("p", 1, title="old"),
        "r2": paper("p", 3, title="new"),
        "r3": paper("p", 2, title="mid"),
    }
    for number, order in enumerate(itertools.permutations(runs)):
        tables = Tables(open_storage(str(tmp_path / str(number)), Settings()))
        for run in order:
            tables.append("papers", EDITION, run, "0000", [runs[run]])
            publish(tables, EDITION)
        assert tables.read("papers", EDITION).frame["title"].to_list() == ["new"]


def test_publishing_twice_changes_nothing(tables: Tables, tmp_path: Path) -> None:
    tables.append("papers", EDITION, "r1", "0000", [paper("p", 1)])
    publish(tables, EDITION)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    assert len(before) == 11  # one in the journal, seven tables, two of statistics and places
    publish(tables, EDITION)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")} == before


def test_a_lost_partition_is_rebuilt_from_the_journal(tables: Tables, tmp_path: Path) -> None:
    tables.append("papers", EDITION, "r1", "0000", [paper("p", 1), paper("q", 1)])
    publish(tables, EDITION)
    before = tables.read("papers", EDITION).frame
    (tmp_path / partition_path("papers", EDITION)).unlink()
    assert read_state(tables, EDITION).needs_publishing
    publish(tables, EDITION)
    assert tables.read("papers", EDITION).frame.equals(before)
    assert not read_state(tables, EDITION).needs_publishing


def test_verdicts_on_an_earlier_text_leave_the_table_and_come_back_with_the_text(tables: Tables) -> None:
    tables.append("documents", EDITION, "r1", "0000", [document("p", 1)])
    tables.append("verdicts", EDITION, "r1", "0000", [verdict("p", "v", "Yes", 1)])
    publish(tables, EDITION)
    assert tables.read("verdicts", EDITION).frame.height == 1
    tables.append("documents", EDITION, "r2", "0000", [document("p", 2, "other")])
    publish(tables, EDITION)
    assert tables.read("verdicts", EDITION).frame.height == 0


@pytest.mark.parametrize(
    ("failed", "mended"),
    [
        (failure("p", "fetch", 1), ("papers", paper("p", 2))),
        (failure("p", "extract", 1, "x 1"), ("documents", document("p", 2))),
        (failure("p", "extract", 3, "another-pdf 1"), ("papers", paper("p", 2))),
        (failure("p", "judge", 1, variable="v"), ("verdicts", verdict("p", "v", "No", 2))),
    ],
)
def test_a_failure_ends_with_what_mends_it(
    tables: Tables, failed: dict[str, Any], mended: tuple[str, dict[str, Any]]
) -> None:
    tables.append("papers", EDITION, "r0", "0000", [paper("p", 0)])
    tables.append("documents", EDITION, "r0", "0000", [document("p", 0)])
    tables.append("failures", EDITION, "r1", "0000", [{**failed, "attempted": "x"}])
    publish(tables, EDITION)
    assert tables.read("failures", EDITION).frame.height == 1
    tables.append(
        "failures",
        EDITION,
        "r2",
        "0000",
        [{**failed, "recorded_at": failed["recorded_at"] + timedelta(seconds=1)}],
    )
    tables.append(mended[0], EDITION, "r3", "0000", [mended[1]])
    publish(tables, EDITION)
    assert tables.read("failures", EDITION).frame.height == 0


def test_two_writers_lose_nothing_and_readers_see_whole_partitions(tables: Tables, tmp_path: Path) -> None:
    n = 25
    tables.append("papers", EDITION, "r0", "0000", [paper(f"seed-{i}", 0) for i in range(200)])
    publish(tables, EDITION)
    stop = threading.Event()
    seen: list[int] = []
    wrong: list[Exception] = []
    folder = tmp_path / "tables" / "papers"

    def write(writer: str) -> None:
        for i in range(n):
            tables.append("papers", EDITION, writer, f"{i:04d}", [paper(f"{writer}-{i}", i)])
            publish(tables, EDITION)

    def read() -> None:
        while not stop.is_set():
            try:
                # One open file is one version. Polars and DuckDB, given a path, open it for its footer and
                # again for its pages: docs/architecture.md says what that means.
                frame = pd.read_parquet(folder)
                assert frame["paper_id"].is_unique
                seen.append(len(frame))
            except Exception as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(name,)) for name in ("w1", "w2")]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert not wrong
    assert seen == sorted(seen)
    assert tables.read("papers", EDITION).frame.height == 200 + 2 * n


def test_polars_duckdb_and_pandas_read_a_table_as_it_lies(tables: Tables, tmp_path: Path) -> None:
    for edition in (Edition("ICML", 2015), Edition("NeurIPS", 2016)):
        tables.append("documents", edition, "r", "0000", [document("p", 1)])
        quote = {"text": "t", "page": 1, "start": 0, "end": 1, "match": "exact"}
        tables.append("verdicts", edition, "r", "0000", [{**verdict("p", "v", "Yes", 1), "quotes": [quote]}])
        publish(tables, edition)
    folder = tmp_path / "tables" / "verdicts"
    by_polars = pl.read_parquet(folder)
    query = f"SELECT venue, year, label, quotes[1].page FROM '{folder}/**/*.parquet' ORDER BY year"
    by_duckdb = duckdb.connect().execute(query)
    by_pandas = pd.read_parquet(folder)
    assert sorted(by_polars.select("venue", "year").rows()) == [("ICML", 2015), ("NeurIPS", 2016)]
    assert by_duckdb.fetchall() == [("ICML", 2015, "Yes", 1), ("NeurIPS", 2016, "Yes", 1)]
    assert sorted(by_pandas["venue"]) == ["ICML", "NeurIPS"]
    assert by_pandas["quotes"].iloc[0][0]["text"] == "t"


def test_files_carry_the_schema_of_their_table(tables: Tables, tmp_path: Path) -> None:
    tables.append("papers", EDITION, "r", "0000", [paper("p", 1)])
    publish(tables, EDITION)
    for name in ("papers", "venue_statistics", "edition_scores"):
        schema = pq.read_schema(tmp_path / partition_path(name, EDITION))
        assert schema.remove_metadata() == load_table(name).arrow
        assert schema.metadata[b"reprocensus.schema_version"] == b"1"


def test_a_store_from_before_a_column_was_added_is_read_and_written(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = load_table("failures")
    before = now.model_copy(update={"columns": tuple(c for c in now.columns if c.name != "retry_at")})
    with monkeypatch.context() as patch:
        patch.setattr(
            "reprocensus.tables.load_table", lambda name: before if name == "failures" else load_table(name)
        )
        tables.append("failures", EDITION, "r1", "0000", [failure("p", "fetch", 1)])
        publish(tables, EDITION)
    tables.append("failures", EDITION, "r2", "0000", [failure("q", "fetch", 1)])
    publish(tables, EDITION)
    frame = tables.read("failures", EDITION).frame
    assert frame["paper_id"].to_list() == ["p", "q"]
    assert frame["retry_at"].to_list() == [None, None]


def test_a_cut_file_is_named_with_what_to_do(tables: Tables, tmp_path: Path) -> None:
    tables.append("papers", EDITION, "r", "0000", [paper("p", 1)])
    publish(tables, EDITION)
    path = tmp_path / partition_path("papers", EDITION)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match="delete it and run again"):
        tables.read("papers", EDITION)


def test_every_table_is_described() -> None:
    names = {
        "papers",
        "pdfs",
        "documents",
        "verdicts",
        "failures",
        "runs",
        "venue_statistics",
        "edition_scores",
    }
    names |= {"labels", "aliases", "corrected_statistics", "repeats", "places"}
    assert {table.name for table in load_tables()} == names
    for table in load_tables():
        assert set(table.key) <= {column.name for column in table.columns}


def test_a_partition_without_a_column_that_came_later_is_read(tables: Tables) -> None:
    tables.append("documents", EDITION, "r1", "0000", [document("p", 1)])
    publish(tables, EDITION)
    path = partition_path("documents", EDITION)
    with tables.storage.open(path) as file:
        older = pq.read_table(file, partitioning=None).drop_columns(["captions", "hidden_text"])
    sink = io.BytesIO()
    pq.write_table(older, sink)
    tables.storage.replace(path, sink.getvalue(), tables.storage.version(path))
    tables.append("documents", EDITION, "r2", "0000", [document("q", 2)])
    publish(tables, EDITION)
    rows = tables.read("documents", EDITION).frame.sort("paper_id").to_dicts()
    assert [(row["paper_id"], row["captions"], row["hidden_text"]) for row in rows] == [
        ("p", None, None),
        ("q", [], []),
    ]


def test_a_damaged_file_is_told_and_never_read_as_if_it_were_whole(tables: Tables, tmp_path: Path) -> None:
    """Cut, emptied, another file, and every byte in turn that Parquet's footer says is read."""
    tables.append("papers", EDITION, "r1", "0000", [paper(f"p{n}", n, title=f"Title {n}") for n in range(9)])
    publish(tables, EDITION)
    path = partition_path("papers", EDITION)
    whole = (tmp_path / path).read_bytes()
    wanted = tables.read("papers", EDITION).frame
    damaged = [b"", whole[:-1], whole[: len(whole) // 2], b"<html>no</html>" * 50]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(4, len(whole), 7)]
    told = 0
    for data in damaged:
        (tmp_path / path).write_bytes(data)
        try:
            found = tables.read("papers", EDITION).frame
        except StoreError as error:
            assert "delete it and run again" in str(error) or "version" in str(error)
            told += 1
        else:
            # Some bytes, such as those of statistics or of earlier footers, are read by nobody.
            assert found.select(wanted.columns).equals(wanted)
    assert told > len(damaged) / 2
    (tmp_path / path).unlink()
    publish(tables, EDITION)
    assert tables.read("papers", EDITION).frame.equals(wanted)
