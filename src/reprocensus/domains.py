"""Tells by an e-mail address' domain what kind of institution its holder is at. Pure.

Where a domain ends and a registrable name begins is said by the Public Suffix List
(https://publicsuffix.org/list/), in the copy that the library brings along: nothing is fetched.
"""

import re
from collections.abc import Iterator
from functools import cache, cached_property

from publicsuffixlist import PublicSuffixList
from pydantic import BaseModel, ConfigDict

#: What follows an address' @, as text extraction leaves it.
_HOST = re.compile(r"@\s?((?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,18})(?![\w@])")


class Kind(BaseModel):
    """How the domains of one kind of institution are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Domains, each with all below it.
    names: tuple[str, ...] = ()
    #: A regular expression that the last label before the public suffix matches in full ("uni-ulm").
    label: str | None = None
    #: Public suffixes; `ac.*` stands for ac in every country.
    suffixes: tuple[str, ...] = ()


class Domains(BaseModel):
    """Kinds of institutions, and how their domains are told.

    The longest listed name decides, then the label, then the public suffix; each by the kinds' order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[str, Kind]

    @cached_property
    def _named(self) -> dict[str, str]:
        return {name: kind for kind, told in self.kinds.items() for name in told.names}

    @cached_property
    def _suffixed(self) -> dict[str, str]:
        return {suffix: kind for kind, told in self.kinds.items() for suffix in told.suffixes}

    def kind(self, host: str) -> str | None:
        """The kind of institution a host belongs to; None where its domain does not tell."""
        host = host.lower()
        labels = host.split(".")
        for first in range(len(labels) - 1):
            if named := self._named.get(".".join(labels[first:])):
                return named
        suffix = _suffixes().publicsuffix(host)
        if suffix is None or suffix == host:
            return self._suffixed.get(host)
        registered = host.removesuffix("." + suffix).rsplit(".", 1)[-1]
        for kind, told in self.kinds.items():
            if told.label and re.fullmatch(told.label, registered):
                return kind
        return self._suffixed.get(suffix) or self._suffixed.get(f"{suffix.split('.')[0]}.*")

    def places(self, text: str, kind: str) -> Iterator[int]:
        """Where in the text e-mail addresses of the kind have their @."""
        return (found.start() for found in _HOST.finditer(text) if self.kind(found[1]) == kind)


def registered(host: str) -> str | None:
    """The registrable domain that a host is below; None where it is none."""
    return _suffixes().privatesuffix(host)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True, accept_unknown=False)
