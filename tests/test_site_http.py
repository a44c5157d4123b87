"""`site serve` asked over real connections: addresses, methods, parts of files, search, pictures, changes."""

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from reprocensus.imports import import_file
from reprocensus.records import Edition
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.site import urls
from reprocensus.site.build import build
from reprocensus.site.corpus import Corpus
from reprocensus.site.http import Application
from reprocensus.site.options import SiteOptions
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

PLAIN = "/" + urls.paper("ALPHA-2022/plain")


@dataclass(frozen=True, slots=True)
class Got:
    """One answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class Server:
    """A server of its own process."""

    port: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> Got:
        """What the server answers to this very path: nothing is quoted or made simpler on the way."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Got(answer.status, found, answer.read())
        finally:
            connection.close()

    def until(self, path: str, what: str) -> Got:
        """What stands there once it says so; the server looks at the store every few seconds."""
        end = time.monotonic() + 240
        while what not in (got := self.ask(path)).text:
            assert time.monotonic() < end, f"{path} never says {what!r}: {got.status} {got.text[:500]}"
            time.sleep(0.2)
        return got


@contextmanager
def served(store: Path, workers: int = 1) -> Iterator[Server]:
    command = [sys.executable, "-m", "reprocensus", "site", "serve", "--store", str(store)]
    command += ["--port", "0", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        try:
            found = re.match(r"http://127.0.0.1:(\d+)/ ", process.stdout.readline())
            assert found, "the server did not start"
            yield Server(int(found[1]))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def server(site_store: Path) -> Iterator[Server]:
    with served(site_store) as found:
        yield found


def test_pages_are_those_of_the_build(server: Server, site_store: Path, tmp_path: Path) -> None:
    build(str(site_store), Settings(workers=1), SiteOptions(), tmp_path)
    # From the tables, then from the shelf, which is filled meanwhile.
    for pause in (0, 3):
        time.sleep(pause)
        for paper_id in (
            "ALPHA-2022/plain",
            "ALPHA-2022/script",
            "ALPHA-2022/.. up/~x%2e",
            "ALPHA-2022/emoji",
        ):
            path = urls.paper(paper_id)
            written = (tmp_path / urls.on_disk(path)).read_text()
            # Pictures and marked PDFs are made when asked for; a build makes them only if it is told to.
            got = re.sub(r'<details class="passage">.*?</details>\n', "", server.ask(f"/{path}").text)
            got = re.sub(r"<li><a [^>]*>PDF with all quotes marked</a></li>", "", got)
            assert got == written


def test_the_end_of_a_page_does_not_wait_for_word_of_its_beginning() -> None:
    from reprocensus.site.serve import _listening

    with _listening("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_page_that_cannot_be_made_is_told_in_words(
    site_store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise TypeError("a row that nobody expected")

    monkeypatch.setattr("reprocensus.site.http.answer", broken)
    told: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {}

    corpus = Corpus(Tables(open_storage(str(site_store), Settings())), SiteOptions())
    scope = {"type": "http", "method": "GET", "path": "/about/", "query_string": b"", "headers": []}
    asyncio.run(Application(corpus)(scope, receive, send))
    assert told[0]["status"] == 500 and b"cannot be made" in told[1]["body"]
    assert "a row that nobody expected" in caplog.text and b"nobody expected" not in told[1]["body"]


@pytest.mark.parametrize(("ending", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_whatever_ends_it_leaves_no_file_and_tells_of_no_traceback(
    site_store: Path, tmp_path: Path, ending: signal.Signals, workers: int
) -> None:
    """As a service manager ends it, and as Ctrl+C does, which reaches workers that are still starting."""
    command = [sys.executable, "-m", "reprocensus", "site", "serve", "--store", str(site_store)]
    command += ["--port", "0", "--workers", str(workers)]
    files = tmp_path / "tmp"
    files.mkdir()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(files)},
        start_new_session=True,
    ) as process:
        assert process.stdout and process.stdout.readline().startswith("http://")
        assert list(files.iterdir())
        # Workers are starting.
        time.sleep(0.7)
        os.killpg(process.pid, ending)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said and list(files.iterdir()) == []


def test_head_tells_what_get_tells_without_the_page(server: Server) -> None:
    for path in ("/", PLAIN, "/nothing/", "/static/site.css"):
        whole, head = server.ask(path), server.ask(path, "HEAD")
        assert head.status == whole.status and head.body == b""
        assert head.headers["content-length"] == str(len(whole.body))
        assert {k: v for k, v in head.headers.items() if k != "date"} == {
            k: v for k, v in whole.headers.items() if k != "date"
        }
    assert server.ask(PLAIN, "POST").status == server.ask(PLAIN, "DELETE").status == 405
    assert server.ask(PLAIN, "PUT").headers["allow"] == "GET, HEAD"


def test_what_a_reader_has_is_not_sent_again(server: Server) -> None:
    tag = server.ask(PLAIN).headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        got = server.ask(PLAIN, If_None_Match=known)
        assert (got.status, got.body) == (304, b"") and got.headers["etag"] == tag
    assert server.ask(PLAIN, If_None_Match='"other"').status == 200


def test_a_pdf_comes_in_parts(server: Server) -> None:
    pdf = re.search(r'href="[./]*(pdf/[0-9a-f]{64}\.pdf)', server.ask(PLAIN).text)
    assert pdf
    path = f"/{pdf[1]}"
    whole = server.ask(path)
    size, tag = len(whole.body), whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes" and whole.body.startswith(b"%PDF")
    for asked, part in {
        "bytes=0-99": whole.body[:100],
        "bytes=100-": whole.body[100:],
        "bytes=-50": whole.body[-50:],
        f"bytes=10-{size * 2}": whole.body[10:],
        f"bytes=-{size * 2}": whole.body,
    }.items():
        got = server.ask(path, Range=asked, If_Range=tag)
        assert got.status == 206 and got.body == part, asked
        assert got.headers["content-range"].endswith(f"/{size}")
    for asked in (
        "bytes=5-2",
        "bytes=0-1,4-5",
        "chars=0-5",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=" + "9" * 99,
    ):
        got = server.ask(path, Range=asked)
        assert got.status in (200, 416), asked
        assert got.status == 416 or got.body == whole.body
    beyond = server.ask(path, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert server.ask(path, Range="bytes=0-9", If_Range='"older"').body == whole.body


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/papers/..%2f..%2f..%2fetc%2fpasswd",
        "/static/..%2f..%2fcorpus.py", "/static/%2e%2e/serve.py", "//evil.example/", "/papers/%00/",
        "/papers/%ff%fe/", "/papers/\\..\\..\\x/", "/static/..%5c..%5ccorpus.py", "/papers/nobody/",
        "/pdf/" + "0" * 64 + ".pdf", "/pdf/..%2f..%2fruns.pdf", "/venues/NONE/2020/", "/papers//text/",
        "/downloads/papers/ALPHA-2022%2f..%2fx.csv", "/countries/NOWHERE/", "/.reprocensus/common.json",
        "/papers/" + "x/" * 2_000, "/papers/" + "~" * 9_000 + "/",
    ],
)  # fmt: skip
def test_nothing_is_where_no_page_is(server: Server, path: str) -> None:
    got = server.ask(path)
    assert got.status == 404 and "Not found" in got.text, path
    assert "root:" not in got.text and "frame-ancestors 'none'" in got.headers["content-security-policy"]


def test_names_may_be_spelt_as_they_are(server: Server) -> None:
    odd = "ALPHA-2022/.. up/~x%2e"
    got = server.ask("/papers/" + quote(odd) + "/")
    assert got.status == 308
    assert got.headers["location"].endswith(urls.paper(odd)) and "//" not in got.headers["location"]
    bare = server.ask(PLAIN.rstrip("/"))
    assert (bare.status, bare.headers["location"]) == (308, "./plain/")
    assert server.ask("//evil.example/ALPHA-2022/plain").status == 404


def test_search_by_address(server: Server) -> None:
    got = server.until("/search/?q=" + quote("Émile zurn"), "A Small Study of Numbers")
    assert got.status == 200 and "no-store" not in got.headers.get("cache-control", "")
    assert "Revisited" in server.ask("/search/?q=numbers&venue=ALPHA&year=2023").text
    assert "A Small Study" not in server.ask("/search/?q=small+numbers&year=2023").text
    for hostile in ('"', "NEAR(", "*", "%00", "%ff", "<script>alert(1)</script>", "a OR b", "x" * 10_000):
        found = server.ask("/search/?q=" + quote(hostile, safe="%"))
        assert found.status == 200, hostile
        assert "<script>alert" not in found.text
    assert server.ask("/search/?q=" + quote("ü" * 1_500)).status == 200
    assert server.ask("/search/?q=" + "x" * 20_000).status == 414
    assert server.ask("/search/?q=numbers&page=-1&page=zz&venue=%27--&year=1e9&&&==&q=").status == 200


def test_pictures_and_marked_pdfs_are_made_when_asked_for(server: Server) -> None:
    html = server.ask(PLAIN).text
    pictures = re.findall(r'src="[./]*(papers/ALPHA-2022/plain/evidence/[^"]+\.webp)"', html)
    marked = re.search(r'href="[./]*(papers/ALPHA-2022/plain/evidence/[^"]+\.pdf)"', html)
    assert pictures and marked
    picture = server.ask(f"/{pictures[0]}")
    assert picture.headers["content-type"] == "image/webp" and picture.body[8:12] == b"WEBP"
    pdf = server.ask(f"/{marked[1]}")
    assert pdf.headers["content-type"] == "application/pdf" and pdf.body.startswith(b"%PDF")
    assert server.ask(f"/{marked[1]}", Range="bytes=0-3").body == b"%PDF"
    for other in (
        "hardware_specification-99-0123456789ab.webp",
        "..%2f..%2fx.webp",
        "marked-000000000000.pdf",
        "x",
    ):
        assert server.ask(f"{PLAIN}evidence/{other}").status == 404
    assert server.ask(f"/{urls.paper('ALPHA-2022/missing')}evidence/x.webp").status == 404


def test_a_published_edition_is_served_while_readers_ask(site_store: Path, tmp_path: Path) -> None:
    """Two processes serve; a run publishes: nobody is told an error, both show what changed."""
    store = tmp_path / "store"
    shutil.copytree(site_store, store)
    tables = Tables(open_storage(str(store), Settings()))
    told: list[int] = []
    with served(store, workers=2) as server:
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                told.extend(server.ask(path).status for path in (PLAIN, "/venues/ALPHA/2022/", "/"))

        readers = [threading.Thread(target=read) for _ in range(8)]
        for reader in readers:
            reader.start()
        try:
            rows = [
                {"paper_id": "NEW-2024/x", "venue": "NEW", "year": 2024, "title": "New", "pseudocode": "Yes"}
            ]
            (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            import_file(tables, tmp_path / "labels.jsonl", load_variables(), engine="other")
            rename(tables, Edition("ALPHA", 2022), "ALPHA-2022/plain", "Called Otherwise Now")
            # Each request may come to either process.
            for _ in range(8):
                server.until("/" + urls.paper("NEW-2024/x"), "No quote or reason came with this label")
                server.until(PLAIN, "Called Otherwise Now")
        finally:
            stop.set()
            for reader in readers:
                reader.join()
    assert told and set(told) == {200}


def rename(tables: Tables, edition: Edition, paper_id: str, title: str) -> None:
    from dataclasses import replace

    import polars as pl

    new = pl.when(pl.col("paper_id") == paper_id).then(pl.lit(title)).otherwise(pl.col("title"))
    tables.update(
        "papers", edition, lambda current: replace(current, frame=current.frame.with_columns(title=new))
    )
