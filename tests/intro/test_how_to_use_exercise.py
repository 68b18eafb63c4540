"""The checker of the exercise on intervals, by counting every pattern of hits and misses."""

from fractions import Fraction
from math import comb

NAME = "intro.how_to_use"
HOLD = Fraction(19, 20)
# P(k of twelve miss), the groups of users being separate
MISSES = [comb(12, k) * (1 - HOLD) ** k * HOLD ** (12 - k) for k in range(13)]


def test_the_patterns_are_all_there_are():
    assert sum(MISSES) == 1
    assert sum(k * p for k, p in enumerate(MISSES)) == 12 * (1 - HOLD)


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "one interval": (1 - HOLD, "Twelve have twelve chances"),
        "all of them hold": (MISSES[0], "all other cases"),
        "chances added": (12 * (1 - HOLD), "expected number of misses"),
    }
    examine(NAME, sum(MISSES[1:]), mistakes, hint="multiply the chances")
