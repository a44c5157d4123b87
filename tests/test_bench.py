"""The benchmark: what its figures mean, and that the command prints them."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, make_pdf
from reprocensus.bench import baseline, planted
from reprocensus.bench.papers import choose, percentile
from reprocensus.bench.peers import PEERS, Peer, cpu_seconds, hushed, load
from reprocensus.bench.quality import Quality, check
from reprocensus.bench.speed import OURS, TEXTPAGE, Timing, measure_speed
from reprocensus.errors import UsageError
from reprocensus.records import Extracted, Section, SectionKind

SAMPLES = ROOT / "samples"


def document(*pages: str) -> Extracted:
    """An extracted paper with these texts for pages."""
    text = "".join(pages)
    starts = tuple(sum(map(len, pages[:n])) for n in range(len(pages)))
    return Extracted(text, starts, "", (Section(SectionKind.BODY, "", 0, len(text)),), (), "test", "1")


def raw(*lines: str, uris: tuple[str, ...] = (), exponents: tuple[str, ...] = ()) -> baseline.RawPage:
    """A page of lines, from its very top down."""
    placed = tuple((0.04 + 0.1 * n, line) for n, line in enumerate(lines))
    return baseline.RawPage("\n".join(lines), placed, uris, exponents)


def quality(ours: Extracted, *pages: baseline.RawPage) -> Quality:
    return check(ours, pages, sentences=100, chance=random.Random(1))


def test_an_address_counts_as_intact_in_one_piece_only() -> None:
    page = raw("See https://example.org/a/", "long/path for it.", uris=("https://example.org/a/long/path",))
    whole = quality(document("See https://example.org/a/long/path for it.\n"), page)
    cut = quality(document("See https://example.org/a/ long/path for it.\n"), page)
    glued = quality(document("See https://example.org/a/long/pathfor it.\n"), page)
    assert [(q.urls, q.urls_intact) for q in (whole, cut, glued)] == [(1, 1), (1, 0), (1, 0)]
    hidden = raw("See our page.", uris=("https://example.org/a/long/path",))
    assert quality(document("See our page.\n"), hidden).urls == 0


def test_ligatures_controls_and_broken_words_are_counted() -> None:
    text = "e\ufb03cient \x02 optimi- zation, pre- and post-training; a param-\neter\n"
    found = quality(document(text), raw("x"))
    assert (found.ligatures_and_controls, found.broken_words) == (2, 2)


def test_a_running_header_counts_where_it_is_left_and_not_where_it_is_mentioned() -> None:
    pages = [
        raw(
            "Learning Things",
            f"Some words of page {n}, which go on for a while.",
            "We mention Learning Things.",
            "Then there is more of them, and it goes on for longer.",
        )
        for n in range(3)
    ]
    clean = [
        f"Some words of page {n}, which go on for a while. We mention Learning Things. "
        "Then there is more of them, and it goes on for longer.\n"
        for n in range(3)
    ]
    assert quality(document(*clean), *pages).headers == 0
    assert quality(document(clean[0], "Learning Things\n" + clean[1], clean[2]), *pages).headers == 1


def test_an_exponent_counts_where_it_is_not_marked() -> None:
    page = raw("a rate of 10-4 and 10-5", exponents=("4", "5"))
    found = quality(document("a rate of 10^-4 and 10 -5\n"), page)
    assert (found.exponents, found.exponents_unmarked) == (2, 1)


def test_a_sentence_is_looked_for_on_its_page_and_the_next() -> None:
    sentence = "This whole sentence stands somewhere in the paper. "
    there = quality(document("Short.\n", sentence), raw("Short."), raw(sentence))
    over = quality(
        document(sentence, "Short.\n"), raw("This whole sentence stands"), raw("somewhere in the paper.")
    )
    wrong = quality(document(sentence, "Short.\n", "\n"), raw("Short."), raw("x"), raw(sentence))
    assert [(q.sentences, q.sentences_on_page) for q in (there, over, wrong)] == [(1, 1), (1, 1), (1, 0)]
    cut = quality(
        document(sentence), raw("This whole sentence", "A footnote.", "stands somewhere in the paper.")
    )
    assert (cut.sentences_on_page, cut.sentences_in_pieces) == (0, 1)


def test_figures_are_none_where_nothing_was_counted() -> None:
    assert Quality().shares()["url_intact"] is None


def test_raw_pages_know_superscripts_and_addresses() -> None:
    import pymupdf

    with pymupdf.open() as pdf:  # type: ignore[no-untyped-call]
        page = pdf.new_page()
        page.insert_text((72, 100), "a rate of 10", fontsize=10)
        page.insert_text((72.2 + pymupdf.get_text_length("a rate of 10", fontsize=10), 96), "-4", fontsize=6)
        box = pymupdf.Rect(0, 0, 9, 9)  # type: ignore[no-untyped-call]
        page.insert_link({"kind": pymupdf.LINK_URI, "from": box, "uri": "https://example.org/x"})
        found = baseline.raw_pages(bytes(pdf.tobytes()))[0]
    assert found.uris == ("https://example.org/x",)
    assert found.exponents == ("4",)


def test_papers_are_chosen_by_a_seed(tmp_path: Path) -> None:
    names = [s.name for s in choose(SAMPLES, limit=4, seed=1)]
    assert names == [s.name for s in choose(SAMPLES, limit=4, seed=1)]
    assert names != [s.name for s in choose(SAMPLES, limit=4, seed=2)]
    with pytest.raises(UsageError, match="no PDFs"):
        choose(tmp_path, limit=None, seed=1)
    (tmp_path / "LOUD.PDF").touch()
    assert [s.name for s in choose(tmp_path, limit=None, seed=1)] == ["LOUD"]


def test_percentiles_are_values_that_occur() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 1.0)] == [50.0, 95.0, 100.0]
    assert percentile([], 0.5) == 0.0


def test_ratios_are_of_papers_that_both_have_read() -> None:
    ours, peer = Timing({"a": 1.0, "b": 2.0}), Timing({"b": 6.0, "c": 9.0})
    assert peer.over(ours) == 3.0
    assert Timing().over(ours) is None


def test_the_time_of_child_processes_counts() -> None:
    started = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    assert cpu_seconds() - started > 0.02


def test_a_peer_stops_when_its_time_is_up_and_may_fail() -> None:
    def slow(data: bytes) -> str:
        return str(sum(range(3_000_000)))

    def failing(data: bytes) -> str:
        print("an advertisement")
        raise ValueError("odd")

    peers = [Peer("slow", "pytest", slow), Peer("failing", "pytest", failing, meddling=True)]
    samples = choose(SAMPLES, limit=4, seed=1)
    found = measure_speed(samples, peers, peer_seconds=0.001, rounds=2, tick=lambda: None)
    assert len(found["slow"].seconds) == 1
    assert len(found[OURS].seconds) == len(found[TEXTPAGE].seconds) == 4
    assert set(found["failing"].failed.values()) == {"ValueError"}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_peer_that_is_installed_reads_a_paper(peer: Peer) -> None:
    if not peer.version():
        pytest.skip(
            f"{peer.name} is not installed ({'the extra `bench` has it' if peer.package else 'a program'})"
        )
    if peer.meddling:
        pytest.skip(f"{peer.name} changes MuPDF's settings for the tests that follow")
    load(peer)
    with hushed():
        text = peer.read(make_pdf())
    assert "learning rate" in text.replace("\n", " ")


def test_a_peer_that_is_absent_has_no_version() -> None:
    assert Peer("nosuch", "no-such-package", str).version() is None
    assert Peer("no-such-program", "", str).version() is None


def test_a_scoring_script_is_asked(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "texts = {p.name: p.read_text() for p in pathlib.Path(sys.argv[1]).iterdir()}\n"
        "print(json.dumps({'texts': texts, 'truth': sys.argv[3]}))\n"
    )
    found = planted.score(script, tmp_path, {"a": "words"})
    assert found == {"texts": {"a.txt": "words"}, "truth": str(tmp_path)}
    script.write_text("raise SystemExit('missing: b')")
    with pytest.raises(UsageError, match="missing: b"):
        planted.score(script, tmp_path, {})
    with pytest.raises(UsageError, match="no scoring script"):
        planted.score(tmp_path / "none.py", tmp_path, {})


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "reprocensus", "bench", "extract", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_command_prints_one_line_of_json_or_a_table(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.pdf").write_bytes(make_pdf())
    done = bench(str(tmp_path), "--limit", "2", "--memory-files", "3", "--peer-seconds", "1", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert figures["papers"] == 2
    assert figures["ours_over_textpage"] > 0.5
    assert figures["quality"]["sentences_on_page"] == 1.0
    assert figures["memory"]["files"] == 3
    assert set(figures["peers"]) == {peer.name for peer in PEERS}
    for peer in PEERS:
        assert figures["peers"][peer.name]["version"] == peer.version()
    table = bench(str(tmp_path), "--memory-files", "0", "--no-peers", "--sentences", "5")
    assert table.returncode == 0, table.stderr
    assert "get_textpage alone" in table.stdout
    assert bench("no-such-folder").returncode == 2


@pytest.mark.corpus
@pytest.mark.slow
def test_planted_papers_score_as_promised(shared: Path) -> None:
    script = shared / "extraction" / "score_planted.py"
    done = bench(
        str(script.parent / "planted"), "--score", str(script), "--memory-files", "0", "--no-peers", "--json"
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    least = {
        "sent_verbatim": 0.99, "pair_contig": 0.993, "facts": 0.995, "url": 0.98, "exp": 1.0, "camel": 0.999,
        "row_line": 0.99, "alg_box": 1.0, "head_line": 0.99, "foot": 0.97, "affil": 0.98, "caption": 0.99,
    }  # fmt: skip
    assert {
        name: figures["planted"][name] for name, value in least.items() if figures["planted"][name] < value
    } == {}
    assert {name: figures["planted"][name] for name in ("hdr_leak", "lig", "junk")} == dict.fromkeys(
        ("hdr_leak", "lig", "junk"), 0
    )
