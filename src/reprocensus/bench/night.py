"""Measures a night: many papers with tiny texts through plan, judgement and publication, then one of nothing.

The papers' texts lie in the store already, as if an earlier run had fetched and read them; what is measured
is everything around reading and thinking. Each night is a process of its own, as from the command line.
"""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reprocensus.errors import ReprocensusError
from reprocensus.extract.version import extractor_version
from reprocensus.keys import digest
from reprocensus.records import Edition, Extracted, Paper, Section, SectionKind, Seen
from reprocensus.rows import document_row, new_document, paper_row, pdf_row
from reprocensus.settings import load_settings
from reprocensus.sources import SourceOptions, list_papers
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

_VENUES: Final = ("AAAI", "ACL", "CVPR", "ICLR", "ICML", "NeurIPS")
_YEARS: Final = (2020, 2021, 2022, 2023, 2024)
_TEXT: Final = """Paper {n}
Abstract
We train model {n} and report its accuracy.
1 Experiments
All experiments ran on a single GPU. Our code is available at https://example.org/{n}.
"""


@dataclass(frozen=True, slots=True)
class Night:
    """One night: seconds by the clock and of CPU, peak memory in MiB, and what Prefect kept of it."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    task_runs: int
    database_mib: float
    status: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A night in which every paper is judged, and the same night again."""

    papers: int
    verdicts: int
    full: Night
    nothing: Night

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def measure(n_papers: int, folder: Path, tell: Callable[[str], None]) -> Figures:
    """Makes a store of papers in the folder and has them judged by the fake engine, twice.

    Raises:
        ReprocensusError: a night failed.
    """
    tell("making papers")
    manifest = _manifest(n_papers, folder)
    store = folder / "store"
    _read(Tables(open_storage(str(store), load_settings())), manifest)
    tell("the night")
    full = _night(manifest, store, folder)
    tell("the night with nothing new")
    nothing = _night(manifest, store, folder)
    tables = Tables(open_storage(str(store), load_settings()))
    return Figures(n_papers, tables.scan("verdicts", columns=("paper_id",)).height, full, nothing)


def _manifest(n_papers: int, folder: Path) -> Path:
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        for n in range(n_papers):
            venue, year = _VENUES[n % len(_VENUES)], _YEARS[n // len(_VENUES) % len(_YEARS)]
            url = f"https://papers.invalid/{n}.pdf"
            line = {"id": f"{venue}-{year}/{n:06d}", "title": f"Paper {n}", "venue": venue, "year": year}
            file.write(json.dumps({**line, "official_url": url}) + "\n")
    return path


def _read(tables: Tables, manifest: Path) -> None:
    """Journals the papers as an earlier run that fetched and read them would have."""
    by_edition: dict[Edition, list[Paper]] = defaultdict(list)
    for paper in list_papers([f"manifest:{manifest}"], SourceOptions()):
        by_edition[paper.edition].append(paper)
    now, version = datetime.now(UTC), extractor_version()
    for edition, papers in by_edition.items():
        rows: dict[str, list[dict[str, Any]]] = {"papers": [], "pdfs": [], "documents": []}
        for paper in papers:
            text = _TEXT.format(n=paper.paper_id)
            sha256 = digest(paper.paper_id)
            whole = (Section(SectionKind.BODY, "", 0, len(text)),)
            extracted = Extracted(text, (0,), paper.title, whole, (), "bench", version)
            rows["papers"].append(paper_row(paper, paper.title, sha256, paper.location, now))
            rows["pdfs"].append(pdf_row(paper.paper_id, Seen(sha256, paper.location, 1, now, now), now))
            rows["documents"].append(document_row(new_document(paper.paper_id, sha256, extracted), now))
        for table, mine in rows.items():
            tables.append(table, edition, "20200101T000000Z_000000", "0000", mine)


def _night(manifest: Path, store: Path, folder: Path) -> Night:
    home = folder / "prefect"
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "reprocensus", "run", f"manifest:{manifest}"]
    command += ["--store", str(store), "--engine", "fake", "--json"]
    before = _task_runs(home)
    started = time.monotonic()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout
    told = child.stdout.read()
    _, code, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if code:
        raise ReprocensusError(f"a night over {manifest} ended with {os.waitstatus_to_exitcode(code)}")
    database = sum(path.stat().st_size for path in home.glob("*.db*")) / 2**20 if home.exists() else 0.0
    return Night(
        round(wall, 1),
        round(usage.ru_utime + usage.ru_stime, 1),
        round(_peak(usage), 0),
        _task_runs(home) - before,
        round(database, 1),
        json.loads(told)["status"],
    )


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _task_runs(home: Path) -> int:
    for path in home.glob("*.db"):
        with sqlite3.connect(path) as database:
            return int(database.execute("SELECT count(*) FROM task_run").fetchone()[0])
    return 0
