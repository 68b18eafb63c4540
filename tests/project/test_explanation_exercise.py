"""The exercise on explanation, worked out without the package."""

from fractions import Fraction


def test_exercise(examine):
    # "new": shown with 1/4 once, with 3/4 three times; empty with 3/4 three times, with 1/4 once
    right = (4 * Fraction(2) + Fraction(4, 3) * (5 + 4 + 6)) / (4 + 3 * Fraction(4, 3)) - (
        Fraction(4, 3) * 1 + 4 * 4
    ) / (3 * Fraction(4, 3) + 4)
    plain = Fraction(2 + 5 + 4 + 6, 4) - Fraction(0 + 1 + 0 + 4, 4)
    shown = (4 * Fraction(2 + 1) + Fraction(4, 3) * (5 + 4 + 0 + 6)) / (8 + 4 * Fraction(4, 3))
    empty = (Fraction(4, 3) * (0 + 6 + 1 + 0) + 4 * Fraction(4 + 5)) / (4 * Fraction(4, 3) + 8)
    value = (4 * Fraction(2) + Fraction(4, 3) * 15) / 8
    examine(
        "project.explanation",
        right,
        {
            "plain means": (float(plain), "plain difference of means"),
            "all contexts": (float(shown - empty), "both contexts"),
            "value, not effect": (float(value), "not what it changes"),
        },
        "Keep the context",
    )
