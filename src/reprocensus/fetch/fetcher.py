"""Gets papers' PDFs into the store: local ones as they are asked for, others politely and side by side.

Outcomes that are failures, besides those of `client` and `files` (those in brackets transient): `no_pdf_url`,
`empty`, `html`, `landing_page`, `gzip`, `not_pdf`, (`truncated`).
"""

import asyncio
import queue
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from reprocensus.errors import FetchError, FetchStoppedError, ReprocensusError
from reprocensus.fetch.checks import check_pdf, check_whole, looks_like_html
from reprocensus.fetch.files import read_file
from reprocensus.fetch.landing import find_pdf
from reprocensus.fetch.limits import Limiter, limit_for
from reprocensus.fetch.locations import host_of, is_url, object_path, public
from reprocensus.fetch.refusals import page_failure
from reprocensus.keys import digest
from reprocensus.records import Paper, Seen
from reprocensus.settings import Settings
from reprocensus.storage import Storage

if TYPE_CHECKING:
    # A run over local files needs no HTTP client, and its import takes time.
    from reprocensus.fetch.blocking import BlockingClient
    from reprocensus.fetch.client import Client, Response

_ACCEPT: Final = "application/pdf,*/*;q=0.5"
#: PDFs that are fetched and not taken yet, of one shard: they wait in memory.
_AHEAD: Final = 8


@dataclass(frozen=True, slots=True)
class Want:
    """A paper whose PDF is wanted, and what it was when it was seen last."""

    paper: Paper
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A PDF in hand, stored under its digest. `stamp` tells this version from another without reading it."""

    data: bytes
    sha256: str
    stamp: str
    final_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    checked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The server says that the PDF is the one that was seen last (304)."""

    seen: Seen
    checked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


Outcome = Fetched | Unchanged | FetchError
_Queue = queue.SimpleQueue["tuple[Want, Outcome | BaseException] | None"]


