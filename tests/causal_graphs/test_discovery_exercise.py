"""The checker of the exercise on the page about discovery, by counting without the package."""

from itertools import product

import pytest

from causalbook.exercises import check

NAME = "causal_graphs.discovery"


def without_collider():
    """Directions of X - A - M - Y: +1 points right. A collider is a +1 followed by a -1."""
    ways = list(product((1, -1), repeat=3))
    return [w for w in ways if (1, -1) not in {w[:2], w[1:]}], ways


RIGHT, ALL = map(len, without_collider())


def test_a_chain_may_begin_at_any_of_its_nodes():
    assert (RIGHT, ALL) == (4, 8)


@pytest.mark.parametrize("form", [int, float, str])
def test_the_right_answer_in_any_form(form):
    assert check(NAME, form(RIGHT)).correct


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [(ALL, "all orientations", "collider"), (2, "forwards and backwards", "part in the middle")],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_other_answers_get_the_general_hint():
    assert "strike out" in check(NAME, 3).message
    assert "Not answered yet" in check(NAME).message
