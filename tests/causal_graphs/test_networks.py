"""Bayesian networks against plain enumeration in fractions: every cell of every world is listed."""

import random
from fractions import Fraction
from itertools import product
from math import prod

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causalbook.causal_graphs import BayesNet, Graph

F = Fraction


# ---------------------------------------------------------------- the oracle: plain enumeration
def enumerate_world(values, parents, cpts, do):
    """Yield (cell, probability) for every combination of values: the product of the tables."""
    for combination in product(*values.values()):
        at = dict(zip(values, combination, strict=True))
        if any(at[name] != v for name, v in do.items()):
            continue
        yield (
            at,
            prod(
                cpts[node][tuple(at[p] for p in sorted(parents[node]))][at[node]]
                for node in values
                if node not in do
            ),
        )


def plain_query(world, y, seen):
    """P(y | seen) by summing cells; None where nothing like it can be seen."""
    cells = [(at, p) for at, p in world if all(at[k] == v for k, v in seen.items())]
    mass = sum(p for _, p in cells)
    if not mass:
        return None
    return {v: sum(p for at, p in cells if at[y] == v) / mass for v in {at[y] for at, _ in cells}}


@st.composite
def worlds(draw, quarters=False):
    """Four or five nodes in random causal order, two or three values, tables in fractions."""
    order = draw(st.permutations("ABCDE"[: 4 if quarters else draw(st.integers(2, 5))]))
    values = {n: tuple(range(2 if quarters else draw(st.integers(2, 3)))) for n in order}
    parents = {n: [p for p in order[:i] if draw(st.booleans())] for i, n in enumerate(order)}
    latent = [n for n in order if draw(st.booleans())]
    cpts = {}
    for n in order:
        cpts[n] = {}
        for cell in product(*(values[p] for p in sorted(parents[n]))):
            if quarters:  # a population of 4^4 units, in which every cell occurs
                p = F(draw(st.integers(1, 3)), 4)
                cpts[n][cell] = {0: 1 - p, 1: p}
            else:
                weights = draw(st.lists(st.integers(0, 3), min_size=3, max_size=3))
                weights = [w + (not any(weights[: len(values[n])])) for w in weights]
                total = sum(weights[: len(values[n])])
                cpts[n][cell] = {v: F(weights[v], total) for v in values[n]}
    lone = "; ".join(order)
    graph = Graph(lone + "".join(f"; {p} -> {n}" for n in order for p in parents[n]), latent)
    return graph, values, parents, cpts


def as_argument(cpts):
    """Tables as a reader writes them: no tuple around one parent's value, no level for none."""
    return {
        node: table[()]
        if () in table
        else {cell[0] if len(cell) == 1 else cell: row for cell, row in table.items()}
        for node, table in cpts.items()
    }


def some_values(draw, names, values):
    return {n: draw(st.sampled_from(values[n])) for n in names if draw(st.booleans())}


# ---------------------------------------------------------------- seeing and doing, exactly
@given(data=st.data())
@settings(max_examples=150)
def test_seeing_after_doing_is_enumeration_on_random_worlds(data):
    graph, values, parents, cpts = data.draw(worlds())
    net = BayesNet(graph, as_argument(cpts))
    y, *others = data.draw(st.permutations(sorted(values)))
    do = some_values(data.draw, others, values)
    seen = some_values(data.draw, [n for n in others if n not in do], values)
    truth = plain_query(list(enumerate_world(values, parents, cpts, do)), y, seen)
    if truth is None:
        with pytest.raises(ValueError, match="which has probability 0 under do"):
            net.query(y, given=seen, do=do)
    else:
        answer = net.query(y, given=seen, do=do)
        assert answer == truth
        assert sum(answer.values()) == 1
        assert all(isinstance(p, Fraction) for p in answer.values())
        assert list(answer) == list(values[y])


