"""Manski's bounds: every table that fits the log lies within, and both ends are reached."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given

from causalbook.potential_outcomes import Bounds, ab_test, bounds


def mean(x):
    return sum(x, Fraction(0)) / len(x)


def test_the_numbers_of_the_article():
    """Half browse, a fifth buy, three in ten of those who browse: so one in ten of the others."""
    log = {(1, 1): 3, (1, 0): 7, (0, 1): 1, (0, 0): 9}  # (a, y): users of twenty
    p = {cell: Fraction(count, 20) for cell, count in log.items()}
    browse = p[1, 1] + p[1, 0]
    buy = p[1, 1] + p[0, 1]
    buy_if_browsed = p[1, 1] / browse
    assert (browse, buy, buy_if_browsed) == (Fraction(1, 2), Fraction(1, 5), Fraction(3, 10))
    rest = (buy - browse * buy_if_browsed) / (1 - browse)
    assert rest == Fraction(1, 10)
    assert buy_if_browsed - rest == Fraction(1, 5) == 2 * (buy_if_browsed - buy)

    lower = p[1, 1] - (browse + p[0, 1])
    upper = p[1, 1] + (1 - browse) - p[0, 1]
    assert (lower, upper) == (Fraction(-2, 5), Fraction(3, 5))
    a, y = zip(*[cell for cell, count in log.items() for _ in range(count)], strict=True)
    found = bounds(y, a)
    assert found.lower.value == pytest.approx(float(lower), abs=1e-15)
    assert found.upper.value == pytest.approx(float(upper), abs=1e-15)


def test_the_bounds_are_the_least_and_greatest_effect_over_every_completion():
    y, a = (1, 0, 1, 1, 0, 0, 1), (1, 1, 1, 0, 0, 1, 0)
    effects = [
        mean([(v - h if t else h - v) for v, t, h in zip(y, a, hidden, strict=True)])
        for hidden in product((0, 1), repeat=7)
    ]
    found = bounds(y, a)
    assert found.lower.value == pytest.approx(float(min(effects)), abs=1e-15)
    assert found.upper.value == pytest.approx(float(max(effects)), abs=1e-15)


unit = st.tuples(st.integers(-3, 9), st.integers(-3, 9), st.integers(0, 1))


@given(st.lists(unit, min_size=2, max_size=30).filter(lambda t: len({a for *_, a in t}) == 2))
def test_any_table_under_any_mask_lies_within_and_the_ends_are_attained(table):
    a = [t for *_, t in table]
    seen = [v1 if t else v0 for v0, v1, t in table]
    found = bounds(seen, a, low=-3, high=9)
    ate = float(mean([v1 - v0 for v0, v1, _ in table]))
    assert found.lower.value - 1e-12 <= ate <= found.upper.value + 1e-12
    assert found.upper.value - found.lower.value == pytest.approx(12, rel=1e-12)

    # The two extreme tables have the same log, and their own effects are the ends.
    worst = [(seen[i], -3) if t == 0 else (9, seen[i]) for i, t in enumerate(a)]
    best = [(seen[i], 9) if t == 0 else (-3, seen[i]) for i, t in enumerate(a)]
    for extreme, end in ((worst, found.lower), (best, found.upper)):
        assert [v1 if t else v0 for (v0, v1), t in zip(extreme, a, strict=True)] == seen
        effect = float(mean([v1 - v0 for v0, v1 in extreme]))
        assert end.value == pytest.approx(effect, rel=1e-12, abs=1e-12)


@given(st.lists(unit, min_size=2, max_size=30).filter(lambda t: len({a for *_, a in t}) == 2))
def test_swapping_the_arms_turns_the_bounds_round(table):
    y0, _, a = (np.array(column) for column in zip(*table, strict=True))
    found, turned = bounds(y0, a, low=-3, high=9), bounds(y0, 1 - a, low=-3, high=9)
    assert turned.lower.value == pytest.approx(-found.upper.value, rel=1e-12, abs=1e-12)
    assert turned.upper.value == pytest.approx(-found.lower.value, rel=1e-12, abs=1e-12)
    assert turned.lower.influence == pytest.approx(-found.upper.influence, abs=1e-12)


def test_the_error_of_an_end_is_that_of_the_mean_of_filled_rows():
    rng = np.random.default_rng(1990)
    y, a = rng.uniform(2, 5, size=200), rng.integers(0, 2, size=200)
    found = bounds(y, a, low=2, high=5)
    filled = np.where(a == 1, y - 5, 2 - y)
    assert found.lower.value == pytest.approx(filled.mean(), rel=1e-12)
    assert found.lower.se == pytest.approx(filled.std() / math.sqrt(200), rel=1e-12)
    # The ends differ by a constant, so they have one error between them.
    width = found.upper - found.lower
    assert width.value == pytest.approx(3, rel=1e-12)
    assert width.se == pytest.approx(0, abs=1e-15)


def test_the_ends_go_with_other_estimates_on_the_same_rows_and_with_clusters():
    rng = np.random.default_rng(1991)
    a, g = rng.integers(0, 2, size=300), np.repeat(np.arange(100), 3)
    y = (rng.random(300) < 0.2 + 0.3 * a).astype(float)
    found, difference = bounds(y, a), ab_test(y, a)
    gap = found.upper - difference
    assert gap.value == pytest.approx(found.upper.value - difference.value, rel=1e-12)
    clustered = replace(found.upper, cluster=g)
    sums = np.where(a == 1, y, 1 - y) - np.where(a == 1, y, 1 - y).mean()
    assert clustered.se == pytest.approx(np.sqrt((sums.reshape(100, 3).sum(1) ** 2).sum()) / 300)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_the_interval_solves_the_equation_of_imbens_and_manski(level):
    """Twenty rows in a range of two hundredths: the width is some standard errors, not many."""
    y, a = np.repeat([0.0, 1.0, 0.0, 1.0], [7, 3, 9, 1]), np.repeat([1, 0], 10)
    found = bounds(y, a)
    narrow = Bounds(found.lower, found.lower + 0.02)
    for case in (found, narrow):
        delta = (case.upper.value - case.lower.value) / case.lower.se

        def short(c, delta=delta):
            return scipy.stats.norm.cdf(c + delta) - scipy.stats.norm.cdf(-c) - level

        c = scipy.optimize.brentq(short, 0, 10)
        low, high = case.conf_int(level)
        assert low == pytest.approx(case.lower.value - c * case.lower.se, abs=1e-9)
        assert high == pytest.approx(case.upper.value + c * case.upper.se, abs=1e-9)
    one_sided = scipy.stats.norm.ppf(level)
    assert (found.lower.value - found.conf_int(level)[0]) / found.lower.se == pytest.approx(
        one_sided, abs=1e-6
    )


def test_bounds_that_meet_have_the_interval_of_an_estimate():
    found = bounds([1, 0, 1, 0, 0], [1, 1, 0, 0, 1])
    point = Bounds(found.lower, found.lower)
    assert point.conf_int() == pytest.approx(found.lower.conf_int(), abs=1e-9)


def test_without_spread_the_interval_is_the_bounds():
    found = bounds([1, 0, 1, 0], [1, 0, 1, 0])  # every filled row is alike
    assert found.conf_int() == (found.lower.value, found.upper.value) == (0, 1)


def test_the_range_enters_in_the_unit_of_the_outcome():
    y, a = np.array([3.0, 5.0, 1.0, 2.0]), [1, 1, 0, 0]
    cents = bounds(100 * y, a, low=100, high=500)
    stars = bounds(y, a, low=1, high=5)
    assert cents.lower.value == pytest.approx(100 * stars.lower.value, rel=1e-12)
    assert cents.upper.se == pytest.approx(100 * stars.upper.se, rel=1e-12)


def test_it_shows_itself():
    found = bounds([1, 0, 1, 0, 0], [1, 1, 0, 0, 1])
    assert "bounds on the ATE by Manski (outcomes in [0, 1])" in repr(found)
    assert "5 rows" in repr(found)
    html = found._repr_html_()
    assert "causalbook-estimate" in html
    assert f"[{found.lower.value:.3f}, {found.upper.value:.3f}]" in html
    assert found.lower.estimand == "lower bound on the ATE"
    assert found.upper.estimand == "upper bound on the ATE"


@pytest.mark.parametrize(
    ("y", "a", "options", "message"),
    [
        ([0, 1, 2, 1], [0, 1, 0, 1], {}, r"y is outside \[low, high\] = \[0, 1\] in 1 of 4 rows"),
        ([0, 1, -1, 2], [0, 1, 0, 1], {}, r"2 of 4 rows \(first: 2, 3\)"),
        ([0, 1], [0, 1], {"low": 1.0}, "low is 1.0 and high is 1.0"),
        ([0, 1], [0, 1], {"low": 2.0}, "finite range that the outcome can take"),
        ([0, 1], [0, 1], {"high": math.inf}, "high is inf"),
        ([0, 1], [0, 1], {"high": math.nan}, "high is nan"),
        ([0, math.nan], [0, 1], {}, "y is NaN or infinite in 1 of 2 rows"),
        ([0, 1], [0, 2], {}, "a is neither 0 nor 1"),
        ([0, 1], [1, 1], {}, "needs units in both arms"),
        ([0, 1, 1], [1, 0], {}, "unequal lengths: y has 3, a has 2"),
    ],
)
def test_refusals(y, a, options, message):
    with pytest.raises(ValueError, match=message):
        bounds(y, a, **options)


def test_crossed_bounds_and_wrong_levels_are_refused():
    found = bounds([1, 0, 1, 0, 0], [1, 1, 0, 0, 1])
    with pytest.raises(ValueError, match="an assumption behind them is false"):
        Bounds(found.upper, found.lower).conf_int()
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="pass a share between 0 and 1"):
            found.conf_int(level)
