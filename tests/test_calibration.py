"""From a label's tokens to a probability, and from people's labels to what such a probability is worth."""

import json
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_server import Body, Told, chat_server, good
from conftest import Command, make_pdf, write_manifest
from reprocensus.audit.fitting import LEAST, fit, knots, pav
from reprocensus.calibration import Calibrations, Curve, Knots, parse_calibrations
from reprocensus.errors import UsageError
from reprocensus.labels import LabelledPaper
from reprocensus.llm.chat import ChatReply, Token
from reprocensus.llm.replies import label_probability
from reprocensus.schemas import load_variables
from test_vllm_runs import environment

LABELS = ("Yes", "No", "not_applicable", "unknown")


def reply(*tokens: tuple[str, dict[str, float]], head: str = '{"label": "') -> ChatReply:
    """A reply that ends in these tokens, each with the probabilities at its place, itself among them."""
    told = [Token(head, log(0.9), ((head, log(0.9)),))]
    for text, likely in tokens:
        ranked = tuple((t, log(p)) for t, p in likely.items())
        told.append(Token(text, log(likely[text]), ranked))
    return ChatReply("".join(token.text for token in told), "stop", 10, len(told), None, tuple(told))


def test_a_label_shares_the_probability_with_the_labels_that_were_still_possible() -> None:
    found = label_probability(reply(("Yes", {"Yes": 0.6, "No": 0.2}), ('"}', {'"}': 1.0})), LABELS, "Yes")
    assert found == pytest.approx(0.75)


def test_what_leads_to_no_label_is_left_out() -> None:
    """Servers tell probabilities from before the grammar: most of it may be on what the grammar forbids."""
    likely = {"Hello": 0.9, "Yes": 0.02, "No": 0.06}
    assert label_probability(reply(("Yes", likely), ('"}', {'"}': 1.0})), LABELS, "Yes") == pytest.approx(
        0.25
    )


def test_a_label_of_several_tokens_multiplies_until_only_it_is_left() -> None:
    tokens = (
        ("n", {"n": 0.5, "Y": 0.5}),
        ("ot", {"ot": 0.8, "o": 0.1}),
        ("_applicable", {"_applicable": 0.3, "x": 0.7}),
        ('"}', {'"}': 1.0}),
    )
    # "n" leads to not_applicable alone; what comes after it was decided with it.
    assert label_probability(reply(*tokens), LABELS, "not_applicable") == pytest.approx(0.5)
    # "No" may still become "None": both places count, and the quotation mark is one of them.
    ambiguous = (("No", {"No": 0.8, "Yes": 0.2}), ('"', {'"': 0.5, "ne": 0.5}), ("}", {"}": 1.0}))
    found = label_probability(reply(*ambiguous), ("Yes", "No", "None"), "No")
    assert found == pytest.approx(0.4)


def test_a_token_may_begin_before_the_label_and_end_after_it() -> None:
    tokens = (('"Yes"}', {'"Yes"}': 0.3, '"No"}': 0.1, '"': 0.6}),)
    found = label_probability(reply(*tokens, head='{"label": '), LABELS, "Yes")
    assert found == pytest.approx(0.75)


@pytest.mark.parametrize(
    "told",
    [
        ChatReply('{"label": "Yes"}', "stop", 1, 1),
        reply(("Yes", {"Yes": 0.6}), ('"}', {'"}': 1.0})),
        ChatReply('{"label": "Yes"}', "stop", 1, 1, None, (Token("something else", -1.0, (("x", -2.0),)),)),
    ],
    ids=["no tokens", "nothing beside it", "tokens of another text"],
)
def test_without_log_probabilities_that_fit_there_is_none(told: ChatReply) -> None:
    assert label_probability(told, LABELS, "Yes") is None


def test_a_token_that_ends_the_answer_stands_in_no_text() -> None:
    told = reply(("Yes", {"Yes": 0.6, "No": 0.2}), ('"}', {'"}': 1.0}))
    ended = ChatReply(told.text, "stop", 1, 3, None, (*told.tokens, Token("<|im_end|>", 0.0, (("a", -9.0),))))
    assert label_probability(ended, LABELS, "Yes") == pytest.approx(0.75)


points = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0]), st.floats(0.1, 5)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(points)
def test_what_is_fitted_rises_keeps_the_mean_and_stays_within_bounds(
    found: list[tuple[float, float, float]],
) -> None:
    blocks = pav(found)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(blocks))
    weight = sum(w for _, _, w in found)
    assert sum(w for *_, w in blocks) == pytest.approx(weight)
    assert sum(y * w for _, y, w in blocks) == pytest.approx(sum(y * w for _, y, w in found))
    curve = knots(found, len(found))
    values = [curve.confidence(x / 50) for x in range(51)]
    assert values == sorted(values)
    assert values[0] >= 0 and values[-1] <= 1


