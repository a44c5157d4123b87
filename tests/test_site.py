"""The site's pages: what they say, addresses, hostile words, what is built and what is served."""

import asyncio
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import httpx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from conftest import Command
from reprocensus.imports import import_file
from reprocensus.records import Edition
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.site import urls
from reprocensus.site.answers import Answer, Redirect
from reprocensus.site.build import build
from reprocensus.site.citation import bibtex
from reprocensus.site.corpus import Corpus
from reprocensus.site.download import download
from reprocensus.site.http import Application
from reprocensus.site.names import census_key
from reprocensus.site.options import SiteOptions
from reprocensus.site.pages import answer, common_paths, edition_paths
from reprocensus.site.render import number, percent
from reprocensus.site.safe import masked, plain, shown, web_url, without_paths
from reprocensus.site.texts import Passage, part_html, part_of, part_starts
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

LINKS = "{} | Conference PDF | Archive PDF | Plain Text | LLM Run Details"


def corpus_of(store: Path, **options: object) -> Corpus:
    tables = Tables(open_storage(str(store), Settings()))
    return Corpus(tables, SiteOptions(**options))  # type: ignore[arg-type]


def page(corpus: Corpus, path: str) -> str:
    found = answer(corpus, path)
    assert isinstance(found, Answer), path
    return found.body.decode()


def ask(corpus: Corpus, *paths: str, method: str = "GET") -> list[httpx.Response]:
    """What the server answers, redirects not followed."""

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(Application(corpus))
        async with httpx.AsyncClient(transport=transport, base_url="http://site.example") as client:
            return [await client.request(method, f"/{path}") for path in paths]

    return asyncio.run(asked())


