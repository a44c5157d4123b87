"""What a row says by its first words and its looks: heading, caption, list item, algorithm line."""

import re
from functools import lru_cache
from typing import Final

from reprocensus.extract.pages import Row

CAPTION: Final = re.compile(
    r"(?:Figure|Fig\.|FIGURE|Table|TABLE|Tab\.|Algorithm|ALGORITHM|Listing|Procedure|Protocol|Scheme|"
    r"Box)\s?"
    r"(?:[A-Z]?\.?\d{1,3}(?:[.\-]\d{1,2})?|[IVX]{1,5})[a-z]?\s?(?:[.:|–—]|\(|$|(?=\s[A-Z]))"
)
#: The letters that captions and lines of algorithms can begin with: most rows need no regular expression.
CAPTION_LETTERS: Final = frozenset("FTALPSB")
ALGORITHM_LETTERS: Final = frozenset("0123456789erufwiREIODPU")
LIST_ITEM: Final = re.compile(
    r"(?:[•●◦▪■‣⁃∗✓►▶]\s|[–—-]\s(?=[A-Z])|\(?(?:[a-z]|[ivx]{1,4}|\d{1,2})\)\s|\d{1,2}\.\s(?=[A-Z])|"
    r"\[\d{1,3}\]\s|\[[A-Z][\w+]{1,8}\d\d\w?\]\s)"
)
ALGORITHM_LINE: Final = re.compile(
    r"(?:\d{1,3}\s?:(?!\d)|(?:end (?:for|while|if|function|procedure)|endfor|endif|endwhile|"
    r"else(?: if)?|repeat|until|"
    r"for (?:each|all|every)?.{0,60}\bdo|while .{0,60}\bdo|if .{0,80}\bthen)\b|"
    r"(?:Require|Ensure|Input|Output|Inputs|Outputs|Initialize|Data|Result|Return|return|Parameters|"
    r"Repeat|Until)\s?:)"
)
_NAMES: Final = (
    "abstract|introduction|background|preliminaries|related works?|previous work|methods?|"
    "methodology|approach|"
    "experiments?|experimental (?:results|setup|settings?|evaluation)|evaluation|"
    "results?(?: and discussions?)?|"
    "discussions?|conclusions?|conclusions? and (?:future work|discussions?)|discussions? and conclusions?|"
    "concluding remarks|future work|limitations?|broader impacts?(?: statement)?|impact statement|"
    "ethics statement|"
    "ethical (?:statement|considerations)|reproducibility statement|acknowledge?ments?|"
    "acknowledgments? and disclosure of funding|funding|references|bibliography|literature cited|"
    "works cited|appendix|"
    "appendices|supplement(?:ary)?(?: materials?| information)?|author contributions?|code availability|"
    "data availability|keywords|problem (?:statement|formulation|definition)|summary"
)
#: Names that sections have so often that a row of nothing else is their heading.
KNOWN: Final = re.compile(rf"(?:{_NAMES})\.?:?", re.IGNORECASE)
NUMBER: Final = re.compile(
    r"(?:(?:section|appendix)\s+)?(?:\d{1,2}(?:\.\d{1,2}){0,3}|[A-Z](?:\.\d{1,2}){0,3}|[IVX]{1,5})\s?[.:)]?\s+(?=\S)",
    re.IGNORECASE,
)
_STRICT_NUMBER: Final = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2}){0,3}|[A-Z](?:\.\d{1,2}){1,3}|[A-Z]|[IVX]{1,5})\.?\s+(?=[A-Z\d“\"(])"
)
#: A capital or a digit, and no more words than the longest usual name has.
_MAY_BE_NAME: Final = re.compile(r"(?=[^\Wa-z_])(?:\S+ ){0,8}\S*$")
_SPACED_CAPS: Final = re.compile(r"\b([A-Z]) (?=[A-Z]{2,}\b)")
_LETTER: Final = re.compile(r"[^\W\d_]")
_ASCII: Final = re.compile(r"[A-Za-z ]")
#: Small letters as only running text has them: a heading in capitals has at most one in ten.
_RUNNING: Final = re.compile(r"[a-z]{3}")
#: No usual name of a section, numbered, is longer.
_MAX_NAME: Final = 60
#: And none is shorter: `Method`.
_MIN_NAME: Final = 6
#: A heading has four letters at least, or a number and three.
MIN_HEADING: Final = 4
_MAX_WORDS: Final = 16
_MAX_CHARS: Final = 130


def name_of(text: str) -> str:
    """A heading's text without its number, small capitals' odd spaces and final point, in lower case."""
    bare = _SPACED_CAPS.sub(r"\1", text.strip())
    number = NUMBER.match(bare)
    if number is not None and number.end() < len(bare):
        bare = bare[number.end() :]
    return bare.strip(" .:").lower()


@lru_cache(maxsize=4096)
def is_known_name(text: str) -> bool:
    """Whether the text is a section's usual name, numbered or not, in whatever capitals."""
    if not _MIN_NAME <= len(text) <= _MAX_NAME or not _MAY_BE_NAME.match(text):
        return False
    text = _SPACED_CAPS.sub(r"\1", text.strip())
    return bool(KNOWN.fullmatch(text)) or bool(KNOWN.fullmatch(name_of(text)))


def looks_like_heading(row: Row, body: float) -> bool:
    """Whether a row alone, by its type and words, can be a section heading in a paper of body size `body`."""
    text, size = row.text, row.size
    if (
        text[0].islower()
        or size < body - 1.1
        or len(text) > _MAX_CHARS
        or not row.horizontal
        or row.cells > 2
    ):
        return False
    plain = not row.bold and size < body + 0.8
    if plain and (len(text) > _MAX_NAME or not text[0].isalnum()) and _RUNNING.search(text):
        # Ordinary lines, which nearly all are: too long for a section's usual name, and not in capitals.
        return False
    n_words = text.count(" ") + 1
    if n_words > _MAX_WORDS or not _LETTER.search(text) or CAPTION.match(text):
        return False
    if is_known_name(text) and (row.bold or size > body or n_words <= 4):
        return True
    return size >= body - 0.6 and not row.mark and text[-1] not in ",;" and _by_looks(row, body)


def _by_looks(row: Row, body: float) -> bool:
    text, larger = row.text, row.size >= body + 0.8
    capitals = row.size >= body - 0.1 and _is_capitals(text)
    if not (row.bold or larger or capitals) or _is_mostly_maths(text):
        return False
    if _STRICT_NUMBER.match(text) and _rest_is_title(text):
        return True
    # `3D Shapes` begins like a heading, `9 end` like a numbered line of code.
    opens = text[0].isupper() or (text[0].isdigit() and text[1:2].isalpha())
    if text[-1] == "." or not opens or len(_LETTER.findall(text)) < 4:
        return False
    if row.bold and row.size >= body - 0.1:
        return not ALGORITHM_LINE.match(text) and text[-1] != ":"
    return larger


def _rest_is_title(text: str) -> bool:
    number = _STRICT_NUMBER.match(text)
    rest = text[number.end() :] if number else text
    return len(_LETTER.findall(rest)) >= 3


def _is_capitals(text: str) -> bool:
    if _RUNNING.search(text):
        return False
    letters = _LETTER.findall(text)
    return len(letters) > 3 and sum(map(str.isupper, letters)) > 0.9 * len(letters)


def _is_mostly_maths(text: str) -> bool:
    return len(_ASCII.findall(text)) < 0.6 * len(text)
