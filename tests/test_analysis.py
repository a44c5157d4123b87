"""Analysts' ways to the tables: Polars, SQL, pandas, exports and views, on disk and on S3."""

import csv
import importlib.util
import io
import itertools
import json
import re
import shlex
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace as dc_replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlglot
from polars.testing import assert_frame_equal

import reprocensus
from conftest import ROOT
from reprocensus import migrations
from reprocensus.analysis import Store, open_store
from reprocensus.analysis.export import export, print_csv, write_rows
from reprocensus.analysis.sql import selected
from reprocensus.analysis.views import DIALECTS, judged_papers, views_sql
from reprocensus.cli import main
from reprocensus.errors import StoreError, UsageError
from reprocensus.groups import read_labels
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.schemas import TableSchema, load_table, load_tables, load_variables
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables, partition_path
from test_schema_versions import FIRST, OLD_STORE, VERSION_2, Edit, added, edit
from test_tables import document, paper, verdict

__all__ = ["edit"]

EDITIONS = [Edition("ICML", 2015), Edition("ICML", 2016), Edition("O'Hare Über", 2016), Edition("SOLO", 2016)]
LABELS = {
    "research_type": ("Experimental", "Theoretical"),
    "researcher_affiliation": ("Academia", "Industry"),
}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fill(uri: str) -> None:
    """A store of four editions whose labels differ from paper to paper."""
    tables = Tables(open_storage(uri, Settings()))
    quote = {"text": 'a "quoted", text', "page": 1, "start": 0, "end": 16, "match": "exact"}
    for number, edition in enumerate(EDITIONS):
        ids = [f"{edition.venue}-{edition.year}/{i}" for i in range(12 + number)]
        rows = [
            verdict(paper_id, v.name, LABELS.get(v.name, ("Yes", "No"))[(i * 7 + j * 3 + number) % 5 > 2], 1)
            | {"quotes": [quote], "engine": "rules", "model": "v1"}
            for i, paper_id in enumerate(ids[:-1])
            for j, v in enumerate(load_variables())
        ]
        titles = ["=1+1", "two\nlines", "plain"]
        papers = [paper(p, 1, title=titles[i % 3], abstract=None) for i, p in enumerate(ids)]
        tables.append("papers", edition, "r", "0000", papers)
        tables.append("documents", edition, "r", "0000", [document(p, 1) for p in ids])
        tables.append("verdicts", edition, "r", "0000", rows)
        publish(tables, edition)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("analysis") / "store")
    fill(root)
    return root


