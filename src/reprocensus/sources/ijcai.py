"""IJCAI: two layouts at ijcai.org/proceedings/<year>.

From 2017 a page has sections and subsections of boxes (`paper_wrapper`). To 2016 it is running text:
headings, and paragraphs of a title with its first page, authors, and links to abstract and PDF; in 2013 and
before the title itself is the link to the PDF. The key is the paper's number in the proceedings, which stands
in its PDF's name, its abstract's address and its DOI.

Main are the main track and the special tracks of research papers, as the existing census counts them to 2020
(2015's special track on machine learning is a fifth of the conference). Not main are survey, journal, sister
conference, early career and demonstration tracks, doctoral consortium, invited talks, exhibits and projects
of a special track, and the front matter, whose pages have Roman numbers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import Node, Tree, absolute, attribute, collapse, parse, text_of, title_key
from reprocensus.sources.proceedings import Found, Listed, Page, Venue

VENUES: Final = MappingProxyType(
    {
        "ijcai": Venue(
            "IJCAI",
            (*range(2003, 2015, 2), *range(2015, 2027)),
            "International Joint Conference on Artificial Intelligence; every other year before 2015",
        )
    }
)

_SIDE: Final = re.compile(
    r"\b(?:surveys?|sister|journals?|early career|doctoral|consortium|demos?|demonstrations?|invited"
    r"|exhibits?|projects?|keynotes?|panels?|tutorials?|workshops?|competitions?|front matter|preface"
    r"|posters?|videos?)\b",
    re.IGNORECASE,
)
_MAIN_TRACK: Final = "Main Track"
_FRONT_MATTER: Final = "Front matter"
_OWN: Final = re.compile(r"\bIJCAI\b|\bJoint Conferences? on Artificial Intelligence", re.IGNORECASE)
#: Printed above a paper, in bold, where a heading would stand.
_AWARD: Final = re.compile(r"distinguished|outstanding|best .*paper|honou?rable|\baward", re.IGNORECASE)
_CONTENTS: Final = re.compile(r"(?:table of )?contents?", re.IGNORECASE)
#: "Title / 123" or "Title / xxiv", in the running text.
_FIRST_PAGE: Final = re.compile(r"\s*/\s*(?P<page>\d+|[ivxlcdm]+)\s*$", re.IGNORECASE)
_LABELS: Final = frozenset({"abstract", "pdf", "details", "paper", "bib", "bibtex", "doi", "video", "poster"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS: Final = _HEADINGS | {
    "address", "article", "blockquote", "body", "center", "dd", "div", "dl", "dt", "li", "ol", "p", "section",
    "table", "tbody", "td", "th", "tr", "ul",
}  # fmt: skip


def start(slug: str, year: int) -> tuple[str, ...]:
    """The proceedings' one page."""
    return (f"https://www.ijcai.org/proceedings/{year}",)


def read(page: Page, edition: Edition) -> Found:
    """The papers of either layout."""
    tree = parse(page.text)
    if boxes := _boxes(tree, page.url):
        return Found(papers=tuple(boxes))
    # Much would pass for running text: it has to be IJCAI's.
    title = " ".join(text_of(node) for node in tree.css("title, h1"))
    return Found(papers=tuple(_running_text(tree, page.url)) if _OWN.search(title) else ())


def year_of(page: Page, slug: str) -> int | None:
    """The year in the page's address, which its body's class repeats."""
    said = f"{urlsplit(page.url).path} {attribute(parse(page.text).css_first('body'), 'class')}"
    year = re.search(r"proceedings[/-](\d{4})\b", said, re.IGNORECASE)
    return int(year[1]) if year else None


def _boxes(tree: Tree, url: str) -> list[Listed]:
    # Links such as "0001.pdf" are meant from the folder, also where the address lacks its slash.
    base = url if urlsplit(url).path.endswith(("/", ".php", ".html")) else f"{url}/"
    found = []
    for box in tree.css(".paper_wrapper"):
        title = text_of(box.css_first(".title"))
        links = [(text_of(a).lower(), absolute(base, attribute(a, "href"))) for a in box.css("a")]
        pdf = next((to for label, to in links if to and _is_pdf(label, to)), None)
        landing = next((to for label, to in links if to and not _is_pdf(label, to)), None)
        if not title and not pdf:
            continue
        track = _track_of(box)
        key = _number(pdf) or _number(landing) or title_key(title)
        found.append(
            Listed(
                key,
                title,
                names_in(text_of(box.css_first(".authors"))),
                landing,
                pdf,
                track,
                main=_is_main(track),
            )
        )
    return found


def _track_of(box: Node) -> str:
    """The titles of the nearest section and subsection around a box: "Main Track: Robotics"."""
    names: dict[str, str] = {}
    node = box.parent
    while node is not None:
        for level in ("section", "subsection"):
            if level in attribute(node, "class").split() and level not in names:
                names[level] = _own_title(node, f"{level}_title")
        node = node.parent
    said = [names.get("section", ""), names.get("subsection", "")]
    return ": ".join(name for name in said if name) or _MAIN_TRACK


def _own_title(section: Node, name: str) -> str:
    for child in section.iter():
        if name in attribute(child, "class").split():
            return text_of(child)
    return ""


@dataclass(slots=True)
class _Line:
    """A line of running text: what stands between two breaks, within one block."""

    block: int
    heading: bool
    text: str = ""
    bold: bool = True
    italic: bool = True
    links: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_menu(self) -> bool:
        """Whether it is the line of links below a paper: Abstract | PDF."""
        return bool(self.links) and _bare(self.links[0][0]) in _LABELS


@dataclass(slots=True)
class _Entry:
    """A paper of the running text, while its lines are gathered."""

    lines: list[_Line] = field(default_factory=list)
    pdf: str | None = None
    landing: str | None = None


