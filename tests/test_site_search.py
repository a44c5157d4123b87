"""Search: words as both sides see them, the database behind `site serve`, the files of a static site."""

import base64
import gzip
import json
import random
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT
from reprocensus.records import Edition
from reprocensus.site.search.database import SearchDatabase
from reprocensus.site.search.entries import Entry, Evidence
from reprocensus.site.search.static_index import index_files, pack
from reprocensus.site.search.words import fold, marked, query_words, snippet, words_of
from site_support import need

ICML, ACL = Edition("ICML", 2016), Edition("ACL", 2018)
ENTRIES = [
    Entry("papers/a/", "Diffusion Models for Images", "Ada Byron, Émile Zürn", ICML, (
        Evidence("hardware_specification", "Yes", 6, "We trained on eight NVIDIA V100 cards."),
        Evidence("open_datasets", "Yes", 4, "CIFAR-10 and ImageNet are public."))),
    Entry("papers/b/", "On Images", "Grace Hopper", ICML, (
        Evidence("open_datasets", "Yes", 2, "Diffusion is not what we look at; ImageNet is."),)),
    Entry("papers/c/", "Numbers", "Diffusion Smith", ACL, ()),
    Entry("papers/d/", "<b>Tags</b> & \u201cquotes\u201d", "O'Brien", ACL, ()),
]  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> SearchDatabase:
    found = SearchDatabase(tmp_path / "search.sqlite")
    for edition in (ICML, ACL):
        found.replace(edition, [entry for entry in ENTRIES if entry.edition == edition])
    return found


def addresses(database: SearchDatabase, query: str, **filters: object) -> list[str]:
    return [hit.address[7:-1] for hit in database.search(query, **filters).hits]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("diffusion", ["a", "c", "b"]),
        ("DIFFUSION imag", ["a", "b"]),
        ("emile zurn", ["a"]),
        ("Émile Zürn", ["a"]),
        ("icml images", ["b", "a"]),
        ("2018 numbers", ["c"]),
        ("nvidia v100", ["a"]),
        ("cifar 10", ["a"]),
        ("nowhere", []),
        ("<b>", ["d", "a"]),
        ('"', []),
        ("NEAR( AND OR NOT *:^-", []),
        ("", []),
    ],
)
def test_all_words_are_found_titles_first(database: SearchDatabase, query: str, expected: list[str]) -> None:
    assert addresses(database, query) == expected or set(addresses(database, query)) == set(expected)


def test_evidence_counts_least(database: SearchDatabase) -> None:
    assert addresses(database, "diffusion")[-1] == "b"
    assert addresses(database, "imagenet images")[0] == "b", "a shorter title with the word"


def test_filters_pages_and_replacement(database: SearchDatabase) -> None:
    assert addresses(database, "diffusion", venue="ACL") == ["c"]
    assert addresses(database, "diffusion", year=2016) == ["a", "b"]
    assert addresses(database, "diffusion", venue="ACL", year=2016) == []
    many = [Entry(f"papers/{n}/", f"Cats number {n}", "", ACL) for n in range(45)]
    database.replace(ACL, many)
    assert addresses(database, "numbers") == [], "what was there is gone"
    pages = [database.search("cats", page=page) for page in (1, 2, 3, 4)]
    assert [len(found.hits) for found in pages] == [20, 20, 5, 0]
    assert {found.total for found in pages} == {45}
    assert len({hit.address for found in pages for hit in found.hits}) == 45
    assert database.editions() == [ACL, ICML]


def test_a_hit_shows_the_passage_with_most_of_the_words(database: SearchDatabase) -> None:
    (hit,) = database.search("nvidia v100").hits
    assert [(s.variable, s.label, s.page) for s in hit.snippets] == [("hardware_specification", "Yes", 6)]
    assert [text for text, found in hit.snippets[0].pieces if found] == ["NVIDIA", "V100"]
    assert "".join(text for text, _ in hit.title) == "Diffusion Models for Images"


def test_a_snippet_is_cut_around_the_first_word() -> None:
    text = "before " * 100 + "Needle here " + "after " * 100
    shown = "".join(piece for piece, _ in snippet(text, ["needle"]))
    assert "Needle here" in shown
    assert len(shown) < 320
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert snippet("short needle", ["needle"]) == [("short ", False), ("needle", True)]


def test_marked_pieces_are_the_text_again() -> None:
    for text in ("Zürn’s naïve café", "a_b-c 10^-4", "", "日本語 text", "e\u0301tude"):
        assert "".join(piece for piece, _ in marked(text, words_of(text) or ["x"])) == text
    assert [p for p, hit in marked("Zürn and zur", ["zur"]) if hit] == ["Zürn", "zur"]


def decoded(packed: str) -> list[tuple[int, int]]:
    places, paper, value, shift = [], 0, 0, 0
    for byte in base64.b64decode(packed):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            paper += value // 4
            places.append((paper, value % 4))
            value = shift = 0
    return places


def unpacked(data: bytes) -> Any:
    return json.loads(gzip.decompress(data))


