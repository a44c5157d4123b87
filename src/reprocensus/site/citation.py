"""How a paper's page is cited, in BibTeX. Pure."""

import re
import textwrap
from datetime import datetime
from typing import Any, Final

from reprocensus.keys import slug
from reprocensus.records import Edition
from reprocensus.site.safe import plain

#: What TeX reads as a command.
_SPECIAL: Final = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
})  # fmt: skip
_TEX: Final = re.compile(r"[\\{}$&#%_^~]")
#: No title is longer; what is was read wrongly, or is meant to burden the page.
_LONGEST_TITLE: Final = 1_000


def bibtex(
    edition: Edition, paper: dict[str, Any], site: str, url: str, made: datetime | None, by: str
) -> str:
    """Two entries: the page, and the paper that it is about. `by`: the engine and model that judged."""
    authors = paper["authors"]
    title = " ".join((paper["title"] or paper["paper_id"]).split())
    if len(title) > _LONGEST_TITLE:
        title = textwrap.shorten(title, _LONGEST_TITLE, placeholder=" …")
    last = slug((authors[0].split() or [""])[-1]) if authors else slug(edition.venue)
    word = next((w for w in slug(title).split("_") if len(w) > 3), "paper")
    key = f"{last or 'paper'}{edition.year}{word}"
    page = {
        "title": f"Reproducibility of ``{_tex(title)}'' ({{{_tex(str(edition))}}})",
        "author": f"{{{_tex(site)}}}",
        "year": str(made.year) if made else "",
        "url": _tex_url(url),
        "note": _tex(by),
    }
    work = {
        "title": f"{{{_tex(title)}}}",
        "author": " and ".join(_tex(name) for name in authors),
        "booktitle": _tex(str(edition)),
        "year": str(edition.year),
    }
    return _entry("misc", f"{key}-reproducibility", page) + "\n" + _entry("inproceedings", key, work)


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"]) + "\n"


def _tex(text: str) -> str:
    cleaned = " ".join(plain(text).split())
    return cleaned.translate(_SPECIAL) if _TEX.search(cleaned) else cleaned


def _tex_url(url: str) -> str:
    return re.sub(r"[\s{}\\]", "", url)
