"""The checker of the baselines exercise: right answers pass, mistakes meet their own hint."""

from math import log2

from causalbook.exercises import check
from causalbook.recommenders import ndcg

EXERCISE = "recommenders.baselines"
# By hand: hits at ranks 2 and 4, three liked films.
DCG = 1 / log2(3) + 1 / log2(5)


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "no discount": (2 / 3, "its recall"),
        "not normalised": (DCG, "best list there could be"),
        "ideal from the list alone": (DCG / (1 + 1 / log2(3)), "which this list has missed"),
    }
    examine(EXERCISE, DCG / (1 + 1 / log2(3) + 1 / log2(4)), mistakes, "divide by the same sum")


def test_the_package_gives_the_right_answer():
    # Two users alike: films 0 to 3 are listed, 1, 3 and 4 are liked.
    assert check(EXERCISE, ndcg([[0, 1, 2, 3]] * 2, [[0, 1, 0, 1, 1]] * 2))
