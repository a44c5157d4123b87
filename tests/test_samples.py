"""The bundled papers agree with their manifest, may be redistributed, and are varied enough to show much."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[1] / "samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples/ beside the tests")


@pytest.fixture(scope="module")
def papers() -> list[dict[str, Any]]:
    lines = (SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def attribution() -> list[str]:
    text = (SAMPLES / "README.md").read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_each_paper_is_the_file_that_the_manifest_describes(papers: list[dict[str, Any]]) -> None:
    for paper in papers:
        data = (SAMPLES / paper["file"]).read_bytes()
        assert data.startswith(b"%PDF-"), paper["id"]
        assert hashlib.sha256(data).hexdigest() == paper["sha256"], paper["id"]


def test_there_is_no_file_that_the_manifest_does_not_name(papers: list[dict[str, Any]]) -> None:
    files = {
        path.relative_to(SAMPLES).as_posix() for path in (SAMPLES / "papers").rglob("*") if path.is_file()
    }
    assert files == {paper["file"] for paper in papers}


def test_ids_follow_the_layout_and_are_unique(papers: list[dict[str, Any]]) -> None:
    assert len({paper["id"] for paper in papers}) == len(papers)
    for paper in papers:
        edition, _ = paper["id"].split("/")
        assert edition == f"{paper['venue']}-{paper['year']}"
        assert paper["file"] == f"papers/{paper['id']}.pdf"


def test_every_paper_is_described_in_full(papers: list[dict[str, Any]]) -> None:
    for paper in papers:
        assert paper["title"].strip() == paper["title"] != "", paper["id"]
        assert paper["authors"], paper["id"]
        assert all(name.strip() == name != "" for name in paper["authors"]), paper["id"]
        assert len(paper["abstract"]) > 200, paper["id"]


def test_every_paper_may_be_redistributed_and_is_attributed(
    papers: list[dict[str, Any]], attribution: list[str]
) -> None:
    assert len(attribution) == len(papers)
    for paper, line in zip(papers, attribution, strict=True):
        assert paper["licence"] == "CC BY 4.0", paper["id"]
        parts = [paper["title"], *paper["authors"], paper["official_url"], paper["file"]]
        parts += ["[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)", "Unchanged"]
        for part in parts:
            assert part is None or part in line, (paper["id"], part)


def test_the_corpus_is_small_and_varied(papers: list[dict[str, Any]]) -> None:
    assert 8 <= len(papers) <= 12
    assert sum((SAMPLES / paper["file"]).stat().st_size for paper in papers) < 8_000_000
    assert len({paper["venue"] for paper in papers}) >= 4
    assert len({paper["year"] for paper in papers}) >= 4
    editions = Counter((paper["venue"], paper["year"]) for paper in papers)
    assert max(editions.values()) >= 2, "no edition has more than one paper"
