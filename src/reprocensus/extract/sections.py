"""Divides a paper's text: front matter, abstract, body by headings, references, appendix, checklist."""

import re
from dataclasses import dataclass
from typing import Final

from reprocensus.extract.assemble import Placed
from reprocensus.extract.headings import is_known_name, name_of
from reprocensus.extract.paragraphs import Kind
from reprocensus.records import Section, SectionKind

_REFERENCES: Final = re.compile(
    r"(?:list of )?references?(?: and notes)?|bibliography|literature cited|works cited|literature",
    re.IGNORECASE,
)
_ABOUT_WORKS: Final = re.compile("r ?e ?f ?e ?r ?e ?n|biblio|literature|cited", re.IGNORECASE)
_MAX_HEADING: Final = 60
_APPENDIX: Final = re.compile(
    r"(?:technical |online |the )?(?:appendix|appendices|supplement(?:ary|al)?)\b.{0,60}", re.IGNORECASE
)
_LETTERED: Final = re.compile(r"(?:[A-Z]|[IVX]{1,4})(?:\.\d{1,2})*\s?[.:)]?\s+[A-Z\d].{2,}")
#: A heading behind a checklist; the checklist's own end in colons and question marks.
_FIRST_APPENDIX: Final = re.compile(r"A\s?[.:]?\s+[A-Z\d].+[^.:?!]")
_CHECKLIST: Final = re.compile(
    r"(?:.{0,40}\b)?(?:paper|reproducibility|author|submission|responsible nlp(?: research)?) checklist\b"
    r".{0,30}|checklist",
    re.IGNORECASE,
)
_ABSTRACT_RUN_IN: Final = re.compile(r"abstract\s?[.:—–-]", re.IGNORECASE)
_BODY_AGAIN: Final = re.compile(
    r"(?:acknowledge?ments?|author contributions?|funding|broader impact|ethic)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a section begins: offset, kind and title."""

    start: int
    kind: SectionKind
    title: str


def divide(placed: list[Placed], length: int) -> tuple[Section, ...]:
    """Return sections that cover `[0, length)` without gaps, in order, none empty."""
    marks = _Divider(placed).marks()
    return _cover(marks, length)


class _Divider:
    """Walks over the paragraphs and notes where sections begin."""

    def __init__(self, placed: list[Placed]) -> None:
        self._placed = placed
        self._references = _last_references(placed)

    def marks(self) -> list[_Mark]:
        """Section beginnings in order of their offsets."""
        marks = [_Mark(0, SectionKind.FRONT, "")]
        kind = SectionKind.FRONT
        for index, item in enumerate(self._placed):
            long = item.end - item.start > _MAX_HEADING and item.paragraph.kind is not Kind.HEADING
            found = None if long and kind is not SectionKind.FRONT else self._next(index, item, kind)
            if found is not None:
                kind = found.kind
                marks.append(found)
        return marks

    def _next(self, index: int, item: Placed, kind: SectionKind) -> _Mark | None:
        heading = item.paragraph.kind is Kind.HEADING
        if kind is SectionKind.FRONT and _ABSTRACT_RUN_IN.match(item.text):
            return _Mark(item.start, SectionKind.ABSTRACT, "Abstract")
        if index in self._references:
            return _Mark(item.start, SectionKind.REFERENCES, item.text)
        if not heading and not _stands_alone(item):
            return None
        kind_found = self._kind(index, item, kind)
        return None if kind_found is None else _Mark(item.start, kind_found, item.text)

    def _kind(self, index: int, item: Placed, kind: SectionKind) -> SectionKind | None:
        name = name_of(item.text)
        if _CHECKLIST.fullmatch(name):
            return SectionKind.CHECKLIST
        if kind in (SectionKind.FRONT, SectionKind.ABSTRACT):
            return _early(name, item, kind)
        if kind is SectionKind.REFERENCES:
            return self._after_references(index, item, name)
        if _APPENDIX.fullmatch(name) or _APPENDIX.fullmatch(item.text):
            late = item.start > 0.3 * self._placed[-1].end
            return SectionKind.APPENDIX if late or kind is SectionKind.APPENDIX else kind
        if kind is SectionKind.CHECKLIST and _FIRST_APPENDIX.fullmatch(item.text):
            return SectionKind.APPENDIX
        return kind

    def _after_references(self, index: int, item: Placed, name: str) -> SectionKind | None:
        if item.paragraph.kind is not Kind.HEADING and not is_known_name(item.text):
            return None
        if _APPENDIX.fullmatch(name) or _APPENDIX.match(item.text):
            return SectionKind.APPENDIX
        if _BODY_AGAIN.match(name):
            return SectionKind.BODY
        if not self._leaves_entries(index):
            return None
        return SectionKind.APPENDIX

    def _leaves_entries(self, index: int) -> bool:
        """Whether what follows a heading inside the references reads like prose rather than entries."""
        following = [item for item in self._placed[index + 1 : index + 9] if item.paragraph.kind is Kind.BODY]
        item = self._placed[index]
        if _LETTERED.fullmatch(item.text) or is_known_name(item.text):
            entries = sum(1 for other in following[:4] if _is_entry(other.text))
            return entries <= len(following[:4]) / 2
        entries = sum(1 for other in following[:6] if _is_entry(other.text))
        return bool(following) and entries <= len(following[:6]) / 3


def _is_entry(text: str) -> bool:
    """Whether a paragraph reads like one entry of a list of references."""
    if re.match(r"\[\w{1,12}\]\s", text):
        return True
    years = len(re.findall(r"\b(?:19|20)\d\d[a-z]?\b", text))
    names = len(re.findall(r"\b[A-Z]\.", text))
    return (
        len(text) < 700
        and years >= 1
        and (names >= 1 or bool(re.search(r"\bIn |arXiv|Proc|Press|Journal", text)))
    )


def _last_references(placed: list[Placed]) -> set[int]:
    """Indexes of the headings that open a list of references; a supplement may have its own."""
    found: set[int] = set()
    for index, item in enumerate(placed):
        if len(item.text) > _MAX_HEADING or not _ABOUT_WORKS.search(item.text):
            continue
        if not _REFERENCES.fullmatch(name_of(item.text)):
            continue
        if not (item.paragraph.kind is Kind.HEADING or _stands_alone(item)):
            continue
        following = placed[index + 1 : index + 13]
        if not following:
            continue
        entries = sum(
            1 for other in following if _is_entry(other.text) or re.match(r"\d{1,3}\.?\s", other.text)
        )
        if entries >= min(2, len(following)) or item.start > 0.5 * placed[-1].end:
            found.add(index)
    return found


def _stands_alone(item: Placed) -> bool:
    """Whether a plain line is nothing but a section's usual name, beginning with a capital."""
    return len(item.text) <= _MAX_HEADING and is_known_name(item.text)


def _early(name: str, item: Placed, kind: SectionKind) -> SectionKind | None:
    if name == "abstract":
        return SectionKind.ABSTRACT
    if name.startswith("keyword"):
        return None
    numbered = bool(re.match(r"(?:1|I)\s?[.:]?\s", item.text))
    if is_known_name(item.text) or numbered:
        return SectionKind.BODY
    # Before the abstract, large type is the title and the authors; after it, a heading opens the body.
    return SectionKind.BODY if kind is SectionKind.ABSTRACT else None


def _cover(marks: list[_Mark], length: int) -> tuple[Section, ...]:
    if len(marks) == 1 and length:
        # No heading at all: nothing tells front from body, and what is read must be body.
        return (Section(SectionKind.BODY, "", 0, length),)
    sections = []
    for mark, end in zip(marks, [mark.start for mark in marks[1:]] + [length], strict=True):
        if end > mark.start:
            sections.append(Section(mark.kind, mark.title, mark.start, end))
    return tuple(sections)
