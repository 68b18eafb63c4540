"""A decision under uncertainty: its risk against integration and simulation, and its refusals."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.integrate import quad

from causalbook import Estimate, mean_of
from causalbook.case_study import decide


def profit(value, spread=1.0, n=400, seed=0):
    scores = np.random.default_rng(seed).normal(size=n)
    scores = value + spread * (scores - scores.mean()) / scores.std()
    return mean_of(scores, estimand="profit", method="test")


@pytest.mark.parametrize("value", [-0.2, -0.01, 0.0, 0.03, 0.15])
def test_the_regret_is_the_integral_of_what_the_wrong_choice_loses(value):
    estimate = profit(value)
    belief = NormalDist(estimate.value, estimate.se)
    act = estimate.value > 0
    reach = (value - 10 * estimate.se, value + 10 * estimate.se)

    def lost(m):
        return max(-m if act else m, 0.0) * belief.pdf(m)

    expected, _ = quad(lost, *reach, points=[0.0], epsabs=1e-13)
    assert decide(estimate, units=1000).expected_regret == pytest.approx(1000 * expected, rel=1e-7)


def test_acting_loses_as_often_as_drawn_profits_are_negative():
    estimate = profit(0.05)
    drawn = np.random.default_rng(1).normal(estimate.value, estimate.se, size=200_000)
    found = decide(estimate, units=1).chance_of_loss
    share = (drawn < 0).mean()
    assert abs(found - share) < 4 * math.sqrt(share * (1 - share) / len(drawn))


def test_the_other_sign_is_the_other_decision_with_the_same_regret():
    good, bad = decide(profit(0.1), units=50), decide(-1 * profit(0.1), units=50)
    assert good.act
    assert not bad.act
    assert good.expected_regret == pytest.approx(bad.expected_regret, rel=1e-12)
    assert good.chance_of_loss == pytest.approx(1 - bad.chance_of_loss, rel=1e-12)


def test_all_is_counted_in_units():
    one, many = decide(profit(0.1), units=1), decide(profit(0.1), units=1000)
    assert one.interval == pytest.approx(profit(0.1).conf_int(), rel=1e-12)
    assert many.gain == pytest.approx(1000 * one.gain)
    assert many.interval == pytest.approx([1000 * end for end in one.interval])
    assert many.expected_regret == pytest.approx(1000 * one.expected_regret)
    assert many.chance_of_loss == one.chance_of_loss


def test_at_zero_the_regret_is_the_error_over_root_two_pi():
    estimate = profit(0.0)
    assert decide(estimate, units=1).expected_regret == pytest.approx(
        estimate.se / math.sqrt(2 * math.pi), rel=1e-9
    )


@pytest.mark.parametrize("units", [0, -3, math.inf, math.nan])
def test_units_must_be_a_number_of_units(units):
    with pytest.raises(ValueError, match="units is"):
        decide(profit(0.1), units=units)


def test_without_an_error_there_is_no_risk_to_speak_of():
    unknown = Estimate(0.1, np.full(4, np.nan), "profit", "by hand", notes=("no error is known",))
    with pytest.raises(ValueError, match="profit has the standard error"):
        decide(unknown, units=10)
    sure = mean_of(np.full(4, 0.1), estimand="profit", method="constant")
    with pytest.raises(ValueError, match="profit has the standard error"):
        decide(sure, units=10)


@pytest.mark.parametrize("bare", [0.3, [0.3, 0.1], None])
def test_a_bare_number_is_no_profit(bare):
    with pytest.raises(ValueError, match=f"profit is a {type(bare).__name__}: pass an Estimate"):
        decide(bare, units=10)
