"""What papers, venues and people wrote, made harmless for a page. Pure.

Jinja escapes; this is for what escaping does not catch: characters that hide or reorder text, links that are
none, e-mail addresses, and paths of the machine that a census ran on.
"""

import re
from typing import Final
from urllib.parse import urlsplit

#: Control characters but tab and line feed; marks that reorder, hide or tag text; half characters. U+200C and
#: U+200D stay: scripts and names need them.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_AT_AND_HOST: Final = (
    r"(?P<at>\s?@\s?|\s?[\[({]\s?(?:at|AT)\s?[\])}]\s?)"
    r"(?P<host>(?:[a-zA-Z][\w-]*(?:\s?\.\s?|\s?[\[({]\s?(?:dot|DOT)\s?[\])}]\s?))+"
    r"(?:[a-z]{2,24}|[A-Z]{2,24})\b)"
)
#: One address, or several in braces before one domain; also spelt `name (at) domain.org`.
_MAIL: Final = re.compile(
    r"(?P<name>\{[^{}@\n]{1,400}\}|\([^()@\n]{1,400}\)|\[[^\[\]@\n]{1,400}\]"
    r"|(?<![\w.%+*',-])[\w.%+*'-]+(?:,[\w.%+*'-]+)*)" + _AT_AND_HOST
)
#: One that follows another's domain without a space.
_NEXT: Final = re.compile(r"(?<=\w[,;])(?P<name>[\w.%+*'-]+)" + _AT_AND_HOST)
_AT: Final = re.compile(r"@|[\[({]\s?at\s?[\])}]", re.IGNORECASE)
#: An absolute path with two folders or more, by itself or as a source.
_PATH: Final = re.compile(r"(?:(?<![\w:/.])|(?<=\bmanifest:)|(?<=\bdir:))/(?:[\w.@+~ -]+/){2,}")
_MASK: Final = "•"


def plain(text: str) -> str:
    """The text without characters that hide or reorder what is read, and with e-mail addresses masked."""
    # Nothing that `_HIDDEN` names is printable, and asking so is cheap.
    clean = text if text.isprintable() else shown(text)
    return masked(clean) if "@" in clean or "(" in clean or "[" in clean or "{" in clean else clean


def shown(text: str) -> str:
    """The text without characters that hide or reorder what a reader sees."""
    return _HIDDEN.sub("", text) if _HIDDEN.search(text) else text


def masked(text: str) -> str:
    """The text with the names in e-mail addresses hidden, character by character, so that offsets stay.

    The domain stays: it tells an affiliation.
    """
    return _NEXT.sub(_hide, _MAIL.sub(_hide, text)) if _AT.search(text) else text


def _hide(found: re.Match[str]) -> str:
    name = found["name"]
    return re.sub(r"[^\s,;{}()\[\]]", _MASK, name) + found["at"] + found["host"]


def web_url(url: str | None) -> str | None:
    """The address if it is one of the web that a page may link to, else None."""
    if not url or len(url) > 2_000 or _HIDDEN.search(url) or re.search(r"[\s<>\"'`\\^{|}]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    good = parts.scheme.lower() in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return url if good else None


def without_paths(message: str) -> str:
    """A message without the folders of the machine that it comes from."""
    return _PATH.sub("…/", message)
