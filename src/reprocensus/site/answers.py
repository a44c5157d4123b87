"""What is sent for an address."""

from dataclasses import dataclass
from typing import Any, Final

from reprocensus.records import Edition
from reprocensus.site.corpus import Corpus
from reprocensus.site.render import page

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
XML: Final = "application/xml"


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes of a media type."""

    body: bytes
    media: str = HTML


@dataclass(frozen=True, slots=True)
class Redirect:
    """The address that another one leads on to."""

    path: str


Found = Answer | Redirect | None


def html(corpus: Corpus, template: str, path: str, **context: Any) -> Answer:
    """A page from its template; `path` is its own address."""
    return Answer(page(template, path, corpus.options, context))


def known(corpus: Corpus, venue: str, year: str) -> Edition | None:
    """The edition, if there is such a one."""
    edition = Edition(venue, int(year))
    return edition if edition in corpus.statistics else None
