"""Readers of a partition that is being replaced: not one wrong row, by path, with plain tools."""

import os
import random
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reprocensus import layout
from reprocensus.records import Edition
from reprocensus.schemas import load_table
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Partition, Tables, frame_of
from test_tables import paper

Group = tuple[int, int, str, str, str]
EDITIONS = [Edition("ICML", 2019), Edition("ICML", 2020)]
READS = int(os.environ.get("REPROCENSUS_TEST_READS", "1500"))
S3_READS = int(os.environ.get("REPROCENSUS_TEST_READS", "200"))
#: Where `services.sh` puts a DuckDB with its extension for S3.
DUCKDB = Path(__file__).parent / ".duckdb"


def n_rows(version: int) -> int:
    return 1200 + 37 * version % 500


def rows(version: int) -> pl.DataFrame:
    """Rows that all name the version, of another number and size in each."""
    of_one = frame_of(load_table("papers"), [paper("p", version, title=f"v{version}", track=f"v{version}")])
    repeated = pl.concat([of_one] * n_rows(version))
    ids = pl.int_range(n_rows(version)).cast(pl.String) + f" of {version}"
    return repeated.with_columns(paper_id=ids, abstract=ids.hash(version).cast(pl.String))


def write(tables: Tables, version: int) -> None:
    for edition in EDITIONS:
        tables.update("papers", edition, lambda now: Partition(rows(version), (), "", now.version))


WRITER = """
import sys
from test_readers import *
tables = Tables(open_storage(sys.argv[1], Settings()))
version = 1
while True:
    write(tables, version)
    version += 1
"""


def by_polars(folder: str, options: dict[str, str] | None) -> list[Group]:
    """Some columns, as a query takes them."""
    columns = ("year", "paper_id", "title", "track")
    lazy = pl.scan_parquet(folder, hive_partitioning=True, storage_options=options)
    return by_frame(lazy.select(columns).collect())


def by_polars_whole(folder: str, options: dict[str, str] | None) -> list[Group]:
    frame = pl.read_parquet(folder, hive_partitioning=True, storage_options=options)
    assert frame["abstract"].null_count() == 0
    return by_frame(frame)


def by_frame(frame: pl.DataFrame) -> list[Group]:
    return (
        frame.group_by("year")
        .agg(
            pl.len(),
            low=pl.min_horizontal(pl.col("title").min(), pl.col("track").min()),
            high=pl.max_horizontal(pl.col("title").max(), pl.col("track").max()),
            last=pl.col("paper_id").str.split(" of ").list.last().max(),
        )
        .sort("year")
        .rows()
    )


QUERY = """
SELECT year, count(*), least(min(title), min(track)), greatest(max(title), max(track)),
       max(split_part(paper_id, ' of ', 2))
FROM read_parquet('{}/**/*.parquet', hive_partitioning = true) GROUP BY year ORDER BY year
"""


def check(found: list[Group]) -> None:
    assert [row[0] for row in found] == [e.year for e in EDITIONS]
    for _, count, low, high, last in found:
        assert low == high == f"v{last}"
        assert count == n_rows(int(last))


def poll(folder: str, reads: int, on_s3: bool) -> set[int]:
    """Reads so many times, by Polars and by DuckDB in turn; the versions that were seen."""
    seen: set[int] = set()
    connection = s3_connection() if on_s3 else duckdb.connect()
    options = s3_options() if on_s3 else None
    for number in range(reads):
        if number % 2:
            found = connection.execute(QUERY.format(folder)).fetchall()
        else:
            found = (by_polars if number % 4 else by_polars_whole)(f"{folder}/", options)
        check(found)
        seen.update(int(row[4]) for row in found)
    return seen


def s3_options() -> dict[str, str]:
    """What Polars must be told to read from the settings' S3 server."""
    settings = Settings()
    assert settings.s3_endpoint
    assert settings.s3_key
    assert settings.s3_secret
    return {
        "aws_endpoint_url": settings.s3_endpoint,
        "aws_access_key_id": settings.s3_key.get_secret_value(),
        "aws_secret_access_key": settings.s3_secret.get_secret_value(),
        "aws_region": settings.s3_region or "",
        "aws_allow_http": "true",
    }


