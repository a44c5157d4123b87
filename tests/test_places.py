"""Where authors work, by what stands above the abstract."""

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reprocensus
from conftest import ROOT
from reprocensus.places import Places
from reprocensus.records import Edition
from reprocensus.schemas import load_domains, load_gazetteer
from reprocensus.settings import Settings
from reprocensus.site.answers import Answer
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import SiteOptions
from reprocensus.site.pages import answer
from reprocensus.site.placing import placed
from reprocensus.site.views import places as views
from reprocensus.storage import open_storage
from reprocensus.tables import Tables


def places(front: str, *authors: str) -> Places:
    return load_gazetteer().places(front, authors, load_domains())


@pytest.mark.parametrize(
    ("front", "countries", "institutions"),
    [
        ("On X\nAda B. ada@uni-ulm.de", "DE", "uni-ulm.de"),
        ("On X\nAda B. ada@x.uni-ulm.de\nUniversity of Ulm, Germany", "DE", "University of Ulm"),
        ("On X\nAda\nCMU, Pittsburgh, PA 15213\n{a,b}@cs.cmu.edu", "US", "Carnegie Mellon University"),
        ("On X\nADA ADA@CSE.UST.HK", "HK", "Hong Kong University of Science and Technology"),
        ("On X\nAda ada@kaist.edu", "KR", "KAIST"),
        ("On X\nAda ada@gmail.com", "", ""),
        ("On X\nAda ada@something.ai", "", ""),
        ("On X\nAda ada@google.com\nGoogle Research", "", "Google"),
        ("On X\nSchool of Y, Nanjing University of Information Science & Technology, China", "CN",
         "Nanjing University of Information Science & Technology"),
        ("On X\nDepartment of Brain Sciences University of Trento, Italy", "IT", "University of Trento"),
        ("On X\nDundee, Scotland, UK", "GB", ""),
        ("A Study of Jordan Forms in France and Chad\nMichael I. Jordan, Israel Cohen", "", ""),
        ("A Study\nMila Novak and Georgia Smith", "", ""),
        ("Proceedings of the 52nd Annual Meeting, Baltimore, Maryland, USA\nOn X\nAda ada@unitn.it", "IT",
         "unitn.it"),
        ("On X\nAda, ETH Zürich\nEditors: Eve Adams, Cornell University, USA", "CH", "ETH Zurich"),
        ("On X\n4800 University Way, Toronto, Canada", "CA", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_what_an_address_tells(front: str, countries: str, institutions: str) -> None:
    found = places(front)
    assert found.countries == tuple(filter(None, [countries]))
    assert found.institutions == tuple(filter(None, [institutions]))


def test_authors_are_no_part_of_a_university() -> None:
    front = "On X\nAda Byron Lehigh University\nZoë Ulm Deakin University, Australia"
    assert places(front, "Ada Byron", "Zoë Ulm").institutions == ("Deakin University", "Lehigh University")


@given(st.text(max_size=400))
def test_any_text_is_read(front: str) -> None:
    found = places(front)
    assert set(found.countries) <= set(load_gazetteer().countries)
    assert all(name.strip() and len(name) <= 120 for name in found.institutions)


def test_names_are_of_one_place_each() -> None:
    gazetteer = load_gazetteer()
    names = [name for names in gazetteer.countries.values() for name in names]
    assert len(set(names)) == len(names)
    every = [each for name, told in gazetteer.institutions.items() for each in (name, *told.names)]
    assert len(set(every)) == len(every)
    domains = [domain for told in gazetteer.institutions.values() for domain in told.domains]
    assert len(set(domains)) == len(domains)
    assert {told.country for told in gazetteer.institutions.values()} - {None} <= set(gazetteer.countries)


def test_long_texts_take_no_time() -> None:
    """No regular expression of these runs away: seconds, where it would be hours."""
    for hostile in ("University of ", "A", "Aa ", "@a.", ", ", "a@a.de ", "The ", "\n ", "a", " "):
        places(hostile * 20_000)


@pytest.fixture
def tables(site_store: Path) -> Tables:
    return Tables(open_storage(str(site_store), Settings()))


def test_the_chapter_s_queries_are_answered(tables: Tables, site_store: Path) -> None:
    chapter = (ROOT / "docs" / "places.md").read_text("utf-8")
    queries = re.findall(r'^reprocensus sql "(.*)"$', chapter, flags=re.M)
    assert len(queries) == 2
    for query in queries:
        assert reprocensus.open(str(site_store)).sql(query).height > 0, query


def test_countries_with_as_many_papers_stand_in_the_order_of_their_names(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of their names, not of the codes that the table has."""
    corpus = Corpus(tables, SiteOptions())
    found = placed(corpus, "countries", corpus.editions, 200)
    same = tuple(
        {**found.rows[0], "place": code, "n_papers": 1 + (code == "US")} for code in ("US", "AE", "AU", "CH")
    )
    monkeypatch.setattr(views, "placed", lambda *_: replace(found, rows=same))
    page = answer(corpus, "countries/")
    assert isinstance(page, Answer)
    assert re.findall(r'<th scope="row" dir="auto">(.*?)</th>', page.body.decode("utf-8")) == [
        "United States of America",
        "Australia",
        "Switzerland",
        "United Arab Emirates",
    ]


@pytest.mark.parametrize("kind", ["countries", "institutions"])
def test_no_interval_without_a_mean(tables: Tables, kind: str) -> None:
    """One place has a paper without experiments, another more than enough of them."""
    corpus = Corpus(tables, SiteOptions())
    found = placed(corpus, kind, corpus.editions, 200).rows
    assert {row["n_empirical"] >= 5 for row in found} == {False, True}
    for row in found:
        if row["n_empirical"] < 5:
            assert row["low"] is None and row["high"] is None
        else:
            assert 0 <= row["low"] <= row["documentation_score"] <= row["high"] <= 7
    assert answer(corpus, f"{kind}/")


def test_a_run_writes_them_once_a_text(tables: Tables) -> None:
    edition = Edition("ALPHA", 2022)
    rows, documents = tables.read("places", edition).frame, tables.read("documents", edition).frame
    assert rows["paper_id"].to_list() == documents["paper_id"].sort().to_list()
    assert (
        rows.join(documents.select("paper_id", own="text_sha256"), on="paper_id")
        .filter(pl.col("own") != pl.col("text_sha256"))
        .is_empty()
    )
