"""What is kept of a run: one row in `runs`, written when it starts and again when it ends."""

import json
import os
import platform
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from reprocensus.engines import EngineDetails
from reprocensus.leases import Leases, this_process
from reprocensus.outcome import ShardReport
from reprocensus.plan import Judging
from reprocensus.prompt import prompt_sha, question, system
from reprocensus.request import RunRequest
from reprocensus.schemas import own_schemas
from reprocensus.tables import Tables

_PACKAGES = ("reprocensus", "prefect", "pymupdf", "polars", "pyarrow", "vllm")


def new_run_id() -> str:
    """An identifier that sorts by time. Has no dash: a dash ends it in the names of the journal's files."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way."""

    run_id: str
    request: RunRequest
    judging: Judging
    #: What else it was asked.
    also: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def save(
        self,
        tables: Tables,
        status: str,
        report: ShardReport | None = None,
        message: str | None = None,
        details: EngineDetails | None = None,
    ) -> None:
        """Writes the run's row, with what is known of its engine. A status other than `running` ends it."""
        now = datetime.now(UTC)
        ended = status != "running"
        done = report or ShardReport()
        known = details or EngineDetails()
        row: dict[str, Any] = {
            "run_id": self.run_id,
            "started_at": self.started_at,
            "finished_at": now if ended else None,
            "status": status,
            "engine": self.judging.engine,
            "model": self.judging.model,
            "settings": json.dumps({**self.request.model_dump(mode="json"), **self.also}),
            "prompts": [
                {
                    "variable": v.name,
                    "variable_sha": self.judging.variable_shas(v)[0],
                    "prompt_sha": prompt_sha(v, self.judging.quoting),
                    "prompt": system(self.judging.quoting),
                    "question": question(v, self.judging.quoting),
                }
                for v in self.judging.variables
            ],
            "software": json.dumps(software_versions()),
            "git_commit": git_commit(),
            "hardware": json.dumps(hardware()),
            "counts": [
                {"stage": stage, "outcome": outcome, "n": n}
                for (stage, outcome), n in sorted(done.counts.items())
            ],
            "prompt_tokens": done.prompt_tokens,
            "cached_tokens": done.cached_tokens,
            "output_tokens": done.output_tokens,
            "seconds": (now - self.started_at).total_seconds() if ended else None,
            "cost": 0.0 if ended and self.judging.engine == "rules" else done.cost,
            "server": json.dumps(known.server) if known.server else None,
            "sampling": json.dumps(known.sampling) if known.sampling else None,
            "prefix_hit_rate": known.prefix_hit_rate,
            "message": message,
        }
        tables.write_row("runs", self.run_id, row)


def mark_interrupted(tables: Tables, leases: Leases) -> int:
    """Marks runs that are gone as interrupted; returns how many. Looks at runs that have not ended alone."""
    dead = leases.dead_runs()
    for run_id in dead:
        row = tables.read_row("runs", run_id)
        if row and row["status"] == "running":
            tables.write_row("runs", run_id, {**row, "status": "interrupted"})
        leases.bury(run_id)
    return len(dead)


def software_versions() -> dict[str, str]:
    """Python and the packages that what is judged depends on, where installed; a digest of own schemas."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if own := own_schemas():
        found["own_schemas"] = own[:16]
    return found


def hardware() -> dict[str, Any]:
    """The machine and process that runs: host, pid, system, processors, memory in GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        **this_process(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "memory_gib": round(memory, 1),
    }


def git_commit() -> str | None:
    """Commit of the checkout that the package runs from, `-dirty` where files changed; None elsewhere."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return None
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return f"{commit}-dirty" if _git(here, "status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10)
    return done.stdout.strip()
