"""Settings of a deployment, each from an environment variable `REPROCENSUS_<NAME>`; the command line wins."""

import os
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from reprocensus.errors import UsageError
from reprocensus.validation import complaints


class HostLimit(BaseModel):
    """How often one host may be asked: the pause between two requests in seconds, and how many at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval_s: float = Field(1.0, ge=0, description="pause between two requests")
    at_once: int = Field(2, ge=1, description="requests under way at a time")


class Settings(BaseSettings):
    """Everything that may differ between machines and is no part of what is judged."""

    model_config = SettingsConfigDict(env_prefix="REPROCENSUS_", frozen=True)

    store: str = Field("./data", description="where objects and tables lie: a path or an fsspec URI")
    engine: str = Field("rules", description="which engine judges")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="worker processes")
    shard_size: int = Field(250, ge=1, le=5000, description="papers in one unit of work")
    shards_at_once: int = Field(2, ge=1, description="shards processed side by side")
    scale_out: Literal["local", "dask", "pool"] = Field(
        "local",
        description="where shards are worked on: here, on a Dask cluster, or by a work pool's workers",
    )
    dask_scheduler: str = Field(
        "", description="address of a Dask scheduler; if empty, a cluster of processes on this machine"
    )
    parts: int = Field(4, ge=1, description="flow runs that a night is split into for a work pool's workers")
    shard_retries: int = Field(
        3, ge=0, description="further tries at a shard that the store failed for a while"
    )
    shard_retry_delay_s: float = Field(10, ge=0, description="pause before the first of them; it doubles")
    shard_timeout_s: float = Field(
        21_600, ge=0, description="longest time for one shard: then it is left to the next run; 0: no limit"
    )
    lease_s: float = Field(
        60, ge=1, description="silence after which a run on another machine counts as dead"
    )
    edition_wait_s: float = Field(
        600, ge=0, description="longest wait for an edition that another run works on; then it is left to it"
    )
    extract_timeout_s: float = Field(120, gt=0, description="longest time one PDF may take")
    extract_memory_mb: int = Field(1500, ge=200, description="address space of one extraction worker")
    judge_timeout_s: float = Field(60, gt=0, description="longest time the rules may take over one paper")
    max_attempts: int = Field(3, ge=1, description="tries at a transient failure before it waits for you")
    max_pdf_mb: int = Field(200, ge=1, description="largest PDF that is read")
    contact: str = Field("", description="an e-mail address or URL for the User-Agent header")
    fetch_interval_s: float = Field(1.0, ge=0, description="pause between two requests to one host")
    fetch_timeout_s: float = Field(60, gt=0, description="longest silence of a server")
    fetch_deadline_s: float = Field(600, gt=0, description="longest time of one download")
    fetch_attempts: int = Field(4, ge=1, description="tries at one request within a run")
    fetch_backoff_s: float = Field(1.0, ge=0, description="pause before the second try; it doubles each time")
    fetch_max_wait_s: float = Field(300, ge=0, description="longest wait that a server may ask for in a run")
    hosts_at_once: int = Field(8, ge=1, description="hosts that are fetched from side by side")
    host_limits: dict[str, HostLimit] = Field(
        default_factory=dict, description="limits by host, as JSON, over the bundled ones"
    )
    recheck_days: float = Field(
        30, ge=0, description="days until a PDF's address is asked again; 0: every run"
    )
    journal_interval_s: float = Field(
        120, ge=0, description="longest time that a fetched PDF is not journaled"
    )
    allow_private_hosts: bool = Field(False, description="fetch from private and loopback addresses too")
    checklist_years: dict[str, int] = Field(
        default_factory=dict, description="year from which a venue asks for a checklist, by venue, as JSON"
    )
    metrics_file: str = Field("", description="Prometheus text file that the last run's figures are left in")
    log_format: Literal["", "text", "json"] = Field(
        "", description="how runs log to standard error: text or json; what a server starts always does"
    )
    vllm_url: str = Field(
        "http://127.0.0.1:8000/v1", description="where an OpenAI-compatible server answers, up to its /v1"
    )
    vllm_key: SecretStr | None = Field(None, description="the server's API key")
    vllm_model: str | None = Field(
        None, description="the model as the server names it; the one that it serves when unset"
    )
    vllm_revision: str = Field("", description="the model's commit or version, which a server does not tell")
    vllm_quantisation: str = Field("", description="its quantisation, likewise")
    vllm_gpu: str = Field("", description="what it runs on, likewise, such as `NVIDIA H100 80GB`")
    vllm_gpus: int = Field(1, ge=1, description="GPUs that serve it, all replicas together")
    vllm_replicas: int = Field(
        1, ge=1, description="replicas behind the URL, each with a KV cache of its own"
    )
    vllm_price_per_hour: float | None = Field(None, ge=0, description="US dollars an hour of one GPU")
    vllm_tokens_per_s: float | None = Field(
        None, gt=0, description="tokens that one GPU reads or answers a second, for forecasts"
    )
    vllm_context: int | None = Field(
        None, ge=512, description="longest prompt and answer in tokens; the server's when unset"
    )
    vllm_kv_tokens: int | None = Field(
        None, ge=1, description="tokens of papers in flight; what the server's KV caches hold when unset"
    )
    vllm_quoting: Literal["numbers", "text"] = Field(
        "numbers", description="whether evidence is named by sentence numbers or copied"
    )
    vllm_max_tokens: int | None = Field(
        None, ge=16, description="longest answer in tokens; enough for any that obeys the schema when unset"
    )
    vllm_temperature: float = Field(0.0, ge=0, description="0: the likeliest token each time")
    vllm_seed: int = Field(0, ge=0, description="seed of the sampling")
    vllm_top_logprobs: int = Field(
        5,
        ge=0,
        le=20,
        description="likeliest tokens told at each place, for the confidence; 0: no confidence",
    )
    vllm_exact: bool = Field(False, description="demand replies that do not depend on what is asked beside")
    vllm_tries: int = Field(3, ge=1, description="tries at one question within a run")
    vllm_timeout_s: float = Field(600, gt=0, description="longest time that one reply may take")
    vllm_wait_s: float = Field(
        1800, ge=0, description="longest time that a server which went away is waited for"
    )
    vllm_start_wait_s: float = Field(
        60, ge=0, description="longest time that a server is waited for as a run starts"
    )
    vllm_session_header: str = Field(
        "x-user-id", description="header that carries a paper's session key, for routers; empty: none"
    )
    vllm_extra: dict[str, Any] = Field(
        default_factory=lambda: {"chat_template_kwargs": {"enable_thinking": False}},
        description="what else stands in every request's body, as JSON",
    )
    vllm_engine: dict[str, Any] = Field(
        default_factory=dict, description="arguments of vLLM's engine for vllm-offline, as JSON, over our own"
    )
    calibration: str | None = Field(None, description="file that makes confidences of label probabilities")
    site_title: str = Field("Reproducibility census", description="what the site calls itself")
    site_url: str = Field("", description="where the site will lie, for its sitemap and citations")
    report_url: str = Field(
        "", description="where readers report errors, http(s) or mailto; {paper} is the paper_id"
    )
    archive_url: str = Field(
        "", description="a folder of the web with <sha256>.pdf; the site has PDFs itself if unset"
    )
    s3_endpoint: str | None = Field(None, description="URL of an S3-compatible server; AWS when unset")
    s3_key: SecretStr | None = Field(None, description="S3 access key; the usual AWS chain when unset")
    s3_secret: SecretStr | None = Field(None, description="S3 secret key")
    s3_region: str | None = Field(None, description="S3 region")
    s3_timeout_s: float = Field(60, gt=0, description="longest silence of the S3 server")
    s3_attempts: int = Field(6, ge=1, description="tries at one S3 request: 500, 503 and lost connections")


def load_settings() -> Settings:
    """The settings that the environment gives. Raises `UsageError` naming those that are wrong."""
    try:
        return Settings()
    except SettingsError as error:
        raise UsageError(f"settings from the environment: {error}; JSON was expected") from error
    except ValidationError as error:
        raise UsageError(
            f"settings from the environment (REPROCENSUS_<NAME>): {complaints(error)}"
        ) from error
