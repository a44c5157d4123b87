"""The HTTP client that everything from the network comes through: listing pages and PDFs alike.

It asks a host no oftener than its limit and its robots.txt allow, says who it is, waits when it is told to,
tries again what may pass, and follows a bounded number of redirects, each of them checked like the first
address. It never answers a challenge.

Outcomes that are failures (`FetchError.kind`), those in brackets transient: `bad_location`,
`refused_address`, `robots`, (`robots_unreachable`), `redirects`, `not_found`, `forbidden`, `login`,
`challenge`, `http_status` (transient for 408, 425 and 5xx), (`rate_limited`), (`connection`), (`timeout`),
(`truncated`), `bad_encoding`, `too_large`.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from time import monotonic
from typing import Final, NoReturn

import httpcore
import httpx
import stamina

from reprocensus import __version__
from reprocensus.errors import FetchError
from reprocensus.fetch.addresses import GuardedBackend
from reprocensus.fetch.limits import Limiter, LocalLimiter, limit_for
from reprocensus.fetch.locations import host_of, public
from reprocensus.fetch.refusals import refusal
from reprocensus.fetch.robots import MOST_BYTES, Rules, parse_rules
from reprocensus.fetch.waits import asked_wait
from reprocensus.settings import HostLimit, Settings

#: RFC 9309, section 2.3.1.2, wants at least five for robots.txt.
_MOST_REDIRECTS: Final = 8
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_LONGEST_ROBOTS: Final = 16 * MOST_BYTES
#: A larger body waits on disk until it is known to be whole.
_IN_MEMORY: Final = 8 * 2**20
#: So much of a refusal's body is read, for what it says.
_REFUSAL_BYTES: Final = 64 * 1024
#: A host that refuses without saying for how long, again and again, is left alone for so long.
_SILENT_PAUSE_S: Final = 600.0
HTML: Final = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"


@dataclass(frozen=True, slots=True)
class Response:
    """What came: `status` is 200, or 304 where `conditions` were sent and hold. Header names are lower case.

    `final_url` is the address after redirects; `body` is decoded and whole, empty for 304.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    final_url: str


