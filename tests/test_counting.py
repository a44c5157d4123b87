"""Counts in words, and that nothing else puts a number before a plural."""

import re
from pathlib import Path

import pytest

from conftest import ROOT
from reprocensus.counting import counted

#: What is counted in what people read.
_NOUNS = "papers|editions|verdicts|files|labels|runs|pages|rows|PDFs|venues|seconds|pictures|tokens sent"
_BARE = re.compile(rf"\}}\}}? (?:more )?(?:{_NOUNS})\b(?![./])")
_READ = [
    *(ROOT / "src/reprocensus/site/templates").glob("*.j2"),
    *(ROOT / "src/reprocensus/cli").glob("*.py"),
]
#: Numbers that are of two things or more, or are no count of what follows.
_PLURAL_ANYWAY = ("{{ edition }} papers", "{{ shown | length }} venues")


@pytest.mark.parametrize(
    ("n", "told"), [(0, "0 tries"), (1, "1 try"), (2, "2 tries"), (1_000, "1,000 tries"), (-1, "-1 tries")]
)
def test_one_is_one(n: int, told: str) -> None:
    assert counted(n, "try", "tries") == told
    assert counted(n, "paper") == told.replace("tries", "papers").replace("try", "paper")


@pytest.mark.parametrize("path", _READ, ids=lambda p: p.name)
def test_no_number_stands_before_a_plural_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [found for found in _BARE.findall(text) if found not in _PLURAL_ANYWAY] == []
