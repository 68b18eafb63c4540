"""The checker of the exercise on the page, by counting users instead of averaging rates."""

from fractions import Fraction

NAME = "potential_outcomes.direct_and_indirect"
# Of 100 users, how many fill a basket in each arm; of 100 in a cell, how many buy.
BASKETS = {0: 20, 1: 60}
BUYERS = {(0, 0): 5, (0, 1): 25, (1, 0): 10, (1, 1): 55}


def purchases(a, b):
    """Per user, in arm a with the baskets of arm b."""
    return Fraction(BASKETS[b] * BUYERS[a, 1] + (100 - BASKETS[b]) * BUYERS[a, 0], 10_000)


NDE = purchases(1, 0) - purchases(0, 0)
TNDE = purchases(1, 1) - purchases(0, 1)
TE = purchases(1, 1) - purchases(0, 0)


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "weights of the shown": (TNDE, "total direct"),
        "total effect": (TE, "still counts the baskets"),
    }
    examine(NAME, NDE, mistakes, hint="At each M")
