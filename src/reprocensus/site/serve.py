"""The site on demand: the same pages, made from the tables when they are asked for.

What an edition's pages need is read once and kept; a thread looks every few seconds whether the store
changed. A page that needs no reading is made at once, all else in a thread, so that nobody waits for what
another one reads.
"""

import asyncio
import json
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from reprocensus.errors import ReprocensusError, StoreError, UsageError
from reprocensus.settings import Settings, load_settings
from reprocensus.site import urls
from reprocensus.site.answers import HTML, Answer, Found, Redirect
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import SiteOptions
from reprocensus.site.pages import answer
from reprocensus.site.render import POLICY
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

#: What a worker process is told by the one that starts it.
_TOLD: Final = "REPROCENSUS_SERVING"
#: Seconds between two looks at the store: on disk, elsewhere.
_LOOK_S: Final = 5.0
_LOOK_FAR_S: Final = 60.0
HEADERS: Final = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "max-age=60",
}
Query = tuple[tuple[str, str], ...]


def application(corpus: Corpus, pictures: int = 0) -> "Starlette":
    """The web application of a corpus; with `pictures` so many processes draw passages when asked."""
    from starlette.applications import Starlette
    from starlette.responses import RedirectResponse
    from starlette.responses import Response as Plain
    from starlette.routing import Route

    from reprocensus.site.prepare import evidence_served

    async def at(request: "Request") -> "Response":
        path = request.path_params["path"]
        query: Query = tuple(request.query_params.multi_items()) if request.url.query else ()
        try:
            found = await _found(corpus, path, query)
        except StoreError:
            return Plain("The store cannot be read now; try again later.", 503, HEADERS, "text/plain")
        if isinstance(found, Answer):
            return Plain(found.body, 200, HEADERS, found.media)
        if isinstance(found, Redirect):
            return RedirectResponse(urls.up(path) + found.path, 308, HEADERS)
        if (
            path
            and not path.endswith("/")
            and isinstance(await _found(corpus, f"{path}/"), Answer | Redirect)
        ):
            # Relative, so that it holds below any prefix, and never leads to another host.
            return RedirectResponse(f"./{quote(path.rpartition('/')[2], safe='~,+=@()')}/", 308, HEADERS)
        nothing = answer(corpus, urls.missing())
        assert isinstance(nothing, Answer)
        return Plain(nothing.body, 404, HEADERS, HTML)

    @asynccontextmanager
    async def lifespan(_: "Starlette") -> AsyncIterator[None]:
        with evidence_served(corpus, pictures) if pictures else nullcontext():
            yield

    return Starlette(routes=[Route("/{path:path}", at)], lifespan=lifespan)


async def _found(corpus: Corpus, path: str, query: Query = ()) -> Found:
    if path.startswith("papers/") and _at_hand(corpus, path):
        return answer(corpus, path, query)
    return await asyncio.to_thread(answer, corpus, path, query)


def _at_hand(corpus: Corpus, path: str) -> bool:
    """Whether the address is a paper's page and can be made without reading the store."""
    route = urls.route_of(path)
    if route is None or route.kind != "paper":
        return False
    edition = urls.edition_of(route.args[0].partition("/")[0])
    return corpus.held(edition)


def serve(
    store: str, settings: Settings, options: SiteOptions, host: str, port: int, *, workers: int
) -> None:
    """Serves until interrupted, from so many processes.

    Raises:
        UsageError: the store has no papers, or the address is taken.
        StoreError: the store cannot be read.
    """
    import uvicorn

    from reprocensus.site.prepare import search_served

    corpus = Corpus(Tables(open_storage(store, settings)), options)
    if not corpus.editions:
        raise UsageError(f"the store {corpus.tables.storage.uri} has no papers; run `reprocensus run` first")
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(host, port))
        database = stack.enter_context(search_served(corpus))
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{listening.getsockname()[1]}/ (Ctrl+C ends it)", flush=True)
        if workers == 1:
            _watched(corpus, store, keep=True)
            made = application(corpus, settings.workers)
            config = uvicorn.Config(made, log_level="warning", access_log=False)
            uvicorn.Server(config).run(sockets=[listening])
            return
        _watched(corpus, store, keep=False)
        told = {"store": store, "options": asdict(options), "search": str(database.path)}
        os.environ[_TOLD] = json.dumps(told)
        uvicorn.run(
            "reprocensus.site.serve:worker",
            factory=True,
            fd=listening.fileno(),
            workers=workers,
            log_level="warning",
            access_log=False,
        )


def worker() -> "Starlette":
    """The web application in one of several processes, of what the first one says."""
    from reprocensus.site.search.database import SearchDatabase

    told = json.loads(os.environ[_TOLD])
    settings, store = load_settings(), told["store"]
    corpus = Corpus(Tables(open_storage(store, settings)), SiteOptions(**told["options"]))
    corpus.search = SearchDatabase(Path(told["search"]))
    _watched(corpus, store, keep=True)
    return application(corpus, pictures=1)


def _watched(corpus: Corpus, store: str, *, keep: bool) -> None:
    """Starts the thread that looks whether the store changed; with `keep` it reads editions beforehand."""
    pause = _LOOK_S if "://" not in store else _LOOK_FAR_S

    def look() -> None:
        pausing = threading.Event()
        while True:
            try:
                corpus.renew()
                if keep:
                    corpus.warm()
            except ReprocensusError:
                # A store that cannot be reached for a while; what is kept is still served.
                pass
            pausing.wait(pause)

    threading.Thread(target=look, daemon=True, name="store").start()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(2_048)
    except OSError as error:
        found.close()
        raise UsageError(
            f"{host} port {port} cannot be listened on: {error.strerror}; choose another --port"
        ) from error
    found.set_inheritable(True)
    return found
