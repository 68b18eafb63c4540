"""The checker of the exercise on weighted risk: right answers pass, mistakes meet their hint."""

from fractions import Fraction

import pytest

from causalbook.estimators import answers
from causalbook.exercises import check
from causalbook.recommenders import ips_risk

EXERCISE = "estimators.debiased_recommenders"
# By hand: losses 1, 4, 1, 3 were seen with propensities 1/2, 1/5, 4/5, 1/2.
WEIGHTS = [Fraction(2), Fraction(5), Fraction(5, 4), Fraction(2)]
TOTAL = sum(loss * w for loss, w in zip((1, 4, 1, 3), WEIGHTS, strict=True))


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "mean of the observed": (Fraction(9, 4), "stands for"),
        "divided by the observed": (TOTAL / 4, "by the six pairs"),
        "divided by the weights": (TOTAL / sum(WEIGHTS), "it is SNIPS"),
    }
    examine(EXERCISE, TOTAL / 6, mistakes, "average over all pairs")


@pytest.mark.filterwarnings("ignore:the estimate rests on the losses")
def test_the_package_gives_the_right_answer():
    seen = answers.practice_pairs().dropna()
    assert check(EXERCISE, ips_risk(seen["loss"], seen["propensity"], seen["user"], shape=(2, 3)))