class Rows(HTMLParser):
    """The rows of a page's first table, as the words in its cells; and the words of all paragraphs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.labels: list[str] = []
        self.paragraphs: list[str] = []
        self._into: list[str] | None = None
        self._label = False
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td") and self.rows:
            self.rows[-1].append("")
            self._into = self.rows[-1]
        elif tag == "p" and self._into is None:
            self.paragraphs.append("")
            self._into = self.paragraphs
        elif tag == "span" and (dict(attrs).get("class") or "").startswith("label"):
            self._label = True

    @override
    def handle_endtag(self, tag: str) -> None:
        if (
            tag in ("th", "td", "p")
            and self._into is not None
            and (tag != "p" or self._into is self.paragraphs)
        ):
            self._into = None

    @override
    def handle_data(self, data: str) -> None:
        if self._label:
            self.labels.append(data.strip())
            self._label = False
        if self._into is not None:
            self._into[-1] += data


# Addresses


@given(st.lists(st.text(max_size=300), min_size=1, max_size=3).map("/".join))
def test_an_address_is_one_papers_and_leads_nowhere_else(paper_id: str) -> None:
    path = urls.paper(paper_id)
    assert re.fullmatch(r"papers/([\w.,+=@()~-]{1,255}/)+", path, re.ASCII)
    parts = path.split("/")
    assert not {"", ".", ".."} & set(parts[:-1])
    route = urls.route_of(path)
    assert route == urls.Route("paper", (urls.id_path(paper_id),))
    text = urls.route_of(urls.text(paper_id, 2))
    assert text == urls.Route("text", (urls.id_path(paper_id), "2"))
    if all(len(part.encode("utf-8", "surrogatepass")) < 60 for part in paper_id.split("/")):
        clean = paper_id.encode("utf-8", "replace").decode()
        if clean == paper_id and all(paper_id.split("/")):
            assert "/".join(map(urls.name_of, urls.id_path(paper_id).split("/"))) == paper_id


@pytest.mark.parametrize(
    "name", ["..", ".", "text", "evidence", "paper.json", "index.html", "a/b", "x\0", "ﬀ", "~2E", "a" * 400]
)
def test_segments_differ_from_what_they_could_be_taken_for(name: str) -> None:
    made = urls.segment(name)
    assert made not in {"..", ".", "text", "evidence", "paper.json", "index.html", ""}
    assert "/" not in made and len(made) <= 255
    assert urls.segment(made) != made or len(name) > 200


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd", "papers/../../etc/passwd", "static/../corpus.py", "static/..%2fcorpus.py",
        "pdf/../x.pdf", "papers/", "papers//", "/etc/passwd", "venues/A/99999/",
        "downloads/documents/A-2020.csv", "nothing",
        "downloads/../runs/all.csv", "papers/x/text/0/", "runs/../../x/", "search/index/../x",
        "compare/a/b/c/",
    ],
)  # fmt: skip
def test_nothing_is_at_addresses_that_no_page_has(site_store: Path, path: str) -> None:
    corpus = corpus_of(site_store)
    assert answer(corpus, path) is None
    (got,) = ask(corpus, path)
    assert got.status_code == 404 and "Not found" in got.text


# Words from outside


@given(st.text())
def test_what_is_shown_hides_and_reorders_nothing(text: str) -> None:
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", plain(text))
    assert len(masked(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("muthu@cs.duke.edu", "•••••@cs.duke.edu"),
        ("Jianfeng Lu jianfeng@math.duke.edu", "Jianfeng Lu ••••••••@math.duke.edu"),
        ("{yg6736, huiyuan}@princeton.edu.", "{••••••, •••••••}@princeton.edu."),
        ("a.b-c_d+e@x-y.org", "•••••••••@x-y.org"),
        ("joe (at) mit.edu", "••• (at) mit.edu"),
        ("joe [at] mit [dot] edu", "••• [at] mit [dot] edu"),
        ("first,second@uni.de", "•••••,••••••@uni.de"),
        ("JOE@MIT.EDU", "•••@MIT.EDU"),
        ("{a,b}@x.edu,joe@cs.y.edu;ann.b@z.org,c@z.org", "{•,•}@x.edu,•••@cs.y.edu;•••••@z.org,•@z.org"),
        ("precision @ 0.5 and P@1. Then", "precision @ 0.5 and P@1. Then"),
        ("https://medium.com/@somebody/x", "https://medium.com/@somebody/x"),
        ("mAP@50.We report", "mAP@50.We report"),
    ],
)
def test_names_in_mail_addresses_are_masked_in_place(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://a.org/x?y=1#z", True), ("http://a.org:8080/", True), ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False), ("data:text/html,x", False), ("//evil.org/", False),
        ("https:///x", False), ("https://user:pw@a.org/", False),
        ("https://a.org/\nx", False), ('https://a.org/"onload=1', False),
        ("ftp://a.org/", False), ("/local", False), ("", False), (None, False), ("https://a.org:x/", False),
        ("https://a.org/" + "x" * 3000, False), ("https://a.org/\u202e", False),
    ],
)  # fmt: skip
def test_links_are_of_the_web(url: str | None, good: bool) -> None:
    assert web_url(url) == (url if good else None)


def test_messages_lose_the_machines_folders() -> None:
    assert without_paths("cannot read /home/ada/papers/x.pdf: gone") == "cannot read …/x.pdf: gone"
    assert without_paths("see https://a.org/b/c/d") == "see https://a.org/b/c/d"
    assert shown("a\u202eb\x00c\u2066") == "abc"


def test_citations_hold_no_commands() -> None:
    paper = {
        "paper_id": "A-1/x",
        "title": r"\input{/etc/passwd} 50% & $x_1$ {~}",
        "authors": ["Ada} , Byron"],
    }
    made = bibtex(Edition("A", 2020), paper, "Census", "https://a.org/}x", None, "rules")
    assert r"\input" not in made
    assert made.count("{") - made.count(r"\{") == made.count("}") - made.count(r"\}")


# Plain text


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=200), min_size=1, max_size=6), st.data())
def test_text_parts_hold_the_whole_text_and_every_quote(pages: list[str], data: st.DataObject) -> None:
    text, starts = "", []
    for words in pages:
        starts.append(len(text))
        text += words + "\n"
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    html = part_html(text, starts, 1, [Passage(start, end, "a-1", 1)])
    without = re.sub(r"<[^>]*>", "", str(html))
    words = re.sub(r"\s", "", shown(masked(text)))
    assert [c for c in words if c.isalpha()] == [
        c for c in re.sub(r"Page \d+", "", without) if c.isalpha()
    ] or re.search(r"[&<>'\"]|Page|@|\bat\b", text)
    assert part_of(starts, start) == 1


def test_long_texts_come_in_parts_at_pages() -> None:
    starts = [0, 30_000, 60_000, 61_000, 130_000]
    assert part_starts(starts) == [0, 2, 4]
    assert [part_of(starts, offset) for offset in (0, 59_999, 60_000, 129_999, 140_000)] == [1, 1, 2, 2, 3]
    assert part_of([], 5) == 1


def test_quotes_that_overlap_are_marked_both() -> None:
    html = str(part_html("abcdef", [0], 1, [Passage(0, 4, "x-1", 1), Passage(2, 6, "y-1", 2)]))
    assert '<a id="x-1"></a><mark class="v1">ab</mark>' in html
    assert '<a id="y-1"></a><mark class="v1 v2">cd</mark><mark class="v2">ef</mark>' in html


# Pages


def test_a_papers_page_shows_what_the_seeds_show_in_their_order(site_store: Path) -> None:
    corpus = corpus_of(
        site_store, report_url="https://report.example/?paper={paper}", url="https://census.example/"
    )
    html = page(corpus, urls.paper("ALPHA-2022/plain"))
    rows = Rows(html)
    assert "Authors: Ada Byron, Émile Zürn" in rows.paragraphs
    assert LINKS.format("ALPHA 2022") in rows.paragraphs
    assert rows.rows[0] == ["Reproducibility Variable", "Result", "LLM Response"]
    assert [row[0] for row in rows.rows[1:10]] == [
        "Research Type", "Researcher Affiliation", "Pseudocode", "Open Source Code", "Open Datasets",
        "Dataset Splits", "Hardware Specification", "Software Dependencies", "Experiment Setup",
    ]  # fmt: skip
    assert "https://report.example/?paper=ALPHA-2022%2Fplain" in html
    assert 'href="paper.json"' in html and "https://census.example/papers/ALPHA-2022/plain/" in html
    assert "@nowhere.edu" in html and "ada@nowhere.edu" not in html


def test_quotes_lead_to_their_page_and_to_their_place_in_the_text(site_store: Path) -> None:
    corpus = corpus_of(site_store)
    path = urls.paper("ALPHA-2022/plain")
    html, root = page(corpus, path), urls.up(path)
    text = page(corpus, urls.text("ALPHA-2022/plain"))
    anchors = re.findall(rf'href="{re.escape(root)}papers/ALPHA-2022/plain/text/#([\w-]+)"', html)
    assert len(anchors) > 3
    for anchor in anchors:
        assert f'<a id="{anchor}"></a><mark' in text
    found = re.search(rf'href="{re.escape(root)}(pdf/[0-9a-f]{{64}}\.pdf)#page=1"', html)
    assert found
    pdf = answer(corpus, found[1])
    assert isinstance(pdf, Answer) and pdf.body.startswith(b"%PDF")


def test_a_paper_is_found_by_its_census_key_and_by_its_name_as_it_is(site_store: Path) -> None:
    corpus = corpus_of(site_store)
    key = census_key(Edition("ALPHA", 2022), "A Small Study of Numbers")
    assert key.startswith("a_small_study_of_numbers__")
    assert answer(corpus, f"papers/{key}/") == Redirect("papers/ALPHA-2022/plain/")
    odd = "ALPHA-2022/.. up/~x%2e"
    assert answer(corpus, f"papers/{odd}/") == Redirect(urls.paper(odd))
    assert isinstance(answer(corpus, urls.paper(odd)), Answer)


def test_every_page_is_small_and_asks_nobody_else(site_store: Path) -> None:
    corpus = corpus_of(site_store)
    paths = [*common_paths(corpus), *(p for e in corpus.editions for p in edition_paths(corpus, e))]
    kinds = set()
    for path in paths:
        found = answer(corpus, path)
        assert isinstance(found, Answer), path
        route = urls.route_of(path)
        assert route
        kinds.add(route.kind)
        if found.media.startswith("text/html"):
            html = found.body.decode()
            assert len(found.body) < 100_000, path
            assert not re.search(r'(?:src|data-index)="(?:https?:)?//', html), path
            assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|<style|\son\w+=\"", html), path
            assert not re.search("[\u202a-\u202e\u2066-\u2069]", html), path
            for link in re.findall(r'href="([^"]*)"', html):
                assert not re.match(r"\s*(?:javascript|data|vbscript):", link, re.IGNORECASE), path
    assert {
        "home",
        "venue",
        "edition",
        "paper",
        "text",
        "run",
        "failures",
        "compare_editions",
        "data",
    } <= kinds


def test_an_editions_failures_are_named(site_store: Path) -> None:
    corpus = corpus_of(site_store)
    html = page(corpus, urls.failures(Edition("ALPHA", 2022)))
    assert "A paper without a PDF" in html and "fetch" in html
    assert str(site_store.parent) not in html


def test_runs_tell_how_to_do_them_again(site_store: Path) -> None:
    corpus = corpus_of(site_store)
    html = page(corpus, urls.run(corpus.runs[0]["run_id"]))
    assert "reprocensus run" in html and "--engine rules" in html
    assert load_variables()[0].question in html and "Answer with a JSON object:" in html
    assert str(site_store.parent) not in html


def test_no_page_tells_the_name_of_the_machine(
    reprocensus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine whose name can be told from other words, and which the store does hold."""
    import platform

    from conftest import make_pdf, write_manifest

    name = "machine-of-ada-byron"
    monkeypatch.setattr(platform, "node", lambda: name)
    manifest = write_manifest(tmp_path, [("TEST-2020/a", make_pdf())])
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s").returncode == 0
    corpus = corpus_of(tmp_path / "s")
    assert name in corpus.runs[0]["hardware"], "else nothing is shown here"
    paths = [*common_paths(corpus), *edition_paths(corpus, Edition("TEST", 2020))]
    assert {urls.run(corpus.runs[0]["run_id"]), "downloads/runs/all.csv"} <= set(paths)
    for path in paths:
        found = answer(corpus, path)
        assert isinstance(found, Answer)
        if not path.endswith(".parquet"):
            assert name.encode() not in found.body, path
    for parquet in (path for path in paths if path.endswith(".parquet")):
        found = answer(corpus, parquet)
        assert isinstance(found, Answer)
        assert name not in str(pl.read_parquet(found.body).to_dicts()), parquet


