"""What adapters need of an HTML page: its tree, a node's text, absolute addresses, a key from a title. Pure.

The parser is selectolax's Lexbor, which follows the HTML standard: entities, unclosed tags and broken
nesting come out as in a browser. `tree.css(selector)` finds nodes.
"""

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from selectolax.lexbor import LexborHTMLParser as Tree
from selectolax.lexbor import LexborNode as Node

from reprocensus.keys import digest, slug

__all__ = ["Node", "Tree", "absolute", "attribute", "collapse", "parse", "text_of", "title_key"]

_LONGEST_KEY: Final = 80
#: Zero-width spaces, and control characters, which would command a terminal. White space is `split`'s.
_UNSEEN: Final = {code: None for code in (*range(32), *range(127, 160), 0x200B) if not chr(code).isspace()}
#: What may stand in an address as it is: RFC 3986's delimiters, and % because it is quoted already.
_SAFE: Final = "/%:=&?~#+!$,;'@()*[]"


def parse(text: str) -> Tree:
    """The tree of a page."""
    return Tree(text)


def text_of(node: Node | None) -> str:
    """All text below a node as a reader sees it: entities resolved, white space collapsed; '' for no node."""
    if node is None:
        return ""
    parts = [_said(child) for child in node.traverse(include_text=True)]
    return collapse("".join(parts))


def _said(node: Node) -> str:
    if node.tag != "-text":
        return " " if node.tag == "br" else ""
    parent = node.parent
    return "" if parent is not None and parent.tag in ("script", "style") else node.text_content or ""


def collapse(text: str) -> str:
    """Runs of white space, no-break spaces included, as one; none at the ends. No control characters."""
    return " ".join(text.translate(_UNSEEN).split())


def attribute(node: Node | None, name: str) -> str:
    """An attribute's value without white space around it; '' if there is none."""
    value = None if node is None else node.attributes.get(name)
    return (value or "").strip()


def absolute(base: str, href: str | None) -> str | None:
    """The address that a link on page `base` names, without its fragment; None if it is no http(s) address.

    Spaces and other characters that may not stand in an address are percent-encoded.
    """
    if not href or not href.strip():
        return None
    try:
        parts = urlsplit(urljoin(base, re.sub(r"[\t\r\n]", "", href.strip())))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return urlunsplit(
        (parts.scheme, parts.netloc, quote(parts.path, safe=_SAFE), quote(parts.query, safe=_SAFE), "")
    )


def title_key(title: str) -> str:
    """A key for a paper whose venue gives it none: its title in letters, digits and underscores.

    A long one is cut, and one without Latin letters is empty: both get a digest of the whole title.
    """
    short = slug(title)
    if short and len(short) <= _LONGEST_KEY:
        return short
    return f"{short[:_LONGEST_KEY].rstrip('_')}_{digest(title)[:8]}".lstrip("_")
