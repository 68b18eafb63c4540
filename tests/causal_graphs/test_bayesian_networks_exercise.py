"""The checker of the exercise on the page about Bayesian networks, by counting users one by one."""

from fractions import Fraction

NAME = "causal_graphs.bayesian_networks"
# (X, A, users, buyers) as the page prints them
WEEK = [(0, 0, 500, 40), (0, 1, 100, 15), (1, 0, 40, 12), (1, 1, 160, 64)]
USERS = [(x, a, int(i < y)) for x, a, n, y in WEEK for i in range(n)]


def share(a, xs=(0, 1)):
    bought = [y for x, banner, y in USERS if banner == a and x in xs]
    return Fraction(sum(bought), len(bought))


GAPS = [share(1, [x]) - share(0, [x]) for x in (0, 1)]
DONE = sum(GAPS[x] for x, _, _ in USERS) / len(USERS)  # each user's segment, once
SEEN = share(1) - share(0)
UNWEIGHTED = sum(GAPS) / 2


def test_the_numbers_differ():
    assert Fraction(31, 400) == DONE
    assert Fraction(17, 200) == UNWEIGHTED
    assert len({DONE, SEEN, UNWEIGHTED}) == 3


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "seeing": (SEEN, "different mixtures"),
        "segments unweighted": (UNWEIGHTED, "share of all users"),
    }
    examine(NAME, DONE, mistakes, hint="Where does P(x) come from")
