"""The real fetcher against a misbehaving server: the right failure, a retry that helps, no bad object."""

import asyncio
import gzip
import json
import resource
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conftest import PAPER, make_pdf
from misbehaving import Ask, Server, Writer, answer, serving
from reprocensus.errors import FetchError
from reprocensus.fetch.checks import check_pdf, check_whole
from reprocensus.fetch.fetcher import Fetched, Fetcher, Outcome, Want
from reprocensus.fetch.limits import Limiter, LocalLimiter
from reprocensus.keys import digest
from reprocensus.records import Edition, Paper, Seen
from reprocensus.settings import HostLimit, Settings
from reprocensus.storage.local import LocalStorage

PDF = make_pdf()
GOOD = answer(PDF, ETag='"one"')
LOGIN = b"<!DOCTYPE html><title>Login | Journal</title><form><input type=password name=p></form>"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def settings(**changes: object) -> Settings:
    quick = {
        "fetch_interval_s": 0,
        "fetch_backoff_s": 0.02,
        "fetch_timeout_s": 2,
        "fetch_deadline_s": 5,
        "fetch_max_wait_s": 3,
        "max_pdf_mb": 4,
        "allow_private_hosts": True,
    }
    return Settings(**{**quick, **changes})  # type: ignore[arg-type]


def want(url: str, seen: Seen | None = None, pdf_url: str | None = "given") -> Want:
    given = url if pdf_url == "given" else pdf_url
    return Want(Paper(url, Edition("V", 2020), "t", "s", url, pdf_url=given), seen)


class Noting(LocalLimiter):
    """Notes by host when its requests are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[str, list[float]] = defaultdict(list)

    @asynccontextmanager
    async def turn(self, host: str, limit: HostLimit) -> AsyncIterator[None]:
        async with super().turn(host, limit):
            self.times[host].append(time.monotonic())
            yield


def fetch(
    store: Path, *wants: Want | str, limiter: Limiter | None = None, **changes: object
) -> list[Outcome]:
    """What becomes of the papers, in their order. Every object in the store must be what its name says."""
    asked = [w if isinstance(w, Want) else want(w) for w in wants]
    with Fetcher(LocalStorage(store), settings(**changes), limiter) as fetcher:
        found = {id(w): outcome for w, outcome in fetcher.fetch_all(asked)}
    for path in (store / "objects").rglob("*.pdf"):
        data = path.read_bytes()
        assert digest(data) == path.stem
        assert data.startswith(b"%PDF-")
        assert b"%%EOF" in data[-4096:]
    return [found[id(w)] for w in asked]


def kind(outcome: Outcome) -> str:
    return outcome.kind if isinstance(outcome, FetchError) else type(outcome).__name__


async def drop(ask: Ask, writer: Writer) -> None:
    writer.write(GOOD[:700])
    await writer.drain()


async def trickle(ask: Ask, writer: Writer) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode())
    for byte in PDF:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def silence(ask: Ask, writer: Writer) -> None:
    await asyncio.sleep(30)


async def endless(ask: Ask, writer: Writer) -> None:
    """400 MB, without saying so first."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%PDF-1.7\n")
    for _ in range(400):
        writer.write(bytes(2**20))
        await writer.drain()


async def soon(ask: Ask, writer: Writer) -> None:
    """OpenReview's way to say when to come back."""
    reset = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"name": "RateLimitError", "status": 429, "details": {"resetTime": reset}}
    writer.write(answer(json.dumps(body).encode(), BUSY))


async def matching(ask: Ask, writer: Writer) -> None:
    """Sends the PDF unless the client has it."""
    same = ask.headers.get("if-none-match") == '"one"'
    writer.write(answer(b"", "304 Not Modified", Content_Length="", ETag='"one"') if same else GOOD)


