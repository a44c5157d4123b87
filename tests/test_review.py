"""Review: the draw's probabilities are what they say, labels are kept as given, and the loop closes."""

import math

import numpy as np
import pytest

from reprocensus.review.sampling import TYPE, Item, draw, probabilities, worth
from reprocensus.schemas import load_variables

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
    frame = items(300)
    few, more = draw(frame, 30, 0.3, 7), draw(frame, 90, 0.3, 7)
    assert few == draw(list(reversed(frame)), 30, 0.3, 7) or {d.key for d in few} == {
        d.key for d in draw(list(reversed(frame)), 30, 0.3, 7)
    }
    assert {one.key for one in few} < {one.key for one in more}
    assert {one.key for one in few} != {one.key for one in draw(frame, 30, 0.3, 8)}


def test_the_research_type_comes_first_and_with_its_own_probability() -> None:
    frame = [Item(f"V-2020/p{k}", v.name, "Yes", 0.8) for k in range(40) for v in VARIABLES]
    chance = probabilities([worth(item) for item in frame], 60, 0.3)[0]
    asked = draw(frame, 60, 0.3, 3)
    seen: set[str] = set()
    for one in asked:
        if one.variable == TYPE:
            seen.add(one.paper_id)
            assert one.probability == pytest.approx(1 - (1 - chance) ** len(VARIABLES))
        assert one.paper_id in seen
    assert any(one.along for one in asked)
    often = [sum(o.variable == TYPE for o in draw(frame, 60, 0.3, seed)) / 40 for seed in range(100)]
    assert float(np.mean(often)) == pytest.approx(1 - (1 - chance) ** len(VARIABLES), abs=0.03)


def test_weighted_estimates_are_unbiased_and_the_plain_mean_is_not() -> None:
    frame = items(400)
    random = np.random.default_rng(5)
    right = {item.key: random.random() < (item.confidence or 0) for item in frame}
    truth = float(np.mean(list(right.values())))
    weighted, plain, half = [], [], []
    for seed in range(400):
        asked = [one for one in draw(frame, 80, 0.3, seed) if not one.along]
        w = np.array([1 / one.probability for one in asked])
        y = np.array([right[one.key] for one in asked])
        weighted.append((w * y).sum() / len(frame))
        plain.append(y.mean())
        # Who stops half way has a random part of the draw.
        stop = len(asked) // 2
        half.append((w[:stop] * y[:stop]).sum() / w[:stop].sum())
    error = float(np.std(weighted)) / math.sqrt(len(weighted))
    assert np.mean(weighted) == pytest.approx(truth, abs=3 * error)
    assert np.mean(half) == pytest.approx(truth, abs=0.012)
    assert truth - np.mean(plain) > 0.05
