"""Where the authors of a paper work, by what stands above its abstract: institutions and countries. Pure.

The rule, and nothing else tells (`schemas/places.toml` holds the names):

- A **country** is one that an address names (", Germany", or alone on a line), that a state of the USA with
  its ZIP code tells (", PA 15213"), whose code ends an e-mail domain (`.de`; `.edu`, `.gov` and `.mil`
  for the USA; not codes that are used for what they spell, such as `.ai`), or that is the seat of an
  institution of the list.
- An **institution** is one of the list by its name or its e-mail domain; else what is called like a
  university or an institute of technology ("Nanjing University of Aeronautics"), by that name; else, where no
  name is found at all, the registered e-mail domain if it is one of research ("uni-ulm.de").

What none of this tells is unknown: a paper counts with a place only where its own text says so.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import BaseModel, ConfigDict

from reprocensus.domains import Domains, registered

#: What follows an address' @; addresses of several before one domain have one @, too.
_HOST: Final = re.compile(r"@\s?@?\s?((?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,18})(?![\w@])")
#: Editors of proceedings are no authors; what follows is not about them.
_END: Final = re.compile(r"\n[ \t]{0,9}(?:Editors?|Abstract|ABSTRACT|Action Editor|Reviewed on)\b")
#: Where and when proceedings were, which is about no author either.
_HEADING: Final = re.compile(
    r"^.*(?:Proceedings|Conference on|Annual Meeting|©|Copyright|Journal of Machine).*$", re.M
)
_WORD: Final = r"[A-ZÀ-Þ][\w’'.&–-]{0,40}"
_LINK: Final = r"(?:of|and|for|the|at|de|di|da|do|la|del|della|degli|des|du|zu|van|in|&)"
#: What may follow the word that makes a name a university's: up to four words.
_MORE: Final = rf"{_WORD}(?: {_LINK} {_WORD}| {_WORD}){{0,4}}"
_UNIVERSITY: Final = "Universit(?:y|é|à|at|ät|ä|eit|eiteit|e|a)|Universidade?|Uniwersytet"
_SCIENCE: Final = r"(?:Advanced )?(?:Science|Technolog)\w*(?: and Technology)?"
#: Names of universities and institutes of technology, within one piece of an address.
_SHAPES: Final = tuple(
    re.compile(shape)
    for shape in (
        rf"(?:{_WORD} ){{1,4}}(?:University|Universität|Universiteit)(?: (?:{_LINK} )+{_MORE})?",
        rf"(?:{_UNIVERSITY})(?: {_LINK}){{0,2}} {_MORE}",
        rf"(?:{_WORD} ){{0,3}}(?:Institute|Institut) (?:of|für) {_SCIENCE}(?:[ -]+{_WORD}){{0,2}}",
        rf"(?:{_WORD} ){{1,3}}(?:Polytechnic(?: Institute)?|Polytechnique|School of (?:Mines|Economics))",
    )
)
_PIECES: Final = re.compile(r"[,;:\n\r\d^*†‡§¶|(){}\[\]∗⋆•·]+")
#: Names of departments end so, those of universities do not: what stands before and with it is cut.
_DEPARTMENT: Final = re.compile(
    r"^.*\b(?:The|Dep(?:artmen)?t\.?|School|Faculty|Cent(?:er|re)|Laborator(?:y|ies)|Lab|Group|Sciences?"
    r"|Engineering|Computing|Mathematics|Statistics|Informatics|Physics|Economics|Technology|Learning"
    r"|Intelligence) (?:of )?(?=(?:\S+ )*Universi)"
)
_AFTER: Final = re.compile(
    r"(?<=Technology) (?!of |Beijing|Sydney).*| (?:Street|Road|Ave|Avenue|Drive|Department|Dept)\b.*"
)
_STREET: Final = re.compile(r"University (?:Way|Street|St|Road|Rd|Ave|Avenue|Drive|Park|Hospital)\b")
_LONGEST: Final = 80
#: Characters of a front that are looked at: three hundred authors with their addresses.
_FRONT: Final = 12_000
_STATES: Final = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|"
    "OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC"
)
_STATE: Final = re.compile(rf",\s(?:{_STATES})\.?,?\s+\d{{5}}(?:-\d{{4}})?\b")
#: Suffixes of the USA's own.
_AMERICAN: Final = frozenset({"edu", "gov", "mil"})
#: After a name of one word, these words go on with the institution's name, not with an author's.
_GOES_ON: Final = "Research|Brain|University|Inc|Corp|Labs?|AI|Institute|Medical|School|Law|Business|Group"


class Institution(BaseModel):
    """One of the list: country of its seat, domains, other names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str | None = None
    domains: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Ambiguous(BaseModel):
    """Names of countries that tell nothing alone, codes that are used for what they spell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: frozenset[str]
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a paper's authors work: countries by ISO 3166-1 code, institutions by name, each once, sorted."""

    countries: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()