class Fetcher:
    """Fetches for any number of shards at once. A context manager; the network is touched on first use."""

    def __init__(self, storage: Storage, settings: Settings, limiter: Limiter | None = None) -> None:
        self._storage = storage
        self._settings = settings
        self._limiter = limiter
        self._guard = threading.Lock()
        self._network: BlockingClient | None = None
        self._stopped = False
        self._queues: set[_Queue] = set()

    def fetch(self, paper: Paper) -> Fetched:
        """One paper's PDF, checked and stored under its digest. Raises `FetchError`."""
        for _, outcome in self.fetch_all([Want(paper)]):
            if isinstance(outcome, FetchError):
                raise outcome
            assert isinstance(outcome, Fetched), "nothing was seen before that could be unchanged"
            return outcome
        raise AssertionError("no outcome")

    def fetch_all(self, wants: Sequence[Want]) -> Iterator[tuple[Want, Outcome]]:
        """Every wanted PDF as it comes, or why it does not come. Papers of several hosts side by side.

        Raises:
            FetchStoppedError: `stop` was called.
            StoreError: a PDF cannot be stored.
        """
        local = [want for want in wants if not is_url(want.paper.location)]
        remote = [want for want in wants if is_url(want.paper.location)]
        if not remote:
            yield from ((want, self._local(want)) for want in local)
            return
        from reprocensus.fetch.blocking import BlockingClient

        arrived: _Queue = queue.SimpleQueue()
        places = asyncio.Semaphore(_AHEAD)
        with self._guard:
            if self._stopped:
                raise FetchStoppedError
            network = self._network = self._network or BlockingClient(self._settings, self._limiter)
            self._queues.add(arrived)
            fetching = network.start(self._fetch_hosts(network.client, remote, arrived, places))
        try:
            yield from ((want, self._local(want)) for want in local)
            for _ in remote:
                item = arrived.get()
                if item is None:
                    raise FetchStoppedError
                want, outcome = item
                if not isinstance(outcome, Outcome):
                    raise outcome
                network.soon(places.release)
                yield want, outcome
        finally:
            fetching.cancel()
            with self._guard:
                self._queues.discard(arrived)

    def stored(self, sha256: str) -> bytes | None:
        """A PDF fetched earlier, if the store still has it."""
        try:
            return self._storage.read(object_path(sha256))
        except FileNotFoundError:
            return None

    def stop(self) -> None:
        """Ends every `fetch_all` under way at once; what was yielded stands."""
        with self._guard:
            self._stopped = True
            for arrived in self._queues:
                arrived.put(None)

    def close(self) -> None:
        """Stops, and closes the connections."""
        self.stop()
        with self._guard:
            network, self._network = self._network, None
        if network:
            network.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _most_bytes(self) -> int:
        return self._settings.max_pdf_mb * 2**20

    def _local(self, want: Want) -> Outcome:
        location = want.paper.location
        try:
            if not location:
                raise FetchError("no_pdf_url", f"no address of a PDF is listed for {want.paper.paper_id}")
            data, stamp = read_file(location, self._most_bytes())
            check_pdf(data, location)
        except FetchError as error:
            return error
        return Fetched(data, self._keep(data), stamp)

    def _keep(self, data: bytes) -> str:
        sha256 = digest(data)
        self._storage.create(object_path(sha256), data)
        return sha256

    async def _fetch_hosts(
        self, client: "Client", wants: Sequence[Want], arrived: _Queue, places: asyncio.Semaphore
    ) -> None:
        """Fetches from all hosts side by side, and from each in the order of its papers."""
        by_host: dict[str, deque[Want]] = defaultdict(deque)
        for want in wants:
            by_host[host_of(want.paper.location)].append(want)

        async def work_off(waiting: deque[Want]) -> None:
            while waiting:
                want = waiting.popleft()
                outcome = await self._outcome(client, want)
                await places.acquire()
                arrived.put((want, outcome))

        await asyncio.gather(
            *(
                work_off(waiting)
                for host, waiting in by_host.items()
                # One more than may be under way at once, so that a turn never waits for a worker.
                for _ in range(min(len(waiting), limit_for(host, self._settings).at_once + 1))
            )
        )

    async def _outcome(self, client: "Client", want: Want) -> Outcome | BaseException:
        try:
            return await self._download(client, want)
        except FetchError as error:
            return error
        except (ReprocensusError, OSError) as error:
            # The store's: nothing else could be stored either.
            return error
        except Exception as error:
            # What a server can do to a client has no end: it costs this paper, not the run.
            url = public(want.paper.location)
            return FetchError("unforeseen", f"{url}: {type(error).__name__}: {error}", transient=True)

    async def _download(self, client: "Client", want: Want) -> Fetched | Unchanged:
        url = want.paper.location
        seen = want.seen if want.seen and want.seen.location == url else None
        if seen and not await asyncio.to_thread(self._storage.exists, object_path(seen.pdf_sha256)):
            seen = None
        response = await self._get(client, url, _conditions(seen))
        if response.status == 304 and seen:
            return Unchanged(seen)
        if looks_like_html(response.body):
            response = await self._behind(client, want, response, seen)
            if response.status == 304 and seen:
                return Unchanged(seen)
        check_pdf(response.body, public(response.final_url))
        check_whole(response.body, public(response.final_url))
        sha256 = await asyncio.to_thread(self._keep, response.body)
        return Fetched(
            response.body,
            sha256,
            url,
            public(response.final_url),
            response.headers.get("etag"),
            response.headers.get("last-modified"),
        )

    async def _behind(self, client: "Client", want: Want, page: "Response", seen: Seen | None) -> "Response":
        """The PDF that a landing or viewer page leads to: followed once, and no further."""
        failure = page_failure(public(page.final_url), page.body)
        if failure.kind != "html":
            raise failure
        link = find_pdf(page.body, page.final_url)
        if link is None:
            if want.paper.pdf_url is None:
                raise FetchError(
                    "no_pdf_url",
                    f"no PDF is listed for {want.paper.paper_id}, and its page links to none: {failure}",
                )
            raise failure
        response = await self._get(
            client, link, _conditions(seen if seen and seen.final_url == link else None)
        )
        if looks_like_html(response.body):
            again = page_failure(public(response.final_url), response.body)
            if again.kind != "html":
                raise again
            raise FetchError(
                "landing_page",
                f"{public(page.final_url)} is a page; so is {public(response.final_url)}, where it leads",
            )
        return response

    async def _get(self, client: "Client", url: str, conditions: Mapping[str, str]) -> "Response":
        return await client.get(url, accept=_ACCEPT, most_bytes=self._most_bytes(), conditions=conditions)


def _conditions(seen: Seen | None) -> dict[str, str]:
    """What makes the server say that nothing changed instead of sending it again (RFC 9110, section 13)."""
    if seen is None:
        return {}
    asked = {"If-None-Match": seen.etag, "If-Modified-Since": seen.last_modified}
    return {name: value for name, value in asked.items() if value}
