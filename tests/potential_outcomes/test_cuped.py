"""Sharper experiments: CUPED's theta is the best one, a ratio's error counts both of its sums."""

import math
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given

from causalbook.potential_outcomes import ab_test, cuped, ratio_metric

arms = hnp.arrays(np.float64, (24, 2), elements=st.integers(-50, 50).map(float))


def split(n1=7):
    return np.repeat([1, 0], [n1, 24 - n1])


def variance_of(y, x, a, theta):
    """Welch's squared error of the difference of y - theta x, in fractions."""
    total = Fraction(0)
    for arm in (0, 1):
        z = [v - theta * w for v, w, k in zip(y, x, a, strict=True) if k == arm]
        mean = sum(z) / len(z)
        total += sum((v - mean) ** 2 for v in z) / (len(z) - 1) / len(z)
    return total


def test_theta_is_the_bottom_of_the_parabola_and_not_that_of_the_pooled_regression():
    y = [4, 9, 1, 0, 2, 2, 3, 7, 5, 1]
    x = [1, 4, 0, 1, 3, 2, 0, 5, 2, 1]
    a = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    # A parabola through its values at 0, 1 and -1 has its bottom here, whatever formula made it.
    at0, up, down = (variance_of(y, x, a, Fraction(t)) for t in (0, 1, -1))
    best = (down - up) / (2 * (up + down - 2 * at0))
    dy, dx = (
        Fraction(sum(v for v, k in zip(c, a, strict=True) if k), 3)
        - Fraction(sum(v for v, k in zip(c, a, strict=True) if not k), 7)
        for c in (y, x)
    )
    estimate = cuped(y, a, x)
    assert estimate.value == pytest.approx(float(dy - best * dx), rel=1e-12)
    assert estimate.se**2 == pytest.approx(float(variance_of(y, x, a, best)), rel=1e-10)
    assert f"theta = {float(best):.4g}" in estimate.notes[0]
    pooled = sm.OLS(y, np.column_stack([np.ones(10), a, x])).fit().params[2]
    assert variance_of(y, x, a, Fraction(float(pooled))) > variance_of(y, x, a, best)
    assert abs(pooled - float(best)) > 0.1


@given(arms, st.integers(2, 22))
def test_the_error_is_welchs_for_the_outcome_less_theta_x(columns, n1):
    y, x = columns.T
    a = split(n1)
    assume(np.var(x[a == 1]) + np.var(x[a == 0]) > 0)
    assume(abs(ab_test(x, a).value) <= 5 * ab_test(x, a).se)
    covariances = [np.cov(x[a == k], y[a == k]) / (a == k).sum() for k in (0, 1)]
    theta = sum(c[0, 1] for c in covariances) / sum(c[0, 0] for c in covariances)
    z = y - theta * x
    assume(np.var(z[a == 1]) + np.var(z[a == 0]) > 1e-6)
    welch = scipy.stats.ttest_ind(z[a == 1], z[a == 0], equal_var=False)
    estimate = cuped(y, a, x)
    assert estimate.value == pytest.approx(z[a == 1].mean() - z[a == 0].mean(), abs=1e-9)
    assert estimate.conf_int() == pytest.approx(tuple(welch.confidence_interval()), abs=1e-7)
    assert estimate.dof == pytest.approx(welch.df, rel=1e-8)
    assert estimate.se <= ab_test(y, a).se * (1 + 1e-12)


def test_the_variance_falls_by_the_squared_correlation_where_the_arms_share_their_covariances():
    rng = np.random.default_rng(11)
    x = rng.normal(size=60)
    y = 0.8 * x + rng.normal(size=60)
    # The same sixty users in both arms, up to a shift: equal variances, equal covariance.
    estimate = cuped(np.concatenate([y, y + 3]), np.repeat([0, 1], 60), np.tile(x, 2))
    plain = ab_test(np.concatenate([y, y + 3]), np.repeat([0, 1], 60))
    squared = np.corrcoef(x, y)[0, 1] ** 2
    assert 1 - estimate.se**2 / plain.se**2 == pytest.approx(squared, rel=1e-10)
    assert estimate.value == pytest.approx(3, rel=1e-12)


def test_where_they_do_not_the_cut_is_the_squared_correlation_of_the_differences():
    rng = np.random.default_rng(12)
    a = np.repeat([0, 1], [900, 100])
    x = rng.normal(size=1000)
    y = np.where(a == 1, 2.0, 0.2) * x + rng.normal(size=1000)
    cut = 1 - cuped(y, a, x).se ** 2 / ab_test(y, a).se ** 2
    parts = [np.cov(x[a == k], y[a == k]) / (a == k).sum() for k in (0, 1)]
    joint = sum(parts)
    assert cut == pytest.approx(joint[0, 1] ** 2 / joint[0, 0] / joint[1, 1], rel=1e-10)
    assert cut - np.corrcoef(x, y)[0, 1] ** 2 > 0.3


