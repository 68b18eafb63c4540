"""The checker of the exercise on identification, from the eight rows that the page prints."""

from fractions import Fraction

NAME = "causal_graphs.identification"
# X, A, M, users, rented
ROWS = [
    (1, 1, 1, 1800, 1080),
    (1, 1, 0, 1200, 480),
    (1, 0, 1, 200, 100),
    (1, 0, 0, 800, 240),
    (0, 1, 1, 900, 360),
    (0, 1, 0, 600, 120),
    (0, 0, 1, 900, 270),
    (0, 0, 0, 3600, 360),
]


def rate(**at):
    kept = [r for r in ROWS if all(r["XAM".index(k)] == v for k, v in at.items())]
    return Fraction(sum(r[4] for r in kept), sum(r[3] for r in kept))


def share(**at):
    kept = [r for r in ROWS if all(r["XAM".index(k)] == v for k, v in at.items())]
    return Fraction(sum(r[3] for r in kept), sum(r[3] for r in ROWS))


RIGHT = sum(share(X=x) * (rate(X=x, A=1) - rate(X=x, A=0)) for x in (0, 1))
NAIVE = rate(A=1) - rate(A=0)
BOTH = sum(
    share(X=x, M=m) * (rate(X=x, M=m, A=1) - rate(X=x, M=m, A=0)) for x in (0, 1) for m in (0, 1)
)
CLICK = sum(share(M=m) * (rate(M=m, A=1) - rate(M=m, A=0)) for m in (0, 1))


def test_the_rows_were_made_by_an_effect_of_eighteen_hundredths():
    """Rentals: a tenth, two more for search, two for a click, one for the banner itself."""
    for x, a, m, users, rented in ROWS:
        assert Fraction(rented, users) == Fraction(1 + 2 * x + 2 * m + a, 10)
        arm = sum(n for x_, a_, _, n, _ in ROWS if (x_, a_) == (x, a))
        assert Fraction(users, arm) == (Fraction(1 + 2 * a, 5) if m else Fraction(4 - 2 * a, 5))
    assert Fraction(1, 10) + Fraction(2, 10) * Fraction(2, 5) == RIGHT


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "naive difference": (NAIVE, "back door"),
        "adjusts for everything": (BOTH, "effect of the banner"),
        "the wrong column": (CLICK, "still open"),
    }
    examine(NAME, RIGHT, mistakes, hint="Which column has arrows")
