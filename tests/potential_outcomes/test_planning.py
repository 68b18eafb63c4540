"""Sizes, arms and many metrics, against scipy and statsmodels."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import assume, given, settings
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from causalbook.potential_outcomes import (
    holm,
    sample_size,
    sample_size_proportions,
    srm_test,
)

inside = st.floats(0.01, 0.99)


@given(st.floats(0.02, 2), st.floats(0.3, 0.95), st.floats(0.8, 0.99))
def test_the_size_is_the_smallest_with_the_power_that_statsmodels_gives_it(d, power, level):
    n = sample_size(3 * d, 3.0, power=power, level=level)

    def reached(size):  # statsmodels.stats.power.TTestIndPower().power(d, nobs1, alpha)
        return TTestIndPower().power(effect_size=d, nobs1=size, alpha=1 - level)

    assume(np.isfinite(reached(n)))  # the far tail of scipy's noncentral t can be NaN
    assert reached(n) >= power - 1e-6
    assert n == 2 or reached(n - 1) < power + 1e-6


def test_where_statsmodels_gives_no_power_the_size_is_still_right():
    # d = 1.9375, level .999: TTestIndPower().power(1.9375, 21, .001) is NaN. By simulation instead:
    n = sample_size(1.9375, 1.0, power=0.9, level=0.999)
    rng = np.random.default_rng(18)
    for size, least, most in ((n, 0.9, 1.0), (n - 2, 0.0, 0.9)):
        one, other = rng.normal(size=(2, 100_000, size)) + np.array([[[0]], [[1.9375]]])
        p = scipy.stats.ttest_ind(one, other, axis=1).pvalue
        assert least - 0.003 < (p < 0.001).mean() < most + 0.003


@pytest.mark.parametrize("d", [0.01, 0.05, 0.2, 0.5, 0.8])
def test_the_size_is_statsmodels_rounded_up(d):
    theirs = TTestIndPower().solve_power(effect_size=d, power=0.8, alpha=0.05)
    assert sample_size(d, 1.0) == math.ceil(theirs)


def test_the_published_sizes_for_half_a_standard_deviation_and_for_a_fifth():
    # Cohen (1988, table 2.3.5), two-sided 5%, power .80: d = .20, .50, .80 need 393, 64, 26
    # per arm. For .20 the exact noncentral t asks for one more: its power at 393 is .7996.
    assert [sample_size(d, 1.0) for d in (0.2, 0.5, 0.8)] == [394, 64, 26]
    assert TTestIndPower().power(0.2, 393, 0.05) == pytest.approx(0.7996, abs=5e-5)


def test_half_the_effect_needs_four_times_the_units_and_its_sign_none():
    assert sample_size(0.01, 1.0) == pytest.approx(4 * sample_size(0.02, 1.0), rel=1e-4)
    assert sample_size(-0.3, 1.0) == sample_size(0.3, 1.0)


def test_a_tiny_effect_has_the_size_of_the_two_sided_normal_test():
    # The far tail counts: without it 2 (z + z)^2 / d^2 is 2.5 units in a million too large.
    phi, z = scipy.stats.norm.cdf, scipy.stats.norm.ppf(0.975)

    def lack(shift):
        return phi(shift - z) + phi(-shift - z) - 0.8

    n = 2 * scipy.optimize.brentq(lack, 1, 5, xtol=1e-14) ** 2 / 1e-8
    assert sample_size(1e-4, 1.0) == pytest.approx(n, rel=1e-8)


@given(inside, inside, st.floats(0.3, 0.99), st.floats(0.8, 0.999))
def test_the_size_for_shares_is_statsmodels_rounded_up(p0, p1, power, level):
    assume(abs(p1 - p0) > 1e-3)
    # samplesize_proportions_2indep_onetail(diff, prop2, power, ratio=1, alpha, two-sided)
    theirs = samplesize_proportions_2indep_onetail(p1 - p0, p0, power, alpha=1 - level)
    assume(abs(theirs - round(theirs)) > 1e-6)
    assert sample_size_proportions(p0, p1, power=power, level=level) == math.ceil(theirs)
    assert sample_size_proportions(p1, p0, power=power, level=level) == math.ceil(theirs)


@given(st.lists(st.integers(20, 10_000), min_size=2, max_size=6), st.data())
def test_the_arms_are_tested_as_scipy_does(counts, data):
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(counts), max_size=len(counts)))
    shares = np.array(weights) / sum(weights)
    assume(min(sum(counts) * shares) >= 5)
    theirs = scipy.stats.chisquare(counts, sum(counts) * shares).pvalue
    assert srm_test(counts, shares) == pytest.approx(theirs, rel=1e-9, abs=1e-300)


def test_arms_as_designed_have_p_one():
    assert srm_test([300, 100], [0.75, 0.25]) == 1


@settings(max_examples=20)  # theirs takes a twentieth of a second
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(pvalues):
    theirs = multipletests(pvalues, method="holm")[1]
    assert holm(pvalues) == pytest.approx(theirs, rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_holm_keeps_the_order_it_was_given(pvalues, random):
    order = list(range(len(pvalues)))
    random.shuffle(order)
    shuffled = holm([pvalues[i] for i in order])
    assert shuffled == pytest.approx(holm(pvalues)[order])
    assert (holm(pvalues) >= np.array(pvalues)).all()


BAD = {
    "no effect": (lambda: sample_size(0, 1), "effect is 0 and sd 1"),
    "no spread": (lambda: sample_size(1, 0), "spread above 0"),
    "a nan": (lambda: sample_size(math.nan, 1), "effect is nan"),
    "a power of one": (lambda: sample_size(1, 1, power=1), "power is 1: pass a share"),
    "per cent": (lambda: sample_size(1, 1, level=95), "level is 95"),
    "a power of chance": (lambda: sample_size(1, 1, power=0.05), "no more than the 0.05 of false"),
    "equal shares": (lambda: sample_size_proportions(0.1, 0.1), "two different shares"),
    "a share of none": (lambda: sample_size_proportions(0, 0.1), "p0 is 0"),
    "too small to compute": (lambda: sample_size(1e-9, 1), "effect is 1e-09"),
    "one arm": (lambda: srm_test([5], [1.0]), "a ratio needs two"),
    "half a user": (lambda: srm_test([5.5, 6], [0.5, 0.5]), r"no whole numbers in 1 of 2 rows"),
    "shares beyond one": (lambda: srm_test([50, 50], [0.5, 0.6]), "shares sum to 1.1"),
    "an arm of share 0": (lambda: srm_test([50, 50], [0, 1]), "the least is 0"),
    "a handful": (lambda: srm_test([4, 4], [0.5, 0.5]), "one arm expects 4 units"),
    "unequal lengths": (lambda: srm_test([50, 50], [1.0]), "shares has 1"),
    "no p-value": (lambda: holm([0.1, 1.2]), r"pvalues are not between 0 and 1 in 1 of 2"),
    "a missing p-value": (lambda: holm([0.1, np.nan]), "pvalues is NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_planned_is_refused(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
