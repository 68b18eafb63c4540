"""The checker of the regression exercise: right answers pass, mistakes meet their own hint."""

from fractions import Fraction

import numpy as np
import pytest
import statsmodels.api as sm

from causalbook.estimators import regression_adjustment
from causalbook.estimators.answers import practice_arms
from causalbook.exercises import check

EXERCISE = "estimators.regression"
# By hand: in low intent (six visitors) 3 - 1 euros, in high intent (four) 8 - 2.
RIGHT = Fraction(6 * 2 + 4 * 6, 10)


def test_the_right_answer_passes_in_every_form():
    for answer in (RIGHT, float(RIGHT), np.float64(RIGHT)):
        assert check(EXERCISE, answer)


def test_the_package_gives_it_and_says_that_ten_rows_are_few():
    frame = practice_arms()
    with pytest.warns(UserWarning, match="rows for each coefficient"):
        estimate = regression_adjustment(frame["spent"], frame["shown"], frame["intent"])
    assert check(EXERCISE, estimate)


def test_three_misconceptions_have_their_own_hints():
    frame = practice_arms()
    one_slope = sm.OLS(frame["spent"], sm.add_constant(frame[["shown", "intent"]])).fit()
    wrong = {
        "difference in means": (Fraction(30, 5) - Fraction(6, 5), "within each intent"),
        "one coefficient": (one_slope.params["shown"], "how evenly it was split"),
        "those shown": (Fraction(2 * 2 + 3 * 6, 5), "that is the ATT"),
    }
    for name, (answer, hint) in wrong.items():
        feedback = check(EXERCISE, answer)
        assert not feedback
        assert feedback.misconception == name
        assert hint in feedback.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(EXERCISE, 1.0)
    assert not feedback
    assert feedback.misconception is None
    assert "within each intent" in feedback.message
    assert str(float(RIGHT)) not in feedback.message
