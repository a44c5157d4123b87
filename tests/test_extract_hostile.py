"""Hostile files end as a document or as a documented failure, within their limits, and hurt no neighbour."""

import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import hostile
from conftest import ROOT
from fuzz_extract import broken_promises, case, cases, verdict
from reprocensus.errors import ExtractError
from reprocensus.extract import KINDS, ExtractPool
from reprocensus.records import Extracted

Outcome = Extracted | ExtractError

WORDS = hostile.stream(hostile.WORDS)
SAMPLES = sorted((ROOT / "samples" / "papers").glob("*/*.pdf"), key=lambda path: path.stat().st_size)
SAMPLE = SAMPLES[0]

#: Name, what makes it, and how it may end: a kind of failure, or "text".
CHEAP: list[tuple[str, Callable[[], bytes], set[str]]] = [
    ("nested forms, 2^8", lambda: hostile.nested_forms(8), {"text"}),
    ("100,000 glyphs", lambda: hostile.many_glyphs(100_000), {"text"}),
    ("20,000 pages", lambda: hostile.many_pages(20_000), {"too_many_pages"}),
    ("64 MiB of content", lambda: hostile.inflating_content(64), {"text"}),
    ("a font of 64 MiB", lambda: hostile.inflating_font(64), {"text"}),
    ("a character map of 64 MiB", lambda: hostile.inflating_cmap(64), {"text"}),
    ("a page tree 5,000 deep", lambda: hostile.deep_page_tree(5000), {"text", "broken"}),
    ("a page tree that holds itself", hostile.cyclic_page_tree, {"text", "broken", "no_pages"}),
    ("outlines that hold themselves", hostile.cyclic_outlines, {"text"}),
    ("arrays 200,000 deep", lambda: hostile.deep_objects(200_000), {"text", "broken"}),
    ("content 100,000 deep", lambda: hostile.deep_content(100_000), {"text", "broken"}),
    ("rubbish for fonts", hostile.bad_fonts, {"text"}),
    ("5,000 notes", lambda: hostile.annotations(5000, links=False), {"text"}),
    ("2,000 tiny links", lambda: hostile.annotations(2000, links=True), {"text"}),
    ("scripts and attachments", hostile.scripted, {"text"}),
    ("numbers beyond any page", hostile.huge_numbers, {"text"}),
    ("a page of 10^60 square points", lambda: page_of(b"[-1e30 -1e30 1e30 1e30]"), {"text"}),
    ("a page of 5 km", lambda: page_of(b"[0 0 14400000 14400000]"), {"text"}),
    ("a page of no size", lambda: page_of(b"[0 0 0 0]"), {"text", "no_text"}),
    ("a page inside out", lambda: page_of(b"[612 792 0 0]"), {"text"}),
    ("a page without a size", lambda: page_of(b" null"), {"text"}),
    ("an empty password", lambda: hostile.encrypted(paper(), user="", owner="x"), {"text"}),
    ("a password", lambda: hostile.encrypted(paper(), user="secret", owner="x"), {"encrypted"}),
    ("a blank page", lambda: hostile.document(hostile.stream(b"")), {"no_text"}),
    ("no pages", hostile.document, {"no_pages"}),
    ("a header alone", lambda: b"%PDF-1.7\n", {"no_pages", "broken"}),
    ("ten thousand headers", lambda: b"%PDF-1.7\n" * 10_000, {"no_pages", "broken"}),
]

