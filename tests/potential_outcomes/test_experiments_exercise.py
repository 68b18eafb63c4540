"""The checker of the page on experiments: Wald's ratio passes, three mistakes meet their hints."""

from fractions import Fraction

NAME = "potential_outcomes.experiments"
# As the page prints them: with a message 1,000 users, 400 opened; without 1,000, 100 opened.
MESSAGE = Fraction(100 + 50, 1000) - Fraction(45 + 75, 1000)
RIGHT = MESSAGE / (Fraction(400, 1000) - Fraction(100, 1000))
OPENERS = Fraction(100 + 45, 500) - Fraction(50 + 75, 1500)
ACROSS = Fraction(100, 400) - Fraction(45 + 75, 1000)


def test_the_answers_differ():
    assert 10 * RIGHT == 1
    assert len({RIGHT, MESSAGE, OPENERS, ACROSS}) == 4


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "effect of the message": (MESSAGE, "Divide by the share whom the message made open"),
        "openers against the others": (OPENERS, "nothing was drawn by lot between them"),
        "openers with a message against all without": (ACROSS, "the whole arms alike"),
    }
    examine(NAME, RIGHT, mistakes, hint="Two differences between the arms")
