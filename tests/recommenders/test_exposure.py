"""Exposure propensities: parity with a logistic regression, exact counts, each refusal."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from causalbook.recommenders import catalogue, exposure_propensity, rating_propensity

# Who rated what: four users, five items; nobody rated all, nothing was rated by all.
SEEN = np.array([[1, 1, 0, 1, 0], [1, 0, 1, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 1, 1]])
USER, ITEM = np.nonzero(SEEN)


def logistic(seen):
    """Fitted probabilities of a logistic regression with a dummy for each user and item."""
    u, i = np.indices(seen.shape)
    dummies = pd.get_dummies(pd.DataFrame({"u": u.ravel(), "i": i.ravel()}), columns=["u", "i"])
    X = dummies.astype(float).drop(columns="i_0")
    fitted = sm.GLM(seen.ravel(), X, family=sm.families.Binomial()).fit(tol=1e-12, maxiter=200)
    return fitted.fittedvalues.to_numpy().reshape(seen.shape)


def test_equals_a_logistic_regression_on_all_pairs():
    # statsmodels 0.15.0, GLM with the binomial family
    for seen in (SEEN, np.random.default_rng(1).random((12, 9)) < 0.4):
        P = exposure_propensity(*np.nonzero(seen))
        np.testing.assert_allclose(P, logistic(seen)[np.nonzero(seen)], rtol=1e-8)


def test_labels_and_order_do_not_matter():
    P = exposure_propensity(USER, ITEM)
    names = np.array(["ann", "bob", "cyd", "dan"])[USER]
    turn = np.random.default_rng(2).permutation(len(USER))
    np.testing.assert_allclose(exposure_propensity(names[turn], 70 - ITEM[turn]), P[turn], 1e-9)


def test_turning_users_into_items_changes_nothing():
    P = exposure_propensity(USER, ITEM)
    np.testing.assert_allclose(exposure_propensity(ITEM, USER), P, rtol=1e-9)


def test_where_all_are_equally_active_and_popular_it_is_the_share_observed():
    ring = np.arange(6)
    user, item = np.tile(ring, 2), np.concatenate([ring, (ring + 1) % 6])
    np.testing.assert_allclose(exposure_propensity(user, item), 2 / 6, rtol=1e-9)


def test_sparse_logs_give_the_product_and_dense_ones_stay_below_one():
    rng = np.random.default_rng(3)
    sparse = np.nonzero(rng.random((400, 300)) < 0.02 * rng.random(300))
    user, item = sparse
    product = np.bincount(user)[user] * np.bincount(item)[item] / len(user)
    np.testing.assert_allclose(exposure_propensity(user, item), product, rtol=0.15)
    ease = np.linspace(-3, 4, 60)
    dense = rng.random((80, 60)) < 1 / (1 + np.exp(-np.linspace(-4, 3, 80)[:, None] - ease))
    user, item = np.nonzero(dense)
    assert (np.bincount(user)[user] * np.bincount(item)[item] / len(user)).max() > 1
    assert exposure_propensity(user, item).max() < 1


def test_recovers_the_propensities_of_a_world_with_popularity_alone():
    world = catalogue(1500, 120, popularity_bias=1.0, selection=0.0, density=0.1, seed=11)
    log = world.data
    P = exposure_propensity(log["user"], log["item"])
    # A user's activity is learned from some 12 ratings: an item's mean over its users is sharper.
    frame = pd.DataFrame({"item": log["item"], "fitted": P, "true": log["pscore"]})
    means = frame.groupby("item").mean()
    assert np.corrcoef(np.log(means["fitted"]), np.log(means["true"]))[0, 1] > 0.98
    assert abs((1 / P).sum() / len(world.potential) - 1) < 0.02


def test_it_takes_popularity_out_of_a_mean_and_leaves_personal_selection_in():
    for selection, low, high in ((0.0, -0.05, 0.05), (1.5, 0.25, 0.6)):
        world = catalogue(800, 150, selection=selection, density=0.1, seed=12)
        log = world.data
        w = 1 / exposure_propensity(log["user"], log["item"])
        plain, truth = log["rating"].mean(), world.truth["mean rating"]
        left = (np.average(log["rating"], weights=w) - truth) / (plain - truth)
        assert low < left < high, left


def test_refuses_what_it_cannot_fit():
    with pytest.raises(ValueError, match=r"a user and an item again in 1 of 10 rows \(first: 9"):
        exposure_propensity([*USER, USER[2]], [*ITEM, ITEM[2]])
    with pytest.raises(ValueError, match="unequal lengths: user has 9, item has 8"):
        exposure_propensity(USER, ITEM[:-1])
    with pytest.raises(ValueError, match=r"item is missing in 1 of 9 rows"):
        exposure_propensity(USER, [*ITEM[:-1].astype(float), np.nan])
    with pytest.raises(ValueError, match="user is empty: pass one row"):
        exposure_propensity([], [])
    full = SEEN.copy()
    full[1] = 1
    with pytest.raises(ValueError, match="a user has rated every item"):
        exposure_propensity(*np.nonzero(full))


def test_naive_bayes_by_hand():
    # 100 pairs; the log has 4 ratings of 1 and 12 of 5, the slice says 3 in 5 are ones.
    P = rating_propensity([1] * 4 + [5] * 12, [1, 1, 1, 5, 5], pairs=100)
    np.testing.assert_allclose(P, [4 / 60] * 4 + [12 / 40] * 12, rtol=1e-12)


def test_naive_bayes_takes_a_log_of_all_pairs():
    P = rating_propensity([1, 5, 5], [1, 5, 5], pairs=3)
    np.testing.assert_allclose(P, 1, rtol=1e-12)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=40),
    st.lists(st.integers(1, 5), max_size=40),
)
def test_naive_bayes_weights_turn_the_log_into_the_slice(logged, more):
    """Any function of the rating: its weighted sum over the log is N times its mean in the slice,
    if the slice holds the ratings of the log."""
    slice_ = [*set(logged), *(r for r in more if r in logged)]
    pairs = 41 * (len(slice_) + len(logged))
    P = rating_propensity(logged, slice_, pairs=pairs)
    f = np.array([0, 3.0, -1.0, 0.5, 7.0, 2.0])
    assert (f[logged] / P).sum() == pytest.approx(pairs * f[slice_].mean(), rel=1e-10, abs=1e-9)


def test_naive_bayes_sees_the_rating_and_not_the_item():
    world = catalogue(500, 200, popularity_bias=0.0, selection=1.5, density=0.1, seed=13)
    log, all_ratings = world.data, world.potential["rating"]
    uniform = all_ratings.sample(3000, random_state=1)
    P = rating_propensity(log["rating"], uniform, pairs=len(all_ratings))
    of_rating = world.potential.groupby("rating")["propensity"].mean()
    found = pd.Series(P).groupby(log["rating"]).first()
    np.testing.assert_allclose(found, of_rating, rtol=0.25)
    assert (found.diff().dropna() > 0).all()


def test_naive_bayes_refuses_what_makes_no_propensity():
    with pytest.raises(ValueError, match="no rating of 2, 4, the log has 3"):
        rating_propensity([1, 2, 4, 4], [1, 1, 3], pairs=50)
    with pytest.raises(ValueError, match="pairs is 3: all pairs are at least the 4"):
        rating_propensity([1, 2, 2, 1], [1, 2], pairs=3)
    with pytest.raises(ValueError, match="pairs is nan"):
        rating_propensity([1, 2, 2, 1], [1, 2], pairs=np.nan)
    with pytest.raises(ValueError, match="rating is 5 in 3 rows of the log, which is 3 times"):
        rating_propensity([5, 5, 5, 1], [5, *[1] * 9], pairs=10)
    with pytest.raises(ValueError, match=r"uniform \('asked'\) is NaN or infinite in 1 of 2 rows"):
        rating_propensity([1, 2], pd.Series([1.0, np.nan], name="asked"), pairs=9)
    with pytest.raises(ValueError, match="rating holds <U4 values"):
        rating_propensity(["good"], [1], pairs=9)