class Gazetteer(BaseModel):
    """The names of countries and institutions, and how they are found in a text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    countries: Mapping[str, tuple[str, ...]]
    institutions: Mapping[str, Institution]
    ambiguous: Ambiguous

    def country_name(self, code: str) -> str:
        """A country's name."""
        return self.countries[code][0] if code in self.countries else code

    def places(self, front: str, authors: Iterable[str], domains: Domains) -> Places:
        """What stands above a paper's abstract tells of its authors. `domains` says which are for anybody,
        and which of research."""
        front = front[:_FRONT]
        end = _END.search(front)
        text = _HEADING.sub("", front[: end.start()] if end else front)
        hosts = [found[1].lower() for found in _HOST.finditer(text)]
        hosts = [host for host in hosts if domains.kind(host) != "mailbox"]
        text = re.sub(r"[^\s@]{0,80}@\S*", ",", text)
        for author in sorted({name for name in authors if " " in name}, key=len, reverse=True):
            text = text.replace(author, ",")
        listed = {name for host in hosts if (name := self._by_domain(host))}
        listed |= {self._by_name[found[0]] for found in self._listed.finditer(text)}
        names = set(_shaped(self._listed.sub(",", text)))
        # "University of California", its campus named elsewhere.
        names = {name for name in names if not any(other.startswith(name) for other in listed)}
        if not listed and not names:
            names = {registered(host) or host for host in hosts if domains.kind(host) == "research"}
        countries = {self._by_country[found[1]] for found in self._named.finditer(text)}
        countries |= {code for host in hosts if (code := self._code(host))}
        countries |= {seat for name in listed if (seat := self.institutions[name].country)}
        if _STATE.search(text):
            countries.add("US")
        return Places(tuple(sorted(countries)), tuple(sorted(listed | names)))

    def _by_domain(self, host: str) -> str | None:
        labels = host.split(".")
        ends = (".".join(labels[first:]) for first in range(len(labels) - 1))
        return next((self._domains[end] for end in ends if end in self._domains), None)

    def _code(self, host: str) -> str | None:
        """The country that an address' domain is of."""
        name, top = self._by_domain(host), host.rpartition(".")[2]
        if name:
            return self.institutions[name].country
        if top in _AMERICAN:
            return "US"
        code = {"uk": "GB"}.get(top, top.upper())
        return code if code in self.countries and top not in self.ambiguous.codes else None

    @cached_property
    def _domains(self) -> dict[str, str]:
        return {domain: name for name, told in self.institutions.items() for domain in told.domains}

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {each: name for name, told in self.institutions.items() for each in (name, *told.names)}

    @cached_property
    def _by_country(self) -> dict[str, str]:
        every = {name: code for code, names in self.countries.items() for name in names}
        return {name: code for name, code in every.items() if name not in self.ambiguous.names}

    @cached_property
    def _listed(self) -> re.Pattern[str]:
        single = [name for name in self._by_name if re.fullmatch(r"[A-Z][a-z]+", name)]
        several = [name for name in self._by_name if name not in single]
        # "Nanjing University of Information Science" is not Nanjing University, nor Mila Novak the institute.
        long = rf"(?:{_any(several)})(?![\w]|,? of [A-Z])"
        short = rf"(?:{_any(single)})(?![\w-])(?! (?!{_GOES_ON})[A-Z][a-z])"
        return re.compile(rf"(?<![\w-])(?:{long}|{short})")

    @cached_property
    def _named(self) -> re.Pattern[str]:
        before = r"(?:^|[,;(\n]|\b\d{4,6}|[A-Z]{2})[ \t]*"
        after = r"(?=[ \t]*(?:$|[\n,;.)&†‡§¶∗*^|]|\d|and\b))"
        return re.compile(rf"{before}({_any(self._by_country)}){after}")


def _any(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


def _shaped(text: str) -> Iterable[str]:
    """Names that are told by their shape, in a text without those of the list."""
    for piece in _PIECES.split(text):
        words = " ".join(piece.split())
        for shape in _SHAPES:
            if (found := shape.search(words)) and not _STREET.search(found[0]):
                name = _AFTER.sub("", _DEPARTMENT.sub("", found[0])).rstrip(" .-–&'’")
                if " " in name and len(name) <= _LONGEST:
                    yield name
                break
