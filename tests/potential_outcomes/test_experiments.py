"""The A/B test: Welch's error, Neyman's bound over all assignments, clusters."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, example, given

from causalbook.potential_outcomes import ab_test

arms = hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(-500, 500).map(float))


def stacked(treated, control):
    y = np.concatenate([control, treated])
    return y, np.repeat([0, 1], [len(control), len(treated)])


@pytest.mark.filterwarnings("ignore:Precision loss occurred")  # scipy, where one arm is constant
@given(arms, arms)
@example(np.array([0.0, 2.0]), np.array([-5.0, 5, -1, -1, -1, 1, 1, 1]))  # variances of 1 and 1
def test_the_test_is_welchs(treated, control):
    assume(np.var(treated) + np.var(control) > 0)
    welch = scipy.stats.ttest_ind(treated, control, equal_var=False)
    estimate = ab_test(*stacked(treated, control))
    assert estimate.value == pytest.approx(treated.mean() - control.mean(), rel=1e-10, abs=1e-10)
    assert estimate.value / estimate.se == pytest.approx(welch.statistic, rel=1e-10, abs=1e-10)
    assert estimate.dof == pytest.approx(welch.df, rel=1e-10)
    assert estimate.pvalue() == pytest.approx(welch.pvalue, rel=1e-8, abs=1e-12)
    for level in (0.5, 0.95):
        low, high = welch.confidence_interval(level)
        assert estimate.conf_int(level) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


def test_the_error_is_the_one_with_n_minus_1_and_not_the_plain_influence():
    # Arms of 200 and 1,800 with spreads 2.884 and 1: .20578 by Welch, .20527 without his factor.
    treated, control = 2.884 * np.tile([-1.0, 1.0], 100), np.tile([-1.0, 1.0], 900)
    plain = math.sqrt(2.884**2 / 200 + 1 / 1800)
    welch = math.sqrt(2.884**2 / 199 + 1 / 1799)
    assert (round(plain, 4), round(welch, 4)) == (0.2053, 0.2058)
    assert ab_test(*stacked(treated, control)).se == pytest.approx(welch, rel=1e-12)
    assert "Welch" in ab_test(*stacked(treated, control)).method


def test_over_all_assignments_the_value_is_the_ate_and_the_error_is_neymans_upper_bound():
    y0 = [Fraction(x) for x in (1, 4, 2, 8, 5, 7)]
    y1 = [Fraction(x) for x in (3, 4, 6, 9, 5, 15)]
    n, n1 = 6, 2

    def mean(x):
        return sum(x) / len(x)

    def spread(x):
        return sum((v - mean(x)) ** 2 for v in x) / (len(x) - 1)

    ate = mean(y1) - mean(y0)
    exact, values, squares = [], [], []
    for chosen in combinations(range(n), n1):
        a = [int(i in chosen) for i in range(n)]
        y = [y1[i] if a[i] else y0[i] for i in range(n)]
        arm = {k: [v for v, w in zip(y, a, strict=True) if w == k] for k in (0, 1)}
        exact.append(mean(arm[1]) - mean(arm[0]))
        estimate = ab_test([float(v) for v in y], a)
        values.append(estimate.value)
        squares.append(estimate.se**2)
        assert estimate.value == pytest.approx(float(exact[-1]), abs=1e-12)
    variance = mean([(v - ate) ** 2 for v in exact])
    bound = spread(y1) / n1 + spread(y0) / (n - n1)
    effects = [b - a for a, b in zip(y0, y1, strict=True)]
    assert mean(exact) == ate
    assert bound - variance == spread(effects) / n > 0
    assert np.mean(values) == pytest.approx(float(ate), abs=1e-12)
    assert np.mean(squares) == pytest.approx(float(bound), rel=1e-12)


@pytest.mark.parametrize("whole", [True, False], ids=["clusters randomised", "rows randomised"])
def test_the_clustered_error_is_that_of_ols_with_g_over_g_minus_1(whole):
    rng = np.random.default_rng(3)
    g = rng.integers(0, 40, size=600)
    a = rng.integers(0, 2, size=40)[g] if whole else rng.integers(0, 2, size=600)
    y = a + rng.normal(size=40)[g] * (1 + a) + rng.normal(size=600)
    options = {"groups": g, "use_correction": False, "df_correction": False}
    fit = sm.OLS(y, sm.add_constant(a)).fit(cov_type="cluster", cov_kwds=options)
    estimate = ab_test(y, a, cluster=g)
    assert estimate.value == pytest.approx(fit.params[1], rel=1e-10)
    assert estimate.se == pytest.approx(fit.bse[1] * math.sqrt(40 / 39), rel=1e-10)
    assert estimate.dof == 39
    assert "G/(G-1)" in estimate.method


def test_the_interval_with_clusters_is_students_with_g_minus_1():
    y = [1.0, 2.0, 4.0, 3.0, 5.0, 9.0, 6.0, 2.0]
    estimate = ab_test(y, [0, 0, 1, 1] * 2, cluster=[0, 0, 1, 1, 2, 2, 3, 3])
    half = scipy.stats.t(3).ppf(0.975) * estimate.se
    assert estimate.conf_int() == pytest.approx((estimate.value - half, estimate.value + half))


def test_two_clusters_with_both_arms_in_each_have_one_degree_of_freedom():
    estimate = ab_test([1.0, 2.0, 4.0, 8.0], [0, 1, 0, 1], cluster=[0, 0, 1, 1])
    # Residuals times n / n_arm: 3, -6 and -3, 6 sum to -3 and 3 in the clusters.
    assert estimate.se == pytest.approx(math.sqrt(2 * (9 + 9)) / 4, rel=1e-12)
    assert estimate.dof == 1


def test_rows_written_twice_leave_the_error_once_they_are_clustered():
    rng = np.random.default_rng(4)
    y, a, i = rng.normal(size=100), np.arange(100) % 2, np.arange(100)
    once = ab_test(y, a, cluster=i)
    twice = ab_test(np.tile(y, 2), np.tile(a, 2), cluster=np.tile(i, 2))
    assert twice.value == pytest.approx(once.value, rel=1e-10)
    assert twice.se == pytest.approx(once.se, rel=1e-10)


@given(arms, arms)
def test_swapping_the_arms_negates_the_effect(treated, control):
    assume(np.var(treated) + np.var(control) > 0)
    y, a = stacked(treated, control)
    one, other = ab_test(y, a), ab_test(y, 1 - a)
    assert other.value == -one.value
    assert other.se == pytest.approx(one.se, rel=1e-12)
    assert other.dof == pytest.approx(one.dof, rel=1e-12)


@given(arms, arms, st.integers(-100, 100), st.integers(1, 9))
def test_the_unit_of_the_outcome_does_not_matter(treated, control, shift, scale):
    assume(np.var(treated) + np.var(control) > 0)
    y, a = stacked(treated, control)
    one, other = ab_test(y, a), ab_test(scale * y + shift, a)
    assert other.value == pytest.approx(scale * one.value, rel=1e-9, abs=1e-9)
    assert other.se == pytest.approx(scale * one.se, rel=1e-9)


def test_constant_outcomes_have_no_spread():
    estimate = ab_test([1.0, 1.0, 3.0, 3.0], [0, 0, 1, 1])
    assert (estimate.value, estimate.se, estimate.conf_int()) == (2, 0, (2, 2))


def test_bools_and_lists_are_treatments_too():
    y = [1.0, 2.0, 4.0, 3.0]
    assert ab_test(y, [False, False, True, True]).se == ab_test(y, [0.0, 0.0, 1.0, 1.0]).se


def test_two_outcomes_of_one_experiment_can_be_contrasted():
    rng = np.random.default_rng(5)
    a = np.arange(200) % 2
    clicks, sales = rng.normal(size=200), rng.normal(size=200)
    difference = replace(ab_test(clicks, a), sample="t") - replace(ab_test(sales, a), sample="t")
    assert difference.se == pytest.approx(ab_test(clicks - sales, a).se, rel=1e-10)


BAD = {
    "an arm of one": ([1, 2, 3], [0, 0, 1], None, "1 treated and 2 control units: each arm needs"),
    "a control of one": ([1, 2, 3], [0, 1, 1], None, "2 treated and 1 control units"),
    "no control": ([1, 2, 3], [1, 1, 1], None, r"a is 1 in every row: .*units in both arms"),
    "three arms": ([1, 2, 3], [0, 1, 2], None, r"neither 0 nor 1 in 1 of 3 rows \(first: 2\)"),
    "arms by name": ([1, 2], ["A", "B"], None, "a holds <U1 values, not numbers"),
    "a missing arm": ([1, 2, 3], [0, 1, np.nan], None, r"a is NaN .* 1 of 3 rows \(first: 2\)"),
    "a missing outcome": ([1, np.nan], [0, 1], None, r"y is NaN .* 1 of 2 rows \(first: 1\)"),
    "unequal lengths": ([1, 2, 3], [0, 1], None, "y has 3, a has 2"),
    "a short cluster": ([1, 2, 3, 4], [0, 0, 1, 1], [1, 2], "cluster has 2"),
    "a missing cluster": (
        [1, 2, 3, 4],
        [0, 0, 1, 1],
        [1, 2, np.nan, 4],
        r"cluster is missing in 1 of 4 rows \(first: 2\)",
    ),
    "one cluster": ([1, 2, 3, 4], [0, 0, 1, 1], [7] * 4, "cluster has one group"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_experiment_that_says_nothing_is_refused(name):
    y, a, cluster, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        ab_test(y, a, cluster=cluster)


def test_one_cluster_in_an_arm_says_nothing_of_the_spread():
    # Two shops, one of them treated: the residuals of each sum to zero, and so would the error.
    rng = np.random.default_rng(6)
    shop = np.repeat([0, 1], 50)
    with pytest.raises(ValueError, match="cluster"):
        ab_test(rng.normal(size=100), shop, cluster=shop)