def test_with_equal_spread_of_x_it_is_lins_regression_with_interactions():
    # statsmodels.OLS(y, [1, a, x - mean, a (x - mean)]), as Lin (2013) proposes: its second number
    rng = np.random.default_rng(13)
    a = np.repeat([0, 1], [70, 30])
    x = rng.normal(size=100)
    for arm in (0, 1):
        x[a == arm] = (x[a == arm] - x[a == arm].mean()) / x[a == arm].std(ddof=1) + 0.2 * arm
    y = 1 + 0.5 * a + np.where(a == 1, 1.5, 0.3) * x + rng.normal(size=100)
    c = x - x.mean()
    lin = sm.OLS(y, np.column_stack([np.ones(100), a, c, a * c])).fit().params[1]
    assert cuped(y, a, x).value == pytest.approx(lin, rel=1e-10)


def test_the_unit_of_x_does_not_matter_and_swapping_the_arms_negates():
    rng = np.random.default_rng(14)
    a, x = rng.integers(0, 2, 80), rng.normal(size=80)
    y = x + rng.normal(size=80)
    one, other, swapped = cuped(y, a, x), cuped(y, a, 40 - 3 * x), cuped(y, 1 - a, x)
    assert (other.value, other.se) == pytest.approx((one.value, one.se), rel=1e-9)
    assert (swapped.value, swapped.se) == pytest.approx((-one.value, one.se), rel=1e-9)


def test_it_can_be_contrasted_with_the_plain_difference_on_the_same_rows():
    rng = np.random.default_rng(15)
    a, x = np.arange(200) % 2, rng.normal(size=200)
    y = x + rng.normal(size=200)
    d_x = ab_test(x, a)
    gap = ab_test(y, a) - cuped(y, a, x)
    assert gap.value == pytest.approx(1.0 * d_x.value, rel=0.3)
    assert gap.se < 1.3 * d_x.se


def test_a_covariate_that_the_treatment_moved_is_announced():
    rng = np.random.default_rng(16)
    a = np.arange(400) % 2
    x = rng.normal(size=400) + a
    with pytest.warns(
        UserWarning, match=r"x differs .* by \d+ standard errors.*before the lottery"
    ):
        cuped(x + rng.normal(size=400), a, x)


def sessions():
    rng = np.random.default_rng(17)
    a = np.repeat([0, 1], 100)
    v = 1 + rng.poisson(3, size=200)
    return rng.binomial(v, rng.beta(2, 6, size=200)), v, a


def test_a_ratio_over_ones_is_the_difference_in_means():
    u, _, a = sessions()
    ratio, plain = ratio_metric(u, np.ones(200), a), ab_test(u, a)
    assert ratio.value == pytest.approx(plain.value, rel=1e-12)
    assert ratio.se == pytest.approx(plain.se, rel=1e-12)
    assert ratio.dof == pytest.approx(plain.dof, rel=1e-12)


def test_the_error_of_a_ratio_is_that_of_weighted_least_squares_with_robust_errors():
    # statsmodels.WLS(u/v, [1, a], weights=v).fit(cov_type="HC0"), times sqrt(n_a/(n_a - 1))
    u, v, a = sessions()
    fit = sm.WLS(u / v, sm.add_constant(a), weights=v).fit(cov_type="HC0")
    estimate = ratio_metric(u, v, a)
    assert estimate.value == pytest.approx(fit.params[1], rel=1e-10)
    assert estimate.se == pytest.approx(fit.bse[1] * math.sqrt(100 / 99), rel=1e-10)


def test_the_error_of_a_ratio_is_the_delta_methods_in_each_arm():
    u, v, a = sessions()
    a[:30] = 1  # arms of unequal size
    total = 0.0
    for arm in (0, 1):
        k = a == arm
        (uu, uv), (_, vv) = np.cov(u[k], v[k])
        r = u[k].sum() / v[k].sum()
        total += (uu - 2 * r * uv + r**2 * vv) / (k.sum() * v[k].mean() ** 2)
    assert ratio_metric(u, v, a).se == pytest.approx(math.sqrt(total), rel=1e-10)


def test_the_scale_of_numerator_and_denominator_carries_over():
    u, v, a = sessions()
    one, other = ratio_metric(u, v, a), ratio_metric(6 * u, 2 * v, a)
    assert (other.value, other.se) == pytest.approx((3 * one.value, 3 * one.se), rel=1e-10)


BAD = {
    "a constant x": (lambda: cuped([1, 2, 3, 4], [0, 0, 1, 1], [5, 5, 5, 5]), "x is constant"),
    "a missing x": (
        lambda: cuped([1, 2, 3, 4], [0, 0, 1, 1], [5, np.nan, 5, 6]),
        r"x is NaN .* 1 of 4 rows \(first: 1\)",
    ),
    "a short x": (lambda: cuped([1, 2, 3, 4], [0, 0, 1, 1], [5, 6]), "x has 2"),
    "an arm of one": (lambda: cuped([1, 2, 3], [0, 0, 1], [1, 2, 3]), "each arm needs two"),
    "no sessions in an arm": (
        lambda: ratio_metric([0, 0, 1, 1], [0, 0, 2, 3], [0, 0, 1, 1]),
        "den sums to 0 where a = 0",
    ),
    "a short den": (lambda: ratio_metric([1, 2], [1, 2, 3], [0, 1]), "den has 3"),
    "one unit in an arm": (lambda: ratio_metric([1, 2, 3], [1, 1, 1], [0, 1, 1]), "1 control"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_sharpened_is_refused(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