def test_differences_that_may_be_chance_are_told_as_such(site_store: Path) -> None:
    html = page(corpus_of(site_store), urls.compare_editions(Edition("ALPHA", 2022), Edition("ALPHA", 2023)))
    rows = Rows(html[html.index("More than chance") :])
    told = [(row[6], row[7]) for row in rows.rows if len(row) == 8]
    assert len(told) == 9
    for interval, chance in told:
        low, high = (float(end.replace("\N{MINUS SIGN}", "-")) for end in interval.split(" to "))
        assert chance == ("cannot be told" if low <= 0 <= high else "yes"), interval
    assert "cannot be told" in {chance for _, chance in told}


def test_figures_have_a_minus_and_none_where_nothing_is_left() -> None:
    assert [percent(share, 1) for share in (-0.0123, -0.0001, 0.5, None)] == ["−1.2", "0.0", "50.0", "–"]
    assert [number(value) for value in (-1234.5, -0.001)] == ["−1,234.50", "0.00"]


def test_a_paper_that_was_not_judged_says_so(site_store: Path) -> None:
    html = page(corpus_of(site_store), urls.paper("ALPHA-2022/missing"))
    assert "This paper was not judged." in html and "Judged by" not in html
    assert html.count("Failed at fetch (not_found)") == 9


