"""Pages of proceedings: where they come from, how bytes become text, and what an empty one really is.

`SavedPages` reads files and folders. Pages from the network come from `online`.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from reprocensus.errors import ListError, SourceError
from reprocensus.sources.barriers import barrier
from reprocensus.sources.html import Tree, absolute, attribute, parse, text_of
from reprocensus.sources.proceedings import Page

#: Files of a folder that can be pages: HTML, a PMLR volume's posts, OpenReview's JSON, the Anthology's XML.
_SUFFIXES: Final = frozenset({".html", ".htm", ".md", ".json", ".xml"})
_URLS: Final = "urls.jsonl"
#: The kind of failure that a page without its end is.
CUT_OFF: Final = "cut_off"
#: Scripts and comments may follow the end.
_END_WITHIN: Final = 2**16
_LONGEST_PAGE: Final = 64 * 2**20
_META_WITHIN: Final = 4096
_UTF16: Final = (
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_REFUSALS: Final = ("403 forbidden", "access denied", "access to this page has been denied", "forbidden")


class Pages(Protocol):
    """Somewhere that pages come from."""

    def get(self, url: str) -> Page:
        """The page at an address. Raises `PaperError` if it cannot be had."""


def same_address(url: str) -> str:
    """What two addresses of one page have in common: no scheme, no www, no slash at the end."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    path = parts.path.removesuffix("index.html").rstrip("/")
    return f"{(parts.netloc or '').lower().removeprefix('www.')}{path}{query}"


