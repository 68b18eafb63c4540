"""Graphs against networkx, and d-separation against its definition and against a moral graph."""

import re
from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook.causal_graphs import Graph

# -- random graphs, as plain lists of edges --------------------------------------------------


@st.composite
def graphs(draw, most=6):
    """Return edges, arcs and latents of a DAG over two to six letters, in any order of names."""
    letters = draw(st.permutations("ABCDEF"[: draw(st.integers(2, most))]))
    pairs = list(combinations(letters, 2))
    kinds = draw(st.lists(st.sampled_from(["", "", "->", "->", "<->", "both"]), min_size=15))
    edges = [p for p, kind in zip(pairs, kinds, strict=False) if kind in ("->", "both")]
    arcs = [p for p, kind in zip(pairs, kinds, strict=False) if kind in ("<->", "both")]
    latent = draw(st.sets(st.sampled_from(letters), max_size=2))
    return letters, edges, arcs, latent


def build(drawn):
    letters, edges, arcs, latent = drawn
    text = [*letters, *(f"{u} -> {v}" for u, v in edges), *(f"{u} <-> {v}" for u, v in arcs)]
    return Graph("; ".join(text), latent)


def spelled_out(drawn):
    """Each arc becomes a node of its own, with an edge to either side."""
    letters, edges, arcs, _ = drawn
    full = nx.DiGraph()
    full.add_nodes_from(letters)
    full.add_edges_from(edges)
    for i, (u, v) in enumerate(arcs):
        full.add_edges_from([(f"hidden {i}", u), (f"hidden {i}", v)])
    return full


# -- d-separation, twice ---------------------------------------------------------------------


def paths_by_rule(full, x, y, s):
    """Yield each simple path with whether it is open, by Pearl's definition 1.2.3."""
    below = {v: nx.descendants(full, v) | {v} for v in full}
    for path in nx.all_simple_paths(full.to_undirected(), x, y):
        is_open = True
        for before, v, after in zip(path, path[1:], path[2:], strict=False):
            collider = full.has_edge(before, v) and full.has_edge(after, v)
            if (collider and not below[v] & s) or (not collider and v in s):
                is_open = False
        yield path, is_open


def separated_in_moral_graph(full, x, y, s):
    """Keep x, y, s and their ancestors, marry parents, forget directions, delete s."""
    kept = {x, y, *s}.union(*(nx.ancestors(full, v) for v in {x, y, *s}))
    moral = nx.Graph()
    moral.add_nodes_from(kept)
    for v in kept:
        above = list(full.predecessors(v))
        moral.add_edges_from([(u, v) for u in above] + list(combinations(above, 2)))
    moral.remove_nodes_from(s)
    return not nx.has_path(moral, x, y)


@settings(max_examples=1000)
@given(graphs(), st.data())
def test_separation_is_its_definition_three_times(drawn, data):
    letters, *_ = drawn
    x, y = data.draw(st.permutations(letters))[:2]
    s = data.draw(st.sets(st.sampled_from(letters))) - {x, y}
    full, graph = spelled_out(drawn), build(drawn)
    separated = not any(is_open for _, is_open in paths_by_rule(full, x, y, s))
    assert graph.d_separated(x, y, s) == separated
    assert separated_in_moral_graph(full, x, y, s) == separated
    assert nx.is_d_separator(full, {x}, {y}, s) == separated


@settings(max_examples=1000)
@given(graphs(most=5), st.data())
def test_the_paths_are_all_simple_paths_with_what_they_do(drawn, data):
    letters, *_ = drawn
    x, y = data.draw(st.permutations(letters))[:2]
    s = data.draw(st.sets(st.sampled_from(letters))) - {x, y}
    full = spelled_out(drawn)
    expected = []
    for path, is_open in paths_by_rule(full, x, y, s):
        ahead = [full.has_edge(u, v) for u, v in pairwise(path)]
        kind = "causal" if all(ahead) else "other" if ahead[0] else "back door"
        expected.append((tuple(v for v in path if len(v) == 1), kind, is_open))
    found = build(drawn).paths(x, y, s)
    assert sorted((p.nodes, p.kind, p.open) for p in found) == sorted(expected)
    assert [len(p.nodes) for p in found] == sorted(len(p.nodes) for p in found)
    assert any(p.open for p in found) != build(drawn).d_separated(x, y, s)