@pytest.fixture(scope="module")
def on_s3(s3_server: dict[str, str]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.items():
            patch.setenv(name, value)
        fill("s3://census/analysis")
        yield "s3://census/analysis"


@pytest.fixture(params=["local", "on_s3"])
def store(request: pytest.FixtureRequest) -> Store:
    return reprocensus.open(request.getfixturevalue(request.param))


Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Told:
    """Runs the command line in this process: exit code, standard output and error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["reprocensus", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(str(ended.value.code or 0)), out, err

    return run


SHARES = """
    SELECT venue, year, variable, count(*) AS n, count(*) FILTER (label = 'Yes') AS yes
    FROM verdicts WHERE year = 2016 GROUP BY ALL ORDER BY ALL
"""
JOINED = """
    SELECT p.venue, count(DISTINCT p.paper_id) AS papers, sum(len(v.quotes)) AS quotes
    FROM papers p JOIN verdicts v USING (venue, year, paper_id)
    WHERE v.label = 'Yes' GROUP BY ALL ORDER BY ALL
"""
TITLES = """
    SELECT title, count(*) AS n FROM papers
    WHERE venue <> 'SOLO' AND abstract IS NULL GROUP BY ALL ORDER BY ALL
"""


def shares_in_pandas(verdicts: pd.DataFrame) -> list[tuple[Any, ...]]:
    chosen = verdicts[verdicts.year == 2016].assign(yes=lambda d: d.label == "Yes")
    table = chosen.groupby(["venue", "year", "variable"]).agg(n=("yes", "size"), yes=("yes", "sum"))
    return [tuple(row) for row in table.reset_index().sort_values(["venue", "year", "variable"]).to_numpy()]


def test_polars_duckdb_and_pandas_agree_on_disk_and_on_s3(local: str, on_s3: str) -> None:
    answers = []
    for uri in (local, on_s3):
        store = open_store(uri)
        verdicts, papers = store.verdicts, store["papers"]
        by_polars = (
            verdicts.filter(year=2016)
            .group_by("venue", "year", "variable")
            .agg(n=pl.len(), yes=(pl.col("label") == "Yes").sum())
            .sort("venue", "year", "variable")
        )
        joined = (
            papers.join(verdicts.filter(label="Yes"), on=["venue", "year", "paper_id"])
            .group_by("venue")
            .agg(papers=pl.col("paper_id").n_unique(), quotes=pl.col("quotes").list.len().sum())
            .sort("venue")
        )
        titles = (
            papers.filter(pl.col("venue") != "SOLO", pl.col("abstract").is_null())
            .group_by("title")
            .agg(n=pl.len())
            .sort("title")
        )
        in_pandas = shares_in_pandas(store.dataset("verdicts").to_table().to_pandas())
        assert by_polars.collect().rows() == store.sql(SHARES).rows() == in_pandas
        assert joined.collect().rows() == store.sql(JOINED).rows()
        assert titles.collect().rows() == store.sql(TITLES).rows()
        assert len(in_pandas) == 27
        answers.append((in_pandas, store.sql(JOINED).rows(), store.sql(TITLES).rows()))
    assert answers[0] == answers[1]


def test_judged_papers_has_the_scores_of_the_tables(store: Store) -> None:
    ours = store.sql("""
        SELECT venue, year, count(research_type) FILTER (research_type = 'Experimental') AS n_empirical,
            avg(documentation_score) AS documentation_score,
            avg(reproducibility_score) AS reproducibility_score
        FROM judged_papers GROUP BY ALL ORDER BY ALL
    """)
    table = store.edition_scores.select(ours.columns).sort("venue", "year").collect()
    assert_frame_equal(ours, table, check_dtypes=False)
    assert store.sql("SELECT count(*) FROM judged_papers").item() == store.papers.collect().height


def fill_two_engines(uri: str) -> None:
    """`fill`, and labels of an engine `census` of every second paper of ICML 2016, imported.

    Beside them a paper that only the import brought, one of a workshop, and one that nobody judged.
    """
    fill(uri)
    tables, edition = Tables(open_storage(uri, Settings())), EDITIONS[1]
    others: dict[str, dict[str, Any]] = {
        "brought": {"source": "import:labels.csv"},
        "workshop": {"track": "workshop", "main": False},
        "brought, not judged": {"source": "import:labels.csv"},
    }
    papers = [paper(paper_id, 2, **changes) for paper_id, changes in others.items()]
    judged = [f"{edition.venue}-{edition.year}/{i}" for i in range(0, 12, 2)] + ["brought", "workshop"]
    rows = [
        verdict(paper_id, v.name, LABELS.get(v.name, ("Yes", "No"))[i % 2 * j % 2], 2, text="")
        | {"engine": "census", "model": "m"}
        for i, paper_id in enumerate(judged)
        for j, v in enumerate(load_variables())
    ]
    tables.append("papers", edition, "i", "0000", papers)
    tables.append("verdicts", edition, "i", "0000", rows)
    publish(tables, edition)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("two") / "store")
    fill_two_engines(root)
    return root


def test_judged_papers_keeps_engines_apart_and_counts_as_stats_does(two: str) -> None:
    store = open_store(two)
    ours = store.sql("""
        SELECT venue, year, engine, count(*) AS n_papers, count(documentation_score) AS n_empirical,
            avg(documentation_score) AS documentation_score,
            avg(reproducibility_score) AS reproducibility_score
        FROM judged_papers WHERE engine <> '' GROUP BY ALL ORDER BY ALL
    """)
    table = store.edition_scores.select(ours.columns).sort("venue", "year", "engine").collect()
    assert_frame_equal(ours, table, check_dtypes=False)
    counts = dict(store.sql("SELECT engine, count(*) FROM judged_papers GROUP BY ALL").rows())
    assert counts == {"rules": 12 + 13 + 14 + 15, "census": 7, "": 1}
    variables = load_variables()
    for engine, n in (("rules", 54), ("census", 7)):
        labels, _ = read_labels(Tables(open_storage(two, Settings())), variables, engine, "rules")
        rows = store.sql(f"SELECT * FROM judged_papers WHERE engine = '{engine}'").select(labels.columns)
        keys = ["venue", "year", "paper_id"]
        assert_frame_equal(rows.sort(keys), labels.sort(keys))
        assert labels.height == n
    assert store.sql("SELECT paper_id FROM judged_papers WHERE engine = ''").item() == "brought, not judged"


def test_papers_that_nobody_judged_yet_have_no_engine(tmp_path: Path) -> None:
    tables = Tables(open_storage(str(tmp_path), Settings()))
    tables.append("papers", EDITIONS[0], "r", "0000", [paper("a", 1), paper("b", 1, main=False)])
    publish(tables, EDITIONS[0])
    found = open_store(str(tmp_path)).sql("SELECT paper_id, engine, open_datasets FROM judged_papers")
    assert found.rows() == [("a", "", None)]


def test_one_engine_is_chosen_as_for_the_statistics(
    two: str, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_store(local).choose_engine() == "rules"
    assert open_store(two).choose_engine() == "rules"
    assert open_store(two).choose_engine("census") == "census"
    monkeypatch.setenv("REPROCENSUS_ENGINE", "fake")
    with pytest.raises(UsageError, match="'fake' has no verdicts here; --engine takes one of: census, rules"):
        open_store(two).choose_engine()
    assert open_store(local).choose_engine() == "rules"


def test_a_store_lists_its_tables_and_names_them_in_errors(local: str) -> None:
    store = reprocensus.open(local)
    assert list(store) == [table.name for table in load_tables()]
    assert "papers" in store
    assert "verdicts" in dir(store)
    assert len(store) == len(list(store))
    assert local in repr(store)
    with pytest.raises(KeyError, match=r"there is no table 'paper'; the tables are .*papers"):
        store["paper"]
    with pytest.raises(AttributeError, match="there is no table 'verdict'"):
        _ = store.verdict
    assert not hasattr(store, "_missing")


def test_every_table_is_a_lazy_frame_with_its_edition(local: str) -> None:
    for name, frame in ((name, open_store(local)[name]) for name in open_store(local)):
        assert isinstance(frame, pl.LazyFrame)
        schema = load_table(name)
        own = [column.name for column in schema.columns]
        assert frame.collect_schema().names() == (["venue", "year", *own] if schema.partitioned else own)
        assert frame.collect().schema == frame.collect_schema()


def test_a_store_without_tables_says_what_to_do(tmp_path: Path, on_s3: str) -> None:
    for uri in (str(tmp_path / "nowhere"), on_s3 + "-not"):
        with pytest.raises(UsageError, match="has no tables; run `reprocensus run` first"):
            reprocensus.open(uri)


class Watched:
    """Counts what is opened through a store's filesystem."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        storage = store._reader._tables.storage
        plain = type(storage).open

        def watched(path: str) -> Any:
            self.opened.append(path)
            return plain(storage, path)

        monkeypatch.setattr(storage, "open", watched)


def test_editions_and_columns_that_are_not_asked_for_are_not_read(
    local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(local)
    store.verdicts.head(1).collect()
    spoilt = Path(local) / partition_path("verdicts", EDITIONS[0])
    whole = spoilt.read_bytes()
    try:
        spoilt.write_bytes(b"nothing that can be read")
        assert set(store.verdicts.filter(year=2016).select("year").collect()["year"]) == {2016}
        assert store.sql("SELECT DISTINCT year FROM verdicts WHERE year = 2016").rows() == [(2016,)]
        assert store.verdicts.filter(venue="SOLO", label="Yes").collect().height > 0
        with pytest.raises(Exception, match=r"Parquet|magic bytes"):
            store.verdicts.select(pl.len()).collect()
    finally:
        spoilt.write_bytes(whole)
    assert "PROJECT 1/" in store.verdicts.select("label").explain()
    watched = Watched(store, monkeypatch)
    store.verdicts.select("label").collect()
    assert not watched.opened  # footers are looked at once


def test_a_frame_reads_what_is_there_when_it_is_collected(tmp_path: Path) -> None:
    fill(str(tmp_path))
    store = open_store(str(tmp_path))
    frame = store.papers.select(pl.len())
    before = frame.collect().item()
    tables = Tables(open_storage(str(tmp_path), Settings()))
    tables.append("papers", EDITIONS[0], "r2", "0000", [paper("one more", 5)])
    publish(tables, EDITIONS[0])
    assert frame.collect().item() == before + 1
    assert store.sql("SELECT count(*) FROM papers").item() == before + 1
    assert store.papers.head(3).collect().height == 3


def test_a_partition_that_is_replaced_meanwhile_is_read_whole(tmp_path: Path) -> None:
    """What Polars and DuckDB, given a path, cannot promise: they open it twice."""
    tables = Tables(open_storage(str(tmp_path), Settings()))
    edition = EDITIONS[0]
    tables.append("papers", edition, "r", "0000", [paper(f"p{i}", 1, title="0") for i in range(3000)])
    publish(tables, edition)
    stop = threading.Event()

    def replace() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            change = pl.lit(str(number) * (number % 7)).alias("title")
            tables.update("papers", edition, lambda p, c=change: dc_replace(p, frame=p.frame.with_columns(c)))  # type: ignore[misc]

    store = open_store(str(tmp_path))
    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(12):
            by_polars = store.papers.select(pl.col("title").n_unique(), pl.len().alias("n")).collect()
            by_duckdb = store.sql("SELECT count(DISTINCT title) AS title, count(title) AS n FROM papers")
            assert by_polars.row(0) == by_duckdb.row(0) == (1, 3000)
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT nope FROM papers", r'SQL: Binder Error: Referenced column "nope" not found'),
        (
            "SELECT * FROM paper",
            r"Table with name paper does not exist!; the tables are .*papers.*judged_papers",
        ),
        ("SELEC 1", "SQL: Parser Error"),
        ("SELECT CAST(title AS INTEGER) FROM papers", "Could not convert string"),
        ("SELECT * FROM read_csv('/etc/hostname')", "file system operations are disabled"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("", "one SELECT"),
        ("COPY papers TO 'papers.csv'", "one SELECT"),
        ("ATTACH 'x.db'", "one SELECT"),
        ("SET enable_external_access = true", "one SELECT"),
        ("CREATE TABLE t AS SELECT 1", "one SELECT"),
    ],
)
def test_a_wrong_query_is_one_line_and_changes_nothing(local: str, query: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        open_store(local).sql(query)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "query", ["SHOW TABLES", "DESCRIBE papers", "SUMMARIZE verdicts", "FROM papers", "EXPLAIN FROM papers"]
)
def test_queries_that_look_around_work(local: str, query: str) -> None:
    assert open_store(local).sql(query).height > 0


# Exports


def test_csv_has_lists_as_json_side_by_side(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.csv"
    assert export(store, "csv", out, tables=["verdicts"], venue="ICML", year=2015) == [out]
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11 * 9
    assert {row["venue"] for row in rows} == {"ICML"}
    assert json.loads(rows[0]["quotes_text"]) == ['a "quoted", text']
    assert json.loads(rows[0]["quotes_page"]) == [1]
    assert "quotes" not in rows[0]


@pytest.mark.parametrize("excel", [False, True])
def test_formulas_stay_as_they_are_unless_a_spreadsheet_opens_it(
    local: str, tmp_path: Path, excel: bool
) -> None:
    out = tmp_path / "papers.csv"
    export(open_store(local), "csv", out, tables=["papers"], excel=excel)
    data = out.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") == excel
    titles = {row["title"] for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))}
    assert titles == {"'=1+1" if excel else "=1+1", "two\nlines", "plain"}


