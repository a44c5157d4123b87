"""ICLR's archived programmes of 2014 to 2016: lines of text in which links to arXiv are the papers. Pure.

2014 is a Google Sites page of paragraphs and divs, 2015 and 2016 are wiki pages of lists. In all of them a
paper is a link to arXiv with its title, the authors follow to the end of its item, and headings or lines such
as "Workshop Posters:" say the track.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reprocensus.sources.html import Node, Tree, absolute, attribute, collapse, text_of, title_key
from reprocensus.sources.proceedings import Listed, Page

_BLOCKS: Final = frozenset({"p", "div", "li", "br", "h1", "h2", "h3", "h4", "tr", "td", "ol", "ul"})
_ARXIV: Final = re.compile(r"arxiv\.org/(?:abs|pdf)/(?P<id>(?:[a-z-]+(?:\.[A-Z]{2})?/)?[\d.]+\d)(?:v\d+)?")
_TRACKS: Final = (
    ("workshop", re.compile(r"\bworkshop (?:posters?|papers?|track|presentations?)\b", re.IGNORECASE)),
    ("poster", re.compile(r"\b(?:conference posters?|poster (?:presentations?|session))\b", re.IGNORECASE)),
    ("oral", re.compile(r"\boral (?:presentations?|session)\b", re.IGNORECASE)),
)
#: A line of the programme that is no author: a time, a day, a break.
_PROGRAMME: Final = re.compile(
    r"^(?:\d{1,2}:\d\d\b|(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|(?:conference|workshop) posters?\b)",
    re.IGNORECASE,
)
_MEETING: Final = re.compile(r"^\d{1,2}:\d\d\s*[-–]\s*\d{1,2}:\d\d\s*$")


@dataclass(slots=True)
class _Line:
    """A line as a reader sees it. `links`: address and text of its links, in order."""

    text: str
    links: list[tuple[str, str]]
    heading: bool


def read(page: Page, tree: Tree) -> tuple[Listed, ...]:
    """The papers of an archived programme; none if the page links to no paper on arXiv."""
    track = "main"
    papers: list[Listed] = []
    open_paper = False
    for line in _lines(page, tree):
        links = [(url, text, m) for url, text in line.links if text and (m := _ARXIV.search(url))]
        if not links:
            said = next((name for name, pattern in _TRACKS if pattern.search(line.text)), None)
            track = said or track
            if said or line.heading or _PROGRAMME.match(line.text):
                open_paper = False
            elif open_paper and line.text:
                papers[-1] = _with_authors(papers[-1], line.text)
            continue
        for _, title, matched in links:
            # An old number has its subject before it: `cs/0701001`, which may not stand in a key.
            papers.append(
                Listed(
                    key=matched["id"].replace("/", "_") or title_key(title),
                    title=title,
                    authors=(),
                    landing_url=f"https://arxiv.org/abs/{matched['id']}",
                    pdf_url=f"https://arxiv.org/pdf/{matched['id']}.pdf",
                    track=track,
                    main=track != "workshop",
                )
            )
        rest = line.text
        for _, text in line.links:
            rest = rest.replace(text, " ", 1)
        if not _MEETING.match(rest.strip()):
            papers[-1] = _with_authors(papers[-1], re.sub(r"^[\d:\s–-]+", "", collapse(rest)))
        open_paper = True
    return tuple(papers)


def _with_authors(paper: Listed, said: str) -> Listed:
    """The paper with further authors: divided by semicolons if there are any, else by commas and "and"."""
    divider = r"\s*;\s*" if ";" in said else r"\s*(?:,\s*and\s+|,\s*|\s+and\s+)"
    names = tuple(name for part in re.split(divider, said) if (name := part.strip(" ,;.[]")))
    return Listed(
        paper.key,
        paper.title,
        (*paper.authors, *names),
        paper.landing_url,
        paper.pdf_url,
        paper.track,
        paper.main,
    )


def _lines(page: Page, tree: Tree) -> Iterator[_Line]:
    """The page's lines: the start and the end of a block end one, and so does a break outside of a list."""
    line = _Line("", [], False)
    for event in _events(tree.body, in_item=False):
        if isinstance(event, str):
            line.text += event
        elif event is not None and event.tag == "a":
            address = absolute(page.url, attribute(event, "href"))
            said = text_of(event)
            if address and said:
                line.links.append((address, said))
        else:
            if line.text.strip() or line.links:
                yield _Line(collapse(line.text), line.links, line.heading)
            line = _Line("", [], event is not None and (event.tag or "").startswith("h"))
    if line.text.strip() or line.links:
        yield _Line(collapse(line.text), line.links, line.heading)


def _events(node: Node | None, *, in_item: bool) -> Iterator[str | Node | None]:
    """Text, links and blocks in their order; a block is itself where it starts and None where it ends."""
    if node is None or node.tag in ("script", "style"):
        return
    if node.tag == "-text":
        yield node.text_content or ""
        return
    # Within a list's item a break parts title and authors of one paper.
    block = node.tag in _BLOCKS and not (node.tag == "br" and in_item)
    if block or node.tag == "a":
        yield node
    elif node.tag == "br":
        yield " "
    for child in node.iter(include_text=True):
        yield from _events(child, in_item=in_item or node.tag == "li")
    if block:
        yield None
