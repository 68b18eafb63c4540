"""What a longer test is expected to earn, against integrals and dice that share no code with it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from causalbook import Estimate, mean_of
from causalbook.case_study import decide, gain_from_testing


def profit(value, se, n=100):
    """An estimate from n rows with this value and standard error."""
    psi = np.tile([1.0, -1.0], n // 2) * se * math.sqrt(n)
    return Estimate(value, psi, "profit", "made up", sample="x")


def test_is_the_integral_over_what_the_test_may_show():
    value, se, n, units, more = 0.3, 0.5, 100, 5_000, 250
    after = math.sqrt(1 / (1 / se**2 + more / (n * se**2)))  # precisions add
    spread = math.sqrt(se**2 - after**2)  # the variance that the test is expected to explain
    shown = stats.norm(value, spread)
    rest, _ = integrate.quad(lambda x: max(x, 0) * shown.pdf(x), -6, 6, points=[0], limit=200)
    tested = more * value / 2 + (units - more) * rest
    found = gain_from_testing(profit(value, se, n), units=units, more=more)
    assert found == pytest.approx(tested - units * value, rel=1e-7)


def test_is_what_dice_say():
    value, se, n, units, more, draws = -0.2, 0.4, 64, 1_000, 128, 400_000
    rng = np.random.default_rng(3)
    true = rng.normal(value, se, draws)
    seen = rng.normal(true, se * math.sqrt(n / more))  # the new test alone
    pooled = (n * value + more * seen) / (n + more)
    earned = more * true / 2 + (units - more) * true * (pooled > 0)
    found = gain_from_testing(profit(value, se, n), units=units, more=more)
    # deciding now is not to act, which earns nothing
    assert abs(earned.mean() - found) < 4 * earned.std() / math.sqrt(draws)


@given(
    value=st.floats(-2, 2),
    se=st.floats(0.05, 3),
    share=st.floats(0.01, 0.99),
    scale=st.floats(0.1, 50),
)
def test_depends_on_size_and_unit_as_money_does(value, se, share, scale):
    p, units = profit(value, se), 10_000
    gain = gain_from_testing(p, units=units, more=share * units)
    assert gain == pytest.approx(gain_from_testing(-p, units=units, more=share * units), abs=1e-8)
    scaled = gain_from_testing(scale * p, units=units, more=share * units)
    assert scaled == pytest.approx(scale * gain, rel=1e-9, abs=1e-7)
    # No test is worth more than knowing the profit exactly, for nothing.
    assert gain <= decide(p, units=units).expected_regret + 1e-8


def test_an_endless_free_test_is_worth_the_whole_regret():
    p = profit(0.0, 0.5)  # where both look equal a test costs nothing
    worth = gain_from_testing(p, units=1e12, more=1e6) / 1e12
    assert worth == pytest.approx(decide(p, units=1).expected_regret, rel=1e-4)


def test_a_clear_answer_is_not_tested_further():
    for more in (10, 1_000, 50_000):
        assert gain_from_testing(profit(1.0, 0.1), units=100_000, more=more) < 0


def test_an_error_without_influence_values_will_do():
    p = profit(0.3, 0.5)
    bare = Estimate(0.3, np.full(100, np.nan), "profit", "made up", notes=("given",), given_se=0.5)
    args = {"units": 5_000, "more": 300}
    assert gain_from_testing(bare, **args) == pytest.approx(gain_from_testing(p, **args), rel=1e-12)


@pytest.mark.parametrize("more", [0, -5, 1_000, 2_000, math.nan])
def test_refuses_a_test_of_nobody_or_of_everybody(more):
    with pytest.raises(ValueError, match=r"more is .* and units 1000: pass how many units"):
        gain_from_testing(profit(0.3, 0.5), units=1_000, more=more)


def test_refuses_a_profit_without_error():
    certain = mean_of(np.ones(4), estimand="profit", method="mean")
    with pytest.raises(ValueError, match="profit has the standard error 0"):
        gain_from_testing(certain, units=100, more=10)


def test_refuses_a_bare_number():
    with pytest.raises(ValueError, match="profit is a float: pass an Estimate"):
        gain_from_testing(0.3, units=100, more=10)
