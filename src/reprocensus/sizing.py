"""What judging a paper costs a GPU, by arithmetic: FLOP, KV cache, and the floors of time that follow. Pure.

A floor is what no software can beat on that hardware; `make gpu-check` measures what is reached of it.
The arithmetic is that of Kaplan et al. 2020 (arXiv 2001.08361): two FLOP a parameter and token, and
attention, here only over what stands before a token.
"""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["bf16", "fp8", "int4"]
#: Bytes a weight; int4 with its scales.
WEIGHT_BYTES: dict[Precision, float] = {"bf16": 2.0, "fp8": 1.0, "int4": 0.56}
_KV_BYTES = 2
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Model:
    """A decoder's sizes. With `experts`, `intermediate` is that of one, and tokens go through some."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    experts: int = 1
    experts_active: int = 1
    tied: bool = False

    @property
    def width(self) -> int:
        """Width of all attention heads together."""
        return self.heads * self.head_dim

    @property
    def head_parameters(self) -> int:
        """Parameters that make probabilities of a hidden state; embeddings are as many, and cost no FLOP."""
        return self.hidden * self.vocabulary

    @property
    def active_parameters(self) -> int:
        """Parameters that each token goes through, without embeddings and head."""
        return self._parameters(self.experts_active)

    @property
    def parameters(self) -> int:
        """All of them."""
        return self._parameters(self.experts) + self.head_parameters * (1 if self.tied else 2)

    @property
    def kv_bytes(self) -> int:
        """Bytes of KV cache a token, in 16 bits."""
        return 2 * self.layers * self.kv_heads * self.head_dim * _KV_BYTES

    def _parameters(self, experts: int) -> int:
        attention = 2 * self.hidden * self.width + 2 * self.hidden * self.kv_heads * self.head_dim
        router = self.hidden * self.experts if self.experts > 1 else 0
        return self.layers * (attention + router + experts * 3 * self.hidden * self.intermediate)

    def attention_flop(self, tokens: float, before: float = 0) -> float:
        """FLOP of attention over `tokens` new ones after `before` that are in the cache."""
        return 4 * self.width * self.layers * (tokens * before + tokens**2 / 2)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by its data sheet: dense TFLOP/s, memory in GB (10^9 bytes), its TB/s, US dollars an hour."""

    name: str
    memory_gb: float
    tflops_bf16: float
    tb_s: float
    usd_an_hour: float
    tflops_fp8: float | None = None

    def tflops(self, precision: Precision) -> float:
        """TFLOP/s in which weights of this precision are multiplied; 4-bit ones are, in 16 bits."""
        return self.tflops_fp8 if precision == "fp8" and self.tflops_fp8 else self.tflops_bf16


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked about a paper: its tokens, the questions, tokens of each, tokens of each answer."""

    paper: int = 12_000
    questions: int = 9
    question: int = 300
    answer: int = 60

    @property
    def each(self) -> int:
        """Tokens that one question adds, with its answer."""
        return self.question + self.answer


def shared_flop(model: Model, load: Load) -> float:
    """FLOP of a paper that is read once, with all of its questions after it."""
    tokens = load.paper + load.questions * load.each
    attention = model.attention_flop(load.paper)
    attention += load.questions * model.attention_flop(load.each, load.paper)
    return 2 * model.active_parameters * tokens + attention + _head_flop(model, load)


def unshared_flop(model: Model, load: Load) -> float:
    """FLOP of a paper that is read anew for each question."""
    tokens = load.paper + load.each
    once = 2 * model.active_parameters * tokens + model.attention_flop(tokens)
    return load.questions * once + _head_flop(model, load)


def _head_flop(model: Model, load: Load) -> float:
    """Probabilities are made for answered tokens only."""
    return 2 * model.head_parameters * load.questions * load.answer


def decode_bytes(model: Model, load: Load) -> float:
    """Bytes of KV cache read while a paper's answers are made: all that stands before each token."""
    before = load.paper + load.question + load.answer / 2
    return load.questions * load.answer * before * model.kv_bytes


@dataclass(frozen=True, slots=True)
class Floor:
    """Papers an hour that a GPU cannot exceed, by how reading and answering go together."""

    overlapped: float
    one_after_the_other: float
    unshared: float


def floor(model: Model, load: Load, tflop_s: float, tb_s: float) -> Floor:
    """The floors at a sustained rate of TFLOP/s and TB/s. Weights read while decoding are not counted."""
    reading = shared_flop(model, load) / (tflop_s * 1e12)
    anew = unshared_flop(model, load) / (tflop_s * 1e12)
    answering = decode_bytes(model, load) / (tb_s * 1e12)
    return Floor(
        _HOUR_S / max(reading, answering), _HOUR_S / (reading + answering), _HOUR_S / (anew + answering)
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one GPU makes of a model.

    `papers_in_flight`: how many fit into the KV cache; 0: it does not run there. `expected`: papers an hour;
    of what reading, answering and loading the weights come to, the share that real serving reaches.
    """

    model: Model
    gpu: Gpu
    precision: Precision
    weights_gb: float
    kv_gb_a_paper: float
    papers_in_flight: int
    floor: Floor
    expected: float
    usd_a_paper: float

    @property
    def fits(self) -> bool:
        """Whether two papers fit beside the weights: one is read while the other is answered."""
        return self.papers_in_flight >= 2


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What arithmetic cannot tell; `schemas/serving.toml` says where each is from."""

    sustained: float
    reached: float
    memory_used: float
    reserve_gb: float


@dataclass(frozen=True, slots=True)
class Serving:
    """What may serve: open models, GPUs, and what is assumed of them. `census_usd_a_paper`: to undercut."""

    models: tuple[Model, ...]
    gpus: tuple[Gpu, ...]
    assumed: Assumptions
    census_usd_a_paper: float

    def precisions(self, gpu: Gpu) -> tuple[Precision, ...]:
        """Precisions of weights that the GPU multiplies or unpacks."""
        return ("bf16", "fp8", "int4") if gpu.tflops_fp8 else ("bf16", "int4")


def estimate(
    model: Model, gpu: Gpu, precision: Precision, load: Load, assumed: Assumptions, price: float | None = None
) -> Estimate:
    """What one GPU makes of a model; `price`: US dollars an hour instead of the GPU's own."""
    weights = model.parameters * WEIGHT_BYTES[precision] / 1e9
    active = (model.active_parameters + model.head_parameters) * WEIGHT_BYTES[precision] / 1e9
    kv = (load.paper + load.questions * load.each) * model.kv_bytes / 1e9
    room = gpu.memory_gb * assumed.memory_used - assumed.reserve_gb - weights
    in_flight = max(0, int(room / kv))
    floors = floor(model, load, gpu.tflops(precision) * assumed.sustained, gpu.tb_s)
    # The weights are read for every step, which all papers in flight share; with experts that are many, more
    # of them than the active ones, which is left out.
    steps_s = load.answer * active / (max(1, in_flight) * gpu.tb_s * 1e3)
    expected = assumed.reached * _HOUR_S / (_HOUR_S / floors.one_after_the_other + steps_s)
    hourly = gpu.usd_an_hour if price is None else price
    return Estimate(model, gpu, precision, weights, kv, in_flight, floors, expected, hourly / expected)
