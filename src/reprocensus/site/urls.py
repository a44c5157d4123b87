"""Where every page is: the one place that spells an address, and that reads it back. Pure.

An address is relative to the site's root, without a slash in front; "" is home. Pages are folders with an
`index.html`, so they end in a slash; everything else is a file. Addresses do not change: people cite them.

Names that come from outside (paper_ids, venues) become path segments by `segment`: letters, digits and a few
marks stay, all else is written `~` and two hex digits a byte. So no name leads out of its folder, none
collides with another or with a page below it, and an address stands in a link as it is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from reprocensus.keys import digest
from reprocensus.records import Edition

#: Names below a paper's or an edition's own address; a paper_id's segments never look like them.
RESERVED: Final = frozenset({"text", "evidence", "paper.json", "citation.bib", "index.html"})
_PLAIN: Final = re.compile(r"[\w.,+=@()-]", re.ASCII)
_HARMLESS: Final = re.compile(r"[\w.,+=@()-]{1,200}", re.ASCII)
_ESCAPED: Final = re.compile(r"((?:~[0-9A-F]{2})+)")
#: Files beside a paper's page, and their kinds.
_FILES: Final = {"paper.json": "paper_json", "citation.bib": "citation"}
#: Longest name, in bytes; file systems take 255.
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Route:
    """One address taken apart: the kind of page (`pages.KINDS`) and what it is about."""

    kind: str
    args: tuple[str, ...] = ()
    #: What stands behind the question mark, where a page is made on demand.
    query: tuple[tuple[str, str], ...] = ()


def segment(name: str) -> str:
    """A name from outside as one segment of an address, and as a file name. `name_of` undoes it."""
    if _HARMLESS.fullmatch(name) and name.strip(".") and name not in RESERVED:
        return name
    escaped = "".join(c if _PLAIN.match(c) else _hex(c) for c in name)
    if not escaped.strip(".") or escaped in RESERVED:
        escaped = _hex(name[:1]) + escaped[1:] if name else "~"
    # What file systems would not take is cut; its digest tells it from others that start so.
    return escaped if len(escaped) <= _LONGEST else f"{escaped[:176]}~~{digest(name)[:16]}"


def name_of(part: str) -> str:
    """The name that a segment stands for; what is no segment is taken as it is."""
    return _ESCAPED.sub(lambda m: bytes.fromhex(m[1].replace("~", "")).decode("utf-8", "replace"), part)


def _hex(text: str) -> str:
    return "".join(f"~{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def id_path(paper_id: str) -> str:
    """A paper_id, or another name of a paper, as it stands in addresses."""
    return "/".join(segment(part) for part in paper_id.split("/"))


def edition_name(edition: Edition) -> str:
    """An edition in one segment, such as `ICML-2016`."""
    return f"{segment(edition.venue)}-{edition.year}"


def edition_of(name: str) -> Edition | None:
    """The edition of such a segment; None if it is none."""
    venue, _, year = name.rpartition("-")
    return Edition(name_of(venue), int(year)) if venue and re.fullmatch(r"\d{4}", year) else None


def home() -> str:
    """The first page."""
    return ""


def paper(paper_id: str) -> str:
    """A paper's page; also a paper's other names' (its key in another census), which lead on to it."""
    return f"papers/{id_path(paper_id)}/"


def text(paper_id: str, part: int = 1) -> str:
    """A paper's plain text; long ones come in parts, from 1."""
    return f"{paper(paper_id)}text/" + (f"{part}/" if part > 1 else "")


def paper_json(paper_id: str) -> str:
    """What a paper's page says, as JSON."""
    return f"{paper(paper_id)}paper.json"


def citation(paper_id: str) -> str:
    """The page's citation in BibTeX."""
    return f"{paper(paper_id)}citation.bib"


def evidence(paper_id: str, name: str) -> str:
    """A file of a paper's evidence: a picture of a passage, or the PDF with all passages marked."""
    return f"{paper(paper_id)}evidence/{segment(name)}"


