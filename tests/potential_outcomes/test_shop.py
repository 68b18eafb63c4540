"""The simulated shop: what each switch turns off, and that truth, log and table agree."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from causalbook.potential_outcomes import shop

N = 20_000
ALL_ON = {
    "hidden": 0.7,
    "heterogeneity": 0.8,
    "interference": 0.6,
    "position_bias": 0.5,
    "popularity_bias": 0.4,
    "missing": 0.5,
    "noncompliance": 0.4,
}
COVARIATES = ["visits", "searches", "dwell", "taste"]


def table(world, name):
    return world.potential[[f"{name}_{k}" for k in range(4)]].to_numpy()


def taken(world, name):
    return table(world, name)[np.arange(len(world.data)), world.data["item"]]


def test_one_seed_one_world():
    a, b, c = shop(500, seed=3, **ALL_ON), shop(500, seed=3, **ALL_ON), shop(500, seed=4, **ALL_ON)
    pd.testing.assert_frame_equal(a.data, b.data, check_exact=True)
    pd.testing.assert_frame_equal(a.potential, b.potential, check_exact=True)
    assert a.truth == b.truth
    assert not a.data.equals(c.data)


@pytest.mark.parametrize("switches", [{}, ALL_ON], ids=["default", "all on"])
def test_the_log_is_the_table_at_the_item_offered(switches):
    world = shop(N, seed=11, **switches)
    data = world.data
    for log, hidden in [("viewed", "view"), ("cart", "cart"), ("position", "position")]:
        assert (data[log] == taken(world, hidden)).all()
    assert (data["pscore"] == taken(world, "propensity")).all()
    kept = data["purchase"].notna()
    assert (data["purchase"] == taken(world, "purchase"))[kept].all()
    assert (data["offered"] == (data["item"] > 0)).all()
    filled = data["offered"] == 1
    assert (data["item"] == world.potential["item_if_offered"])[filled].all()
    assert set(data["item"]) == {0, 1, 2, 3}
    assert np.allclose(table(world, "propensity").sum(axis=1), 1, rtol=0, atol=1e-12)
    assert np.allclose(data["propensity"], 1 - world.potential["propensity_0"], rtol=0, atol=1e-12)
    assert table(world, "propensity").min() > 0


@pytest.mark.parametrize("switches", [{}, ALL_ON], ids=["default", "all on"])
def test_the_truth_is_counted_from_the_tables(switches):
    world = shop(N, seed=12, **switches)
    y, truth, p = table(world, "purchase"), world.truth, world.potential
    k = p["item_if_offered"].to_numpy()
    effect = y[np.arange(N), k] - y[:, 0]
    a = world.data["offered"].to_numpy()
    looks = table(world, "view")[np.arange(N), k] == 1
    groups = {"ATE": a >= 0, "ATT": a == 1, "ATU": a == 0, "complier effect": looks}
    groups |= {f"CATE intent {x}": (p["intent"] == x).to_numpy() for x in (0, 1)}
    for name, who in groups.items():
        assert truth[name] == pytest.approx(effect[who].mean(), abs=1e-12)
    assert not effect[~looks].any()  # who does not look is not affected
    pi = table(world, "propensity")
    assert truth["value of logging"] == pytest.approx((pi * y).sum(axis=1).mean(), abs=1e-12)
    assert truth["value of uniform"] == pytest.approx(y[:, 1:].mean(), abs=1e-12)
    assert truth["value of empty"] == y[:, 0].mean()
    by_taste = y[np.arange(N), world.data["taste"]]
    assert truth["value of taste"] == pytest.approx(by_taste.mean(), abs=1e-12)
    for item in (1, 2, 3):
        assert truth[f"value of item {item}"] == pytest.approx(y[:, item].mean(), abs=1e-12)
    assert truth["ATE"] == pytest.approx(truth["NDE"] + truth["TNIE"], abs=1e-12)
    assert truth["ATE"] == pytest.approx(truth["TNDE"] + truth["NIE"], abs=1e-12)


def test_the_population_effects_of_the_docstring():
    truth = shop(200_000, seed=13).truth
    for name, expected in {"ATE": 0.11, "NDE": 0.05, "NIE": 0.06, "CATE intent 0": 0.11}.items():
        assert abs(truth[name] - expected) < 5 * math.sqrt(0.25 / 100_000), name


def band(world):
    """Shown minus not shown with Welch's error, in plain numpy."""
    data = world.data.dropna()
    y1, y0 = (data.loc[data["offered"] == a, "purchase"] for a in (1, 0))
    return y1.mean() - y0.mean(), math.sqrt(y1.var() / len(y1) + y0.var() / len(y0))


