"""The checker of the exercise on text as a confounder, by pen and paper."""

from fractions import Fraction

F = Fraction
RIGHT, EFFECT = F(9, 10), F(1, 4)


def mean_y(a, w=None):
    """E[Y | A=a (, W=w)] by Bayes, without the package."""
    weight = {
        u: (F(3, 4) if a == u else F(1, 4)) * (1 if w is None else RIGHT if w == u else 1 - RIGHT)
        for u in (0, 1)
    }
    return sum(p * (F(1, 8) + EFFECT * a + F(1, 2) * u) for u, p in weight.items()) / sum(
        weight.values()
    )


NAIVE = mean_y(1) - mean_y(0) - EFFECT
ADJUSTED = sum(mean_y(1, w) - mean_y(0, w) for w in (0, 1)) / 2 - EFFECT
left_over = ADJUSTED / NAIVE


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    assert left_over == F(3, 7)
    assert left_over == (1 - F(4, 5) ** 2) / (1 - F(1, 4) * F(4, 5) ** 2)
    mistakes = {
        "error rate": (1 - RIGHT, "how often the reading is wrong"),
        "what R2 leaves": (1 - F(4, 5) ** 2, "That is the numerator"),
        "share removed": (1 - left_over, "asked is what it leaves"),
    }
    examine("llm_encoding.text_as_confounder", left_over, mistakes, hint="Compute R squared")