def pdf(sha256: str) -> str:
    """An archived PDF."""
    return f"pdf/{sha256}.pdf"


def venues() -> str:
    """All venues and editions."""
    return "venues/"


def venue(name: str) -> str:
    """A venue."""
    return f"venues/{segment(name)}/"


def edition(which: Edition, page: int = 1) -> str:
    """An edition; its table of papers may go on on further pages, from 2."""
    return f"{venue(which.venue)}{which.year}/" + (f"page/{page}/" if page > 1 else "")


def edition_json(which: Edition) -> str:
    """An edition's whole table of papers, for sorting and filtering in the browser."""
    return f"{edition(which)}papers.json"


def failures(which: Edition, page: int = 1) -> str:
    """An edition's failures."""
    return f"{edition(which)}failures/" + (f"page/{page}/" if page > 1 else "")


def places(kind: str, venue: str = "") -> str:
    """Scores by place; `kind`: countries or institutions; of one venue where one is named."""
    return f"{kind}/{segment(venue)}/" if venue else f"{kind}/"


def runs() -> str:
    """All runs."""
    return "runs/"


def run(run_id: str) -> str:
    """A run's LLM details."""
    return f"runs/{segment(run_id)}/"


def search() -> str:
    """The search page."""
    return "search/"


def search_file(name: str) -> str:
    """A file of the search index."""
    return f"search/index/{name}"


def compare() -> str:
    """Where two editions or runs are chosen to compare."""
    return "compare/"


def compare_with(first: str) -> str:
    """What an edition (its `edition_name`) can be compared with."""
    return f"compare/{first}/"


def compare_editions(first: Edition, second: Edition) -> str:
    """Two editions side by side."""
    return f"compare/{edition_name(first)}/{edition_name(second)}/"


def compare_runs(first: str, second: str) -> str:
    """Two runs side by side, the earlier first."""
    return f"compare/runs/{segment(first)}/{segment(second)}/"


def downloads() -> str:
    """What can be downloaded."""
    return "downloads/"


def table(name: str) -> str:
    """A table: its columns, and its files."""
    return f"downloads/{name}/"


def download(name: str, which: Edition | None, suffix: str) -> str:
    """A table's file of one edition (None: of a table without editions), `csv` or `parquet`."""
    return f"downloads/{name}/{edition_name(which) if which else 'all'}.{suffix}"


def data() -> str:
    """How much there is, and how fresh."""
    return "data/"


def about() -> str:
    """What the variables mean and how scores are made."""
    return "about/"


def static(name: str) -> str:
    """A file that comes with the program: styles, scripts."""
    return f"static/{name}"


def sitemap(part: int = 0) -> str:
    """The sitemaps' index, or one of them, from 1."""
    return f"sitemap-{part}.xml" if part else "sitemap.xml"


def robots() -> str:
    """For crawlers."""
    return "robots.txt"


def base(site: str) -> str:
    """The path below which a site lies on its host, by its own address; the root where that is not known."""
    return f"{urlsplit(site).path.rstrip('/')}/"


def missing() -> str:
    """What web servers show where nothing is."""
    return "404.html"


def up(path: str) -> str:
    """What leads from a page to the site's root: pages link to each other so, wherever the site lies."""
    return "../" * path.count("/")


def on_disk(path: str) -> str:
    """The file that holds a page."""
    return f"{path}index.html" if not path or path.endswith("/") else path


def _below(rest: list[str]) -> Route | None:
    """What stands below `papers/`: the paper's own page, or one of those that belong to it."""
    found: Route | None = None
    match rest:
        case [*whole, "text", ""]:
            found = Route("text", (_joined(whole), "1"))
        case [*whole, "text", part, ""] if part.isdecimal():
            found = Route("text", (_joined(whole), part))
        case [*whole, "evidence", name] if name:
            found = Route("evidence", (_joined(whole), name_of(name)))
        case [*whole, ""]:
            found = Route("paper", (_joined(whole),))
        case [*whole, file] if file in _FILES:
            found = Route(_FILES[file], (_joined(whole),))
    return found if found and found.args[0] else None


