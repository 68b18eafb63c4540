"""The checker of the exercise on the page, by counting users instead of averaging rates."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook.exercises import check

NAME = "potential_outcomes.direct_and_indirect"
# Of 100 users, how many fill a basket in each arm; of 100 in a cell, how many buy.
BASKETS = {0: 20, 1: 60}
BUYERS = {(0, 0): 5, (0, 1): 25, (1, 0): 10, (1, 1): 55}


def purchases(a, b):
    """Per user, in arm a with the baskets of arm b."""
    return Fraction(BASKETS[b] * BUYERS[a, 1] + (100 - BASKETS[b]) * BUYERS[a, 0], 10_000)


NDE = purchases(1, 0) - purchases(0, 0)
TNDE = purchases(1, 1) - purchases(0, 1)
TE = purchases(1, 1) - purchases(0, 0)


def test_the_three_answers_differ():
    assert len({NDE, TNDE, TE}) == 3


@pytest.mark.parametrize("form", [Fraction, float, np.float64])
def test_the_right_answer_in_any_form(form):
    feedback = check(NAME, form(NDE))
    assert feedback.correct
    assert feedback.misconception is None


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [
        (TNDE, "weights of the shown", "total direct"),
        (TE, "total effect", "still counts the baskets"),
    ],
)
def test_each_misconception_gets_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback.correct
    assert feedback.misconception == name
    assert word in feedback.message


def test_any_other_answer_gets_the_general_hint():
    assert "At each M" in check(NAME, 0.5).message
    assert "Not answered yet" in check(NAME).message
