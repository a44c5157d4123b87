"""Author lists as proceedings print them: one string of names, to be told apart. Pure."""

import re
from typing import Final

#: What belongs to the name before the comma.
_SUFFIXES: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "ph.d", "md"})
#: Page numbers, footnote marks and stray separators that stick to a name.
_TRAILING: Final = re.compile(r"[\s\d*†‡§¶,;–—-]+$")
_BETWEEN: Final = re.compile(r"\s*[,;]\s*(?:and\s+)?|\s+and\s+|\s+&\s+|^and\s+")


def names_in(text: str) -> tuple[str, ...]:
    """The names in a list separated by commas, semicolons or "and", in their order.

    Page numbers and footnote marks after a name are dropped; "Jr." stays with its name.
    """
    names: list[str] = []
    for part in _BETWEEN.split(text):
        name = _TRAILING.sub("", part).strip()
        if names and name.rstrip(".").lower() in _SUFFIXES:
            names[-1] += f", {name}"
        elif any(character.isalpha() for character in name):
            names.append(name)
    return tuple(names)
