"""`reprocensus text`: one PDF's text as a run would judge it."""

import json
from pathlib import Path

import pytest

from conftest import SAMPLES, Command, make_pdf
from reprocensus.extract import extract


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    file = tmp_path / "a paper.pdf"
    file.write_bytes(make_pdf())
    return file


def test_the_text_is_that_which_a_run_judges(reprocensus: Command) -> None:
    paper = SAMPLES.parent / "papers" / "MIDL-2023" / "bieder24a.pdf"
    done = reprocensus("text", str(paper))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == extract(paper.read_bytes()).text


def test_json_has_what_is_kept_besides(pdf: Path, reprocensus: Command) -> None:
    found = json.loads(reprocensus("text", str(pdf), "--json").stdout)
    extracted = extract(pdf.read_bytes())
    assert (found["text"], found["title"], found["n_pages"]) == (extracted.text, extracted.title, 1)
    assert [section["kind"] for section in found["sections"]] == [s.kind for s in extracted.sections]


def test_raw_is_mupdfs_own_order(pdf: Path, reprocensus: Command) -> None:
    assert reprocensus("text", str(pdf), "--raw").stdout == extract(pdf.read_bytes(), mode="raw").text


def test_what_has_no_text_is_said_with_the_file_and_what_to_do(tmp_path: Path, reprocensus: Command) -> None:
    page = tmp_path / "page.pdf"
    page.write_text("<html>")
    done = reprocensus("text", str(page))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(page) in done.stderr
    assert "fetch the PDF itself" in done.stderr
    for none in (tmp_path, tmp_path / "none.pdf"):
        done = reprocensus("text", str(none))
        assert done.returncode == 2
        assert "name a PDF" in done.stderr


def test_what_is_odd_about_a_text_goes_to_standard_error(tmp_path: Path, reprocensus: Command) -> None:
    short = tmp_path / "short.pdf"
    short.write_bytes(make_pdf("Only a line of text that nobody would call a paper."))
    done = reprocensus("text", str(short))
    assert done.returncode == 0
    assert done.stdout.startswith("Only a line")
    assert "few_characters" in done.stderr
