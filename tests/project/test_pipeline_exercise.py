"""The exercise of the page: six rounds judge, worked out by hand."""

from fractions import Fraction


def test_each_answer_gets_its_own_hint(examine):
    # Of half 1, the policy agrees with: looks 4 (1/4, 3), buys 0 (1/2, 5), looks 4 (3/4, 2),
    # buys 0 (1/4, 4); the half has seven rounds.
    weighted = 4 * 3 + 2 * 5 + Fraction(4, 3) * 2 + 4 * 4
    # Half 0 agrees with looks 4 (1/4, 8), buys 0 (1/4, 9), looks 4 (3/4, 6), of five rounds.
    more = 4 * 8 + 4 * 9 + Fraction(4, 3) * 6
    mistakes = {
        "judged by its teachers": ((weighted + more) / 12, "may not judge"),
        "matching rounds": (Fraction(3 + 5 + 2 + 4, 4), "plain mean"),
        "no weights": (Fraction(3 + 5 + 2 + 4, 7), "forgets the weights"),
    }
    examine("project.pipeline", weighted / 7, mistakes, "half 1")
