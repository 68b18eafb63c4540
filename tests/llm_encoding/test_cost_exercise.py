"""The checker of the cost exercise: right answers pass, mistakes meet their own hint."""

from math import sqrt

from causalbook import mean_of
from causalbook.exercises import check
from causalbook.llm_encoding.answers_cost import practice_scores

EXERCISE = "llm_encoding.cost"
# By hand: the differences are .2, -.1, -.1, .3, 0, .3, their mean .1.
SQUARES = 0.01 + 0.04 + 0.04 + 0.04 + 0.01 + 0.04  # about that mean
FULL = 0.01 + 0.81 + 0.16 + 0.36 + 1.44 + 0.36 - 6 * 0.3**2
CHEAP = 0.09 + 0.64 + 0.25 + 0.81 + 1.44 + 0.09 - 6 * 0.4**2


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "two samples": (sqrt(FULL + CHEAP) / 6, "Subtract row by row"),
        "difference of errors": (sqrt(FULL) / 6 - sqrt(CHEAP) / 6, "Errors do not subtract"),
        "spread of one row": (sqrt(SQUARES / 6), "root of six"),
    }
    examine(EXERCISE, sqrt(SQUARES) / 6, mistakes, "Take cheap less full")


def test_the_package_gives_the_right_answer():
    table = practice_scores()
    full, cheap = (
        mean_of(table[c], estimand="effect", method=c, sample="six") for c in ("full", "cheap")
    )
    assert check(EXERCISE, (cheap - full).se)
