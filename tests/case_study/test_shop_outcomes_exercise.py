"""The exercise of the page on outcomes: its answer by hand, its misconceptions, other forms."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook.case_study import aipw_missing
from causalbook.case_study.answers_shop_outcomes import practice_reports
from causalbook.exercises import check

NAME = "case_study.shop_outcomes"


def test_the_answer_by_hand_and_by_the_package():
    by_hand = (1 / Fraction(4, 5) + 2 / Fraction(2, 5)) / 10
    assert check(NAME, by_hand)
    table = practice_reports()
    y, rho = table["bought"].to_numpy(), table["chance"].to_numpy()
    # A second arm, the same users without a purchase, turns the effect into the mean of this one.
    both = aipw_missing(
        np.r_[y, np.zeros(10)],
        np.repeat([1, 0], 10),
        np.full(20, 0.5),
        np.r_[rho, np.ones(10)],
        np.zeros(20),
        np.zeros(20),
    )
    assert check(NAME, both)


@pytest.mark.parametrize(
    ("answer", "misconception"),
    [
        (3 / 6, "complete cases"),
        (3 / 10, "silent means no"),
        ((1 / 0.8 + 2 / 0.4) / 6, "divided by those seen"),
    ],
)
def test_mistakes_are_known_by_name(answer, misconception):
    said = check(NAME, answer)
    assert not said
    assert said.misconception == misconception


def test_another_number_gets_the_general_hint():
    assert "divide by all ten users" in check(NAME, 0.9).message
