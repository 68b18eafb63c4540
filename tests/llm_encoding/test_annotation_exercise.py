"""The checker of the annotation exercise, with all answers worked out by hand."""

from fractions import Fraction

# The model says 1 for five of the eight. People read messages 1, 4, 5, 7, 8 and say 1, 1, 0, 0, 0,
# where the model says 1, 0, 1, 0, 1; the disagreements are +1 (p 1/2), -1 (p 1/4), -1 (p 1/2).
RIGHT = Fraction(5 + 2 - 4 - 2, 8)


def test_right_answer_and_misconceptions(examine):
    examine(
        "llm_encoding.annotation",
        RIGHT,
        {
            "counted": (Fraction(5, 8), "let the disagreements speak"),
            "filled in": (Fraction(4, 8), "leaves the model's errors"),
            "people alone": (Fraction(2, 5), "as if each message had the same chance"),
            "unweighted": (Fraction(5, 8) - Fraction(1, 5), "were not read with equal chances"),
        },
        "Average over all messages",
    )
