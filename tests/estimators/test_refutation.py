"""Placebo treatments, negative controls, covariates left out: exact tests, and what they miss."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from causalbook import contrast, mean_of
from causalbook.estimators import (
    aipw,
    difference_in_means,
    ipw,
    leave_one_out,
    negative_control,
    placebo,
    regression_adjustment,
)
from causalbook.nuisance import linear, logit
from causalbook.potential_outcomes import shop


def gap(y, a):
    return y[a == 1].mean() - y[a == 0].mean()


# ------------------------------------------------------------------ placebo treatments


def exact(y, a, assignments):
    """The p-value by going through every assignment."""
    gaps = np.array([gap(y, np.isin(np.arange(len(y)), s).astype(float)) for s in assignments])
    return (np.abs(gaps) >= abs(gap(y, a)) - 1e-12).mean(), gaps


@pytest.mark.parametrize("seed", range(3))
def test_p_is_that_of_the_enumeration(seed):
    rng = np.random.default_rng(seed)
    y, a = rng.integers(0, 4, 8).astype(float), np.repeat([1.0, 0.0], 4)
    p, gaps = exact(y, a, list(combinations(range(8), 4)))
    found = placebo(gap, y, a, draws=4_000, seed=seed).table.iloc[0]
    low, high = binom.ppf([0.0005, 0.9995], 4_000, p)
    assert low + 1 <= found["p"] * 4_001 <= high + 1
    assert found["placebo_mean"] == pytest.approx(0, abs=5 * gaps.std() / 4_000**0.5)
    assert found["placebo_sd"] == pytest.approx(gaps.std(), rel=0.05)


def test_within_strata_only_their_own_rows_move():
    # Two pairs and a stratum without controls: four assignments, each leaving the last two treated.
    y = np.array([0.0, 1.0, 4.0, 7.0, 30.0, 50.0])
    a = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    strata = ["s", "s", "t", "t", "u", "u"]
    sets = [(i, j, 4, 5) for i in (0, 1) for j in (2, 3)]
    p, gaps = exact(y, a, sets)
    found = placebo(gap, y, a, strata=strata, draws=2_000, seed=1).table.iloc[0]
    low, high = binom.ppf([0.0005, 0.9995], 2_000, p)
    assert low + 1 <= found["p"] * 2_001 <= high + 1
    assert found["placebo_mean"] == pytest.approx(gaps.mean(), abs=5 * gaps.std() / 2_000**0.5)
    assert gaps.mean() > 15  # which is no effect: the strata differ, and this estimator forgets it
    assert not placebo(gap, y, a, strata=strata, draws=2_000, seed=1)


def test_p_is_never_zero_and_counts_what_changes_nothing():
    y, a = np.arange(40.0), (np.arange(40) >= 20).astype(float)
    assert placebo(gap, y, a, draws=99, seed=0).table["p"][0] == 0.01
    # One pair: half of the permutations are the assignment itself, the others mirror it.
    assert placebo(gap, [0.1, 0.7], [0, 1], draws=99, seed=0).table["p"][0] == 1


def test_p_is_uniform_under_its_null():
    # 1,000 logs, lots drawn, no effect, 19 draws: p is one of .05, .10, ..., 1 with equal chance.
    rng, p = np.random.default_rng(20), []
    for _ in range(1_000):
        y, a = rng.exponential(size=30), rng.permutation(30) % 2
        p.append(placebo(gap, y, a, draws=19, seed=int(rng.integers(2**31))).table["p"][0])
    counts = np.bincount(np.round(np.array(p) * 20).astype(int), minlength=21)[1:]
    low, high = binom.ppf([0.0005 / 20, 1 - 0.0005 / 20], 1_000, 0.05)
    assert counts.sum() == 1_000
    assert low <= counts.min() <= counts.max() <= high


@pytest.fixture
def confounded():
    """No effect at all; a hidden cause of treatment and outcome; an outcome it moves as well."""
    rng = np.random.default_rng(7)
    u, x = rng.normal(size=(2, 2_000))
    a = (0.5 * x + u + rng.logistic(size=2_000) > 0).astype(float)
    y = x + u + rng.normal(size=2_000)
    shared = pd.Series(u + rng.normal(size=2_000), name="last month")
    other = pd.Series(rng.normal(size=2_000), name="shoe size")
    return y, a, pd.DataFrame({"x": x, "v": rng.normal(size=2_000)}), shared, other


def test_the_placebo_treatment_passes_for_a_wrong_estimate(confounded):
    y, a, x, _, _ = confounded
    check = placebo(regression_adjustment, y, a, x, draws=99, seed=1)
    assert check  # the machinery is sound,
    assert check.table["estimate"][0] > 0.5  # the estimate is not: the truth is 0,
    assert check.table["p"][0] == 0.01  # and the null of p has two parts
    assert "confounding rejects it as an effect does" in check.sentence


def test_the_placebo_treatment_finds_machinery_that_is_off():
    rng = np.random.default_rng(2)
    x = rng.normal(size=500)
    a = (x + rng.logistic(size=500) > 0).astype(float)
    y = 3 * x + rng.normal(size=500)

    def stuck(y, a):  # always the same treatment: a column read twice
        return gap(y, (x > 0).astype(float)) + 0 * gap(y, a)

    assert placebo(stuck, y, a, draws=99, seed=3).passed is False
    refits = placebo(lambda y, a, x: ipw(y, a, logit(x, a)), y, a, x, draws=99, seed=3)
    assert refits.passed is True


def test_an_estimator_may_return_an_estimate_or_a_number(confounded):
    y, a, *_ = confounded
    one = placebo(difference_in_means, y, a, draws=49, seed=5)
    other = placebo(gap, y, a, draws=49, seed=5)
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-10)


def test_the_same_seed_gives_the_same_answer_and_inputs_stay(confounded):
    y, a, x, _, _ = confounded
    before = y.copy(), a.copy(), x.copy()

    def spoils(y, a):  # an estimator that writes into what it gets
        value = gap(y, a)
        a[:] = 0
        return value

    first, second = (placebo(spoils, y, a, draws=29, seed=3).table for _ in range(2))
    assert first.equals(second)
    assert first["placebo_sd"][0] > 0
    assert (y == before[0]).all()
    assert (a == before[1]).all()
    assert x.equals(before[2])


# -------------------------------------------------------------------- negative controls


def test_a_negative_control_sees_the_confounder_it_shares(confounded):
    _, a, x, shared, other = confounded
    alarm = negative_control(regression_adjustment, shared, a, x)
    quiet = negative_control(regression_adjustment, other, a, x)
    assert alarm.passed is False
    assert alarm.table["outcome"][0] == "last month"
    assert "a path is open" in alarm.sentence
    assert quiet.passed is True  # the same confounder, the same wrong estimate of the effect
    estimate = regression_adjustment(shared, a, x)
    assert alarm.table[["estimate", "se", "p"]].iloc[0].tolist() == [
        estimate.value,
        estimate.se,
        estimate.pvalue(),
    ]


def test_a_negative_control_is_wrong_in_one_of_twenty():
    # 1,000 logs without a hidden cause; world, size and seed fixed before looking.
    rng, failed = np.random.default_rng(21), 0
    for _ in range(1_000):
        x = rng.normal(size=300)
        a = (x + rng.logistic(size=300) > 0).astype(float)
        failed += not negative_control(regression_adjustment, x + rng.normal(size=300), a, x)
    low, high = binom.ppf([0.0005, 0.9995], 1_000, 0.05)
    assert low <= failed <= high


# --------------------------------------------------------------------- leave one out


def test_leaving_out_names_what_matters():
    world = shop(4_000, seed=13)
    log = world.data
    x = log[["visits", "searches", "dwell"]]
    found = leave_one_out(regression_adjustment, log["purchase"], log["offered"], x)
    assert found["without"].tolist() == ["-", "visits", "searches", "dwell"]
    full = regression_adjustment(log["purchase"], log["offered"], x)
    short = regression_adjustment(log["purchase"], log["offered"], x.drop(columns="dwell"))
    change = contrast(short, full)
    assert found.iloc[0, 1:].tolist() == [full.value, full.se, 0, 0]
    assert found.iloc[3, 1:].tolist() == [short.value, short.se, change.value, change.se]
    assert change.value > 4 * change.se
    assert change.se < full.se  # the same rows: most of the error is common


def test_any_estimator_of_three_arguments_goes():
    log = shop(2_000, seed=14).data
    x = log[["visits", "searches"]]

    def estimator(y, a, X):
        e = logit(X, a)
        return aipw(y, a, e, linear(X, y, where=a == 0), linear(X, y, where=a == 1))

    found = leave_one_out(estimator, log["purchase"], log["offered"], x)
    assert (found["se"] > 0).all()


# --------------------------------------------------------------------------- refusals


Y, A = np.arange(6.0), np.array([0, 1, 0, 1, 0, 1])
X = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 7], "v": [0.0, 1, 0, 0, 1, 1]})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: placebo(gap, Y, A, draws=18, seed=1), "fewer than 19"),
        (lambda: placebo(gap, Y, A, seed=None), "seed is None"),
        (lambda: placebo(gap, Y, A, strata=A, seed=1), "one arm each"),
        (lambda: placebo(gap, Y, A, strata=[1, 2], seed=1), "unequal lengths"),
        (lambda: placebo(gap, Y, np.ones(6), seed=1), "a is 1 in every row"),
        (lambda: placebo(gap, [1, 2, np.nan, 4, 5, 6], A, seed=1), "y is NaN"),
        (lambda: negative_control(gap, Y, A), "no standard error"),
        (lambda: negative_control(difference_in_means, Y[:5], A), "unequal lengths"),
        (lambda: negative_control(difference_in_means, ["a"] * 6, A), "outcome holds"),
        (lambda: leave_one_out(regression_adjustment, Y, A, X[["x"]]), "one column"),
        (lambda: leave_one_out(regression_adjustment, Y, A, X.to_numpy()), "pass a DataFrame"),
        (lambda: leave_one_out(regression_adjustment, Y[:5], A, X), "unequal lengths"),
    ],
)
def test_refusals_say_what_was_found(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_an_estimate_without_an_error_is_no_test():
    nothing = mean_of(Y, estimand="m", method="m")
    no_error = type(nothing)(1.0, np.full(6, np.nan), "m", "m", notes=("none",))
    with pytest.raises(ValueError, match="no standard error"):
        negative_control(lambda y, a: no_error, Y, A)


# ------------------------------------------------------------- what the sentences say


def test_passed_says_of_what(confounded):
    y, a, x, shared, other = confounded
    sound = placebo(regression_adjustment, y, a, x, draws=99, seed=1).sentence
    assert "nothing where nothing is" in sound
    assert "says nothing of confounding" in sound
    stuck = placebo(lambda y, a: 0.3, y, a, draws=19, seed=1)
    assert stuck.passed is False
    assert "an effect where there is none" in stuck.sentence
    assert "nothing where nothing is" not in stuck.sentence
    alarm = negative_control(regression_adjustment, shared, a, x).sentence
    quiet = negative_control(regression_adjustment, other, a, x).sentence
    assert "If the treatment cannot move last month" in alarm  # which no data can tell
    assert "one sound analysis in twenty" in alarm
    assert "do not move shoe size stay unseen" in quiet


LONG = np.arange(60.0)


def test_an_estimator_that_looks_at_nothing_is_not_tested(confounded):
    y, a, *_ = confounded
    check = placebo(lambda y, a: 0.0, y, a, draws=19, seed=1)
    assert check.passed is None
    assert "nothing was tried" in check.sentence


@pytest.mark.parametrize(
    ("call", "says"),
    [
        # |NaN| >= |NaN| is false: such an estimator had the smallest p there is.
        (lambda: placebo(lambda y, a: np.nan, Y, A, draws=19, seed=1), "estimator returns nan"),
        (lambda: negative_control(regression_adjustment, LONG, LONG % 2, LONG), "told by X"),
        (lambda: negative_control(difference_in_means, np.ones(6), A), "outcome does not vary"),
        (lambda: leave_one_out(lambda y, a, X: 1.0, Y, A, X), "estimator returns a float"),
    ],
)
def test_what_holds_nothing_to_test_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
