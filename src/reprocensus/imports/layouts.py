"""What files of other people's labels look like, brought to one shape. Pure: frames in, frames out.

The shape: one row a paper with `paper_id` or `key`, `venue`, `year`, `title`, `authors`, `url`, `track` and
`main`, and a column a variable that holds a label's name.
"""

from collections.abc import Sequence

import polars as pl

from reprocensus.errors import UsageError
from reprocensus.labels import VARIABLE_ALIASES, spellings
from reprocensus.records import UNKNOWN
from reprocensus.variables import Variable

#: Our name for a column -> what files call it; the first that a file has is taken.
COLUMNS = {
    "paper_id": ("paper_id", "id"),
    "key": ("key",),
    "venue": ("venue", "conference"),
    "year": ("year",),
    "title": ("title",),
    "authors": ("authors",),
    "url": ("url", "pdf_url", "official_url", "link"),
    "track": ("track", "category"),
}
#: A struct column of a file that holds the labels.
_NESTED = ("labels", "human")
_ALL = tuple(COLUMNS)
#: What stands where a paper has no label; NaN is how pandas writes that.
_MISSING = {"", "nan"}


def normalised(raw: pl.DataFrame, variables: Sequence[Variable]) -> pl.DataFrame:
    """A file's rows in the one shape. Understands one row a paper, and one row a paper and variable.

    Labels may be written as `labels.spellings` knows them; -1 is unknown.

    Raises:
        UsageError: the file has no labels, or a label that its variable does not have.
    """
    if {"variable", "label"} <= set(raw.columns):
        index = [c for c in raw.columns if c not in ("variable", "label")]
        raw = raw.pivot("variable", index=index, values="label", aggregate_function="last")
    nested = next((n for n in _NESTED if n in raw.columns and raw.schema[n] == pl.Struct), None)
    if nested:
        inside = [field.name for field in raw.schema[nested].fields]  # type: ignore[attr-defined]
        raw = raw.drop([n for n in inside if n in raw.columns]).unnest(nested)
    raw = raw.rename({old: new for old, new in VARIABLE_ALIASES.items() if old in raw.columns})
    present = [v for v in variables if v.name in raw.columns]
    if not present:
        raise UsageError(
            f"the file has no column of a variable and no columns variable and label; it has: "
            f"{', '.join(raw.columns[:20])}"
        )
    columns = [*(_column(raw, name) for name in _ALL), _main(raw)]
    return _with_edition(raw.select(*columns, *(_labels(raw, v) for v in present)))


def _column(raw: pl.DataFrame, name: str) -> pl.Expr:
    found = next((c for c in COLUMNS[name] if c in raw.columns), None)
    if found is None:
        return pl.lit("main" if name == "track" else None, pl.String).alias(name)
    column = pl.col(found)
    kind = raw.schema[found]
    if isinstance(kind, pl.List):
        column = column.cast(pl.List(pl.String)).list.join(", ")
    elif name == "year" and isinstance(kind, pl.Date | pl.Datetime):
        column = column.dt.year()
    elif name == "year" and kind.is_float():
        column = column.cast(pl.Int64, strict=False)
    return column.cast(pl.String).alias(name)


def _main(raw: pl.DataFrame) -> pl.Expr:
    """Whether a paper belongs to the main programme: unless it is `excluded`, or in another track."""
    if "excluded" in raw.columns:
        said = pl.col("excluded").cast(pl.String).str.to_lowercase().is_in(["true", "1", "yes"])
        return ~said.fill_null(False).alias("main")
    if "track" in raw.columns:
        return (pl.col("track").fill_null("main") == "main").alias("main")
    return pl.lit(True).alias("main")


def _with_edition(frame: pl.DataFrame) -> pl.DataFrame:
    """Venue and year: from the columns, a paper_id such as ICML-2016/x, or a venue such as IJCAI 16."""
    named = r"^(.+)-(\d{4})/"
    short = r"^(.+?) '?(\d{2}|\d{4})$"
    venue, year = pl.col("venue"), pl.col("year")
    tail = venue.str.extract(short, 2)
    spelled = pl.when(tail.str.len_chars() == 2).then(pl.concat_str(pl.lit("20"), tail)).otherwise(tail)
    apart = year.is_null() & tail.is_not_null()
    return frame.with_columns(
        venue=pl.when(apart)
        .then(venue.str.extract(short, 1))
        .otherwise(venue.fill_null(pl.col("paper_id").str.extract(named, 1))),
        year=pl.when(apart).then(spelled).otherwise(year.fill_null(pl.col("paper_id").str.extract(named, 2))),
    ).with_columns(pl.col("year").cast(pl.Int64, strict=False))


def _labels(raw: pl.DataFrame, variable: Variable) -> pl.Expr:
    known = spellings(variable) | {"-1": UNKNOWN}
    column = raw[variable.name].cast(pl.String).str.strip_chars().str.to_lowercase().str.strip_suffix(".0")
    stray = sorted(set(column.drop_nulls().unique()) - set(known) - _MISSING)
    if stray:
        raise UsageError(
            f"the file has labels of {variable.name} that it does not have: {', '.join(stray[:5])}; known: "
            f"{', '.join(variable.all_labels)}, or the codes {', '.join(filter(str.isdecimal, known))} and "
            "-1 for unknown"
        )
    label = pl.col(variable.name).cast(pl.String).str.strip_chars().str.to_lowercase().str.strip_suffix(".0")
    return label.replace_strict(known, default=None, return_dtype=pl.String).alias(variable.name)
