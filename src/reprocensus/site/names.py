"""Which paper an address means: its paper_id, and what other censuses call it."""

import re
from collections.abc import Sequence
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


def paper_index(tables: Tables, editions: Sequence[Edition]) -> PaperIndex:
    """Reads the papers' names of all editions."""
    papers: dict[str, Where] = {}
    others: dict[str, list[Where]] = {}
    for edition in editions:
        named = tables.read("papers", edition, ("paper_id", "title")).frame
        for paper_id, title in named.iter_rows():
            where = (edition, paper_id)
            papers[urls.id_path(paper_id)] = where
            last = paper_id.rpartition("/")[2]
            for name in {census_key(edition, title), *([last] if _KEY.search(last) else [])}:
                others.setdefault(urls.id_path(name), []).append(where)
        for paper_id, alias in tables.read("aliases", edition, ("paper_id", "alias")).frame.iter_rows():
            for name in {alias, alias.rpartition("/")[2]}:
                others.setdefault(urls.id_path(name), []).append((edition, paper_id))
    return PaperIndex(papers, {name: found[0] for name, found in others.items() if len(set(found)) == 1})


def census_key(edition: Edition, title: str) -> str:
    """A paper's key in the census of Coakley et al. 2026: words of the title, `__`, 8 digits of a digest."""
    words = re.sub(r"\s", "_", re.sub(r"[^\w\s]", "", title.lower()).strip())
    return f"{words}__{digest(f'{edition.venue}_{edition.year}_{title}'.lower())[:8]}"
