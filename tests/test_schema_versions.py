"""Files that other versions wrote: `old/store-v1.zip` was made by the code of commit bedbd26."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import ROOT
from reprocensus import migrations
from reprocensus.errors import SchemaError, StoreError
from reprocensus.layout import first_version
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.schemas import load_table, load_tables
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables, frame_of, partition_path
from test_tables import document, paper, verdict

OLD_STORE = Path(__file__).parent / "old" / "store-v1.zip"
ICML = Edition("ICML", 2016)
Edit = Callable[..., None]


@pytest.fixture
def old(tmp_path: Path) -> Tables:
    """A store as the first version left it, with a journal file of papers that no partition holds."""
    with zipfile.ZipFile(OLD_STORE) as archive:
        archive.extractall(tmp_path / "store")
    return Tables(open_storage(str(tmp_path / "store"), Settings()))


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Changes words in a table's schema file, for this test alone."""

    def change(table: str, *changes: tuple[str, str]) -> None:
        number = len(list(tmp_path.glob("schemas-*")))
        folder = tmp_path / f"schemas-{number}"
        shutil.copytree(tmp_path / f"schemas-{number - 1}" if number else ROOT / "schemas", folder)
        file = folder / "tables" / f"{table}.toml"
        words = file.read_text("utf-8")
        for before, after in changes:
            assert before in words
            words = words.replace(before, after, 1)
        file.write_text(words, "utf-8")
        monkeypatch.setenv("REPROCENSUS_SCHEMAS", str(folder))

    return change


def added(name: str, kind: str, rest: str) -> str:
    return f'[[columns]]\nname = "{name}"\ntype = "{kind}"\ndescription = "New."\n{rest}\n'


FIRST = '[[columns]]\nname = "paper_id"'


def store_bytes(tables: Tables, path: str) -> bytes:
    return tables.storage.read(path)


def test_the_old_store_was_not_made_by_this_version(old: Tables) -> None:
    meta = pq.read_metadata(io.BytesIO(store_bytes(old, partition_path("papers", ICML)))).metadata or {}
    assert meta[b"reprocensus.schema_version"] == b"1"
    assert migrations.TABLE_KEY not in meta


def test_every_file_of_the_old_store_reads_and_publishes(old: Tables) -> None:
    journaled = [t.name for t in load_tables() if t.journaled]
    before = {
        name: old.read(name, ICML).frame
        for name in journaled
        if old.storage.exists(partition_path(name, ICML))
    }
    assert before["papers"].height == 3
    assert before["verdicts"].filter(label="Yes").height > 0
    assert old.read_rows("runs").height == 1
    assert sum(old.read_journal(entry).height for entry in old.journal(ICML)) == 3 + 2 + 18 + 1 + 1
    publish(old, ICML)
    papers = old.read("papers", ICML).frame.sort("paper_id")
    assert papers["title"].to_list() == ["Newer title", "Title ICML-2016/1", "Title ICML-2016/2"]
    for name in ("documents", "verdicts", "failures"):
        assert old.read(name, ICML).frame.equals(before[name])
    for table in load_tables():
        assert old.read(table.name, ICML).frame.columns == [c.name for c in table.columns]


def test_files_name_their_table_and_version(old: Tables) -> None:
    publish(old, ICML)
    schema = pq.read_schema(io.BytesIO(store_bytes(old, partition_path("papers", ICML))))
    assert schema.metadata[b"reprocensus.table"] == b"papers"
    assert schema.metadata[b"reprocensus.schema_version"] == str(load_table("papers").version).encode()


def test_an_added_column_reads_as_null_or_as_its_default(old: Tables, edit: Edit) -> None:
    edit("documents", (FIRST, added("remark", "string", "nullable = true") + FIRST))
    edit("documents", (FIRST, added("topics", "list<string>", "default = []") + FIRST))
    edit("documents", (FIRST, added("words", "int32", "default = 7") + FIRST))
    frame = old.read("documents", ICML).frame
    assert frame.columns[:3] == ["remark", "topics", "words"]
    assert frame.select("words", "topics", "remark").rows() == [(7, [], None)] * 2
    assert old.read("documents", ICML, ("paper_id", "words")).frame.columns == ["paper_id", "words"]
    assert old.read_documents(ICML, ["ICML-2016/1"])["topics"].to_list() == [[]]
    old.append("documents", ICML, "r9", "0000", [{**document("new", 9), "words": 1, "topics": ["c"]}])
    publish(old, ICML)
    assert old.read("documents", ICML).frame.sort("paper_id")["words"].to_list() == [7, 7, 1]


def test_an_added_member_of_a_struct_reads_as_null(old: Tables, edit: Edit) -> None:
    edit("verdicts", ('{ name = "match",', '{ name = "box", type = "string" }, { name = "match",'))
    quotes = old.read("verdicts", ICML).frame["quotes"].to_list()
    told = {"text": "te", "page": 1, "start": 0, "end": 2, "match": "exact"}
    assert quotes[0] == [{**told, "box": None, "score": None}]


def test_an_added_column_without_a_default_is_refused(old: Tables, edit: Edit) -> None:
    edit("documents", (FIRST, added("words", "int32", "") + FIRST))
    with pytest.raises(StoreError, match=r"documents\.parquet.*lacks the column words.*no default"):
        old.read("documents", ICML)


