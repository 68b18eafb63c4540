"""The checker of the exercise on instruments, its numbers worked out by hand."""

from fractions import Fraction


def test_the_exercise_on_instruments(examine):
    # Of 20 mailed users 12 used it and 10 bought; of 20 others 4 used it and 6 bought.
    on_bought, on_used = Fraction(10 - 6, 20), Fraction(12 - 4, 20)
    examine(
        "estimators.instruments",
        on_bought / on_used,
        {
            "mailed minus not mailed": (on_bought, "divide by how many it moved"),
            "users minus others": (Fraction(12, 16) - Fraction(4, 24), "They chose to"),
            "those who did as told": (Fraction(9, 12) - Fraction(3, 16), "different people"),
        },
        "divide it by the difference",
    )
