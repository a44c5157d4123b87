"""The shelf that a served site's papers lie on: what is put there comes back, and changes are seen."""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reprocensus.records import Edition
from reprocensus.settings import Settings
from reprocensus.site import pages as site_pages
from reprocensus.site import prepare, urls
from reprocensus.site.answers import Answer, Found, Redirect
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import EditionData, PaperRows
from reprocensus.site.names import census_key
from reprocensus.site.options import SiteOptions
from reprocensus.site.pages import answer
from reprocensus.site.prepare import Care, fill_shelf, finish_pages, take_up
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
    fill_shelf(corpus, corpus.shelf, Care())
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
    fill_shelf(shelved, shelved.shelf, Care())
    shelved.renew()
    if finished:
        finish_pages(shelved, shelved.shelf, Care())
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


@pytest.fixture
def own(site_store: Path, tmp_path: Path) -> Corpus:
    """A corpus of a store that the test may change, with a shelf."""
    shutil.copytree(site_store, tmp_path / "store")
    made = Corpus(Tables(open_storage(str(tmp_path / "store"), Settings())), SiteOptions())
    take_up(made, tmp_path)
    return made


def shelved(corpus: Corpus, care: Care) -> Shelf:
    """One look after all; the shelf."""
    assert corpus.shelf
    fill_shelf(corpus, corpus.shelf, care)
    finish_pages(corpus, corpus.shelf, care)
    return corpus.shelf


def test_a_finished_page_is_of_the_figures_that_came_with_its_rows(own: Corpus) -> None:
    """A run published after the last look at the store, and before its papers were put on the shelf."""
    shelf, address = shelved(own, Care()), "ALPHA-2022/plain"
    assert b"mean 6.75" not in (shelf.page(address) or b"")
    score = pl.lit(6.75).alias("documentation_score")
    own.tables.update("edition_scores", ALPHA, lambda now: replace(now, frame=now.frame.with_columns(score)))
    shelved(own, Care())
    own.renew()
    shelved(own, Care())
    page = shelf.page(address)
    assert page and answer(Corpus(own.tables, own.options), urls.paper(address)) == Answer(page)
    assert b"6.75" in page


def test_a_paper_that_no_page_can_be_made_of_keeps_no_other_from_its_page(
    own: Corpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = urls.paper("ALPHA-2022/emoji")

    def broken(corpus: Corpus, path: str) -> Found:
        if path == bad:
            raise TypeError("no such title")
        return site_pages.answer(corpus, path)

    monkeypatch.setattr(prepare, "answer", broken)
    shelf = shelved(own, Care())
    assert shelf.unfinished() == {} and shelf.page("ALPHA-2022/emoji") is None
    assert shelf.page("ALPHA-2022/plain") and shelf.page("ALPHA-2023/next")
    assert [record.getMessage() for record in caplog.records] == [
        "1 paper of ALPHA 2022 cannot be shown, the first is ALPHA-2022/emoji: TypeError: no such title"
    ]


def test_an_edition_that_cannot_be_read_keeps_no_other_from_the_shelf(
    own: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdicts = tmp_path / "store" / "tables" / "verdicts" / "venue=ALPHA" / "year=2022" / "verdicts.parquet"
    good = verdicts.read_bytes()
    verdicts.write_bytes(b"PAR1 not at all PAR1")
    care = Care()
    for _ in range(3):
        shelf = shelved(own, care)
        care.again()
    assert set(shelf.versions()) == set(own.editions) - {ALPHA}
    assert shelf.page("ALPHA-2023/next")
    # Told when it begins, not at every look.
    assert sum("ALPHA 2022" in record.getMessage() for record in caplog.records) == 1
    verdicts.write_bytes(good)
    shelf = shelved(own, care)
    assert set(shelf.versions()) == set(own.editions) and shelf.page("ALPHA-2022/plain")


def test_whatever_goes_wrong_the_site_is_looked_after_again(
    own: Corpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(prepare, "_EVERY_S", 0.01)
    looks, renewed, real = [], threading.Event(), own.renew

    def renew() -> bool:
        looks.append(1)
        if len(looks) < 4:
            raise [KeyError("gone"), TypeError("broken"), OSError(28, "No space left on device")][
                len(looks) - 1
            ]
        renewed.set()
        return real()

    monkeypatch.setattr(own, "renew", renew)
    with prepare.kept_up(own):
        assert renewed.wait(20)
    assert "KeyError" in caplog.text and "No space left" in caplog.text


def test_a_full_temporary_folder_is_told_with_what_to_do(
    own: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    assert own.shelf
    own.shelf._connection().execute("PRAGMA max_page_count = 14")
    shelf = shelved(own, Care())
    assert set(shelf.versions()) < set(own.editions)
    assert "is full; make room in the temporary folder" in caplog.text
    own.renew()
    assert isinstance(answer(own, urls.paper("ALPHA-2023/next")), Answer)
    assert isinstance(answer(own, urls.paper("ALPHA-2022/plain")), Answer)


def test_without_its_file_pages_are_made_of_the_tables(own: Corpus, tmp_path: Path) -> None:
    """Something that tidies temporary folders took it away."""
    shelved(own, Care())
    own.renew()
    expected = answer(own, urls.paper("ALPHA-2022/plain"))
    assert own.shelf and isinstance(expected, Answer)
    (tmp_path / "gone").mkdir()
    own.shelf.path = tmp_path / "gone" / "papers.sqlite"
    for folder in (own.shelf.path.parent, tmp_path / "nowhere"):
        # A thread that was not there before opens the file anew.
        own.shelf.path = folder / "papers.sqlite"
        found: list[object] = []
        for look in (own.renew, lambda: answer(own, urls.paper("ALPHA-2022/plain"))):
            in_thread(look, found)
        assert found[1] == expected


def in_thread(what: Callable[[], Any], into: list[object]) -> None:
    thread = threading.Thread(target=lambda: into.append(what()))
    thread.start()
    thread.join()