@dataclass(slots=True)
class _Host:
    """What is known of a host in this run."""

    quiet_until: float = 0.0
    rules: dict[str, Rules] = field(default_factory=dict)
    barred_by: FetchError | None = None
    barred_until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class _AgainError(Exception):
    """The same request may succeed later: after `wait` seconds, or after the usual pause if None."""

    def __init__(self, failure: FetchError, wait: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.wait = wait


class Client:
    """Gets addresses, politely. Used on one event loop; `aclose` it there.

    `limiter` makes hosts' limits hold beyond this client; by default they hold within it.
    """

    def __init__(self, settings: Settings, limiter: Limiter | None = None) -> None:
        self._settings = settings
        self._limiter = limiter or LocalLimiter()
        self._hosts: dict[str, _Host] = {}
        self._http = httpx.AsyncClient(
            transport=_transport(settings), headers={"User-Agent": user_agent(settings)}
        )

    async def get(
        self,
        url: str,
        *,
        accept: str = HTML,
        most_bytes: int = 64 * 2**20,
        conditions: Mapping[str, str] | None = None,
    ) -> Response:
        """The body behind an address, whole.

        `conditions` are headers such as `If-None-Match`; `most_bytes` is the largest body taken.

        Raises:
            FetchError: it could not be had; the module's docstring has the kinds.
        """
        headers = {"Accept": accept, **(conditions or {})}
        if "pdf" in accept:
            # A PDF gains nothing from compression, and its length can be checked without.
            headers["Accept-Encoding"] = "identity"
        return await self._follow(url, headers, most_bytes)

    async def aclose(self) -> None:
        """Closes connections and gives back what the limiter holds."""
        await self._limiter.aclose()
        await self._http.aclose()

    async def _follow(
        self, url: str, headers: Mapping[str, str], most_bytes: int, *, robots: bool = True
    ) -> Response:
        seen: list[str] = []
        while True:
            host = _check(url)
            if robots:
                await self._obey_robots(host, url)
            response = await self._patiently(host, url, headers, most_bytes)
            if response.status not in _REDIRECTS:
                return response
            seen.append(url)
            url = _joined(url, response.headers["location"])
            if url in seen or len(seen) > _MOST_REDIRECTS:
                what = "in a circle" if url in seen else f"more than {_MOST_REDIRECTS} times"
                raise FetchError("redirects", f"{public(seen[0])} leads {what}, last to {public(url)}")

    async def _obey_robots(self, host: str, url: str) -> None:
        rules = await self._rules(host, url)
        if not rules.allows(url):
            raise FetchError(
                "robots", f"the robots.txt of {host} does not allow {public(url)}; ask the venue for access"
            )

    async def _rules(self, host: str, url: str) -> Rules:
        origin = str(httpx.URL(url).join("/robots.txt"))
        known = self._hosts.setdefault(host, _Host())
        async with known.asking:
            if known.barred_by and monotonic() < known.barred_until:
                raise known.barred_by
            rules = known.rules.get(origin)
            if rules is None or not rules.fresh:
                try:
                    rules = known.rules[origin] = parse_rules(await self._robots(host, origin))
                except FetchError as error:
                    # A host that is down is not asked anew for every one of its papers.
                    known.barred_by, known.barred_until = error, monotonic() + _SILENT_PAUSE_S
                    raise
            return rules

    async def _robots(self, host: str, origin: str) -> bytes | None:
        """A host's robots.txt; None if it has none, which allows everything."""
        try:
            headers = {"Accept": "text/plain"}
            return (await self._follow(origin, headers, _LONGEST_ROBOTS, robots=False)).body
        except FetchError as error:
            if error.kind == "http_status" and error.transient:
                raise FetchError(
                    "robots_unreachable",
                    f"{error}: while its robots.txt cannot be read, nothing is asked of {host} (RFC 9309)",
                    transient=True,
                ) from error
            if error.transient or error.kind == "refused_address":
                raise
            if error.kind == "too_large":
                # There is one, and what it forbids is not known.
                raise FetchError("robots_unreachable", f"{error}; nothing is asked of {host}") from error
            return None

    async def _patiently(self, host: str, url: str, headers: Mapping[str, str], most_bytes: int) -> Response:
        """Asks again what may pass, a bounded number of times."""
        settings = self._settings
        try:
            async for attempt in stamina.retry_context(
                on=_pause,
                attempts=settings.fetch_attempts,
                timeout=None,
                wait_initial=settings.fetch_backoff_s,
                wait_max=max(settings.fetch_backoff_s, 60),
                wait_jitter=settings.fetch_backoff_s,
            ):
                with attempt:
                    return await self._once(host, url, headers, most_bytes)
        except _AgainError as error:
            if error.failure.kind == "rate_limited" and error.wait is None:
                self._leave_alone(host, _SILENT_PAUSE_S)
            raise error.failure from error
        raise AssertionError("a retry that neither returned nor raised")

    async def _once(self, host: str, url: str, headers: Mapping[str, str], most_bytes: int) -> Response:
        await self._wait_out(host)
        async with self._limiter.turn(host, self._limit(host)):
            await self._wait_out(host)
            try:
                async with asyncio.timeout(self._settings.fetch_deadline_s):
                    return await self._send(host, url, headers, most_bytes)
            except TimeoutError as error:
                late = f"{public(url)} took longer than {self._settings.fetch_deadline_s:g} s"
                raise _AgainError(FetchError("timeout", late, transient=True)) from error
            except httpx.TimeoutException as error:
                silent = f"{public(url)} was silent for {self._settings.fetch_timeout_s:g} s"
                raise _AgainError(FetchError("timeout", silent, transient=True)) from error
            except httpx.DecodingError as error:
                broken = f"{public(url)} is not encoded as its Content-Encoding says: {error}"
                raise FetchError("bad_encoding", broken) from error
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
                raise FetchError("bad_location", f"{public(url)}: {error}") from error
            except httpx.RemoteProtocolError as error:
                if "location header" in str(error):
                    # Httpx looks where a redirect leads though it is not to follow it.
                    raise FetchError("bad_location", f"{public(url)}: {error}") from error
                # Httpx has no class of its own for a body that ends before its Content-Length.
                kind = "truncated" if "message body" in str(error) else "connection"
                raise _AgainError(FetchError(kind, f"{public(url)}: {error}", transient=True)) from error
            except httpx.TransportError as error:
                lost = f"{public(url)}: {type(error).__name__}: {error}".removesuffix(": ")
                raise _AgainError(FetchError("connection", lost, transient=True)) from error
            finally:
                if (pace := self._asked_pace(host)) > self._settings.fetch_max_wait_s:
                    self._leave_alone(host, pace)

    async def _send(self, host: str, url: str, headers: Mapping[str, str], most_bytes: int) -> Response:
        timeout = self._settings.fetch_timeout_s
        async with self._http.stream("GET", url, headers=dict(headers), timeout=timeout) as answer:
            status = answer.status_code
            given = {name.lower(): value for name, value in answer.headers.items()}
            if status in _REDIRECTS and "location" in given:
                return Response(status, given, b"", str(answer.url))
            if status == 304:
                return Response(status, given, b"", str(answer.url))
            if status != 200:
                self._refused(host, url, status, given, await _some(answer))
            length = given.get("content-length", "")
            if length.isdigit() and int(length) > most_bytes:
                raise _too_large(url, int(length), most_bytes)
            return Response(status, given, await _whole(answer, url, most_bytes), str(answer.url))

    def _refused(self, host: str, url: str, status: int, headers: Mapping[str, str], body: bytes) -> NoReturn:
        """Raises what a status other than 200 means."""
        where = public(url)
        wait = asked_wait(headers, body, datetime.now(UTC)) if status in (429, 503) else None
        if status == 429 or (status == 503 and wait is not None):
            if wait is not None:
                self._leave_alone(host, wait)
                if wait > self._settings.fetch_max_wait_s:
                    raise self._later(host)
            failure = FetchError("rate_limited", f"{where} answered {status}: too often", transient=True)
            raise _AgainError(failure, wait)
        if status in _PASSING or status >= 500:
            raise _AgainError(FetchError("http_status", f"{where} answered {status}", transient=True))
        raise refusal(where, status, headers, body)

    def _leave_alone(self, host: str, seconds: float) -> None:
        known = self._hosts.setdefault(host, _Host())
        known.quiet_until = max(known.quiet_until, monotonic() + seconds)

    async def _wait_out(self, host: str) -> None:
        """Waits until the host may be asked again; raises where that is too long to wait."""
        while (left := self._quiet(host)) > 0:
            if left > self._settings.fetch_max_wait_s:
                raise self._later(host)
            await asyncio.sleep(left)

    def _quiet(self, host: str) -> float:
        return self._hosts.setdefault(host, _Host()).quiet_until - monotonic()

    def _later(self, host: str) -> FetchError:
        moment = datetime.now(UTC) + timedelta(seconds=max(0.0, self._quiet(host)))
        return FetchError(
            "rate_limited",
            f"{host} asks to be left alone until {moment:%Y-%m-%d %H:%M:%S} UTC; run again after that",
            transient=True,
            retry_at=moment,
        )

    def _limit(self, host: str) -> HostLimit:
        limit = limit_for(host, self._settings)
        asked, longest = self._asked_pace(host), self._settings.fetch_max_wait_s
        if asked <= limit.interval_s:
            return limit
        # A longer pause than may be waited for is kept by leaving the host alone after a request.
        return limit.model_copy(
            update={"interval_s": min(asked, max(longest, limit.interval_s)), "at_once": 1}
        )

    def _asked_pace(self, host: str) -> float:
        """The pause in seconds that the host's robots.txt asks for."""
        return max((rules.interval_s for rules in self._hosts[host].rules.values()), default=0.0)


def user_agent(settings: Settings) -> str:
    """Who we say we are."""
    contact = f"; {settings.contact}" if settings.contact else ""
    return f"reprocensus/{__version__} (research census of AI papers{contact})"


def _transport(settings: Settings) -> httpx.AsyncHTTPTransport:
    transport = httpx.AsyncHTTPTransport()
    # Httpx takes no network backend, its transport is a thin shell around this pool.
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=_ssl_context(),
        max_connections=100,
        max_keepalive_connections=20,
        keepalive_expiry=15,
        network_backend=GuardedBackend(allow_private=settings.allow_private_hosts),
    )
    return transport


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _joined(url: str, location: str) -> str:
    """Where a redirect leads. Raises `FetchError`."""
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("bad_location", f"{public(url)} leads to no address: {error}") from error


