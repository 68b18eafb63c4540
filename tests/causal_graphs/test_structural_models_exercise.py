"""The checker of the exercise on the page: right answer, three mistakes, all worked on paper."""

from fractions import Fraction

import pytest

from causalbook.exercises import check

NAME = "causal_graphs.structural_models"
# Of 48 users 18 of high intent are shown: 12 sure, 6 put off. Of low intent 6 are shown: 1
# persuadable, 5 lost. So 13 shown users buy, one of whom would not have unshown.
CAUSED = Fraction(1, 13)
SEEN = Fraction(18, 24)  # unshown: 6 of high intent buy, 18 of low intent do not
DONE = Fraction(1, 2)
UPLIFT = 1 - Fraction(6, 24) / Fraction(13, 24)


@pytest.mark.parametrize("form", [Fraction, float, str])
def test_the_right_answer(form):
    answer = str(float(CAUSED)) if form is str else form(CAUSED)
    assert check(NAME, answer).correct


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [
        (SEEN, "seeing", "first rung"),
        (DONE, "doing", "second rung"),
        (UPLIFT, "uplift in the log", "would not have bought"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_the_answers_differ_and_others_get_a_hint():
    assert len({CAUSED, SEEN, DONE, UPLIFT}) == 4
    assert "Imagine A = 0" in check(NAME, 0.2).message
