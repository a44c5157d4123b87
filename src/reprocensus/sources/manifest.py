"""`manifest:FILE`: JSON lines, one paper a line.

Fields: id (becomes the paper_id), title, venue, year, and `file` (absolute or relative to the manifest) or
`official_url`; authors (a list, or names separated by commas or semicolons) and abstract if known. Others
are ignored.
"""

import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from reprocensus.errors import SourceError
from reprocensus.records import Edition, Paper
from reprocensus.sources import SourceOptions, check_venue
from reprocensus.validation import complaints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Venue = Annotated[Text, AfterValidator(check_venue)]


def _names(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(name.strip() for name in re.split(r";|,|\band\b", value) if name.strip())
    return value


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Text
    title: Annotated[str, BeforeValidator(lambda value: value or "")] = ""
    authors: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    abstract: str | None = None
    venue: Venue
    year: Annotated[int, Field(ge=1900, le=2100)]
    track: Annotated[str, BeforeValidator(lambda value: value or "main")] = "main"
    main: bool | None = None
    file: str | None = None
    official_url: str | None = None
    landing_url: str | None = None


def list_papers(rest: str, options: SourceOptions) -> list[Paper]:
    """The manifest's papers, in its order. Raises `SourceError` naming the line that is wrong."""
    path = Path(rest).expanduser()
    try:
        # Not splitlines(), which would also cut at characters that may stand within a JSON string.
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"manifest {rest} cannot be read: {reason}") from error
    return [_paper(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _paper(path: Path, number: int, text: str) -> Paper:
    try:
        line = _Line.model_validate(json.loads(text))
    except ValidationError as error:
        raise SourceError(f"manifest {path}, line {number}: {complaints(error)}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"manifest {path}, line {number} is no JSON: {error}") from error
    if line.file:
        location = str((path.parent / line.file).absolute())
    elif line.official_url:
        location = line.official_url
    else:
        raise SourceError(
            f"manifest {path}, line {number}: paper {line.id!r} has no file and no official_url"
        )
    return Paper(
        paper_id=line.id,
        edition=Edition(line.venue, line.year),
        title=line.title,
        source=f"manifest:{path}",
        location=location,
        authors=line.authors,
        abstract=line.abstract,
        track=line.track,
        main=line.track == "main" if line.main is None else line.main,
        landing_url=line.landing_url,
        pdf_url=line.official_url,
    )