@settings(max_examples=300)
@given(graphs(), st.data())
def test_separation_of_sets_is_that_of_all_their_pairs(drawn, data):
    letters, *_ = drawn
    place = data.draw(st.lists(st.sampled_from("xys-"), min_size=6, max_size=6))
    x, y, s = ({v for v, p in zip(letters, place, strict=False) if p == at} for at in "xys")
    graph = build(drawn)
    pairs = all(graph.d_separated(u, v, s) for u in x for v in y)
    assert graph.d_separated(x, y, s) == graph.d_separated(y, x, s) == pairs


@settings(max_examples=1000)
@given(graphs())
def test_independences_are_one_for_each_pair_that_has_any_and_minimal(drawn):
    letters, _, _, latent = drawn
    full, observed = spelled_out(drawn), [v for v in letters if v not in latent]
    found = {frozenset((x, y)): s for x, y, s in build(drawn).independences()}
    for x, y in combinations(observed, 2):
        others = sorted(set(observed) - {x, y})
        sets = [set(c) for k in range(len(others) + 1) for c in combinations(others, k)]
        good = [s for s in sets if nx.is_d_separator(full, {x}, {y}, s)]
        smallest = frozenset(min(good, key=lambda s: (len(s), sorted(s)))) if good else None
        assert found.get(frozenset((x, y))) == smallest


# -- walking ---------------------------------------------------------------------------------


@settings(max_examples=300)
@given(graphs(), st.data())
def test_causes_and_effects_are_those_of_networkx(drawn, data):
    letters, edges, _, _ = drawn
    graph, plain = build(drawn), nx.DiGraph(edges)
    plain.add_nodes_from(letters)
    for v in letters:
        assert graph.parents(v) == set(plain.predecessors(v))
        assert graph.children(v) == set(plain.successors(v))
        assert graph.ancestors(v) == nx.ancestors(plain, v)
        assert graph.descendants(v) == nx.descendants(plain, v)
    some = data.draw(st.sets(st.sampled_from(letters), min_size=1))
    above = set().union(*(nx.ancestors(plain, v) for v in some)) - some
    assert graph.ancestors(some) == above


@settings(max_examples=300)
@given(graphs(), st.data())
def test_do_deletes_what_leads_into_a_node_and_nothing_else(drawn, data):
    letters, edges, arcs, latent = drawn
    x = data.draw(st.sampled_from(letters))
    done = build(drawn).do(x)
    kept = [e for e in edges if e[1] != x], [e for e in arcs if x not in e]
    assert done == build((letters, *kept, latent))
    assert not done.parents(x)
    assert done.do(x) == done


@settings(max_examples=300)
@given(graphs())
def test_the_text_of_a_graph_is_the_graph(drawn):
    graph = build(drawn)
    assert Graph(str(graph), graph.latent) == graph
    assert eval(repr(graph)) == graph
    assert hash(eval(repr(graph))) == hash(graph)


# -- reading ---------------------------------------------------------------------------------


def test_all_ways_of_writing_a_graph():
    graph = Graph("intent -> shown -> bought; bought <- intent; shown <-> bought; season")
    pairs = [("intent", "shown"), ("shown", "bought"), ("intent", "bought")]
    assert graph.nodes == ("intent", "shown", "bought", "season")
    assert set(graph.edges) == set(pairs)
    assert graph.bidirected == (("bought", "shown"),)
    lines = "season\nintent->shown\nshown->bought\nintent->bought\nbought<->shown\n"
    assert Graph(lines) == graph
    assert Graph(pairs) == Graph("intent -> shown -> bought; intent -> bought")
    assert Graph("A -> B; A -> B").edges == (("A", "B"),)
    assert Graph("A <-> B") == Graph("B <-> A") != Graph("A -> B")
    assert Graph("A -> B", latent="A").observed == ("B",)
    assert Graph("A -> B", latent="A") != Graph("A -> B")
    assert Graph("add-to-cart -> purchase within 7 days").nodes[0] == "add-to-cart"


