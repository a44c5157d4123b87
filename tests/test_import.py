"""Import: other censuses and people beside our own verdicts, once each, and the figures that rest on them."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reprocensus.errors import UsageError
from reprocensus.groups import group_statistics, labels_of, read_labels
from reprocensus.imports import import_file
from reprocensus.inspect import explain
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

VARIABLES = load_variables()


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(open_storage(str(tmp_path / "store"), Settings()))


def written(tmp_path: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def census_row(**changes: Any) -> dict[str, Any]:
    codes = {v.name: 0 for v in VARIABLES}
    return {
        "conference": "V",
        "year": 2020,
        "key": "a__1",
        "title": "On A",
        "excluded": False,
        **codes,
    } | changes


def test_an_import_twice_adds_nothing(tables: Tables, tmp_path: Path) -> None:
    file = written(tmp_path, [census_row(pseudocode=1, researcher_affiliation=-1)])
    first = import_file(tables, file, VARIABLES, engine="census")
    assert (first.n_new_papers, first.n_new) == (1, len(VARIABLES))
    held = sorted(p.name for p in tmp_path.rglob("*.parquet"))
    again = import_file(tables, file, VARIABLES, engine="census")
    assert (again.run_id, again.n_new, again.n_known) == (None, 0, len(VARIABLES))
    assert sorted(p.name for p in tmp_path.rglob("*.parquet")) == held
    labels = dict(tables.scan("verdicts").select("variable", "label").rows())
    assert (labels["pseudocode"], labels["open_datasets"]) == ("Yes", "No")
    assert (labels["research_type"], labels["researcher_affiliation"]) == ("Experimental", "unknown")


def test_engines_stand_side_by_side_and_a_title_says_which_paper(tables: Tables, tmp_path: Path) -> None:
    mine = {
        "id": "V-2020/mine",
        "title": "On  a!",
        "labels": {"pseudocode": "Yes", "research_type": "Experimental"},
    }
    import_file(tables, written(tmp_path, [mine], "a.jsonl"), VARIABLES, engine="ours")
    done = import_file(tables, written(tmp_path, [census_row()], "b.jsonl"), VARIABLES, engine="census")
    assert done.n_new_papers == 0
    assert tables.scan("aliases").select("paper_id", "alias").rows() == [("V-2020/mine", "a__1")]
    shares = {
        engine: group_statistics(labels_of(tables, VARIABLES, engine), ["venue"], VARIABLES)[0]["variables"][
            "pseudocode"
        ]["share"]
        for engine in ("ours", "census")
    }
    assert shares == {"ours": 1, "census": 0}
    published = tables.scan("venue_statistics").filter(variable="pseudocode")
    assert dict(published.select("engine", "share").rows()) == shares
    assert explain(tables, "V-2020/mine", VARIABLES[2], "ours").verdict["engine"] == "ours"
    with pytest.raises(UsageError, match="census, ours"):
        read_labels(tables, VARIABLES, None, "rules")


def test_papers_outside_the_main_track_do_not_count(tables: Tables, tmp_path: Path) -> None:
    other = census_row(key="b__2", title="On B", excluded=True, category="Student")
    import_file(tables, written(tmp_path, [census_row(), other]), VARIABLES, engine="census")
    assert group_statistics(labels_of(tables, VARIABLES, "census"), ["year"], VARIABLES)[0]["n_papers"] == 1
    assert tables.scan("verdicts")["paper_id"].n_unique() == 2


def test_peoples_labels_go_to_papers_that_are_listed(tables: Tables, tmp_path: Path) -> None:
    import_file(tables, written(tmp_path, [census_row()]), VARIABLES, engine="census")
    human = {"conference": "V 20", "human": {"pseudocode": 1, "affiliation": 2}}
    rows = [{"title": "on A", **human}, {"title": "Elsewhere", **human}]
    done = import_file(tables, written(tmp_path, rows, "h.jsonl"), VARIABLES, who="ada")
    assert (done.n_new, done.n_unlisted, done.n_new_papers) == (2, 1, 0)
    assert sorted(tables.scan("labels").select("variable", "label", "labelled_by").rows()) == [
        ("pseudocode", "Yes", "ada"),
        ("researcher_affiliation", "Industry", "ada"),
    ]


def test_long_csv_and_a_label_that_is_none(tables: Tables, tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text("paper_id,title,variable,label\nV-2020/p,P,pseudocode,yes\nV-2020/p,P,open_datasets,0\n")
    assert import_file(tables, file, VARIABLES, engine="e").n_new == 2
    file.write_text("paper_id,title,variable,label\nV-2020/p,P,pseudocode,perhaps\n")
    with pytest.raises(UsageError, match="perhaps"):
        import_file(tables, file, VARIABLES, engine="e")


#: Column of the reference files -> where the figure stands; percentages where the reference has them.
FIGURES: dict[str, Any] = {
    "n_emp": lambda row: row["n_empirical"],
    "both": lambda row: 100 * row["code_and_data_share"],
    "doc_mean": lambda row: row["documentation_score"],
    "doc_median": lambda row: row["documentation_median"],
    "repro_score": lambda row: row["reproducibility_score"],
    "pct_industry": lambda row: 100 * row["with_industry_share"],
    "n": lambda row: row["n_papers"],
    "pct_emp": lambda row: 100 * row["variables"]["research_type"]["share"],
}


@pytest.mark.corpus
@pytest.mark.slow
def test_the_census_figures_come_out_to_the_last_digit(shared: Path, tables: Tables) -> None:
    file = shared / "reference" / "census_labels.parquet"
    done = import_file(tables, file, VARIABLES, engine="census")
    assert (done.n_new_papers, done.n_new) == (59_262, 533_358)
    for by, name in ((["venue", "year"], "headline_venue_year.csv"), (["year"], "headline_year_all.csv")):
        with (shared / "reference" / name).open() as lines:
            expected = list(csv.DictReader(lines))
        found = {
            tuple(str(r[n]) for n in by): r
            for r in group_statistics(labels_of(tables, VARIABLES, "census"), by, VARIABLES)
        }
        assert len(found) == len(expected) > 10
        for line in expected:
            row = found[tuple(line["conference" if n == "venue" else n] for n in by)]
            for column, figure in line.items():
                if column in ("conference", "year"):
                    continue
                share = row["variables"].get(column, {}).get("share")
                value = FIGURES[column](row) if column in FIGURES else 100 * share
                printed = f"{value:.4f}" if "." in figure else str(value)
                assert printed == figure, f"{line} {column}: {printed}"
    assert pl.DataFrame(tables.scan("venue_statistics"))["engine"].unique().to_list() == ["census"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("../x,2020,T,Yes", "folder"),
        ("V,-5,T,Yes", "1900"),
        ("V,99999999999,T,Yes", "1900"),
        (",2020,T,Yes", "no venue"),
    ],
)
def test_a_file_with_an_odd_edition_is_refused_before_anything_is_written(
    tables: Tables, tmp_path: Path, row: str, words: str
) -> None:
    file = tmp_path / "odd.csv"
    file.write_text(f"venue,year,title,pseudocode\nV,2020,Good,Yes\n{row}\n")
    with pytest.raises(UsageError, match=words):
        import_file(tables, file, VARIABLES, engine="e")
    assert not tables.scan("verdicts").filter(engine="e").height


def test_rows_of_one_paper_are_counted_and_floats_are_codes(tables: Tables, tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("venue,year,title,pseudocode\nV,2020,One,1.0\nV,2020,One,0.0\nV,2020,Two,1.0\n")
    done = import_file(tables, file, VARIABLES, engine="e")
    assert (done.n_papers, done.n_merged) == (2, 1)


def test_columns_of_other_kinds_are_taken_where_they_are_plain(tables: Tables, tmp_path: Path) -> None:
    file = tmp_path / "kinds.parquet"
    pl.DataFrame(
        {
            "venue": ["V", "V"],
            "year": [date(2020, 5, 1)] * 2,
            "title": ["One", "Two"],
            "pseudocode": [True, False],
            "open_datasets": [1.0, float("nan")],
            "authors": [[1, 2], []],
        }
    ).write_parquet(file)
    assert import_file(tables, file, VARIABLES, engine="e").n_new == 3
    labels = tables.scan("verdicts").sort("paper_id", "variable").select("variable", "label").rows()
    assert labels == [("open_datasets", "Yes"), ("pseudocode", "Yes"), ("pseudocode", "No")]
    pl.DataFrame({"venue": ["V"], "year": [2020], "title": ["T"], "research_type": [True]}).write_parquet(
        file
    )
    with pytest.raises(UsageError, match="research_type"):
        import_file(tables, file, VARIABLES, engine="e")


@pytest.mark.parametrize(
    ("name", "words"), [("rules", "of this program"), (" x", "no name"), ("a\u202eb", "no name")]
)
def test_names_that_tell_nothing_are_refused(tables: Tables, tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        import_file(tables, written(tmp_path, [census_row()]), VARIABLES, engine=name)
