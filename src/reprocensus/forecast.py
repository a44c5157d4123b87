"""What judging with a model will come to, before it is done: tokens, hours and cost, and what each rests on.

Tokens are those that the store's verdicts took, else reckoned from stored texts, else from the mean paper.
Speed is that of the model's earlier runs here, else the one that the settings state.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from reprocensus.counting import counted
from reprocensus.engines import create_engine
from reprocensus.excerpt import excerpt
from reprocensus.llm.engine import LlmEngine
from reprocensus.plan import Judging, Plan
from reprocensus.prompt import Quoting, question, system
from reprocensus.records import Edition
from reprocensus.rows import document_of
from reprocensus.settings import Settings
from reprocensus.tables import Tables
from reprocensus.variables import Variable

#: Characters a token of English papers has with today's models, about; see docs/engines.md.
CHARACTERS: Final = 3.5
#: Tokens of a paper without references where no text is known: the mean of 241 papers of 61 editions.
MEAN_PAPER: Final = 15_000
#: Of an answer, with a rationale of one sentence.
_ANSWER: Final = {Quoting.NUMBERS: 60, Quoting.TEXT: 150}
_TEXTS: Final = 60
_COLUMNS: Final = (
    "paper_id",
    "variable",
    "engine",
    "model",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Totals of what is planned. `read_tokens`: prompt tokens that no prefix cache has. None: not known."""

    papers: int
    verdicts: int
    prompt_tokens: int
    read_tokens: int
    output_tokens: int
    tokens_from: str
    tokens_per_s: float | None
    speed_from: str
    hours: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class _Paper:
    """Tokens of one paper's questions, on average."""

    prompt: float
    read: float
    output: float
    source: str


def forecast(tables: Tables, plan: Plan, judging: Judging, settings: Settings) -> Forecast | None:
    """The forecast of a plan; None for an engine that asks no model."""
    if not isinstance(create_engine(judging.engine, settings), LlmEngine):
        return None
    works = [work for work in plan.works if work.variables]
    n = sum(len(work.variables) for work in works)
    editions = sorted({work.paper.edition for work in works})
    each = _measured(tables, editions, judging) or _reckoned(tables, editions, judging)
    # What is measured or reckoned is of all variables; of some of them the paper is still read once.
    share = n / (len(works) * len(judging.variables)) if works else 0.0
    prompt, output = (each.prompt * len(works) * share, each.output * len(works) * share)
    questions = _questions(judging.variables, judging.quoting)
    read = min(prompt, len(works) * max(each.read - (1 - share) * questions, 0.0))
    speed, source = _speed(tables, judging, settings)
    hours = (read + output) / speed / 3600 if speed else None
    price = settings.vllm_price_per_hour
    cost = hours * price * settings.vllm_gpus if hours is not None and price is not None else None
    return Forecast(
        len(works), n, round(prompt), round(read), round(output), each.source, speed, source, hours, cost
    )


def _questions(variables: Sequence[Variable], quoting: Quoting) -> float:
    return sum(len(question(v, quoting)) for v in variables) / CHARACTERS


def _measured(tables: Tables, editions: Sequence[Edition], judging: Judging) -> _Paper | None:
    """By verdicts of this engine and model in these editions; in all of the store's if there are none."""
    for where in (list(editions), None):
        held = [edition for edition in tables.editions("verdicts") if where is None or edition in where]
        if not held:
            continue
        rows = tables.scan("verdicts", held, _COLUMNS).filter(
            pl.col("engine") == judging.engine, pl.col("model") == judging.model, pl.col("prompt_tokens") > 0
        )
        papers = rows["paper_id"].n_unique()
        if papers:
            per = len(judging.variables) * papers / rows.height
            prompt, cached, output = (int(rows[name].sum()) for name in _COLUMNS[-3:])
            return _Paper(
                prompt / papers * per,
                (prompt - cached) / papers,
                output / papers * per,
                f"measured on {counted(papers, 'paper')} that it judged",
            )
    return None


def _reckoned(tables: Tables, editions: Sequence[Edition], judging: Judging) -> _Paper:
    """By texts that the store holds; by the mean paper if there are none."""
    quoting, variables = judging.quoting, judging.variables
    asked = _questions(variables, quoting)
    kinds = {v.text.what: v.text for v in variables}
    told = len(system(quoting)) / CHARACTERS
    lengths: dict[tuple[object, ...], list[float]] = {what: [] for what in kinds}
    held = set(tables.editions("documents"))
    for edition in [edition for edition in editions if edition in held]:
        ids = tables.read("documents", edition, ("paper_id",)).frame["paper_id"].to_list()
        some = ids[:: max(1, len(ids) // _TEXTS)][: max(1, _TEXTS // len(editions))]
        for row in tables.read_documents(edition, some).iter_rows(named=True):
            paper = document_of(row).extracted
            for what, text in kinds.items():
                shown = excerpt(paper, text, numbered=quoting is Quoting.NUMBERS).text
                lengths[what].append(len(shown) / CHARACTERS)
    n = len(next(iter(lengths.values()), []))
    default = {what: MEAN_PAPER if len(what_sections(what)) > 1 else 500 for what in kinds}
    mean = {what: sum(found) / n if n else default[what] for what, found in lengths.items()}
    source = (
        f"reckoned from {counted(n, 'stored text')} at {CHARACTERS:g} characters a token"
        if n
        else f"reckoned with {MEAN_PAPER:,} tokens a paper, the mean; no text is stored yet"
    )
    prompt = sum(mean[v.text.what] + told for v in variables) + asked
    read = sum(mean.values()) + told * len(kinds) + asked
    return _Paper(prompt, read, _ANSWER[quoting] * len(variables), source)


def what_sections(what: tuple[object, ...]) -> tuple[object, ...]:
    """The sections of what a text is made of (`TextWanted.what`)."""
    sections = what[0]
    return sections if isinstance(sections, tuple) else ()


def _speed(tables: Tables, judging: Judging, settings: Settings) -> tuple[float | None, str]:
    """Tokens read or answered a second, over all GPUs."""
    rows = tables.read_rows("runs").filter(engine=judging.engine, model=judging.model).sort("run_id")
    for row in reversed(rows.to_dicts()):
        busy = json.loads(row["server"] or "{}").get("busy_seconds", 0)
        tokens = row["prompt_tokens"] - row["cached_tokens"] + row["output_tokens"]
        if busy and tokens:
            return tokens / busy, f"that of run {row['run_id']}"
    if settings.vllm_tokens_per_s:
        return settings.vllm_tokens_per_s * settings.vllm_gpus, "as REPROCENSUS_VLLM_TOKENS_PER_S states"
    return None, "not known: set REPROCENSUS_VLLM_TOKENS_PER_S, or run some papers first"