@given(data=st.data())
@settings(max_examples=60)
def test_the_joint_table_sums_to_one_and_hides_the_latent_nodes(data):
    graph, values, parents, cpts = data.draw(worlds())
    assume(graph.observed)
    truth = {}
    for at, p in enumerate_world(values, parents, cpts, {}):
        cell = tuple(at[n] for n in graph.observed)
        truth[cell] = truth.get(cell, 0) + p
    joint = BayesNet(graph, as_argument(cpts)).joint()
    assert tuple(joint.index.names) == graph.observed
    assert not set(joint.index.names) & graph.latent
    assert sum(joint) == 1
    assert dict(zip(joint.index, joint, strict=True)) == {c: p for c, p in truth.items() if p}


def test_a_root_is_the_same_seen_or_set_and_a_child_does_not_move_its_parent():
    net = BayesNet(Graph("A -> Y"), {"A": F(1, 3), "Y": {0: F(1, 5), 1: F(4, 5)}})
    assert net.query("Y", given={"A": 1}) == net.query("Y", do={"A": 1}) == {0: F(1, 5), 1: F(4, 5)}
    assert net.query("A", do={"Y": 1}) == net.query("A") == {0: F(2, 3), 1: F(1, 3)}
    assert net.query("A", given={"Y": 1})[1] == F(2, 3)  # (1/3)(4/5) of (1/3)(4/5) + (2/3)(1/5)


# ---------------------------------------------------------------- published and hand-made examples
# Charig et al. (1986) as tabulated by Julious and Mullee (1994): successes, patients
STONES = {
    ("small", "open"): (81, 87),
    ("small", "needle"): (234, 270),
    ("large", "open"): (192, 263),
    ("large", "needle"): (55, 80),
}


def patients():
    rows = []
    for (size, treatment), (good, n) in STONES.items():
        rows += [(size, treatment, 1)] * good + [(size, treatment, 0)] * (n - good)
    return pd.DataFrame(rows, columns=["Z", "A", "Y"])


def kidney_truth(treatment):
    """Success of each size, averaged over the sizes of all 700 patients."""
    return sum(
        F(*STONES[size, treatment])
        * F(sum(n for (z, _), (_, n) in STONES.items() if z == size), 700)
        for size in ("small", "large")
    )


def test_kidney_stones_seen_and_set():
    net = BayesNet.fit(Graph("Z -> A; Z -> Y; A -> Y"), patients())
    seen = {a: net.query("Y", given={"A": a})[1] for a in ("open", "needle")}
    done = {a: net.query("Y", do={"A": a})[1] for a in ("open", "needle")}
    assert seen == pytest.approx({"open": 273 / 350, "needle": 289 / 350}, rel=1e-12)
    assert done["open"] == pytest.approx(float(kidney_truth("open")), rel=1e-12)
    assert done["needle"] == pytest.approx(float(kidney_truth("needle")), rel=1e-12)
    assert (round(done["open"], 6), round(done["needle"], 6)) == (0.832546, 0.778875)
    assert seen["open"] < seen["needle"]
    assert done["open"] > done["needle"]


def test_the_same_table_with_the_size_after_the_treatment_answers_otherwise():
    before = BayesNet.fit(Graph("Z -> A; Z -> Y; A -> Y"), patients())
    after = BayesNet.fit(Graph("A -> Z; Z -> Y; A -> Y"), patients())
    one, two = before.joint(), after.joint().reorder_levels(["Z", "A", "Y"])
    pd.testing.assert_series_equal(one, two.sort_index(), rtol=1e-12)  # no data can tell them apart
    for a in ("open", "needle"):
        assert after.query("Y", do={"A": a}) == pytest.approx(after.query("Y", given={"A": a}))
        assert abs(after.query("Y", do={"A": a})[1] - before.query("Y", do={"A": a})[1]) > 0.04


FRONT_DOOR = Graph("U -> X; U -> Y; X -> M -> Y", latent=["U"])
FRONT_CPTS = {
    "U": F(3, 10),
    "X": {0: F(2, 10), 1: F(8, 10)},
    "M": {0: F(5, 100), 1: F(95, 100)},
    "Y": {(0, 0): F(1, 10), (0, 1): F(4, 10), (1, 0): F(3, 10), (1, 1): F(7, 10)},
}
SEEN_1, DONE_1, DONE_0 = F(41, 76), F(817, 2000), F(403, 2000)


