"""A run over a loopback mirror of two editions: what is listed adds up with what is found and what failed.

Each host of the mirrored editions is a server here. Pages are those of ../shared/listings with their hosts'
addresses replaced as they are served, PDFs those of ../shared/corpus that are listed, the rest is 404.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest

from reprocensus.census import prepare
from reprocensus.request import RunRequest
from reprocensus.settings import HostLimit, Settings
from reprocensus.sources import SourceOptions, adapters, list_edition
from reprocensus_flows import handover
from reprocensus_flows import work as flow

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

#: Host, the source's folder in ../shared/listings, the edition, and how many of its PDFs are served.
MIRRORED = [("proceedings.mlr.press", "icml", "icml/2014", 3), ("www.ijcai.org", "ijcai", "ijcai/2019", 1)]
#: Papers of their main tracks.
LISTED = [310, 846]


@dataclass
class Host:
    """What one host serves, by path."""

    pages: dict[str, bytes] = field(default_factory=dict)
    pdfs: dict[str, Path] = field(default_factory=dict)
    served: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving(host: Host) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.rstrip("/")
            body = host.pages.get(path)
            kind = "text/html; charset=utf-8"
            if body is None and path in host.pdfs:
                body, kind = host.pdfs[path].read_bytes(), "application/pdf"
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def mirror(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Host]]:
    """The two hosts by the edition that they are for; the adapters are led to them."""
    lines = (shared / "corpus" / "manifest.jsonl").read_text("utf-8").splitlines()
    corpus = [json.loads(line) for line in lines]
    with ExitStack() as stack:
        hosts: dict[str, Host] = {}
        for name, folder, edition, n in MIRRORED:
            host = hosts[edition] = Host()
            base = stack.enter_context(serving(host))
            saved = shared / "listings" / f"{edition}.html"
            (start,) = adapters()[folder].start(folder, int(saved.stem))
            address = urlsplit(start).path
            text = saved.read_text("utf-8")
            for scheme in ("https", "http"):
                text = text.replace(f"{scheme}://{name}", base)
            host.pages[address.rstrip("/")] = text.encode()
            real = list_edition(edition, SourceOptions(listing=(str(saved),)))
            listed = {urlsplit(paper.pdf_url or "").path: paper.paper_id for paper in real.papers}
            for paper in corpus:
                path = urlsplit(paper["official_url"] or "").path
                if path in listed and len(host.pdfs) < n and paper["bytes"] < 600_000:
                    host.pdfs[path] = shared / "corpus" / paper["file"]
                    host.served[listed[path]] = paper["id"]
            assert len(host.pdfs) == n
            # Only where an edition starts is another: everything after that is read off the pages served.
            monkeypatch.setattr(adapters()[folder], "start", lambda word, year, at=base + address: (at,))
        yield hosts


def test_papers_documents_verdicts_and_failures_add_up(
    mirror: dict[str, Host], api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # That limits hold through Prefect is another test's; here it would cost minutes for a thousand 404s.
    monkeypatch.setattr(flow, "PrefectLimiter", lambda deadline_s: None)
    settings = Settings(
        workers=2,
        allow_private_hosts=True,
        fetch_interval_s=0,
        host_limits={"127.0.0.1": HostLimit(interval_s=0, at_once=16)},
    )
    request = RunRequest(sources=tuple(mirror), store=str(tmp_path / "s"))
    prepared = prepare(request, settings)
    assert not prepared.gathered.failed
    outcome = handover.run(prepared, lambda stage, kind, n: None)
    assert outcome.status == "completed_with_failures"

    def table(name: str) -> pl.DataFrame:
        return pl.read_parquet(tmp_path / "s" / "tables" / name, hive_partitioning=True)

    papers, documents, failures = table("papers"), table("documents"), table("failures")
    listed = {paper.paper_id for listing in prepared.gathered.listings for paper in listing.papers}
    assert [len(listing.papers) for listing in prepared.gathered.listings] == LISTED
    assert set(papers["paper_id"]) == listed
    assert papers.height == sum(LISTED)
    served = {paper_id for host in mirror.values() for paper_id in host.served}
    assert set(documents["paper_id"]) == served
    assert set(failures["paper_id"]) == listed - served
    assert failures.height == sum(LISTED) - len(served)
    assert set(failures.select("stage", "kind").unique().rows()) == {("fetch", "not_found")}
    verdicts = table("verdicts")
    assert verdicts.group_by("paper_id").len()["len"].to_list() == [9] * len(served)
    assert set(verdicts["paper_id"]) == served
    statistics = table("venue_statistics").filter(variable="pseudocode")
    assert dict(statistics.select("venue", "n_papers").rows()) == {"ICML": LISTED[0], "IJCAI": LISTED[1]}
    assert statistics["n_missing"].sum() == failures.height

    again = prepare(request, settings)
    assert not again.anything
    assert (again.plan.n_done, again.plan.n_waiting) == (len(served), failures.height)