def test_lists_of_papers_are_packed_without_loss() -> None:
    chance = random.Random(1)
    for top in (3, 100, 60_000, 5_000_000):
        papers = sorted(chance.sample(range(top), 3))
        kinds = [chance.randrange(4) for _ in papers]
        packed = pack(np.array(papers, dtype=np.int32), np.array(kinds, dtype=np.int8))
        assert decoded(packed) == list(zip(papers, kinds, strict=True))


def test_the_static_index_holds_every_word_at_its_best_place() -> None:
    files = dict(index_files(ENTRIES))
    assert list(files)[-1] == "index.bin", "the rest is there before it is named"
    about = unpacked(files["index.bin"])
    assert [edition[:3] for edition in about["editions"]] == [["ICML", 2016, 0], ["ACL", 2018, 2]]
    words: dict[str, list[tuple[int, int]]] = {}
    for name, data in files.items():
        if name.startswith("words-"):
            first, lists = unpacked(data)
            words |= {word: decoded(packed) for word, packed in zip(first, lists, strict=True)}
    assert list(words) == sorted(words)
    assert words["diffusion"] == [(0, 3), (1, 0), (2, 2)]
    assert words["zurn"] == [(0, 2)]
    assert words["imagenet"] == [(0, 0), (1, 0)]
    wanted = {
        w for e in ENTRIES for t in (e.title, e.authors, *(x.text for x in e.evidence)) for w in words_of(t)
    }
    assert set(words) == wanted
    assert dict(index_files(ENTRIES)) == files, "the same every time"


def test_the_static_index_holds_what_is_shown_of_a_hit() -> None:
    files = dict(index_files([*ENTRIES, Entry("papers/e/", "Long " * 2000, "Somebody, " * 900, ACL, ())]))
    (venue, year, first, stamp) = unpacked(files["index.bin"])["editions"][1]
    assert (venue, year, first) == ("ACL", 2018, 2)
    shown = [paper for n in range(2) for paper in unpacked(files[f"papers-{stamp}-{n}.bin"])]
    assert [paper[2] for paper in shown] == ["papers/c/", "papers/d/", "papers/e/"]
    assert shown[1][:2] == ["<b>Tags</b> & \u201cquotes\u201d", "O'Brien"]
    assert all(len(part) < 500 for part in shown[2][:2]), "cut"
    first_stamp = unpacked(files["index.bin"])["editions"][0][3]
    (hit, _) = unpacked(files[f"papers-{first_stamp}-0.bin"])
    assert hit[3][0] == ["hardware_specification", "Yes", 6, "We trained on eight NVIDIA V100 cards."]


def test_an_edition_that_is_as_it_was_keeps_its_files() -> None:
    before, after = dict(index_files(ENTRIES)), dict(index_files([*ENTRIES[:2], *ENTRIES[3:]]))
    kept = unpacked(before["index.bin"])["editions"][0]
    assert unpacked(after["index.bin"])["editions"][0] == kept
    assert f"papers-{kept[3]}-0.bin" in before.keys() & after.keys()
    assert unpacked(before["index.bin"])["editions"][1] != unpacked(after["index.bin"])["editions"][1]


def test_large_indexes_come_in_small_files_and_common_words_find_titles_alone() -> None:
    chance = random.Random(2)
    names = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(3000)]
    entries = [
        Entry(f"papers/{n}/", f"The {names[n]}", names[-n], ICML, (
            Evidence("x", "Yes", 1, "the " + " ".join(chance.sample(names, 20))),))
        for n in range(1500)
    ]  # fmt: skip
    files = dict(index_files(entries))
    assert len([name for name in files if name.startswith("words-")]) > 3
    assert all(len(data) < 16_000 for data in files.values())
    assert "the" in unpacked(files["index.bin"])["common"]


def test_an_empty_store_can_be_searched() -> None:
    assert unpacked(dict(index_files([]))["index.bin"])["papers"] == 0


def test_the_browser_folds_words_as_we_do(tmp_path: Path) -> None:
    """The script's own functions, in node, on letters of all kinds."""
    import shutil

    need("node", shutil.which("node") is not None)
    texts = ["Émile Zürn’s naïve café", "ﬁelds of 𝔘nicode", "Straße İstanbul", "CIFAR-10", "日本語", "a_b",
             "x" * 60, "e\u0301tude", "Łódź Øre", "ｆｕｌｌ ｗｉｄｔｈ"]  # fmt: skip
    source = (ROOT / "src/reprocensus/site/static/search.js").read_text("utf-8")
    lines = [
        line
        for line in source.splitlines()
        if line.strip().startswith(("const fold", "const wordsOf", "const MAX_L"))
    ]
    assert len(lines) == 3
    script = "\n".join(lines) + f"\nconsole.log(JSON.stringify({json.dumps(texts)}.map(wordsOf)))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [words_of(text) for text in texts]
    assert fold("ﬁ") == "fi"
    assert unicodedata.is_normalized("NFKD", fold("Zürn"))


def test_a_query_has_limits() -> None:
    assert len(query_words(" ".join(f"w{n}" for n in range(100)))) == 12
    assert query_words("same Same SAME") == ["same"]
    assert len(query_words("x" * 10_000)[0]) == 40
