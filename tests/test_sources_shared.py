"""Saved pages of AAAI, IJCAI, JAIR, JMLR, TMLR and DMLR that no list says what they hold.

Each is counted in a second way, by a mark that stands once a paper in the page's bytes, and checked for what
must hold of any listing. AAAI's and IJCAI's are compared with the rows of the existing census too.

    make test ARGS="tests/test_sources_shared.py -s"
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import polars
import pytest

from reprocensus.keys import slug
from reprocensus.records import Edition
from reprocensus.sources import adapters
from reprocensus.sources.proceedings import Listed, Page

pytestmark = pytest.mark.corpus

#: Source -> what stands once a paper in its pages, in one layout or another.
MARKS = {
    "aaai": r'class="paper-wrap"|class="obj_galley_link pdf"',
    "ijcai": r'class="paper_wrapper"|/Papers/\d+\.pdf"',
    "jair": r'class="galley-link btn btn-primary pdf"',
    "jmlr": r"<dt>",
    "tmlr": r"<h4>",
    "dmlr": r"\[PDF\]",
}
#: TMLR has all years on one page.
YEARS = {"tmlr": range(2022, 2027), "dmlr": (2024,)}


def pages(shared: Path, word: str) -> Iterator[tuple[str, Page, int]]:
    """File name, page and year of each saved page of a source."""
    folder = shared / "listings" / word
    for line in (folder / "urls.jsonl").read_text("utf-8").splitlines():
        saved = json.loads(line)
        page = Page(saved["url"], (folder / saved["file"]).read_text("utf-8"))
        for year in YEARS.get(word, (int(saved["file"][:4]) if saved["file"][:4].isdigit() else 0,)):
            yield saved["file"], page, year


@pytest.mark.parametrize("word", MARKS)
def test_every_paper_of_a_page_is_listed_and_sound(shared: Path, word: str) -> None:
    adapter = adapters()[word]
    counted: dict[str, int] = {}
    listed: dict[str, list[Listed]] = {}
    for file, page, year in pages(shared, word):
        counted[file] = len(re.findall(MARKS[word], page.text))
        found = adapter.read(page, Edition(adapter.VENUES[word].name, year)).papers
        listed.setdefault(file, []).extend(found)
    print(*(f"\n{word}/{file}: {len(papers)} of {counted[file]}" for file, papers in listed.items()))
    assert {file: len(papers) for file, papers in listed.items()} == counted
    for papers in listed.values():
        assert len({paper.key for paper in papers}) == len(papers)
        for paper in papers:
            assert paper.title and paper.authors and paper.track, paper
            assert not re.search(r"\s\s|^\s|\s$|<\w|&\w+;|PDF$", paper.title), paper
            assert not any(re.search(r"\d$|\s\s|,$", name) for name in paper.authors), paper
            assert re.match(r"https://[\w.-]+/\S+$", paper.pdf_url or ""), paper
            assert word == "dmlr" or re.match(r"https://[\w.-]+/\S+$", paper.landing_url or ""), paper


@cache
def census(shared: Path, venue: str, year: int) -> polars.DataFrame:
    rows = polars.read_parquet(shared / "reference" / "census_labels.parquet")
    return rows.filter(polars.col("conference") == venue, polars.col("year") == year)


#: Page -> papers that the census has not: three with an award printed above, which it missed.
NOT_IN_CENSUS = {"2015.html": 3}


@pytest.mark.parametrize("word", ["aaai", "ijcai"])
def test_the_census_has_no_paper_of_these_sections_that_we_lack(shared: Path, word: str) -> None:
    adapter = adapters()[word]
    venue = adapter.VENUES[word].name
    for file, page, year in pages(shared, word):
        rows = census(shared, venue, year).to_dicts()
        papers = adapter.read(page, Edition(venue, year)).papers
        if not rows or not papers:
            continue
        ours = {slug(paper.title) for paper in papers} | {file_of(paper.pdf_url) for paper in papers}
        theirs = {slug(row["title"]) for row in rows} | {file_of(row["pdf_url"]) for row in rows}
        unknown = [
            p.title for p in papers if slug(p.title) not in theirs and file_of(p.pdf_url) not in theirs
        ]
        assert len(unknown) == NOT_IN_CENSUS.get(file, 0), (file, unknown)
        known = [row for row in rows if slug(row["title"]) in ours or file_of(row["pdf_url"]) in ours]
        sections = {row["category"] for row in known}
        lacking = [row["title"] for row in rows if row["category"] in sections and row not in known]
        assert not lacking, (file, lacking[:5])
        print(f"\n{word}/{file}: {len(papers)} papers, {len(known)} census rows in {len(sections)} sections")


def file_of(url: str | None) -> str:
    """A PDF's address, of the journal system's viewer or of the file itself."""
    return unquote(url or "").replace("/article/view/", "/article/download/")