def test_confounding_is_what_the_policy_reads_and_nothing_else():
    off, on = shop(N, seed=14, confounding=0.0), shop(N, seed=14, confounding=1.0)
    assert set(off.potential["propensity_0"]) == {0.5}
    assert np.ptp(table(off, "propensity"), axis=0).max() == 0  # no covariate moves it
    for name in ("view", "cart", "purchase"):
        assert (table(off, name) == table(on, name)).all()  # the visits stay the same
    naive, se = band(off)
    assert abs(naive - off.truth["ATE"]) < 4 * se
    naive, se = band(on)
    assert naive - on.truth["ATE"] > 8 * se
    weights = on.data["offered"] / on.data["propensity"]
    rest = (1 - on.data["offered"]) / (1 - on.data["propensity"])
    y = on.data["purchase"]
    assert abs((weights * y).mean() - (rest * y).mean() - on.truth["ATE"]) < 4 * 2 * se


def test_without_hidden_the_propensity_is_a_function_of_the_four_covariates():
    world = shop(N, seed=15)
    frame = world.data[COVARIATES].assign(p=world.potential["propensity_1"])
    score = 0.25 * (frame["visits"] - 2) + 0.5 * (frame["searches"] - 2)
    score += 0.5 * (frame["dwell"] - 0.5)
    filled = np.exp(score) * (np.e + 2)  # one of the three items is the taste
    assert np.allclose(world.data["propensity"], filled / (3 + filled), rtol=1e-10)
    assert np.allclose(frame["p"] * (3 + filled), np.exp(score + (frame["taste"] == 1)), rtol=1e-10)


def test_hidden_makes_the_policy_read_the_intent():
    world, plain = shop(N, seed=16, hidden=1.0), shop(N, seed=16)
    odds = world.data["propensity"] / (1 - world.data["propensity"])
    before = plain.data["propensity"] / (1 - plain.data["propensity"])
    assert np.allclose(odds / before, np.exp(2.0 * world.potential["intent"] - 1), rtol=1e-8)
    assert (table(world, "purchase") == table(plain, "purchase")).all()


def test_noncompliance_and_position_bias_decide_who_looks():
    off = shop(N, seed=17)
    assert (off.data["viewed"] == off.data["offered"]).all()
    assert off.truth["complier effect"] == off.truth["ATE"]
    lazy = shop(N, seed=17, noncompliance=0.8)
    intent = lazy.potential["intent"]
    offered = lazy.data["offered"] == 1
    assert not lazy.data.loc[~offered, "viewed"].any()
    for x, share in [(0, 0.2), (1, 0.6)]:
        seen = lazy.potential.loc[intent == x, "view_1"]
        assert scipy.stats.binomtest(int(seen.sum()), len(seen), share).pvalue > 0.001
    tilted = shop(N, seed=17, position_bias=1.0)
    for place in (1, 2, 3):
        seen = tilted.potential.loc[tilted.potential["position_2"] == place, "view_2"]
        assert scipy.stats.binomtest(int(seen.sum()), len(seen), 1 / place).pvalue > 0.001