def test_json_lines_and_parquet_hold_what_the_table_holds(store: Store, tmp_path: Path) -> None:
    wanted = store.verdicts.sort("venue", "year", "paper_id", "variable").collect()
    for kind in ("jsonl", "parquet"):
        folder = tmp_path / kind
        written = export(store, kind, folder)
        assert sorted(p.stem for p in written) == [t for t in store if t != "documents"]
        assert sorted(folder.iterdir()) == sorted(written)
        if kind == "parquet":
            back = pl.read_parquet(folder / "verdicts.parquet").sort("venue", "year", "paper_id", "variable")
            assert_frame_equal(back, wanted, check_dtypes=False)
        else:
            lines = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text("utf-8").splitlines()]
            assert len(lines) == wanted.height
            assert lines[0]["quotes"][0] == wanted["quotes"][0][0]


def test_a_database_is_one_file_with_its_columns_described(local: str, tmp_path: Path) -> None:
    out = tmp_path / "census.duckdb"
    export(open_store(local), "duckdb", out, tables=["papers", "documents", "judged_papers"], year=2016)
    assert [p.name for p in tmp_path.iterdir()] == ["census.duckdb"]
    with duckdb.connect(str(out), read_only=True) as database:
        assert database.execute("SELECT DISTINCT year FROM papers").fetchall() == [(2016,)]
        assert database.execute("SELECT count(*) FROM judged_papers").fetchall()[0][0] > 0
        about = dict(
            database.execute(
                "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'papers'"
            ).fetchall()
        )
        table = database.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'papers'").fetchone()
    assert {c.name: c.description for c in load_table("papers").columns}.items() <= about.items()
    assert table == (load_table("papers").description,)


