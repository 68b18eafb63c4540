"""The checker of the exercise on interest and relevance, worked out by hand from its table."""

from fractions import Fraction

from causalbook.exercises import check
from causalbook.llm_encoding.answers_interest_and_relevance import practice_rounds

EXERCISE = "llm_encoding.interest_and_relevance"
# Fans, a fifth of the rounds: 80 of 160 less 8 of 40. Others: 10 of 100 less 28 of 700.
RIGHT = Fraction(1, 5) * (Fraction(80, 160) - Fraction(8, 40)) + Fraction(4, 5) * (
    Fraction(10, 100) - Fraction(28, 700)
)


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "groups pooled": (Fraction(90, 260) - Fraction(36, 740), "compare within fans"),
        "interest for effect": (
            Fraction(1, 5) * Fraction(1, 2) + Fraction(4, 5) * Fraction(1, 10),
            "subtract them",
        ),
        "both": (Fraction(90, 260), "mostly fans"),
    }
    examine(EXERCISE, RIGHT, mistakes, "within each group")


def test_the_printed_table_leads_to_the_answer():
    table = practice_rounds().set_index(["users", "shown"])
    rate = (table["watched"] / table["rounds"]).unstack()
    size = table["rounds"].groupby("users").sum()
    assert check(EXERCISE, ((rate[1] - rate[0]) * size).sum() / size.sum())