def population(joint):
    """A joint table in fractions as a frame with so many rows that every cell is exact."""
    from math import lcm

    size = lcm(*(p.denominator for p in joint))
    cells = [cell for cell, p in zip(joint.index, joint, strict=True) for _ in range(int(p * size))]
    return pd.DataFrame(cells, columns=joint.index.names)


def test_a_latent_common_cause_with_a_table_is_no_obstacle_and_no_trap():
    """Its own back door is empty of observed nodes; answering by what is seen would be wrong."""
    net = BayesNet(FRONT_DOOR, FRONT_CPTS)
    seen = net.query("Y", given={"X": 1})[1]
    done = net.query("Y", do={"X": 1})[1]
    assert (seen, done) == (SEEN_1, DONE_1)
    assert (round(float(seen), 6), float(done)) == (0.539474, 0.4085)
    assert net.query("Y", do={"X": 0})[1] == DONE_0
    assert net.query("U", given={"X": 1})[1] == F(12, 19)
    assert net.query("U", do={"X": 1})[1] == F(3, 10)
    assert "U" not in net.joint().index.names


def test_the_confounded_number_is_not_returned_where_nothing_observed_can_be_adjusted_for():
    """A <- U -> Y, no arrow from A: pgmpy's empty adjustment set would return P(Y | A)."""
    net = BayesNet(
        Graph("U -> A; U -> Y", latent="U"),
        {"U": F(1, 2), "A": {0: F(1, 10), 1: F(9, 10)}, "Y": {0: F(1, 10), 1: F(9, 10)}},
    )
    assert net.query("Y", given={"A": 1})[1] == F(82, 100)
    assert net.query("Y", do={"A": 1})[1] == net.query("Y", do={"A": 0})[1] == F(1, 2)


def test_latent_chains_latents_with_parents_and_three_values():
    """U -> V -> A, V has a parent S that is observed and three values."""
    cpts = {
        "U": {"a": F(1, 2), "b": F(1, 3), "c": F(1, 6)},
        "S": F(1, 4),
        "V": {  # parents S, U
            (s, u): {"x": F(1, k + s), "y": F(1, 10), "z": F(9, 10) - F(1, k + s)}
            for s in (0, 1)
            for k, u in enumerate("abc", start=2)
        },
        "A": {"x": F(1, 8), "y": F(1, 2), "z": F(7, 8)},
        "Y": {
            (a, v): {"low": F(1 + a, 4), "mid": F(1, 8), "high": F(7, 8) - F(1 + a, 4)}
            if v != "z"
            else {"low": F(0), "mid": F(1, 2), "high": F(1, 2)}
            for a in (0, 1)
            for v in "xyz"
        },
    }
    graph = Graph("U -> V; S -> V; V -> A; V -> Y; A -> Y", latent=["U", "V"])
    net = BayesNet(graph, cpts)
    plain = {n: t if n not in "US" else {(): t} for n, t in cpts.items()}
    plain["S"] = {(): {0: F(3, 4), 1: F(1, 4)}}
    plain["A"] = {(v,): {0: 1 - p, 1: p} for v, p in cpts["A"].items()}
    parents = {"U": [], "S": [], "V": ["S", "U"], "A": ["V"], "Y": ["A", "V"]}
    values = {"U": "abc", "S": (0, 1), "V": "xyz", "A": (0, 1), "Y": ("low", "mid", "high")}
    for do, seen in [
        ({"A": 1}, {}),
        ({"A": 1}, {"S": 1}),
        ({"A": 0, "S": 1}, {}),
        ({"V": "z"}, {}),
    ]:
        world = list(enumerate_world(values, parents, plain, do))
        truth = plain_query(world, "Y", seen)
        answer = net.query("Y", given=seen, do=do)
        assert {v: p for v, p in answer.items() if p} == {v: p for v, p in truth.items() if p}
    assert net.query("Y", do={"V": "z"}) == {"low": 0, "mid": F(1, 2), "high": F(1, 2)}


def test_parents_stand_in_alphabetical_order_whatever_the_order_of_the_arrows():
    cpts = {
        "Z": F(1, 2),
        "B": F(1, 2),
        "Y": {(0, 0): 0, (0, 1): F(1, 4), (1, 0): F(1, 2), (1, 1): 1},
    }
    net = BayesNet(Graph("Z -> Y; B -> Y"), cpts)  # cells are (B, Z)
    assert net.query("Y", do={"B": 0, "Z": 1})[1] == F(1, 4)
    assert net.query("Y", do={"B": 1, "Z": 0})[1] == F(1, 2)