def _check(url: str) -> str:
    """The host of an address that may be asked for. Raises `FetchError`."""
    try:
        parsed = httpx.URL(url)
        # Httpx decodes an international host when it is asked for it, and not before.
        host = parsed.host and host_of(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("bad_location", f"{public(url)!r} is no address: {error}") from error
    if parsed.scheme not in ("http", "https") or not host:
        raise FetchError("bad_location", f"{public(url)!r} is no http or https address")
    if parsed.userinfo:
        raise FetchError("bad_location", f"{public(url)}: addresses with a user name are not fetched")
    return host


def _pause(error: Exception) -> bool | float:
    """Whether stamina asks again; at once where the host's own pause is waited out anyway."""
    if not isinstance(error, _AgainError):
        return False
    return True if error.wait is None else 0.001


async def _some(answer: httpx.Response) -> bytes:
    """The beginning of a refusal's body; what breaks it off does not matter."""
    body = bytearray()
    try:
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _REFUSAL_BYTES:
                break
    except httpx.HTTPError:
        pass
    return bytes(body[:_REFUSAL_BYTES])


async def _whole(answer: httpx.Response, url: str, most_bytes: int) -> bytes:
    """The body; a large one is held on disk until it is whole."""
    size = 0
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        async for chunk in answer.aiter_bytes(2**18):
            size += len(chunk)
            if size > most_bytes:
                raise _too_large(url, size, most_bytes)
            held.write(chunk)
        held.seek(0)
        return held.read()


def _too_large(url: str, size: int, most_bytes: int) -> FetchError:
    return FetchError(
        "too_large",
        f"{public(url)} has {size / 2**20:.1f} MiB or more, over the limit of {most_bytes / 2**20:.0f}; "
        "raise REPROCENSUS_MAX_PDF_MB if it is a paper",
    )
