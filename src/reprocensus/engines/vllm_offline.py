"""The vllm-offline engine: vLLM's own engine on this machine's GPUs, with no server before it.

The model runs in processes that vLLM starts and that end with this one. vLLM and torch are imported as the
engine starts, never before: that takes many seconds.
"""

import asyncio
import gc
import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from typing import Any, Final

import msgspec

from reprocensus.errors import EngineAwayError, EngineError, JudgeError
from reprocensus.keys import digest
from reprocensus.llm import keeper
from reprocensus.llm.chat import (
    FIXED,
    ChatReply,
    ChatRequest,
    Counters,
    Message,
    ServerFacts,
    Token,
)
from reprocensus.llm.engine import LlmEngine
from reprocensus.llm.options import calibrations_of, options_of
from reprocensus.settings import Settings

#: What vLLM reads from the environment. It logs to standard output if not told otherwise, and asks others
#: which models there are and tells them what runs.
_ENVIRONMENT: Final = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_WORKER_MULTIPROCESSING_METHOD": "spawn",
    "DO_NOT_TRACK": "1",
}
_SHOWN: Final = 300


class VllmModel:
    """A `Backend` in this process: vLLM's `AsyncLLM`, started again when it dies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._llm: Any = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._names = count()
        # One thread: tokenizers are not made for several at once.
        self._side = ThreadPoolExecutor(1, thread_name_prefix="vllm-offline")

    async def start(self) -> None:
        """See `Backend.start`: loads the model, which takes from seconds to minutes."""
        if self._llm is None:
            self._keeper = self._keeper or keeper.start()
            # In this loop's own thread: vLLM's sockets and tasks belong to the loop that they are made in.
            self._llm = _load(self._settings)

    async def close(self) -> None:
        """See `Backend.close`."""
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()
            del llm
            # Its own tasks refer to it; found as the interpreter ends, it would complain about that.
            gc.collect()
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
            self._keeper = None
        self._side.shutdown()

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See `Backend.complete`."""
        llm = self._running()
        ids = await self._ids(request.messages)
        context = self._model_config().max_model_len
        if len(ids) + request.sampling.max_tokens > context:
            raise JudgeError(
                "too_long",
                f"{len(ids)} tokens of prompt and {request.sampling.max_tokens} of answer exceed {context}",
            )
        final = None
        try:
            async for output in llm.generate(
                _prompt(ids, request.salt), _sampling(request), f"r{next(self._names)}"
            ):
                final = output
        except Exception as error:
            raise self._failed(error) from error
        if final is None:
            raise JudgeError("bad_reply", "vLLM ended a request without a reply", transient=True)
        return _reply(final)

    async def count_tokens(self, messages: tuple[Message, ...]) -> int | None:
        """See `Backend.count_tokens`."""
        return len(await self._ids(messages))

    async def alive(self) -> None:
        """See `Backend.alive`: starts the model again if it has died."""
        if self._llm is not None and not self._llm.errored:
            return
        dead, self._llm = self._llm, None
        if dead is not None:
            with suppress(Exception):
                dead.shutdown()
        try:
            self._llm = _load(self._settings)
        except EngineError as error:
            raise EngineAwayError(f"vLLM's engine died and does not start again: {error}") from error

    async def facts(self) -> ServerFacts:
        """See `Backend.facts`."""
        import vllm

        config = self._running().vllm_config
        model, cache = config.model_config, config.cache_config
        held = (cache.num_gpu_blocks or 0) * cache.block_size
        return ServerFacts(
            model=self._settings.vllm_model or "",
            revision=self._settings.vllm_revision or model.revision or "",
            context=model.max_model_len,
            kv_tokens=held or None,
            software=f"vllm {vllm.__version__}",
            quantisation=self._settings.vllm_quantisation or model.quantization or "",
            dtype=str(model.dtype).removeprefix("torch."),
            gpus=_devices(config.parallel_config.world_size),
            prefix_caching=bool(cache.enable_prefix_caching),
            batch_invariant=None if self._settings.vllm_exact else False,
            template_sha=digest(msgspec.json.encode(await self._ids(FIXED)).decode()),
            details={
                "block_size": cache.block_size,
                "kv_cache_dtype": str(cache.cache_dtype),
                "structured_outputs": config.structured_outputs_config.backend,
                "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
                "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
                "engine": dict(self._settings.vllm_engine),
            },
        )

    async def counters(self) -> Counters | None:
        """See `Backend.counters`: vLLM's own, as a server shows them under /metrics."""
        from vllm.v1.metrics.reader import get_metrics_snapshot

        totals: dict[str, int] = {}
        for metric in get_metrics_snapshot():
            totals[metric.name] = totals.get(metric.name, 0) + int(getattr(metric, "value", 0))
        names = ("prompt_tokens", "generation_tokens", "prefix_cache_queries", "prefix_cache_hits")
        found = [totals.get(f"vllm:{name}") for name in names]
        return None if None in found else Counters(*(total or 0 for total in found))

    def _running(self) -> Any:
        if self._llm is None or self._llm.errored:
            raise EngineAwayError("vLLM's engine is not running; it is started again")
        return self._llm

    def _model_config(self) -> Any:
        return self._running().vllm_config.model_config

    async def _ids(self, messages: tuple[Message, ...]) -> list[int]:
        """The prompt's tokens, as the model's chat template makes them."""
        tokenizer = self._running().get_tokenizer()
        told = [{"role": m.role, "content": m.content} for m in messages]
        more = self._settings.vllm_extra.get("chat_template_kwargs", {})

        def render() -> list[int]:
            return list(
                tokenizer.apply_chat_template(
                    told, add_generation_prompt=True, tokenize=True, return_dict=False, **more
                )
            )

        return await asyncio.get_running_loop().run_in_executor(self._side, render)

    def _failed(self, error: Exception) -> Exception:
        """The failure that one of vLLM's exceptions stands for."""
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        said = f"{type(error).__name__}: {error}"[:_SHOWN]
        if isinstance(error, EngineDeadError) or self._llm is None or self._llm.errored:
            return EngineAwayError(f"vLLM's engine died ({said}); it is started again")
        if isinstance(error, VLLMClientError | ValueError):
            return JudgeError("bad_request", f"vLLM refuses the request ({said})")
        return JudgeError("bad_reply", f"vLLM failed over the request ({said})", transient=True)