def test_given_is_what_is_seen_after_the_intervention():
    """Set A, then see its effect M: others than those in whom M happens anyway."""
    cpts = {
        "U": F(1, 2),
        "A": {0: F(1, 4), 1: F(3, 4)},
        "M": {(a, u): F(1 + 2 * a + 4 * u, 8) for a in (0, 1) for u in (0, 1)},
        "Y": {0: F(1, 10), 1: F(9, 10)},
    }
    net = BayesNet(Graph("U -> A; A -> M; U -> M; U -> Y", latent="U"), cpts)
    # P(U=1 | do(A=1), M=1) = (1/2)(7/8) / ((1/2)(7/8) + (1/2)(3/8)) = 7/10
    assert net.query("U", given={"M": 1}, do={"A": 1})[1] == F(7, 10)
    assert net.query("Y", given={"M": 1}, do={"A": 1})[1] == F(7, 10) * F(9, 10) + F(3, 10) * F(
        1, 10
    )


def test_a_given_that_cannot_happen_after_the_intervention_is_refused():
    net = BayesNet(Graph("A -> B -> Y"), {"A": F(1, 2), "B": {0: 0, 1: 1}, "Y": {0: 0, 1: F(1, 2)}})
    assert net.query("Y", given={"B": 1})[1] == F(1, 2)
    with pytest.raises(
        ValueError, match=r"given is \{'B': 1\}, which has probability 0 under do ="
    ):
        net.query("Y", given={"B": 1}, do={"A": 0})


# ---------------------------------------------------------------- fit
@given(world=worlds(quarters=True))
@settings(max_examples=40)
def test_fitted_to_its_own_population_a_network_gets_its_tables_back(world):
    graph, values, parents, cpts = world
    graph = Graph(str(graph))  # nothing latent
    net = BayesNet.fit(graph, population(BayesNet(graph, as_argument(cpts)).joint()))
    for node in values:
        for cell, row in cpts[node].items():
            above = dict(zip(sorted(parents[node]), cell, strict=True))
            assert net.query(node, do=above) == pytest.approx(
                {v: float(p) for v, p in row.items()}, rel=1e-12
            )


@given(data=st.data())
@settings(max_examples=120)
def test_with_latent_nodes_a_fitted_network_answers_right_or_refuses(data):
    """The tables behind the data never enter: only the observed joint table does."""
    graph, values, parents, cpts = data.draw(worlds(quarters=True))
    assume(len(graph.observed) > 1 and graph.latent)
    net = BayesNet.fit(graph, population(BayesNet(graph, as_argument(cpts)).joint()))
    y, *others = data.draw(st.permutations(sorted(graph.observed)))
    do = some_values(data.draw, others, values)
    seen = some_values(data.draw, [n for n in others if n not in do], values)
    truth = plain_query(list(enumerate_world(values, parents, cpts, do)), y, seen)
    refused = []
    try:
        answer = net.query(y, given=seen, do=do)
    except ValueError as no:
        refused.append(str(no))
    if refused:
        assert "not identified" in refused[0]
        assert do  # seeing is never refused
    else:
        assert answer == pytest.approx({v: float(p) for v, p in truth.items()}, rel=1e-9)


def test_without_latent_nodes_fit_counts():
    frame = pd.DataFrame({"A": [0, 0, 0, 1, 1], "Y": ["n", "n", "y", "y", "y"]})
    net = BayesNet.fit(Graph("A -> Y"), frame)
    assert net.query("A") == {0: 3 / 5, 1: 2 / 5}
    assert net.query("Y", given={"A": 0}) == {"n": 2 / 3, "y": 1 / 3}
    assert net.query("Y", do={"A": 1}) == {"n": 0, "y": 1}


