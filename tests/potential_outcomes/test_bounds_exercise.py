"""The checker of the exercise on the page about bounds, by brute force over the missing stars."""

from fractions import Fraction
from itertools import product

import pytest

from causalbook.exercises import check

NAME = "potential_outcomes.bounds"
# (A, stars) as the page prints them
RATINGS = [(1, 5), (1, 4), (1, 5), (1, 3), (0, 3), (0, 4), (0, 2), (0, 4), (0, 3), (0, 2)]


def least_effect(values):
    """Each user's effect is least on its own, so the least mean is the mean of the least."""
    return Fraction(sum(min(y - v if a else v - y for v in values) for a, y in RATINGS), 10)


SEEN = range(min(y for _, y in RATINGS), 1 + max(y for _, y in RATINGS))
NAIVE = Fraction(5 + 4 + 5 + 3, 4) - Fraction(3 + 4 + 2 + 4 + 3 + 2, 6)


def test_the_least_effect_over_every_table_with_only_the_extremes():
    effects = [
        sum(y - v if a else v - y for (a, y), v in zip(RATINGS, hidden, strict=True))
        for hidden in product((1, 5), repeat=10)
    ]
    assert Fraction(min(effects), 10) == least_effect(range(1, 6))


@pytest.mark.parametrize("form", [Fraction, float, str])
def test_the_right_answer_in_any_form(form):
    right = least_effect(range(1, 6))
    assert check(NAME, str(float(right)) if form is str else form(right)).correct


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [
        (least_effect(SEEN), "range of the data", "not with what was seen"),
        (NAIVE, "naive difference", "two groups who chose"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_other_answers_get_the_general_hint():
    assert len({least_effect(range(1, 6)), least_effect(SEEN), NAIVE}) == 3
    assert "Write both columns" in check(NAME, 0).message
    assert "Not answered yet" in check(NAME).message
