"""Answers to the exercises of this part, computed from the worlds that the pages show."""

from __future__ import annotations

from itertools import product

from causalbook.causal_graphs.dag import Graph
from causalbook.exercises import Exercise


# structural_models: the shop of 48 equally frequent sorts of users, as (shown, Y(0), Y(1)).
def _shop() -> list[tuple[int, int, int]]:
    users = []
    for x, u, d in product((0, 1), range(4), range(1, 7)):
        if x == 1:  # four sure, two put off
            users.append((int(u < 3), 1, int(d <= 4)))
        else:  # one persuadable, five lost
            users.append((int(u < 1), 0, int(d == 1)))
    return users


def _not_bought(users: list[tuple[int, int, int]]) -> float:
    return sum(1 - y0 for _, y0, _ in users) / len(users)


def _caused() -> float:
    return _not_bought([user for user in _shop() if user[0] == 1 and user[2] == 1])


def _seen() -> float:
    return _not_bought([user for user in _shop() if user[0] == 0])


def _done() -> float:
    return _not_bought(_shop())


def _uplift() -> float:
    bought = sum(y1 for a, _, y1 in _shop() if a == 1) / sum(a for a, _, _ in _shop())
    return (bought - (1 - _seen())) / bought


# discovery: the chain of which the page asks how many graphs say the same.
def _turned() -> list[Graph]:
    """The chain X -> A -> M -> Y with its three arrows turned in all ways."""
    ways = product(("->", "<-"), repeat=3)
    return [Graph(f"X {a} A; A {b} M; M {c} Y") for a, b, c in ways]


def _alike() -> float:
    """How many of them are without a collider, and so have the chain's independences."""
    graphs = _turned()
    return float(sum(g.d_separated("X", "M", "A") and g.d_separated("A", "Y", "M") for g in graphs))


# bayesian_networks: one week of a banner, (segment, banner): (users, buyers).
WEEK = {(0, 0): (500, 40), (0, 1): (100, 15), (1, 0): (40, 12), (1, 1): (160, 64)}


def _gap(x: int) -> float:
    (n_0, y_0), (n_1, y_1) = WEEK[x, 0], WEEK[x, 1]
    return y_1 / n_1 - y_0 / n_0


def _banner_done() -> float:
    users = [WEEK[x, 0][0] + WEEK[x, 1][0] for x in (0, 1)]
    return sum(users[x] * _gap(x) for x in (0, 1)) / sum(users)


def _banner_seen() -> float:
    (old, old_buyers), (new, new_buyers) = (
        map(sum, zip(WEEK[0, a], WEEK[1, a], strict=True)) for a in (0, 1)
    )
    return new_buyers / new - old_buyers / old


def _banner_unweighted() -> float:
    return (_gap(0) + _gap(1)) / 2


# identification: rentals by (X, A, M): (users, rented); M is recorded after A.
RENTALS = {
    (1, 1, 1): (1800, 1080),
    (1, 1, 0): (1200, 480),
    (1, 0, 1): (200, 100),
    (1, 0, 0): (800, 240),
    (0, 1, 1): (900, 360),
    (0, 1, 0): (600, 120),
    (0, 0, 1): (900, 270),
    (0, 0, 0): (3600, 360),
}


def _within(*columns: int) -> float:
    """Compare A = 1 with A = 0 within cells of columns of (X, A, M), weighted by their users."""
    total = 0.0
    cells = {tuple(row[k] for k in columns) for row in RENTALS}
    for cell in cells:
        users, rented = [0, 0], [0, 0]
        for row, (n, y) in RENTALS.items():
            if tuple(row[k] for k in columns) == cell:
                users[row[1]] += n
                rented[row[1]] += y
        total += sum(users) * (rented[1] / users[1] - rented[0] / users[0])
    return total / sum(n for n, _ in RENTALS.values())


# reading_graphs: the analyst's graph, and what is held fixed.
READING = """
    intent -> shown; intent -> purchase; shown -> cart -> purchase
    popularity -> shown; popularity -> reviews; purchase -> reviews
    reviews -> badge; shown -> revisit; purchase -> revisit
    shown -> support; purchase -> support
"""
HELD = frozenset({"intent", "badge", "revisit", "support"})


def _open() -> float:
    return float(sum(p.open for p in Graph(READING).paths("shown", "purchase", HELD)))