def decode(data: bytes, content_type: str = "") -> str:
    """A page's text. Bytes that are valid UTF-8 are UTF-8, whatever the header or the page says.

    Unless they begin with UTF-16's byte order mark or with a `<` of two bytes.
    Else the byte order mark, the header's charset, the page's own, and at last Windows-1252 decide; what none
    of them can read becomes U+FFFD.
    """
    for mark, name in _UTF16:
        if data.startswith(mark):
            return data.decode(name, "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    head = data[:_META_WITHIN].decode("ascii", "replace")
    for declared in (content_type, head):
        named = re.search(r"""(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", declared, re.IGNORECASE)
        if named:
            return _decoded(data, named[1])
    return data.decode("cp1252", "replace")


def _decoded(data: bytes, charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        name = "cp1252"
    # As browsers do: what calls itself Latin-1 or ASCII has the quotes and dashes of Windows-1252.
    return data.decode("cp1252" if name in ("iso8859-1", "ascii") else name, "replace")


def why_cut(page: Page) -> ListError | None:
    """Why a page that lists papers may not list them all: its end is missing. None if it is there."""
    head, tail = page.text[:_META_WITHIN].casefold(), page.text[-_END_WITHIN:].casefold()
    if "<html" not in head or "</html" in tail or "</body" in tail:
        return None
    return ListError(
        CUT_OFF,
        f"{page.url} ends in the middle, without </body> or </html>: papers may be missing; save it again, "
        "or run again with --accept-fewer if it is whole",
        transient=True,
    )


def why_empty(page: Page) -> ListError:
    """What a page is from which no paper could be read: a login, a challenge, a refusal, or a new layout."""
    text = page.text.lstrip("\ufeff \t\r\n")
    if text.startswith(("{", "[")):
        return _why_empty_json(page, text)
    tree = parse(page.text)
    title, said = text_of(tree.css_first("title")).casefold(), text_of(tree.body).casefold()
    heading = " ".join(text_of(node) for node in tree.css("h1")).casefold()
    found = barrier(tree)
    if found == "challenge":
        return ListError(
            "challenge",
            f"{page.url} asks whether a person is reading (“{(title or heading)[:60]}”); it is not "
            "circumvented: save the page in a browser and name it with --listing",
        )
    if found == "login":
        return ListError(
            "login",
            f"{page.url} is a login page (“{title[:60]}”) where a list of papers should be; open it in a "
            "browser and name the saved page with --listing",
        )
    if not said:
        return ListError("empty_page", f"{page.url} is an empty page", transient=True)
    if any(word in title or word in heading for word in _REFUSALS):
        return ListError("refused", f"{page.url} refuses to be read (“{(title or heading)[:60]}”)")
    return ListError(
        "no_papers",
        f"{page.url} lists no paper (“{(title or heading or said)[:60]}”): it is another page, or its layout "
        "is one that the adapter does not know",
    )


def _why_empty_json(page: Page, text: str) -> ListError:
    try:
        said: Any = json.loads(text)
    except ValueError as error:
        return ListError("broken_page", f"{page.url} is JSON that breaks off: {error}", transient=True)
    name = str(said.get("name") or said.get("error") or "") if isinstance(said, dict) else ""
    message = str(said.get("message") or said.get("errors") or "") if isinstance(said, dict) else ""
    told = f"{name}: {message}".strip(": ")[:200]
    folded = told.casefold()
    if "challenge" in folded or "captcha" in folded:
        return ListError("challenge", f"{page.url} asks for a challenge ({told}); it is not circumvented")
    if any(word in folded for word in ("forbidden", "login", "log in", "unauthorized", "token")):
        return ListError("login", f"{page.url} wants a login: {told}")
    if "ratelimit" in folded or "too many" in folded:
        return ListError("rate_limited", f"{page.url}: {told}; wait and try again", transient=True)
    return ListError("no_papers", f"{page.url} lists no paper" + (f": {told}" if told else ""))


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page on disk. `url` is empty where nothing says which address it came from."""

    file: Path
    page: Page
    named: bool


class SavedPages:
    """Pages saved in files and folders, and their addresses as `urls.jsonl` or the pages themselves say."""

    def __init__(self, paths: Sequence[str], *, mixed: bool = False) -> None:
        """Reads the pages. Raises `SourceError` if a path is missing or holds none.

        A file that is named must be of the edition that is listed, unless they are `mixed`.
        """
        self.pages: list[SavedPage] = []
        for path in paths:
            found = list(_read(Path(path).expanduser()))
            if not found:
                raise SourceError(f"--listing {path}: no page there ({', '.join(sorted(_SUFFIXES))})")
            self.pages += [replace(page, named=False) for page in found] if mixed else found
        self._by_url = {same_address(saved.page.url): saved.page for saved in self.pages if saved.page.url}

    def get(self, url: str) -> Page:
        """The saved page of that address. Raises `ListError`."""
        page = self._by_url.get(same_address(url))
        if page is None:
            raise ListError("not_saved", f"{url} belongs to the listing and is not among the saved pages")
        return page


def _read(path: Path) -> Iterator[SavedPage]:
    if path.is_file():
        yield _saved(path, _urls(path.parent).get(path.name, ""), True)
        return
    if not path.is_dir():
        raise SourceError(f"--listing {path}: no such file or folder")
    for folder in sorted({file.parent for file in path.rglob("*") if file.is_file()}):
        urls = _urls(folder)
        for file in sorted(folder.iterdir()):
            if file.is_file() and (file.suffix.lower() in _SUFFIXES or file.name in urls):
                yield _saved(file, urls.get(file.name, ""), False)


def _urls(folder: Path) -> dict[str, str]:
    path = folder / _URLS
    if not path.is_file():
        return {}
    try:
        lines = [json.loads(line) for line in path.read_text("utf-8-sig").split("\n") if line.strip()]
        return {str(line["file"]): str(line["url"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f'{path}: not lines of {{"file": ..., "url": ...}}: {error}') from error


def _saved(file: Path, url: str, named: bool) -> SavedPage:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST_PAGE + 1)
    except OSError as error:
        raise SourceError(f"--listing {file}: {error.strerror}") from error
    if len(data) > _LONGEST_PAGE:
        raise SourceError(f"--listing {file}: over {_LONGEST_PAGE // 2**20} MiB; that is no page")
    text = decode(data)
    return SavedPage(file, Page(url or _own_address(file, text), text), named)


def _own_address(file: Path, text: str) -> str:
    """The address that a page says it has."""
    if file.suffix.lower() not in (".html", ".htm"):
        return ""
    tree: Tree = parse(text)
    for selector, name in (("link[rel=canonical]", "href"), ('meta[property="og:url"]', "content")):
        address = absolute("", attribute(tree.css_first(selector), name))
        if address:
            return address
    return ""