@pytest.mark.parametrize(
    ("edges", "latent", "message"),
    [
        ("A -> B -> C -> A", (), "edges make a cycle, A -> B -> C -> A: causes come before"),
        ("C -> A; A -> B; B -> C; D -> A", (), "cycle, A -> B -> C -> A"),
        ("A -> B; B -> A", (), "cycle, A -> B -> A"),
        ([("B", "A"), ("A", "B")], (), "cycle, A -> B -> A"),
        ("A -> A", (), "edges make A a cause of itself"),
        ("A <-> A", (), "edges make A a cause of itself"),
        ("", (), "at least one node"),
        ([], (), "at least one node"),
        ("A ->", (), "edges hold 'A ->': write each as cause -> effect"),
        ("-> A", (), "edges hold '-> A'"),
        ("A => B", (), "edges hold 'A => B'"),
        ("A -> B, C", (), "edges hold 'A -> B, C'"),
        ("A --> B", (), "edges hold 'A --> B'"),
        ("A-->B", (), "edges hold 'A-->B'"),
        ("A - B", (), "edges hold 'A - B'"),
        ("A -> B", "U", "latent names 'U', of which the edges know nothing"),
        ([("A; C", "B")], (), "edges hold the name 'A; C'"),
        ([("A -> C", "B")], (), "edges hold the name 'A -> C'"),
        ([(" A", "B")], (), "edges hold the name ' A'"),
        ([("", "B")], (), "edges hold the name ''"),
        ([(1, 2)], (), "edges hold the name 1"),
        ([("A", "B", "C")], (), "edges hold ('A', 'B', 'C'), which is no pair"),
        (["AB"], (), "edges hold 'AB', which is no pair"),
    ],
)
def test_what_is_no_graph_is_refused(edges, latent, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Graph(edges, latent)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: g.parents("Q"), "node names 'Q': the nodes are A, B, C"),
        (lambda g: g.parents(["A", "B"]), "node names 'A', 'B': one is asked for"),
        (lambda g: g.do("Q"), "x names 'Q'"),
        (lambda g: g.d_separated("A", "C", "Q"), "given names 'Q'"),
        (lambda g: g.d_separated("A", "C", "A"), "'A' stands in two of x, y and given"),
        (lambda g: g.paths("A", "A"), "'A' stands in two of x, y and given"),
        (lambda g: g.paths("A", "C", ["B", "C"]), "'C' stands in two of x, y and given"),
    ],
)
def test_questions_about_other_nodes_are_refused(ask, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ask(Graph("A -> B -> C"))


# -- on paper --------------------------------------------------------------------------------


def test_the_paths_of_a_shop():
    shop = Graph("intent -> shown; intent -> bought; shown -> cart -> bought; cart <-> bought")
    found = {str(p): p for p in shop.paths("shown", "bought", given=["cart", "intent"])}
    assert {text: p.blocked_by for text, p in found.items()} == {
        "shown -> cart -> bought": ("cart",),
        "shown -> cart <-> bought": (),
        "shown <- intent -> bought": ("intent",),
    }
    assert found["shown -> cart <-> bought"].colliders == ("cart",)
    assert [p.kind for p in found.values()] == ["causal", "other", "back door"]


def test_the_independences_of_a_chain_and_of_an_arc():
    said = [str(found) for found in Graph("A -> B -> C -> D").independences()]
    assert said == ["A ⊥ C | B", "A ⊥ D | B", "B ⊥ D | C"]
    assert Graph("A -> B; A <-> B").independences() == []
    # Verma and Pearl's example: no set separates A from D, who share no edge
    assert Graph("A -> B -> C -> D; B <-> D").independences()[0].given == {"B"}
    assert not any({"A", "D"} == {i.x, i.y} for i in Graph("A -> B -> D; B <-> D").independences())
