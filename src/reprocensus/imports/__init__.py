"""Takes labels that others gave into a store: another census' as verdicts, people's as labels.

A paper that the store lists already, by its paper_id or by its title within the edition, keeps its paper_id;
its name in the file goes to the table `aliases`. What the store holds already is not written again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from reprocensus.counting import counted
from reprocensus.engines import engine_names
from reprocensus.errors import UsageError
from reprocensus.imports.layouts import normalised
from reprocensus.keys import digest, folded_title, slug
from reprocensus.publish import publish
from reprocensus.records import Edition
from reprocensus.runs import git_commit, hardware, new_run_id, software_versions
from reprocensus.schemas import load_table
from reprocensus.sources import check_venue
from reprocensus.tables import Tables, empty_frame
from reprocensus.variables import Variable

#: Years that an edition can have.
_YEARS = (1900, 2100)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `n_new_papers`, `n_new`: added; `n_known`: labels that the store held already.

    `n_unlisted`: papers of people's labels that the store does not list, which are left out. `n_merged`: rows
    of a paper that the file names more than once; the last stands.
    """

    run_id: str | None
    n_papers: int
    n_new_papers: int
    n_new: int
    n_known: int
    n_unlisted: int
    n_merged: int


def import_file(
    tables: Tables,
    file: Path,
    variables: Sequence[Variable],
    *,
    engine: str | None = None,
    model: str = "imported",
    who: str | None = None,
) -> Imported:
    """Imports a file as verdicts of `engine`, or as labels by `who`.

    Raises:
        UsageError: the file cannot be read, or is not understood.
    """
    if bool(engine) == bool(who):
        raise UsageError("say whose labels these are: --engine NAME for a census', --who NAME for people's")
    _check_name(engine or who or "", engine)
    try:
        rows = normalised(_read(file), variables)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise UsageError(
            f"{file}: a column has values of a kind that cannot be read: {_line(error)}"
        ) from error
    _check_editions(rows, file)
    tables.storage.prepare()
    started, run_id, source = datetime.now(UTC), new_run_id(), f"import:{file.name}"
    named = [v.name for v in variables if v.name in rows.columns]
    sums = dict.fromkeys(("papers", "new_papers", "new", "known", "unlisted", "merged"), 0)
    for (venue, year), part in rows.group_by("venue", "year", maintain_order=True):
        edition = Edition(check_venue(str(venue)), int(str(year)))
        placed = _placed(part, edition, tables.read("papers", edition).frame)
        sums["papers"] += placed.height
        sums["merged"] += part.height - placed.height
        now = pl.lit(datetime.now(UTC)).cast(pl.Datetime("us", "UTC"))
        if who:
            sums["unlisted"] += placed.filter("new").height
            placed = placed.filter(~pl.col("new"))
        given = placed.unpivot(on=named, index="paper_id", variable_name="variable", value_name="label")
        given = given.filter(pl.col("label").is_not_null())
        table, key, name = ("labels", "labelled_by", who) if who else ("verdicts", "engine", engine)
        columns = ("paper_id", "variable", "label", key)
        held = tables.read(table, edition, columns).frame.filter(pl.col(key) == name)
        new = given.join(held, on=["paper_id", "variable", "label"], how="anti")
        sums["known"] += given.height - new.height
        sums["new"] += new.height
        papers = placed.filter("new")
        sums["new_papers"] += papers.height
        if new.is_empty() and papers.is_empty():
            continue
        fixed = {"labelled_by": who, "source": source, "engine": engine, "model": model, "run_id": run_id}
        plain = {k: pl.lit(v) for k, v in fixed.items()} | {"recorded_at": now, "judged_at": now}
        _append(tables, table, edition, run_id, new.with_columns(**plain))
        _append(tables, "papers", edition, run_id, _papers(papers).with_columns(**plain, listed_at=now))
        alias = pl.coalesce("key", "old_id")
        other = placed.filter(~pl.col("paper_id").str.ends_with(alias)).select("paper_id", alias=alias)
        _append(tables, "aliases", edition, run_id, other.with_columns(**{**plain, "source": pl.lit(name)}))
        publish(tables, edition)
    if not sums["new"] + sums["new_papers"]:
        return Imported(None, *_counts(sums))
    _save_run(tables, run_id, started, (engine, who), model, file, sums)
    return Imported(run_id, *_counts(sums))


def _check_name(name: str, engine: str | None) -> None:
    """Raises `UsageError` unless the name says whose labels these are, and no engine of ours bears it."""
    if not name.isprintable() or name != name.strip():
        raise UsageError(f"{name!r} is no name: it needs letters, without blanks around them")
    if engine in engine_names():
        raise UsageError(
            f"--engine {engine} is an engine of this program, and what others say under its name could not "
            "be told from its verdicts; take another name, such as the census' own"
        )


