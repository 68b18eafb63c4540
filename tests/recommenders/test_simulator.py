"""The simulated catalogue: what each switch turns off, and that truth, log and pairs agree."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from scipy.special import expit, logit

from causalbook.recommenders import catalogue

SHAPE = (120, 80)
ALL_ON = {"popularity_bias": 1.5, "selection": 0.8, "organic": 0.6, "density": 0.2}


def table(world, name, shape=SHAPE):
    return world.potential[name].to_numpy().reshape(shape)


def test_one_seed_one_world():
    a, b, c = (catalogue(30, 20, seed=s, **ALL_ON) for s in (3, 3, 4))
    pd.testing.assert_frame_equal(a.data, b.data, check_exact=True)
    pd.testing.assert_frame_equal(a.potential, b.potential, check_exact=True)
    assert a.truth == b.truth
    assert not a.data.equals(c.data)


@pytest.mark.parametrize("switches", [{}, ALL_ON], ids=["default", "all on"])
def test_the_log_is_the_observed_pairs_and_the_truth_is_counted(switches):
    world = catalogue(*SHAPE, seed=11, **switches)
    pairs = world.potential
    assert (pairs["user"] == np.repeat(np.arange(120), 80)).all()
    assert (pairs["item"] == np.tile(np.arange(80), 120)).all()
    seen = pairs[pairs["observed"]].reset_index(drop=True)
    assert list(world.data.columns) == ["user", "item", "rating", "pscore"]
    for log, hidden in [("user",) * 2, ("item",) * 2, ("rating",) * 2, ("pscore", "propensity")]:
        assert (world.data[log] == seen[hidden]).all()
    for name in ("rating", "click", "organic"):
        assert world.truth[f"mean {name}"] == pytest.approx(pairs[name].mean(), abs=1e-12)
    effect = (pairs["click"] - pairs["organic"]).mean()
    assert world.truth["mean effect"] == pytest.approx(effect, abs=1e-12)
    assert set(pairs["rating"]) == {1, 2, 3, 4, 5}


def test_the_taste_has_rank_four_and_decides_ratings_and_clicks():
    world = catalogue(*SHAPE, seed=12)
    taste = table(world, "taste")
    assert np.linalg.matrix_rank(taste, tol=1e-8) == 4
    assert np.allclose(logit(table(world, "click")), taste - 2, atol=1e-10)
    # The rating is the taste and noise of half a point: a normal law, cut at the half points.
    lower, upper = (scipy.stats.norm.cdf((x - 3 - taste.ravel()) / 0.5) for x in (3.5, 4.5))
    share, expected = (world.potential["rating"] == 4).sum(), (upper - lower).sum()
    assert abs(share - expected) < 4 * math.sqrt(expected)
    five = (1 - upper).sum()
    assert abs((world.potential["rating"] == 5).sum() - five) < 4 * math.sqrt(five)


def test_the_taste_is_standard_and_fame_is_half_quality():
    """Over many catalogues, since one catalogue has few items and users."""
    worlds = [catalogue(40, 40, seed=s).potential for s in range(60)]
    taste = np.array([w["taste"].to_numpy().reshape(40, 40) for w in worlds])
    fame = np.array([w["fame"].to_numpy().reshape(40, 40)[0] for w in worlds])
    assert abs(taste.mean()) < 0.05
    assert abs(taste.var() - 1) < 0.05
    between = taste.mean(axis=1)  # an item's mean over users: quality / sqrt(2), a little personal
    assert abs(between.var() - 0.5 - 0.5 / 40) < 0.06
    assert abs(fame.var() - 1) < 0.08
    slope = (between * fame).mean() * math.sqrt(2)  # covariance of quality and fame
    assert abs(slope - 0.5) < 0.08


def test_both_switches_off_is_a_lottery_over_pairs():
    world = catalogue(*SHAPE, popularity_bias=0.0, density=0.3, seed=13)
    p = table(world, "propensity")
    assert np.ptp(p) == 0
    assert p[0, 0] == pytest.approx(0.3, abs=1e-12)
    n, y = p.size, world.data["rating"]
    assert scipy.stats.binomtest(len(y), n, 0.3).pvalue > 0.001
    assert abs(y.mean() - world.truth["mean rating"]) < 4 * y.std() / math.sqrt(len(y))


@pytest.mark.parametrize(("bias", "selection"), [(1.0, 0.0), (0.0, 2.0), (0.7, 0.4)])
def test_the_propensity_is_the_logit_of_the_docstring(bias, selection):
    world = catalogue(*SHAPE, popularity_bias=bias, selection=selection, density=0.15, seed=14)
    pairs = world.potential
    rest = logit(pairs["propensity"]) - bias * pairs["fame"] - selection * pairs["taste"]
    assert np.ptp(rest) < 1e-9  # the intercept
    assert pairs["propensity"].mean() == pytest.approx(0.15, abs=1e-12)
    assert np.ptp(table(world, "fame"), axis=0).max() == 0  # fame is the item's


def test_popularity_and_selection_are_detected_and_weights_undo_them():
    off = catalogue(300, 200, popularity_bias=0.0, seed=15)
    for switch in ({}, {"popularity_bias": 0.0, "selection": 1.0}):
        on = catalogue(300, 200, seed=15, **switch)
        for name in ("taste", "fame", "rating", "click"):
            assert (on.potential[name] == off.potential[name]).all()  # the world stays
        y, truth = on.data["rating"], on.truth["mean rating"]
        assert y.mean() - truth > 8 * y.std() / math.sqrt(len(y))
        w = 1 / on.data["pscore"]
        error = ((w * (y - truth)) ** 2).sum() ** 0.5 / w.sum()
        assert abs((w @ y) / w.sum() - truth) < 4 * error
    counts = [
        np.bincount(w.data["item"], minlength=200) for w in (off, catalogue(300, 200, seed=15))
    ]
    assert counts[1].var() > 5 * counts[0].var()


def test_organic_is_found_by_fame_and_taste():
    off, on = catalogue(*SHAPE, seed=16), catalogue(*SHAPE, organic=0.5, seed=16)
    assert not off.potential["organic"].any()
    assert off.truth["mean effect"] == off.truth["mean click"]
    p = on.potential
    assert np.allclose(p["organic"], p["click"] * 0.5 * expit(p["fame"] + p["taste"]), atol=1e-12)
    pd.testing.assert_frame_equal(off.data, on.data, check_exact=True)


def test_what_makes_no_catalogue_is_refused():
    for sizes, name in [((1, 5), "n_users is 1"), ((5, 1), "n_items is 1"), ((5, 2.5), "n_items")]:
        with pytest.raises(ValueError, match=f"{name}.*at least two"):
            catalogue(*sizes, seed=0)
    for name in ("popularity_bias", "selection", "organic"):
        for value in (-0.1, math.nan, math.inf):
            with pytest.raises(ValueError, match=f"{name} is {value}: a switch is 0"):
                catalogue(5, 5, seed=0, **{name: value})
    with pytest.raises(ValueError, match=r"organic is 1\.1: it is a share"):
        catalogue(5, 5, organic=1.1, seed=0)
    for density in (0, 1, math.nan):
        with pytest.raises(ValueError, match=f"density is {density}"):
            catalogue(5, 5, density=density, seed=0)
    with pytest.raises(ValueError, match="seed is None"):
        catalogue(5, 5, seed=None)
