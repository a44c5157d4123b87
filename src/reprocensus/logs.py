"""How runs log: lines of text, or one JSON object a line with what each is about as fields of its own."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from typing_extensions import override

#: Fields that a record may carry beside its message.
FIELDS = (
    "run_id",
    "paper_id",
    "edition",
    "shard",
    "stage",
    "kind",
    "variable",
    "attempts",
    "transient",
    "status",
    "seconds",
    "seconds_at_work",
)


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, the fields it carries, a traceback."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{field: getattr(record, field) for field in FIELDS if hasattr(record, field)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_as(form: Literal["text", "json"]) -> None:
    """Sends what `reprocensus` logs to standard error, in that form. Calling it again changes the form."""
    logger = logging.getLogger("reprocensus")
    for handler in [h for h in logger.handlers if h.name == "reprocensus"]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler()
    handler.name = "reprocensus"
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
