"""Missing outcomes: exact truths in an enumerated world, identities, bounds, refusals."""

from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook.case_study import aipw_missing, missing_bounds
from causalbook.estimators import aipw, difference_in_means, ipw
from causalbook.potential_outcomes import ab_test
from causalbook.potential_outcomes import bounds as manski_bounds

F = Fraction

# A world of two kinds of users: share, propensity, P(Y=1) and P(seen) by arm.
SHARE = (F(3, 5), F(2, 5))
E1 = (F(1, 4), F(1, 2))
MU = ((F(1, 5), F(2, 5)), (F(1, 2), F(3, 5)))  # [x][a]
RHO = ((F(1, 2), F(3, 4)), (F(9, 10), F(1, 3)))
TRUTH = sum(s * (m[1] - m[0]) for s, m in zip(SHARE, MU, strict=True))


def cells():
    """All (x, a, r, y) with their probabilities."""
    for x, a, r, y in product(range(2), repeat=4):
        p = SHARE[x] * (E1[x] if a else 1 - E1[x])
        p *= RHO[x][a] if r else 1 - RHO[x][a]
        yield x, a, r, y, p * (MU[x][a] if y else 1 - MU[x][a])


def enumerated():
    """The world as rows: each cell as often as its probability times 60,000."""
    table = [(x, a, y if r else np.nan, int(60_000 * p)) for x, a, r, y, p in cells()]
    assert all(60_000 * p == n for (*_, p), (*_, n) in zip(cells(), table, strict=True))
    x, a, y = (np.repeat([row[j] for row in table], [row[3] for row in table]) for j in range(3))
    return x.astype(int), a, y


def known(x, a):
    """The truth about the two propensities and the two regressions, one number a row."""
    rho = np.array(RHO, dtype=float)[x, a]
    e, mu = np.array(E1, dtype=float)[x], np.array(MU, dtype=float)[x]
    return e, rho, mu[:, 0], mu[:, 1]


def test_in_an_enumerated_world_the_effect_is_exact_and_complete_cases_are_not():
    x, a, y = enumerated()
    e, rho, mu0, mu1 = known(x, a)
    assert aipw_missing(y, a, e, rho, mu0, mu1).value == pytest.approx(float(TRUTH), abs=1e-12)
    seen = ~np.isnan(y)
    complete = ipw(y[seen], a[seen], e[seen])
    assert abs(complete.value - float(TRUTH)) > 0.03


@pytest.mark.parametrize("wrong", ["regressions", "propensities"])
def test_one_pair_of_models_may_be_wrong(wrong):
    x, a, y = enumerated()
    e, rho, mu0, mu1 = known(x, a)
    if wrong == "regressions":
        mu0, mu1 = np.full(len(x), 0.9), np.zeros(len(x))
    else:
        e, rho = np.full(len(x), 0.7), np.full(len(x), 0.8)
    assert aipw_missing(y, a, e, rho, mu0, mu1).value == pytest.approx(float(TRUTH), abs=1e-12)


def test_with_both_wrong_it_is_wrong():
    x, a, y = enumerated()
    off, zero = np.full(len(x), 0.7), np.zeros(len(x))
    assert abs(aipw_missing(y, a, off, off, zero, zero).value - float(TRUTH)) > 0.05


