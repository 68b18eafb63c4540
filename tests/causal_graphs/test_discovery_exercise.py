"""The checker of the exercise on the page about discovery, by counting without the package."""

from itertools import product

NAME = "causal_graphs.discovery"


def without_collider():
    """Directions of X - A - M - Y: +1 points right. A collider is a +1 followed by a -1."""
    ways = list(product((1, -1), repeat=3))
    return [w for w in ways if (1, -1) not in {w[:2], w[1:]}], ways


RIGHT, ALL = map(len, without_collider())


def test_a_chain_may_begin_at_any_of_its_nodes():
    assert (RIGHT, ALL) == (4, 8)


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "all orientations": (ALL, "collider"),
        "forwards and backwards": (2, "part in the middle"),
    }
    examine(NAME, RIGHT, mistakes, hint="strike out")
