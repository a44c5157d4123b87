"""The ACL Anthology: ACL, EMNLP, NAACL, EACL, AACL, COLING, and the journals TACL and CL.

It is read from its own data, one XML file a collection: `P14` (all volumes of ACL 2014) to 2019, `2020.acl`
since. A paper's key is its Anthology id, `P14-1001` or `2020.acl-main.1`.

Main are the volumes of long and short papers, and all issues of the journals. Side tracks are demonstrations,
student research workshop, industry track and tutorials, and, in collections of their own, the Findings and
the workshops that the conference's file names as colocated.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources.html import absolute, collapse
from reprocensus.sources.proceedings import MAIN, Found, Listed, Page, Venue

_DATA: Final = "https://raw.githubusercontent.com/acl-org/acl-anthology/master/data/xml"
_SITE: Final = "https://aclanthology.org/"
_FIRST_NEW: Final = 2020
#: The letter of a venue's collections to 2019.
_LETTERS: Final = {"acl": "P", "emnlp": "D", "naacl": "N", "eacl": "E", "coling": "C", "tacl": "Q", "cl": "J"}
#: Years whose proceedings are joint with another conference, under that one's name.
_JOINT: Final = {("coling", 2024): "2024.lrec", ("aacl", 2023): "2023.ijcnlp", ("aacl", 2025): "2025.ijcnlp"}
#: The first year of a venue's volume of Findings; NAACL and EACL have them in the years that they are held.
_FINDINGS_FROM: Final = {"emnlp": 2020, "acl": 2021, "naacl": 2022, "aacl": 2022, "eacl": 2023}

VENUES: Final = MappingProxyType(
    {
        "acl": Venue("ACL", tuple(range(1979, 2027)), "Annual Meeting of the ACL"),
        "emnlp": Venue("EMNLP", tuple(range(2007, 2027)), "Empirical Methods in Natural Language Processing"),
        "naacl": Venue(
            "NAACL",
            (
                2001,
                2003,
                2004,
                2006,
                2007,
                2009,
                2010,
                2012,
                2013,
                2015,
                2016,
                2018,
                2019,
                2021,
                2022,
                2024,
                2025,
            ),
            "North American Chapter of the ACL",
        ),
        "eacl": Venue(
            "EACL",
            (*range(1983, 1996, 2), 1999, 2003, 2006, 2009, 2012, 2014, 2017, 2021, 2023, 2024, 2026),
            "European Chapter of the ACL",
        ),
        "aacl": Venue("AACL", (2020, 2022, 2023, 2025), "Asia-Pacific Chapter of the ACL, with IJCNLP"),
        "coling": Venue(
            "COLING",
            (1980, 1982, *range(1986, 2005, 2), *range(2008, 2019, 2), 2020, 2022, 2024, 2025),
            "International Conference on Computational Linguistics",
        ),
        "tacl": Venue("TACL", tuple(range(2013, 2027)), "Transactions of the ACL"),
        "cl": Venue("CL", tuple(range(1980, 2027)), "Computational Linguistics"),
    }
)

_SIDE: Final = re.compile(
    r"demo|student|srw|tutorial|industr|workshop|companion|findings|shared task|doctoral|abstracts|panel"
    r"|invited|interactive|posters?\b",
    re.IGNORECASE,
)
_MAIN_VOLUMES: Final = frozenset({"main", "long", "short"})
_PART: Final = re.compile(
    r"[(:]\s*(?:Volume \d+\s*[:,]\s*)?([^():]*(?:Papers|Demonstrations?|Tutorials?)[^():]*)\)?\s*$"
)


def start(slug: str, year: int) -> tuple[str, ...]:
    """The collection's file. Raises `SourceError` if the venue had no proceedings in that year."""
    if year < _FIRST_NEW and slug not in _LETTERS:
        raise SourceError(f"{slug}/{year}: the Anthology has no such edition; see `reprocensus sources`")
    return (f"{_DATA}/{_collection(slug, year)}.xml",)