def _check_editions(rows: pl.DataFrame, file: Path) -> None:
    """Raises `UsageError` unless every paper has a year and a venue that can name a folder of the store."""
    plausible = pl.col("year").is_between(*_YEARS)
    if (lost := rows.filter(pl.col("venue").is_null() | ~plausible.fill_null(False))).height:
        raise UsageError(
            f"{file}: no venue, or no year from {_YEARS[0]} to {_YEARS[1]}, for "
            f"{counted(lost.height, 'paper')}, such as {lost.row(0)[:5]}"
        )
    for venue in rows["venue"].unique():
        try:
            check_venue(venue)
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error


def _counts(sums: dict[str, int]) -> tuple[int, ...]:
    return tuple(sums[name] for name in ("papers", "new_papers", "new", "known", "unlisted", "merged"))


def _read(file: Path) -> pl.DataFrame:
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file, glob=False)
        if file.suffix == ".csv":
            return pl.read_csv(file, glob=False)
        return pl.read_ndjson(file, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            f"{file} cannot be read as Parquet, CSV or JSON lines, by its suffix: {_line(error)}"
        ) from error


def _line(error: Exception) -> str:
    """What Polars complains of, without its advice on how to call it."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _folded(title: pl.Expr) -> pl.Expr:
    return title.map_elements(folded_title, return_dtype=pl.String)


def _placed(part: pl.DataFrame, edition: Edition, listed: pl.DataFrame) -> pl.DataFrame:
    """The file's papers with `paper_id` in the store, `old_id` as the file has it, and whether `new`."""
    prefix = f"{edition.venue}-{edition.year}/"
    keys = [
        key or f"{slug(title or '')}__{digest(f'{edition.venue}_{edition.year}_{title}'.lower())[:8]}"
        for key, title in part.select("key", "title").rows()
    ]
    own = part.with_columns(
        old_id=pl.coalesce("paper_id", prefix + pl.Series(keys, dtype=pl.String)),
        folded=_folded(pl.col("title").fill_null("")),
    )
    titles = listed.select(by_title="paper_id", folded=_folded(pl.col("title")))
    # A title that two papers share says nothing about which is meant.
    once = pl.col("folded").is_unique() & (pl.col("folded") != "")
    matched = own.join(titles.filter(once), on="folded", how="left", maintain_order="left")
    same = pl.col("old_id").is_in(listed["paper_id"].implode())
    by_title = pl.when(once).then("by_title")
    paper_id = pl.when(same).then("old_id").otherwise(pl.coalesce(by_title, "old_id"))
    placed = matched.with_columns(paper_id=paper_id, new=~same & by_title.is_null())
    return placed.unique("paper_id", keep="last", maintain_order=True)


def _papers(papers: pl.DataFrame) -> pl.DataFrame:
    authors = pl.col("authors").fill_null("").str.split(",").list.eval(pl.element().str.strip_chars())
    return papers.select(
        "paper_id",
        pl.col("track").fill_null("main"),
        "main",
        pl.col("title").fill_null(""),
        authors=authors.list.eval(pl.element().filter(pl.element() != "")),
        pdf_url="url",
        pdf_location=pl.col("url").fill_null(""),
    )


def _append(tables: Tables, table: str, edition: Edition, run_id: str, rows: pl.DataFrame) -> None:
    """Journals rows; columns that they lack are null, or empty where that may not be."""
    schema = load_table(table)
    shape = empty_frame(schema).schema
    empty: dict[type[pl.DataType], object] = {pl.String: "", pl.Boolean: False, pl.Int64: 0, pl.Float64: 0.0}
    filled = [
        pl.col(column.name).cast(shape[column.name])
        if column.name in rows.columns
        else pl.lit(None, shape[column.name]).alias(column.name)
        if column.nullable
        else pl.lit([] if isinstance(shape[column.name], pl.List) else empty[shape[column.name].base_type()])
        .cast(shape[column.name])
        .alias(column.name)
        for column in schema.columns
    ]
    tables.append_frame(table, edition, run_id, "0000", rows.select(filled))


def _save_run(
    tables: Tables,
    run_id: str,
    started: datetime,
    given: tuple[str | None, str | None],
    model: str,
    file: Path,
    sums: dict[str, int],
) -> None:
    """Keeps the import as a run. `given`: the census' name, or the one of who labelled."""
    engine, who = given
    name = engine or str(who)
    now = datetime.now(UTC)
    option = "--engine" if engine else "--who"
    asked = {"import": file.name, "sha256": digest(file.read_bytes()), "of": name, "given_as": option}
    row = {
        "run_id": run_id,
        "started_at": started,
        "finished_at": now,
        "status": "completed",
        "engine": name,
        "model": model,
        "settings": json.dumps(asked),
        "prompts": [],
        "software": json.dumps(software_versions()),
        "git_commit": git_commit(),
        "hardware": json.dumps(hardware()),
        "counts": [{"stage": "import", "outcome": k, "n": n} for k, n in sorted(sums.items())],
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
        "seconds": (now - started).total_seconds(),
        "cost": None,
        "message": None,
    }
    tables.write_row("runs", run_id, row)
