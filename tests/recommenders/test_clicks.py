"""The click model: exact tables, the likelihood maximised another way, and what is refused."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from causalbook.potential_outcomes import shop
from causalbook.recommenders import click_model

LOOKS = [Fraction(1), Fraction(3, 5), Fraction(1, 4)]
LIKED = {"a": Fraction(1, 2), "b": Fraction(1, 5), "c": Fraction(1, 20)}


def expected(stood):
    """One row for each cell (item, position) with its exact chance of a click."""
    rows = [(i, j, LIKED[i] * LOOKS[j - 1]) for i, j in stood]
    return [list(column) for column in zip(*rows, strict=True)]


def values(model):
    return np.array([e.value for e in model.examination.values()])


@pytest.mark.parametrize(
    "stood",
    [
        [(i, j) for i in "abc" for j in (1, 2, 3)],
        [("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 3)],  # a chain is enough
    ],
    ids=["all cells", "a chain"],
)
def test_exact_tables_give_the_model_back(stood):
    item, position, chance = expected(stood)
    model = click_model(item, position, [float(c) for c in chance])
    assert list(model.examination) == [1.0, 2.0, 3.0]
    assert np.allclose(values(model), [float(x) for x in LOOKS], rtol=1e-9, atol=0)
    assert list(model.attraction.index) == ["a", "b", "c"]
    assert np.allclose(model.attraction, [float(x) for x in LIKED.values()], rtol=1e-9, atol=0)


def test_a_position_may_be_looked_at_more_than_the_first():
    item, position, chance = expected([(i, j) for i in "abc" for j in (1, 2, 3)])
    model = click_model(item, [4 - j for j in position], [float(c) for c in chance])
    assert np.allclose(values(model), [1, 12 / 5, 4], rtol=1e-9)


def test_where_clicks_are_rare_em_settles_in_fifty_steps_all_the_same(monkeypatch):
    """Plain EM needs thousands there: each step moves by about the click rate."""
    theta, gamma = np.array([1.0, 0.6, 0.3]), np.array([0.01, 0.004, 0.002, 0.001])
    i, j = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    monkeypatch.setattr("causalbook.recommenders.clicks.STEPS", 50)
    assert np.allclose(values(click_model(i, j, theta[j] * gamma[i])), theta, rtol=1e-9)
    monkeypatch.setattr("causalbook.recommenders.clicks.STEPS", 2)
    with pytest.raises(ValueError, match=r"EM still moves by .* after 2 steps: too few clicks"):
        click_model(i, j, theta[j] * gamma[i])


def draw(rng, n=3000, items=4):
    """Better items stand higher."""
    theta, gamma = np.array([1.0, 0.6, 0.3]), np.linspace(0.6, 0.15, items)
    i = rng.integers(items, size=n)
    weights = np.exp(-0.5 * np.outer(i / items, np.arange(3) - 1) * -2)
    j = (rng.random((n, 1)) > (weights / weights.sum(1, keepdims=True)).cumsum(1)[:, :2]).sum(1)
    return i, j + 1, (rng.random(n) < theta[j] * gamma[i]).astype(float)


def minus_log_likelihood(x, i, j, c, items):
    """The likelihood from its definition, in log looks and log attractions."""
    eta = np.append(0.0, x[: 3 - 1])[j - 1] + x[2:][i]
    eta = np.minimum(eta, -1e-9)
    return -(c * eta + (1 - c) * np.log1p(-np.exp(eta))).sum()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_em_finds_what_a_general_maximiser_finds(seed):
    i, j, c = draw(np.random.default_rng(seed))
    best = minimize(
        minus_log_likelihood,
        np.log([0.5, 0.5, 0.3, 0.3, 0.3, 0.3]),
        args=(i, j, c, 4),
        method="BFGS",
        options={"gtol": 1e-3},
    )
    model = click_model(i, j, c)
    assert np.allclose(np.log(values(model)[1:]), best.x[:2], atol=1e-4)
    assert np.allclose(np.log(model.attraction), best.x[2:], atol=1e-4)
    x = np.concatenate([np.log(values(model)[1:]), np.log(model.attraction)])
    assert minus_log_likelihood(x, i, j, c, 4) <= best.fun + 1e-9


@pytest.mark.parametrize("seed", [1, 2])
def test_the_standard_error_is_the_sandwich_of_the_whole_likelihood(seed):
    """All parameters at once, by numerical second derivatives and rows' own scores."""
    i, j, c = draw(np.random.default_rng(seed))
    model = click_model(i, j, c)
    x = np.concatenate([np.log(values(model)[1:]), np.log(model.attraction)])
    design = np.zeros((len(c), 6))
    for k in (2, 3):
        design[:, k - 2] = j == k
    design[np.arange(len(c)), 2 + i] = 1
    p = np.exp(design @ x)
    score = ((c - p) / (1 - p))[:, None] * design
    information = (design * (p / (1 - p))[:, None]).T @ design
    inverse = np.linalg.inv(information)
    sandwich = inverse @ (score.T @ score) @ inverse
    se = np.sqrt(np.diag(sandwich))[:2] * values(model)[1:]
    assert np.allclose([model.examination[k].se for k in (2.0, 3.0)], se, rtol=1e-6)
    psi = len(c) * (score @ inverse)[:, :2] * values(model)[1:]
    for k in (0, 1):
        assert np.allclose(model.examination[k + 2.0].influence, psi[:, k], atol=1e-6)
    first = model.examination[1.0]
    assert first.value == 1
    assert first.se == 0
    assert "the scale" in first.notes[0]


