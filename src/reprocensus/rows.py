"""Records as rows of tables, and back. One place knows which field goes into which column."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from reprocensus.keys import digest
from reprocensus.records import (
    Caption,
    Document,
    Extracted,
    Failure,
    HiddenText,
    Paper,
    Section,
    SectionKind,
    Seen,
    Verdict,
)

Row = dict[str, Any]


def paper_row(
    paper: Paper, title: str, pdf_sha256: str | None, stamp: str | None, recorded_at: datetime
) -> Row:
    """A row of `papers`. `title` is the source's, or the one read off page 1."""
    return {
        "paper_id": paper.paper_id,
        "title": title,
        "authors": list(paper.authors),
        "abstract": paper.abstract,
        "source": paper.source,
        "track": paper.track,
        "main": paper.main,
        "landing_url": paper.landing_url,
        "pdf_url": paper.pdf_url,
        "pdf_sha256": pdf_sha256,
        "pdf_location": paper.location,
        "pdf_stamp": stamp,
        "listed_at": recorded_at,
        "recorded_at": recorded_at,
    }


def pdf_row(paper_id: str, seen: Seen, recorded_at: datetime) -> Row:
    """A row of `pdfs`."""
    return {"paper_id": paper_id, **asdict(seen), "recorded_at": recorded_at}


def seen_of(row: Mapping[str, Any]) -> Seen:
    """The PDF of a row of `pdfs`."""
    return Seen(**{field.name: row[field.name] for field in fields(Seen)})


def document_row(document: Document, recorded_at: datetime) -> Row:
    """A row of `documents`."""
    extracted = document.extracted
    return {
        "paper_id": document.paper_id,
        "pdf_sha256": document.pdf_sha256,
        "text_sha256": document.text_sha256,
        "title": extracted.title,
        "text": extracted.text,
        "page_starts": list(extracted.page_starts),
        "n_pages": extracted.n_pages,
        "sections": [asdict(section) for section in extracted.sections],
        "captions": [asdict(caption) for caption in extracted.captions],
        "hidden_text": [asdict(hidden) for hidden in extracted.hidden],
        "extractor": extracted.extractor,
        "extractor_version": extracted.extractor_version,
        "flags": list(extracted.flags),
        "recorded_at": recorded_at,
    }


def document_of(row: Mapping[str, Any]) -> Document:
    """The document of a row of `documents`."""
    sections = tuple(
        Section(SectionKind(s["kind"]), s["title"], s["start"], s["end"]) for s in row["sections"]
    )
    extracted = Extracted(
        text=row["text"],
        page_starts=tuple(row["page_starts"]),
        title=row["title"],
        sections=sections,
        flags=tuple(row["flags"]),
        extractor=row["extractor"],
        extractor_version=row["extractor_version"],
        captions=tuple(Caption(**caption) for caption in row["captions"] or ()),
        hidden=tuple(HiddenText(**hidden) for hidden in row["hidden_text"] or ()),
    )
    return Document(row["paper_id"], row["pdf_sha256"], row["text_sha256"], extracted)


def new_document(paper_id: str, pdf_sha256: str, extracted: Extracted) -> Document:
    """The document that an extraction makes."""
    return Document(paper_id, pdf_sha256, digest(extracted.text), extracted)


def verdict_row(verdict: Verdict, recorded_at: datetime) -> Row:
    """A row of `verdicts`."""
    # Of a night's half million, each with a deep copy of all its values: field by field is ten times as fast.
    row = {field.name: getattr(verdict, field.name) for field in fields(Verdict)}
    return {**row, "quotes": [asdict(quote) for quote in verdict.quotes], "recorded_at": recorded_at}


def failure_row(failure: Failure) -> Row:
    """A row of `failures`."""
    return {**asdict(failure), "recorded_at": failure.failed_at}


def scrubbed(value: Any) -> Any:
    """The value with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {key: scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(item) for item in value]
    return value