def test_popularity_moves_offers_and_places_but_no_outcome():
    off, on = (
        shop(N, seed=18, confounding=0.0),
        shop(N, seed=18, confounding=0.0, popularity_bias=1.0),
    )
    assert np.allclose(table(off, "propensity")[0, 1:], 1 / 6)
    ratio = table(on, "propensity")[:, 1] / table(on, "propensity")[:, 3]
    assert np.allclose(ratio, np.exp(2.0))
    places = [on.potential[f"position_{k}"].mean() for k in (1, 2, 3)]
    assert places == sorted(places)
    assert places[0] < places[1] < places[2]
    even = scipy.stats.chisquare(np.bincount(off.potential["position_1"])[1:])
    assert even.pvalue > 0.001
    assert (table(off, "purchase") == table(on, "purchase")).all()


def test_heterogeneity_makes_items_and_intents_differ():
    same, differ = shop(N, seed=19), shop(N, seed=19, heterogeneity=1.0)
    y = table(same, "purchase")
    assert (y[:, 1] == y[:, 2]).all()
    assert (y[:, 1] == y[:, 3]).all()
    assert same.truth["value of taste"] == same.truth["value of uniform"]
    low, high = (differ.truth[f"CATE intent {x}"] for x in (0, 1))
    assert low - high > 0.03
    assert differ.truth["value of taste"] > differ.truth["value of uniform"] + 0.01


def test_missing_depends_on_offer_and_intent():
    off, on = shop(N, seed=20), shop(N, seed=20, missing=1.0)
    assert off.data["purchase"].notna().all()
    lost = on.data["purchase"].isna()
    for x in (0, 1):
        for a in (0, 1):
            cell = lost[(on.potential["intent"] == x) & (on.data["offered"] == a)]
            chance = 0.2 + 0.3 * x + 0.4 * a
            assert scipy.stats.binomtest(int(cell.sum()), len(cell), chance).pvalue > 0.001
    assert (off.data["purchase"] == on.data["purchase"])[~lost].all()
    assert off.truth == on.truth


def test_interference_is_felt_through_the_other_visits_of_the_city():
    off, on = shop(N, seed=21), shop(N, seed=21, interference=1.0)
    assert off.truth["total effect"] == off.truth["ATE"]
    assert on.truth["total effect"] < 0 < on.truth["ATE"] < off.truth["ATE"]
    sales = [shop(N, seed=21, interference=i).data["purchase"].sum() for i in (0.0, 0.5, 1.0)]
    assert all(a > b for a, b in pairwise(sales))
    for name in ("view", "cart"):
        assert (table(off, name) == table(on, name)).all()


def test_switches_out_of_range_are_refused():
    with pytest.raises(ValueError, match="n is 1: a shop needs at least two visits"):
        shop(1, seed=0)
    for name in ("confounding", *ALL_ON):
        with pytest.raises(ValueError, match=f"{name} is -0.1: a switch is 0"):
            shop(10, seed=0, **{name: -0.1})
        with pytest.raises(ValueError, match=f"{name} is nan"):
            shop(10, seed=0, **{name: math.nan})
    for name in ("heterogeneity", "interference", "missing", "noncompliance"):
        with pytest.raises(ValueError, match=f"{name} is 1.1: it is a share"):
            shop(10, seed=0, **{name: 1.1})


def test_a_group_without_visits_has_no_effect():
    tiny = shop(2, seed=1)
    assert sum(math.isnan(tiny.truth[x]) for x in ("ATT", "ATU")) <= 1
    assert len(tiny.data) == 2


@pytest.mark.parametrize("seed", [None, 1.5, "7", -1])
def test_a_world_that_would_not_repeat_is_refused(seed):
    with pytest.raises(ValueError, match="seed is"):
        shop(10, seed=seed)
    with pytest.raises(ValueError, match=r"n is 2\.5"):
        shop(2.5, seed=1)
