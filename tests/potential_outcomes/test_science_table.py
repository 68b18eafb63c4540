"""The checker of the exercise on the page, and the page's exact facts by another road."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest

from causalbook.exercises import check

NAME = "potential_outcomes.science_table"
# (A, Y(0), Y(1)) as the page prints them
CUSTOMERS = [
    (1, 2, 3), (1, 3, 3), (1, 4, 6), (1, 5, 4), (0, 0, 2),
    (0, 1, 2), (0, 0, 3), (0, 1, 2), (0, 2, 3), (0, 1, 3),
]  # fmt: skip


def average(numbers):
    numbers = list(numbers)
    return Fraction(sum(numbers), len(numbers))


ATT = average(y1 - y0 for a, y0, y1 in CUSTOMERS if a)
ATE = average(y1 - y0 for _, y0, y1 in CUSTOMERS)
NAIVE = average(y1 for a, _, y1 in CUSTOMERS if a) - average(y0 for a, y0, _ in CUSTOMERS if not a)


def test_the_three_answers_differ():
    assert len({ATT, ATE, NAIVE}) == 3


@pytest.mark.parametrize("form", [Fraction, float, np.float64, str])
def test_the_right_answer_in_any_form(form):
    answer = form(float(ATT)) if form is str else form(ATT)
    feedback = check(NAME, answer)
    assert feedback.correct
    assert feedback.misconception is None


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [(NAIVE, "naive difference", "selection bias"), (ATE, "average over everyone", "A = 1")],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_unanswered_and_otherwise_wrong_answers():
    assert "Not answered yet" in check(NAME, ...).message
    other = check(NAME, float(ATT) + 0.01)
    assert not other.correct
    assert other.misconception is None
    assert "Y(1) - Y(0)" in other.message
    assert "single number" in check(NAME, [1, 2]).message


def test_an_unknown_exercise_is_refused():
    with pytest.raises(ValueError, match=r"part\.page"):
        check("potential_outcomes.no_such_page", 1)
    with pytest.raises(ValueError, match=r"part\.page"):
        check("no_such_part.science_table", 1)


# The shop of twelve: 4 sure, 2 put off (high intent); 1 persuadable, 5 lost (low intent).
Y0 = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
Y1 = [1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0]


def test_the_lottery_in_plain_integers():
    """Sum of six Y(1) minus sum of the other six Y(0), over all choices, without numpy."""
    totals = [
        sum(Y1[i] for i in s) - sum(Y0[i] for i in range(12) if i not in s)
        for s in combinations(range(12), 6)
    ]
    assert len(totals) == comb(12, 6)
    mean = Fraction(sum(totals), 6 * len(totals))
    assert mean == Fraction(-1, 12)
    variance = Fraction(sum(t * t for t in totals), 36 * len(totals)) - mean**2
    assert variance == Fraction(107, 1584)  # Neyman's formula, worked by hand below
    # sum of squares about the mean: Y(1) 35/12, Y(0) 3, effect 35/12; each over 11
    by_hand = Fraction(35, 12) / 66 + Fraction(3) / 66 - Fraction(35, 12) / 132
    assert by_hand == variance
    assert max(totals) == 4  # the targeted difference, 4/6
    assert totals.count(4) == 3


def test_four_grinders_by_walking_the_queue():
    """The page counts with cumulative sums; here each of eight users takes one while it lasts."""

    def queue(shown, stock):
        bought = []
        for i in range(8):
            takes = stock > 0 and (i % 2 == 0 or i in shown)
            stock -= takes
            bought.append(int(takes))
        return bought

    assert sum(queue(set(range(8)), 4)) == sum(queue(set(), 4)) == 4
    gaps, control = [], {}
    for k in range(1, 8):
        logs = [(set(s), queue(set(s), 4)) for s in combinations(range(8), k)]
        means = [Fraction(sum(b[i] for i in range(8) if i not in s), 8 - k) for s, b in logs]
        control[k] = sum(means) / len(means)
        if k == 4:
            gaps = [Fraction(sum(b[i] for i in s) - (4 - sum(b[i] for i in s)), 4) for s, b in logs]
    assert sum(gaps) / len(gaps) == Fraction(11, 35)
    assert (control[1], control[7]) == (Fraction(25, 56), Fraction(1, 4))
