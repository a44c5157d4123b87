"""What a run is asked to do: everything that the command line, or a deployment's form, can say."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_SOURCE = "manifest:samples/manifest.jsonl"
#: The kinds of source that name a file or a folder.
FILES = ("manifest", "dir")


class RunRequest(BaseModel):
    """One run. Its fields are a flow's parameters, so each says what it means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...] = Field(
        (DEFAULT_SOURCE,), description="editions such as icml/2016, manifest:FILE or dir:FOLDER; one or more"
    )
    tracks: Literal["main", "all"] = Field(
        "main", description="of editions, the main tracks or all: workshops, demos, datasets too"
    )
    listing: tuple[str, ...] = Field(
        (), description="saved pages, files or folders, to list editions from instead of the network"
    )
    accept_fewer: bool = Field(
        False, description="take it as right that an edition lists fewer papers than before"
    )
    venue: str | None = Field(None, description="venue of a folder's papers")
    year: int | None = Field(None, description="year of a folder's papers")
    store: str = Field("./data", description="where objects and tables lie: a path or an fsspec URI")
    engine: str = Field("rules", description="which engine judges")
    model: str | None = Field(
        None, description="model that the engine asks, as its server names it; the settings' if empty"
    )
    variables: tuple[str, ...] = Field((), description="variables to judge; all of them if empty")
    limit: int | None = Field(
        None, ge=1, description="only the first so many papers that the sources list, done or not"
    )
    workers: int | None = Field(None, ge=1, description="worker processes; one a processor if empty")
    shard_size: int | None = Field(None, ge=1, le=5000, description="papers in one unit of work")
    recheck: bool = Field(False, description="ask the network again for every PDF that the store has")
    exact: bool = Field(
        False, description="demand of a model's server that replies do not depend on what is asked beside"
    )
    retry_failed: bool = Field(False, description="try papers again that failed for good")
    editions: tuple[str, ...] = Field(
        (), description="of what the sources list, only these editions, such as ICML/2016; all if empty"
    )
    only_failed: bool = Field(
        False, description="only papers that have failed and not succeeded since, however often"
    )
    failed_kinds: tuple[str, ...] = Field(
        (), description="with only_failed, only failures of these kinds, such as timeout; all if empty"
    )
    max_failed_share: float | None = Field(
        None, ge=0, le=1, description="stop when more than this share of an edition's papers fails"
    )
    max_hours: float | None = Field(None, gt=0, description="hand out no more shards after so many hours")

    def whole(self) -> Self:
        """The request with every file and folder by its full path, so that it means the same anywhere.

        It is kept with the run, and `failures --retry` asks it again from wherever it is called.
        """
        update = {
            "sources": tuple(_whole_source(source) for source in self.sources),
            "listing": tuple(_whole(place) for place in self.listing),
            "store": self.store if "://" in self.store else _whole(self.store),
        }
        return self.model_copy(update=update)


def _whole_source(source: str) -> str:
    kind, colon, rest = source.partition(":")
    return f"{kind}:{_whole(rest)}" if colon and rest and kind in FILES else source


def _whole(place: str) -> str:
    return str(Path(place).expanduser().absolute())