def test_smoothing_is_added_to_every_count():
    """(n(v, pa) + s) / (n(pa) + s |V|), for the root as well, and where no row is."""
    frame = pd.DataFrame({"A": [0, 0, 0, 1, 1, 2], "Y": ["n", "n", "y", "y", "y", "m"]})
    net = BayesNet.fit(Graph("A -> Y"), frame, smoothing=0.5)
    assert net.query("A") == pytest.approx({0: 3.5 / 7.5, 1: 2.5 / 7.5, 2: 1.5 / 7.5}, rel=1e-12)
    wanted = {"n": 2.5 / 4.5, "y": 1.5 / 4.5, "m": 0.5 / 4.5}
    assert net.query("Y", given={"A": 0}) == pytest.approx(wanted, rel=1e-12)
    two = pd.DataFrame({"A": [0, 1], "B": [0, 1], "Y": [0, 1]})
    smooth = BayesNet.fit(Graph("A -> Y; B -> Y"), two, smoothing=1)
    assert smooth.query("Y", given={"A": 0, "B": 1}) == {0: 0.5, 1: 0.5}  # no such row


def test_with_latent_nodes_smoothing_goes_to_the_cells_of_the_joint_table():
    frame = pd.DataFrame({"A": [0, 0, 1], "Y": [0, 1, 1]})
    net = BayesNet.fit(Graph("A -> Y; A <-> Y"), frame, smoothing=1)
    assert dict(net.joint()) == pytest.approx(
        {(0, 0): 2 / 7, (0, 1): 2 / 7, (1, 0): 1 / 7, (1, 1): 2 / 7}
    )


def test_cells_without_rows_are_refused_only_where_they_are_needed():
    frame = pd.DataFrame({"A": [0, 0, 1], "B": [0, 1, 0], "Y": [0, 1, 1]})
    net = BayesNet.fit(Graph("A -> Y; B -> Y"), frame)
    assert net.query("Y", do={"A": 1, "B": 0}) == {0: 0, 1: 1}
    assert net.query("A") == {0: 2 / 3, 1: 1 / 3}
    assert net.query("Y", given={"A": 0}) == {0: 2 / 3, 1: 1 / 3}  # B = 1 with A = 1 is not asked
    for asked in ({"given": {"A": 1}}, {"do": {"A": 1}}, {"do": {"A": 1, "B": 1}}):
        with pytest.raises(ValueError, match="no row of the frame has A = 1, B = 1, so P"):
            net.query("Y", **asked)
    with pytest.raises(ValueError, match="no row of the frame"):
        net.joint()


def test_what_decided_a_node_is_not_needed_once_the_node_is_set():
    """B and C never meet, so D's table has a gap: seeing A needs it, setting A does not."""
    frame = pd.DataFrame({"B": [0, 0, 1], "C": [0, 1, 0], "D": [0, 1, 1], "A": [0, 1, 1]})
    frame["Y"] = [0, 1, 1]
    net = BayesNet.fit(Graph("B -> D; C -> D; D -> A; A -> Y"), frame)
    assert net.query("Y", do={"A": 1}) == {0: 0, 1: 1}
    with pytest.raises(ValueError, match="no row of the frame has B = 1, C = 1, so P"):
        net.query("Y", given={"A": 1})


@pytest.mark.parametrize(
    "graph",
    [FRONT_DOOR, Graph("X -> M -> Y; X <-> Y")],
    ids=["latent node", "arc"],
)
def test_with_a_latent_cause_the_front_door_is_found_from_data(graph):
    net = BayesNet.fit(graph, population(BayesNet(FRONT_DOOR, FRONT_CPTS).joint()))
    assert net.query("Y", given={"X": 1})[1] == pytest.approx(float(SEEN_1), rel=1e-12)
    assert net.query("Y", do={"X": 1})[1] == pytest.approx(float(DONE_1), rel=1e-12)
    assert net.query("Y", do={"X": 0})[1] == pytest.approx(float(DONE_0), rel=1e-12)
    assert net.query("M", do={"X": 1})[1] == pytest.approx(0.95, rel=1e-12)
    assert net.query("X", do={"Y": 1})[1] == pytest.approx(0.38, rel=1e-12)  # Y causes nothing
    assert sum(net.joint()) == pytest.approx(1)


