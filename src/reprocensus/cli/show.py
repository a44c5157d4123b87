"""How results look on a terminal."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from reprocensus.counting import counted
from reprocensus.inspect import Reason
from reprocensus.outcome import RunOutcome
from reprocensus.plan import Plan
from reprocensus.variables import Variable

_LOG_WIDTH = 160


def console() -> Console:
    """Standard output; as wide as a log line can be where it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=_LOG_WIDTH)


def print_json(value: Any) -> None:
    """One line of JSON; null for numbers that it does not know (NaN, Infinity), text for dates."""
    print(json.dumps(_finite(value), default=str, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(member) for key, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list | tuple) else value


def print_lines(lines: Sequence[str]) -> None:
    """Plain lines, wrapped at words on a terminal and whole elsewhere."""
    out = console()
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def statistics_table(
    groups: Sequence[Mapping[str, Any]], by: Sequence[str], variables: Sequence[Variable], engine: str
) -> Table:
    """Shares in percent by an engine's labels, one row a group."""
    table = Table(
        title=f"What empirical papers document, by {engine}, in % (emp., acad.: of all papers)",
        box=SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
        caption=f"score: documentation, 0 to {sum(v.in_documentation_score for v in variables)}",
    )
    partly = next((group for group in groups if group["n_failed"]), None)
    if partly:
        n, judged = partly["n_papers"], partly["n_papers"] - partly["n_failed"]
        table.caption = (
            f"{table.caption}.  n: {judged}/{n} is {judged} of {counted(n, 'paper')} judged on every variable"
        )
    for name in by:
        table.add_column(name, overflow="fold", min_width=10 if name == "venue" else 4)
    table.add_column("n", justify="right", no_wrap=True)
    for variable in variables:
        table.add_column(variable.short, justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("repr.", justify="right", no_wrap=True)
    for group in groups:
        shares = [_percent(group["variables"][v.name]["share"]) for v in variables]
        scores = [_score(group["documentation_score"]), _score(group["reproducibility_score"])]
        n, judged = group["n_papers"], group["n_papers"] - group["n_failed"]
        papers = str(n) if judged == n else f"{judged}/{n}"
        table.add_row(*(str(group[name]) for name in by), papers, *shares, *scores)
    return table


def corrected_table(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> Table:
    """Raw shares beside corrected ones, in percent with their intervals."""
    table = Table(
        title="Shares as judged, and corrected for errors in judging, in %",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in (*by, "variable"):
        table.add_column(name, overflow="fold")
    for name in ("n", "as judged", "by confusion", "by ppi", "labelled", "here"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("warnings", overflow="fold")
    for row in rows:
        table.add_row(
            *(str(row[name]) for name in by),
            str(row["variable"]),
            str(row["n_judged"]),
            _interval(row["share"], row["ci_low"], row["ci_high"]),
            _interval(row["confusion"], row["confusion_low"], row["confusion_high"]),
            _interval(row["ppi"], row["ppi_low"], row["ppi_high"]),
            str(row["n_labelled"]),
            str(row["n_labelled_here"]),
            " ".join(row["warnings"]),
        )
    return table


def rows_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Rows with shares in percent, their changes in percentage points, as a table."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name, value in rows[0].items():
        table.add_column(name, justify="left" if isinstance(value, str) else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(name, value) for name, value in row.items()))
    return table


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{100 * value:+.1f}" if name.startswith(("difference", "slope")) else f"{100 * value:.1f}"
    return str(value)


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "-"
    return f"{100 * value:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"


def plan_lines(plan: Plan) -> list[str]:
    """What a run would do."""
    n = plan.counts()
    if not n["papers"] and not plan.unpublished:
        return ["no papers listed, so there is nothing to plan"]
    lines = [
        f"{counted(n['papers'], 'paper')} listed, {n['done']} of them with nothing left to do",
        f"to fetch    {counted(n['fetch'], 'PDF')}",
        f"to extract  {counted(n['extract'], 'PDF')}",
        f"to judge    {counted(n['judge'], 'verdict')}",
    ]
    if plan.unpublished:
        lines.append(f"to publish  {counted(len(plan.unpublished), 'edition')} that an interrupted run left")
    return lines + waiting_lines(plan)


def waiting_lines(plan: Plan) -> list[str]:
    """What failed earlier and is not tried again by itself."""
    if not sum(plan.waiting.values()):
        return []
    stages = ", ".join(f"{n} at {stage}" for stage, n in sorted(plan.waiting.items()) if n)
    papers, waits = counted(plan.n_waiting, "paper"), "waits" if plan.n_waiting == 1 else "wait"
    return [f"{papers} failed earlier and {waits} ({stages}); try again with --retry-failed"]


def outcome_lines(outcome: RunOutcome, seconds: float) -> list[str]:
    """What a run did."""
    counts = outcome.report.counts
    done = {stage: counts[stage, "done"] for stage in ("fetch", "extract")}
    judged = {
        o: n for (stage, o), n in counts.items() if stage == "judge" and o not in ("failed", "taken_over")
    }
    parts = [f"{done['fetch']} fetched", f"{done['extract']} extracted", f"{sum(judged.values())} judged"]
    if taken := counts["judge", "taken_over"]:
        parts.append(f"{taken} taken over from earlier runs")
    return [f"run {outcome.run_id} {outcome.status} in {seconds:.0f} s: {', '.join(parts)}"]


def failure_lines(failures: pl.DataFrame, run_id: str) -> list[str]:
    """Failures that stand, by stage and kind, each with an example and what to do."""
    if failures.is_empty():
        return []
    new = failures.filter(run_id=run_id)["paper_id"].n_unique()
    groups = (
        failures.group_by("stage", "kind", "transient")
        .agg(
            pl.len().alias("n"),
            pl.col("paper_id").sort().first(),
            pl.col("message").sort_by("paper_id").first(),
        )
        .sort("stage", "kind")
    )
    papers = counted(failures["paper_id"].n_unique(), "paper has", "papers have")
    lines = [f"{papers} failures, {new} of them in this run (all of them: table failures):"]
    for row in groups.iter_rows(named=True):
        again = "tried again by the next runs" if row["transient"] else "not tried again by itself"
        lines.append(
            f"  {row['stage']}: {row['n']} {row['kind']} ({again}), "
            f"such as {row['paper_id']}: {row['message']}"
        )
    return [*lines, "to retry all of them: the same command with --retry-failed"]


def dollars(amount: float) -> str:
    """US dollars, with as many digits as small amounts need."""
    return f"{amount:.2f} USD" if amount >= 0.1 or not amount else f"{amount:.3g} USD"


def used_line(verdict: Mapping[str, Any]) -> str | None:
    """What a verdict used; None where nobody was asked."""
    if not verdict["prompt_tokens"]:
        return None
    cost = "" if verdict["cost"] is None else f", {dollars(verdict['cost'])}"
    return (
        f"{verdict['prompt_tokens']:,} prompt tokens ({verdict['cached_tokens']:,} cached), "
        f"{verdict['output_tokens']:,} answered, {verdict['seconds']:.1f} s{cost}"
    )


def print_reason(out: Console, reason: Reason, variable: Variable) -> None:
    """A verdict with its quotes in their context."""
    verdict, paper = reason.verdict, reason.paper
    out.print(
        Text(f"{paper['title']}", "bold"), f"{reason.edition}, {paper['paper_id']}", sep="\n", highlight=False
    )
    out.print(f"[bold]{variable.title}: {escape(verdict['label'])}[/]", end="")
    confidence = verdict["confidence"]
    out.print("" if confidence is None else f"  (confidence {confidence:.2f})", highlight=False)
    out.print(escape(verdict["rationale"]), highlight=False)
    if verdict["needs_review"]:
        out.print("[yellow]needs review: a quote of the engine does not stand in the paper[/]")
    for quote, (before, after) in zip(verdict["quotes"], reason.contexts, strict=True):
        score = quote.get("score")
        found = quote["match"] if score is None else f"{quote['match']} ({score:.2f})"
        where = f"page {quote['page']}, characters {quote['start']}-{quote['end']}, {found}"
        passage = Text.assemble(("…" + before, "dim"), (quote["text"], "bold green"), (after + "…", "dim"))
        out.print(f"\n{where}", highlight=False)
        out.print(passage)
    run = reason.run
    started = f", started {run['started_at']:%Y-%m-%d %H:%M} UTC, {run['status']}" if run else ""
    by = f"judged by {verdict['engine']} ({verdict['model']}) in run {verdict['run_id']}{started}"
    out.print(f"\n{by}", highlight=False)
    if verdict["truncated"]:
        out.print("[yellow]the model was shown a part of the paper: all of it is longer than its context[/]")
    if used := used_line(verdict):
        out.print(used, highlight=False)
