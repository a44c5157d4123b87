"""What a host's robots.txt allows, by RFC 9309."""

from dataclasses import dataclass
from math import isfinite
from time import monotonic
from typing import Final

from protego import Protego

#: What stands for us in a robots.txt.
ROBOT: Final = "reprocensus"
#: RFC 9309, section 2.5: at least so much is parsed.
MOST_BYTES: Final = 500 * 1024
#: RFC 9309, section 2.4: a copy is not used longer than a day.
_FRESH_S: Final = 24 * 3600
_LONGEST_PACE_S: Final = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one origin. No rules allow everything (RFC 9309, section 2.3.1.3)."""

    parsed: Protego | None
    read_at: float

    @property
    def fresh(self) -> bool:
        """Whether the copy may still be used."""
        return monotonic() - self.read_at < _FRESH_S

    def allows(self, url: str) -> bool:
        """Whether we may ask for the address."""
        return self.parsed is None or bool(self.parsed.can_fetch(url, ROBOT))

    @property
    def interval_s(self) -> float:
        """The pause between two requests that the host asks for; 0 if it asks for none."""
        if self.parsed is None:
            return 0.0
        rate = self.parsed.request_rate(ROBOT)
        paces = [float(self.parsed.crawl_delay(ROBOT) or 0.0)]
        if rate is not None and rate.requests:
            paces.append(rate.seconds / rate.requests)
        # No pace is what cannot be waited for, nor what is no number.
        return min(max((pace for pace in paces if isfinite(pace)), default=0.0), _LONGEST_PACE_S)


def parse_rules(body: bytes | None) -> Rules:
    """The rules of a robots.txt; None if there is none."""
    text = None if body is None else body[:MOST_BYTES].decode("utf-8", "replace")
    return Rules(None if text is None else Protego.parse(text), monotonic())
