"""The checker of the exercise on difference in differences."""

from fractions import Fraction


def test_the_checker_knows_the_answer_and_two_misconceptions(examine):
    # By hand: the two cities gain 10 and 8, the three others 6, 5 and 4.
    changes = Fraction(10 + 8, 2), Fraction(6 + 5 + 4, 3)
    after = Fraction(50 + 60, 2) - Fraction(37 + 40 + 34, 3)
    examine(
        "estimators.difference_in_differences",
        changes[0] - changes[1],
        {
            "after only": (after, "take each group's change"),
            "treated cities only": (changes[0], "subtract their change"),
        },
        "Average the change",
    )