PAGE = answer(b"<html><title>Viewer</title><body>no link</body></html>", Content_Type="application/pdf")
BUSY = "429 Too Many Requests"
STATUS = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("answers", "expected", "asked"),
    [
        ([GOOD], "Fetched", 1),
        ([answer(b"", BUSY, Retry_After="1"), GOOD], "Fetched", 2),
        ([soon, GOOD], "Fetched", 2),
        ([answer(b"", BUSY), GOOD], "Fetched", 2),
        ([answer(b"", BUSY)], "rate_limited", 4),
        ([answer(b"", "503 Unavailable", Retry_After="0"), GOOD], "Fetched", 2),
        ([answer(b"oh", "500 Internal Server Error"), GOOD], "Fetched", 2),
        ([answer(b"oh", "500 Internal Server Error")], "http_status", 4),
        ([answer(b"oh", "418 Teapot")], "http_status", 1),
        ([answer(b"", "404 Not Found")], "not_found", 1),
        ([answer(b"", "403 Forbidden")], "forbidden", 1),
        ([answer(b"", "403 Forbidden", cf_mitigated="challenge")], "challenge", 1),
        ([answer(b"<html><title>Just a moment...</title>")], "challenge", 1),
        ([drop, GOOD], "Fetched", 2),
        ([drop], "truncated", 4),
        ([answer(PDF, Content_Length=str(len(PDF) + 9)), GOOD], "Fetched", 2),
        ([answer(PDF, Content_Length=str(len(PDF) - 600))], "truncated", 1),
        ([answer(PDF, Content_Length="")], "Fetched", 1),
        ([answer(PDF + b"\0" * 3000)], "Fetched", 1),
        ([PAGE], "html", 1),
        ([answer(LOGIN)], "login", 1),
        ([answer(gzip.compress(PDF))], "gzip", 1),
        ([answer(gzip.compress(PDF), Content_Encoding="gzip")], "Fetched", 1),
        ([answer(PDF, Content_Encoding="gzip")], "bad_encoding", 1),
        ([answer(b"")], "empty", 1),
        ([answer(b"GIF89a")], "not_pdf", 1),
        ([answer(b"x", Content_Length=str(400 * 2**20))], "too_large", 1),
        ([answer(b"", "302 Found", Location="/x")], "redirects", 1),
        ([answer(b"", "302 Found", Location="file:///etc/passwd")], "bad_location", 1),
        ([answer(b"", "302 Found", Location="http://u:secret@host/")], "bad_location", 1),
        ([answer(b"", "302 Found", Location="http://xn--/")], "bad_location", 1),
        ([answer(b"", "302 Found", Location="http://[::1")], "bad_location", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_what_comes_is_a_pdf_or_a_failure_of_its_own_kind(
    server: Server, tmp_path: Path, answers: list[Any], expected: str, asked: int
) -> None:
    url = server.on("/x", *answers)
    (outcome,) = fetch(tmp_path, url)
    assert (kind(outcome), server.asked["/x"]) == (expected, asked), outcome
    if answers[0] is soon or (isinstance(answers[0], bytes) and b"Retry-After: 1" in answers[0]):
        assert server.times[1] - server.times[0] > 0.9, "it waits as long as it is told to"
    stored = list((tmp_path / "objects").rglob("*.pdf")) if expected == "Fetched" else []
    assert len(list(tmp_path.rglob("*.pdf"))) == len(stored) == (expected == "Fetched")
    if isinstance(outcome, FetchError):
        transient = {"rate_limited", "truncated", "timeout", "connection"}
        assert outcome.transient == (expected in transient or "answered 500" in str(outcome))
        assert "secret" not in str(outcome)
        server.on("/x", GOOD)
        assert kind(*fetch(tmp_path, url)) == "Fetched", "a later run succeeds"
    assert all(agent.startswith("reprocensus/") for agent in server.agents)


def test_a_pause_longer_than_may_be_waited_for_ends_the_run(server: Server, tmp_path: Path) -> None:
    for pace, kinds in (
        ("1000000000", {"Fetched", "rate_limited"}),
        ("nan", {"Fetched"}),
        ("inf", {"Fetched"}),
        ("-5", {"Fetched"}),
    ):
        server.on("/robots.txt", answer(f"User-agent: *\nCrawl-delay: {pace}\n".encode()))
        wants = [server.on(f"/{n}", GOOD) for n in range(4)]
        started = time.monotonic()
        outcomes = fetch(tmp_path / pace, *wants, fetch_max_wait_s=0.2)
        assert {kind(outcome) for outcome in outcomes} == kinds
        assert time.monotonic() - started < 5
        later = [o.retry_at for o in outcomes if isinstance(o, FetchError)]
        assert all(moment and moment > datetime.now(UTC) + timedelta(days=20) for moment in later)


def test_a_robots_txt_that_is_too_large_forbids(server: Server, tmp_path: Path) -> None:
    server.on("/robots.txt", answer(b"User-agent: *\nDisallow: /x\n" + b"# x\n" * (3 * 2**20)))
    (outcome,) = fetch(tmp_path, server.on("/x", GOOD))
    assert (kind(outcome), server.asked["/x"]) == ("robots_unreachable", 0)


def test_a_page_that_moves_its_reader_on_is_followed(server: Server, tmp_path: Path) -> None:
    server.on("/paper.pdf", GOOD)
    page = b"<html><head><meta http-equiv=Refresh content=\"0; URL='/paper.pdf'\"></head>"
    (outcome,) = fetch(tmp_path, server.on("/x", answer(page)))
    assert kind(outcome) == "Fetched"


def test_a_slow_trickle_and_silence_end(server: Server, tmp_path: Path) -> None:
    limits: dict[str, Any] = {"fetch_deadline_s": 0.6, "fetch_timeout_s": 0.3, "fetch_attempts": 2}
    started = time.monotonic()
    outcomes = fetch(tmp_path, server.on("/slow", trickle), server.on("/silent", silence), **limits)
    assert [kind(o) for o in outcomes] == ["timeout", "timeout"]
    assert time.monotonic() - started < 5
    server.on("/slow", trickle, GOOD)
    server.asked.clear()
    assert kind(*fetch(tmp_path, server.url + "/slow", **limits)) == "Fetched"


def test_400_mb_are_cut_off_at_the_limit_and_take_no_memory(server: Server, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (outcome,) = fetch(tmp_path, server.on("/x", endless), max_pdf_mb=50)
    assert kind(outcome) == "too_large"
    # What the server in this process holds is in it too.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


@pytest.mark.parametrize("form", ["header", "date", "body"])
def test_a_host_that_wants_a_long_rest_gets_it(server: Server, tmp_path: Path, form: str) -> None:
    until = datetime.now(UTC) + timedelta(hours=2)
    refusals = {
        "header": answer(b"", BUSY, Retry_After="7200"),
        "date": answer(b"", BUSY, Retry_After=format_datetime(until, usegmt=True)),
        "body": answer(json.dumps({"details": {"resetTime": until.isoformat()}}).encode(), BUSY),
    }
    urls = [server.on(f"/{n}", refusals[form]) for n in range(5)]
    started = time.monotonic()
    outcomes = fetch(tmp_path, *urls, host_limits={})
    assert [kind(o) for o in outcomes] == ["rate_limited"] * 5
    assert len(server.times) <= 3, "those under way when it said so, and none after"
    assert time.monotonic() - started < 3
    for outcome in outcomes:
        assert isinstance(outcome, FetchError) and outcome.retry_at and outcome.transient
        assert abs((outcome.retry_at - until).total_seconds()) < 60


def test_redirects_to_the_operators_own_network_are_refused(tmp_path: Path, server: Server) -> None:
    addresses = [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://224.0.0.1/",
    ]
    outcomes = fetch(tmp_path, *addresses, server.on("/x", GOOD), allow_private_hosts=False)
    assert {kind(o) for o in outcomes} == {"refused_address"}
    assert not server.asked
    assert [
        kind(o) for o in fetch(tmp_path, "file:///etc/passwd", "ftp://x/y", "http:///x", "http://a:b@c/")
    ] == ["bad_location"] * 4


def test_robots_txt_is_kept_to(server: Server, tmp_path: Path) -> None:
    rules = b"User-agent: *\nDisallow: /private/\nCrawl-delay: 0.4\n"
    server.on("/robots.txt", answer(rules))
    barred = server.on("/private/x", GOOD)
    urls = [server.on(f"/{n}", GOOD) for n in range(4)]
    outcomes = fetch(tmp_path, barred, *urls)
    assert [kind(o) for o in outcomes] == ["robots", *["Fetched"] * 4]
    assert (server.asked["/private/x"], server.asked["/robots.txt"]) == (0, 1)
    gaps = [b - a for a, b in pairwise(server.times)]
    assert min(gaps) > 0.35, gaps


def test_nothing_is_asked_while_robots_txt_cannot_be_read(server: Server, tmp_path: Path) -> None:
    server.on("/robots.txt", answer(b"", "500 Internal Server Error"))
    urls = [server.on(f"/{n}", GOOD) for n in range(4)]
    outcomes = fetch(tmp_path, *urls)
    assert [kind(o) for o in outcomes] == ["robots_unreachable"] * 4
    assert server.asked == {"/robots.txt": 4}
    server.on("/robots.txt", answer(b"", "404 Not Found"))
    assert kind(*fetch(tmp_path, urls[0])) == "Fetched"


def test_an_unchanged_pdf_is_not_sent_again_and_a_changed_one_is(server: Server, tmp_path: Path) -> None:
    url = server.on("/x", matching)
    (first,) = fetch(tmp_path, url)
    assert isinstance(first, Fetched) and first.etag == '"one"'
    seen = Seen(first.sha256, url, len(PDF), first.checked_at, first.checked_at, None, first.etag)
    assert kind(*fetch(tmp_path, want(url, seen))) == "Unchanged"
    server.on("/x", answer(make_pdf(PAPER.replace("Small", "Corrected")), ETag='"two"'))
    (second,) = fetch(tmp_path, want(url, seen))
    assert isinstance(second, Fetched) and second.sha256 != first.sha256
    server.on("/x", matching)
    (tmp_path / "objects" / "pdf" / f"{first.sha256}.pdf").unlink()
    assert kind(*fetch(tmp_path, want(url, seen))) == "Fetched", "gone from the store, so sent again"


OJS = (
    b'<html><title>View of A</title><header><a href="/index.php/J/article/download/7/9">Download</a></header>'
)
META = b'<html><head><meta name="citation_pdf_url" content="/paper.pdf"></head>'
#: A paper about challenges, with a login form beside it, as OJS has them.
ABOUT = (
    b'<html><head><title>Breaking CAPTCHAs</title><meta name="citation_pdf_url" content="/paper.pdf"></head>'
    b"<h1>Breaking CAPTCHAs</h1><form><input type=password name=p></form>"
)
FRAME = b'<html><iframe src="/viewer/web/viewer.html?file=%2Fpaper.pdf"></iframe>'


@pytest.mark.parametrize(
    ("path", "page", "target"),
    [
        ("/index.php/J/article/view/7/9", OJS, "/index.php/J/article/download/7/9"),
        (
            "/index.php/J/article/view/7/9",
            b"<html><title>Viewer</title>",
            "/index.php/J/article/download/7/9",
        ),
        ("/abs", META, "/paper.pdf"),
        ("/abs", ABOUT, "/paper.pdf"),
        ("/abs", FRAME, "/paper.pdf"),
        ("/abs", b'<html><embed src="paper.pdf">', "/paper.pdf"),
    ],
)
def test_a_page_around_a_pdf_is_followed_once(
    server: Server, tmp_path: Path, path: str, page: bytes, target: str
) -> None:
    url = server.on(path, answer(page))
    server.on(target, GOOD)
    (outcome,) = fetch(tmp_path, url)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.final_url == server.url + target
    server.on(target, matching)
    seen = Seen(outcome.sha256, url, 1, outcome.checked_at, outcome.checked_at, outcome.final_url, '"one"')
    assert kind(*fetch(tmp_path, want(url, seen))) == "Unchanged", "not sent again from behind a page either"
    server.on(target, answer(META))
    assert kind(*fetch(tmp_path, url)) == "landing_page"
    server.on(target, answer(LOGIN))
    assert kind(*fetch(tmp_path, url)) == "login"


def test_a_paper_without_a_known_pdf_is_named(server: Server, tmp_path: Path) -> None:
    bare = want(server.on("/abs", answer(b"<html><title>A paper</title>")), pdf_url=None)
    outcomes = fetch(tmp_path, bare, want("", pdf_url=None))
    assert [kind(o) for o in outcomes] == ["no_pdf_url", "no_pdf_url"]


def test_an_error_that_nobody_thought_of_costs_its_paper_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = Fetcher._get

    async def odd(self: Fetcher, client: Any, url: str, conditions: Any) -> Any:
        if url.endswith("/odd"):
            raise LookupError("no such thing")
        return await get(self, client, url, conditions)

    monkeypatch.setattr(Fetcher, "_get", odd)
    outcomes = fetch(tmp_path, server.url + "/odd", server.on("/x", GOOD))
    assert {kind(outcome) for outcome in outcomes} == {"unforeseen", "Fetched"}


def test_hosts_are_fetched_from_side_by_side_and_each_at_its_own_pace(tmp_path: Path) -> None:
    with serving() as one, serving() as two:
        for server in (one, two):
            for n in range(4):
                server.on(f"/{n}", GOOD)
        host = one.url.removeprefix("http://")
        started = time.monotonic()
        outcomes = fetch(
            tmp_path,
            *(server.url + f"/{n}" for server in (one, two) for n in range(4)),
            limiter=(limiter := Noting()),
            fetch_interval_s=0.3,
            host_limits={host: HostLimit(interval_s=0.5, at_once=1)},
        )
        assert {kind(o) for o in outcomes} == {"Fetched"}
        assert time.monotonic() - started < 4.5
        for server, pace in ((one, 0.5), (two, 0.3)):
            gaps = [b - a for a, b in pairwise(server.times)]
            # One that a busy machine delays on its way comes closer to the next, but no closer to the last.
            assert sum(gaps) > pace * 0.9 * len(gaps), gaps
            sent = limiter.times[server.url.removeprefix("http://")]
            assert min(b - a for a, b in pairwise(sent)) > pace * 0.9, sent


def test_no_real_paper_is_taken_for_a_broken_download(shared: Path) -> None:
    papers = sorted((shared / "corpus" / "papers").rglob("*.pdf"))
    assert len(papers) > 200
    missed = []
    for path in papers:
        data = path.read_bytes()
        check_pdf(data, path.name)
        check_whole(data, path.name)
        with suppress(FetchError):
            check_whole(data[: len(data) * 6 // 10], path.name)
            missed.append(path.name)
    # A file that was saved in increments has a trailer after each; its Content-Length tells all the same.
    assert len(missed) < 0.02 * len(papers), missed
    refused = set()
    for path in (shared / "corpus" / "hostile").glob("*.pdf"):
        try:
            check_pdf(path.read_bytes(), path.name)
            check_whole(path.read_bytes(), path.name)
        except FetchError as error:
            refused.add((path.name.split("_")[0], error.kind))
    assert refused == {
        ("derived", "truncated"),
        ("derived", "html"),
        ("derived", "gzip"),
        ("pdfplumber", "empty"),
        ("qpdf", "not_pdf"),
    }
