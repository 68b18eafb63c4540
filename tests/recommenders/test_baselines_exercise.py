"""The checker of the baselines exercise: right answers pass, mistakes meet their own hint."""

from math import log2

import pytest

from causalbook.exercises import check
from causalbook.recommenders import ndcg

EXERCISE = "recommenders.baselines"
# By hand: hits at ranks 2 and 4, three liked films.
DCG = 1 / log2(3) + 1 / log2(5)
RIGHT = DCG / (1 + 1 / log2(3) + 1 / log2(4))


def test_the_right_answer_passes_by_hand_and_by_the_package():
    assert check(EXERCISE, RIGHT)
    # Two users alike: films 0 to 3 are listed, 1, 3 and 4 are liked.
    assert check(EXERCISE, ndcg([[0, 1, 2, 3]] * 2, [[0, 1, 0, 1, 1]] * 2))


@pytest.mark.parametrize(
    ("answer", "name", "hint"),
    [
        (2 / 3, "no discount", "its recall"),
        (DCG, "not normalised", "best list there could be"),
        (DCG / (1 + 1 / log2(3)), "ideal from the list alone", "which this list has missed"),
    ],
)
def test_misconceptions_have_their_own_hints(answer, name, hint):
    feedback = check(EXERCISE, answer)
    assert not feedback
    assert feedback.misconception == name
    assert hint in feedback.message


def test_another_wrong_answer_gets_the_way_and_not_the_number():
    feedback = check(EXERCISE, 0.25)
    assert not feedback
    assert feedback.misconception is None
    assert str(RIGHT)[:6] not in feedback.message
