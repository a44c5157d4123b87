"""Starts and stops a real `vllm serve` with the tiny model, on this machine's processors."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

#: Two spinning threads on a busy machine make vLLM fifteen times slower; compiling costs more than it saves.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
CONTEXT = 4096
#: The CPU build's own blocks of 128 tokens never hold a short prompt's prefix.
BLOCK = 32
KV_CACHE_BYTES = 64 * 2**20
STRUCTURED = '{"backend": "guidance", "disable_any_whitespace": true}'
_PATIENCE_S = 900


class Server:
    """One `vllm serve` on a loopback port that stays the same when it is restarted."""

    def __init__(self, model: Path, log: Path) -> None:
        self._model = model
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What a run needs to know of it."""
        return {"REPROCENSUS_VLLM_URL": f"{self.root}/v1", "REPROCENSUS_VLLM_START_WAIT_S": "5"}

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("vllm")), "serve", str(self._model)]
        command += ["--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--dtype", "bfloat16", "--enforce-eager", "--max-model-len", str(CONTEXT)]
        command += ["--kv-cache-memory-bytes", str(KV_CACHE_BYTES), "--block-size", str(BLOCK)]
        command += ["--max-num-seqs", "32", "--enable-prompt-tokens-details"]
        command += ["--structured-outputs-config", STRUCTURED]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        """Until it is healthy."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            assert self._process and self._process.poll() is None, self.said()
            try:
                if httpx.get(f"{self.root}/health", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.5)
        raise AssertionError(f"vllm serve was not up after {_PATIENCE_S} s: {self.said()}")

    def kill(self) -> None:
        """Ends it at once, with all of its processes, and loses whatever it was at."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
        self._process = None

    def said(self) -> str:
        return self._log.read_text("utf-8", "replace")[-4000:]

    def totals(self) -> dict[str, int]:
        """Its own count of tokens: prompt, generation, prefix_cache_hits."""
        lines = httpx.get(f"{self.root}/metrics", timeout=30).text.splitlines()
        names = ("prompt_tokens", "generation_tokens", "prefix_cache_hits")
        return {
            name: sum(
                int(float(line.split()[-1])) for line in lines if line.startswith(f"vllm:{name}_total{{")
            )
            for name in names
        }