def _running_text(tree: Tree, url: str) -> Iterator[Listed]:
    root = tree.css_first("#post-content") or tree.body
    section = ""
    for item in _entries(_lines(root) if root is not None else iter(()), url):
        if isinstance(item, str):
            if not _AWARD.search(item) or _SIDE.search(item):
                section = "" if _CONTENTS.fullmatch(item) else item
            continue
        title, first_page, authors = _parts(item.lines)
        if not (item.pdf or item.landing or first_page):
            continue
        roman = bool(first_page) and not first_page.isdigit()
        track = _FRONT_MATTER if roman else section or _MAIN_TRACK
        yield Listed(
            _number(item.pdf) or _number(item.landing) or title_key(title),
            title,
            names_in(authors),
            item.landing,
            item.pdf,
            track,
            main=_is_main(track),
        )


def _parts(lines: list[_Line]) -> tuple[str, str, str]:
    """Title, first page and authors of a paper.

    The title ends with the first page, or with the first line. A line in bold before it is an award, not the
    title. Authors are the lines in italics below, or all lines below.
    """
    paged = [number for number, line in enumerate(lines) if _FIRST_PAGE.search(line.text)]
    plain = [number for number, line in enumerate(lines) if not line.bold]
    last = (paged or plain or [0])[0]
    title = " ".join(line.text for line in lines[: last + 1] if lines[last].bold or not line.bold)
    match = _FIRST_PAGE.search(title)
    below = lines[last + 1 :]
    authors = [line.text for line in below if line.italic] or [line.text for line in below]
    return (
        title[: match.start()].strip() if match else title,
        match["page"] if match else "",
        ", ".join(authors),
    )


def _entries(lines: Iterator[_Line], url: str) -> Iterator[_Entry | str]:
    """The papers of the text in their order, and between them the headings.

    A paper begins with a block, or with a title that links a PDF. It ends with the line of links to its
    abstract and PDF, or before the next block, unless that begins with its authors or its links.
    """
    entry: _Entry | None = None
    for _, group in groupby(lines, key=lambda line: line.block):
        inside = list(group)
        first = inside[0]
        if entry and not (first.is_menu or (first.italic and not _FIRST_PAGE.search(first.text))):
            yield entry
            entry = None
        if first.heading or (len(inside) == 1 and first.bold and not first.links):
            yield " ".join(line.text for line in inside)
            continue
        for line in inside:
            if line.is_menu:
                if entry:
                    yield _linked(entry, line, url)
                entry = None
                continue
            titled = [href for label, href in line.links if _is_pdf("", href)]
            if entry and titled:
                yield entry
                entry = None
            entry = entry or _Entry()
            entry.lines.append(line)
            if titled:
                entry.pdf = absolute(url, titled[0])
    if entry:
        yield entry


def _linked(entry: _Entry, menu: _Line, url: str) -> _Entry:
    for label, href in menu.links:
        if _is_pdf(label, href):
            entry.pdf = entry.pdf or absolute(url, href)
        elif _bare(label) in _LABELS:
            entry.landing = entry.landing or absolute(url, href)
    return entry


def _is_main(track: str) -> bool:
    return track.lower().startswith(_MAIN_TRACK.lower()) or not _SIDE.search(track)


def _bare(label: str) -> str:
    return label.strip("[]() ").lower()


def _lines(root: Node) -> Iterator[_Line]:
    """The lines of text below a node, cut at <br> and at the bounds of blocks."""
    line: _Line | None = None
    for node in root.traverse(include_text=True):
        if node.tag == "br":
            if line and collapse(line.text):
                yield _tidy(line)
            line = None
        elif node.tag == "-text":
            around = _around(node)
            if around is None:
                continue
            block, inline = around
            if line is None or line.block != block.mem_id:
                if line and collapse(line.text):
                    yield _tidy(line)
                line = _Line(block.mem_id, block.tag in _HEADINGS)
            text = node.text_content or ""
            line.text += text
            if text.strip():
                line.bold &= any(n.tag in ("b", "strong") for n in inline)
                line.italic &= any(n.tag in ("em", "i") for n in inline)
            anchor = next((n for n in inline if n.tag == "a"), None)
            if anchor is not None:
                _link(line, collapse(text), attribute(anchor, "href"))
    if line and collapse(line.text):
        yield _tidy(line)


def _link(line: _Line, label: str, href: str) -> None:
    """Add a piece of a link's text: a link may hold several, as where a word of it is set in italics."""
    if line.links and line.links[-1][1] == href:
        line.links[-1] = (f"{line.links[-1][0]} {label}".strip(), href)
    elif label:
        line.links.append((label, href))


def _tidy(line: _Line) -> _Line:
    line.text = collapse(line.text)
    return line


def _around(text: Node) -> tuple[Node, list[Node]] | None:
    """The block that a text stands in, and the inline elements between; None for scripts and the like."""
    inline: list[Node] = []
    node = text.parent
    while node is not None:
        if node.tag in ("script", "style", "head", "noscript"):
            return None
        if node.tag in _BLOCKS:
            return node, inline
        inline.append(node)
        node = node.parent
    return None


def _is_pdf(label: str, address: str) -> bool:
    return urlsplit(address).path.lower().endswith(".pdf") or _bare(label) == "pdf"


def _number(address: str | None) -> str | None:
    """The paper's number in `/proceedings/2017/0001.pdf`, `/proceedings/2017/1` or `/Abstract/15/001`."""
    name = urlsplit(address or "").path.rstrip("/").rpartition("/")[2]
    stem = re.sub(r"\.pdf$", "", name, flags=re.IGNORECASE)
    return (stem.lstrip("0") or "0") if stem.isdigit() else stem or None
