"""The checker of the exercise on weighted risk: right answers pass, mistakes meet their hint."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook.estimators import answers
from causalbook.exercises import check
from causalbook.recommenders import ips_risk

EXERCISE = "estimators.debiased_recommenders"
# By hand: losses 1, 4, 1, 3 were seen with propensities 1/2, 1/5, 4/5, 1/2.
TOTAL = 1 * Fraction(2) + 4 * Fraction(5) + 1 * Fraction(5, 4) + 3 * Fraction(2)
RIGHT = TOTAL / 6
MISTAKES = {
    "mean of the observed": (Fraction(9, 4), "stands for"),
    "divided by the observed": (TOTAL / 4, "by the six pairs"),
    "divided by the weights": (
        TOTAL / (Fraction(2) + Fraction(5) + Fraction(5, 4) + Fraction(2)),
        "it is SNIPS",
    ),
}


def test_the_right_answer_passes_in_every_form():
    for answer in (RIGHT, float(RIGHT), np.float64(RIGHT)):
        assert check(EXERCISE, answer)


@pytest.mark.filterwarnings("ignore:the estimate rests on the losses")
def test_the_package_gives_the_right_answer():
    seen = answers.practice_pairs().dropna()
    assert check(EXERCISE, ips_risk(seen["loss"], seen["propensity"], seen["user"], shape=(2, 3)))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_misconception_has_its_own_hint(name):
    answer, hint = MISTAKES[name]
    feedback = check(EXERCISE, answer)
    assert not feedback
    assert feedback.misconception == name
    assert hint in feedback.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(EXERCISE, 1.0)
    assert not feedback
    assert feedback.misconception is None
    assert "average over all pairs" in feedback.message
    assert str(float(RIGHT)) not in feedback.message
