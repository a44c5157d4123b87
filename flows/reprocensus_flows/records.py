"""What Prefect shows of a run: how far it is, counts, failures with links, tokens and cost, as artifacts.

The same can be read from the store's table `runs` at any later time; artifacts are for whoever watches.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from uuid import UUID

import httpx
import polars as pl
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException

from reprocensus.census import Prepared
from reprocensus.fetch.locations import is_url, public
from reprocensus.inspect import failures
from reprocensus.maintain import Maintained
from reprocensus.metrics import write_metrics
from reprocensus.outcome import ShardReport
from reprocensus.runs import Run
from reprocensus.settings import Settings

_log = logging.getLogger("reprocensus.run")
#: Examples of each kind of failure.
_EXAMPLES = 5
_EVERY_S = 5.0


class Recorder:
    """Makes a run's artifacts where `to_prefect`, its log line and its metrics. Never fails a run."""

    def __init__(self, settings: Settings, *, to_prefect: bool) -> None:
        self._settings = settings
        self._to_prefect = to_prefect
        self._bar: UUID | None = None
        self._told = 0.0

    def progress(self, share: float) -> None:
        """Tells which share of the shards is done, every few seconds."""
        if not self._to_prefect or (time.monotonic() - self._told < _EVERY_S and share < 1):
            return
        self._told = time.monotonic()
        with _harmless():
            if self._bar is None:
                made = create_progress_artifact(0.0, key="progress", description="shards done")
                assert isinstance(made, UUID)
                self._bar = made
            update_progress_artifact(self._bar, round(100 * share, 1))

    def plan(self, prepared: Prepared) -> None:
        """Shows and logs what a run would do, and the version of the prompts that it would judge with."""
        told = {**prepared.plan.counts(), "prompt version": prepared.judging.prompt_version}
        _log.info("a run would do: %s", ", ".join(f"{what} {n}" for what, n in told.items()))
        if self._to_prefect:
            with _harmless():
                rows = [{"what": what, "n": str(n)} for what, n in told.items()]
                create_table_artifact(rows, key="plan", description="what a run would do; nothing was done")

    def maintained(self, done: Maintained, *, dry_run: bool) -> None:
        """Shows what maintenance did."""
        if self._to_prefect:
            with _harmless():
                rows = [{"of": what, "what": said} for what, said in done.told(dry_run=dry_run)]
                words = "what would be done; nothing was" if dry_run else "what was done"
                create_table_artifact(rows, key="maintained", description=words)

    def end(
        self,
        run: Run,
        prepared: Prepared,
        status: str,
        report: ShardReport,
        began: float,
        error: BaseException | None,
    ) -> None:
        """Shows, logs and measures how a run ended."""
        seconds = time.time() - began
        at_work = report.seconds_at_work()
        _log.info(
            "run %s %s in %.1f s, stages at work for %.1f s%s",
            run.run_id,
            status,
            seconds,
            at_work,
            f": {error}" if error else "",
            extra={"run_id": run.run_id, "status": status, "seconds": seconds, "seconds_at_work": at_work},
        )
        with _harmless():
            write_metrics(self._settings, run.request.engine, status, report, seconds)
        if not self._to_prefect:
            return
        with _harmless():
            create_table_artifact(
                [{"stage": s, "outcome": o, "n": n} for (s, o), n in sorted(report.counts.items())],
                key="counts",
                description=f"run {run.run_id}: what came out how",
            )
            create_markdown_artifact(
                summary(run, prepared, status, report, seconds, error),
                key="run",
                description=f"run {run.run_id}",
            )


def summary(
    run: Run,
    prepared: Prepared,
    status: str,
    report: ShardReport,
    seconds: float,
    error: BaseException | None,
) -> str:
    """A run in Markdown: how it ended, tokens and cost, and its failures by kind with links to papers."""
    at_work = report.seconds_at_work()
    overhead = max(0.0, 1 - at_work / seconds) if seconds else 0.0
    paid = 0.0 if run.judging.engine == "rules" else report.cost
    cost = "not known" if paid is None else f"{paid:.2f} USD"
    lines = [
        f"# Run {run.run_id}: {status}",
        f"{error}\n" if error else "",
        f"- store {prepared.tables.storage.uri}, engine {run.judging.engine} ({run.judging.model})",
        f"- prompt version {run.judging.prompt_version}",
        f"- {seconds:.1f} s, stages at work for {at_work:.1f} s, orchestration {100 * overhead:.1f} %",
        f"- tokens: {report.prompt_tokens} prompt, {report.cached_tokens} of them cached, "
        f"{report.output_tokens} output; cost {cost}",
        f"- later: `reprocensus runs {run.run_id} --store {prepared.tables.storage.uri}`",
        "",
    ]
    mine = failures(prepared.tables, prepared.editions).filter(run_id=run.run_id)
    if mine.height:
        lines += ["| stage | kind | n | such as |", "|---|---|---|---|", *_by_kind(mine, prepared)]
    return "\n".join(lines)


def _by_kind(mine: pl.DataFrame, prepared: Prepared) -> Iterator[str]:
    where = {paper.paper_id: paper.landing_url or paper.location for paper in prepared.gathered.papers}
    for (stage, kind), rows in mine.group_by(["stage", "kind"], maintain_order=True):
        papers = rows["paper_id"].unique().sort().head(_EXAMPLES)
        shown = ", ".join(_link(paper, where.get(paper, "")) for paper in papers)
        yield f"| {stage} | {kind} | {rows.height} | {shown} |"


def _link(paper: str, location: str) -> str:
    name = paper.replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")
    return f"[{name}]({public(location)})" if is_url(location) else name


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """What is only shown must not end a run: its failure is a warning."""
    try:
        yield
    except (httpx.HTTPError, PrefectException, OSError) as error:
        _log.warning("the run cannot be shown: %s: %s", type(error).__name__, error)
