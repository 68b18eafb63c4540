"""The checker of the exercise on the page about doubly robust estimation, by pen and paper."""

from fractions import Fraction

# A, Y, e, mu0, mu1 as the page prints them, in tenths
VISITS = [(1, 1, 8, 3, 6), (1, 0, 5, 2, 4), (1, 1, 5, 2, 4), (0, 0, 2, 1, 2)]
VISITS += [(0, 1, 5, 2, 4), (0, 0, 2, 1, 2), (1, 1, 8, 3, 6), (0, 0, 5, 2, 4)]
PREDICTED = sum(Fraction(mu1 - mu0, 10) for *_, mu0, mu1 in VISITS) / 8
SHOWN = [(y - Fraction(mu1, 10), Fraction(e, 10)) for a, y, e, _, mu1 in VISITS if a]
HIDDEN = [(y - Fraction(mu0, 10), 1 - Fraction(e, 10)) for a, y, e, mu0, _ in VISITS if not a]
CORRECTION = (sum(r / p for r, p in SHOWN) - sum(r / p for r, p in HIDDEN)) / 8
UNWEIGHTED = (sum(r for r, _ in SHOWN) - sum(r for r, _ in HIDDEN)) / 8


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "models only": (PREDICTED, "no second chance"),
        "residuals without weights": (PREDICTED + UNWEIGHTED, "Divide each by the probability"),
        "correction only": (CORRECTION, "added to what the models predict"),
    }
    examine("estimators.doubly_robust", PREDICTED + CORRECTION, mistakes, hint="For each visit")
