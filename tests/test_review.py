"""Review: the draw's probabilities are what they say, labels are kept as given, and the loop closes."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import SAMPLES, Command
from reprocensus.audit.audit import audit
from reprocensus.audit.gather import stored_people, stored_runs
from reprocensus.cli.dialogue import Dialogue, keys_of
from reprocensus.imports import import_file
from reprocensus.review.labelling import Labelling, frame
from reprocensus.review.sampling import TYPE, Drawn, Item, draw, probabilities, worth
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.statistics.correction import by_prediction, by_weighted_prediction
from reprocensus.storage import open_storage
from reprocensus.tables import Tables

VARIABLES = load_variables()


def items(n: int, seed: int = 1) -> list[Item]:
    """Verdicts of which the less confident are wrong more often."""
    random = np.random.default_rng(seed)
    return [
        Item(f"V-2020/p{k}", "pseudocode", "Yes", float(1 - u**4 / 2)) for k, u in enumerate(random.random(n))
    ]


def test_what_speaks_against_a_verdict_makes_it_worth_most() -> None:
    sure = Item("p", "x", "Yes", 0.99)
    assert worth(sure) < worth(Item("p", "x", "Yes", 0.7)) < 0.5
    doubts = (
        Item("p", "x", "Yes", None),
        Item("p", "x", "unknown", 0.99),
        Item("p", "x", "Yes", 0.99, needs_review=True),
        Item("p", "x", "Yes", 0.99, disputed=True),
    )
    assert {worth(item) for item in doubts} == {0.5}


@pytest.mark.parametrize(("n", "share"), [(1, 0.3), (40, 0.3), (150, 0.05), (199, 1.0), (500, 0.3)])
def test_probabilities_sum_to_what_is_asked_and_none_is_nought(n: int, share: float) -> None:
    worths = [worth(item) for item in items(200)]
    found = probabilities(worths, n, share)
    assert math.fsum(found) == pytest.approx(min(n, 200))
    assert min(found) >= share * min(n, 200) / 200 * (1 - 1e-9) and max(found) <= 1
    with pytest.raises(ValueError, match="share"):
        probabilities(worths, n, 0)


def test_the_draw_is_the_same_each_time_and_a_larger_one_holds_it() -> None:
    every = items(300)
    few, more = draw(every, 30, 0.3, 7), draw(every, 90, 0.3, 7)
    assert few == draw(list(reversed(every)), 30, 0.3, 7) or {d.key for d in few} == {
        d.key for d in draw(list(reversed(every)), 30, 0.3, 7)
    }
    assert {one.key for one in few} < {one.key for one in more}
    assert {one.key for one in few} != {one.key for one in draw(every, 30, 0.3, 8)}


def test_the_research_type_comes_first_and_with_its_own_probability() -> None:
    every = [Item(f"V-2020/p{k}", v.name, "Yes", 0.8) for k in range(40) for v in VARIABLES]
    chance = probabilities([worth(item) for item in every], 60, 0.3)[0]
    asked = draw(every, 60, 0.3, 3)
    seen: set[str] = set()
    for one in asked:
        if one.variable == TYPE:
            seen.add(one.paper_id)
            assert one.probability == pytest.approx(1 - (1 - chance) ** len(VARIABLES))
        assert one.paper_id in seen
    assert any(one.along for one in asked)
    often = [sum(o.variable == TYPE for o in draw(every, 60, 0.3, seed)) / 40 for seed in range(100)]
    assert float(np.mean(often)) == pytest.approx(1 - (1 - chance) ** len(VARIABLES), abs=0.03)


def test_weighted_estimates_are_unbiased_and_the_plain_mean_is_not() -> None:
    every = items(400)
    random = np.random.default_rng(5)
    right = {item.key: random.random() < (item.confidence or 0) for item in every}
    truth = float(np.mean(list(right.values())))
    weighted, plain, half = [], [], []
    for seed in range(400):
        asked = [one for one in draw(every, 80, 0.3, seed) if not one.along]
        w = np.array([1 / one.probability for one in asked])
        y = np.array([right[one.key] for one in asked])
        weighted.append((w * y).sum() / len(every))
        plain.append(y.mean())
        # Who stops half way has a random part of the draw.
        stop = len(asked) // 2
        half.append((w[:stop] * y[:stop]).sum() / w[:stop].sum())
    error = float(np.std(weighted)) / math.sqrt(len(weighted))
    assert np.mean(weighted) == pytest.approx(truth, abs=3 * error)
    assert np.mean(half) == pytest.approx(truth, abs=0.012)
    assert truth - np.mean(plain) > 0.05


def test_keys_are_one_a_label_and_none_is_a_command() -> None:
    for variable in VARIABLES:
        keys = keys_of(variable)
        assert sorted(keys.values()) == sorted(variable.all_labels)
        assert not set(keys) & set("mv#sbq")
    assert keys_of(next(v for v in VARIABLES if v.name == "pseudocode"))["y"] == "Yes"


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """A store with an imported census of 60 papers, which says pseudocode in all of them."""
    rows = ["paper_id,title,research_type,pseudocode"]
    rows += [f"V-2020/p{n},Title {n},Experimental,Yes" for n in range(60)]
    (tmp_path / "c.csv").write_text("\n".join(rows))
    tables = Tables(open_storage(str(tmp_path / "store"), Settings()))
    import_file(tables, tmp_path / "c.csv", VARIABLES, engine="census")
    return tables


def test_a_label_is_kept_at_once_and_may_be_revised(tables: Tables) -> None:
    found = frame(tables, engine=None, usual="rules", variables=["pseudocode"])
    assert (found.engine, len(found.items)) == ("census", 60)
    one = Drawn("V-2020/p1", "pseudocode", 0.25, 0.5)
    first = Labelling(tables, "ada", "run_1", found.papers)
    first.give(one, "Yes", "see p. 3")
    # Nothing was published, as after a kill.
    again = Labelling(tables, "ada", "run_2", found.papers)
    again.load()
    assert again.given[one.key]["label"] == "Yes"
    again.give(one, "No")
    assert again.restate([Drawn("V-2020/p1", "pseudocode", 0.5, 0.5)]) == 1
    again.publish()
    (row,) = tables.scan("labels").to_dicts()
    assert (row["label"], row["labelled_by"], row["source"]) == ("No", "ada", "review")
    assert row["sampling_probability"] == 0.5
    other = Labelling(tables, "bob", "run_3", found.papers)
    other.load()
    assert not other.given


def test_an_audit_of_drawn_labels_is_weighted(tables: Tables) -> None:
    found = frame(tables, engine=None, usual="rules", variables=["pseudocode"])
    labelling = Labelling(tables, "ada", "run_1", found.papers)
    for number in range(20):
        wrong = number < 10
        one = Drawn(f"V-2020/p{number}", "pseudocode", 1.0 if wrong else 0.1, 0.5)
        labelling.give(one, "No" if wrong else "Yes")
    labelling.publish()
    done = audit("t", stored_people(tables), stored_runs(tables, [], None), VARIABLES)
    assert done.measures[0].agreement == pytest.approx(10 * 10 / (10 * 10 + 10))
    assert done.measures[0].n == 20


@pytest.mark.parametrize("n_drawn", [60, 200])
def test_weighted_correction_holds_the_truth(n_drawn: int) -> None:
    random = np.random.default_rng(11)
    rounds, held, plain, size = 200, 0, 0, 1000
    for _ in range(rounds):
        truth = np.where(random.random(size) < 0.9, np.where(random.random(size) < 0.2, 0, 1), 2)
        sure = 1 - 0.5 * random.random(size) ** 3
        wrong = np.where(truth == 0, 1, np.where((truth == 1) & (random.random(size) < 0.2), 2, 0))
        said = np.where(random.random(size) > sure, wrong, truth)
        chance = np.array(probabilities([math.sqrt(c * (1 - c)) for c in sure], n_drawn, 0.3))
        drawn = random.random(size) < chance
        corpus = np.bincount(said, minlength=3).astype(float)
        found = by_weighted_prediction(truth[drawn], said[drawn], 1 / chance[drawn], corpus)
        naive = by_prediction(truth[drawn], said[drawn], np.bincount(said[~drawn], minlength=3).astype(float))
        assert found is not None and naive is not None
        held += found.low <= 0.2 <= found.high
        plain += naive.low <= 0.2 <= naive.high
    assert held / rounds >= 0.91
    assert n_drawn < 100 or held > plain + 5


@pytest.mark.slow
def test_review_audit_and_correct_are_one_loop(reprocensus: Command, tmp_path: Path) -> None:
    def said(*arguments: str) -> Any:
        done = reprocensus(*arguments, "--store", "s")
        assert done.returncode == 0, done.stderr
        return done.stdout

    ids = [json.loads(line)["id"] for line in SAMPLES.read_text().splitlines()]
    run = json.loads(said("run", f"manifest:{SAMPLES}", "--limit", "3", "--json"))["run_id"]
    done = reprocensus("audit", "--store", "s")
    assert done.returncode == 2 and "reprocensus review" in done.stderr
    asked = [json.loads(line) for line in said("review", "--n", "8", "--who", "ada", "--list").splitlines()]
    assert asked and all(0 < one["probability"] <= 1 for one in asked)
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["paper_id", "variable", "label", "comment"])
        for one in asked[:-1]:
            label = "Experimental" if one["variable"] == TYPE else "unknown"
            writer.writerow([one["paper_id"], one["variable"], label, "as I read it"])
        writer.writerow(["elsewhere/x", "pseudocode", "Yes", ""])
    told = json.loads(said("review", "--n", "8", "--who", "ada", "--answers", "a.csv", "--json"))
    assert (told["labelled"], told["written"], told["left_out"]) == (len(asked) - 1, len(asked) - 1, 1)
    assert (
        json.loads(said("review", "--n", "8", "--who", "ada", "--answers", "a.csv", "--json"))["written"] == 0
    )
    (left,) = said("review", "--n", "8", "--who", "ada", "--list").splitlines()
    assert json.loads(left)["paper_id"] == asked[-1]["paper_id"]
    found = json.loads(said("audit", "--json"))
    assert sum(m["n"] for m in found["measures"]) == len(asked) - 1
    rows = json.loads(said("correct", "--json"))
    assert {row["n_labelled"] for row in rows if row["variable"] == TYPE} == {
        sum(one["variable"] == TYPE for one in asked[:-1])
    }
    # Another engine beside it, by title.
    first = json.loads(SAMPLES.read_text().splitlines()[0])
    lines = [f"venue,year,key,title,pseudocode\n{first['venue']},{first['year']},k,"]
    (tmp_path / "c.csv").write_text(lines[0] + json.dumps(first["title"]) + ",1\n")
    other = json.loads(said("import", "c.csv", "--engine", "census", "--json"))
    assert other["n_new_papers"] == 0
    both = json.loads(said("compare", run, other["run_id"], "--json"))
    assert (both["n"], both["only_second"], both["made_by"]["engine"]) == (1, 0, 0)
    assert [(c["variable"], c["venue"]) for c in both["by_venue"]] == [("pseudocode", first["venue"])]
    assert len(both["differences"]) == both["n"] - round(both["by_variable"][0]["agreement"])
    assert ids[0] == first["id"]


def test_the_dialogue_takes_keys_and_goes_on_where_it_stopped(
    tables: Tables, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = frame(tables, engine=None, usual="rules", variables=["pseudocode"])
    asked = [Drawn(f"V-2020/p{n}", "pseudocode", 0.5, 0.5) for n in range(4)]
    labelling = Labelling(tables, "ada", "run_1", found.papers)
    known = {v.name: v for v in VARIABLES}
    monkeypatch.setattr("sys.stdin", io.StringIO("v\n#\nsee p. 2\ny\nn\nb\ny\ns\n?\n"))
    Dialogue(labelling, "census", known, asked).hold()
    given = {key[0][-1]: (row["label"], row["comment"]) for key, row in labelling.given.items()}
    assert given == {"0": ("Yes", "see p. 2"), "1": ("Yes", None), "3": ("unknown", None)}
    shown = capsys.readouterr().out
    assert "census: Yes" in shown and shown.index("Pseudocode:") < shown.index("census: Yes")
    assert shown.count("census: Yes") == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    Dialogue(labelling, "census", known, asked[2:3], show_verdict=True).hold()
    assert "census: Yes" in capsys.readouterr().out


def test_a_blind_review_shows_neither_the_verdict_nor_its_quotes(
    tables: Tables, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = frame(tables, engine=None, usual="rules", variables=["pseudocode"])
    labelling = Labelling(tables, "ada", "run_1", found.papers)
    known = {v.name: v for v in VARIABLES}
    monkeypatch.setattr("sys.stdin", io.StringIO("v\ny\n"))
    asked = [Drawn("V-2020/p0", "pseudocode", 0.5, 0.5)]
    Dialogue(labelling, "census", known, asked, blind=True).hold()
    shown = capsys.readouterr().out
    assert "census: Yes" not in shown and "[v]" not in shown and "Pseudocode:" in shown
    assert [row["label"] for row in labelling.given.values()] == ["Yes"]


@pytest.mark.parametrize(
    "line", ['{"paper_id": {"a": 1}, "variable": "x", "label": "Yes"}', "[1]", '{"a": 1}']
)
def test_answers_that_are_none_are_told_of(
    reprocensus: Command, tables: Tables, tmp_path: Path, line: str
) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    done = reprocensus("review", "--answers", "a.jsonl", "--store", "store")
    assert done.returncode == 2 and "answer 1" in done.stderr, done.stderr
    done = reprocensus("review", "--random-share", "1", "--show-verdict", "--store", "store")
    assert done.returncode == 2 and "--no-blind" in done.stderr