def test_an_export_writes_over_nothing_unasked_and_leaves_nothing_half_done(
    local: str, tmp_path: Path
) -> None:
    store = open_store(local)
    out = tmp_path / "folder"
    export(store, "jsonl", out)
    before = (out / "papers.jsonl").read_bytes()
    with pytest.raises(UsageError, match=r"papers\.jsonl.* exists already; --force"):
        export(store, "jsonl", out, year=2015)
    assert (out / "papers.jsonl").read_bytes() == before
    export(store, "jsonl", out, year=2015, force=True)
    assert (out / "papers.jsonl").read_bytes() != before
    with pytest.raises(UsageError, match="it is a folder"):
        export(store, "csv", out, tables=["papers"], force=True)
    with pytest.raises(UsageError, match=r"unknown table paper; tables are .*judged_papers"):
        export(store, "csv", tmp_path / "x.csv", tables=["paper"])
    with pytest.raises(UsageError, match="unknown format 'xls'"):
        export(store, "xls", tmp_path / "x.xls")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        export(store, "csv", blocked / "x.csv", tables=["papers"])
    assert {p.name for p in tmp_path.iterdir()} == {"folder", "file"}


def test_a_query_can_be_written_to_a_file(local: str, tmp_path: Path) -> None:
    store = open_store(local)
    for suffix in (".csv", ".jsonl", ".parquet"):
        with selected(store, SHARES) as rows:
            write_rows(rows, tmp_path / f"shares{suffix}")
    read = [
        pl.read_csv(tmp_path / "shares.csv"),
        pl.read_ndjson(tmp_path / "shares.jsonl"),
        pl.read_parquet(tmp_path / "shares.parquet"),
    ]
    for frame in read:
        assert frame.rows() == store.sql(SHARES).rows()
    with selected(store, SHARES) as rows, pytest.raises(UsageError, match=r"must end in \.csv"):
        write_rows(rows, tmp_path / "shares.txt")
    sink = io.StringIO()
    with selected(store, "SELECT 1 AS a, [1, 2] AS b, 'x,y' AS c") as rows:
        print_csv(rows, sink)
    assert sink.getvalue() == 'a,b,c\n1,"[1,2]","x,y"\n'


