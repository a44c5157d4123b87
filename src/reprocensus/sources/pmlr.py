"""PMLR: ICML and the other conferences of the Proceedings of Machine Learning Research, a volume an edition.

`icml/2016` is a conference's year, `pmlr/54` is volume 54, whichever that is. A volume is read from its page
or from its `_posts`. A paper's key is PMLR's own (`abbasi-yadkori14`), which jmlr.org/proceedings had too.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from reprocensus.records import Edition
from reprocensus.sources.html import Node, absolute, attribute, collapse, parse, text_of
from reprocensus.sources.pmlr_volumes import SERIES, VOLUMES
from reprocensus.sources.proceedings import MAIN, Found, Listed, Page, Venue

VENUES: Final = MappingProxyType(
    {
        **{word: Venue(name, tuple(VOLUMES[word]), "PMLR") for word, name in SERIES.items()},
        "pmlr": Venue("PMLR", (), "any volume by its number, such as pmlr/54"),
    }
)
_SITE: Final = "https://proceedings.mlr.press"
_WORDS: Final = {name: word for word, name in SERIES.items()}
_EDITIONS: Final = {volume: (word, year) for word, years in VOLUMES.items() for year, volume in years.items()}
_ANY: Final = "PMLR"
#: Sections of a conference's volume that are not its main programme.
_SIDE: Final = re.compile(
    r"\b(?:preface|foreword|front ?matter|introduction|open problems?|workshops?|demos?|demonstrations?|"
    r"invited|keynotes?|tutorials?|(?:extended )?abstracts?|short papers?|findings|doctoral|challenges?|"
    r"competitions?|discussions?|journal)\b",
    re.IGNORECASE,
)
_FRONT: Final = re.compile(
    r"(?:preface|foreword|front ?matter)\b.*|.*[:,]\s*(?:preface|foreword|front ?matter)\W*", re.IGNORECASE
)
_OPEN_PROBLEM: Final = re.compile(r"open problems?\s*[:.–-]", re.IGNORECASE)
_VOLUME: Final = re.compile(r"/v(\d+)(?:/|$)")
_HEADING: Final = re.compile(r"Volume\s+(\d+)\s*:\s*(.*)")
_NAME_PARTS: Final = ("given", "prefix", "family", "suffix")
#: Of no edition of the venue that was asked for.
_ANOTHER: Final = 0


def start(slug: str, year: int) -> tuple[str, ...]:
    """The volume's page; for a year whose volume is not known here, the index of all volumes."""
    volume = year if slug == "pmlr" else VOLUMES[slug].get(year)
    return (f"{_SITE}/v{volume}" if volume else f"{_SITE}/",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of a volume's page or of one of its posts; of the index, the volumes of the edition."""
    if _is_post(page):
        return _read_post(page, edition)
    tree = parse(page.text)
    volume, heading = _heading(page)
    if not tree.css_first("div.paper"):
        return _read_index(page, edition)
    edition = _edition(edition, volume, heading)
    papers, section = [], ""
    for node in tree.css("h2, h3, div.paper"):
        if node.tag == "h3":
            section = text_of(node)
        elif node.tag == "div":
            paper = _paper(page, node, section, edition)
            if paper:
                papers.append(paper)
    return Found(tuple(papers), edition=edition)


def year_of(page: Page, slug: str) -> int | None:
    """The year of `slug` whose volume this is; its number for `pmlr`; 0 if it is another venue's."""
    if _is_post(page):
        front = _front_matter(page.text)
        volume, heading = _number(front.get("volume")), str(front.get("container-title") or "")
        heading += f" {front.get('date') or ''}"
    else:
        volume, heading = _heading(page)
    if volume is None:
        return None
    if slug == "pmlr":
        return volume
    if volume in _EDITIONS:
        word, year = _EDITIONS[volume]
        return year if word == slug else _ANOTHER
    return (_last_year(heading) if _names(heading, slug) else None) or _ANOTHER


def _heading(page: Page) -> tuple[int | None, str]:
    """The volume's number and what its heading says: "International Conference on ..., date, place".

    The heading is not looked for where the address names a volume that is known.
    """
    named = _VOLUME.search(urlsplit(page.url).path)
    if named and int(named[1]) in _EDITIONS:
        return int(named[1]), ""
    for node in parse(page.text).css("h2, h1"):
        said = _HEADING.search(text_of(node))
        if said:
            return int(said[1]), said[2]
    return (int(named[1]) if named else None), ""


def _edition(asked: Edition, volume: int | None, heading: str) -> Edition:
    """The edition that a volume is: the one asked for, unless that was a volume by its number."""
    if asked.venue != _ANY:
        return asked
    volume = volume or asked.year
    if volume in _EDITIONS:
        word, year = _EDITIONS[volume]
        return Edition(SERIES[word], year)
    return Edition(f"{_ANY}-v{volume}", _last_year(heading) or asked.year)


def _last_year(text: str) -> int | None:
    years = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)
    return int(years[-1]) if years else None


