"""How an engine that asks a language model is set up: from settings, frozen for a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprocensus.calibration import Calibrations, parse_calibrations
from reprocensus.errors import UsageError
from reprocensus.keys import digest
from reprocensus.llm.chat import Sampling
from reprocensus.prompt import MAX_RATIONALE, Quoting
from reprocensus.settings import Settings

#: Enough for any answer that obeys the schema: a rationale's tokens have a character each at least, a copied
#: quote's characters may have two tokens each.
_LONGEST = {Quoting.NUMBERS: MAX_RATIONALE + 144, Quoting.TEXT: MAX_RATIONALE + 1296}


@dataclass(frozen=True, slots=True)
class LlmOptions:
    """What decides about answers (model to sampling), and how hard and for how long is asked."""

    model: str | None = None
    revision: str = ""
    context: int | None = None
    quoting: Quoting = Quoting.NUMBERS
    sampling: Sampling = field(default_factory=Sampling)
    exact: bool = False
    #: What else stands in a request and may change an answer.
    extra: Mapping[str, Any] = field(default_factory=dict)
    kv_tokens: int | None = None
    replicas: int = 1
    price_per_hour: float | None = None
    gpus: int = 1
    tries: int = 3
    wait_s: float = 1800
    start_wait_s: float = 60

    def model_name(self, model: str, context: int, words: tuple[str, ...]) -> str:
        """Model and version as verdicts have it: name, revision, and a digest of all else that decides.

        `words` rank the passages of a paper that is cut.
        """
        decides = {
            "context": context,
            "quoting": self.quoting,
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "exact": self.exact,
            "extra": self.extra,
            "words": words,
        }
        version = f"@{self.revision}" if self.revision else ""
        return f"{model}{version} {digest(json.dumps(decides, sort_keys=True))[:8]}"


def calibrations_of(settings: Settings) -> Calibrations:
    """The curves of the file that the settings name; none if they name none. Raises `UsageError`."""
    if not settings.calibration:
        return Calibrations()
    try:
        text = Path(settings.calibration).read_text("utf-8")
    except OSError as error:
        raise UsageError(f"REPROCENSUS_CALIBRATION: {error}") from error
    return parse_calibrations(text, settings.calibration)


def options_of(settings: Settings) -> LlmOptions:
    """The options that the settings give."""
    quoting = Quoting(settings.vllm_quoting)
    return LlmOptions(
        model=settings.vllm_model,
        revision=settings.vllm_revision,
        context=settings.vllm_context,
        quoting=quoting,
        sampling=Sampling(
            max_tokens=settings.vllm_max_tokens or _LONGEST[quoting],
            temperature=settings.vllm_temperature,
            seed=settings.vllm_seed,
            top_logprobs=settings.vllm_top_logprobs,
        ),
        exact=settings.vllm_exact,
        extra=settings.vllm_extra,
        kv_tokens=settings.vllm_kv_tokens,
        replicas=settings.vllm_replicas,
        price_per_hour=settings.vllm_price_per_hour,
        gpus=settings.vllm_gpus,
        tries=settings.vllm_tries,
        wait_s=settings.vllm_wait_s,
        start_wait_s=settings.vllm_start_wait_s,
    )
