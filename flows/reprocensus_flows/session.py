"""What the command line hands to the flow besides its request: what it has prepared, and whom to tell.

In a module of its own because Prefect sends a flow's function to Dask's workers by value, with all that it
names, and a context variable cannot be sent.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from reprocensus.census import Prepared, prepare
from reprocensus.outcome import Progress
from reprocensus.request import RunRequest
from reprocensus.settings import load_settings


@dataclass(frozen=True, slots=True)
class Session:
    """A prepared run. `stays`: Prefect's server outlives it, so what is told to it can be read."""

    prepared: Prepared
    progress: Progress
    stays: bool


session: ContextVar[Session | None] = ContextVar("session", default=None)


def session_for(request: RunRequest) -> Session:
    """The command line's session; where a server started the flow, one of its own."""
    return session.get() or Session(prepare(request, load_settings()), silent, True)


def silent(stage: str, outcome: str, n: int) -> None:
    """Progress that nobody watches."""
