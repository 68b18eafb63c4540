"""The checker of the exercise on the propensity page, in fractions and by hand."""

from fractions import Fraction

NAME = "estimators.propensity"
# (A, e in tenths, Y) as the page prints them
VISITS = [(1, 8, 1), (1, 8, 1), (1, 5, 0), (0, 8, 1), (1, 2, 1), (0, 5, 0), (0, 2, 0), (0, 2, 1)]


def mean(arm, weight):
    rows = [(weight(e), y) for a, e, y in VISITS if a == arm]
    return sum(w * y for w, y in rows) / sum(w for w, _ in rows)


OFFERED, WITHOUT = (lambda e: Fraction(10, e)), (lambda e: Fraction(10, 10 - e))
RIGHT = mean(1, OFFERED) - mean(0, WITHOUT)


def test_the_answer_is_the_one_of_the_solution():
    assert Fraction(5, 38) == RIGHT


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    by_visits = sum(y * OFFERED(e) if a else -y * WITHOUT(e) for a, e, y in VISITS) / 8
    mistakes = {
        "one weight for both arms": (mean(1, OFFERED) - mean(0, OFFERED), "of its own arm"),
        "offered minus not": (Fraction(3, 4) - Fraction(2, 4), "The policy chose"),
        "divided by the visits": (by_visits, "sum of its own weights"),
    }
    examine(NAME, RIGHT, mistakes, hint="weighted mean of Y in")