# Views


def with_files(uri: str) -> list[TableSchema]:
    return [table for table in load_tables() if (Path(uri) / "tables" / table.name).exists()]


def test_the_views_load_into_duckdb_and_say_the_same(local: str) -> None:
    store = open_store(local)
    with duckdb.connect() as connection:
        connection.execute(views_sql("duckdb", local, with_files(local), load_variables()))
        for query in (SHARES, JOINED, TITLES, "SELECT * FROM judged_papers ORDER BY venue, year, paper_id"):
            assert connection.execute(query).fetchall() == store.sql(query).rows()
        comment = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'papers' AND column_name = 'title'"
        ).fetchone()
    assert comment == (next(c.description for c in load_table("papers").columns if c.name == "title"),)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_views_parse_in_their_dialect(dialect: str) -> None:
    """No Spark or Trino here: this is the grammar alone, by sqlglot."""
    words = views_sql(dialect, "s3://bucket/it's", load_tables(), load_variables())
    statements = [s for s in sqlglot.parse(words, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE) if s]
    made = {s.this.find(sqlglot.exp.Table).name for s in statements if isinstance(s, sqlglot.exp.Create)}
    assert made == {*(t.name for t in load_tables()), "judged_papers"}
    if dialect != "trino":
        assert not [s for s in statements if isinstance(s, sqlglot.exp.Command)]
    sqlglot.parse_one(judged_papers(load_variables()), dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(UsageError, match="duckdb, spark, trino"):
        views_sql("oracle", "x", (), ())


# Files of other versions


def summarise(rows: pa.Table) -> pa.Table:
    return rows.rename_columns(["summary" if name == "abstract" else name for name in rows.column_names])


def test_older_files_are_read_in_todays_shape(
    tmp_path: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(OLD_STORE) as archive:
        archive.extractall(tmp_path / "old")
    edit("papers", VERSION_2, ('name = "abstract"', 'name = "summary"'))
    edit("papers", (FIRST, added("doi", "string", "nullable = true") + FIRST))
    edit("verdicts", (FIRST, added("weight", "float64", "default = 1.0") + FIRST))
    monkeypatch.setitem(migrations.MIGRATIONS, ("papers", 1), summarise)
    store = open_store(str(tmp_path / "old"))

    def look() -> None:
        assert store.papers.filter(venue="ICML").collect()["summary"].to_list() == ["x"] * 3
        assert store.sql("SELECT count(*), count(doi), count(summary) FROM papers").row(0) == (6, 0, 6)
        assert store.verdicts.select(pl.col("weight").sum()).collect().item() == 36
        assert store.sql("SELECT sum(weight) FROM verdicts WHERE year = 2020").item() == 18

    look()
    from reprocensus.upgrade import upgrade

    tables = Tables(open_storage(str(tmp_path / "old"), Settings()))
    edit("edition_scores", VERSION_2)
    with pytest.raises(
        StoreError, match="computed by another version of this program; `reprocensus migrate`"
    ):
        open_store(str(tmp_path / "old")).edition_scores.collect()
    written = upgrade(tables)
    assert {path.split("/")[1] for path in written} == {
        "papers",
        "documents",
        "verdicts",
        "failures",
        "edition_scores",
        "venue_statistics",
        "runs",
    }
    assert upgrade(tables) == []
    look()
    assert open_store(str(tmp_path / "old")).edition_scores.collect().height == 2
    with duckdb.connect() as connection:
        connection.execute(
            views_sql("duckdb", str(tmp_path / "old"), with_files(str(tmp_path / "old")), load_variables())
        )
        assert connection.execute("SELECT sum(weight) FROM verdicts").fetchone() == (36,)


# The worked example


def example(name: str) -> Any:
    """A module of docs/examples."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "examples" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_resampled_store_has_the_papers_of_the_first_several_times(local: str, tmp_path: Path) -> None:
    stores = [Tables(open_storage(uri, Settings())) for uri in (local, str(tmp_path))]
    n = open_store(local).papers.select(pl.len()).collect().item()
    assert example("resampled_store").resample(*stores, 3, 0) == 3 * n
    found = open_store(str(tmp_path)).sql("SELECT count(*), count(DISTINCT paper_id) FROM judged_papers")
    assert found.row(0) == (3 * n, 3 * n)
    rows, judged = (
        open_store(str(tmp_path)).sql("SELECT count(*), count(DISTINCT paper_id) FROM verdicts").row(0)
    )
    assert rows == 9 * judged > 9 * 2 * n


def test_the_five_questions_have_answers(two: str, tmp_path: Path) -> None:
    five = example("five_questions")
    store = open_store(two)
    for question in five.QUESTIONS:
        answer = question(store, "rules")
        assert answer.height > 0, question.__name__
    slopes = five.fastest_in_sharing_code(store, "rules").to_dicts()
    of_icml = store["venue_statistics"].filter(engine="rules", venue="ICML", variable="open_source_code")
    by_hand = of_icml.sort("year").collect()
    icml = next(row for row in slopes if row["venue"] == "ICML")
    assert icml["points_a_year"] == pytest.approx(100 * (by_hand["share"][1] - by_hand["share"][0]))
    assert (
        sum(row["n"] for row in five.industry(store, "rules").to_dicts())
        == store.edition_scores.filter(engine="rules").collect()["n_empirical"].sum()
    )
    five.draw_figures(store, "rules", tmp_path / "figures", "Made up.")
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 4


# The command line


def test_the_command_line_answers(told: Told, local: str, tmp_path: Path) -> None:
    query = ("sql", "SELECT venue, count(*) AS n FROM papers GROUP BY ALL ORDER BY ALL", "--store", local)
    rows = json.loads(told(*query, "--json")[1])
    assert rows == [{"venue": "ICML", "n": 25}, {"venue": "O'Hare Über", "n": 14}, {"venue": "SOLO", "n": 15}]
    assert told(*query, "--csv")[1].splitlines()[:2] == ["venue,n", "ICML,25"]
    assert "O'Hare Über" in told(*query)[1]
    code, _, wrong = told("sql", "SELECT nope FROM papers", "--store", local)
    assert (code, wrong.count("\n")) == (2, 1)
    assert told(*query, "--out", "n.parquet")[0] == 0
    assert pl.read_parquet(tmp_path / "n.parquet").height == 3
    assert told(*query, "--out", "n.parquet")[0] == 2
    assert told("export", "--format", "duckdb", "--out", "census.duckdb", "--store", local)[0] == 0
    assert (tmp_path / "census.duckdb").exists()
    assert told("plot", "heatmap", "--out", "a.svg", "--store", local)[1] == "a.svg\n"
    assert told("migrate", "--store", local)[1].startswith("0 files written anew")
    assert told("sql", "SELECT 1", "--store", str(tmp_path / "nowhere"))[0] == 2


def test_schema_describes_every_column(told: Told, local: str) -> None:
    tables = json.loads(told("schema", "--json")[1])
    assert {t["name"] for t in tables} == {t.name for t in load_tables()}
    assert all(c["description"] for t in tables for c in t["columns"])
    words = told("schema", "verdicts")[1]
    for column in load_table("verdicts").columns:
        assert column.name in words
    views = told("schema", "--views", "duckdb", "--store", local)[1]
    assert "CREATE OR REPLACE VIEW papers" in views
    assert "VIEW runs" not in views  # it has no files, and DuckDB makes no view of none
    assert told("schema", "nope")[0] == 2


def test_the_commands_and_snippets_of_the_guide_work(
    local: str, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (ROOT / "docs" / "analysts.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", words, flags=re.M | re.S)
    lines = [line for kind, body in blocks if kind == "sh" for line in body.splitlines()]
    commands = [
        shlex.split(line) for line in lines if re.match(r"reprocensus (schema|sql|export|plot)\b", line)
    ]
    assert len(commands) >= 14
    monkeypatch.setenv("REPROCENSUS_STORE", local)
    (tmp_path / "data").symlink_to(local)
    # The guide speaks of the samples; this store has other editions.
    here = {"MIDL": "ICML", "2023": "2016"}
    for _, *arguments in commands:
        code, out, err = told(*(here.get(argument, argument) for argument in arguments))
        assert (code, err) == (0, ""), arguments
        assert out
    snippets = [body for kind, body in blocks if kind == "python"]
    assert snippets
    for snippet in snippets:
        exec(snippet, {})


def test_help_does_not_wait_for_heavy_libraries() -> None:
    code = (
        "import sys, reprocensus\nassert 'polars' not in sys.modules\nimport reprocensus.cli.app\n"
        "print([m for m in ('duckdb', 'matplotlib', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
