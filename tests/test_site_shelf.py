"""The shelf that a served site's papers lie on: what is put there comes back, and changes are seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reprocensus.records import Edition
from reprocensus.settings import Settings
from reprocensus.site import urls
from reprocensus.site.answers import Answer, Redirect
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import EditionData, PaperRows
from reprocensus.site.names import census_key
from reprocensus.site.options import SiteOptions
from reprocensus.site.pages import answer
from reprocensus.site.prepare import fill_shelf, finish_pages, take_up
from reprocensus.site.shelf import Shelf
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

ALPHA = Edition("ALPHA", 2022)


@pytest.fixture
def corpus(site_store: Path) -> Corpus:
    return Corpus(Tables(open_storage(str(site_store), Settings())), SiteOptions())


def parts(paper: PaperRows) -> tuple[object, ...]:
    return tuple(getattr(paper, name) for name in PaperRows.__dataclass_fields__)


def test_what_is_put_there_comes_back_as_it_was(corpus: Corpus, tmp_path: Path) -> None:
    take_up(corpus, tmp_path)
    assert corpus.shelf
    fill_shelf(corpus, corpus.shelf)
    # Another process reads what this one wrote.
    other = Shelf(tmp_path / "papers.sqlite")
    assert set(other.versions()) == set(corpus.editions)
    for edition in corpus.editions:
        for paper in corpus.edition(edition).each(3):
            found = other.get(urls.id_path(paper.paper_id))
            assert found and parts(found) == parts(paper)
    assert other.get("ALPHA-2022/nobody") is None and other.named("nobody") is None


@pytest.mark.parametrize("finished", [False, True])
def test_pages_and_other_names_are_the_same_with_and_without_it(
    corpus: Corpus, tmp_path: Path, finished: bool
) -> None:
    shelved = Corpus(corpus.tables, SiteOptions())
    take_up(shelved, tmp_path)
    assert shelved.shelf
    fill_shelf(shelved, shelved.shelf)
    shelved.renew()
    if finished:
        finish_pages(shelved, shelved.shelf)
    assert (shelved.shelf.page("ALPHA-2022/plain") is not None) is finished
    key = census_key(ALPHA, "A Small Study of Numbers")
    for path in (
        urls.paper("ALPHA-2022/plain"), urls.text("ALPHA-2022/plain"), urls.paper_json("ALPHA-2022/emoji"),
        urls.citation("ALPHA-2022/bidi"), f"papers/{key}/", "papers/ALPHA-2022/.. up/~x%2e/",
        "papers/nobody/",
    ):  # fmt: skip
        assert answer(shelved, path) == answer(corpus, path), path
    assert isinstance(answer(shelved, f"papers/{key}/"), Redirect)
    assert isinstance(answer(shelved, urls.paper("ALPHA-2022/plain")), Answer)


def test_a_name_of_two_papers_leads_to_none(corpus: Corpus, tmp_path: Path) -> None:
    from dataclasses import replace

    shelf = Shelf(tmp_path / "s.sqlite")
    papers = [replace(paper, aliases=["both"]) for paper in corpus.edition(ALPHA).each()][:2]
    shelf.replace(ALPHA, "1", papers[:1])
    assert (found := shelf.named("both")) and found.paper_id == papers[0].paper_id
    shelf.replace(ALPHA, "2", papers)
    assert shelf.named("both") is None


def test_finished_pages_go_with_the_rows_that_they_were_made_of(corpus: Corpus, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "s.sqlite")
    papers = list(corpus.edition(ALPHA).each())
    address = urls.id_path(papers[0].paper_id)
    shelf.replace(ALPHA, "1", papers)
    assert shelf.unfinished() == {ALPHA: ("1", [urls.id_path(paper.paper_id) for paper in papers])}
    shelf.finish(ALPHA, "0", [(address, b"of a version that is gone")])
    assert shelf.page(address) is None and shelf.unfinished()
    shelf.finish(ALPHA, "1", [(address, b"page")])
    assert shelf.page(address) == b"page" and shelf.unfinished() == {}
    shelf.replace(ALPHA, "2", papers)
    assert shelf.page(address) is None and set(shelf.unfinished()) == {ALPHA}
    shelf.remove(ALPHA)
    assert shelf.unfinished() == {}


def test_an_edition_is_replaced_whole_and_taken_away(corpus: Corpus, tmp_path: Path) -> None:
    shelf, reader = Shelf(tmp_path / "s.sqlite"), Shelf(tmp_path / "s.sqlite")
    papers = list(EditionData(corpus.tables, corpus.statistics[ALPHA], "").each())
    shelf.replace(ALPHA, "1", papers)
    first, last = (urls.id_path(papers[at].paper_id) for at in (0, -1))
    assert reader.get(first) and reader.get(last)

    def broken() -> Iterator[PaperRows]:
        yield papers[0]
        raise OSError("the store is gone")

    with pytest.raises(OSError, match="gone"):
        shelf.replace(ALPHA, "2", broken())
    assert reader.get(last) and reader.versions() == {ALPHA: "1"}
    shelf.replace(ALPHA, "3", papers[:1])
    assert reader.get(first) and reader.get(last) is None and reader.versions() == {ALPHA: "3"}
    shelf.remove(ALPHA)
    other = Edition("ALPHA", 2023)
    shelf.replace(other, "1", EditionData(corpus.tables, corpus.statistics[other], "").each())
    assert (found := reader.get("ALPHA-2023/next")) and found.edition == other, "a number is used once"
    shelf.remove(other)
    assert reader.get(first) is None and reader.versions() == {}
