"""The flow that the command line runs: brings a store up to date with a request's sources."""

import time

from prefect import flow

from reprocensus.outcome import RunOutcome
from reprocensus.request import RunRequest
from reprocensus_flows.records import Recorder
from reprocensus_flows.session import session_for
from reprocensus_flows.work import do


@flow(name="census", persist_result=False, validate_parameters=True)
def census(request: RunRequest) -> RunOutcome:
    """Brings a store up to date with the request's sources.

    Args:
        request: what to read, with whom to judge, and where to write.

    Raises:
        ReprocensusError: the request is wrong, or the store cannot be used.
    """
    began = time.time()
    mine = session_for(request)
    recorder = Recorder(mine.prepared.settings, to_prefect=mine.stays)
    return do(mine.prepared, mine.progress, recorder, began)
