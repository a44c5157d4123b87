"""What a night does, and how a deployment is set up: one TOML file, read when it is deployed."""

import tomllib
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from reprocensus.errors import UsageError
from reprocensus.request import FILES, RunRequest
from reprocensus.validation import complaints

#: Name of the work pool, and first word of everything else that deploying makes.
POOL = "reprocensus"


class Night(BaseModel):
    """What every night does. These are the parameters of the deployment `nightly`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...] = Field(
        min_length=1,
        description="editions such as icml/2016, manifest:FILE or dir:FOLDER; files by full path",
    )
    store: str = Field(description="where objects and tables lie: a full path or an fsspec URI")
    engine: str = Field("rules", description="which engine judges")
    model: str | None = Field(
        None,
        description="model that the engine asks, as its server names it; the workers' settings' if empty",
    )
    variables: tuple[str, ...] = Field((), description="variables to judge; all of them if empty")
    tracks: Literal["main", "all"] = Field("main", description="of editions, the main tracks or all")
    listing: tuple[str, ...] = Field((), description="saved pages to list editions from, not the network")
    shard_size: int | None = Field(None, ge=1, le=5000, description="papers in one unit of work")
    max_failed_share: float | None = Field(
        0.3, ge=0, le=1, description="stop the night when more than this share of an edition's papers fails"
    )
    max_hours: float | None = Field(None, gt=0, description="hand out no more shards after so many hours")
    site: str = Field("", description="folder that the site is built in when the tables are; none if empty")

    @field_validator("store")
    @classmethod
    def _whole(cls, store: str) -> str:
        return whole(store)

    @field_validator("sources")
    @classmethod
    def _whole_files(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        for source in sources:
            kind, colon, rest = source.partition(":")
            if colon and kind in FILES and not Path(rest).is_absolute():
                raise ValueError(f"source {source}: a worker starts elsewhere, give the full path")
        return sources

    def request(self) -> RunRequest:
        """The run of a night."""
        return RunRequest(**self.model_dump(exclude={"site"}))


class Automations(BaseModel):
    """What Prefect's server does by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heartbeat_s: int = Field(30, ge=30, description="how often a run says that it lives")
    missed: int = Field(3, ge=2, description="so many heartbeats missed in a row and it counts as dead")
    restarts: int = Field(5, ge=0, description="how often a dead run is started again")
    notify: str = Field("", description="URL that is sent a POST of JSON when a run fails; none if empty")


class Deployment(BaseModel):
    """A deployment file: the night, when it runs, and who works."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    night: Night
    cron: str = Field("30 2 * * *", description="when the night runs")
    timezone: str = Field("UTC", description="time zone of that, such as Europe/Berlin")
    pool: str = Field(
        POOL, pattern=r"^[a-z0-9][a-z0-9-]*$", description="name of the work pool, deployments and so on"
    )
    pool_type: Literal["process", "docker", "kubernetes"] = Field("process", description="kind of work pool")
    job_variables: dict[str, object] = Field(
        default_factory=dict, description="of the work pool: image, env, resources and so on"
    )
    parts_at_once: int = Field(4, ge=1, description="parts of a night side by side, where it is split")
    automations: Automations = Automations()

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"timezone {self.timezone!r} is unknown; name one such as Europe/Berlin"
            ) from error
        from prefect.client.schemas.schedules import CronSchedule

        CronSchedule(cron=self.cron, timezone=self.timezone)
        return self


def whole(store: str) -> str:
    """The store, if a worker finds it wherever it starts. Raises `ValueError` if not."""
    if "://" not in store and not Path(store).is_absolute():
        raise ValueError(f"store {store}: a worker starts elsewhere, give the full path or a URI")
    return store


def read_deployment(file: Path) -> Deployment:
    """A deployment file.

    Raises:
        UsageError: it cannot be read, or says something wrong.
    """
    try:
        return Deployment.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{file}: {complaints(error)}") from error
