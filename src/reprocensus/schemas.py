"""Reads `schemas/`: the variables that are judged, their lists of institutions, the tables that are written.

The folder is found beside the checkout's sources, inside an installed package, or where
`REPROCENSUS_SCHEMAS` points (a researcher's own variables).
"""

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from reprocensus.domains import Domains
from reprocensus.errors import SchemaError, UsageError
from reprocensus.keys import digest
from reprocensus.places import Gazetteer
from reprocensus.sizing import Serving
from reprocensus.variables import Variable, parse_variable

_SCALARS: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
Scalar = Literal["string", "int32", "int64", "float64", "bool", "timestamp"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Model):
    """One member of a struct column."""

    name: str
    type: Scalar


class Column(_Model):
    """One column. `list<struct>` has `fields`; other lists hold a scalar.

    `default`: what rows hold that were written before there was the column; null where it is nullable.
    """

    name: str
    type: Scalar | Literal["list<string>", "list<int32>", "list<struct>"]
    description: Annotated[str, Field(min_length=1)]
    nullable: bool = False
    default: Any = None
    fields: tuple[Member, ...] = ()

    @model_validator(mode="after")
    def _default_fits(self) -> "Column":
        try:
            pa.scalar(self.default, self.arrow.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ValueError(f"column {self.name}: the default is no {self.type}: {error}") from error
        return self

    @property
    def arrow(self) -> "pa.Field[Any]":
        """The column as Arrow knows it."""
        if self.type == "list<struct>":
            members = [pa.field(m.name, _SCALARS[m.type]) for m in self.fields]
            return pa.field(self.name, pa.list_(pa.struct(members)), self.nullable)
        if self.type.startswith("list<"):
            item = _SCALARS[self.type.removeprefix("list<").removesuffix(">")]
            return pa.field(self.name, pa.list_(item), self.nullable)
        return pa.field(self.name, _SCALARS[self.type], self.nullable)


class TableSchema(_Model):
    """One table. `key` is unique within a partition; a `journaled` table is folded from runs' own files.

    `version` goes up with a change that older files cannot just be read with; `migrations.py` has the rule.
    A `derived` table is computed from others and made again rather than migrated. One that is not
    `partitioned` has no venue and year.
    """

    name: str
    version: Annotated[int, Field(ge=1)]
    description: str
    key: tuple[str, ...]
    journaled: bool = False
    derived: bool = False
    partitioned: bool = True
    columns: tuple[Column, ...]

    @property
    def arrow(self) -> pa.Schema:
        """The table's columns as an Arrow schema."""
        return pa.schema([column.arrow for column in self.columns])


def schemas_folder() -> Path:
    """The folder that holds `variables/` and `tables/`. Raises `SchemaError` if there is none."""
    here = Path(__file__).parent
    override = os.environ.get("REPROCENSUS_SCHEMAS")
    candidates = [Path(override)] if override else [here / "schemas", here.parents[1] / "schemas"]
    for folder in candidates:
        if (folder / "variables").is_dir() and (folder / "tables").is_dir():
            return folder
    raise SchemaError(f"no schemas folder with variables/ and tables/ at {', '.join(map(str, candidates))}")


def load_variables(names: tuple[str, ...] = ()) -> tuple[Variable, ...]:
    """The variables, in their order; only those named, if any are.

    Raises:
        SchemaError: a file is wrong, or two variables share a name or an order.
        UsageError: a name is not known.
    """
    files = sorted((schemas_folder() / "variables").glob("*.toml"))
    named = schemas_folder() / "affiliations.toml"
    lists = named.read_bytes() if named.is_file() else None
    found = sorted((parse_variable(f.read_bytes(), f.name, lists) for f in files), key=lambda v: v.order)
    if not found:
        raise SchemaError(f"no variable files in {schemas_folder() / 'variables'}")
    if len({v.name for v in found}) < len(found) or len({v.order for v in found}) < len(found):
        raise SchemaError("two variable files share a name or an order: " + ", ".join(v.name for v in found))
    found = [_with_gate(v, found) for v in found]
    known = {v.name for v in found}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"unknown variable {', '.join(unknown)}; known: {', '.join(v.name for v in found)}")
    return tuple(v for v in found if not names or v.name in names)


def _with_gate(variable: Variable, known: list[Variable]) -> Variable:
    """The variable with a digest that covers the variable which decides whether it applies."""
    gate = variable.rules.gate
    if gate is None:
        return variable
    shas = [v.sha for v in known if v.name == gate.variable]
    if not shas:
        raise SchemaError(f"variable {variable.name} is gated by {gate.variable!r}, which does not exist")
    return variable.model_copy(update={"sha": digest(f"{variable.sha} {shas[0]}")})


def load_table(name: str) -> TableSchema:
    """One table's schema. Raises `UsageError` for an unknown table, `SchemaError` for a wrong file."""
    return _table(schemas_folder(), name)


@cache
def _table(folder: Path, name: str) -> TableSchema:
    path = folder / "tables" / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml")))
        raise UsageError(f"unknown table {name!r}; known: {known}")
    try:
        return TableSchema.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"table file {path.name}: {error}") from error


def load_tables() -> tuple[TableSchema, ...]:
    """Every table's schema, by name."""
    return tuple(load_table(p.stem) for p in sorted((schemas_folder() / "tables").glob("*.toml")))


@cache
def load_gazetteer() -> Gazetteer:
    """The names of countries and institutions. Raises `SchemaError` if the file is wrong."""
    path = schemas_folder() / "places.toml"
    try:
        return Gazetteer.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"{path.name}: {error}") from error


@cache
def load_domains() -> Domains:
    """What e-mail domains tell of institutions. Raises `SchemaError` if the file is wrong."""
    path = schemas_folder() / "affiliations.toml"
    try:
        return Domains.model_validate(tomllib.loads(path.read_text("utf-8"))["domains"])
    except (OSError, KeyError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"{path.name}: {error}") from error


def places_sha() -> str:
    """Digest of what tells places: names and domains."""
    files = ("places.toml", "affiliations.toml")
    return digest("\n".join(digest((schemas_folder() / name).read_bytes()) for name in files))


def load_serving() -> Serving:
    """Open models and GPUs with what is assumed of them. Raises `SchemaError` if the file is wrong."""
    path = schemas_folder() / "serving.toml"
    try:
        return TypeAdapter(Serving).validate_python(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"{path.name}: {error}") from error