def test_clusters_reach_the_error_and_duplicated_rows_leave_it():
    i, j, c = draw(np.random.default_rng(5), n=800)
    once = click_model(i, j, c)
    twice = click_model(*(np.tile(x, 2) for x in (i, j, c)), cluster=np.tile(np.arange(800), 2))
    for at in (2.0, 3.0):
        assert twice.examination[at].value == pytest.approx(once.examination[at].value, rel=1e-8)
        assert twice.examination[at].se == pytest.approx(once.examination[at].se, rel=1e-6)


@given(st.permutations(range(4)), st.integers(1, 1000))
def test_other_labels_and_another_order_of_rows_change_nothing(order, seed):
    rng = np.random.default_rng(seed)
    i, j, c = draw(np.random.default_rng(7), n=600)
    plain = click_model(i, j, c)
    row = rng.permutation(600)
    names = np.array(["w", "x", "y", "z"])[list(order)]
    other = click_model(names[i][row], 10.0 * j[row], c[row])
    assert np.allclose(values(other), values(plain), rtol=1e-7)
    assert list(other.examination) == [10.0, 20.0, 30.0]
    assert np.allclose(other.attraction[names], plain.attraction, rtol=1e-7)


def test_click_rates_by_position_mix_in_the_items_and_the_model_does_not():
    i, j, c = draw(np.random.default_rng(11), n=40_000)
    rates = pd.Series(c).groupby(j).mean()
    model = click_model(i, j, c)
    for at, theta in [(2, 0.6), (3, 0.3)]:
        e = model.examination[at]
        assert abs(e.value - theta) < 4 * e.se
        assert theta - rates[at] / rates[1] > 4 * e.se


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_it_reads_the_position_bias_of_the_shop(power):
    world = shop(20_000, position_bias=power, popularity_bias=0.5, noncompliance=0.5, seed=21)
    data = world.data[world.data["item"] > 0]
    model = click_model(data["item"], data["position"], data["viewed"])
    for at in (2, 3):
        e = model.examination[at]
        assert abs(e.value - at**-power) < 4 * e.se
        assert e.se < 0.03


def test_items_and_positions_without_clicks_are_zero_and_say_so():
    item = ["a", "a", "a", "b", "b", "b"]
    model = click_model(item * 4, [1, 2, 3] * 8, [0.5, 0.25, 0, 0, 0, 0] * 4)
    assert model.attraction["b"] == 0
    assert model.examination[3.0].value == 0
    assert math.isnan(model.examination[3.0].se)
    assert "not one click" in model.examination[3.0].notes[0]
    assert model.examination[2.0].value == pytest.approx(0.5, rel=1e-9)
    assert model.examination[2.0].se > 0


def test_the_edge_of_the_model_has_no_standard_error():
    item, position = ["a"] * 8 + ["b"] * 8, [1, 1, 1, 1, 2, 2, 2, 2] * 2
    click = [1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0]
    model = click_model(item, position, click)
    assert model.attraction["a"] == pytest.approx(1)
    assert model.examination[2.0].value == pytest.approx(0.5, abs=1e-6)
    assert math.isnan(model.examination[2.0].se)
    assert "the edge" in model.examination[2.0].notes[0]


def test_positions_that_no_clicked_item_ties_are_refused():
    with pytest.raises(ValueError, match=r"ties 1 of 2 positions \(first: 2\) to position 1"):
        click_model(["a", "a", "b", "b"], [1, 1, 2, 2], [1, 0, 1, 0])
    # Item c stood at both, but nobody ever clicked it: it says nothing of the positions.
    with pytest.raises(ValueError, match="swap items between positions"):
        click_model(["a", "a", "b", "b", "c", "c"], [1, 1, 2, 2, 1, 2], [1, 0, 1, 0, 0, 0])
    far = [(1, "a"), (2, "a"), (2, "b"), (3, "b"), (4, "c"), (5, "c")]
    with pytest.raises(ValueError, match=r"ties 2 of 5 positions \(first: 4, 5\)"):
        click_model([i for _, i in far], [j for j, _ in far], [0.5] * 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"click": [0, 2, 0, 1]}, r"click is outside \[0, 1\] in 1 of 4 rows"),
        ({"click": [0, -1, 0, 1]}, r"click is outside \[0, 1\]"),
        ({"click": [0, math.nan, 0, 1]}, "click is NaN"),
        ({"click": [0, 1, 0, 1]}, "click is 0 in every row at position 1"),
        ({"click": [0, 1, 0]}, "unequal lengths"),
        ({"position": [1, 1, 1, 1]}, "position is 1 in every row"),
        ({"position": ["top", "low", "top", "low"]}, "position holds"),
        ({"item": ["a", None, "b", "b"]}, "item is missing in 1 of 4 rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    good = {"item": ["a", "a", "b", "b"], "position": [1, 2, 1, 2], "click": [1, 0.5, 0.5, 0.25]}
    click_model(**good)
    with pytest.raises(ValueError, match=message):
        click_model(**(good | change))