def side(slug: str, year: int) -> tuple[str, ...]:
    """The file of the year's Findings, if the venue has a volume in it."""
    first = _FINDINGS_FROM.get(slug)
    if first is None or year < first or year not in VENUES[slug].years:
        return ()
    return (f"{_DATA}/{year}.findings.xml",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of a collection's volumes, and the collections of workshops held with it."""
    # The Anthology's files declare no document type; one that does may define entities that blow up.
    if "<!DOCTYPE" in page.text or "<!ENTITY" in page.text:
        return Found()
    try:
        root = ET.fromstring(page.text.lstrip("\ufeff \r\n\t").encode())
    except ET.ParseError:
        return Found()
    if root.tag != "collection":
        return Found()
    slug = edition.venue.lower()
    own = root.get("id", "") == _collection(slug, edition.year)
    papers: list[Listed] = []
    for volume in root.iter("volume"):
        if own or _is_held_with(root, volume, slug, edition.year):
            papers += _papers(root, volume, own)
    return Found(papers=tuple(papers), side=_colocated(root) if own else ())


def year_of(page: Page, slug: str) -> int | None:
    """The year in the collection's id; 0 if that is of another venue."""
    collection = re.search(r"<collection\s+id=[\"']([^\"']+)", page.text)
    number = re.match(r"(\d{4})\.|[A-Z](\d\d)$", collection[1]) if collection else None
    if not collection or not number:
        return None
    short = int(number[2] or 0)
    year = int(number[1] or (1900 if short > 50 else 2000) + short)
    is_side = collection[1] == f"{year}.findings" and slug in _FINDINGS_FROM
    return year if is_side or collection[1] == _collection(slug, year) else 0


def _collection(slug: str, year: int) -> str:
    if (slug, year) in _JOINT:
        return _JOINT[slug, year]
    return f"{year}.{slug}" if year >= _FIRST_NEW else f"{_LETTERS.get(slug, '')}{year % 100:02d}"


def _is_findings(root: ET.Element) -> bool:
    return root.get("id", "").endswith(".findings")


def _is_held_with(root: ET.Element, volume: ET.Element, slug: str, year: int) -> bool:
    """Whether a volume of another file belongs to an edition: its Findings, or a workshop since 2020."""
    said, dot, name = root.get("id", "").partition(".")
    if not dot or said != str(year) or name in VENUES:
        return False
    if not _is_findings(root):
        return True
    joint = _JOINT.get((slug, year), "").partition(".")[2]
    return volume.get("id", "").lower() in {slug, joint, "ijcnlp" if slug == "aacl" else slug}


def _papers(root: ET.Element, volume: ET.Element, own: bool) -> Iterator[Listed]:
    book = _text(volume.find("meta/booktitle"))
    track, main = _track(volume.get("id", ""), book, own)
    if _is_findings(root):
        track, main = "findings", False
    for paper in volume.iter("paper"):
        title = _text(paper.find("title"))
        key, pdf = _identity(root.get("id", ""), volume.get("id", ""), paper)
        authors = tuple(name for name in map(_name, paper.findall("author")) if name)
        abstract = _text(paper.find("abstract")) or None
        yield Listed(key, title, authors, f"{_SITE}{key}/", pdf, track, main, abstract)


def _track(volume: str, book: str, own: bool) -> tuple[str, bool]:
    """What a volume is called, and whether it is main: by its name since 2020, by the book's title before."""
    if not own:
        return book or "workshop", False
    if not volume.isdigit():
        return volume, volume in _MAIN_VOLUMES
    if _SIDE.search(book):
        return book, False
    part = _PART.search(book)
    return (collapse(part[1]) if part else MAIN), True


def _identity(collection: str, volume: str, paper: ET.Element) -> tuple[str, str | None]:
    """A paper's id and its PDF. The file says both in `url`; where it does not, there is no PDF."""
    number = paper.get("id", "")
    said = (paper.findtext("url") or "").strip()
    if said and "://" not in said:
        return said, absolute(_SITE, f"{said}.pdf")
    return _made_id(collection, volume, number), absolute(_SITE, said) if said else None


def _made_id(collection: str, volume: str, number: str) -> str:
    """The Anthology's rule: four digits after an old collection, of which the volume takes one or two."""
    if "." in collection or not (volume.isdigit() and number.isdigit()):
        return f"{collection}-{volume}.{number}"
    wide = collection[:1] == "W" or collection == "C69" or (collection == "D19" and int(volume) >= 5)
    return (
        f"{collection}-{int(volume):02d}{int(number):02d}"
        if wide
        else f"{collection}-{volume}{int(number):03d}"
    )


def _colocated(root: ET.Element) -> tuple[str, ...]:
    """The files of the workshops held with a conference: since 2020 each has a collection of its own."""
    found: dict[str, None] = {}
    for volume in root.iter("volume-id"):
        collection = _text(volume).rpartition("-")[0]
        year, dot, name = collection.partition(".")
        if dot and year.isdigit() and name != "findings" and collection != root.get("id"):
            found[f"{_DATA}/{collection}.xml"] = None
    return tuple(found)


def _name(author: ET.Element) -> str:
    parts = (author.findtext("first"), author.findtext("last"))
    return collapse(" ".join(part for part in parts if part)) or _text(author)


def _text(node: ET.Element | None) -> str:
    return "" if node is None else collapse("".join(node.itertext()))
