"""The layers point one way, and each outside library has one door."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "reprocensus"
MODULES = sorted(SRC.rglob("*.py"))
FLOWS = sorted((ROOT / "flows").rglob("*.py"))

#: Modules of the command line that hold commands.
COMMANDS = (
    "analysis",
    "audit",
    "bench",
    "dialogue",
    "engines",
    "imports",
    "listing",
    "operate",
    "review",
    "site",
    "sizing",
    "statistics",
    "store",
    "text",
)
#: Lower layers first. A module may import from its own layer and those below.
LAYERS = [
    {"errors", "records", "outcome", "validation", "logs", "counting"},
    {
        "keys",
        "variables",
        "prompt",
        "excerpt",
        "evidence",
        "sentences",
        "reading",
        "lexical",
        "folding",
        "wording",
        "approximate",
        "instructions",
        "domains",
        "places",
        "calibration",
        "sizing",
    },
    {"schemas", "migrations", "settings", "request", "workers", "mupdf"},
    {"storage", "layout", "leases", "tables", "state", "rows", "metrics", "placed"},
    {
        "sources",
        "listed",
        "fetch",
        "extract",
        "llm",
        "passages",
        "engines",
        "plan",
        "judge",
        "statistics",
        "groups",
        "corrections",
        "runs",
        "history",
        "claims",
        "maintain",
        "ledger",
        "shard",
        "takeover",
        "workshop",
        "publish",
        "inspect",
        "analysis",
        "plots",
        "upgrade",
        "imports",
        "labels",
        "audit",
        "review",
    },
    {"census", "forecast", "repeat", "site", "bench"},
    {"cli"},
    {"__main__"},
]
PURE = (
    LAYERS[0]
    | LAYERS[1]
    | {"plan", "rows", "bench/quality", "review/sampling", "passages/places", "passages/marks"}
    | {f"statistics/{path.stem}" for path in (SRC / "statistics").glob("*.py")}
)
#: Library -> the only modules that may import it.
DOORS = {
    "fsspec": {"storage.remote"},
    "s3fs": {"storage.remote"},
    "pymupdf": {"mupdf"},
    "PIL": {"passages.pdf"},
    "pypdfium2": {"bench.peers"},
    "pypdf": {"bench.peers"},
    "pdfminer": {"bench.peers"},
    "pymupdf4llm": {"bench.peers"},
    "fitz": set(),
    "prefect": set(),
    "prometheus_client": {"metrics"},
    "vllm": {"engines.vllm", "engines.vllm_offline"},
    "httpx": {"fetch.client"},
    "aiohttp": {"engines.vllm"},
    "httpcore": {"fetch.client", "fetch.addresses"},
    "publicsuffixlist": {"domains"},
    "protego": {"fetch.robots"},
    "typer": {f"cli.{name}" for name in ("app", "asked", "options", *COMMANDS)},
    "duckdb": {"analysis.sql", "analysis.export"},
    "matplotlib": {"plots", "plots.figure", "plots.kinds"},
    "pebble": {"workers"},
    "selectolax": {"sources.html"},
}
IO_MODULES = {
    "os",
    "io",
    "pathlib",
    "socket",
    "subprocess",
    "shutil",
    "tempfile",
    "httpx",
    "fsspec",
    "requests",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def layer_of(module: str) -> int:
    top = module.split(".", maxsplit=1)[0]
    for number, layer in enumerate(LAYERS):
        if top in layer:
            return number
    raise AssertionError(f"{module} stands in no layer; add it to LAYERS")


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p) not in ("", "__init__")], ids=name_of)
def test_a_module_imports_only_from_its_layer_and_below(path: Path) -> None:
    here = name_of(path)
    ours = {i.removeprefix("reprocensus.") for i in imports(path) if i.startswith("reprocensus.")}
    for imported in ours:
        assert layer_of(imported) <= layer_of(here), f"{here} imports {imported}, which stands above it"


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_library_has_one_door(library: str) -> None:
    users = {name_of(p) for p in MODULES if any(i.split(".")[0] == library for i in imports(p))}
    assert users <= DOORS[library]


def test_parquet_is_written_in_one_module() -> None:
    writers = {name_of(p) for p in MODULES if {"write_table", "write_parquet", "ParquetWriter"} & words(p)}
    assert writers == {"layout"}


def words(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.attr for node in tree if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_do_no_io(name: str) -> None:
    path = SRC / f"{name}.py"
    assert not {i.split(".")[0] for i in imports(path)} & IO_MODULES
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input"}


def test_flows_use_the_stages_and_the_stages_know_no_flows() -> None:
    assert any("prefect" in imports(p) for p in FLOWS)
    assert not any("reprocensus_flows" in i for p in MODULES for i in imports(p))


@pytest.mark.parametrize("path", [*MODULES, *FLOWS], ids=lambda p: p.name)
def test_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400