def test_where_no_formula_exists_it_refuses_and_says_why():
    frame = population(BayesNet(FRONT_DOOR, FRONT_CPTS).joint())
    bow = BayesNet.fit(Graph("X -> Y; X <-> Y"), frame)
    with pytest.raises(ValueError, match="not identified: hedge"):
        bow.query("Y", do={"X": 1})
    assert bow.query("Y", given={"X": 1})[1] == pytest.approx(float(SEEN_1), rel=1e-12)
    assert bow.query("X", do={"Y": 1})[1] == pytest.approx(0.38, rel=1e-12)


def test_an_effect_among_those_seen_is_found_where_their_joint_law_is_not():
    """P(Y, Z | do(X)) has a hedge, P(Y | do(X), Z) = P(Y | Z) has none: X -> Z is a bow arc."""
    cpts = {
        "U": F(1, 2),
        "X": {0: F(1, 4), 1: F(3, 4)},
        "Z": {(u, x): F(1 + u + x, 4) for u in (0, 1) for x in (0, 1)},
        "Y": {0: F(1, 4), 1: F(3, 4)},
    }
    world = BayesNet(Graph("U -> X; U -> Z; X -> Z -> Y", latent="U"), cpts)
    net = BayesNet.fit(Graph("X -> Z -> Y; X <-> Z"), population(world.joint()))
    assert net.query("Y", given={"Z": 1}, do={"X": 1})[1] == pytest.approx(0.75, rel=1e-12)
    for y, seen in [("Y", {}), ("Z", {}), ("Z", {"Y": 1})]:
        with pytest.raises(ValueError, match="not identified"):
            net.query(y, given=seen, do={"X": 1})


@pytest.mark.parametrize(
    ("arrows", "seen"),
    [
        ("X -> Y", {"Z": 1}),  # X moves both: it is held
        ("W -> Z; V -> W; V -> Y", {"Z": 1, "W": 0}),  # W is confounded with Y, and blocks
        ("Q -> X; Q -> Y", {"Z": 1}),  # X was a collider, and is one no more once it is set
    ],
)
def test_what_is_seen_may_be_set_where_the_paths_allow_it(arrows, seen):
    """U joins X and Z throughout, so that P(Y, Z | do(X)) has a hedge."""
    graph = Graph(
        f"U -> X; U -> Z; X -> Z; Z -> Y; {arrows}", [n for n in "UV" if n in "U" + arrows]
    )
    parents = {n: sorted(graph.parents(n)) for n in graph.nodes}
    values = dict.fromkeys(graph.nodes, (0, 1))
    chance = random.Random(2006)
    cpts = {n: {} for n in graph.nodes}
    for n in graph.nodes:
        for cell in product((0, 1), repeat=len(parents[n])):
            one = F(chance.randint(1, 3), 4)
            cpts[n][cell] = {0: 1 - one, 1: one}
    fitted = BayesNet.fit(graph, population(BayesNet(graph, as_argument(cpts)).joint()))
    for x in (0, 1):
        truth = plain_query(list(enumerate_world(values, parents, cpts, {"X": x})), "Y", seen)
        answer = fitted.query("Y", given=seen, do={"X": x})
        assert answer == pytest.approx({v: float(p) for v, p in truth.items()}, rel=1e-9)


# ---------------------------------------------------------------- refusals
AY = Graph("A -> Y")


