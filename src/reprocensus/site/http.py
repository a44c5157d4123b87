"""The site over HTTP: what is at an address as an ASGI application.

GET and HEAD; an ETag with every answer, so that a reader who has it is sent nothing; parts of files, so that
a browser shows a long PDF before it has all of it. Written against ASGI itself: the routing of a framework
would cost as much as the look-up of a paper. Compression is left to the proxy that speaks TLS.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from reprocensus.errors import StoreError
from reprocensus.site import urls
from reprocensus.site.answers import HTML, Answer, Found, Redirect
from reprocensus.site.corpus import Corpus
from reprocensus.site.pages import answer
from reprocensus.site.render import POLICY

Message = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]
Query = tuple[tuple[str, str], ...]
_ALWAYS: Final[Headers] = [
    (b"content-security-policy", f"{POLICY}; frame-ancestors 'none'".encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"max-age=60"),
]
_RANGE: Final = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_log = logging.getLogger(__name__)
#: Longest query and longest address that are looked at, in bytes.
_LONGEST: Final = 16_384


class Application:
    """The pages of a corpus, by ASGI. `beside`: what is held open while it serves."""

    def __init__(self, corpus: Corpus, beside: AbstractContextManager[None] | None = None) -> None:
        self._corpus, self._beside = corpus, beside or nullcontext()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answers one request, or opens and closes what serving needs."""
        if scope["type"] == "http":
            try:
                status, headers, body = await self._answered(scope)
            except Exception:
                # A row that no page can be made of: a reader is told in words, who runs the site in the log.
                _log.exception("%r cannot be answered", scope["path"])
                status, headers, body = _plain(500, "This page cannot be made; the site's log says why.")
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        elif scope["type"] == "lifespan":
            async for done in self._life(receive):
                await send({"type": f"lifespan.{done}.complete"})

    async def _life(self, receive: Callable[[], Awaitable[Message]]) -> AsyncIterator[str]:
        await receive()
        with self._beside:
            yield "startup"
            await receive()
        yield "shutdown"

    async def _answered(self, scope: Message) -> tuple[int, Headers, bytes]:
        if scope["method"] not in ("GET", "HEAD"):
            return _plain(405, "This site is only read.", [(b"allow", b"GET, HEAD")])
        path, asked = scope["path"][1:], scope["query_string"]
        if len(path) > _LONGEST or len(asked) > _LONGEST:
            return _plain(414, "This address is too long.")
        query: Query = tuple(parse_qsl(asked.decode("utf-8", "replace"))) if asked else ()
        try:
            found = await self._found(path, query)
            if found is None and path and not path.endswith("/") and await self._found(f"{path}/"):
                # Relative, so that it holds below any prefix, and never leads to another host.
                return _moved(f"./{quote(path.rpartition('/')[2], safe='~,+=@()')}/")
        except StoreError:
            return _plain(503, "The store cannot be read now; try again later.")
        if isinstance(found, Redirect):
            return _moved(urls.up(path) + found.path)
        return _sent(found, scope["headers"]) if found else self._missing()

    def _missing(self) -> tuple[int, Headers, bytes]:
        nothing = answer(self._corpus, urls.missing())
        assert isinstance(nothing, Answer)
        return 404, _headers(HTML, len(nothing.body)), nothing.body

    async def _found(self, path: str, query: Query = ()) -> Found:
        """What is at an address. What needs reading is made in a thread, so that nobody else waits for it."""
        if path.startswith("papers/") and self._at_hand(path):
            return answer(self._corpus, path, query)
        return await asyncio.to_thread(answer, self._corpus, path, query)

    def _at_hand(self, path: str) -> bool:
        route = urls.route_of(path)
        if route is None or route.kind != "paper":
            return False
        edition = urls.edition_of(route.args[0].partition("/")[0])
        return edition is not None and self._corpus.held(edition)


def _headers(media: str, length: int, more: Iterable[tuple[bytes, bytes]] = ()) -> Headers:
    own = [(b"content-type", media.encode()), (b"content-length", str(length).encode())]
    return [*own, *_ALWAYS, *more]


def _plain(status: int, words: str, more: Headers | None = None) -> tuple[int, Headers, bytes]:
    body = f"{words}\n".encode()
    return status, _headers("text/plain; charset=utf-8", len(body), more or []), body


def _moved(location: str) -> tuple[int, Headers, bytes]:
    return 308, _headers(HTML, 0, [(b"location", location.encode("ascii", "replace"))]), b""


def _sent(found: Answer, asked: Iterable[tuple[bytes, bytes]]) -> tuple[int, Headers, bytes]:
    """The answer, or the part of it that was asked for, or that the reader has it (RFC 9110, 13 and 14)."""
    tag = b'"%s"' % blake2b(found.body, digest_size=12).hexdigest().encode()
    more = [(b"etag", tag), (b"accept-ranges", b"bytes")]
    had = part = only_if = b""
    for name, value in asked:
        if name == b"if-none-match":
            had = value
        elif name == b"range":
            part = value
        elif name == b"if-range":
            only_if = value
    if had and (had.strip() == b"*" or tag in [each.strip().removeprefix(b"W/") for each in had.split(b",")]):
        return 304, [*_ALWAYS, *more], b""
    wanted = _RANGE.fullmatch(part.strip()) if part and only_if in (b"", tag) else None
    if wanted is None or wanted[0] == b"bytes=-":
        return 200, _headers(found.media, len(found.body), more), found.body
    size = len(found.body)
    if wanted[1]:
        first, last = int(wanted[1]), min(int(wanted[2]) if wanted[2] else size, size - 1)
    else:
        first, last = max(0, size - int(wanted[2])), size - 1
    if first > last:
        told = [(b"content-range", b"bytes */%d" % size)]
        return 416, _headers(found.media, 0, told), b""
    body = found.body[first : last + 1]
    more.append((b"content-range", b"bytes %d-%d/%d" % (first, last, size)))
    return 206, _headers(found.media, len(body), more), body
