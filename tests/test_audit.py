"""The audit: label files, measures worked out by hand, and the figures that human_400.jsonl is known for."""

import json
from pathlib import Path

import pytest

from conftest import Command
from reprocensus.audit.audit import Verdicts, audit
from reprocensus.audit.compare import compare
from reprocensus.audit.gather import own_runs
from reprocensus.audit.measures import Pair, bootstrap, calibration_error, kappa, levels, measure, repeats
from reprocensus.audit.page import audit_page
from reprocensus.cli.audit import _differences
from reprocensus.errors import UsageError
from reprocensus.imports import import_file
from reprocensus.labels import LabelledPaper, decoded, matched, read_labels
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

VARIABLES = load_variables()
CODE = next(v for v in VARIABLES if v.name == "open_source_code")


def pair(truth: str, said: str, confidence: float | None = None) -> Pair:
    return Pair("p", truth, said, confidence)


def test_measures_by_hand() -> None:
    pairs = (
        [pair("Yes", "Yes")] * 20
        + [pair("Yes", "No")] * 5
        + [pair("No", "Yes")] * 10
        + [pair("No", "No")] * 15
    )
    found = measure("x", "Yes", pairs)
    assert found.agreement == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(0.8)
    assert found.f1 == pytest.approx(8 / 11)
    assert found.confusion == {"No": {"No": 15, "Yes": 10}, "Yes": {"No": 5, "Yes": 20}}
    assert (found.majority, found.coverage) == (0.5, 1)


def test_unknown_is_wrong_and_not_covered() -> None:
    found = measure("x", "Yes", [pair("Yes", "unknown"), pair("No", "No")])
    assert (found.agreement, found.coverage, found.recall) == (0.5, 0.5, 0)
    assert found.precision is None and found.f1 is None


def test_one_label_has_no_kappa() -> None:
    assert kappa([("No", "No")] * 3) is None
    assert kappa([("No", "Yes"), ("Yes", "No")]) == -1


def test_the_interval_is_over_papers_and_the_same_each_time() -> None:
    pairs = [Pair(str(n), "Yes", "Yes" if n < 170 else "No") for n in range(200)]
    low, high = bootstrap(pairs)
    assert (low, high) == bootstrap(pairs) == bootstrap(pairs * 5)
    assert 0.79 < low < 0.81 and 0.89 < high < 0.91
    assert bootstrap(pairs[:7]) == (1, 1)


def test_levels_of_confidence() -> None:
    found = levels(
        [pair("Yes", "Yes", 1.0), pair("Yes", "No", 0.95), pair("No", "No", 0.55), pair("No", "No")]
    )
    assert [(level.low, level.n, level.agreement) for level in found] == [(0.5, 1, 1), (0.95, 2, 0.5)]
    assert calibration_error(found) == pytest.approx((0.45 + 2 * 0.475) / 3)
    assert calibration_error([]) is None


def test_repeats() -> None:
    found = repeats("x", [["Yes", "Yes", "Yes"], ["Yes", "No", "Yes"]])
    assert (found.runs, found.n, found.identical, found.flipped) == (3, 2, 0.5, 0.5)
    assert found.pairwise == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("research_type", 1, "Theoretical"),
        ("research_type", "0", "Experimental"),
        ("researcher_affiliation", 2, "Industry"),
        ("pseudocode", 1, "Yes"),
        ("pseudocode", "no", "No"),
        ("pseudocode", "not_applicable", "not_applicable"),
    ],
)
def test_codes(name: str, value: object, label: str) -> None:
    assert decoded(value, next(v for v in VARIABLES if v.name == name)) == label


@pytest.mark.parametrize("value", [2, -1, "maybe", "", None])
def test_other_codes_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no label of"):
        decoded(value, CODE)