def test_pav_by_hand() -> None:
    """Barlow et al. 1972: violators are pooled with their neighbours; ties of x are one point."""
    found = pav([(1, 1, 1), (2, 0, 1), (3, 1, 2), (4, 0, 1), (4, 1, 1), (5, 1, 1)])
    assert found == [(1.5, 0.5, 2), (pytest.approx(3.5), pytest.approx(0.75), 4), (5, 1, 1)]


def test_three_right_verdicts_are_not_certain() -> None:
    sure = knots([(0.9, 1, 1), (0.95, 1, 1), (0.99, 1, 1), (0.5, 0, 1)], 4)
    assert sure.confidence(0.999) < 0.95
    assert sure.confidence(0.1) > 0


def test_confidence_goes_straight_between_knots_and_level_outside() -> None:
    curve = Knots(probabilities=(0.5, 0.9), confidences=(0.4, 0.8))
    assert [curve.confidence(p) for p in (0, 0.5, 0.7, 0.9, 1)] == pytest.approx([0.4, 0.4, 0.6, 0.8, 0.8])
    only = Knots(probabilities=(0.5,), confidences=(0.7,))
    assert [only.confidence(p) for p in (0, 0.5, 1)] == [0.7] * 3


def test_platt_by_hand_and_no_curve_at_all() -> None:
    found = Calibrations(variables={"a": Curve(intercept=0, slope=1), "b": Curve(intercept=-1, slope=0)})
    assert found.confidence("a", 0.8) == pytest.approx(0.8)
    assert found.confidence("b", 0.8) == pytest.approx(1 / (1 + 2.718281828), abs=1e-6)
    assert found.confidence("c", 0.8) == 0.8
    assert found.confidence("a", None) is None
    assert 0 < (found.confidence("a", 0.0) or 0) < 0.001


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Expecting"),
        ('{"variables": {"a": {"slope": -1, "intercept": 0}}}', "slope"),
        ('{"variables": {"a": {"probabilities": [0.5, 0.4], "confidences": [0, 1]}}}', "must rise"),
        ('{"variables": {"a": {"probabilities": [0.4, 0.5], "confidences": [1, 0]}}}', "must not fall"),
        ('{"variables": {"a": {"probabilities": [0.4], "confidences": [0, 1]}}}', "as many confidences"),
        ('{"variables": {"a": {"probabilities": [], "confidences": []}}}', "at least 1"),
        ('{"curves": {}}', "curves"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"calibration file c.json.*{words}"):
        parse_calibrations(text, "c.json")


def verdict(probability: float | None, label: str = "Yes", model: str = "m 1") -> dict[str, Any]:
    return {"label": label, "engine": "vllm", "model": model, "label_probability": probability}


def labelled(n: int) -> list[tuple[str, LabelledPaper]]:
    """Papers of which people say Yes for every other one below the middle and for all above it."""
    return [
        (f"p{i}", LabelledPaper(f"p{i}", None, {"pseudocode": "Yes" if i >= n / 2 or i % 2 else "No"}))
        for i in range(n)
    ]


def test_a_fit_makes_sure_verdicts_as_sure_as_they_are_right() -> None:
    papers = labelled(200)
    verdicts = {(p, "pseudocode"): verdict(0.9 + 0.0005 * i) for i, (p, _) in enumerate(papers)}
    found = fit("mine", papers, verdicts, load_variables())
    curve = found.calibrations.variables["pseudocode"]
    assert curve.confidence(0.92) == pytest.approx(0.5, abs=0.06)
    assert curve.confidence(0.99) == pytest.approx(1, abs=0.03)
    (quality,) = found.qualities
    assert (quality.n, quality.agreement) == (200, 0.75)
    assert quality.brier_after < quality.brier_before
    assert (found.calibrations.engine, found.calibrations.model, found.calibrations.labels) == (
        "vllm",
        "m 1",
        "mine",
    )
    # A variable without labels borrows from those that have some.
    assert found.calibrations.variables["open_source_code"].confidence(0.92) < 0.7
    assert Calibrations.model_validate_json(found.calibrations.model_dump_json()) == found.calibrations


