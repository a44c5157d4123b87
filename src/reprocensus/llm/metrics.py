"""Reads the metrics that a vLLM server tells, in Prometheus's text format."""

import re
from collections.abc import Mapping


def total(metrics: str, name: str) -> float | None:
    """The sum of a counter over all that have it, such as the engines of a data-parallel server."""
    values = re.findall(rf"^{re.escape(name)}(?:\{{[^\n]*\}})? ([0-9.eE+-]+)$", metrics, re.MULTILINE)
    return sum(map(float, values)) if values else None


def labels(metrics: str, name: str) -> list[dict[str, str]]:
    """The labels of a metric, once for each engine of a data-parallel server."""
    found = re.findall(rf"^{re.escape(name)}\{{([^\n]*)\}} ", metrics, re.MULTILINE)
    return [dict(re.findall(r'(\w+)="([^"]*)"', inside)) for inside in found]


def held(cache: Mapping[str, str]) -> int:
    """Tokens that a KV cache holds; 0 if it does not say."""
    blocks, size = cache.get("num_gpu_blocks", ""), cache.get("block_size", "")
    return int(blocks) * int(size) if blocks.isdigit() and size.isdigit() else 0


def flag(value: str | None) -> bool | None:
    """A flag as vLLM writes it; None if there is none."""
    return {"True": True, "False": False}.get(value or "")