def test_long_lists_of_authors_are_folded_and_whole(site_store: Path) -> None:
    html = page(corpus_of(site_store), urls.paper("ALPHA-2022/long"))
    assert "and 270 more authors" in html
    assert all(f"<bdi>Author Number {n}</bdi>" in html for n in range(300))


def test_the_text_says_what_its_colours_mean(site_store: Path) -> None:
    html = page(corpus_of(site_store), urls.text("ALPHA-2022/plain"))
    legend = re.findall(r'text/#([a-z_]+)-1"><mark class="v(\d)">([^<]+)</mark>', html)
    assert ("hardware_specification", "7", "Hardware Specification") in legend
    assert {f"v{number}" for _, number, _ in legend} == set(re.findall(r'</a><mark class="(v\d)">', html))


def test_earlier_runs_verdicts_and_what_changed_are_told(reprocensus: Command, tmp_path: Path) -> None:
    from conftest import PAPER, make_pdf, write_manifest

    manifest = write_manifest(tmp_path, [("TEST-2020/a", make_pdf())])
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s").returncode == 0
    before = page(corpus_of(tmp_path / "s"), urls.paper("TEST-2020/a"))
    assert "Earlier runs" not in before
    changed = PAPER.replace("All experiments ran on a single NVIDIA V100 GPU.", "It ran.")
    write_manifest(tmp_path, [("TEST-2020/a", make_pdf(changed))])
    assert reprocensus("run", f"manifest:{manifest}", "--store", "s").returncode == 0
    corpus = corpus_of(tmp_path / "s")
    html = page(corpus, urls.paper("TEST-2020/a"))
    history = html[html.index('id="earlier"') :]
    assert re.search(r"Hardware Specification</th><td>Yes</td><td>No</td>.*?the result; the text", history)
    first, second = (row["run_id"] for row in corpus.runs[::-1])
    assert "Hardware specification" in page(corpus, urls.compare_runs(first, second))
    assert isinstance(answer(corpus, urls.compare_runs(second, first)), Redirect)