def test_label_files(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("\ufeffpaper_id,title,open_source_code,affiliation,note\na,A b,Yes,2,x\nb,,0,,\n")
    one, two = read_labels(table, VARIABLES)
    assert (one.paper_id, one.title, two.title) == ("a", "A b", None)
    assert one.labels == {"open_source_code": "Yes", "researcher_affiliation": "Industry"}
    assert two.labels == {"open_source_code": "No"}
    lines = tmp_path / "a.jsonl"
    lines.write_text(
        json.dumps({"id": "a", "labels": {"pseudocode": "Yes"}, "responses": {"pseudocode": "Alg. 1"}})
    )
    (paper,) = read_labels(lines, VARIABLES)
    assert (paper.labels, paper.reasons) == ({"pseudocode": "Yes"}, {"pseudocode": "Alg. 1"})


@pytest.mark.parametrize(
    "words",
    ["", "{", "[" * 100_000, '{"id": "a"}', '{"labels": {}}', '{"id": "a", "labels": {"pseudocode": 7}}'],
)
def test_wrong_label_files_say_so(tmp_path: Path, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(words)
    with pytest.raises(UsageError, match=r"a\.jsonl"):
        read_labels(tmp_path / "a.jsonl", VARIABLES)


def verdicts(**labels: tuple[str, float]) -> Verdicts:
    return {
        (paper, "open_source_code"): {
            "label": label, "confidence": sure, "rationale": "<b>said</b>",
            "quotes": [{"page": 2, "text": "<script>alert(1)</script>"}],
        }
        for paper, (label, sure) in labels.items()
    }  # fmt: skip


def test_an_audit_lists_disagreements_most_confident_first_with_both_sides() -> None:
    papers = [
        (n, LabelledPaper(n, None, {"open_source_code": "Yes"}, {"open_source_code": "at x"})) for n in "abcd"
    ]
    said = verdicts(a=("No", 0.6), b=("not_applicable", 0.9), c=("Yes", 1.0))
    found = audit("t", papers, {"r": said}, VARIABLES)
    assert [d.pair.paper for d in found.disagreements] == ["b", "a"]
    assert found.disagreements[0].pair.said == "No"
    assert found.disagreements[0].pair.reason == "at x"
    assert (found.n_labelled, found.n_papers, found.measures[0].n) == (4, 3, 3)
    page = audit_page(found)
    assert "<script>" not in page and "&lt;script&gt;alert(1)" in page and "<b>" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    with pytest.raises(UsageError, match="no verdict"):
        audit("t", papers, {"r": {}}, VARIABLES)


#: As ../shared/README.md gives them.
IDENTICAL = {
    "research_type": 0.985, "researcher_affiliation": 0.968, "pseudocode": 0.970, "open_source_code": 0.958,
    "open_datasets": 0.873, "dataset_splits": 0.840, "hardware_specification": 0.978,
    "software_dependencies": 0.938, "experiment_setup": 0.740,
}  # fmt: skip
#: Errors of the five runs in turn, counted in the file.
ERRORS = {
    "research_type": (15, 15, 16, 17, 13), "researcher_affiliation": (10, 11, 12, 14, 12),
    "pseudocode": (35, 36, 38, 35, 33), "open_source_code": (10, 9, 11, 12, 14),
    "open_datasets": (78, 79, 66, 80, 81), "dataset_splits": (34, 31, 42, 50, 40),
    "hardware_specification": (25, 26, 26, 24, 26), "software_dependencies": (19, 22, 20, 22, 12),
    "experiment_setup": (108, 105, 109, 112, 105),
}  # fmt: skip


@pytest.mark.corpus
def test_the_five_runs_of_human_400_give_the_known_flip_rates_and_accuracies(shared: Path) -> None:
    """The README's accuracies are of 160 papers that the file does not mark: see docs/judging.md."""
    papers = matched(None, read_labels(shared / "labels" / "human_400.jsonl", VARIABLES))
    found = audit("human_400", papers, own_runs(papers), VARIABLES)
    assert found.n_papers == 400
    # The README rounds halves up.
    assert {r.variable: int(r.identical * 1000 + 0.5) / 1000 for r in found.repeats} == IDENTICAL
    assert all(r.flipped == pytest.approx(1 - r.identical) and r.n == 400 for r in found.repeats)
    errors = {
        v: tuple(400 - round(400 * by[n].agreement) for by in found.by_run.values())
        for n, v in enumerate(IDENTICAL)
    }
    assert errors == ERRORS
    for m in found.measures:
        assert m.n == 2000
        assert m.agreement == pytest.approx(1 - sum(ERRORS[m.variable]) / 2000)


def test_a_comparison_is_of_what_both_runs_judged() -> None:
    first = {k: {**row, "venue": "V", "engine": "a"} for k, row in verdicts(
        a=("Yes", 0.6), b=("No", 0.9), c=("Yes", 1.0), x=("No", 1.0)
    ).items()}  # fmt: skip
    second = {k: {**row, "venue": "V", "engine": "b"} for k, row in verdicts(
        a=("No", 0.9), b=("Yes", 0.8), c=("Yes", 1.0)
    ).items()}  # fmt: skip
    found = compare(("one", "two"), first, second, VARIABLES)
    assert (found.n, found.only_first, found.only_second) == (3, 1, 0)
    assert found.by_variable[0].agreement == pytest.approx(1 / 3)
    assert found.by_variable[0].changes == {"Yes → No": 1, "No → Yes": 1}
    assert [(c.variable, c.venue, c.n) for c in found.by_venue] == [("open_source_code", "V", 3)]
    assert [d.paper for d in found.differences] == ["b", "a"]
    assert (found.made_by["engine"], found.made_by["model"]) == (0, 1)
    assert _differences(found, 1)[2].startswith("2 differ")
    same = compare(("one", "two"), first, first, VARIABLES)
    assert _differences(same, 1)[2:] == ["none differs"]
    with pytest.raises(UsageError, match="same paper"):
        compare(("one", "two"), first, {}, VARIABLES)


@pytest.mark.slow
def test_the_command_audits_a_store_and_its_runs(reprocensus: Command, tmp_path: Path) -> None:
    from conftest import SAMPLES

    ids = [json.loads(line)["id"] for line in SAMPLES.read_text().splitlines()][:2]
    done = reprocensus("run", f"manifest:{SAMPLES}", "--limit", "2", "--store", "s", "--json")
    run = json.loads(done.stdout)["run_id"]
    lines = [
        json.dumps({"id": name, "labels": {"pseudocode": "Yes", "research_type": "Experimental"}})
        for name in ids
    ]
    (tmp_path / "l.jsonl").write_text("\n".join(lines))
    for which in ([], ["--run", run], ["--engine", "rules"], ["--run", run, "--run", run]):
        done = reprocensus(
            "audit", "--labels", "l.jsonl", "--store", "s", "--json", "--html", "a.html", *which
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert [m["n"] for m in found["measures"]] == [2, 2]
        assert "research_type" in (tmp_path / "a.html").read_text()
    assert "pseudocode" in reprocensus("audit", "--labels", "l.jsonl", "--store", "s").stdout
    for which, told in ((["--run", "none"], "no run"), (["--engine", "none"], "no verdicts by engine none")):
        done = reprocensus("audit", "--labels", "l.jsonl", "--store", "s", *which)
        assert done.returncode == 2 and told in done.stderr
    repeated = reprocensus("repeat", run, "--sample", "100%", "--store", "s", "--json")
    again = json.loads(repeated.stdout)["run_id"]
    done = reprocensus("compare", run, again, "--store", "s")
    assert done.returncode == 2 and f"repeated a part of {run}" in done.stderr
    asked = ("--engine", "fake", "--limit", "2", "--store", "s", "--json")
    other = json.loads(reprocensus("run", f"manifest:{SAMPLES}", *asked).stdout)["run_id"]
    found = json.loads(reprocensus("compare", run, other, "--store", "s", "--json").stdout)
    assert found["n"] == 18 and found["differences"]
    assert "18 verdicts in both runs" in reprocensus("compare", run, other, "--store", "s").stdout
    done = reprocensus("compare", run, run, "--store", "s")
    assert done.returncode == 2 and "one run" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1, 2]", "no JSON object"),
        ('{"id": "a", "labels": 3}', "no labels"),
        ('{"id": ["a"], "labels": {"pseudocode": "Yes"}}', "id is no text"),
        ('{"id": "a", "labels": {"weather": "Yes"}}', "none of the variables"),
    ],
)
def test_label_files_of_other_shapes_are_told_of(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(UsageError, match=words):
        read_labels(file, load_variables())


def test_long_csv_is_read_and_contradictions_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text("paper_id,variable,label\r\np,pseudocode,true\r\np,pseudocode,No\r\n")
    papers = read_labels(file, load_variables())
    assert [dict(paper.labels) for paper in papers] == [{"pseudocode": "Yes"}, {"pseudocode": "No"}]
    store = Tables(open_storage(str(tmp_path / "store"), Settings()))
    listed = tmp_path / "listed.csv"
    listed.write_text("paper_id,venue,year,title,pseudocode\nV-2020/p,V,2020,P,Yes\n")
    import_file(store, listed, load_variables(), engine="census")
    twice = [LabelledPaper("V-2020/p", None, {"pseudocode": label}) for label in ("Yes", "No")]
    with pytest.raises(UsageError, match="contradict"):
        matched(store, twice)
    assert len(matched(store, twice[:1] * 2)) == 2
