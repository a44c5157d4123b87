"""Every error that reprocensus raises on purpose.

    ReprocensusError
    ├── UsageError            the caller asked for something that cannot be done; exit code 2
    │   ├── SourceError       a manifest, folder or edition that cannot be listed
    │   ├── SchemaError       a variable or table file that does not parse or contradicts itself
    │   └── EngineError       an engine that does not exist or cannot run here
    ├── FlowError             what runs the flow went away under it
    ├── LimitReachedError     a limit that was set for the run stopped it
    ├── FetchStoppedError     the run ends, so nothing more is fetched
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
from typing import ClassVar


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


class FetchStoppedError(ReprocensusError):
    """The run is ending; what was not fetched yet is left to the next one."""

    def __init__(self) -> None:
        super().__init__("the run is ending; the next one fetches the rest")


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
    """The engine gave no usable answer for one variable."""

    stage = "judge"


def _rebuild(cls: type[PaperError], kind: str, message: str, transient: bool) -> PaperError:
    return cls(kind, message, transient=transient)
