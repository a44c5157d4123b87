"""Characters: ligatures resolved, control characters and lone surrogates gone, Unicode composed (NFC)."""

import re
import unicodedata
from typing import Final

_LIGATURES: Final = {
    "ﬀ": "ff",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬃ": "ffi",
    "ﬄ": "ffl",
    "ﬅ": "ft",
    "ﬆ": "st",
    "Ĳ": "IJ",
    "ĳ": "ij",
}
_SPACES: Final = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
#: Characters without width: soft hyphen is kept apart because it says where a word was broken.
_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
#: Spacing accents as TeX's old fonts set them, before or after their letter.
_ACCENTS: Final = {
    "´": "\u0301",
    "¨": "\u0308",
    "ˆ": "\u0302",
    "˜": "\u0303",
    "ˇ": "\u030c",
    "˘": "\u0306",
    "˚": "\u030a",
    "˝": "\u030b",
    "¯": "\u0304",
    "˙": "\u0307",
}
_ACCENTED = re.compile("([" + "".join(_ACCENTS) + r"]) ?([A-Za-zıȷ])")
_CEDILLA = re.compile("([A-Za-z]) ?([¸˛])")
_UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff]")


def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = {ord(key): value for key, value in _LIGATURES.items()}
    table.update(dict.fromkeys(range(32)))
    table.update(dict.fromkeys(range(127, 160)))
    table.update({ord(space): " " for space in _SPACES})
    table.update({ord(char): None for char in _INVISIBLE})
    table.update(dict.fromkeys(range(55296, 57344), "�"))
    # White space that is no space must not join two words.
    table.update({ord("\t"): " ", ord("\n"): " ", ord("\r"): " ", ord("\v"): " ", ord("\f"): " "})
    table.update({0x85: " ", 0x2028: " ", 0x2029: " ", 0xAD: "\u00ad"})
    return table


_TABLE: Final = _table()
#: Whatever `_TABLE` and the accents change; most texts have none of it.
_ODD: Final = re.compile("[" + re.escape("".join(map(chr, _TABLE)) + "".join(_ACCENTS) + "¸˛") + "]")


def clean(text: str) -> str:
    """Return the text without ligatures, control characters, lone surrogates and odd spaces, composed."""
    if _ODD.search(text) is not None:
        text = text.translate(_TABLE)
        text = _ACCENTED.sub(_compose_before, text)
        text = _CEDILLA.sub(_compose_after, text)
    return unicodedata.normalize("NFC", text)


def _compose_before(match: re.Match[str]) -> str:
    letter = {"ı": "i", "ȷ": "j"}.get(match[2], match[2])
    composed = unicodedata.normalize("NFC", letter + _ACCENTS[match[1]])
    return composed if len(composed) == 1 else match[0]


def _compose_after(match: re.Match[str]) -> str:
    mark = "\u0327" if match[2] == "¸" else "\u0328"
    composed = unicodedata.normalize("NFC", match[1] + mark)
    return composed if len(composed) == 1 else match[0]


def count_unknown(text: str) -> int:
    """How many characters have no meaning of their own: replacement and private-use ones."""
    return len(_UNKNOWN.findall(text))
