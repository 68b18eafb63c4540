"""The checker of the off-policy exercise: right answers pass, mistakes meet their own hint."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook import mean_of
from causalbook.exercises import check

EXERCISE = "estimators.off_policy"
# By hand: item 1 was shown in rounds 2, 5, 7 with propensities 1/5, 1/2, 1/5 and rewards 1, 1, 0.
TOTAL = Fraction(1) / Fraction(1, 5) + Fraction(1) / Fraction(1, 2)
RIGHT = TOTAL / 8


def test_the_right_answer_passes_in_every_form():
    scores = [0, 5, 0, 0, 2, 0, 0, 0]
    estimate = mean_of(scores, estimand="value", method="IPS")
    for answer in (RIGHT, float(RIGHT), np.float64(RIGHT), np.array(RIGHT, dtype=float), estimate):
        assert check(EXERCISE, answer)


def test_two_misconceptions_have_their_own_hints():
    naive, by_matches = check(EXERCISE, Fraction(2, 3)), check(EXERCISE, TOTAL / 3)
    assert not naive
    assert not by_matches
    assert naive.misconception == "click rate where shown"
    assert "weigh each round" in naive.message
    assert by_matches.misconception == "divided by the matches"
    assert "divides by all rounds" in by_matches.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(EXERCISE, 0.5)
    assert not feedback
    assert feedback.misconception is None
    assert "average over all rounds" in feedback.message
    assert str(float(RIGHT)) not in feedback.message


def test_an_open_answer_is_no_error():
    assert "Not answered" in check(EXERCISE).message
    assert "single number" in check(EXERCISE, "0.875 or so").message


def test_an_unknown_exercise_is_named():
    for name in ("estimators.nothing", "nowhere.off_policy", "off_policy"):
        with pytest.raises(ValueError, match=name):
            check(name, 1)
