"""The checker of the exercise on the page, its answers worked from the printed counts."""

from fractions import Fraction

import pytest

from causalbook.exercises import check

NAME = "potential_outcomes.selection_bias"
# (visits, purchases) as the page prints them
LOW_0, LOW_1, HIGH_0, HIGH_1 = (600, 30), (200, 30), (50, 20), (150, 66)


def rate(*groups):
    return Fraction(sum(p for _, p in groups), sum(v for v, _ in groups))


LOW, HIGH = rate(LOW_1) - rate(LOW_0), rate(HIGH_1) - rate(HIGH_0)
ATE = Fraction(800, 1000) * LOW + Fraction(200, 1000) * HIGH
POOLED = rate(LOW_1, HIGH_1) - rate(LOW_0, HIGH_0)
PLAIN = (LOW + HIGH) / 2


def test_the_answers_differ():
    assert (Fraction(1, 10), Fraction(1, 25), Fraction(88, 1000)) == (LOW, HIGH, ATE)
    assert len({ATE, POOLED, PLAIN}) == 3


@pytest.mark.parametrize("form", [Fraction, float, str])
def test_the_right_answer_in_any_form(form):
    assert check(NAME, form(float(ATE)) if form is str else form(ATE)).correct


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [
        (POOLED, "pooled difference", "within each intent"),
        (PLAIN, "plain mean of the strata", "share of all visits"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_unanswered_and_otherwise_wrong_answers():
    assert "Not answered yet" in check(NAME).message
    other = check(NAME, float(ATE) + 0.01)
    assert not other.correct
    assert other.misconception is None