def _load(settings: Settings) -> Any:
    """Starts vLLM's engine with the settings' model. Raises `EngineError` if that cannot be."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if settings.vllm_exact:
        os.environ["VLLM_BATCH_INVARIANT"] = "1"
    if why := missing():
        raise EngineError(f"vllm-offline: {why}")
    try:
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_arguments(settings)))
    except Exception as error:
        raise EngineError(
            f"vllm-offline cannot start {settings.vllm_model} ({type(error).__name__}: {error}): vLLM's "
            "messages stand above this one; it is started with REPROCENSUS_VLLM_CONTEXT and "
            "REPROCENSUS_VLLM_ENGINE"
        ) from error
    return llm


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """vLLM's engine arguments: those that reprocensus rests on, then the settings' own."""
    return {
        "model": settings.vllm_model,
        "revision": settings.vllm_revision or None,
        "max_model_len": settings.vllm_context,
        "seed": settings.vllm_seed,
        "enable_prefix_caching": not settings.vllm_exact,
        # The default, xgrammar, lets control characters into bounded strings and knows no escapes there.
        # Blanks between JSON's words cost tokens, and some models do not end with them.
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
        "max_logprobs": max(20, settings.vllm_top_logprobs),
        "disable_log_stats": False,
    } | settings.vllm_engine


def missing() -> str:
    """What is not installed here that it needs, and how to get it; empty where vLLM is."""
    if find_spec("vllm") is not None:
        return ""
    return (
        "vLLM is not installed here: pip install 'reprocensus[vllm]' on a machine with a GPU, in an "
        "environment of its own, or ask a server with the engine vllm"
    )


def _prompt(ids: list[int], salt: str) -> Any:
    from vllm.inputs.engine import tokens_input

    return tokens_input(ids, cache_salt=salt or None)


def _sampling(request: ChatRequest) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    wanted = request.sampling
    return SamplingParams(
        temperature=wanted.temperature,
        seed=wanted.seed,
        max_tokens=wanted.max_tokens,
        logprobs=wanted.top_logprobs or None,
        structured_outputs=StructuredOutputsParams(json=dict(request.schema)),
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _reply(final: Any) -> ChatReply:
    output = final.outputs[0]
    places = zip(output.token_ids, output.logprobs or (), strict=False)
    return ChatReply(
        text=output.text,
        finish_reason=output.finish_reason or "",
        prompt_tokens=len(final.prompt_token_ids),
        output_tokens=len(output.token_ids),
        cached_tokens=final.num_cached_tokens,
        tokens=tuple(_token(chosen, likely) for chosen, likely in places),
    )


def _token(chosen: int, likely: Mapping[int, Any]) -> Token:
    """A token answered. vLLM tells the likeliest, and the chosen one where it is none of them."""
    ranked = sorted(likely.values(), key=lambda token: token.rank)
    return Token(
        likely[chosen].decoded_token or "",
        likely[chosen].logprob,
        tuple((token.decoded_token or "", token.logprob) for token in ranked),
    )


def _devices(number: int) -> tuple[str, ...]:
    from vllm.platforms import current_platform

    try:
        return (current_platform.get_device_name(),) * number
    except (NotImplementedError, RuntimeError):
        return ()


def create(settings: Settings) -> LlmEngine:
    """The engine as the settings want it. Raises `EngineError` if they do not say which model."""
    if not settings.vllm_model:
        raise EngineError(
            "vllm-offline needs REPROCENSUS_VLLM_MODEL: a model's folder or its name on the hub"
        )
    if not settings.vllm_context:
        raise EngineError(
            "vllm-offline needs REPROCENSUS_VLLM_CONTEXT: tokens of prompt and answer, such as 65536"
        )
    return LlmEngine(
        "vllm-offline", lambda: VllmModel(settings), options_of(settings), calibrations_of(settings)
    )
