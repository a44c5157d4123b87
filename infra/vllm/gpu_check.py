"""How many papers an hour does this GPU judge? Measures vLLM in process, with random weights and real papers.

    make gpu-check ARGS="--papers 48 --at-once 8 24 48"

Needs a GPU, vLLM and reprocensus in one Python (GPU_PYTHON of `make`), and no network: configuration and
tokenizer are written here, the weights are random. What the model answers is nonsense, and as long as
`--answer` says, which is what real answers have. Papers are read from PDFs, the samples if none are named.
Writes gpu-check.json and gpu-check.md. Where there is no GPU or no vLLM it says so and ends well.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import random_model
from reprocensus.engines.vllm_offline import VllmModel
from reprocensus.excerpt import ranking_words
from reprocensus.extract.workers import ExtractPool
from reprocensus.llm.asking import Desk
from reprocensus.llm.budget import TokenBudget
from reprocensus.llm.chat import ChatReply, ChatRequest, Message
from reprocensus.llm.meter import Meter
from reprocensus.llm.options import options_of
from reprocensus.records import Document, Extracted
from reprocensus.rows import new_document
from reprocensus.schemas import load_serving, load_variables
from reprocensus.settings import Settings
from reprocensus.sizing import Gpu, Model
from reprocensus.variables import Variable

ROOT = Path(__file__).parents[2]
#: Llama-3.1-8B's architecture; its vocabulary is filled up with tokens that no text has.
LARGE: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
#: Tokens that are trained on the papers themselves, so few are needed.
TRAINED = 32_000


@dataclass(frozen=True)
class Asked:
    """One reply: which paper it was about, which text of that, and its tokens."""

    paper: str
    text: int
    prompt: int
    cached: int
    output: int


@dataclass(frozen=True)
class Measured:
    """What came of one setting. Rates are over `seconds`; TFLOP counted by `reprocensus.sizing`."""

    papers_at_once: int
    papers: int
    requests: int
    seconds: float
    papers_an_hour: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    cached_share: float
    sharable_share: float
    done_tflop_s: float
    floor_tflop: float
    fraction_of_floor: float | None


class Tapped(VllmModel):
    """The backend, which remembers what each request used and keeps copies of a paper apart in the cache."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.asked: list[Asked] = []
        self.turn = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See `Backend.complete`. No two settings share a prefix, and no two copies of a paper."""
        salted = replace(request, salt=f"{self.turn}-{request.session}")
        reply = await super().complete(salted)
        used = reply.prompt_tokens, reply.cached_tokens or 0, reply.output_tokens
        self.asked.append(Asked(request.session, _text(request.messages), *used))
        return reply


def _text(messages: Sequence[Message]) -> int:
    """Tells apart the texts that a paper's questions are about: all up to the paper's end."""
    return hash(messages[-1].content.rpartition("</paper>")[0])


def main() -> None:
    """Measures, or says why not."""
    options = _parser().parse_args()
    if why := _why_not(options.cpu):
        print(f"gpu-check skipped: {why}")
        return
    papers = list(_papers(options.folder, options.papers))
    with tempfile.TemporaryDirectory() as folder:
        model = _write_model(Path(folder), papers, tiny=options.cpu)
        report = asyncio.run(_measure(_settings(Path(folder), options), papers, model, options))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu-check.json").write_text(json.dumps(report, indent=1), "utf-8")
    text = as_markdown(report)
    (options.out / "gpu-check.md").write_text(text, "utf-8")
    print(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "samples" / "papers", help="PDFs, however deep")
    parser.add_argument("--papers", type=int, default=48, help="how many; the folder's again and again")
    parser.add_argument("--at-once", type=int, nargs="+", default=[8, 24, 48], help="papers in flight")
    parser.add_argument("--answer", type=int, default=60, help="tokens of each answer")
    parser.add_argument("--context", type=int, default=65_536)
    parser.add_argument("--engine", type=json.loads, default={}, help="arguments of vLLM's engine, as JSON")
    parser.add_argument("--tflops", type=float, help="sustained TFLOP/s [default: by the data sheet]")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder of the report")
    parser.add_argument("--cpu", action="store_true", help="try the script: a tiny model on a processor")
    return parser


def _why_not(cpu: bool) -> str:
    if find_spec("vllm") is None:
        return "vLLM is not installed for this Python"
    if cpu:
        return ""
    import torch

    return "" if torch.cuda.is_available() else "there is no GPU here"


def _papers(folder: Path, wanted: int) -> Iterator[Document]:
    files = sorted(folder.rglob("*.pdf"))[:wanted]
    with ExtractPool(os.cpu_count() or 1, 120, 1500) as pool:
        found = dict(pool.extract_all((str(path), path.read_bytes()) for path in files))
    read = [(name, found[name]) for name in sorted(found)]
    texts = [new_document(name, "", text) for name, text in read if isinstance(text, Extracted)]
    if not texts:
        sys.exit(f"gpu-check: no PDF under {folder} can be read")
    for n in range(wanted):
        paper = texts[n % len(texts)]
        yield replace(paper, text_sha256=f"{n:04d}{paper.text_sha256}")


def _write_model(folder: Path, papers: Sequence[Document], *, tiny: bool) -> Model:
    """Configuration and tokenizer of a model without weights; its sizes."""
    texts = {paper.text for paper in papers}
    if tiny:
        random_model.write_tokenizer(folder, texts)
        random_model.write_config(folder)
    else:
        random_model.write_tokenizer(folder, texts, TRAINED)
        random_model.write_config(folder, **LARGE)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    names = {
        "hidden": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "kv_heads": "num_key_value_heads",
        "head_dim": "head_dim",
        "intermediate": "intermediate_size",
        "vocabulary": "vocab_size",
        "tied": "tie_word_embeddings",
    }
    return Model(
        name="tiny" if tiny else "Llama-3.1-8B", **{ours: config[its] for ours, its in names.items()}
    )


def _settings(folder: Path, options: argparse.Namespace) -> Settings:
    engine = {"load_format": "dummy", "dtype": "bfloat16", **options.engine}
    if options.cpu:
        engine = {"enforce_eager": True, "kv_cache_memory_bytes": 2**26, "block_size": 32, **engine}
    return Settings(
        vllm_model=str(folder),
        vllm_context=min(options.context, 4096) if options.cpu else options.context,
        vllm_engine=engine,
        vllm_max_tokens=options.answer,
        # An answer ends at the limit, which makes it a failure; it is not asked for again.
        vllm_tries=1,
    )


async def _measure(
    settings: Settings, papers: Sequence[Document], model: Model, options: argparse.Namespace
) -> dict[str, Any]:
    backend = Tapped(settings)
    try:
        began = time.monotonic()
        await backend.start()
        started_s, facts = time.monotonic() - began, await backend.facts()
        device = facts.gpus[0] if facts.gpus else "none"
        tflops = options.tflops or _sustained(device)
        found = []
        for backend.turn, at_once in enumerate((1, *options.at_once)):
            # The first turn warms up, with few papers.
            some = papers if backend.turn else papers[:2]
            measured = await _turn(backend, settings, some, at_once, model, tflops)
            if backend.turn:
                print(f"{at_once} at once: {measured.papers_an_hour:,.0f} papers an hour", flush=True)
                found.append(measured)
    finally:
        await backend.close()
    return {
        "device": device,
        "model": model.name,
        "sustained_tflop_s": tflops,
        "start_seconds": round(started_s, 1),
        "answer_tokens": options.answer,
        "server": asdict(facts),
        "settings": [asdict(measured) for measured in found],
    }


def _sustained(device: str) -> float | None:
    serving = load_serving()
    known: Gpu | None = next((gpu for gpu in serving.gpus if gpu.name in device), None)
    return known.tflops_bf16 * serving.assumed.sustained if known else None


async def _turn(
    backend: Tapped,
    settings: Settings,
    papers: Sequence[Document],
    at_once: int,
    model: Model,
    tflops: float | None,
) -> Measured:
    variables, options = load_variables(), options_of(settings)
    words = ranking_words(v.text for v in variables)
    context = settings.vllm_context or 0
    # Papers at once are counted here, so the budget of tokens must not limit them too.
    desk = Desk(backend, options, context, TokenBudget(10**12), Meter(None), words)
    slots, backend.asked = asyncio.Semaphore(at_once), []

    async def one(paper: Document, questions: Sequence[Variable]) -> None:
        async with slots:
            await desk.ask(paper, questions)

    began = time.monotonic()
    await asyncio.gather(*(one(paper, variables) for paper in papers))
    return summary(backend.asked, len(papers), at_once, time.monotonic() - began, model, tflops)


def summary(
    asked: Sequence[Asked], papers: int, at_once: int, seconds: float, model: Model, tflops: float | None
) -> Measured:
    """What the replies of one setting come to. The floor reads each text once and nothing twice."""
    by_paper: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        by_paper[each.paper].append(each)
    best = [each for group in by_paper.values() for each in _best(group)]
    prompt, cached = sum(a.prompt for a in asked), sum(a.cached for a in asked)
    floor = sum(_tflop(model, a) for a in best)
    return Measured(
        papers_at_once=at_once,
        papers=papers,
        requests=len(asked),
        seconds=round(seconds, 3),
        papers_an_hour=round(3600 * papers / seconds, 1),
        prompt_tokens=prompt,
        cached_tokens=cached,
        output_tokens=sum(a.output for a in asked),
        cached_share=round(cached / prompt, 4),
        sharable_share=round(sum(a.cached for a in best) / prompt, 4),
        done_tflop_s=round(sum(_tflop(model, a) for a in asked) / seconds, 4),
        floor_tflop=round(floor, 4),
        fraction_of_floor=round(floor / tflops / seconds, 4) if tflops else None,
    )


def _best(paper: Sequence[Asked]) -> Iterator[Asked]:
    """The requests about a paper with all the cache can do for them, as far as it has shown.

    A text's questions share the text. Texts share the instructions before them: whichever is read first pays
    for these, and what another's first question had from the cache is how long they are.
    """
    texts: dict[int, list[Asked]] = defaultdict(list)
    for each in paper:
        texts[each.text].append(each)
    instructions = max(min(a.cached for a in group) for group in texts.values())
    for number, group in enumerate(texts.values()):
        shared = max(a.cached for a in group)
        first, *others = group
        yield replace(first, cached=instructions if number else 0)
        yield from (replace(each, cached=shared) for each in others)


def _tflop(model: Model, asked: Asked) -> float:
    new = asked.prompt - asked.cached + asked.output
    head = 2 * model.head_parameters * asked.output
    return (2 * model.active_parameters * new + model.attention_flop(new, asked.cached) + head) / 1e12


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    rate = report["sustained_tflop_s"]
    lines = [
        f"# {report['model']}, random weights, on {report['device']}",
        "",
        f"{report['server']['software']}, {report['server']['dtype']}, "
        f"answers of {report['answer_tokens']} tokens; started in {report['start_seconds']} s. "
        "The floor is the least FLOP at "
        + (f"{rate:,.0f} TFLOP/s." if rate else "a rate that is not known for this device."),
        "",
        "| papers at once | papers/h | cached of prompt | sharable of it | TFLOP/s | of the floor's speed |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["settings"]:
        speed = "-" if row["fraction_of_floor"] is None else f"{row['fraction_of_floor']:.1%}"
        lines.append(
            f"| {row['papers_at_once']} | {row['papers_an_hour']:,.0f} | {row['cached_share']:.1%} | "
            f"{row['sharable_share']:.1%} | {row['done_tflop_s']:,.1f} | {speed} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
