"""The site on demand: the same pages, made from the tables when they are asked for.

The first process reads the tables: it fills the shelf with papers and the search database, and looks every
few seconds whether the store changed. The others make pages of what lies there. With one worker the first
process does both.
"""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType
from typing import Final

from reprocensus.errors import UsageError
from reprocensus.settings import Settings, load_settings
from reprocensus.site.corpus import Corpus
from reprocensus.site.http import Application
from reprocensus.site.options import SiteOptions
from reprocensus.site.prepare import Care, evidence_served, kept_up, take_up
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

#: What a worker process is told by the one that starts it.
_TOLD: Final = "REPROCENSUS_SERVING"
#: Seconds between two looks at the store: on disk, elsewhere.
_LOOK_S: Final = 5.0
_LOOK_FAR_S: Final = 60.0
#: Bytes of editions' tables that a process keeps, for pages that are not one paper's.
_KEPT: Final = 48 * 2**20


def serve(
    store: str, settings: Settings, options: SiteOptions, host: str, port: int, *, workers: int
) -> None:
    """Serves until interrupted, from so many processes.

    Raises:
        UsageError: the store has no papers, or the address is taken.
        StoreError: the store cannot be read.
    """
    import uvicorn

    corpus = Corpus(Tables(open_storage(store, settings)), options, kept=_KEPT)
    if not corpus.editions:
        raise UsageError(f"the store {corpus.tables.storage.uri} has no papers; run `reprocensus run` first")
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        listening = stack.enter_context(_listening(host, port))
        # Before pages are made: they offer what is made when it is asked for.
        stack.enter_context(evidence_served(corpus, settings.workers))
        folder = stack.enter_context(kept_up(corpus))
        _watched(corpus)
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{listening.getsockname()[1]}/ (Ctrl+C ends it)", flush=True)
        common = {"log_level": "warning", "access_log": False, "ws": "none", "server_header": False}
        if workers == 1:
            made = Application(corpus)
            uvicorn.Server(uvicorn.Config(made, **common)).run(sockets=[listening])  # type: ignore[arg-type]
            return
        told = {"store": store, "options": asdict(options), "folder": str(folder)}
        os.environ[_TOLD] = json.dumps(told)
        # Ctrl+C reaches every process of a terminal. The workers, which are born with this mask, wait for the
        # word of this one, which other threads of it hear of; those half started would tell of a traceback.
        # The tracker, which is started with the first worker, would take the mask away.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        uvicorn.run(
            "reprocensus.site.serve:worker",
            factory=True,
            fd=listening.fileno(),
            workers=workers,
            **common,  # type: ignore[arg-type]
        )


def worker() -> Application:
    """The application in one of several processes, of what the first one says."""
    told = json.loads(os.environ[_TOLD])
    storage = open_storage(told["store"], load_settings())
    corpus = Corpus(Tables(storage), SiteOptions(**told["options"]), kept=_KEPT)
    take_up(corpus, Path(told["folder"]))
    _watched(corpus)
    return Application(corpus, evidence_served(corpus, 1))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """What asks a process to end unwinds it, as Ctrl+C does: temporary files and processes go with it."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watched(corpus: Corpus) -> None:
    """Starts the thread that looks whether the store changed."""
    pause = _LOOK_S if "://" not in corpus.tables.storage.uri else _LOOK_FAR_S

    def look() -> None:
        pausing, care = threading.Event(), Care()
        while True:
            # A store that cannot be reached for a while: what is kept is still served.
            with care.of("what is served"):
                corpus.renew()
            care.again()
            pausing.wait(pause)

    threading.Thread(target=look, daemon=True, name="store").start()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections take this over. An event loop that is handed a bare number does not set it, and then the end
    # of a page waits 40 ms for the reader's word that its beginning has come.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