def test_a_fit_needs_enough_verdicts_with_a_probability_of_one_model() -> None:
    papers, variables = labelled(2 * LEAST), load_variables()
    unknown = {(p, "pseudocode"): verdict(0.9, "unknown") for p, _ in papers}
    none = {(p, "pseudocode"): verdict(None) for p, _ in papers}
    for few in (unknown, none, {}):
        with pytest.raises(UsageError, match="0 labelled verdicts have a label_probability"):
            fit("mine", papers, few, variables)
    two = {(p, "pseudocode"): verdict(0.9, model=f"m {i % 2}") for i, (p, _) in enumerate(papers)}
    with pytest.raises(UsageError, match=r"several models judged these papers \(vllm m 0; vllm m 1\)"):
        fit("mine", papers, two, variables)


def likely(body: Body, label: str, other: str) -> Told:
    """An answer with one token, 90 % sure of its label, as every answer is."""
    told = good(body, label, ())
    head, _, _ = (told.text or "").rpartition(f'"{label}"')
    at = [{"token": f'"{label}"}}', "logprob": log(0.9)}, {"token": f'"{other}"}}', "logprob": log(0.1)}]
    place = {"token": head, "logprob": -0.1, "top_logprobs": [{"token": head, "logprob": -0.1}]}
    return Told(told.text, logprobs=[place, {**at[0], "top_logprobs": at}])


@pytest.mark.slow
def test_labels_make_a_file_and_the_file_makes_confidences(reprocensus: Command, tmp_path: Path) -> None:
    """Every verdict is 90 % sure. People agree with half of those on code, and with all on splits."""

    def answers(body: Body, n: int) -> Told:
        if "</paper>" not in body["messages"][-1]["content"]:
            return good(body)
        labels = body["response_format"]["json_schema"]["schema"]["properties"]["label"]["enum"]
        return likely(body, "No" if "No" in labels else labels[0], labels[0] if "No" in labels else labels[1])

    ids = [f"TEST-2020/p{n}" for n in range(20)]
    manifest = f"manifest:{write_manifest(tmp_path, [(name, make_pdf(f'Study {name}')) for name in ids])}"
    said = [
        {"id": name, "labels": {"open_source_code": ("No", "Yes")[n % 2], "dataset_splits": "No"}}
        for n, name in enumerate(ids)
    ]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said))
    with chat_server(answers) as server:
        env = environment(server)
        names = ("--variables", "open_source_code,dataset_splits")
        first = reprocensus("run", manifest, *names, "--store", "s", **env)
        assert first.returncode == 0, first.stderr
        assert table_of(tmp_path, "s") == {"open_source_code": 0.9, "dataset_splits": 0.9}
        audit = ("audit", "--labels", "labels.jsonl", "--store", "s", "--engine", "vllm", "--fit", "c.json")
        done = reprocensus(*audit)
        assert done.returncode == 0, done.stderr
        assert "Confidences fitted to the labels" in done.stdout
        env |= {"REPROCENSUS_CALIBRATION": "c.json"}
        again = reprocensus("run", manifest, *names, "--store", "t", **env)
        assert again.returncode == 0, again.stderr
        found = table_of(tmp_path, "t")
        assert found["open_source_code"] == pytest.approx(0.67, abs=0.05)
        assert found["dataset_splits"] > 0.8
        assert found["open_source_code"] < found["dataset_splits"]
        run = json.loads(reprocensus("runs", "--store", "t", "--json").stdout)[0]
        kept = json.loads(run["sampling"])["calibration"]
        assert kept == json.loads((tmp_path / "c.json").read_text())
        # It is no other judgement: what was judged before stands, with the confidence that it had.
        assert "nothing to do" in reprocensus("run", manifest, *names, "--store", "s", **env).stdout
        server.model = "other"
        refused = reprocensus("run", manifest, *names, "--store", "u", **env)
        assert refused.returncode == 2
        assert "fitted for tiny, to judge with other" in refused.stderr


def table_of(folder: Path, store: str) -> dict[str, float]:
    """Each variable's one confidence."""
    import polars as pl

    rows = pl.read_parquet(folder / store / "tables" / "verdicts")
    found = rows.group_by("variable").agg(pl.col("confidence").unique())
    assert all(len(values) == 1 for values in found["confidence"])
    return {name: round(values[0], 6) for name, values in found.iter_rows()}


def test_probabilities_that_are_alike_to_six_digits_are_one_knot() -> None:
    """Found by the property test above."""
    assert knots([(0.0, 0.0, 1.0), (6.7e-183, 1.0, 1.0)], 2).probabilities == (0.0,)
