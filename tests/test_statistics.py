"""Statistics: counts by hand, intervals, nothing dropped."""

import polars as pl
import pytest

from reprocensus.schemas import load_variables
from reprocensus.statistics import edition_scores, judged, venue_statistics, wilson

VARIABLES = load_variables()


def labels(*papers: dict[str, str]) -> pl.DataFrame:
    """Papers with the labels given, No elsewhere, Experimental unless said."""
    plain = {"research_type": "Experimental", "researcher_affiliation": "Academia"}
    rows = [
        {"paper_id": f"p{n}", "variable": v.name, "label": {**plain, **paper}.get(v.name, "No")}
        for n, paper in enumerate(papers)
        for v in VARIABLES
        if paper.get(v.name) != "missing"
    ]
    verdicts = pl.DataFrame(rows).with_columns(text_sha256=pl.lit("t"))
    ids = pl.DataFrame({"paper_id": [f"p{n}" for n in range(len(papers))]})
    return judged(ids.with_columns(source=pl.lit("dir:x"), main=pl.lit(True)), verdicts, VARIABLES)


def row(frame: pl.DataFrame, variable: str) -> dict[str, object]:
    return frame.filter(variable=variable).to_dicts()[0]


def test_shares_are_of_empirical_papers_with_a_label_of_the_variables_own() -> None:
    frame = venue_statistics(
        labels(
            {"pseudocode": "Yes"},
            {},
            {"pseudocode": "unknown"},
            {"pseudocode": "missing"},
            {"research_type": "Theoretical", "pseudocode": "Yes", "open_datasets": "not_applicable"},
        ),
        VARIABLES,
    )
    found = row(frame, "pseudocode")
    assert (found["n_papers"], found["n_empirical"], found["n_judged"], found["n_yes"]) == (5, 4, 2, 1)
    assert (found["n_unknown"], found["n_missing"]) == (1, 1)
    assert found["share"] == 0.5
    assert row(frame, "open_datasets")["n_not_applicable"] == 1
    empirical = row(frame, "research_type")
    assert (empirical["n_judged"], empirical["n_yes"]) == (5, 4)
    assert row(frame, "researcher_affiliation")["n_judged"] == 5


def test_an_edition_without_empirical_papers_has_no_share_and_no_score() -> None:
    theory = labels({"research_type": "Theoretical"})
    assert row(venue_statistics(theory, VARIABLES), "pseudocode")["share"] is None
    assert edition_scores(theory, VARIABLES).to_dicts()[0]["documentation_score"] is None


def test_scores_follow_their_formulas() -> None:
    scores = edition_scores(
        labels(
            {"open_source_code": "Yes", "open_datasets": "Yes", "pseudocode": "Yes"},
            {"open_datasets": "Yes"},
            {"open_source_code": "Yes", "pseudocode": "unknown", "experiment_setup": "missing"},
            {"research_type": "Theoretical", "open_datasets": "Yes"},
        ),
        VARIABLES,
    ).to_dicts()[0]
    assert scores["documentation_score"] == pytest.approx((3 + 1 + 1) / 3)
    assert scores["reproducibility_score"] == pytest.approx((0.86 + 0.33 + 0) / 3)
    assert (scores["n_papers"], scores["n_empirical"], scores["n_failed"]) == (4, 3, 1)


def test_wilson_intervals_are_those_of_scipy() -> None:
    from scipy.stats import binomtest

    counts = [(5, 10), (0, 10), (10, 10), (1, 3), (431, 977)]
    frame = pl.DataFrame(counts, schema=["yes", "n"], orient="row")
    for (yes, n), found in zip(counts, frame.select(*_ends()).rows(), strict=True):
        expected = binomtest(yes, n).proportion_ci(0.95, method="wilson")
        assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert pl.DataFrame({"yes": [0], "n": [0]}).select(*_ends()).row(0) == (None, None)


def _ends() -> list[pl.Expr]:
    low, high = wilson(pl.col("yes"), pl.col("n"))
    return [low.alias("low"), high.alias("high")]


def test_what_is_not_known_bounds_the_share() -> None:
    frame = venue_statistics(
        labels(
            {"pseudocode": "Yes"},
            {},
            {"pseudocode": "unknown"},
            {"pseudocode": "missing"},
            {"research_type": "unknown", "pseudocode": "Yes"},
        ),
        VARIABLES,
    )
    found = row(frame, "pseudocode")
    assert found["share_lowest"] == pytest.approx(1 / 4)
    assert found["share_highest"] == pytest.approx(4 / 5)
