"""Digests and names."""

import pytest

from reprocensus.keys import digest, slug, verdict_key


def test_a_verdict_key_changes_with_each_of_its_parts() -> None:
    parts = ["text", "variable", "sha", "prompt", "engine", "model"]
    keys = {verdict_key(*(p + "'" if i == n else p for i, p in enumerate(parts))) for n in range(-1, 6)}
    assert len(keys) == 7


def test_digests_take_what_broken_pdfs_yield() -> None:
    assert digest("a\ud800b") != digest("ab")


@pytest.mark.parametrize(
    ("text", "expected"), [("Énergie & Co: A–B", "energie_co_a_b"), ("日本", ""), ("", "")]
)
def test_slugs_are_plain_ascii(text: str, expected: str) -> None:
    assert slug(text) == expected
