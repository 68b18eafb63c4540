"""Back door, front door and instruments: all subsets by brute force, all sets by enumeration."""

import random

import pytest
from enumerated import (
    adjust,
    all_subsets,
    backdoor,
    cut,
    down,
    edges,
    frontdoor,
    mediate,
    minimal_ones,
    random_arcs,
    random_model,
    separated,
)

from causalbook.causal_graphs import Graph


def graph_of(model):
    lone = [v for v in model.parents if not any(v in e for e in edges(model))]
    text = "; ".join([*lone, *(f"{u} -> {v}" for u, v in edges(model))])
    return Graph(text, latent=model.hidden)


def drawn(seed):
    model = random_arcs(seed) if seed % 2 else random_model(seed, observed=(3, 5), hidden=(1, 3))
    a, y = random.Random(seed).sample(model.observed, 2)
    return model, graph_of(model), a, y


def in_order(sets):
    return sorted(sets, key=lambda s: (len(s), sorted(s)))


# -- back door ---------------------------------------------------------------------------------


def test_backdoor_sets_are_all_minimal_ones_in_order_and_each_is_exact():
    """Brute force over all subsets, latent nodes in the pool too; then the formula by loops."""
    found = 0
    for seed in range(400):
        model, graph, a, y = drawn(seed)
        pool = set(model.parents) - {a, y}
        good = []
        for s in all_subsets(pool):
            want = backdoor(model.parents, model.hidden, a, y, s)
            assert graph.is_backdoor(a, y, s) == want, (seed, s)
            good += [s] * want
        sets = graph.backdoor_sets(a, y)
        assert sets == in_order(minimal_ones(good)), (seed, a, y)
        truth = model.truth([a], [y])
        for s in sets:
            assert adjust(model, a, y, s) == truth, (seed, a, y, s)
            found += 1
    assert found > 180


def test_every_backdoor_set_not_only_the_minimal_ones_is_exact():
    checked = 0
    for seed in range(0, 240, 2):
        model, _, a, y = drawn(seed)
        truth = model.truth([a], [y])
        for s in all_subsets(set(model.observed) - {a, y}):
            if backdoor(model.parents, model.hidden, a, y, s):
                assert adjust(model, a, y, s) == truth
                checked += 1
    assert checked > 150


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("A -> Y", [set()]),
        ("X -> A; X -> Y; A -> Y", [{"X"}]),
        ("A -> M -> Y", [set()]),  # a mediator is no confounder
        ("A -> C; Y -> C; A -> Y", [set()]),  # nor is a collider
        ("A <-> C; C <-> Y; A -> Y", [set()]),  # M-bias
        ("A -> Y; A <-> Y", []),  # nothing observed helps
        ("X -> A; X -> W -> Y; A -> Y", [{"W"}, {"X"}]),
        ("X -> A; X -> C; W -> C; W -> Y; C -> A; C -> Y; A -> Y", [{"C", "W"}, {"C", "X"}]),
        ("Y -> A", []),
    ],
)
def test_backdoor_sets_of_classical_graphs(text, sets):
    assert Graph(text).backdoor_sets("A", "Y") == [frozenset(s) for s in sets]


def test_the_two_named_nodes_and_latents_are_never_adjusted_for():
    graph = Graph("U -> A; U -> Y; A -> Y; X -> A", latent="U")
    for s in ("U", "A", "Y", {"X", "U"}):
        assert not graph.is_backdoor("A", "Y", s)
        assert not graph.is_frontdoor("A", "Y", s)
    assert graph.backdoor_sets("A", "Y") == []
    with pytest.raises(ValueError, match="s names 'cart'"):
        graph.is_backdoor("A", "Y", "cart")
    with pytest.raises(ValueError, match="node names 'B'"):
        graph.backdoor_sets("B", "Y")
    with pytest.raises(ValueError, match="'A' stands in two"):
        graph.backdoor_sets("A", "A")


def test_twenty_common_causes_are_no_search_through_a_million_sets():
    names = [f"X{k:02}" for k in range(20)]
    text = "A -> Y; " + "; ".join(f"{x} -> A; {x} -> Y" for x in names)
    assert Graph(text).backdoor_sets("A", "Y") == [frozenset(names)]
    hidden = Graph(f"{text}; A <-> Y")
    assert hidden.backdoor_sets("A", "Y") == []
    assert hidden.instruments("A", "Y") == {}


# -- front door --------------------------------------------------------------------------------