def test_downloads_hold_the_rows_without_mailboxes(site_store: Path, tmp_path: Path) -> None:
    tables = Tables(open_storage(str(site_store), Settings()))
    edition = Edition("ALPHA", 2022)
    for name in ("papers", "verdicts"):
        rows = tables.read(name, edition).frame
        (tmp_path / "x.parquet").write_bytes(download(tables, name, edition, "parquet"))
        got = pl.read_parquet(tmp_path / "x.parquet")
        assert got.height == rows.height and got.columns == rows.columns
        csv = download(tables, name, edition, "csv").decode()
        assert csv.count("ada@nowhere.edu") == 0 and str(site_store.parent) not in csv
        assert pl.read_csv(csv.encode()).height == rows.height
    quotes = pl.read_parquet(tmp_path / "x.parquet")["quotes"].explode().drop_nulls().struct.unnest()
    assert (quotes["text"].str.len_chars() == quotes["end"] - quotes["start"]).all()
    assert any("@nowhere.edu" in text for text in quotes["text"])


# Static files


def test_a_build_writes_again_only_what_changed_and_removes_what_is_gone(
    site_store: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    shutil.copytree(site_store, store)
    settings = Settings(workers=1)
    done = build(str(store), settings, SiteOptions(), out)
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert "papers/ALPHA-2022/plain/index.html" in files and len(done.editions) == 3
    assert not [name for name in files if name.endswith(".tmp")]
    stamps = {name: (out / name).stat().st_mtime_ns for name in files}

    again = build(str(store), settings, SiteOptions(), out)
    assert not again.editions and not again.n_removed
    assert {name for name in files if (out / name).stat().st_mtime_ns != stamps[name]} == set()

    tables = Tables(open_storage(str(store), settings))
    edition = Edition("ALPHA", 2023)

    def without(current):  # type: ignore[no-untyped-def]
        from dataclasses import replace

        return replace(current, frame=current.frame.filter(pl.col("paper_id") != "ALPHA-2023/theory"))

    tables.update("papers", edition, without)
    third = build(str(store), settings, SiteOptions(), out)
    assert third.editions == (edition,) and third.n_removed
    assert not (out / "papers/ALPHA-2023/theory").exists()
    assert (out / "papers/ALPHA-2022/plain/index.html").stat().st_mtime_ns == stamps[
        "papers/ALPHA-2022/plain/index.html"
    ]

    fourth = build(str(store), settings, SiteOptions(title="Another"), out)
    assert len(fourth.editions) == 3


def test_a_build_in_several_processes_writes_the_same(
    site_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprocensus.site.build._FEW", 0)
    build(str(site_store), Settings(workers=2), SiteOptions(), tmp_path / "two")
    monkeypatch.undo()
    build(str(site_store), Settings(workers=1), SiteOptions(), tmp_path / "one")
    one, two = (
        {
            p.relative_to(tmp_path / name).as_posix(): p.read_bytes()
            for p in (tmp_path / name).rglob("*")
            if p.is_file()
        }
        for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name] and not name.startswith(".reprocensus")] == []


def test_a_folder_with_other_things_in_it_is_left_alone(
    reprocensus: Command, site_store: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = reprocensus("site", "build", "--store", str(site_store), "--out", "mine")
    assert done.returncode == 2 and "empty folder" in done.stderr
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]


# The server


def test_the_server_answers_what_the_build_writes(site_store: Path, tmp_path: Path) -> None:
    build(str(site_store), Settings(workers=1), SiteOptions(), tmp_path)
    corpus = corpus_of(site_store)
    paths = [urls.paper("ALPHA-2022/plain"), urls.edition(Edition("ALPHA", 2023)), urls.data(), "robots.txt"]
    for path, got in zip(paths, ask(corpus, *paths), strict=True):
        assert got.status_code == 200
        assert got.content == (tmp_path / urls.on_disk(path)).read_bytes()
        assert "default-src 'none'" in got.headers["Content-Security-Policy"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"
    moved, other, nobody = ask(corpus, "papers/ALPHA-2022/plain", "/evil.example/x", "papers/nobody/")
    assert moved.status_code == 308 and moved.headers["location"] == "./plain/"
    assert other.status_code == nobody.status_code == 404
    assert ask(corpus, "", method="POST")[0].status_code == 405


def test_the_server_sees_a_store_that_changes(site_store: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(site_store, store)
    corpus = corpus_of(store)
    corpus.renew()
    assert not corpus.renew()
    assert answer(corpus, urls.edition(Edition("NEW", 2024))) is None
    page(corpus, urls.paper("ALPHA-2022/plain"))
    rows = [{"paper_id": "NEW-2024/x", "venue": "NEW", "year": 2024, "title": "New", "pseudocode": "Yes"}]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(corpus.tables, tmp_path / "labels.jsonl", load_variables(), engine="other")
    assert corpus.renew()
    assert corpus.held(Edition("ALPHA", 2022))
    assert "No quote or reason came with this label" in page(corpus, urls.paper("NEW-2024/x"))


# The existing census

_RESULT = re.compile(
    r"\|?\s*(.+?)\s*\|?\s*(Experimental|Theoretical|Academia|Industry|Collaboration|Yes|No)\b"
)


@pytest.fixture(scope="module")
def census(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The editions of the five seeds from the existing census, imported."""
    folder = tmp_path_factory.mktemp("census")
    titles = [seed.read_text("utf-8").splitlines()[0] for seed in sorted((shared / "seeds").glob("*.txt"))]
    labels = pl.read_parquet(shared / "reference" / "census_labels.parquet")
    own = labels.filter(pl.col("title").is_in(titles)).select("conference", "year").unique()
    labels.join(own, on=["conference", "year"]).write_parquet(folder / "labels.parquet")
    tables = Tables(open_storage(str(folder / "store"), Settings()))
    import_file(tables, folder / "labels.parquet", load_variables(), engine="census", model="gemini")
    return corpus_of(folder / "store", engine="census")


def test_the_seed_papers_render_with_their_results(shared: Path, census: Corpus) -> None:
    seeds = sorted((shared / "seeds").glob("*.txt"))
    assert len(seeds) == 5
    labels = pl.read_parquet(shared / "reference" / "census_labels.parquet")
    for seed in seeds:
        lines = [line for line in seed.read_text("utf-8").splitlines() if line.strip()]
        title, authors, links = lines[:3]
        key = labels.filter(title=title)["key"].item()
        moved = answer(census, f"papers/{key}/")
        html = page(census, moved.path if isinstance(moved, Redirect) else f"papers/{key}/")
        rows = Rows(html)
        assert f'<h1 dir="auto">{title}</h1>' in html
        assert authors in rows.paragraphs
        words = [re.sub(r" \([^)]*\)", "", paragraph) for paragraph in rows.paragraphs]
        assert links in words
        expected = [_RESULT.match(line) for line in lines]
        names = {row[0] for row in rows.rows}
        nine = [(found[1], found[2]) for found in expected if found and found[1] in names]
        assert len(nine) == 9, seed.name
        assert list(zip([row[0] for row in rows.rows[1:10]], rows.labels[:9], strict=True)) == nine


def test_the_census_keys_can_be_told_from_title_and_edition(shared: Path) -> None:
    labels = pl.read_parquet(shared / "reference" / "census_labels.parquet").sample(2_000, seed=1)
    rows = labels.select("conference", "year", "title", "key").iter_rows()
    same = sum(census_key(Edition(venue, year), title) == key for venue, year, title, key in rows)
    assert same / labels.height > 0.98
