"""Digests and names."""

import pytest

from reprocensus.keys import digest, folded_title, slug, verdict_key


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


def test_a_title_is_the_same_however_it_is_spelled() -> None:
    assert folded_title("On-line Poincaré Maps: a ﬁrst look") == folded_title(
        "ONLINE POINCARE MAPS – A first look"
    )
    assert folded_title("深度学习") != folded_title("强化学习") != ""