def test_frontdoor_sets_are_all_minimal_ones_in_order_and_each_is_exact():
    found = several = 0
    for seed in range(1500):
        model = random_arcs(seed)
        graph, y = graph_of(model), model.observed[-1]
        a = random.Random(seed).choice(model.observed[:-1])
        pool = set(model.observed) - {a, y}
        good = [s for s in all_subsets(pool) if frontdoor(model.parents, model.hidden, a, y, s)]
        sets = graph.frontdoor_sets(a, y)
        assert sets == in_order(minimal_ones(good)), (seed, a, y)
        truth = model.truth([a], [y]) if sets else None
        for s in good:
            assert mediate(model, a, y, s) == truth, (seed, a, y, s)
            found += 1
            several += len(s) > 1
    assert found > 20
    assert several > 0


def test_is_frontdoor_by_brute_force():
    for seed in range(600):
        model = random_arcs(seed, observed=(3, 4))
        graph, a, y = graph_of(model), model.observed[0], model.observed[-1]
        for s in all_subsets(set(model.parents) - {a, y}):
            assert graph.is_frontdoor(a, y, s) == frontdoor(model.parents, model.hidden, a, y, s)


def test_each_of_the_three_conditions_of_the_front_door_can_fail_alone():
    assert Graph("A -> M -> Y; A <-> Y").is_frontdoor("A", "Y", "M")
    assert not Graph("A -> M -> Y; A -> Y").is_frontdoor("A", "Y", "M")  # a way around
    assert not Graph("A -> M -> Y; A <-> M").is_frontdoor("A", "Y", "M")  # a back door to m
    assert not Graph("A -> M -> Y; M <-> Y").is_frontdoor("A", "Y", "M")  # and from m


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("A -> M -> Y; A <-> Y", [{"M"}]),
        ("A -> M -> Y; A -> N -> Y; A <-> Y", [{"M", "N"}]),
        ("A -> M -> N -> Y; A <-> Y", [{"M"}, {"N"}]),
        ("M -> Y; A -> X", []),  # no effect to intercept
        ("A -> M -> Y; A -> Y; A <-> Y", []),
        ("A -> M -> Y; A <-> Y; A <-> M", []),
        ("A -> M -> Y; A <-> Y; M <-> Y", []),
        ("A -> M -> Y; A <-> Y; W -> M; W -> Y", [{"M", "W"}]),  # W belongs to it
    ],
)
def test_frontdoor_sets_of_classical_graphs(text, sets):
    assert Graph(text).frontdoor_sets("A", "Y") == [frozenset(s) for s in sets]


# -- instruments -------------------------------------------------------------------------------


def by_definition(model, a, y):
    """The definition of the design, word by word, over all sets in order."""
    parents, seen = model.parents, set(model.observed)
    without_a = cut(parents, out=[a])
    found = {}
    for z in sorted(seen - {a, y} - down(parents, [a])):
        for w in all_subsets(seen - {z} - down(parents, [a, y])):
            if not separated(parents, [z], [a], w) and separated(without_a, [z], [y], w):
                found[z] = w
                break
    return found


def test_instruments_by_brute_force():
    found, conditional = 0, 0
    for seed in range(600):
        model, graph, a, y = drawn(seed)
        instruments = graph.instruments(a, y)
        assert instruments == by_definition(model, a, y), (seed, a, y)
        assert not set(instruments) & model.hidden
        found += len(instruments)
        conditional += sum(map(bool, instruments.values()))
    assert found > 100
    assert conditional > 10


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Z -> A -> Y; A <-> Y", {"Z": set()}),
        ("Z -> A -> Y; A <-> Y; Z -> Y", {}),  # not excluded
        ("Z -> A -> Y; A <-> Y; Z <-> Y", {}),  # not as good as random
        ("W -> Z -> A -> Y; W -> Y; A <-> Y", {"Z": {"W"}}),  # conditional on W
        ("Z <-> A; A -> Y; A <-> Y", {"Z": set()}),  # a proxy of an instrument
        ("Z; A -> Y; A <-> Y", {}),  # moves nothing
        ("A -> Z; A -> Y; A <-> Y", {}),  # an effect of a
        ("Z -> A -> M -> Y; A <-> Y", {"Z": set()}),
    ],
)
def test_instruments_of_classical_graphs(text, want):
    assert Graph(text).instruments("A", "Y") == want


def test_a_latent_instrument_is_never_returned():
    """dowhy 0.14 returns the latent one."""
    graph = Graph("Z -> A; V -> A; A -> Y; U -> A; U -> Y", latent=["U", "V"])
    assert graph.instruments("A", "Y") == {"Z": set()}
