"""OpenReview's API, versions 1 and 2, as plain JSON: submissions and their decisions, page by page. Pure.

Where a decision stands changed with the years: in the submission's `decision` (2013), in its `venue` (2017,
and since 2021), or in a reply whose invitation ends in `Decision`, `Acceptance_Decision` or `Meta_Review`
(2018 to 2021). `venueid` is no evidence in version 1: rejected papers have the conference's too.
See https://docs.openreview.net/reference/api-v1.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from reprocensus.records import Edition
from reprocensus.sources.authors import names_in
from reprocensus.sources.html import collapse
from reprocensus.sources.proceedings import MAIN, Found, Listed, Page

_API: Final = "https://api.openreview.net/notes"
_SITE: Final = "https://openreview.net"
#: A page of submissions with all their reviews is some 10 MB; the API allows 1,000.
_LIMIT: Final = 500
_LOWER_CASE_UNTIL: Final = 2017
_REPLIES: Final = range(2018, 2022)
_DECIDES: Final = re.compile(r"(?:/|_)(?:Decision|Meta_Review)$|/acceptance$")
#: Words of `venue` and of decisions, in the order in which they are looked for. None: not accepted.
_STATUS: Final[tuple[tuple[str, str | None], ...]] = (
    ("reject", None),
    ("withdraw", None),
    ("submitted", None),
    ("workshop", "workshop"),
    ("oral", "oral"),
    ("talk", "oral"),
    ("top 5%", "oral"),
    ("top-5%", "oral"),
    ("spotlight", "spotlight"),
    ("top 25%", "spotlight"),
    ("top-25%", "spotlight"),
    ("poster", "poster"),
    ("accept", MAIN),
)


def iclr_start(year: int) -> tuple[str, ...]:
    """The first page of an ICLR's submissions."""
    name = "conference/-/submission" if year <= _LOWER_CASE_UNTIL else "Conference/-/Blind_Submission"
    query = {"invitation": f"ICLR.cc/{year}/{name}", "limit": _LIMIT, "offset": 0}
    if year in _REPLIES:
        query["details"] = "directReplies"
    return (f"{_API}?{urlencode(query)}",)


def read(page: Page, edition: Edition) -> Found:
    """The accepted papers of one page of submissions, and the next page."""
    try:
        answer = json.loads(page.text)
    except ValueError:
        return Found()
    # A list alone is what openreview-py's notes are when they are dumped.
    notes = answer.get("notes") if isinstance(answer, dict) else answer
    count = answer.get("count") if isinstance(answer, dict) else len(answer)
    if not isinstance(notes, list):
        return Found()
    papers: list[Listed] = []
    undecided = 0
    submissions = [note for note in notes if isinstance(note, dict) and _is_submission(note)]
    for note in submissions:
        said = _decision(note)
        if not said:
            undecided += 1
            continue
        track = _track(said)
        if track:
            papers.append(_listed(note, track))
    told = f"{undecided} of {len(submissions)} submissions on {page.url} have no decision and were left out"
    return Found(
        tuple(papers),
        _next(page.url, len(notes), count),
        seen=len(submissions) - undecided,
        notes=(told,) if undecided else (),
    )


def year_of(page: Page) -> int | None:
    """The year in the invitations of the page's notes."""
    named = re.search(r"ICLR\.cc/(\d{4})/", page.text)
    return int(named[1]) if named else None


def _is_submission(note: Mapping[str, Any]) -> bool:
    return bool(note.get("id")) and note.get("forum", note["id"]) == note["id"]


def _value(content: Any, name: str) -> Any:
    """A field of `content`; version 2 wraps each in an object."""
    found = content.get(name) if isinstance(content, dict) else None
    return found.get("value") if isinstance(found, dict) else found


def _decision(note: Mapping[str, Any]) -> str:
    """What was decided, in the words of the venue; '' if nothing public says."""
    content = note.get("content")
    for name in ("venue", "decision"):
        said = _value(content, name)
        if isinstance(said, str) and said.strip():
            return said
    details = note.get("details") or {}
    for reply in details.get("directReplies") or details.get("replies") or ():
        invitations = reply.get("invitations") or [reply.get("invitation") or ""]
        if not any(_DECIDES.search(str(invitation)) for invitation in invitations):
            continue
        for name in ("decision", "recommendation"):
            said = _value(reply.get("content"), name)
            if isinstance(said, str) and said.strip():
                return said
    return ""


def _track(said: str) -> str | None:
    folded = said.casefold()
    # "conferencePoster-iclr2013-workshop" was invited to the workshop; "conferenceOral-..." is a talk.
    return next((track for word, track in _STATUS if word in folded), None)


def _listed(note: Mapping[str, Any], track: str) -> Listed:
    content, name = note.get("content"), str(note["id"])
    authors = _value(content, "authors") or ()
    names = names_in(authors) if isinstance(authors, str) else tuple(collapse(str(a)) for a in authors)
    abstract = _value(content, "abstract")
    return Listed(
        key=name,
        title=collapse(str(_value(content, "title") or "")),
        authors=tuple(a for a in names if a),
        landing_url=f"{_SITE}/forum?id={name}",
        pdf_url=_pdf(_value(content, "pdf"), name),
        track=track,
        main=track != "workshop",
        abstract=abstract if isinstance(abstract, str) else None,
    )


def _pdf(said: Any, name: str) -> str | None:
    """Where the PDF is: at OpenReview, or, for some of 2013 and 2017, at arXiv."""
    if not isinstance(said, str) or not said.strip():
        return None
    if said.startswith(("http://", "https://")) and "openreview.net" not in urlsplit(said).netloc:
        arxiv = re.search(r"arxiv\.org/(?:abs|pdf)/([\w./-]+?)(?:\.pdf)?$", said)
        return f"https://arxiv.org/pdf/{arxiv[1]}.pdf" if arxiv else said
    return f"{_SITE}/pdf?id={name}"


def _next(url: str, got: int, count: Any) -> tuple[str, ...]:
    """The page after this one: while there are more notes than were read; uncounted, after a full page."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if not got or "invitation" not in query:
        return ()
    offset = int(query.get("offset", "0")) + got
    limit = int(query.get("limit", str(_LIMIT)))
    if offset >= count if isinstance(count, int) else got < limit:
        return ()
    return (urlunsplit(parts._replace(query=urlencode({**query, "offset": offset}))),)