def _names(text: str, word: str) -> bool:
    return bool(re.search(rf"\b{re.escape(SERIES[word])}\b", text))


def _read_index(page: Page, edition: Edition) -> Found:
    """The volumes that the index gives the edition. A volume of a workshop of the same name is not its."""
    more = []
    for item in parse(page.text).css("li"):
        link = absolute(page.url, attribute(item.css_first("a[href]"), "href"))
        said = text_of(item)
        word = _WORDS.get(edition.venue)
        if (
            link
            and word
            and _VOLUME.search(urlsplit(link).path)
            and _names(said, word)
            and re.search(rf"(?<!\d){edition.year}(?!\d)", said)
            and not re.search("workshop", said, re.IGNORECASE)
        ):
            more.append(link)
    return Found(more=tuple(more))


def _paper(page: Page, node: Node, section: str, edition: Edition) -> Listed | None:
    title = text_of(node.css_first(".title"))
    base = re.sub(r"(/v\d+)$", r"\1/", page.url)
    landing = pdf = None
    for link in node.css("a[href]"):
        said, address = text_of(link).casefold(), absolute(base, attribute(link, "href"))
        if said in ("abs", "abstract") and not landing:
            landing = address
        elif said in ("download pdf", "pdf") and not pdf:
            pdf = address
    key = _key(landing) or _key(pdf)
    if not title or not key:
        return None
    said = text_of(node.css_first(".authors"))
    authors = tuple(name.strip() for name in said.rstrip(";").split(",") if name.strip())
    track, main = _track(section, title, edition)
    return Listed(key, title, authors, landing, pdf, track, main)


def _key(address: str | None) -> str:
    """`.../v32/samdani14.html` and `.../samdani14/samdani14.pdf` are paper samdani14."""
    name = urlsplit(address or "").path.rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"\.(?:html?|pdf)$", "", name)


def _track(section: str, title: str, edition: Edition) -> tuple[str, bool]:
    if _FRONT.fullmatch(title):
        return "preface", False
    if edition.venue not in _WORDS:
        return section or MAIN, True
    if _OPEN_PROBLEM.match(title):
        return "Open Problems", False
    return section or MAIN, not _SIDE.search(section)


def _is_post(page: Page) -> bool:
    return page.text.lstrip("\ufeff").startswith("---")


def _read_post(page: Page, edition: Edition) -> Found:
    front = _front_matter(page.text)
    key, title = str(front.get("id") or ""), collapse(str(front.get("title") or ""))
    volume = _number(front.get("volume"))
    if not key or not title or volume is None:
        return Found()
    edition = _edition(edition, volume, str(front.get("date") or ""))
    track, main = _track(str(front.get("section") or ""), title, edition)
    pdf = str(front.get("pdf") or "")
    paper = Listed(
        key,
        title,
        tuple(_people(front.get("author"))),
        f"{_SITE}/v{volume}/{key}.html",
        absolute(f"{_SITE}/v{volume}/", pdf),
        track,
        main,
        abstract=collapse(str(front.get("abstract") or "")) or None,
    )
    return Found((paper,), edition=edition)


def _front_matter(text: str) -> Mapping[str, Any]:
    """A post's YAML, all values as strings: `id: no` is a paper's key, not a refusal."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        found = next(iter(yaml.load_all(text.lstrip("\ufeff"), Loader=loader)), None)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _people(authors: Any) -> Iterator[str]:
    for one in authors if isinstance(authors, list) else ():
        parts = (
            [one.get(part) for part in ("given", "prefix", "family", "suffix")]
            if isinstance(one, dict)
            else [one]
        )
        name = collapse(" ".join(str(part) for part in parts if part))
        if name:
            yield name


def _number(value: Any) -> int | None:
    return int(value) if str(value or "").strip().isdigit() else None
