"""What a run's page says: with what it judged, and how to do it again. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from reprocensus.site.again import Again, again
from reprocensus.site.safe import without_paths

Row = dict[str, Any]
#: What a run's row tells of the machine that is nobody's business.
_PRIVATE: Final = frozenset(
    {"host", "pid", "pids", "booted", "store", "server", "endpoint", "url", "base_url", "contact"}
)


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
    again: Again
    imported: bool
    #: Labels by a person: given in a sitting, or imported.
    is_labels: bool
    #: Verdicts that it made, by its own counts; 0 where it ended without telling.
    n_judged: int


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
        again(row, settings),
        "import" in settings,
        "review" in settings or settings.get("given_as") == "--who",
        sum(n for outcome, n in stages.get("judge", ()) if outcome not in ("failed", "taken_over")),
    )


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
