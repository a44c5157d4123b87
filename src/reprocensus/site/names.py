"""Which paper an address means: its paper_id, and what other censuses call it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reprocensus.keys import digest
from reprocensus.records import Edition
from reprocensus.site import urls
from reprocensus.tables import Tables

Where = tuple[Edition, str]
#: How a census' key ends.
_KEY: Final = re.compile(r"__[0-9a-f]{8}$")


@dataclass(frozen=True)
class PaperIndex:
    """Edition and paper_id by address: of the papers' own, and of their other names where only one has it."""

    papers: dict[str, Where]
    others: dict[str, Where]
    by_edition: dict[Edition, list[str]]


def paper_index(tables: Tables, editions: Sequence[Edition]) -> PaperIndex:
    """Reads the papers' names of all editions."""
    papers: dict[str, Where] = {}
    others: dict[str, list[Where]] = {}
    by_edition: dict[Edition, list[str]] = {}
    for edition in editions:
        named = tables.read("papers", edition, ("paper_id", "title")).frame
        by_edition[edition] = named["paper_id"].to_list()
        aliases: dict[str, list[str]] = {}
        for paper_id, alias in tables.read("aliases", edition, ("paper_id", "alias")).frame.iter_rows():
            aliases.setdefault(paper_id, []).append(alias)
        for paper_id, title in named.iter_rows():
            where = (edition, paper_id)
            papers[urls.id_path(paper_id)] = where
            for name in other_names(edition, paper_id, title, aliases.get(paper_id, ())):
                others.setdefault(name, []).append(where)
    single = {name: found[0] for name, found in others.items() if len(set(found)) == 1}
    return PaperIndex(papers, single, by_edition)


def other_names(edition: Edition, paper_id: str, title: str, aliases: Iterable[str]) -> set[str]:
    """What else a paper may be called in an address: its key in the existing census, and its aliases."""
    last = paper_id.rpartition("/")[2]
    names = {census_key(edition, title), *([last] if _KEY.search(last) else [])}
    for alias in aliases:
        names |= {alias, alias.rpartition("/")[2]}
    return {urls.id_path(name) for name in names}


def census_key(edition: Edition, title: str) -> str:
    """A paper's key in the census of Coakley et al. 2026: words of the title, `__`, 8 digits of a digest."""
    words = re.sub(r"\s", "_", re.sub(r"[^\w\s]", "", title.lower()).strip())
    return f"{words}__{digest(f'{edition.venue}_{edition.year}_{title}'.lower())[:8]}"
