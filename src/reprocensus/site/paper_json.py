"""What a paper's page says, as JSON for programs. Pure."""

import json
from typing import Any

from reprocensus.records import Edition
from reprocensus.site.papers import Judgement, PaperPage
from reprocensus.site.safe import plain


def paper_json(edition: Edition, page: PaperPage) -> bytes:
    """The page's content. Addresses are relative to the site's root, or of the web."""
    content = {
        "paper_id": page.paper_id,
        "other_names": list(page.names),
        "title": page.row["title"],
        "authors": page.row["authors"],
        "venue": edition.venue,
        "year": edition.year,
        "track": page.row["track"],
        "conference_pdf": page.conference_pdf,
        "archive_pdf": page.archive_pdf,
        "pdf_sha256": page.row["pdf_sha256"],
        "plain_text": page.plain_text,
        "engine": page.engine or None,
        "models": list(page.models),
        "runs": list(page.runs),
        "documentation_score": page.score,
        "documentation_score_of": page.most,
        "variables": [_judgement(judgement) for judgement in page.judgements],
        "failures": [
            {key: row[key] for key in ("stage", "kind", "variable", "engine", "failed_at")}
            for row in page.failures
        ],
    }
    return json.dumps(_cleaned(content), ensure_ascii=False, indent=1, default=str).encode("utf-8", "replace")


def _judgement(judgement: Judgement) -> dict[str, Any]:
    keys = ("engine", "model", "label", "run_id", "judged_at")
    return {
        "variable": judgement.variable.name,
        "label": judgement.label,
        "confidence": judgement.confidence,
        "needs_review": judgement.needs_review,
        "rationale": judgement.rationale,
        "quotes": [
            {"text": q.text, "page": q.page, "start": q.start, "end": q.end, "match": q.match}
            for q in judgement.quotes
        ],
        "people": [{k: row[k] for k in ("label", "labelled_by", "labelled_at")} for row in judgement.people],
        "other_engines": [{k: row[k] for k in keys} for row in judgement.others],
        "earlier": [{k: row[k] for k in keys} for row in judgement.earlier],
    }


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
