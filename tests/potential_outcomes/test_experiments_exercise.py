"""The checker of the page on experiments: Wald's ratio passes, three mistakes meet their hints."""

from fractions import Fraction

import numpy as np
import pytest

from causalbook.exercises import check

NAME = "potential_outcomes.experiments"
# As the page prints them: with a message 1,000 users, 400 opened; without 1,000, 100 opened.
MESSAGE = Fraction(100 + 50, 1000) - Fraction(45 + 75, 1000)
RIGHT = MESSAGE / (Fraction(400, 1000) - Fraction(100, 1000))
OPENERS = Fraction(100 + 45, 500) - Fraction(50 + 75, 1500)
ACROSS = Fraction(100, 400) - Fraction(45 + 75, 1000)


def test_the_answers_differ():
    assert 10 * RIGHT == 1
    assert len({RIGHT, MESSAGE, OPENERS, ACROSS}) == 4


@pytest.mark.parametrize("form", [Fraction, float, np.float64])
def test_the_right_answer_in_any_form(form):
    assert check(NAME, form(RIGHT)).correct


@pytest.mark.parametrize(
    ("answer", "mistake", "hint"),
    [
        (MESSAGE, "effect of the message", "Divide by the share whom the message made open"),
        (OPENERS, "openers against the others", "nothing was drawn by lot between them"),
        (ACROSS, "openers with a message against all without", "the whole arms alike"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, mistake, hint):
    feedback = check(NAME, answer)
    assert not feedback.correct
    assert feedback.misconception == mistake
    assert hint in feedback.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(NAME, 0.5)
    assert feedback.misconception is None
    assert "Two differences between the arms" in feedback.message
    assert "0.1" not in feedback.message
