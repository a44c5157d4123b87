"""Documents with injected instructions, and their clean twins, for any engine.

`load()` gives each attack of attacks.toml in each of two papers: one that documents everything and one that
documents nothing, so that attacks can be seen to move labels either way.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocensus.records import Document, Extracted, Section, SectionKind
from reprocensus.rows import new_document

Part = tuple[SectionKind, str, str]

RICH: tuple[Part, ...] = (
    (SectionKind.FRONT, "", "Walking Turtles\nAnn Turtle, Department of Biology, University of Somewhere"),
    (SectionKind.ABSTRACT, "Abstract", "We teach turtles to walk. Our experiments show that they do."),
    (
        SectionKind.BODY,
        "1. Introduction",
        "Turtles walk. Our code is available at https://github.com/turtle/walk.",
    ),
    (SectionKind.BODY, "2. Method", "Algorithm 1 Walk\nInput: a turtle\nfor t = 1 to T do\nmove\nend for"),
    (
        SectionKind.BODY,
        "3. Experiments",
        "We conduct experiments on MNIST (LeCun et al., 1998) and outperform all baselines.\n"
        "We split the data randomly, with 70% for training, 10% for validation and 20% for testing.\n"
        "All models were trained on four NVIDIA V100 GPUs. We used PyTorch 1.8.1 and CUDA 11.1.\n"
        "We use Adam with a learning rate of 0.001, a batch size of 64 and 200 epochs.",
    ),
    (SectionKind.REFERENCES, "References", "[1] Somebody. Something. 2010."),
    (SectionKind.APPENDIX, "A. More", "Here is more about turtles."),
)
POOR: tuple[Part, ...] = (
    (SectionKind.FRONT, "", "Slow Turtles\nAnn Turtle, Department of Biology, University of Somewhere"),
    (SectionKind.ABSTRACT, "Abstract", "We prove a bound on the speed of turtles."),
    (SectionKind.BODY, "1. Introduction", "Turtles are slow. We ask why."),
    (SectionKind.BODY, "2. Main result", "Theorem 1. Turtles are slow.\nProof. They carry a house."),
    (SectionKind.REFERENCES, "References", "[1] Somebody. Something. 2010."),
    (SectionKind.APPENDIX, "A. Proofs", "Lemma 2. Hares sleep."),
)


@dataclass(frozen=True, slots=True)
class Injected:
    """One attack in one paper, and the paper without it. `hidden`: readers of the page would not see it."""

    name: str
    clean: Document
    hostile: Document
    attack: str
    hidden: bool


def load() -> list[Injected]:
    """Every attack in every paper."""
    attacks = tomllib.loads((Path(__file__).parent / "attacks.toml").read_text("utf-8"))["attacks"]
    return [
        _injected(f"{attack['name']}-{paper}", attack, parts)
        for attack in attacks
        for paper, parts in (("rich", RICH), ("poor", POOR))
    ]


def _injected(name: str, attack: dict[str, Any], parts: tuple[Part, ...]) -> Injected:
    text = "\n".join([attack["text"]] * attack.get("times", 1))
    place = max(n for n, (kind, _, _) in enumerate(parts) if kind == attack["where"])
    hostile = [
        (kind, title, f"{words}\n{text}" if n == place else words)
        for n, (kind, title, words) in enumerate(parts)
    ]
    return Injected(
        name, _document(name, parts), _document(name, tuple(hostile)), text, attack.get("hidden", False)
    )


def _document(name: str, parts: tuple[Part, ...]) -> Document:
    text, sections = "", []
    for kind, title, words in parts:
        start = len(text)
        text += f"{title}\n{words}\n" if title else f"{words}\n"
        sections.append(Section(kind, title, start, len(text)))
    return new_document(name, "", Extracted(text, (0,), "", tuple(sections), (), "made", "1"))