@pytest.mark.parametrize(
    ("cpts", "says"),
    [
        ({"A": 0.5}, "cpts and graph disagree on Y"),
        ({"A": 0.5, "Y": {0: 0.1, 1: 0.2}, "Z": 0.5}, "cpts and graph disagree on Z"),
        ({"A": 0.5, "Y": 0.3}, r"cpts\['Y'\] is 0.3: give it a row for each A"),
        ({"A": 0.5, "Y": {0: 0.1}}, r"cpts\['Y'\] lacks the row A = 1"),
        ({"A": 0.5, "Y": {0: 0.1, 1: 0.2, 2: 0.3}}, "beyond the values .*, the row A = 2"),
        ({"A": 1.5, "Y": {0: 0.1, 1: 0.2}}, r"cpts\['A'\] is 1.5: probabilities of 0 or more"),
        ({"A": -0.5, "Y": {0: 0.1, 1: 0.2}}, r"cpts\['A'\] is -0.5: probabilities of 0 or more"),
        ({"A": float("nan"), "Y": {0: 0.1, 1: 0.2}}, r"cpts\['A'\] is nan: probabilities"),
        ({"A": {0: 0.5, 1: 0.4}, "Y": {0: 0.1, 1: 0.2}}, "that sum to 1"),
        ({"A": {0: F(1, 2), 1: F(1, 3)}, "Y": {0: 0.1, 1: 0.2}}, "that sum to 1"),
        ({"A": {}, "Y": {}}, "that sum to 1"),
        ({"A": 0.5, "Y": {0: {0: 0.5, 1: 0.5}, 1: {0: 0.2, 1: 0.7}}}, r"\['Y'\], A = 1, is"),
        ({"A": 0.5, "Y": {0: {0: 0.5, 1: 0.5}, 1: {1: 1}}}, r"values \[1\], another row"),
        ({"A": 0.5, "Y": {0: "much", 1: 0.5}}, "is 'much': probabilities"),
        ({"A": {0: {0: 0.5, 1: 0.5}}, "Y": {0: 0.5, 1: 0.5}}, r"cpts\['A'\] is \{0: \{0"),
    ],
)  # fmt: skip
def test_tables_that_are_not_complete_are_refused(cpts, says):
    with pytest.raises(ValueError, match=says):
        BayesNet(AY, cpts)


def test_several_parents_are_named_in_the_refusal():
    rows = {(a, b): 0.5 for a in (0, 1) for b in (0, 1)} | {(1, 1): 0.5}
    del rows[0, 1]
    with pytest.raises(ValueError, match=r"cpts\['Y'\] lacks the row \(A, B\) = \(0, 1\)"):
        BayesNet(Graph("B -> Y; A -> Y"), {"A": 0.5, "B": 0.5, "Y": rows})


def test_a_latent_node_needs_its_table_too():
    with pytest.raises(ValueError, match="cpts and graph disagree on U"):
        BayesNet(FRONT_DOOR, {k: v for k, v in FRONT_CPTS.items() if k != "U"})


def test_an_arc_has_no_table():
    with pytest.raises(ValueError, match=r"graph has A <-> Y, for which there is no table"):
        BayesNet(Graph("A -> Y; A <-> Y"), {"A": 0.5, "Y": {0: 0.5, 1: 0.5}})


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"y": "B"}, "y, given and do names 'B': the nodes are A, Y"),
        ({"y": "Y", "do": {"B": 1}}, "y, given and do names 'B'"),
        ({"y": "Y", "do": {"A": 2}}, r"A = 2: its values are \[0, 1\]"),
        ({"y": "Y", "given": {"A": "1"}}, r"A = '1': its values are \[0, 1\]"),
        ({"y": "Y", "given": {"A": float("nan")}}, "A = nan: its values"),
        ({"y": "Y", "do": {"A": 1}, "given": {"A": 1}}, "A stands in two of y, given and do"),
        ({"y": "Y", "do": {"Y": 1}}, "Y stands in two of"),
        ({"y": "Y", "given": {"Y": 1}}, "Y stands in two of"),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_questions_that_cannot_be_meant_are_refused(asked, says, fitted):
    net = BayesNet(AY, {"A": F(1, 2), "Y": {0: F(1, 4), 1: F(3, 4)}})
    if fitted:
        net = BayesNet.fit(Graph("A -> Y; A <-> Y"), population(net.joint()))
    with pytest.raises(ValueError, match=says):
        net.query(**asked)


def test_a_fitted_network_says_that_it_never_saw_a_latent_node():
    net = BayesNet.fit(FRONT_DOOR, population(BayesNet(FRONT_DOOR, FRONT_CPTS).joint()))
    for asked in ({"y": "U"}, {"y": "Y", "do": {"U": 1}}, {"y": "Y", "given": {"U": 1}}):
        with pytest.raises(ValueError, match="U is latent: the data do not hold it"):
            net.query(**asked)


