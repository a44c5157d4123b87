"""Every error that reprocensus raises on purpose.

    ReprocensusError
    ├── UsageError            the caller asked for something that cannot be done; exit code 2
    │   ├── SourceError       a manifest, folder or edition that cannot be listed
    │   ├── SchemaError       a variable or table file that does not parse or contradicts itself
    │   └── EngineError       an engine that does not exist or cannot run here
    ├── FlowError             what runs the flow went away under it
    ├── LimitReachedError     a limit that was set for the run stopped it
    ├── ShardTimeoutError     a shard took longer than it may; the run's others go on
    ├── FetchStoppedError     the run ends, so nothing more is fetched
    ├── EngineAwayError       who answers is not there just now; the run waits for it, up to a limit
    ├── EngineLostError       it did not come back; the run ends, what was judged stands
    ├── EngineStoppedError    the run ends, so nothing more is asked
    ├── StoreError            the store cannot be read or written, or refuses conditional writes
    │   └── WriteConflictError  somebody else replaced the object since it was read
    └── PaperError            one paper failed at one stage; becomes a row in `failures`
        ├── ListError         no paper but an edition, or one page of its listing
        ├── FetchError
        ├── ExtractError
        └── JudgeError

A `PaperError` carries its `kind` (a word from the stage's closed set) and whether it is `transient`
(trying again later may help). It never stops a run.
"""

from datetime import datetime
from typing import ClassVar, Final

from reprocensus.records import Usage


class ReprocensusError(Exception):
    """Base of all errors raised on purpose; its text tells what happened and what to do."""


class UsageError(ReprocensusError):
    """The request itself is wrong."""


class SourceError(UsageError):
    """A source of papers cannot be read."""


class SchemaError(UsageError):
    """A file under `schemas/` is wrong."""


class EngineError(UsageError):
    """An engine is unknown or cannot run here."""


class FlowError(ReprocensusError):
    """The machinery that runs a flow failed; what was journaled stands."""


class LimitReachedError(ReprocensusError):
    """A limit that was set for the run stopped it: too many failures, or too long. What was done stands."""


class ShardTimeoutError(ReprocensusError):
    """A shard took longer than it may. What it journaled stands; the next run does the rest."""


class FetchStoppedError(ReprocensusError):
    """The run is ending; what was not fetched yet is left to the next one."""

    def __init__(self) -> None:
        super().__init__("the run is ending; the next one fetches the rest")


class EngineAwayError(ReprocensusError):
    """The engine's server is down, starting, busy or hangs. Raised for no paper's sake: it is waited for.

    If it is back and fails over the same request again and again, `kind` becomes that request's failure.
    """

    def __init__(
        self, message: str, *, kind: str = "server_away", retry_after_s: float | None = None
    ) -> None:
        """`kind`: server_away, server_error, server_busy, half_reply or timeout; `retry_after_s`: how long
        it wants to be left alone.
        """
        super().__init__(message)
        self.kind = kind
        self.retry_after_s = retry_after_s

    @property
    def busy(self) -> bool:
        """It is there, and turned a request away for now."""
        return self.kind == "server_busy"


class EngineLostError(ReprocensusError):
    """The engine's server is gone for longer than it is waited for; what was judged is stored."""


class EngineStoppedError(ReprocensusError):
    """The run is ending; what was not judged yet is left to the next one."""

    def __init__(self) -> None:
        super().__init__("the run is ending; the next one judges the rest")


class StoreError(ReprocensusError):
    """The store cannot do what was asked."""


class WriteConflictError(StoreError):
    """The object changed between reading and replacing it."""


class PaperError(ReprocensusError):
    """One paper failed at one stage."""

    stage: ClassVar[str] = ""

    def __init__(self, kind: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.transient = transient

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the default reduction loses keyword arguments.
        return _rebuild, (type(self), self.kind, str(self), self.transient)


class ListError(PaperError):
    """A page of an edition's listing could not be had, or lists nothing."""

    stage = "list"


class FetchError(PaperError):
    """The PDF could not be had, or what came is no PDF."""

    stage = "fetch"

    def __init__(
        self, kind: str, message: str, *, transient: bool = False, retry_at: datetime | None = None
    ) -> None:
        """`retry_at`: before then the host wants no further request."""
        super().__init__(kind, message, transient=transient)
        self.retry_at = retry_at


class ExtractError(PaperError):
    """The PDF gave no usable text."""

    stage = "extract"


class JudgeError(PaperError):
    """The engine gave no usable answer for one variable. `spent`: what it used nevertheless."""

    stage = "judge"
    spent: Usage = Usage()


#: Where a paper may fail, in the order of its way.
STAGES: Final = tuple(kind.stage for kind in (ListError, FetchError, ExtractError, JudgeError))


def _rebuild(cls: type[PaperError], kind: str, message: str, transient: bool) -> PaperError:
    return cls(kind, message, transient=transient)
