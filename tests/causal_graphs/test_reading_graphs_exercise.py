"""The checker of the exercise on reading graphs: paths counted with networkx, by three rules."""

import networkx as nx

from causalbook.causal_graphs import Graph
from causalbook.causal_graphs.answers import HELD, READING

NAME = "causal_graphs.reading_graphs"
EDGES = [
    ("intent", "shown"),
    ("intent", "purchase"),
    ("shown", "cart"),
    ("cart", "purchase"),
    ("popularity", "shown"),
    ("popularity", "reviews"),
    ("purchase", "reviews"),
    ("reviews", "badge"),
    ("shown", "revisit"),
    ("purchase", "revisit"),
    ("shown", "support"),
    ("purchase", "support"),
]
GRAPH, GIVEN = nx.DiGraph(EDGES), {"intent", "badge", "revisit", "support"}


def count(opens, blocks):
    """Paths of which each collider opens and no other node blocks."""
    total = 0
    for path in nx.all_simple_paths(GRAPH.to_undirected(), "shown", "purchase"):
        fine = True
        for u, v, w in zip(path, path[1:], path[2:], strict=False):
            collider = GRAPH.has_edge(u, v) and GRAPH.has_edge(w, v)
            fine &= opens(v) if collider else not blocks(v)
        total += fine
    return total


def given(v):
    return v in GIVEN


RIGHT = count(lambda v: bool((nx.descendants(GRAPH, v) | {v}) & GIVEN), given)
BLOCKS = count(lambda v: not given(v), given)
NO_EFFECTS = count(given, given)


def test_the_page_and_the_checker_ask_about_this_graph():
    assert Graph(READING) == Graph(EDGES)
    assert HELD == GIVEN


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    mistakes = {
        "given nodes block": (BLOCKS, "the other way round"),
        "effects of colliders": (NO_EFFECTS, "the reviews behind it"),
    }
    examine(NAME, RIGHT, mistakes, hint="do two arrows meet in it")


def test_four_paths_stay_open():
    assert RIGHT == 4
