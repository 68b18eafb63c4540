"""The checker of the exercise on the page, its answers worked from the printed counts."""

from fractions import Fraction

NAME = "potential_outcomes.selection_bias"
# (visits, purchases) as the page prints them
LOW_0, LOW_1, HIGH_0, HIGH_1 = (600, 30), (200, 30), (50, 20), (150, 66)


def rate(*groups):
    return Fraction(sum(p for _, p in groups), sum(v for v, _ in groups))


LOW, HIGH = rate(LOW_1) - rate(LOW_0), rate(HIGH_1) - rate(HIGH_0)
ATE = Fraction(800, 1000) * LOW + Fraction(200, 1000) * HIGH
POOLED = rate(LOW_1, HIGH_1) - rate(LOW_0, HIGH_0)
PLAIN = (LOW + HIGH) / 2


def test_the_answers_differ():
    assert (Fraction(1, 10), Fraction(1, 25), Fraction(88, 1000)) == (LOW, HIGH, ATE)
    assert len({ATE, POOLED, PLAIN}) == 3


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "pooled difference": (POOLED, "within each intent"),
        "plain mean of the strata": (PLAIN, "share of all visits"),
    }
    examine(NAME, ATE, mistakes, hint="average the two gaps over all visits")
