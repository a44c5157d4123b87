"""Pages that stand between a reader and what it asked for: challenges and logins. The one place that knows
how they are told, for listings and for PDFs. Pure.
"""

from typing import Final, Literal

from reprocensus.sources.html import Tree, text_of

Barrier = Literal["challenge", "login"]

#: What pages say that want a person at a browser, in visible text.
_CHALLENGES: Final = (
    "just a moment",
    "attention required",
    "verify you are human",
    "verifying you are human",
    "verifying your browser",
    "checking your browser",
    "checking if the site connection is secure",
    "enable javascript and cookies to continue",
    "are you a robot",
    "are you human",
    "not a robot",
    "security check",
    "unusual traffic",
    "ddos protection",
    "bot detection",
    "captcha",
)
#: What stands in their source, be it HTML or JSON.
_MARKUP: Final = ("challenge-platform", "cf-chl", "challengerequired")
_LOGINS: Final = ("login", "log in", "sign in", "signin", "einloggen", "anmelden")
#: Visible text of a page that is nothing but a challenge is shorter, in characters.
_LONGEST_CHALLENGE: Final = 4000


def barrier(tree: Tree) -> Barrier | None:
    """What a page is that holds nothing of what was asked for: a challenge, a login, or neither.

    A paper's own page, known by its `citation_` tags, is neither, whatever the paper is about and whatever
    login form stands beside it.
    """
    if tree.css_first('meta[name^="citation_"]'):
        return None
    title, said = text_of(tree.css_first("title")).casefold(), text_of(tree.body).casefold()
    heading = " ".join(text_of(node) for node in tree.css("h1, h2")).casefold()
    if _any(_CHALLENGES, title) or _any(_CHALLENGES, heading):
        return "challenge"
    if len(said) < _LONGEST_CHALLENGE and _any(_CHALLENGES, said):
        return "challenge"
    if tree.css_first("input[type=password]") or title.startswith(_LOGINS):
        return "login"
    return None


def challenge_in_source(source: str) -> bool:
    """Whether the source of a page that came with a refusal is that of a challenge."""
    folded = source.casefold()
    return _any(_CHALLENGES, folded) or _any(_MARKUP, folded)


def _any(words: tuple[str, ...], text: str) -> bool:
    return any(word in text for word in words)
