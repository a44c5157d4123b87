"""What quoting by sentence number costs and saves against quoting by text, in tokens, on real papers.

    pip install tiktoken
    python tests/quoting_tokens.py ../shared/corpus cl100k_base.tiktoken

The second is a file of ranks as tiktoken reads them. Answers are those of the rules engine put in the
model's form, so both ways name the same evidence. `digits`: the same merges, every digit a token, as Qwen's
have it.
"""

import base64
import json
import random
import sys
from pathlib import Path
from typing import Any

import tiktoken  # type: ignore[import-not-found, unused-ignore]

from reprocensus.excerpt import Excerpt, excerpt
from reprocensus.extract.document import extract
from reprocensus.lexical import judge_paper
from reprocensus.prompt import MAX_QUOTE, MAX_RATIONALE, Quoting
from reprocensus.records import Answer
from reprocensus.rows import new_document
from reprocensus.schemas import load_variables

PAPERS, SEED = 30, 1
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}%s| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)


def encodings(ranks: Path) -> dict[str, Any]:
    """The two tokenizers."""
    lines = (line.split() for line in ranks.read_bytes().splitlines() if line)
    merges = {base64.b64decode(token): int(rank) for token, rank in lines}
    return {
        name: tiktoken.Encoding(
            name=name, pat_str=_PATTERN % repeats, mergeable_ranks=merges, special_tokens={}
        )
        for name, repeats in (("three", "{1,3}+"), ("digits", ""))
    }


def as_told(answer: Answer, shown: Excerpt, quoting: Quoting) -> str:
    """The answer as a model would write it."""
    claims = answer.claims[:3]
    quotes: list[Any] = [claim.text[:MAX_QUOTE] for claim in claims]
    if quoting is Quoting.NUMBERS:
        starts = [claim.start for claim in claims if claim.start is not None]
        quotes = [n for n, (a, b) in enumerate(shown.sentences, 1) if any(a <= at < b for at in starts)]
    told = {"quotes": quotes, "rationale": answer.rationale[:MAX_RATIONALE], "label": answer.label}
    return json.dumps(told, ensure_ascii=False)


def main() -> None:
    """Prints tokens of the text shown and of nine answers, a paper, and characters a token."""
    corpus, ranks = map(Path, sys.argv[1:3])
    variables = load_variables()
    listed = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text("utf-8").splitlines()]
    papers = random.Random(SEED).sample(listed, PAPERS)
    documents = [new_document(p["id"], "", extract((corpus / p["file"]).read_bytes())) for p in papers]
    answers = [judge_paper(document, list(variables)) for document in documents]
    for name, encoding in encodings(ranks).items():
        for quoting in Quoting:
            shown = [
                excerpt(d.extracted, variables[0].text, numbered=quoting is Quoting.NUMBERS)
                for d in documents
            ]
            read = sum(len(encoding.encode(s.text, disallowed_special=())) for s in shown)
            told = [
                as_told(a, s, quoting)
                for found, s in zip(answers, shown, strict=True)
                for a in found.values()
            ]
            said = sum(len(encoding.encode(text, disallowed_special=())) for text in told)
            characters = sum(len(s.text) for s in shown) / read
            print(
                f"{name} {quoting}: {read / PAPERS:.0f} shown, {said / PAPERS:.0f} answered, {characters:.2f}"
            )


if __name__ == "__main__":
    main()
