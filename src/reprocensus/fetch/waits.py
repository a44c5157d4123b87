"""How long a server asks to be left alone: headers and bodies of its refusals. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

#: Numbers from here on are times since 1970, in seconds and then in milliseconds; below, they are durations.
_EPOCH_S = 10**8
_EPOCH_MS = 10**11
_UNITS = {"s": 1, "m": 60, "h": 3600}
_IN_WORDS = re.compile(r"(?:again|wait)\D{0,20}?(\d+(?:\.\d+)?)\s*(s|m|h)(?:ec|in|our|\b)", re.IGNORECASE)
_BODY_KEYS = frozenset({"resettime", "resetat", "reset", "retryafter", "retryat", "retryin"})
_HEADERS = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")


def asked_wait(headers: Mapping[str, str], body: bytes, now: datetime) -> float | None:
    """Seconds that a refusal (429, 503) asks for, at least 0; None if it does not say.

    Reads `Retry-After` (seconds or a date, RFC 9110 section 10.2.3), the RateLimit headers in use, and a
    JSON body's reset time, such as OpenReview's `{"details": {"resetTime": "2025-01-14T02:29:47.160Z"}}`.
    Of several the longest counts.
    """
    waits = [_seconds(headers.get(name), now) for name in _HEADERS]
    waits += [_seconds(value, now) for value in _told(body)]
    known = [wait for wait in waits if wait is not None]
    return max(known) if known else None


def _seconds(value: Any, now: datetime) -> float | None:
    """A duration or a point in time, however spelt, as seconds from now."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        moment = _moment(str(value))
        return None if moment is None else max(0.0, (moment - now).total_seconds())
    if not 0 <= number < 10**14:
        return None
    if number >= _EPOCH_S:
        return max(0.0, number / (1000 if number >= _EPOCH_MS else 1) - now.timestamp())
    return number


def _moment(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _told(body: bytes) -> Iterator[Any]:
    """What a body says of when to come back: values of known keys, or words."""
    with suppress(ValueError, RecursionError):
        yield from _values(json.loads(body))
    text = body[:4096].decode("utf-8", "replace")
    for number, unit in _IN_WORDS.findall(text):
        yield float(number) * _UNITS[unit.lower()]


def _values(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        for key, value in data.items():
            if str(key).replace("_", "").replace("-", "").lower() in _BODY_KEYS:
                yield value
            yield from _values(value)
    elif isinstance(data, list):
        for item in data:
            yield from _values(item)
