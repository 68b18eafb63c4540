"""The checker of the exercise on reading graphs: paths counted with networkx, by three rules."""

import networkx as nx
import pytest

from causalbook.causal_graphs import Graph
from causalbook.causal_graphs.answers import HELD, READING
from causalbook.exercises import check

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


@pytest.mark.parametrize("form", [int, float, str])
def test_the_right_count_in_any_form(form):
    assert RIGHT == 4
    assert check(NAME, form(RIGHT)).correct


@pytest.mark.parametrize(
    ("answer", "name", "word"),
    [
        (BLOCKS, "given nodes block", "the other way round"),
        (NO_EFFECTS, "effects of colliders", "the reviews behind it"),
    ],
)
def test_each_misconception_has_its_own_hint(answer, name, word):
    feedback = check(NAME, answer)
    assert not feedback
    assert feedback.misconception == name
    assert word in feedback.message


def test_other_answers_get_the_general_hint():
    assert len({RIGHT, BLOCKS, NO_EFFECTS}) == 3
    assert "do two arrows meet in it" in check(NAME, 5).message
    assert "Not answered yet" in check(NAME).message
