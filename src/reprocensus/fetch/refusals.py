"""What a page is that came in place of what was asked for: a login, a challenge, a paper's page. Pure."""

from collections.abc import Mapping

from reprocensus.errors import FetchError

_GONE = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 402, 403, 407, 451})


def refusal(where: str, status: int, headers: Mapping[str, str], body: bytes) -> FetchError:
    """The failure that a status from 400 to 499 is."""
    if status in _GONE:
        return FetchError("not_found", f"{where} answered {status}: it is not there (any more)")
    if headers.get("cf-mitigated") == "challenge" or (status == 403 and _challenged(body)):
        return _challenge(where)
    if status == 401:
        return FetchError("login", f"{where} answered 401: it wants a login")
    if status in _FORBIDDEN:
        return FetchError("forbidden", f"{where} answered {status}: it refuses to be read")
    return FetchError("http_status", f"{where} answered {status}")


def page_failure(where: str, body: bytes) -> FetchError:
    """The failure that an HTML page in place of a PDF is: `challenge`, `login` or `html`."""
    from reprocensus.sources.barriers import barrier
    from reprocensus.sources.html import parse, text_of

    tree = parse(body.decode("utf-8", "replace"))
    title = text_of(tree.css_first("title"))[:60]
    found = barrier(tree)
    if found == "challenge":
        return _challenge(where)
    if found == "login":
        return FetchError("login", f"{where} is a login page (“{title}”), not a PDF")
    return FetchError("html", f"{where} is a web page (“{title}”), not a PDF")


def _challenge(where: str) -> FetchError:
    return FetchError(
        "challenge",
        f"{where} asks whether a person is reading; that is not circumvented: ask the venue, or save the PDF "
        "yourself and name it in a manifest",
    )


def _challenged(body: bytes) -> bool:
    from reprocensus.sources.barriers import challenge_in_source

    return challenge_in_source(body[:16384].decode("utf-8", "replace"))
