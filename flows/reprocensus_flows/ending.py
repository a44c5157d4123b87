"""How a deployed flow ends when it cannot be done: in a state Failed that says why, without a traceback."""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec

from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.states import Failed

from reprocensus.errors import ReprocensusError

_log = logging.getLogger("reprocensus.run")
P = ParamSpec("P")


def told(work: Callable[P, State[None]]) -> Callable[P, State[None]]:
    """The flow's function; an error that it raises on purpose ends the flow, with no more than its message.

    Where in the code it was raised helps nobody who has asked for a venue that is none. Any other error is
    a fault of the program, and Prefect shows where.
    """

    @functools.wraps(work)
    def ends(*args: P.args, **kwargs: P.kwargs) -> State[None]:
        try:
            return work(*args, **kwargs)
        except ReprocensusError as error:
            said = f"{type(error).__name__}: {error}"
            _log.error("%s", said)
            # Adding it twice changes nothing.
            logging.getLogger("prefect.flow_runs").addFilter(not_said_before)
            return Failed(message=said)

    return ends


def not_said_before(record: logging.LogRecord) -> bool:
    """Whether a record is more than Prefect's traceback of the state Failed that a flow has returned."""
    return not (record.exc_info and isinstance(record.exc_info[1], FailedRun))