def s3_connection() -> duckdb.DuckDBPyConnection:
    """The same for DuckDB, whose extension for S3 is looked for beside it."""
    connection, options = duckdb.connect(), s3_options()
    (extension,) = Path(duckdb.__file__).parents[1].glob("duckdb_extension_httpfs/extensions/*/*")
    connection.execute(f"LOAD '{extension}'")
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{options['aws_access_key_id']}', REGION '{options['aws_region']}', "
        f"SECRET '{options['aws_secret_access_key']}', URL_STYLE 'path', USE_SSL false, "
        f"ENDPOINT '{options['aws_endpoint_url'].removeprefix('http://')}')"
    )
    return connection


def test_whoever_holds_an_earlier_footer_reads_that_version_in_a_later_file() -> None:
    """Versions of any size, replaced in quick succession and after long pauses."""
    chance = random.Random(7)
    schema = load_table("papers").arrow
    now = 1e9
    #: Footer, version, and when it was replaced.
    held: list[tuple[pq.FileMetaData, int, float]] = []
    data = layout.first_version(rows(0).to_arrow().cast(schema), {})
    for version in range(1, 40):
        size, now = len(data), now + chance.choice([1, 1, 400, 2000])
        held.append((pq.read_metadata(pa.BufferReader(data)), version - 1, now))
        held = [h for h in held if now - h[2] < layout.KEPT_S][-layout.KEPT_VERSIONS :]
        wanted = rows(version).head(chance.choice([0, 10, 1000, 2000]))
        data = layout.next_version(data, wanted.to_arrow().cast(schema), {b"n": b"%d" % version}, now)
        assert len(data) >= size
        read = pq.read_table(pa.BufferReader(data))
        assert read.num_rows == wanted.height
        assert read.schema.metadata[b"n"] == b"%d" % version
        for footer, earlier, _ in held:
            old = pq.ParquetFile(pa.BufferReader(data), metadata=footer).read()
            assert old.num_rows == footer.num_rows
            assert set(old["title"].to_pylist()) <= {f"v{earlier}"}
    assert len(data) < 30 * len(layout.first_version(rows(1).to_arrow().cast(schema), {}))


def test_a_reader_that_polls_by_path_sees_whole_versions_only(tmp_path: Path) -> None:
    """Polars and DuckDB open a file twice; in between it is replaced, here without pause."""
    tables = Tables(open_storage(str(tmp_path / "s"), Settings()))
    write(tables, 0)
    folder = str(tmp_path / "s" / "tables" / "papers")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "s")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    try:
        seen = poll(folder, READS, on_s3=False)
        assert writer.poll() is None, "the writer ended"
    finally:
        writer.kill()
        writer.wait()
    assert len(seen) > READS / 50, "hardly anything was replaced"


READER = """
import sys
from test_readers import *
print(len(poll(sys.argv[1], int(sys.argv[2]), on_s3=True)))
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_reader_that_polls_s3_sees_whole_versions_only(s3_server: dict[str, str]) -> None:
    """In a process of its own, with the newest DuckDB that a package of its extension for S3 is made for."""
    if not DUCKDB.exists():
        words = "needs DuckDB's httpfs: bash tests/services.sh installs it"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    store = "s3://census/readers"
    here = str(Path(__file__).parent)
    environment = {**os.environ, **s3_server, "PYTHONPATH": os.pathsep.join([str(DUCKDB), here])}
    once = "import sys; from test_readers import *; write(Tables(open_storage(sys.argv[1], Settings())), 0)"
    subprocess.run([sys.executable, "-c", once, store], env=environment, check=True)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, store], env=environment)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READER, f"{store}/tables/papers", str(S3_READS)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert writer.poll() is None, "the writer ended"
    finally:
        writer.kill()
        writer.wait()
    assert int(done.stdout) > S3_READS / 50, "hardly anything was replaced"
