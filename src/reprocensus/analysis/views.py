"""SQL that other engines load: views of a store's files, and `judged_papers`. Pure: text out.

DuckDB and Spark read the folders as they lie. Trino has tables in its Hive connector instead, whose columns
must be spelt out, and learns of editions by a call.
"""

from collections.abc import Sequence

from reprocensus.errors import UsageError
from reprocensus.schemas import Column, TableSchema
from reprocensus.statistics.judged import IMPORTED
from reprocensus.variables import Variable

DIALECTS = ("duckdb", "spark", "trino")
JUDGED_PAPERS = "judged_papers"
_TRINO = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP(6)",
}


def judged_papers(variables: Sequence[Variable]) -> str:
    """A SELECT of one row a paper and engine: a column for each variable's label, and its scores.

    Which papers an engine has a row for is `statistics.judged`'s rule: those of the main programme, of which
    one that read texts has all that were listed, and one whose labels were imported those of its labels. A
    paper that has no engine's row has one with an empty engine. Labels are null where there is no verdict.
    The scores are null unless the paper is Experimental, as the census defines them; every dialect reads it.
    """
    labels = [f"    MAX(CASE WHEN variable = '{v.name}' THEN label END) AS {v.name}" for v in variables]
    names = {v.name for v in variables}
    points = [
        f"CASE WHEN v.{v.name} = 'Yes' THEN 1 ELSE 0 END" for v in variables if v.in_documentation_score
    ]
    empirical = "v.research_type = 'Experimental'"
    columns = [f"  v.{v.name}" for v in variables]
    if "research_type" in names and points:
        columns.append(f"  CASE WHEN {empirical} THEN {' + '.join(points)} END AS documentation_score")
    if {"research_type", "open_source_code", "open_datasets"} <= names:
        columns.append(
            f"  CAST(CASE WHEN NOT {empirical} OR v.research_type IS NULL THEN NULL "
            "WHEN v.open_datasets <> 'Yes' OR v.open_datasets IS NULL THEN 0.0 "
            "WHEN v.open_source_code = 'Yes' THEN 0.86 ELSE 0.33 END AS DOUBLE) AS reproducibility_score"
        )
    return "\n".join(
        [
            "SELECT p.venue, p.year, p.paper_id, COALESCE(v.engine, '') AS engine, p.title, p.track,",
            ",\n".join(columns),
            "FROM papers p LEFT JOIN (",
            "  SELECT venue, year, paper_id, engine,",
            ",\n".join(labels),
            "  FROM (",
            "    SELECT venue, year, paper_id, engine, variable, label FROM verdicts",
            "    UNION ALL",
            # A row without labels for each paper that an engine could have read.
            "    SELECT l.venue, l.year, l.paper_id, r.engine, '' AS variable, '' AS label",
            "    FROM papers l CROSS JOIN (SELECT DISTINCT engine FROM verdicts WHERE text_sha256 <> '') r",
            f"    WHERE l.main AND l.source NOT LIKE '{IMPORTED}%'",
            "  ) u GROUP BY venue, year, paper_id, engine",
            ") v ON p.venue = v.venue AND p.year = v.year AND p.paper_id = v.paper_id",
            "WHERE p.main",
        ]
    )


def views_sql(dialect: str, uri: str, tables: Sequence[TableSchema], variables: Sequence[Variable]) -> str:
    """Statements that make the store at `uri` queryable by table name.

    Raises:
        UsageError: the dialect is not one of `DIALECTS`.
    """
    if dialect not in DIALECTS:
        raise UsageError(f"unknown SQL dialect {dialect!r}; views are written for {', '.join(DIALECTS)}")
    make = {"duckdb": _duckdb, "spark": _spark, "trino": _trino}[dialect]
    temporary = "TEMPORARY " if dialect == "spark" else ""
    last = f"CREATE OR REPLACE {temporary}VIEW {JUDGED_PAPERS} AS\n{judged_papers(variables)};"
    return "\n\n".join([_HEADS[dialect], *(make(table, uri.rstrip("/")) for table in tables), last]) + "\n"


_HEADS = {
    "duckdb": """\
-- Views of a reprocensus store for DuckDB. For a store on S3: INSTALL httpfs and make a secret.""",
    "spark": """\
-- Views of a reprocensus store for Spark SQL. They last as long as the session.""",
    "trino": """\
-- Tables of a reprocensus store for Trino: run it in a schema of a Hive catalog with external tables.
-- Repeat the CALLs when editions are new.""",
}


def _duckdb(table: TableSchema, uri: str) -> str:
    columns = "".join(
        f"\nCOMMENT ON COLUMN {table.name}.{c.name} IS {quoted(c.description)};" for c in table.columns
    )
    if table.partitioned:
        files = f"{uri}/tables/{table.name}/*/*/*.parquet"
        hive = "hive_partitioning = true, hive_types = {'venue': VARCHAR, 'year': BIGINT}"
    else:
        files, hive = f"{uri}/tables/{table.name}/*.parquet", "hive_partitioning = false"
    return (
        f"CREATE OR REPLACE VIEW {table.name} AS\n"
        f"SELECT * FROM read_parquet({quoted(files)}, {hive}, union_by_name = true);\n"
        f"COMMENT ON VIEW {table.name} IS {quoted(table.description)};{columns}"
    )


def _spark(table: TableSchema, uri: str) -> str:
    path = quoted(f"{_s3a(uri)}/tables/{table.name}")
    return (
        f"-- {table.description}\n"
        f"CREATE OR REPLACE TEMPORARY VIEW {table.name}\n"
        f"USING parquet OPTIONS (path {path}, mergeSchema 'true');"
    )


def _trino(table: TableSchema, uri: str) -> str:
    columns = [f"  {c.name} {_trino_type(c)} COMMENT {quoted(c.description)}" for c in table.columns]
    options = [f"external_location = {quoted(f'{_s3a(uri)}/tables/{table.name}')}", "format = 'PARQUET'"]
    call = ""
    if table.partitioned:
        columns += ["  venue VARCHAR", "  year BIGINT"]
        options.append("partitioned_by = ARRAY['venue', 'year']")
        call = f"\nCALL system.sync_partition_metadata(CURRENT_SCHEMA, '{table.name}', 'FULL');"
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n"
        + ",\n".join(columns)
        + f"\n)\nCOMMENT {quoted(table.description)}\nWITH ({', '.join(options)});{call}"
    )


def _trino_type(column: Column) -> str:
    if column.type == "list<struct>":
        return "ARRAY(ROW(" + ", ".join(f'"{m.name}" {_TRINO[m.type]}' for m in column.fields) + "))"
    if column.type.startswith("list<"):
        return f"ARRAY({_TRINO[column.type.removeprefix('list<').removesuffix('>')]})"
    return _TRINO[column.type]


def _s3a(uri: str) -> str:
    return "s3a://" + uri.removeprefix("s3://") if uri.startswith("s3://") else uri


def quoted(words: str) -> str:
    """A SQL string."""
    return "'" + words.replace("'", "''") + "'"
