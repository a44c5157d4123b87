"""Building a site where something is wrong: PDFs gone or damaged, failures alone, two builds, a full disk."""

import errno
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import Command
from reprocensus.errors import UsageError
from reprocensus.outcome import Progress
from reprocensus.settings import Settings
from reprocensus.site.build import build
from reprocensus.site.options import Evidence, SiteOptions
from reprocensus.site.output import Output
from site_support import dead_links

ONE = Settings(workers=1)
#: So that the page for what is not there finds the site: `dead_links` looks below this path.
SUB = SiteOptions(url="https://census.example.org/sub/")


def test_a_pdf_that_is_gone_or_damaged_costs_its_own_pictures_and_no_link(
    site_store: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    shutil.copytree(site_store, store)
    gone, damaged, empty, *_ = sorted((store / "objects" / "pdf").glob("*.pdf"))
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:300])
    empty.write_bytes(b"")
    options = SiteOptions(url=SUB.url, evidence=Evidence.MARKED)
    done = build(str(store), ONE, options, out)
    assert len(done.drawn.failed) == 3
    (told,) = [reason for _, reason in done.drawn.failed if gone.name in reason]
    assert "does not hold its PDF" in told and str(store) not in told
    assert dead_links(out) == []
    assert not list(out.rglob("*.tmp"))
    assert done.drawn.marked == 10, "the others' are there"


def test_a_site_of_failures_alone_and_of_one_edition(reprocensus: Command, tmp_path: Path) -> None:
    rows = [{"id": f"ZETA-2020/{n}", "title": f"Gone {n}", "authors": [], "venue": "ZETA", "year": 2020,
             "file": f"{n}.pdf"} for n in range(2)]  # fmt: skip
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert reprocensus("run", "manifest:m.jsonl", "--store", "s").returncode == 1
    done = build(str(tmp_path / "s"), ONE, SUB, tmp_path / "out")
    assert (done.n_papers, len(done.editions)) == (2, 1)
    assert dead_links(tmp_path / "out") == []
    assert "not_found: 2" in (tmp_path / "out/venues/ZETA/2020/failures/index.html").read_text()
    assert "There is no other edition." in (tmp_path / "out/compare/ZETA-2020/index.html").read_text()


def test_a_store_without_papers_has_no_site(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no papers"):
        build(str(tmp_path / "s"), ONE, SUB, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said_so(site_store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made: Not a directory; name another folder"):
        build(str(site_store), Settings(workers=1), SiteOptions(), tmp_path / "file" / "site")


def test_one_build_at_a_time_writes_to_a_folder(site_store: Path, tmp_path: Path) -> None:
    held = Output(tmp_path, alone=True)
    with pytest.raises(UsageError, match="another build"):
        build(str(site_store), ONE, SUB, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".reprocensus"]
    del held
    assert build(str(site_store), ONE, SUB, tmp_path).n_papers


def test_a_full_disk_is_told_and_the_next_build_goes_on(
    site_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, n_written = Path.write_bytes, 0

    def full(path: Path, data: bytes) -> int:
        nonlocal n_written
        n_written += 1
        if n_written > 40:
            real(path, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match="No space left on device"):
        build(str(site_store), ONE, SUB, tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.undo()
    build(str(site_store), ONE, SUB, tmp_path)
    assert dead_links(tmp_path) == []


def test_a_build_tells_of_its_progress_until_all_is_done(site_store: Path, tmp_path: Path) -> None:
    totals: dict[str, int] = {}
    done: Counter[str] = Counter()

    @contextmanager
    def shown(told: Mapping[str, int]) -> Iterator[Progress]:
        totals.update(told)
        yield lambda stage, _, n: done.update({stage: n})

    options = SiteOptions(evidence=Evidence.PICTURES)
    for workers in (1, 2):
        done.clear()
        build(str(site_store), Settings(workers=workers), options, tmp_path, full=True, display=shown)
        assert dict(done) == totals and set(totals) == {"draw", "papers", "common", "search"}
        assert totals["papers"] == 14


def test_a_build_in_a_log_says_something_at_once_and_at_the_end(
    reprocensus: Command, site_store: Path
) -> None:
    done = reprocensus("site", "build", "--store", str(site_store), "--out", "out")
    first, *_, last = done.stderr.splitlines()
    assert "papers 0/14" in first and "papers 14/14" in last and "search 3/3" in last
