"""The checker of the exercise on the page about Bayesian networks, by counting users one by one."""

from fractions import Fraction

import pytest

from causalbook.exercises import check

NAME = "causal_graphs.bayesian_networks"
# (X, A, users, buyers) as the page prints them
WEEK = [(0, 0, 500, 40), (0, 1, 100, 15), (1, 0, 40, 12), (1, 1, 160, 64)]
USERS = [(x, a, int(i < y)) for x, a, n, y in WEEK for i in range(n)]


def share(a, xs=(0, 1)):
    bought = [y for x, banner, y in USERS if banner == a and x in xs]
    return Fraction(sum(bought), len(bought))


GAPS = [share(1, [x]) - share(0, [x]) for x in (0, 1)]
DONE = sum(GAPS[x] for x, _, _ in USERS) / len(USERS)  # each user's segment, once
SEEN = share(1) - share(0)
UNWEIGHTED = sum(GAPS) / 2


def test_the_numbers_differ():
    assert Fraction(31, 400) == DONE
    assert Fraction(17, 200) == UNWEIGHTED
    assert len({DONE, SEEN, UNWEIGHTED}) == 3


@pytest.mark.parametrize("form", [Fraction, float, str])
def test_the_right_answer_in_any_form(form):
    assert check(NAME, str(float(DONE)) if form is str else form(DONE)).correct


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [
        (SEEN, "seeing", "different mixtures"),
        (UNWEIGHTED, "segments unweighted", "share of all users"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_other_answers_get_the_general_hint():
    assert "Where does P(x) come from" in check(NAME, 0).message
    assert "Not answered yet" in check(NAME).message