#: What takes a while or a lot of memory.
COSTLY: list[tuple[str, Callable[[], bytes], set[str]]] = [
    ("nested forms, 2^28", lambda: hostile.nested_forms(28), {"timeout", "memory"}),
    ("5 M glyphs on a page", lambda: hostile.many_glyphs(5_000_000), {"timeout", "memory", "text"}),
    ("1 GiB of content", lambda: hostile.inflating_content(1024), {"timeout", "memory", "text"}),
    ("a font of 1 GiB", lambda: hostile.inflating_font(1024), {"timeout", "memory", "text"}),
    ("a character map of 1 GiB", lambda: hostile.inflating_cmap(1024), {"timeout", "memory", "text"}),
    ("1,999 pages", lambda: hostile.many_pages(1999), {"text", "no_text"}),
    ("30,000 tiny links", lambda: hostile.annotations(30_000, links=True), {"timeout", "memory", "text"}),
]


def page_of(box: bytes) -> bytes:
    return hostile.document(WORDS, box=box)


def paper() -> bytes:
    return SAMPLE.read_bytes()


def kind(outcome: Outcome) -> str:
    return outcome.kind if isinstance(outcome, ExtractError) else "text"


def settle(name: str, outcome: Outcome, allowed: set[str]) -> None:
    """It ended as it may, and says what to do."""
    assert kind(outcome) in allowed, f"{name}: {outcome}"
    if isinstance(outcome, ExtractError):
        assert outcome.kind in KINDS
        assert outcome.kind != "no_text" or "OCR" in str(outcome)
    else:
        assert not broken_promises(outcome), name


def batch(pool: ExtractPool, files: dict[str, bytes]) -> tuple[dict[str, Outcome], list[Outcome]]:
    """Extracts files with a good paper after each; the files' outcomes, and the papers'."""

    def items() -> Iterator[tuple[str, bytes]]:
        for name, data in files.items():
            yield name, data
            yield f"after {name}", paper()

    found = dict(pool.extract_all(items()))
    return {name: found[name] for name in files}, [found[f"after {name}"] for name in files]


@pytest.fixture(scope="module")
def alone() -> Extracted:
    """The good paper, extracted where nothing else ever was."""
    with ExtractPool(1) as pool:
        return pool.extract(paper())


def test_each_ends_as_it_may_and_its_neighbours_as_ever(alone: Extracted) -> None:
    files = {name: make() for name, make, _ in CHEAP}
    with ExtractPool(2, timeout_s=30, memory_mb=700) as pool:
        outcomes, neighbours = batch(pool, files)
    for name, _, allowed in CHEAP:
        settle(name, outcomes[name], allowed)
    assert neighbours == [alone] * len(files)


def test_a_download_that_was_cut_off_is_no_document(alone: Extracted) -> None:
    files = {f"{n} tenths": part for n, part in enumerate(hostile.truncations(paper()), start=1)}
    with ExtractPool(2, timeout_s=30, memory_mb=700) as pool:
        outcomes, neighbours = batch(pool, files)
    for name, outcome in outcomes.items():
        settle(name, outcome, {"no_pages", "broken", "text"})
        if isinstance(outcome, Extracted):
            assert {"repaired", "pages_failed"} & set(outcome.flags), name
    assert neighbours == [alone] * len(files)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_what_is_costly_stays_within_its_limits(alone: Extracted) -> None:
    memory_mb, timeout_s = 500, 3.0
    for name, make, allowed in COSTLY:
        data = make()
        with ExtractPool(1, timeout_s=timeout_s, memory_mb=memory_mb) as pool:
            pool.extract(page_of(b"[0 0 612 792]"))
            with watched() as peak:
                started = time.monotonic()
                outcome = next(iter(pool.extract_all([(name, data)])))[1]
                took = time.monotonic() - started
            settle(name, outcome, allowed)
            # To end a large process and start another takes a while on a busy machine.
            assert took < timeout_s + 10, f"{name}: {took:.1f} s"
            assert peak[0] < memory_mb, f"{name}: {peak[0]:.0f} MiB"
            assert pool.extract(paper()) == alone, name


