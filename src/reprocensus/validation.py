"""Pydantic's complaints in one line that a user can act on. Pure."""

from pydantic import ValidationError


def complaints(error: ValidationError) -> str:
    """What is wrong with which field, such as `year: Input should be a valid integer, not 'soon'`."""
    told = []
    for item in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            message = "is missing"
        elif item["type"] != "value_error":
            message = f"{message}, not {str(item['input'])[:80]!r}"
        told.append(f"{where}: {message}" if where else message)
    return "; ".join(told)
