"""The flow that the command line runs: brings a store up to date with a request's sources."""

import time
from contextvars import ContextVar

from prefect import flow

from reprocensus.census import Prepared, prepare
from reprocensus.outcome import Progress, RunOutcome
from reprocensus.request import RunRequest
from reprocensus.settings import load_settings
from reprocensus_flows.records import Recorder
from reprocensus_flows.work import do

#: What the command line has prepared already, whom to tell of progress, and whether Prefect's server stays.
session: ContextVar[tuple[Prepared, Progress, bool] | None] = ContextVar("session", default=None)


@flow(name="census", persist_result=False, validate_parameters=True)
def census(request: RunRequest) -> RunOutcome:
    """Brings a store up to date with the request's sources.

    Args:
        request: what to read, with whom to judge, and where to write.

    Raises:
        ReprocensusError: the request is wrong, or the store cannot be used.
    """
    began = time.time()
    prepared, progress, stays = session.get() or (prepare(request, load_settings()), silent, True)
    return do(prepared, progress, Recorder(prepared.settings, to_prefect=stays), began)


def silent(stage: str, outcome: str, n: int) -> None:
    """Progress that nobody watches."""
