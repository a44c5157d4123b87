"""What a run's page says: with what it judged, and how to do it again. Pure."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from reprocensus.site.safe import without_paths

Row = dict[str, Any]
#: What a run's row tells of the machine that is nobody's business.
_PRIVATE: Final = frozenset(
    {"host", "pid", "pids", "booted", "store", "server", "endpoint", "url", "base_url", "contact"}
)
#: Settings of a run that options of the same name set, and what they are if nothing is said.
_OPTIONS: Final = ("venue", "year", "limit", "tracks")


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run's row with its JSON read: settings, software and hardware as names and words."""

    row: Row
    settings: tuple[tuple[str, str], ...]
    software: tuple[tuple[str, str], ...]
    hardware: tuple[tuple[str, str], ...]
    sampling: tuple[tuple[str, str], ...]
    server: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    system: tuple[str, ...]
    prompts: tuple[Row, ...]
    command: str
    imported: bool


def run_page(row: Row) -> RunPage:
    """The page of a row of `runs`."""
    settings = _read(row["settings"])
    stages: dict[str, list[tuple[str, int]]] = {}
    for count in row["counts"]:
        stages.setdefault(count["stage"], []).append((count["outcome"], count["n"]))
    return RunPage(
        {**row, "message": without_paths(row["message"]) if row["message"] else None},
        tuple(_pairs(settings)),
        tuple(_pairs(_read(row["software"]))),
        tuple(_pairs(_read(row["hardware"]))),
        tuple(_pairs(_read(row["sampling"] or "{}"))),
        tuple(_pairs(_read(row["server"] or "{}"))),
        tuple((stage, tuple(found)) for stage, found in stages.items()),
        tuple(dict.fromkeys(prompt["prompt"] for prompt in row["prompts"])),
        tuple(row["prompts"]),
        repeat_command(row, settings),
        "import" in settings,
    )


def repeat_command(row: Row, settings: Row) -> str:
    """The command that does the run again: into a store of one's own."""
    words = ["reprocensus"]
    if "import" in settings:
        words += ["import", str(settings["import"]), "--engine", row["engine"], "--model", row["model"]]
    else:
        words += ["run", *(without_paths(str(source)) for source in settings.get("sources") or ())]
        words += ["--engine", row["engine"]]
        variables = settings.get("variables") or ()
        words += ["--variables", ",".join(variables)] if variables else []
        for name in _OPTIONS:
            value = settings.get(name)
            if value is not None and (name, value) != ("tracks", "main"):
                words += [f"--{name}", str(value)]
    return shlex.join([*words, "--store", "repeated"])


def latest_first(rows: Iterable[Row]) -> list[Row]:
    """Runs by start, the latest first."""
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)


def _read(text: str) -> Row:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _pairs(found: Row) -> Iterable[tuple[str, str]]:
    for name, value in found.items():
        if name in _PRIVATE or value in (None, [], {}, ""):
            continue
        words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name.replace("_", " "), without_paths(words)
