"""The checker of the exercise on cut-off minutes: right answers pass, mistakes meet their hint."""

from fractions import Fraction

EXERCISE = "case_study.scenarios"
WHOLE = (
    Fraction(5) / Fraction("0.9")
    + Fraction(50) / Fraction("0.4")
    + Fraction(10) / Fraction("0.8")
    + Fraction(30) / Fraction("0.5")
    + Fraction(15) / Fraction("0.75")
)
SPOKEN_FOR = sum(1 / Fraction(kept) for kept in ("0.9", "0.4", "0.8", "0.5", "0.75"))
CUT = (
    Fraction(20) / Fraction("0.7")
    + Fraction(40) / Fraction("0.45")
    + Fraction(25) / Fraction("0.65")
)


def test_right_answers_and_misconceptions(examine):
    mistakes = {
        "as they stand": (Fraction(195, 8), "too few"),
        "complete only": (Fraction(110, 5), "divide by kept"),
        "divided by the complete": (WHOLE / 5, "divide by eight"),
        "divided by the weights": (WHOLE / SPOKEN_FOR, "sum of the weights"),
        "cut off and weighted": ((WHOLE + CUT) / 8, "has weight 0"),
    }
    examine(EXERCISE, WHOLE / 8, mistakes, "divided by all eight")