def test_the_error_is_that_of_the_influence_in_fractions():
    """The variance of one row's score, summed over all cells by hand."""
    x, a, y = enumerated()
    estimate = aipw_missing(y, a, *known(x, a))
    variance = F(0)
    for k, arm, r, out, p in cells():
        score = MU[k][1] - MU[k][0]
        if r:
            chance = RHO[k][arm] * (E1[k] if arm else 1 - E1[k])
            score += (1 if arm else -1) * (out - MU[k][arm]) / chance
        variance += p * (score - TRUTH) ** 2
    assert estimate.se**2 * len(y) == pytest.approx(float(variance), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_with_nothing_missing_it_is_aipw(seed):
    rng = np.random.default_rng(seed)
    n = 50
    y, a = rng.normal(size=n), rng.permutation(np.arange(n) % 2)
    e, mu0, mu1 = rng.uniform(0.2, 0.8, n), rng.normal(size=n), rng.normal(size=n)
    ours, plain = aipw_missing(y, a, e, np.ones(n), mu0, mu1), aipw(y, a, e, mu0, mu1)
    assert ours.value == pytest.approx(plain.value, rel=1e-10)
    np.testing.assert_allclose(ours.influence, plain.influence, rtol=1e-10, atol=1e-12)


def test_swapping_the_arms_negates_the_effect():
    x, a, y = enumerated()
    e, rho, mu0, mu1 = known(x, a)
    swapped = aipw_missing(y, 1 - a, 1 - e, rho, mu1, mu0)
    assert swapped.value == pytest.approx(-aipw_missing(y, a, e, rho, mu0, mu1).value, rel=1e-10)


def test_the_note_counts_what_is_missing():
    x, a, y = enumerated()
    count = f"{np.isnan(y).sum():,} of {len(y):,} outcomes are missing"
    assert count in aipw_missing(y, a, *known(x, a)).notes[0]


def drawn(seed, n=300):
    rng = np.random.default_rng(seed)
    a = rng.permutation(np.arange(n) % 2)
    full = (rng.random(n) < 0.3 + 0.2 * a) * 1.0
    y = np.where(rng.random(n) < 0.2 + 0.2 * full, np.nan, full)
    return full, y, a


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_bounds_hold_what_the_full_outcomes_say_and_every_other_filling(seed):
    full, y, a = drawn(seed)
    found = missing_bounds(y, a)
    fillings = [full] + [
        np.where(np.isnan(y), np.random.default_rng(seed + k).random(len(y)), y) for k in range(5)
    ]
    for filled in fillings:
        effect = difference_in_means(filled, a).value
        assert found.lower.value - 1e-12 <= effect <= found.upper.value + 1e-12


def test_the_width_is_the_sum_of_the_missing_shares_times_the_range():
    _, y, a = drawn(3)
    found = missing_bounds(10 * y, a, low=0, high=10)
    shares = sum(np.isnan(y[a == arm]).mean() for arm in (0, 1))
    assert found.upper.value - found.lower.value == pytest.approx(10 * shares, rel=1e-10)


def test_with_nothing_missing_the_bounds_meet_in_the_experiment():
    full, _, a = drawn(4)
    found, effect = missing_bounds(full, a), ab_test(full, a)
    assert found.lower.value == found.upper.value == pytest.approx(effect.value, rel=1e-12)
    assert found.lower.se == pytest.approx(effect.se, rel=1e-12)


def test_the_ends_are_reached_and_are_those_of_a_table_filled_by_hand():
    _, y, a = drawn(5)
    gone = pd.isna(y)
    low = np.where(gone, 1.0 - a, y)  # treated at 0, control at 1
    by_hand = low[a == 1].mean() - low[a == 0].mean()
    assert missing_bounds(y, a).lower.value == pytest.approx(by_hand, rel=1e-12)


def test_manski_bounds_know_less_than_an_experiment():
    full, y, a = drawn(6)
    wide, narrow = manski_bounds(full, a), missing_bounds(y, a)
    assert narrow.upper.value - narrow.lower.value < wide.upper.value - wide.lower.value


N = 40
GOOD = {
    "y": np.where(np.arange(N) % 5 == 0, np.nan, 1.0 * (np.arange(N) % 3 == 0)),
    "a": np.arange(N) % 2,
    "e": np.full(N, 0.5),
    "rho": np.full(N, 0.8),
    "mu0": np.zeros(N),
    "mu1": np.zeros(N),
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("e", np.where(np.arange(N) == 3, 1.0, 0.5), r"e is outside \(0, 1\) in 1 of 40 rows"),
        ("e", np.zeros(N), r"e is outside \(0, 1\) in 40 of 40 rows"),
        ("rho", np.where(np.arange(N) == 3, 0.0, 0.5), r"rho is outside \(0, 1\] in 1 of 40"),
        ("rho", np.full(N, 1.1), r"rho is outside \(0, 1\] in 40"),
        ("rho", np.full(N, np.nan), "rho is NaN"),
        ("rho", np.full(N - 1, 0.8), "unequal lengths"),
        ("a", np.full(N, 2), "a is neither 0 nor 1"),
        ("y", np.where(np.arange(N) % 2, np.nan, 1.0), "missing in every row with a = 1"),
        ("y", np.full(N, np.nan), "missing in every row with a = 0"),
        ("y", np.where(np.arange(N) == 1, np.inf, 1.0), "y is NaN or infinite"),
        ("y", np.array(["yes"] * N), "not numbers"),
        ("y", np.ones((N, 2)), "y has 2 dimensions, needs 1"),
        ("mu1", np.full(N, np.nan), "mu1 is NaN"),
    ],
)
def test_aipw_missing_names_what_it_refuses(name, value, message):
    with pytest.raises(ValueError, match=message):
        aipw_missing(**(GOOD | {name: value}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 0.5}, r"y is outside \[0.5, 1\]"),
        ({"high": 0.5}, r"y is outside \[0, 0.5\]"),
        ({"low": 1.0, "high": 0.0}, "pass the finite range"),
        ({"high": np.inf}, "pass the finite range"),
        ({"y": np.where(np.arange(N) % 2, np.nan, 1.0)}, "missing in every row with a = 1"),
        ({"y": np.ones((N, 2))}, "y has 2 dimensions, needs 1"),
    ],
)
def test_missing_bounds_names_what_it_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        missing_bounds(**({"y": GOOD["y"], "a": GOOD["a"]} | change))


def test_a_column_that_can_be_missing_is_taken_as_it_is():
    y = pd.Series([1, None, 0, 1, 0, 1], dtype="Int64")
    a = np.array([0, 0, 0, 1, 1, 1])
    assert missing_bounds(y, a).upper.value == pytest.approx(2 / 3 - 1 / 3)
