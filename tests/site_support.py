"""What the tests of the site share: a store with hostile papers, a web server, links, Chromium."""

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from typing_extensions import override

from conftest import PAPER, ROOT, make_pdf

TOOLS = ROOT / "tests" / "browser" / "node_modules"

SCRIPT = "<script>alert(1)</script>"
BIDI = "A title \u202egnp.exe that turns \u2066around\u2069"
#: paper_id, title, authors, text of the PDF's first lines (None: no PDF, which is a failure).
PAPERS: list[tuple[str, str, list[str], str | None]] = [
    ("ALPHA-2022/plain", "A Small Study of Numbers", ["Ada Byron", "Émile Zürn"], PAPER),
    ("ALPHA-2022/script", f"{SCRIPT} in a title", [f"Eve {SCRIPT}"], PAPER.replace("MNIST", SCRIPT)),
    ("ALPHA-2022/attribute", "\" onmouseover=\"alert(1)' x='", ["O'Brien \"Q\" <b>"], PAPER),
    ("ALPHA-2022/textarea", "</textarea></title></table> Closing", ["A. B."], PAPER.replace(
        "We split the data", "</textarea></q> We split the data")),
    ("ALPHA-2022/bidi", BIDI, ["\u202eDlrow Olleh"], PAPER),
    ("ALPHA-2022/emoji", "Emoji 🦄👩‍🔬 and 𝔘nicode ﬁelds", ["Zoë 🧪"], PAPER),
    ("ALPHA-2022/long", "Long " * 2000, [f"Author Number {n}" for n in range(300)], PAPER),
    ("ALPHA-2022/.. up/~x%2e", "Dots and slashes", ["A. B."], PAPER),
    ("ALPHA-2022/template", "{{ 7*7 }} {% raw %} ${7*7}", ["A. B."], PAPER),
    ("ALPHA-2022/missing", "A paper without a PDF", ["A. B."], None),
    ("ALPHA-2023/next", "Numbers Revisited: Diffusion of Integers", ["Ada Byron"],
        PAPER.replace("MNIST", "CIFAR-10")),
    ("ALPHA-2023/theory", "On the Theory of Nothing", ["Zenon"],
        "On Nothing\nZenon\nUniversity of Ulm, Germany\nAbstract\nWe prove it."
        "\n1 Introduction\nTheorem 1. Nothing holds.\nProof. Obvious. This is a purely theoretical paper.\n"),
    ("BETA <&> \"X\"-2023/one", "Venue with odd marks", ["Ada Byron"], PAPER),
    ("BETA <&> \"X\"-2023/two", "Another one there", ["Grace Hopper"], PAPER),
]  # fmt: skip


def write_papers(folder: Path) -> Path:
    """The papers as PDFs and a manifest, with addresses that no page may link to."""
    lines = []
    for number, (paper_id, title, authors, text) in enumerate(PAPERS):
        venue, _, year = paper_id.split("/")[0].rpartition("-")
        file = folder / f"{number}.pdf"
        if text is not None:
            file.write_bytes(make_pdf(text))
        bad = (
            "javascript:alert(1)//",
            "data:text/html,x",
            "https://user:pass@evil.example/",
            "//evil.example/",
        )
        lines.append(
            {
                "id": paper_id,
                "title": title,
                "authors": authors,
                "venue": venue,
                "year": int(year),
                "file": file.name,
                "official_url": bad[number % 4] if number else "https://good.example/paper.pdf",
            }
        )
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return manifest


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".webp": "image/webp",
        ".js": "text/javascript",
    }

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A plain web server of a folder below `/sub/`, as on GitHub and in buckets; the site's address."""
    outer = folder.parent / "served"
    outer.mkdir(exist_ok=True)
    link = outer / "sub"
    if not link.exists():
        link.symlink_to(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(outer)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/sub/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Page:
    """A page's links and anchors, and what is written into it that should not be."""

    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.page.ids.append(value)
            elif name in ("href", "action", "data-rows", "data-index"):
                (self.page.loaded if tag == "link" else self.page.links).append(value or "")
            elif name in ("src", "srcset"):
                self.page.loaded.append(value or "")
            elif name.startswith("on") or name == "style":
                self.page.inline.append(f"{tag} {name}")
        if tag in ("script", "style", "iframe", "object", "embed", "base") and not any(
            n == "src" for n, _ in attrs
        ):
            self.page.inline.append(tag)


def read_page(file: Path) -> Page:
    """A page's links, anchors and inline code."""
    reader = _Reader()
    reader.feed(file.read_text("utf-8"))
    reader.close()
    return reader.page


def dead_links(site: Path) -> list[str]:
    """Links of the static site that lead nowhere: to no file, or to no anchor of a page."""
    pages = {file: read_page(file) for file in site.rglob("*.html")}
    dead = []
    for file, page in pages.items():
        here = "http://site/sub/" + file.relative_to(site).as_posix()
        for link in [*page.links, *page.loaded]:
            target = urlsplit(urljoin(here.removesuffix("index.html"), link))
            if target.scheme not in ("http", "https") or target.netloc != "site":
                continue
            path = unquote(target.path).removeprefix("/sub/")
            found = site / path
            found = found / "index.html" if not path or path.endswith("/") else found
            if ".." in path.split("/") or not found.exists():
                if not (link.endswith("search/index/") and found.parent.is_dir()):
                    dead.append(f"{file.relative_to(site)}: {link}")
            elif target.fragment and found in pages and unquote(target.fragment) not in pages[found].ids:
                dead.append(f"{file.relative_to(site)}: {link} (no such anchor)")
    return dead


def need(what: str, there: bool) -> None:
    """Skips the test where a tool is absent; in CI that is a failure."""
    if not there:
        words = f"needs {what}, which is not here: `make browser` installs it"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)


def chromium() -> str:
    """Chromium's path; skips where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    need("Chromium", found is not None)
    return found or ""


def tool(path: str) -> Path:
    """A file of an npm package that the tests use; skips where it is absent."""
    found = TOOLS / path
    need(path.split("/", maxsplit=1)[0], found.exists())
    return found


@dataclass
class Seen:
    """What Chromium asked for and said while a page was open."""

    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    weight: int = 0


def watch(page: Any) -> Seen:
    """Writes down the page's requests, the bytes that came but for pictures, and all that went wrong."""
    seen = Seen()

    def answered(response: Any) -> None:
        kind = response.headers.get("content-type", "")
        if not kind.startswith(("image/", "application/pdf")) and response.ok:
            seen.weight += int(response.headers.get("content-length") or 0)

    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("response", answered)
    page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: _refuse(seen, dialog))
    page.on("console", lambda message: _note(seen, message))
    return seen


def _note(seen: Seen, message: Any) -> None:
    if message.type in ("error", "warning") or re.search("Content.Security|Refused|violates", message.text):
        seen.said.append(f"{message.type}: {message.text}")


def _refuse(seen: Seen, dialog: Any) -> None:
    seen.said.append(f"dialog: {dialog.message}")
    dialog.dismiss()
