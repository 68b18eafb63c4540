"""The checker of the exercise on the page about bounds, by brute force over the missing stars."""

from fractions import Fraction
from itertools import product

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


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "range of the data": (least_effect(SEEN), "not with what was seen"),
        "naive difference": (NAIVE, "two groups who chose"),
    }
    examine(NAME, least_effect(range(1, 6)), mistakes, hint="Write both columns")