@pytest.mark.parametrize("graph", [AY, Graph("A -> Y; A <-> Y")])
@pytest.mark.parametrize(
    ("frame", "smoothing", "says"),
    [
        ({"A": [0, 1]}, 0.0, "frame lacks the columns Y"),
        ({"A": [0, None], "Y": [0, 1]}, 0.0, "frame is missing values in A"),
        ({"A": [], "Y": []}, 0.0, "frame has no rows"),
        ({"A": [0, 1], "Y": [0, 1]}, -1, "smoothing is -1"),
        ({"A": [0, 1], "Y": [0, 1]}, float("nan"), "smoothing is nan"),
        ({"A": [0, 1], "Y": [0, 1]}, float("inf"), "smoothing is inf"),
    ],
)
def test_frames_that_cannot_be_counted_are_refused(graph, frame, smoothing, says):
    with pytest.raises(ValueError, match=says):
        BayesNet.fit(graph, pd.DataFrame(frame), smoothing)


def test_other_columns_and_missing_values_in_them_do_no_harm():
    frame = pd.DataFrame({"Y": [0, 1, 1, 1], "note": [None, "a", "b", None], "A": [0, 0, 1, 1]})
    assert BayesNet.fit(AY, frame).query("Y", do={"A": 0}) == {0: 0.5, 1: 0.5}


def test_categorical_and_boolean_columns_count_like_others():
    frame = pd.DataFrame(
        {"A": [True, True, False], "Y": pd.Categorical(["n", "y", "n"], ["y", "n", "?"])}
    )
    assert BayesNet.fit(AY, frame).query("Y", do={"A": True}) == {"n": 0.5, "y": 0.5}


def test_an_arm_without_rows_does_not_refuse_the_other_arm():
    """No rows at A=1, X=0: do(A=1) is unknown, do(A=0) is not, with and without a hidden cause."""
    rows = [(0, 0, 0), (0, 0, 1), (0, 0, 1), (1, 0, 0), (1, 0, 1), (1, 1, 1)]
    frame = pd.DataFrame(rows, columns=["X", "A", "Y"])
    edges = "L -> X; X -> A; X -> Y; A -> Y"
    for net in (
        BayesNet.fit(Graph(edges, latent="L"), frame),
        BayesNet.fit(Graph(edges.removeprefix("L -> X; ")), frame),
    ):
        answer = net.query("Y", do={"A": 0})
        assert answer[1] == pytest.approx(1 / 2 * 2 / 3 + 1 / 2 * 1 / 2, rel=1e-12)
        with pytest.raises(ValueError, match="A = 1"):
            net.query("Y", do={"A": 1})


def test_a_root_may_have_its_one_row_written_like_every_other_row():
    edges, tables = Graph("X -> Y"), {"Y": {(0,): F(1, 5), (1,): F(4, 5)}}
    roots = [F(1, 3), {0: F(2, 3), 1: F(1, 3)}, {(): F(1, 3)}, {(): {0: F(2, 3), 1: F(1, 3)}}]
    joints = [BayesNet(edges, tables | {"X": root}).joint().to_dict() for root in roots]
    assert joints[0] == {
        (x, y): p * q
        for x, p, r in ((0, F(2, 3), F(1, 5)), (1, F(1, 3), F(4, 5)))
        for y, q in ((0, 1 - r), (1, r))
    }
    assert all(joint == joints[0] for joint in joints)


def test_a_cell_that_the_question_does_not_touch_may_be_empty():
    rows = {"X": [0] * 4 + [1] * 4, "A": [0] * 6 + [1] * 2, "Y": [0, 1, 0, 1, 0, 1, 1, 1]}
    graph = Graph("X -> A; X -> Y; A -> Y; Q -> X; Q -> Y", latent=["Q"])
    net = BayesNet.fit(graph, pd.DataFrame(rows))  # no row with X = 0 was ever treated
    assert net.query("Y", given={"X": 1}, do={"A": 1}) == {0: 0.0, 1: 1.0}
    with pytest.raises(ValueError, match=r"no P\(Y \| A = 1, X = 0\)"):
        net.query("Y", given={"X": 0}, do={"A": 1})


def test_data_without_named_columns_are_refused():
    with pytest.raises(ValueError, match="frame is a dict: pass a DataFrame"):
        BayesNet.fit(Graph("X -> Y"), {"X": [0, 1], "Y": [0, 1]})
