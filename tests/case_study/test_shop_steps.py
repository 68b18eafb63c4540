"""The seven steps: against the shop's potential outcomes, by hand, and through scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression

from causalbook.case_study import (
    analyse,
    asked,
    collect,
    funnel_shop,
    initialise,
    optimise,
    predict,
    preprocess,
    train,
)
from causalbook.potential_outcomes import World

SHELVES, MARGIN, COST = 6, 0.3, 0.02
LATER = ["recommended", "shelf", "item", "propensity", "pscore", "viewed", "cart", "purchase"]


@pytest.fixture(scope="module")
def world():
    return funnel_shop(20_000, seed=5)


@pytest.fixture(scope="module")
def half_told():
    return funnel_shop(5_000, hidden=0.5, seed=6)


def table(world, name):
    return np.column_stack([world.potential[f"{name}_{k}"] for k in range(SHELVES)])


def earned(log):
    return (MARGIN * log["order_value"] - COST * log["recommended"]).to_numpy()


def profits(world):
    return MARGIN * table(world, "value") - COST * (np.arange(SHELVES) > 0)


def one_hot(shelf):
    return np.eye(SHELVES)[np.asarray(shelf)]


# ------------------------------------------------------------------- initialise and collect


def test_the_first_policy_leaves_every_slot_empty(world):
    pi = initialise(7)
    np.testing.assert_array_equal(pi, [[1, 0, 0, 0, 0, 0]] * 7)
    log = collect(world, initialise(len(world.data)), seed=1)
    assert not log["recommended"].any()
    np.testing.assert_array_equal(log["purchase"], world.potential["purchase_0"])


@pytest.mark.parametrize("n", [0, -3, 2.0, "many"])
def test_no_number_of_visits_is_refused(n):
    with pytest.raises(ValueError, match=r"n is .*: pass the number of visits, a whole number"):
        initialise(n)


def test_where_the_old_choices_are_repeated_the_old_log_comes_back(world):
    again = collect(world, one_hot(world.data["shelf"]), seed=3)
    kept = [c for c in world.data if c not in ("item", "purchased", "propensity", "pscore")]
    pd.testing.assert_frame_equal(again[kept], world.data[kept])
    assert list(again.columns) == [c for c in world.data if c not in ("item", "purchased")]
    assert (again["pscore"] == 1).all()
    np.testing.assert_array_equal(again["propensity"], world.data["recommended"])


def test_a_policy_is_run_with_its_own_chances_and_their_log_gives_back_its_value(world):
    rng = np.random.default_rng(8)
    pi = rng.dirichlet(np.ones(SHELVES), size=len(world.data))
    log = collect(world, pi, seed=9)
    n, row, k = len(log), np.arange(len(log)), log["shelf"].to_numpy()
    np.testing.assert_array_equal(log["pscore"], pi[row, k])
    np.testing.assert_allclose(log["propensity"], pi[:, 1:].sum(axis=1), atol=1e-12)
    np.testing.assert_array_equal(log["recommended"], k > 0)
    for name, hidden in {"viewed": "view", "cart": "cart", "order_value": "value"}.items():
        np.testing.assert_array_equal(log[name], table(world, hidden)[row, k])
    for shelf in range(SHELVES):  # drawn as often as pi says
        surprise = (k == shelf) - pi[:, shelf]
        assert abs(surprise.sum()) < 4 * np.sqrt((pi[:, shelf] * (1 - pi[:, shelf])).sum())
    # Each shelf for everyone: weighting the log by its propensities is right.
    for shelf in range(SHELVES):
        seen = (k == shelf) / log["pscore"] * log["order_value"]
        gap = seen - table(world, "value")[:, shelf]
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(n)


def test_the_same_seed_runs_the_same_lottery(world):
    pi = np.full((len(world.data), SHELVES), 1 / SHELVES)
    first, again, other = (collect(world, pi, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["shelf"] != other["shelf"]).mean() > 0.5


def test_the_lottery_is_not_the_worlds_own_dice_though_the_seed_be_the_same(world):
    coin = (initialise(len(world.data)) + one_hot(world.potential["candidate"])) / 2
    tossed = collect(world, coin, seed=5)["recommended"]
    together = np.corrcoef(tossed, world.data["recommended"])[0, 1]
    assert abs(together) < 4 / np.sqrt(len(tossed))


def test_what_is_no_policy_over_these_visitors_is_refused(world):
    n = len(world.data)
    refused = {
        "pi has 5 columns: pass 6, shelf 0 the empty slot": np.full((n, 5), 0.2),
        "pi does not sum to 1": np.full((n, SHELVES), 0.2),
        "pi has 3 rows": initialise(3),
        "pi is negative": initialise(n) + np.array([0.5, -0.5, 0, 0, 0, 0]),
    }
    for message, pi in refused.items():
        with pytest.raises(ValueError, match=message):
            collect(world, pi, seed=1)
    with pytest.raises(ValueError, match=r"seed is -1: pass a whole number"):
        collect(world, initialise(n), seed=-1)
    bare = World(world.data, {}, world.potential[["urgency"]])
    with pytest.raises(
        ValueError, match="world has no pscore_0, wait_5: pass one from funnel_shop"
    ):
        collect(bare, initialise(n), seed=1)
    with pytest.raises(ValueError, match="world has no pscore_0"):
        collect(world.data, initialise(n), seed=1)


# ---------------------------------------------------------------------- preprocess and asked


def test_nothing_that_came_after_the_slot_is_read(world):
    shuffled = world.data.copy()
    rng = np.random.default_rng(1)
    for name in [*LATER, "order_value", "purchased"]:
        shuffled[name] = rng.permutation(shuffled[name])
    pd.testing.assert_frame_equal(preprocess(world.data)[0], preprocess(shuffled)[0])
    (table_,) = preprocess(world.data.drop(columns=[*LATER, "order_value", "purchased"]))
    assert len(table_) == len(world.data)


def test_logs_of_two_months_get_the_same_columns_each_in_its_rows(world, half_told):
    old, new = world.data.iloc[::2], half_told.data
    X, Z = preprocess(old, new)
    assert list(X.columns) == list(Z.columns)
    assert X.index.equals(old.index)
    assert Z.index.equals(new.index)
    np.testing.assert_array_equal(X["views"], old["views"])
    np.testing.assert_array_equal(Z["views"], new["views"])
    for region in new["region"].unique():
        if f"region {region}" in Z:
            np.testing.assert_array_equal(Z[f"region {region}"], new["region"] == region)
    Y, W = preprocess(new, old)  # the order of the logs changes nothing
    pd.testing.assert_frame_equal(Y, Z)
    pd.testing.assert_frame_equal(W, X)


def test_the_genre_asked_for_is_the_wanted_one_whether_or_not_the_words_tell_more(world, half_told):
    for shop in (world, half_told):
        np.testing.assert_array_equal(asked(shop.data["query"]), shop.potential["want"])
        names = np.array(["Action", "Comedy", "Documentary", "Drama", "Horror"])
        same = names[shop.potential["want"] - 1] == shop.data["browsed"].astype(str)
        np.testing.assert_array_equal(preprocess(shop.data)[0]["asks for browsed"], same)


def test_queries_that_ask_for_no_genre_or_several_are_refused():
    assert list(asked(["buy a comedy now", "the scary movie"])) == [2, 5]
    for queries, where in (
        (["a comedy", "a cartoon"], "first: 1"),
        (["drama or comedy", "a comedy"], "first: 0"),
        (["a comedy", None], "first: 1"),
    ):
        with pytest.raises(ValueError, match=f"no genre, or several, in 1 of 2 rows .{where}"):
            asked(queries)
    with pytest.raises(ValueError, match="no genre, or several, in 2 of 2 rows"):
        asked([None, None])
    with pytest.raises(ValueError, match="query is a single text: pass a list"):
        asked("a comedy")


def test_capitals_ask_for_the_same_and_no_queries_for_nothing():
    assert list(asked(["Buy a COMEDY now", "Scary Movie"])) == [2, 5]
    assert len(asked([])) == 0


def test_a_log_without_the_shops_columns_is_refused(world):
    with pytest.raises(ValueError, match="logs have no column age, query: pass logs of the shop"):
        preprocess(world.data.drop(columns=["age", "query"]))
    for none in ([], [world.data.iloc[:0]]):
        with pytest.raises(ValueError, match="logs hold no visits: pass at least one log"):
            preprocess(*none)
    with pytest.raises(ValueError, match="logs is a ndarray: pass a DataFrame"):
        preprocess(np.ones((3, 2)))


# -------------------------------------------------------------------------- train and predict


def test_training_is_a_regression_of_doubly_robust_scores_as_scikit_learn_does_it(world):
    (X,) = preprocess(world.data)
    x, a, y = X.to_numpy(), world.data["recommended"].to_numpy(), earned(world.data)
    order, fold = np.random.default_rng(4).permutation(len(x)), np.empty(len(x), dtype=int)
    fold[order] = np.arange(len(x)) % 2
    score = np.empty(len(x))
    for k in (0, 1):
        learn, held = fold != k, fold == k
        odds = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky").fit(
            x[learn], a[learn]
        )
        e = odds.predict_proba(x[held])[:, 1]
        mu = [
            LinearRegression().fit(x[learn & (a == arm)], y[learn & (a == arm)]).predict(x[held])
            for arm in (0, 1)
        ]
        of_own = np.where(a[held] == 1, mu[1], mu[0])
        weight = np.where(a[held] == 1, 1 / e, -1 / (1 - e))
        score[held] = mu[1] - mu[0] + weight * (y[held] - of_own)
    expected = LinearRegression().fit(x, score).predict(x)
    found = predict(train(X, a, y, seed=4), X)
    assert np.abs(found - expected).max() < 1e-8 * expected.std()


def test_predicted_gains_are_those_of_the_shop_on_average_and_by_urgency(world):
    (X,) = preprocess(world.data)
    gain = predict(train(X, world.data["recommended"], earned(world.data), seed=1), X)
    row, shown = np.arange(len(gain)), world.potential["candidate"].to_numpy()
    true = profits(world)[row, shown] - profits(world)[:, 0]
    for j in range(3):
        own = (world.potential["urgency"] == j).to_numpy()
        # The log's own noise: that of profits weighted by one over about a half.
        error = 3 * earned(world.data)[own].std() / np.sqrt(own.sum())
        assert abs(gain[own].mean() - true[own].mean()) < 4 * error
    own = (world.potential["urgency"] == 2).to_numpy()
    assert gain[own].mean() < 0 < gain[~own].mean()


def test_other_columns_are_refused(world):
    (X,) = preprocess(world.data)
    model = train(X, world.data["recommended"], earned(world.data), seed=1)
    with pytest.raises(ValueError, match="columns"):
        predict(model, X.drop(columns="views"))
    with pytest.raises(ValueError, match="'recommended'"):
        train(X, world.data["recommended"].astype(float) * np.nan, earned(world.data), seed=1)


# ----------------------------------------------------------------------- analyse and optimise


def lottery(n, rng):
    gain = rng.normal(size=n)
    e = rng.uniform(0.2, 0.8, size=n)
    y0 = rng.normal(size=n)
    y1 = y0 + 0.5 * gain + rng.normal(size=n)
    return gain, e, y0, y1


def test_the_rule_earns_what_its_weighted_visits_earn():
    rng = np.random.default_rng(21)
    gain, e, y0, y1 = lottery(300, rng)
    a = (rng.random(300) < e).astype(int)
    y = np.where(a == 1, y1, y0)
    found = analyse(gain, y, a, e)
    assert set(found) == {"ranking", "slope", "rule"}
    # Where the rule shows nobody, it is nobody: only the others differ.
    show = gain > 0
    terms = show * (a / e - (1 - a) / (1 - e)) * y
    assert abs(found["rule"].value - terms.mean()) < 1e-12
    assert abs(found["rule"].se - terms.std() / np.sqrt(300)) < 1e-12


def test_over_many_lotteries_the_rule_is_right_and_a_slope_of_a_half_is_found():
    rng = np.random.default_rng(22)
    gain, e, y0, y1 = lottery(300, rng)
    drawn = []
    for _ in range(300):
        a = (rng.random(300) < e).astype(int)
        found = analyse(gain, np.where(a == 1, y1, y0), a, e)
        drawn.append([found["rule"].value, found["slope"].value, found["ranking"].value])
    drawn = np.array(drawn)
    tau, c = y1 - y0, gain - gain.mean()
    rank = np.argsort(np.argsort(-gain)) + 0.5
    true = [((gain > 0) * tau).mean(), (c @ tau) / (c @ c), ((0.5 - rank / 300) * tau).mean()]
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - true) < 4 * error).all()


def test_unfit_judges_are_refused():
    rng = np.random.default_rng(23)
    gain, e, y, _ = lottery(50, rng)
    a = np.arange(50) % 2
    for message, spoilt in {
        "gain": (np.where(gain > 1, np.nan, gain), y, a, e),
        "'?e'? is outside": (gain, y, a, np.where(a == 1, 1.0, e)),
        "lengths": (gain[1:], y, a, e),
    }.items():
        with pytest.raises(ValueError, match=message):
            analyse(*spoilt)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_optimising_never_loses_by_its_own_predictions_and_leaves_the_rest(seed, n):
    rng = np.random.default_rng(seed)
    pi, shelf = rng.dirichlet(np.ones(SHELVES), size=n), rng.integers(0, SHELVES, size=n)
    worth = rng.normal(size=(n, SHELVES)).round(1)
    gain = worth[np.arange(n), shelf] - (pi * worth).sum(axis=1)
    gain[rng.random(n) < 0.2] = 0.0  # what earns nothing is left as it is
    better = optimise(pi, gain, shelf)
    np.testing.assert_allclose(better.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(better[gain <= 0], pi[gain <= 0])
    np.testing.assert_array_equal(better[gain > 0], one_hot(shelf)[gain > 0])
    assert ((better * worth).sum(axis=1) >= (pi * worth).sum(axis=1) - 1e-9).all()


def test_what_cannot_be_shown_is_refused():
    pi = initialise(3)
    for message, gain, shelf in (
        ("shelf is no column of pi in 1 of 3 rows", [1, 1, 1], [0, 6, 2]),
        ("shelf is no column of pi in 1 of 3 rows", [1, 1, 1], [0, -1, 2]),
        ("pass 0 to 5", [1, 1, 1], [0, 1.5, 2]),
        ("lengths", [1, 1], [0, 1, 2]),
        ("gain", [1, np.nan, 1], [0, 1, 2]),
    ):
        with pytest.raises(ValueError, match=message):
            optimise(pi, gain, shelf)


def test_the_seven_steps_earn_more_than_the_empty_slot_and_more_than_the_old_policy(world):
    new = funnel_shop(20_000, seed=77)
    X, Z = preprocess(world.data, new.data)
    model = train(X, world.data["recommended"], earned(world.data), seed=1)
    pi = optimise(initialise(len(Z)), predict(model, Z), new.potential["candidate"])
    worth = {"new": pi, "old": table(new, "pscore"), "empty": initialise(len(Z))}
    worth = {name: (p * profits(new)).sum(axis=1).mean() for name, p in worth.items()}
    assert worth["new"] > worth["old"] + 0.03
    assert worth["new"] > worth["empty"] + 0.04
    # A run of the policy measures what it is worth.
    run = earned(collect(new, pi, seed=2))
    assert abs(run.mean() - worth["new"]) < 1e-12  # it is deterministic