def _open_if_given_nodes_block() -> float:
    """What one counts who forgets colliders: a given node blocks, any other lets through."""
    paths = Graph(READING).paths("shown", "purchase")
    return float(sum(not HELD & set(p.nodes) for p in paths))


def _open_without_effects() -> float:
    """What one counts who opens a collider only if it is given itself."""
    paths = Graph(READING).paths("shown", "purchase")
    sets = [(set(p.colliders), set(p.nodes)) for p in paths]
    return float(sum(c <= HELD and not HELD & (nodes - c) for c, nodes in sets))


EXERCISES = {
    "bayesian_networks": Exercise(
        answer=_banner_done,
        misconceptions={
            "seeing": (
                _banner_seen,
                "This is the share of buyers among those served A = 1 minus that among those "
                "served A = 0. The two groups are different mixtures of the segments. Compare "
                "within each segment, then average over the segments of all users.",
            ),
            "segments unweighted": (
                _banner_unweighted,
                "This is the plain mean of the two segments' differences: it counts a segment of "
                "200 users as much as one of 600. Weight each difference with P(x), the segment's "
                "share of all users.",
            ),
        },
        hint="P(y | do(a)) is the sum over x of P(x) P(y | a, x). Where does P(x) come from?",
    ),
    "identification": Exercise(
        answer=lambda: _within(0),
        misconceptions={
            "naive difference": (
                _within,
                "This is the share of rentals with the banner minus that without: it credits the "
                "banner with what users who come by search do anyway. X -> A is a back door: "
                "compare within X, and weight by the share of X among all users.",
            ),
            "adjusts for everything": (
                lambda: _within(0, 2),
                "You compared within X and M. The click M is an effect of the banner, so holding "
                "it fixed removes the part of the effect that runs through the trailer. Add up "
                "the rows over M first.",
            ),
            "the wrong column": (
                lambda: _within(2),
                "You compared within M. It is an effect of the banner, and X, the common cause, is "
                "still open. Swap the two.",
            ),
        },
        hint="Which column has arrows into A and into Y? Compare within it, then average over all "
        "users.",
    ),
    "reading_graphs": Exercise(
        answer=_open,
        misconceptions={
            "given nodes block": (
                _open_if_given_nodes_block,
                "You counted the paths on which nothing is given. That is right for chains and "
                "forks. A collider works the other way round: it blocks until it is given. Look "
                "at each node where two arrows of a path meet.",
            ),
            "effects of colliders": (
                _open_without_effects,
                "One path is missing. A collider is also opened by an effect of it that is given: "
                "whoever selects by the badge selects by the reviews behind it.",
            ),
        },
        hint="List the paths first, then ask for each inner node: do two arrows meet in it?",
    ),
    "structural_models": Exercise(
        answer=_caused,
        misconceptions={
            "seeing": (
                _seen,
                "This is the share of non-buyers among those who were not shown: the first rung. "
                "They have less intent than our user, who was shown and bought. Start from the "
                "users like ours, A = 1 and Y = 1.",
            ),
            "doing": (
                _done,
                "This is how many would not buy if nobody were shown: the second rung, about all "
                "users. That ours bought is evidence. Update the noise by it before you act.",
            ),
            "uplift in the log": (
                _uplift,
                "This is the share of the purchase rate that the unshown lack. It would be right "
                "if being shown had nothing to do with intent and put nobody off; here neither "
                "holds. Count the users with A = 1 and Y = 1 who would not have bought.",
            ),
        },
        hint="Seen: A = 1 and Y = 1. Imagine A = 0, and ask for Y = 0.",
    ),
    "discovery": Exercise(
        answer=_alike,
        misconceptions={
            "all orientations": (
                lambda: float(len(_turned())),
                "These are all ways to direct the three edges. In some of them two arrows meet at "
                "A or at M: such a collider makes other columns independent, and the log would "
                "show it. Count those without one.",
            ),
            "forwards and backwards": (
                lambda: 2.0,
                "The chain and its reversal do say the same, but they are not alone: the arrows "
                "may also part in the middle, as in X <- A -> M -> Y.",
            ),
        },
        hint="Direct the three edges in every way, and strike out each graph in which two arrows "
        "meet at A or at M.",
    ),
}