def test_a_worker_that_ballooned_is_replaced(alone: Extracted) -> None:
    """MuPDF keeps what it held when an allocation was refused: the next file must not find it so."""
    with ExtractPool(1, timeout_s=30, memory_mb=400) as pool:
        before = pool._pool.call(os.getpid, timeout_s=30)
        with pytest.raises(ExtractError) as raised:
            pool.extract(hostile.nested_forms(20))
        assert raised.value.kind == "memory"
        assert pool._pool.call(os.getpid, timeout_s=30) != before
        assert pool.extract(paper()) == alone


#: Parts of the shared files' names, and how they end. What is not named may end either way.
SHARED = {
    "html_served": "not_pdf", "gzip_body": "not_pdf", "pdfplumber__empty": "empty", "issue-150": "not_pdf",
    "user-password": "encrypted", "long-password": "encrypted", "password-example": "encrypted",
    "U_view": "encrypted", "ocr_test_rotated": "no_text", "edgar_image": "no_text", "pdfjs__empty": "no_text",
    "scan-bad": "no_text", "jbig2": "no_text", "3000_pages": "too_many_pages", "truncated_1KiB": "no_pages",
    "truncated_60": "no_pages", "xref-loop": "no_pages", "r6-owner": "text", "junk_prefix": "text",
    "two_column": "text", "gyllenberg": "text", "200in": "text", "circular-toc": "text", "bad-fonts": "text",
    "chinese": "text", "helloworld-bad": "text", "bad-xref": "text", "pages-loop": "text",
}  # fmt: skip


@pytest.mark.corpus
def test_the_shared_hostile_files(shared: Path, alone: Extracted) -> None:
    folder = shared / "corpus"
    lines = (folder / "hostile" / "manifest.jsonl").read_text("utf-8").splitlines()
    names = [json.loads(line)["file"] for line in lines]
    assert len(names) == 45
    files = {name: (folder / name).read_bytes() for name in names}
    with ExtractPool(2, timeout_s=30, memory_mb=700) as pool:
        outcomes, neighbours = batch(pool, files)
    for name, outcome in outcomes.items():
        expected = {kind for part, kind in SHARED.items() if part in name}
        settle(name, outcome, expected or {"text", "broken", "no_pages", "no_text"})
    assert neighbours == [alone] * len(files)


def test_mutated_papers_end_as_they_may() -> None:
    """A slice of `make fuzz`, the same each time."""
    chosen = dict(itertools.islice(cases(seed=1, papers=SAMPLES[:3]), 12))
    assert all(case(name) == data for name, data in chosen.items())
    with ExtractPool(2, timeout_s=30, memory_mb=1000) as pool:
        ended = {name: verdict(outcome) for name, outcome in pool.extract_all(chosen.items())}
    assert {name: wrong for name, (_, wrong) in ended.items() if wrong} == {}
    assert "text" in {kind for kind, _ in ended.values()}


def test_the_fuzzer_sees_broken_promises(alone: Extracted) -> None:
    assert broken_promises(alone) == []
    for broken in (
        replace(alone, text=alone.text + "x"),
        replace(alone, text="\x01" + alone.text[1:]),
        replace(alone, text="\ud800" + alone.text[1:]),
        replace(alone, page_starts=alone.page_starts[::-1]),
        replace(alone, page_starts=(*alone.page_starts, len(alone.text) + 1)),
        replace(alone, sections=alone.sections[1:]),
    ):
        assert len(broken_promises(broken)) >= 1
    assert verdict(ExtractError("crash", "odd"))[1]
    assert verdict(ExtractError("nosuch", "odd"))[1]
    assert not verdict(ExtractError("no_pages", "odd"))[1]


@contextmanager
def watched() -> Iterator[list[float]]:
    """The largest resident memory of any process below this one while the block runs, in MiB."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for pid in _below(os.getpid()):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                for line in status.splitlines():
                    if line.startswith("VmRSS"):
                        peak[0] = max(peak[0], int(line.split()[1]) / 1024)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _below(pid: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            yield int(entry.parent.name)
            yield from _below(int(entry.parent.name))