def _joined(parts: list[str]) -> str:
    """Papers are looked up by what stands in the address."""
    return "/".join(parts)


def _of_venue(rest: list[str]) -> Route | None:
    match rest:
        case [""]:
            return Route("venues")
        case [venue, ""]:
            return Route("venue", (name_of(venue),))
        case [venue, year, *more] if re.fullmatch(r"\d{4}", year):
            return _of_edition((name_of(venue), year), more)
    return None


def _of_edition(which: tuple[str, str], more: list[str]) -> Route | None:
    match more:
        case [""]:
            return Route("edition", (*which, "1"))
        case ["page", page, ""] if page.isdecimal():
            return Route("edition", (*which, page))
        case ["papers.json"]:
            return Route("edition_json", which)
        case ["failures", ""]:
            return Route("failures", (*which, "1"))
        case ["failures", "page", page, ""] if page.isdecimal():
            return Route("failures", (*which, page))
    return None


def _of_compare(rest: list[str]) -> Route | None:
    match rest:
        case [""]:
            return Route("compare")
        case ["runs", first, second, ""]:
            return Route("compare_runs", (name_of(first), name_of(second)))
        case [first, ""] if edition_of(first):
            return Route("compare_with", (first,))
        case [first, second, ""] if edition_of(first) and edition_of(second):
            return Route("compare_editions", (first, second))
    return None


def _of_downloads(rest: list[str]) -> Route | None:
    match rest:
        case [""]:
            return Route("downloads")
        case [table, ""]:
            return Route("table", (table,))
        case [table, file]:
            stem, _, suffix = file.rpartition(".")
            if suffix in ("csv", "parquet") and (stem == "all" or edition_of(stem)):
                return Route("download", (table, stem, suffix))
    return None


def _of_runs(rest: list[str]) -> Route | None:
    match rest:
        case [""]:
            return Route("runs")
        case [run_id, ""]:
            return Route("run", (name_of(run_id),))
    return None


def _of_search(rest: list[str]) -> Route | None:
    match rest:
        case [""]:
            return Route("search")
        case ["index", name] if name:
            return Route("search_file", (name,))
    return None


def _of_places(kind: str, rest: list[str]) -> Route | None:
    match rest:
        case [""]:
            return Route("places", (kind, ""))
        case [venue, ""]:
            return Route("places", (kind, name_of(venue)))
    return None


_FIRST: Final[dict[str, Callable[[list[str]], Route | None]]] = {
    "papers": _below,
    "venues": _of_venue,
    "compare": _of_compare,
    "downloads": _of_downloads,
    "runs": _of_runs,
    "search": _of_search,
    "countries": partial(_of_places, "countries"),
    "institutions": partial(_of_places, "institutions"),
}
_SINGLE: Final = {
    "": "home",
    "data/": "data",
    "about/": "about",
    "sitemap.xml": "sitemap",
    "robots.txt": "robots",
    "404.html": "missing",
}


def route_of(path: str) -> Route | None:
    """What a (percent-decoded) address asks for; None if there can be no such page."""
    if path in _SINGLE:
        return Route(_SINGLE[path])
    first, *rest = path.split("/")
    if first in _FIRST:
        return _FIRST[first](rest) if rest else None
    if found := re.fullmatch(r"pdf/([0-9a-f]{64})\.pdf", path):
        return Route("pdf", (found[1],))
    if found := re.fullmatch(r"static/([\w.-]+)", path):
        return Route("static", (found[1],))
    if found := re.fullmatch(r"sitemap-(\d+)\.xml", path):
        return Route("sitemap", (found[1],))
    return None
