"""Metrics of runs for Prometheus, as a text file that its node exporter reads (`--collector.textfile`).

A run is a batch: there is nothing to scrape while it is not running, so what it counted is left in a file.
Prefect's server has metrics of its own at `/api/metrics`.
"""

import time
from pathlib import Path

from reprocensus.outcome import ShardReport
from reprocensus.settings import Settings


def write_metrics(settings: Settings, engine: str, status: str, report: ShardReport, seconds: float) -> None:
    """Leaves the last run's figures in the file of the setting `METRICS_FILE`, replaced whole; none if unset.

    Raises:
        OSError: the file cannot be written.
    """
    if not settings.metrics_file:
        return
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float, **labels: str) -> None:
        made = gauges.get(name) or Gauge(f"reprocensus_{name}", text, list(labels), registry=registry)
        gauges[name] = made
        (made.labels(**labels) if labels else made).set(value)

    gauges: dict[str, Gauge] = {}
    ended = time.time()
    gauge("run_ended_timestamp_seconds", "When the last run ended.", ended, engine=engine, status=status)
    gauge("run_seconds", "How long it took.", seconds)
    gauge("run_stage_seconds", "How long any stage was at work.", report.seconds_at_work())
    gauge("run_ok", "1 if it did not fail as a whole.", float(status.startswith("completed")))
    gauge("run_failed_papers", "Papers that failed at any stage.", len(report.failed_papers))
    for kind in ("prompt", "cached", "output"):
        gauge("run_tokens", "Tokens used.", getattr(report, f"{kind}_tokens"), kind=kind)
    for (stage, outcome), n in sorted(report.counts.items()):
        gauge("run_outcomes", "What came out how, by stage.", n, stage=stage, outcome=outcome)
    write_to_textfile(str(Path(settings.metrics_file).absolute()), registry)
