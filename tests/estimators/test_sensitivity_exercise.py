"""The checker of the exercise on the sensitivity page, in fractions and by hand."""

from fractions import Fraction

NAME = "estimators.sensitivity"
# Error times root of the degrees of freedom: 1/100 * 50; the shares are 1/5 and 1/25, so that the
# root of 1/25 * (1/5) / (4/5) is 1/5 * 1/2.
SHORT, SCALE = Fraction(1, 5), Fraction(50, 100)
RIGHT = SHORT - SCALE * Fraction(1, 5) * Fraction(1, 2)


def test_the_answer_takes_a_quarter():
    assert Fraction(3, 20) == RIGHT


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "below the robustness value": (SHORT, "cannot take *all* of the effect"),
        "without the root": (SHORT - SCALE * Fraction(1, 100), "left the square root out"),
        "all of the treatment": (
            float(SHORT) - float(SCALE) * (1 / 125) ** 0.5,
            "1 less its share",
        ),
    }
    examine(NAME, RIGHT, mistakes, hint="then subtract")