def test_a_default_of_the_wrong_type_is_a_wrong_schema(edit: Edit) -> None:
    edit("documents", (FIRST, added("words", "int32", 'default = "many"') + FIRST))
    with pytest.raises(SchemaError, match="default is no int32"):
        load_table("documents")


RENAMED = ('name = "title"', 'name = "heading"')
VERSION_2 = ("version = 1", "version = 2")


def rename(rows: pa.Table) -> pa.Table:
    return rows.rename_columns(["heading" if name == "title" else name for name in rows.column_names])


def test_a_breaking_change_is_migrated_on_reading_and_written_at_the_next_publication(
    old: Tables, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("papers", VERSION_2, RENAMED)
    monkeypatch.setitem(migrations.MIGRATIONS, ("papers", 1), rename)
    assert "Title ICML-2016/1" in old.read("papers", ICML).frame["heading"].to_list()
    assert old.read("papers", ICML, ("heading",)).frame.columns == ["heading"]
    journal = {e.path: store_bytes(old, e.path) for e in old.journal(ICML)}
    publish(old, ICML)
    written = pq.ParquetFile(io.BytesIO(store_bytes(old, partition_path("papers", ICML))))
    assert (written.metadata.metadata or {})[b"reprocensus.schema_version"] == b"2"
    assert "heading" in written.schema_arrow.names
    assert "Newer title" in written.read().column("heading").to_pylist()
    assert {e.path: store_bytes(old, e.path) for e in old.journal(ICML)} == journal
    (Path(old.storage.uri) / partition_path("papers", ICML)).unlink()
    publish(old, ICML)
    assert "Newer title" in old.read("papers", ICML).frame["heading"].to_list()


def test_migrations_follow_one_another(old: Tables, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(
        "papers",
        ("version = 1", "version = 3"),
        RENAMED,
        ('name = "track"\ntype = "string"', 'name = "track"\ntype = "int32"'),
    )

    def retype(rows: pa.Table) -> pa.Table:
        index = rows.schema.get_field_index("track")
        return rows.set_column(index, "track", pa.array([1] * rows.num_rows, pa.int32()))

    monkeypatch.setitem(migrations.MIGRATIONS, ("papers", 1), rename)
    with pytest.raises(StoreError, match="nothing leads from there to version 3"):
        old.read("papers", ICML)
    monkeypatch.setitem(migrations.MIGRATIONS, ("papers", 2), retype)
    assert old.read("papers", ICML).frame["track"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(
    "change", [RENAMED, ('name = "title"\ntype = "string"', 'name = "title"\ntype = "int32"')]
)
def test_a_breaking_change_without_a_new_version_is_refused(
    old: Tables, edit: Edit, change: tuple[str, str]
) -> None:
    edit("papers", change)
    with pytest.raises(StoreError, match=r"papers\.parquet"):
        old.read("papers", ICML)


def test_what_is_newer_than_the_program_is_refused_and_left_alone(
    old: Tables, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = partition_path("papers", ICML)
    with monkeypatch.context() as future:
        edit("papers", VERSION_2)
        future.setitem(migrations.MIGRATIONS, ("papers", 1), lambda rows: rows)
        publish(old, ICML)
    monkeypatch.delenv("REPROCENSUS_SCHEMAS")
    written = store_bytes(old, path)
    with pytest.raises(StoreError, match="version 2 of the table papers, this program knows 1; upgrade"):
        publish(old, ICML)
    assert store_bytes(old, path) == written


def test_a_column_that_is_not_known_is_refused(
    old: Tables, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("papers", (FIRST, added("doi", "string", "nullable = true") + FIRST))
    publish(old, ICML)
    monkeypatch.delenv("REPROCENSUS_SCHEMAS")
    with pytest.raises(StoreError, match=r"columns that this program does not know \(doi\); upgrade"):
        old.read("papers", ICML, ("paper_id",))


def test_derived_tables_are_made_again(old: Tables, edit: Edit) -> None:
    publish(old, ICML)
    assert old.read("edition_scores", ICML).frame.height == 1
    edit("edition_scores", VERSION_2)
    assert old.read("edition_scores", ICML).frame.height == 0
    publish(old, ICML)
    assert old.read("edition_scores", ICML).frame.height == 1


def test_a_file_that_holds_another_table_is_refused(old: Tables) -> None:
    schema = load_table("papers")
    path = Path(old.storage.uri) / partition_path("verdicts", ICML)
    rows = frame_of(schema, [paper("p", 1)]).to_arrow().cast(schema.arrow)
    path.write_bytes(first_version(rows, migrations.stamp(schema)))
    with pytest.raises(StoreError, match="holds the table papers, not verdicts"):
        old.read("verdicts", ICML)


def test_rows_with_verdicts_survive(old: Tables) -> None:
    old.append("verdicts", ICML, "r9", "0000", [verdict("ICML-2016/0", "open_datasets", "No", 9)])
    publish(old, ICML)
    rows = old.read("verdicts", ICML).frame
    assert rows.filter(pl.col("variable") == "open_datasets").sort("paper_id")["label"].to_list() == [
        "No",
        "Yes",
    ]
