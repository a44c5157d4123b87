"""The worker pool: limits, crashes, back-pressure, several threads, and no process left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest

from reprocensus.errors import ExtractError
from reprocensus.extract import ExtractPool
from reprocensus.records import Extracted

pymupdf: Any = _pymupdf

SRC = Path(__file__).parents[1] / "src"


def pdf(text: str = "Some words for a page, and then some more of them. ", pages: int = 1) -> bytes:
    document = pymupdf.open()
    document.new_page().insert_textbox(pymupdf.Rect(72, 72, 540, 720), text * 30, fontsize=11)
    while document.page_count < pages:
        with pymupdf.open(stream=document.tobytes()) as copy:
            document.insert_pdf(copy, to_page=min(len(copy), pages - len(copy)) - 1)
    data: bytes = document.tobytes()
    return data


@pytest.fixture(scope="module")
def pool() -> Iterator[ExtractPool]:
    with ExtractPool(1, timeout_s=30, memory_mb=1000) as made:
        yield made


def kind(result: Extracted | ExtractError) -> str:
    return result.kind if isinstance(result, ExtractError) else "text"


def test_good_and_bad_files_come_back_by_name(pool: ExtractPool) -> None:
    results = dict(pool.extract_all([("good", pdf()), ("empty", b""), ("html", b"<html>"), ("also", pdf())]))
    assert {name: kind(result) for name, result in results.items()} == {
        "good": "text",
        "empty": "empty",
        "html": "not_pdf",
        "also": "text",
    }


def test_the_iterable_is_read_as_slots_free_up(pool: ExtractPool) -> None:
    read = 0

    def items() -> Iterator[tuple[str, bytes]]:
        nonlocal read
        for number in range(12):
            read += 1
            yield str(number), pdf()

    results = pool.extract_all(items())
    next(results)
    assert read <= 3
    assert len(list(results)) == 11


def test_several_threads_share_the_pool(pool: ExtractPool) -> None:
    seen: dict[str, list[str]] = {}

    def work(prefix: str) -> None:
        items = ((f"{prefix}{number}", pdf()) for number in range(5))
        seen[prefix] = sorted(name for name, _ in pool.extract_all(items))

    threads = [threading.Thread(target=work, args=(prefix,)) for prefix in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {prefix: [f"{prefix}{number}" for number in range(5)] for prefix in "abc"}


def test_the_parent_never_loads_mupdf() -> None:
    code = "import sys, reprocensus.extract as e; e.ExtractPool; print('pymupdf' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_a_slow_file_times_out_and_the_next_one_is_fine() -> None:
    with ExtractPool(1, timeout_s=3) as pool:
        warm = pool.extract(pdf())
        assert warm.n_pages == 1
        # Takes more than twice the limit.
        slow = pdf("many words for this page " * 5, 1900)
        results = dict(pool.extract_all([("slow", slow), ("fast", pdf())]))
    assert {name: kind(result) for name, result in results.items()} == {"slow": "timeout", "fast": "text"}


def test_the_memory_limit_holds(pool: ExtractPool) -> None:
    with pytest.raises(MemoryError) as raised:
        pool._pool.call(bytearray, 2_000_000_000, timeout_s=30)
    assert kind(pool.explain(raised.value)) == "memory"


def test_anything_unforeseen_is_a_crash_that_names_it(pool: ExtractPool) -> None:
    result = pool.explain(ValueError("odd"))
    assert result.kind == "crash"
    assert "ValueError: odd" in str(result)


def test_mupdf_stays_silent(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(pdf().replace(b"endobj", b"endxxx", 3)[:-200])
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from reprocensus.extract import ExtractPool
            if __name__ == "__main__":
                with ExtractPool(1) as pool:
                    list(pool.extract_all([("a", open({str(broken)!r}, "rb").read())]))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(entry.parent.name)
            found += [child, *children(child)]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    data = tmp_path / "long.pdf"
    data.write_bytes(pdf("many words for this page ", 300))
    script.write_text(
        textwrap.dedent(
            f"""
            from itertools import count
            from reprocensus.extract import ExtractPool
            if __name__ == "__main__":
                data = open({str(data)!r}, "rb").read()
                with ExtractPool(2) as pool:
                    for name, _ in pool.extract_all((str(number), data) for number in count()):
                        print(name, flush=True)
            """
        )
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    family = children(parent.pid)
    assert len(family) >= 3
    os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 3
    while any(alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [pid for pid in family if alive(pid)]
    parent.wait()
    parent.stdout.close()
    assert left == []
