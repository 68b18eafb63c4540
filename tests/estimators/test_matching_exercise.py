"""The checker of the exercise on the page about matching, with fractions and no distances."""

from fractions import Fraction

from causalbook.estimators.answers import practice_twins

NAME = "estimators.matching"
# (visits, spent) as the page prints them
SHOWN = [(2, 4), (5, 7), (9, 9)]
OTHERS = [(1, 1), (3, 2), (6, 6), (8, 5), (4, 3)]
# Read off the number line: 1 and 3 beside 2, 6 and 4 beside 5, 8 beside 9.
RIGHT = (4 - Fraction(1 + 2, 2) + 7 - Fraction(6 + 3, 2) + (9 - 5)) / 3
FIRST = Fraction((4 - 1) + (7 - 6) + (9 - 5), 3)
# The other way: 1 and 3 to 2, 6 and 4 to 5, 8 to 9.
BACK = (4 - 1) + (4 - 2) + (7 - 6) + (9 - 5) + (7 - 3)
ALL = (3 * RIGHT + BACK) / 8
NAIVE = Fraction(4 + 7 + 9, 3) - Fraction(1 + 2 + 6 + 5 + 3, 5)


def test_the_page_prints_these_users():
    rows = [(a, *user) for a, arm in ((1, SHOWN), (0, OTHERS)) for user in arm]
    assert [tuple(row) for row in practice_twins().to_numpy()] == rows


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "first of the tied": (FIRST, "average the two"),
        "everyone matched": (ALL, "that is the ATE"),
        "difference in means": (NAIVE, "the shown visit more often"),
    }
    examine(NAME, RIGHT, mistakes, hint="For each shown user")
