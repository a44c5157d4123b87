"""Reads `schemas/`: the variables that are judged, their lists of institutions, the tables that are written.

The folder is found beside the checkout's sources, or inside an installed package. A researcher's own, where
`REPROCENSUS_SCHEMAS` points, lies over it file by file: what has the name of a bundled file takes its place,
and what it lacks is the bundled one's.
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
    """The bundled folder, with `variables/` and `tables/`. Raises `SchemaError` if there is none."""
    here = Path(__file__).parent
    candidates = [here / "schemas", here.parents[1] / "schemas"]
    for folder in candidates:
        if (folder / "variables").is_dir() and (folder / "tables").is_dir():
            return folder
    raise SchemaError(f"no schemas folder with variables/ and tables/ at {', '.join(map(str, candidates))}")


def _own_folder() -> Path | None:
    """The folder that lies over the bundled one."""
    named = os.environ.get("REPROCENSUS_SCHEMAS")
    if not named:
        return None
    if not Path(named).is_dir():
        raise SchemaError(f"REPROCENSUS_SCHEMAS is {named}, and there is no such folder")
    return Path(named)


def _file(name: str) -> Path:
    """One's own file of that name, else the bundled one. Raises `SchemaError` if there is neither."""
    for folder in (_own_folder(), schemas_folder()):
        if folder and (folder / name).is_file():
            return folder / name
    raise SchemaError(f"{schemas_folder() / name} is missing: the installation is not whole; install it anew")


def _files(kind: str) -> list[Path]:
    """The files of `variables/` or `tables/`, one's own in the place of bundled ones of the same name."""
    found = {}
    for folder in (schemas_folder(), _own_folder()):
        if folder:
            found.update({path.name: path for path in (folder / kind).glob("*.toml")})
    return [found[name] for name in sorted(found)]


def own_schemas() -> str | None:
    """Digest of the variables where they are not those that come with the program; None where they are."""
    own, bundled = (
        "\n".join(f"{file.name} {digest(file.read_bytes())}" for file in files)
        for files in (
            [*_files("variables"), _file("affiliations.toml")],
            [
                *sorted((schemas_folder() / "variables").glob("*.toml")),
                schemas_folder() / "affiliations.toml",
            ],
        )
    )
    return digest(own) if own != bundled else None


def load_variables(names: tuple[str, ...] = ()) -> tuple[Variable, ...]:
    """The variables, in their order; only those named, if any are.

    Raises:
        SchemaError: a file is wrong, or two variables share a name or an order.
        UsageError: a name is not known.
    """
    lists = _file("affiliations.toml").read_bytes()
    read = {path: parse_variable(path.read_bytes(), str(path), lists) for path in _files("variables")}
    found = sorted(read.values(), key=lambda v: v.order)
    for what in ("name", "order"):
        files: dict[object, Path] = {}
        for path, variable in read.items():
            other = files.setdefault(getattr(variable, what), path)
            if other != path:
                raise SchemaError(
                    f"variable files {other} and {path} have the same {what}, {getattr(variable, what)}; "
                    f"orders that are taken: {', '.join(str(v.order) for v in found)}"
                )
    found = [_with_gate(v, found) for v in found]
    known = {v.name for v in found}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"unknown variable {', '.join(unknown)}; known: {', '.join(v.name for v in found)}")
    return tuple(v for v in found if not names or v.name in names)


def _with_gate(variable: Variable, known: list[Variable]) -> Variable:
    """The variable with a digest that covers the variable which decides whether it applies."""
    gate = variable.rules.gate if variable.rules else None
    if gate is None:
        return variable
    shas = [v.sha for v in known if v.name == gate.variable]
    if not shas:
        raise SchemaError(f"variable {variable.name} is gated by {gate.variable!r}, which does not exist")
    return variable.model_copy(update={"sha": digest(f"{variable.sha} {shas[0]}")})


def load_table(name: str) -> TableSchema:
    """One table's schema. Raises `UsageError` for an unknown table, `SchemaError` for a wrong file."""
    known = {path.stem: path for path in _files("tables")}
    if name not in known:
        raise UsageError(f"unknown table {name!r}; known: {', '.join(known)}")
    return _table(known[name])


@cache
def _table(path: Path) -> TableSchema:
    try:
        return TableSchema.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"table file {path}: {error}") from error


def load_tables() -> tuple[TableSchema, ...]:
    """Every table's schema, by name."""
    return tuple(load_table(p.stem) for p in _files("tables"))


@cache
def load_gazetteer() -> Gazetteer:
    """The names of countries and institutions. Raises `SchemaError` if the file is wrong."""
    path = _file("places.toml")
    try:
        return Gazetteer.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"{path}: {error}") from error


@cache
def load_domains() -> Domains:
    """What e-mail domains tell of institutions. Raises `SchemaError` if the file is wrong."""
    path = _file("affiliations.toml")
    try:
        return Domains.model_validate(tomllib.loads(path.read_text("utf-8"))["domains"])
    except (OSError, KeyError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"{path}: {error}") from error


def places_sha() -> str:
    """Digest of what tells places: names and domains."""
    files = ("places.toml", "affiliations.toml")
    return digest("\n".join(digest(_file(name).read_bytes()) for name in files))


def load_serving() -> Serving:
    """Open models and GPUs with what is assumed of them. Raises `SchemaError` if the file is wrong."""
    path = _file("serving.toml")
    try:
        return TypeAdapter(Serving).validate_python(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SchemaError(f"{path}: {error}") from error
