"""Finds the PDF that a paper's page leads to: its abstract page, or a viewer around the PDF. Pure."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

#: Addresses of pages whose PDF stands at an address made from theirs: arXiv, OpenReview, OJS galleys.
_REWRITES: Final = (
    (re.compile(r"^(https?://(?:www\.|export\.)?arxiv\.org)/(?:abs|html)/(.+?)/?$"), r"\1/pdf/\2"),
    (re.compile(r"^(https?://openreview\.net)/forum\?(.*\bid=[^&#]+.*)$"), r"\1/pdf?\2"),
    (re.compile(r"^(.*/article)/(?:view|viewFile)/([^/?#]+/[^/?#]+)/?$"), r"\1/download/\2"),
)
_META: Final = ('meta[name="citation_pdf_url" i]', 'meta[name="eprints.document_url" i]')
_FRAMES: Final = (
    "iframe[src]",
    "embed[src]",
    "object[data]",
)
#: Links that say by their class or type that they are the paper. A mere `.pdf` in a page may be anything.
_LINKS: Final = (
    'a[type="application/pdf"]',
    "a.obj_galley_link.pdf",
    "a.galley-link.pdf",
    "a.pdf.obj_galley_link",
    'a[class*="download"][href*="/article/download/"]',
    'a[href*="/article/download/"]',
)


def find_pdf(body: bytes, url: str) -> str | None:
    """The address of the PDF that a page at `url` is about; None if the page names none, or only itself."""
    for candidate in _candidates(body, url):
        if candidate and candidate.partition("#")[0] != url.partition("#")[0]:
            return candidate
    return None


def rewritten(url: str) -> str | None:
    """The address of the PDF where the page's own address gives it away."""
    for pattern, replacement in _REWRITES:
        made, n = pattern.subn(replacement, url)
        if n:
            return made
    return None


def _candidates(body: bytes, url: str) -> Iterator[str | None]:
    from reprocensus.sources.html import absolute, attribute, parse

    tree = parse(body.decode("utf-8", "replace"))
    for selector in _META:
        for node in tree.css(selector):
            yield absolute(url, attribute(node, "content"))
    yield rewritten(url)
    for node in tree.css('meta[http-equiv="refresh" i]'):
        _, _, there = attribute(node, "content").partition("=")
        yield absolute(url, there.strip(" '\""))
    for selector in _FRAMES:
        for node in tree.css(selector):
            yield _framed(absolute(url, attribute(node, "src") or attribute(node, "data")), url)
    for selector in _LINKS:
        for node in tree.css(selector):
            # An OJS page links to its galley's viewer; the file is where "download" stands for "view".
            link = absolute(url, attribute(node, "href"))
            yield (rewritten(link) or link) if link else None


def _framed(link: str | None, url: str) -> str | None:
    """The PDF that a frame shows, as PDF.js's `file` parameter too; None for other frames."""
    from reprocensus.sources.html import absolute

    if link is None:
        return None
    parts = urlsplit(link)
    inner = parse_qs(parts.query).get("file")
    if inner:
        return absolute(url, unquote(inner[0]))
    path = parts.path.lower()
    return link if path.endswith(".pdf") or "/article/download/" in path else None
