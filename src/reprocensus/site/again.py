"""How a run is done again: the command that its row stands for, and what must be known beside it. Pure."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic.fields import FieldInfo

from reprocensus.request import RunRequest
from reprocensus.site.safe import without_paths

Row = dict[str, Any]
#: Fields of a request whose option is not called like them.
_NAMED: Final = {"editions": "--edition"}
#: Fields of a request that stand in the command in another way than as an option of their own.
_OTHERWISE: Final = {
    "sources": "they stand first, without an option",
    "store": "it is done again into a store of one's own",
    "engine": "always said: what is left out depends on the settings",
    "variables": "names separated by commas",
}
#: Fields of a request that the command leaves out, and why.
OMITTED: Final = {
    "workers": "changes how fast it is, and no result",
    "shard_size": "changes how fast it is, and no result",
    "recheck": "a new store has no PDF to ask for again",
    "retry_failed": "nothing has failed yet in a new store",
    "only_failed": "nothing has failed yet in a new store",
    "failed_kinds": "nothing has failed yet in a new store",
    "max_failed_share": "says when a run stops, not what it does",
    "max_hours": "says when a run stops, not what it does",
}
_ANEW: Final = ("--store", "repeated")


@dataclass(frozen=True, slots=True)
class Again:
    """The command, and sentences on what it leaves open. `repeats`: the run that this one judged again."""

    command: str
    notes: tuple[str, ...]
    repeats: str | None = None


def again(row: Row, settings: Row) -> Again:
    """How the run of a row of `runs`, with its settings read, is done again."""
    if "repeats" in settings:
        words = ["reprocensus", "repeat", str(settings["repeats"]), "--sample", str(settings.get("sample"))]
        words += ["--seed", str(settings.get("seed", 0))]
        notes = ["In the store that holds the run that it repeats: name it with --store."]
        return Again(shlex.join(words), (*notes, *_schema_notes(row)), str(settings["repeats"]))
    if "review" in settings:
        words = ["reprocensus", "review", *_review_words(settings["review"])]
        return Again(
            shlex.join(words), ("In the same store it draws the same verdicts; a person gives the labels.",)
        )
    if "import" in settings:
        words = [
            "reprocensus",
            "import",
            without_paths(str(settings["import"])),
            *_import_words(row, settings),
        ]
        note = "The labels come from the file named; this run only took them in."
        return Again(shlex.join([*words, *_ANEW]), (note,))
    words = ["reprocensus", "run", *request_words(_with_model(row, settings), str(row["engine"])), *_ANEW]
    notes = []
    if settings.get("only_failed"):
        notes.append("It tried only papers again that had failed; the command judges all of them.")
    if row.get("sampling") or row.get("server"):
        notes.append("How the model was served and asked stands below: settings, not options, say so.")
    return Again(shlex.join(words), (*notes, *_schema_notes(row)))


def request_words(settings: Row, engine: str) -> list[str]:
    """What of a request stands on the command line of `reprocensus run`, but for the store."""
    words = [without_paths(str(source)) for source in settings.get("sources") or ()]
    words += ["--engine", engine]
    if variables := settings.get("variables"):
        words += ["--variables", ",".join(variables)]
    for name, field in RunRequest.model_fields.items():
        if name not in OMITTED and name not in _OTHERWISE:
            words += _option(name, field, settings.get(name))
    return words


def _option(name: str, field: FieldInfo, value: Any) -> Iterable[str]:
    option = _NAMED.get(name) or f"--{name.replace('_', '-')}"
    if value in (None, [], ()) or value == field.default:
        return ()
    if value is True:
        return (option,)
    several = value if isinstance(value, list | tuple) else [value]
    return [word for one in several for word in (option, without_paths(str(one)))]


def _with_model(row: Row, settings: Row) -> Row:
    """The settings with the model that was asked, also where the run left it to its own settings."""
    asked_one = row.get("sampling") or row.get("server")
    if settings.get("model") or not asked_one:
        return settings
    # What follows the name: the revision, and a digest of what else decides.
    return {**settings, "model": str(row["model"]).split(" ")[0].split("@")[0]}


def _import_words(row: Row, settings: Row) -> list[str]:
    if settings.get("given_as") == "--who":
        return ["--who", str(row["engine"])]
    return ["--engine", str(row["engine"]), "--model", str(row["model"])]


def _review_words(asked: Row) -> Iterable[str]:
    for name, value in asked.items():
        if name == "variables":
            yield from (word for variable in value for word in ("--variable", variable))
        elif isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        elif value is not None:
            yield from (f"--{name.replace('_', '-')}", str(value))


def _schema_notes(row: Row) -> tuple[str, ...]:
    if '"own_schemas"' not in (row.get("software") or ""):
        return ()
    return (
        "It judged by variables of its own, which do not come with the program: first set "
        "REPROCENSUS_SCHEMAS to the folder that has them. Their questions are among the prompts.",
    )
