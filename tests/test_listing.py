"""Listing an edition: what pages yield, what they fail to yield, and what is remembered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import cast

import polars as pl
import pytest

from conftest import Command
from reprocensus.errors import ListError, SourceError
from reprocensus.records import Edition
from reprocensus.settings import Settings
from reprocensus.sources import SourceOptions, gather, list_edition, venues
from reprocensus.sources.history import History, merged, shrunk
from reprocensus.sources.html import collapse
from reprocensus.sources.listing import Listing, list_online
from reprocensus.sources.pages import decode, why_empty
from reprocensus.sources.proceedings import Found, Listed, Page, Proceedings, Venue
from reprocensus.storage import open_storage

SITE = "https://venue.example"
CHALLENGE = "<title>Just a moment...</title><h1>venue.example</h1><p>Verify you are human</p>"
LOGIN = (
    "<html><head><title>Login | Proceedings of the Conference</title></head><body>"
    "<form action='/login'><input name=username><input type=password name=password></form></body></html>"
)


def paper(
    key: str, title: str = "", *, main: bool = True, pdf: str | None = "", authors: str = "A B"
) -> Listed:
    address = f"{SITE}/{key}.pdf" if pdf == "" else pdf
    return Listed(key, title or f"On {key}", (authors,), f"{SITE}/{key}", address, main=main)


def adapter(found: Mapping[str, Found], start: tuple[str, ...] = (f"{SITE}/2020",)) -> Proceedings:
    made = SimpleNamespace(
        VENUES=MappingProxyType({"test": Venue("TEST", (2020,))}),
        start=lambda slug, year: start,
        read=lambda page, edition: found.get(page.url, Found()),
    )
    return cast(Proceedings, made)


@dataclass
class Site:
    """Pages by address; counts what is asked for."""

    pages: Mapping[str, str | ListError]
    asked: list[str] = field(default_factory=list)

    def get(self, url: str) -> Page:
        self.asked.append(url)
        page = self.pages[url]
        if isinstance(page, ListError):
            raise page
        return Page(url, page)


def listed(found: Mapping[str, Found], pages: Mapping[str, str | ListError] | None = None) -> Listing:
    site = Site(pages or dict.fromkeys(found, "<p>papers</p>"))
    return list_online(adapter(found), "test", 2020, site, "test/2020", "main")


def keys(listing: Listing) -> list[str]:
    return [p.paper_id.removeprefix("TEST-2020/") for p in listing.papers]


def test_pages_are_followed_once_and_in_order() -> None:
    first = Found((paper("a"),), more=(f"{SITE}/2020/2", f"{SITE}/2020/"))
    second = Found((paper("b"),), more=(f"{SITE}/2020",))
    site = Site({f"{SITE}/2020": "x", f"{SITE}/2020/2": "x"})
    reads = adapter({f"{SITE}/2020": first, f"{SITE}/2020/2": second})
    listing = list_online(reads, "test", 2020, site, "test/2020", "main")
    assert keys(listing) == ["a", "b"]
    assert site.asked == [f"{SITE}/2020", f"{SITE}/2020/2"]
    assert not listing.problems


def test_pages_without_end_end() -> None:
    def read(page: Page, edition: Edition) -> Found:
        return Found((paper(page.url[-3:]),), more=(f"{SITE}/{int(page.url.rsplit('/')[-1]) + 1}",))

    class Endless:
        def get(self, url: str) -> Page:
            return Page(url, "x")

    made = SimpleNamespace(VENUES={"test": Venue("TEST", ())}, start=lambda s, y: (f"{SITE}/1",), read=read)
    listing = list_online(cast(Proceedings, made), "test", 2020, Endless(), "test/2020", "main")
    assert [p.kind for p in listing.problems] == ["too_many_pages"]
    assert len(listing.papers) == 400


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LOGIN, "login"),
        (CHALLENGE, "challenge"),
        ("<title>Verifying your browser</title><p>One moment</p>", "challenge"),
        ("<p>Please solve this CAPTCHA to go on</p>", "challenge"),
        ("<title>403 Forbidden</title><h1>Forbidden</h1>", "refused"),
        ("<title>Access Denied</title><p>You have no permission</p>", "refused"),
        ("<title>Proceedings</title><p>A new layout</p>", "no_papers"),
        ("", "empty_page"),
        ("<html><body></body></html>", "empty_page"),
        ('{"name": "ForbiddenError", "message": "You are not allowed"}', "login"),
        ('{"name": "ChallengeRequiredError", "message": "solve the challenge"}', "challenge"),
        ('{"name": "RateLimitError", "message": "Too many requests"}', "rate_limited"),
        ('{"notes": [], "count": 0}', "no_papers"),
        ('{"notes": [{"id": "a"', "broken_page"),
    ],
)
def test_a_page_without_papers_is_told_for_what_it_is(text: str, kind: str) -> None:
    assert why_empty(Page(SITE, text)).kind == kind
    listing = listed({}, {f"{SITE}/2020": text})
    assert [p.kind for p in listing.problems] == [kind]
    assert SITE in str(listing.problems[0])


def test_one_bad_page_does_not_cost_the_others() -> None:
    found = {
        f"{SITE}/2020": Found(more=(f"{SITE}/a", f"{SITE}/b", f"{SITE}/c")),
        f"{SITE}/b": Found((paper("b"),)),
    }
    gone = ListError("not_found", f"{SITE}/c answered 404")
    listing = listed(found, {f"{SITE}/2020": "x", f"{SITE}/a": LOGIN, f"{SITE}/b": "x", f"{SITE}/c": gone})
    assert keys(listing) == ["b"]
    assert [p.kind for p in listing.problems] == ["login", "not_found"]


def test_a_page_that_breaks_its_adapter_is_named_and_the_next_is_read() -> None:
    def read(page: Page, edition: Edition) -> Found:
        if page.url.endswith("2020"):
            raise IndexError("list index out of range")
        return Found((paper("b"),))

    made = SimpleNamespace(
        VENUES={"test": Venue("TEST", ())}, start=lambda s, y: (f"{SITE}/2020", f"{SITE}/2"), read=read
    )
    site = Site({f"{SITE}/2020": "x", f"{SITE}/2": "x"})
    listing = list_online(cast(Proceedings, made), "test", 2020, site, "test/2020", "main")
    assert keys(listing) == ["b"]
    assert [p.kind for p in listing.problems] == ["adapter"]


def test_a_paper_listed_twice_is_one_and_two_papers_with_one_key_are_two() -> None:
    moved = Listed("a", "On  A", ("A B",), None, "https://old.example/a.pdf", main=False)
    other = paper("b", "Another Title", pdf=f"{SITE}/b2.pdf")
    once = listed({f"{SITE}/2020": Found((moved, paper("a", "On a"), paper("b"), other))})
    again = listed({f"{SITE}/2020": Found((other, paper("b"), paper("a", "On a")))})
    assert [p.paper_id for p in once.papers if p.title == "On a"] == ["TEST-2020/a"]
    assert once.papers[0].pdf_url == f"{SITE}/a.pdf"
    assert len(once.papers) == 3
    assert {p.paper_id for p in once.papers} == {p.paper_id for p in again.papers}
    assert len({p.paper_id for p in once.papers}) == 3


def test_side_tracks_are_left_out_unless_asked_for() -> None:
    found = {f"{SITE}/2020": Found((paper("a"), paper("w", main=False)), side=(f"{SITE}/w",))}
    listing = listed(found)
    assert (keys(listing), listing.left_out) == (["a"], 1)
    only = listed({f"{SITE}/2020": Found((paper("w", main=False),))})
    assert "--tracks all" in str(only.problems[0])


def test_a_paper_without_a_pdf_is_listed_with_its_landing_page() -> None:
    (one,) = listed({f"{SITE}/2020": Found((paper("a", pdf=None),))}).papers
    assert (one.pdf_url, one.location) == (None, f"{SITE}/a")


@pytest.mark.parametrize(
    ("data", "header", "text"),
    [
        ("Šárka – “é”".encode(), "text/html; charset=iso-8859-1", "Šárka – “é”"),
        ("Müller".encode("latin-1"), "text/html; charset=ISO-8859-1", "Müller"),
        ("“é”".encode("cp1252"), "", "“é”"),
        ('<meta charset="iso-8859-2">Šárka'.encode("iso-8859-2"), "", '<meta charset="iso-8859-2">Šárka'),
        ("﻿é".encode(), "", "é"),
        ("é".encode("utf-16"), "", "é"),
        ("<p>é".encode("utf-16-le"), "", "<p>é"),
        ("日本".encode("shift_jis"), "text/html; charset=Shift_JIS", "日本"),
        (b"\xe9", "text/html; charset=no-such", "é"),
    ],
)
def test_text_is_decoded_as_it_was_meant(data: bytes, header: str, text: str) -> None:
    assert decode(data, header) == text


def test_a_page_cut_in_half_is_noticed_though_it_was_never_listed_before(tmp_path: Path) -> None:
    file = tmp_path / "icml-2016.html"
    whole = f"<html><body>{volume(48, ICML16, 'one16', 'two16')}</body></html>"
    file.write_text(whole)
    options = SourceOptions(listing=(str(file),))
    assert list_edition("icml/2016", options).problems == ()
    file.write_text(whole[: whole.index("two16")])
    cut = list_edition("icml/2016", options)
    assert ([p.kind for p in cut.problems], len(cut.papers)) == (["cut_off"], 1)
    assert list_edition("icml/2016", replace(options, accept_fewer=True)).problems == ()


def test_titles_carry_no_control_characters() -> None:
    assert collapse("A\x1b[2J \x00b\u200bc\td\x9f\n") == "A[2J bc d"


def of_keys(names: str, *, whole: bool = True) -> Listing:
    return Listing(Edition("TEST", 2020), (), {SITE: tuple(names)}, whole=whole)


def test_a_listing_that_shrinks_is_noticed() -> None:
    before = {SITE: list("abc"), f"{SITE}/2": list("de")}
    problem = shrunk(before, of_keys("abd"))
    assert problem is not None
    assert problem.kind == "fewer_papers"
    assert "3 papers, 5" in str(problem)
    assert "c, e" in str(problem)
    assert shrunk(before, of_keys("abcde")) is None
    # One withdrawn and one added is no shrinking; a first listing has nothing to be less than.
    assert shrunk({SITE: list("ab")}, of_keys("ac")) is None
    assert shrunk({}, of_keys("a")) is None
    # Saved pages are compared with the pages whose papers they share: page 2 is not missing here.
    assert shrunk(before, of_keys("abc", whole=False)) is None
    assert shrunk(before, of_keys("ab", whole=False)) is not None


def test_the_record_keeps_pages_that_were_not_looked_at(tmp_path: Path) -> None:
    before = {"p1": list("abc"), "p2": list("de")}
    assert merged(before, {"p1": tuple("abcf")}, whole=False) == {"p1": list("abcf"), "p2": list("de")}
    assert merged(before, {"p1": tuple("xyz")}, whole=False) == {**before, "p1#x": list("xyz")}
    assert merged(before, {"p1": tuple("a")}, whole=True) == {"p1": ["a"]}
    history = History(open_storage(str(tmp_path), Settings()))
    history.write(of_keys("abc"))
    assert history.read(Edition("TEST", 2020)) == {SITE: list("abc")}
    (record,) = (tmp_path / "listings").rglob("*.json")
    record.write_text("{broken")
    assert history.read(Edition("TEST", 2020)) == {}


def volume(number: int, heading: str, *names: str) -> str:
    """A synthetic PMLR volume."""
    items = "".join(
        f"<div class=paper><p class=title>On {n}</p><p><span class=authors>A. One, B. Two</span></p>"
        f"<p class=links>[<a href='https://proceedings.mlr.press/v{number}/{n}.html'>abs</a>]"
        f"[<a href='http://proceedings.mlr.press/v{number}/{n}.pdf'>Download PDF</a>]</p></div>"
        for n in names
    )
    return f"<html><body><h2>Volume {number}: {heading}</h2>{items}</body></html>"


ICML16 = "International Conference on Machine Learning, 20-22 June 2016, New York"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder of two editions of one source, as ../shared/listings has them."""
    folder = tmp_path / "icml"
    folder.mkdir()
    (folder / "a.html").write_text(volume(48, ICML16, "one16", "two16"))
    (folder / "b.html").write_text(volume(37, "International Conference on Machine Learning, 2015", "one15"))
    (folder / "notes.txt").write_text("no page")
    lines = [{"file": "a.html", "url": "https://proceedings.mlr.press/v48"}]
    (folder / "urls.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return folder


def test_of_a_folder_the_pages_of_the_edition_are_taken(saved: Path) -> None:
    for year, names in ((2016, ["one16", "two16"]), (2015, ["one15"])):
        listing = list_edition(f"icml/{year}", SourceOptions(listing=(str(saved),)))
        assert [p.paper_id for p in listing.papers] == [f"ICML-{year}/{name}" for name in names]
        assert not listing.problems
    none = list_edition("icml/2014", SourceOptions(listing=(str(saved),)))
    assert [p.kind for p in none.problems] == ["not_saved"]
    other = list_edition("icml/2014", SourceOptions(listing=(str(saved / "a.html"),)))
    assert [p.kind for p in other.problems] == ["other_edition"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nosuch/2016", "unknown venue"),
        ("pmlr/x", "unknown source"),
        ("icml", "unknown source"),
        ("icml/2016", "--listing"),
    ],
)
def test_a_wrong_edition_is_told(source: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        gather([source], SourceOptions())


def test_wrong_saved_pages_are_told(tmp_path: Path) -> None:
    for path in ("nowhere", "."):
        with pytest.raises(SourceError, match="--listing"):
            list_edition("icml/2016", SourceOptions(listing=(str(tmp_path / path),)))
    (tmp_path / "urls.jsonl").write_text("[]")
    (tmp_path / "a.html").write_text("x")
    with pytest.raises(SourceError, match=r"urls\.jsonl"):
        list_edition("icml/2016", SourceOptions(listing=(str(tmp_path),)))


def test_every_adapter_knows_its_venues() -> None:
    known = venues()
    assert {
        "neurips",
        "icml",
        "iclr",
        "aaai",
        "ijcai",
        "jmlr",
        "jair",
        "tmlr",
        "dmlr",
        "pmlr",
    } <= known.keys()
    assert all(word == word.lower() and venue.name for word, venue in known.items())


def test_list_prints_json_lines_and_remembers(reprocensus: Command, saved: Path, tmp_path: Path) -> None:
    done = reprocensus("list", "icml/2016", "--listing", str(saved), "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[0] == {
        "paper_id": "ICML-2016/one16",
        "title": "On one16",
        "authors": ["A. One", "B. Two"],
        "track": "main",
        "landing_url": "https://proceedings.mlr.press/v48/one16.html",
        "pdf_url": "http://proceedings.mlr.press/v48/one16.pdf",
    }
    short = tmp_path / "short.html"
    short.write_text(volume(48, ICML16, "one16"))
    less = reprocensus("list", "icml/2016", "--listing", str(short))
    assert less.returncode == 1
    assert "two16" in less.stderr
    assert reprocensus("list", "icml/2016", "--listing", str(short), "--accept-fewer").returncode == 0
    assert reprocensus("list", "icml/2016", "--listing", str(short)).returncode == 0
    short.write_text(LOGIN)
    refused = reprocensus("list", "icml/2016", "--listing", str(short), "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "login" in refused.stderr


def test_listing_takes_all_files_that_follow_it(reprocensus: Command, saved: Path, tmp_path: Path) -> None:
    pages = [str(tmp_path / name) for name in ("a.html", "b.html")]
    for page, name in zip(pages, ("one16", "two16"), strict=True):
        Path(page).write_text(volume(48, ICML16, name))
    for args in (
        ("icml/2016", "--listing", *pages),
        ("--listing", *pages, "icml/2016"),
        ("--listing", pages[0], f"--listing={pages[1]}", "icml/2016", "--json"),
    ):
        done = reprocensus("list", *args, "--json")
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
    # Of several editions each takes the files that are its own.
    args = ("icml/2015", "icml/2016", "--listing", *pages, str(saved / "b.html"))
    planned = reprocensus("plan", *args, "--json")
    assert [one["papers"] for one in json.loads(planned.stdout)["listings"]] == [1, 2], planned.stderr
    assert planned.returncode == 0
    assert reprocensus("plan", "icml/2016", "--tracks", "mian").returncode == 2


def test_a_failed_listing_is_a_row_until_it_is_mended(
    reprocensus: Command, saved: Path, tmp_path: Path
) -> None:
    """One edition behind a login, one that is listed, in one run; then the first is listed too."""
    closed = {"REPROCENSUS_FETCH_INTERVAL_S": "0", "REPROCENSUS_FETCH_TIMEOUT_S": "2"}
    (saved / "c.html").write_text(LOGIN)
    with (saved / "urls.jsonl").open("a") as urls:
        urls.write(json.dumps({"file": "c.html", "url": "https://proceedings.mlr.press/v32"}) + "\n")
    # No paper of theirs can be fetched: what is listed has no address that leads anywhere.
    text = (saved / "b.html").read_text().replace("http://proceedings.mlr.press", "http://127.0.0.1:9")
    (saved / "b.html").write_text(text)
    sources = ["icml/2014", "icml/2015", "--listing", str(saved)]
    sources += ["--variables", "pseudocode", "--store", "s"]
    done = reprocensus("run", *sources, "--json", **closed)
    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    failed = {row["paper_id"]: (row["stage"], row["kind"]) for row in summary["failures"]}
    assert failed["ICML-2014"] == ("list", "login")
    assert failed["ICML-2015/one15"][0] == "fetch"
    assert {(e["year"], e["papers"]) for e in summary["listings"]} == {(2014, 0), (2015, 1)}
    assert "login" in done.stderr

    def rows() -> pl.DataFrame:
        return pl.read_parquet(tmp_path / "s" / "tables" / "failures", hive_partitioning=True)

    assert rows().filter(stage="list")["attempts"].to_list() == [1]
    assert reprocensus("plan", *sources).returncode == 1
    assert reprocensus("run", *sources, **closed).returncode == 1
    assert rows().filter(stage="list")["attempts"].to_list() == [2]
    good = volume(32, "International Conference on Machine Learning, 2014", "one14")
    (saved / "c.html").write_text(good.replace("http://proceedings.mlr.press", "http://127.0.0.1:9"))
    reprocensus("run", *sources, **closed)
    assert rows().filter(stage="list").is_empty()
    assert set(rows()["paper_id"]) == {"ICML-2014/one14", "ICML-2015/one15"}


def test_a_year_that_cannot_be_is_refused_at_once(tmp_path: Path, reprocensus: Command) -> None:
    for year in (2099, 1950):
        done = reprocensus("plan", f"icml/{year}", "--store", "s")
        assert done.returncode == 2
        assert f"ICML is known for {venues()['icml'].spans}; there is no edition of {year}" in done.stderr


def test_which_years_may_have_an_edition() -> None:
    venue = Venue("X", (2013, 2014, 2015, 2018))
    assert venue.spans == "2013-2015, 2018"
    in_2020, in_2018 = date(2020, 12, 31), date(2018, 1, 1)
    assert [y for y in range(2011, 2024) if venue.may_have(y, in_2020)] == list(range(2013, 2022))
    assert [y for y in range(2017, 2024) if venue.may_have(y, in_2018)] == [2017, 2018, 2019]
    assert Venue("PMLR", ()).may_have(3, in_2020)
