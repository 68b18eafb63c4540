"""identify: every formula against exact enumeration, and every refusal against two models."""

import random
from collections import Counter
from fractions import Fraction
from itertools import combinations, product

import pandas as pd
import pytest
from enumerated import (
    Model,
    all_subsets,
    cut,
    districts,
    edges,
    hedge_models,
    identifiable,
    projection,
    random_arcs,
    random_model,
    separated,
    up,
    within,
)

from causalbook.causal_graphs import Graph, identify
from causalbook.causal_graphs.do_calculus import _id, project
from causalbook.causal_graphs.formulas import P, Product, Ratio, Sum, sum_over, value, write
from causalbook.causal_graphs.tables import read_joint

F = Fraction


def model_of(text, seed=1, cards=None, latent=()):
    """A random model of a graph given as text of single edges, arcs becoming hidden causes."""
    above, hidden = {}, set(latent)
    for statement in text.split(";"):
        u, kind, v = statement.split()
        for name in (u, v):
            above.setdefault(name, [])
        if kind == "->":
            above[v].append(u)
        else:
            name = f"{u}~{v}"
            above[name] = []
            hidden.add(name)
            above[u].append(name)
            above[v].append(name)
    ordered = {}
    while len(ordered) < len(above):  # causes first
        ordered |= {v: us for v, us in above.items() if set(us) <= set(ordered)}
    size = {name: (cards or {}).get(name, 2) for name in ordered}
    return Model(ordered, size, hidden, seed)


def same(series, truth):
    return dict(series) == truth


# -- strategies, each against enumeration ------------------------------------------------------

SEEDS = range(400)


def graph_of(model):
    lone = [v for v in model.parents if not any(v in e for e in edges(model))]
    text = "; ".join([*lone, *(f"{u} -> {v}" for u, v in edges(model))])
    return Graph(text, latent=model.hidden)


def pairs(model, seed, how_many=2):
    chance = random.Random(1000 + seed)
    observed = model.observed
    return [tuple(chance.sample(observed, 2)) for _ in range(how_many)]


@pytest.mark.parametrize("block", range(8))
def test_formulas_of_random_models_equal_the_enumerated_effect(block):
    """identify decides as the c-component criterion does, and what it finds is exact."""
    for seed in SEEDS[block::8]:
        model = random_model(seed)
        graph, joint = graph_of(model), model.series()
        for a, y in pairs(model, seed):
            found = identify(graph, a, y)
            assert found.identifiable == identifiable(model.parents, model.hidden, [a], [y])
            if found.identifiable:
                assert same(found.evaluate(joint), model.truth([a], [y])), (seed, a, y)


def test_hard_cases_are_decided_and_exact():
    """Roots with two effects: all strategies occur, front doors and the recursion often."""
    said = Counter()
    for seed in range(3000):
        model = random_arcs(seed)
        a = random.Random(seed).choice(model.observed[:-1])
        y = model.observed[-1]
        found = identify(graph_of(model), a, y)
        said[found.strategy] += 1
        assert found.identifiable == identifiable(model.parents, model.hidden, [a], [y])
        if found.strategy in ("front door", "ID"):
            said["ratio"] += "/" in found.estimand
            assert same(found.evaluate(model.series()), model.truth([a], [y])), (seed, a, y)
    assert min(said.values()) >= 5
    assert set(said) == {"no effect", "back door", "front door", "ID", "none", "ratio"}


@pytest.mark.parametrize("block", range(4))
def test_several_treatments_and_outcomes(block):
    """Sets of nodes, the order of the index included."""
    for seed in SEEDS[block::8]:
        model = random_model(seed, observed=(4, 5), hidden=(1, 2))
        graph, joint = graph_of(model), model.series()
        chosen = random.Random(seed).sample(model.observed, 4)
        for a, y in (
            (chosen[:1], chosen[1:3]),
            (chosen[:2], chosen[2:3]),
            (chosen[:2], chosen[2:]),
        ):
            found = identify(graph, a, y)
            assert found.identifiable == identifiable(model.parents, model.hidden, a, y)
            assert set(found.a) == set(a)
            assert set(found.y) == set(y)
            if found.identifiable:
                effect = found.evaluate(joint)
                assert effect.index.names == [*found.a, *found.y]
                assert same(effect, model.truth(found.a, found.y)), (seed, a, y)


def test_the_recursion_agrees_where_back_door_or_front_door_answer_first():
    """The ID algorithm alone, on the projection, for all that the shortcuts answered."""
    checked = 0
    for seed in range(120):
        model = random_model(seed)
        graph = graph_of(model)
        for a, y in pairs(model, seed):
            quick = identify(graph, a, y)
            if quick.strategy in ("no effect", "back door", "front door"):
                g = project(graph)
                f = _id(frozenset([y]), frozenset([a]), P(frozenset(g.nodes)), g, g)
                table = read_joint(model.series(), model.observed)
                for (i, j), p in model.truth([a], [y]).items():
                    at = dict.fromkeys(model.observed, 0) | {a: i, y: j}
                    assert value(f, table, at) == p, (seed, a, y)
                    checked += 1
    assert checked > 400


def test_all_observed_as_outcome_by_the_criterion_of_tian_and_pearl():
    """P(v | do(a)) is identified iff no path of arcs leads from a to a child of a (2002, thm 3)."""
    answers = []
    for seed in range(300):
        model = random_arcs(seed)
        above, arcs = projection(model.parents, model.hidden)
        a = model.observed[0]
        block = next(d for d in districts(above, arcs) if a in d)
        children = {v for v in above if a in above[v]}
        found = identify(graph_of(model), a, set(above) - {a})
        answers.append(found.identifiable)
        assert found.identifiable == (not block & children)
    assert 60 < sum(answers) < 240


def test_effects_on_one_outcome_by_the_criterion_in_its_ancestors():
    """Sufficient, not necessary: no path of arcs from a to a's child among y's ancestors."""
    strict = 0
    for seed in range(3000):
        model = random_arcs(seed)
        a, y = model.observed[-2:]
        above, arcs = projection(model.parents, model.hidden)
        alive = within(above, up(above, [y]))
        found = identify(graph_of(model), a, y)
        if a not in alive:
            assert found.strategy == "no effect"
            continue
        block = next(d for d in districts(alive, arcs) if a in d)
        if not block & {v for v in alive if a in alive[v]}:
            assert found.identifiable
        else:
            strict += found.identifiable
    assert strict > 0  # the napkin's kind


# -- the lines of the algorithm, one at a time -------------------------------------------------


def p(of, given=""):
    return P(frozenset(of), frozenset(given))


def run(text, y, x):
    g = Graph(text)
    return _id(frozenset(y), frozenset(x), P(frozenset(g.nodes)), g, g)


def test_line_1_nothing_is_set_so_sum_out_the_rest():
    assert run("X -> Y; Z -> Y", "Y", "") == p("Y")


def test_line_2_what_is_no_cause_of_y_is_summed_out():
    assert run("X -> Y -> W; X -> W", "Y", "X") == p("Y", "X")
    assert run("Y -> X", "Y", "X") == p("Y")


def test_line_3_what_has_no_effect_on_y_once_x_is_set_may_be_set_too():
    # Z acts on Y only through X: do(x) and do(x, z) are the same
    assert run("Z -> X -> Y; Z <-> X", "Y", "X") == p("Y", "X")


def test_line_4_a_product_over_c_components():
    f = run("X -> M -> Y; X <-> Y", "Y", "X")
    inner = Sum(frozenset("X"), Product((p("X"), p("Y", "XM"))))
    assert isinstance(f, Sum)
    assert f.over == {"M"}
    assert set(f.term.factors) == {p("M", "X"), inner}


def test_line_5_one_c_component_all_through_is_a_hedge():
    found = identify(Graph("X -> Y; X <-> Y"), "X", "Y")
    assert found.hedge == ({"X", "Y"}, {"Y"})
    assert not found.identifiable


def test_line_6_a_c_component_that_stands_alone_is_a_product_of_conditionals():
    assert run("Z -> X -> Y; Z -> Y", "Y", "XZ") == p("Y", "XZ")
    both = run("X -> A -> B; A <-> B", "AB", "X")
    assert set(both.factors) == {p("A", "X"), p("B", "AX")}


def test_line_7_goes_into_the_c_component_that_holds_the_rest():
    # of Z -> W -> X -> Y with arcs X - Z - Y only {X, Z, Y} holds Y; W is fixed at any value
    f = run("Z -> W -> X -> Y; Z <-> X; Z <-> Y", "Y", "X")
    assert isinstance(f, Ratio)
    assert "W" in write(f)


def test_sums_of_sums_are_one_sum():
    inner = Sum(frozenset("A"), Product((p("A"), p("Y", "AM"))))
    nested = Product((p("M"), inner))
    assert sum_over(frozenset("M"), inner) == Sum(frozenset("AM"), inner.term)
    assert sum_over(frozenset("M"), nested).over == {"M"}  # two factors vary with M
    outside = sum_over(frozenset("M"), Product((p("W"), inner)))
    assert write(outside) == "P(W) Σ_{A,M} P(A) P(Y | A, M)"


# -- named graphs ------------------------------------------------------------------------------

NAPKIN = "Z -> W -> A -> Y; Z <-> A; Z <-> Y"

CLASSICAL = {
    "randomised": ("A -> Y", "back door", "P(Y | do(A)) = P(Y | A)"),
    "back door": (
        "X -> A; X -> Y; A -> Y",
        "back door",
        "P(Y | do(A)) = Σ_X P(Y | A, X) P(X)",
    ),
    "front door": (
        "A -> M -> Y; A <-> Y",
        "front door",
        "P(Y | do(A)) = Σ_M P(M | A) Σ_A' P(Y | A', M) P(A')",
    ),
    "conditional front door": (
        "W -> A -> M -> Y; W -> M; A <-> Y",
        "ID",
        "P(Y | do(A)) = Σ_{M,W} P(M | A, W) P(W) Σ_A' P(A' | W) P(Y | A', M, W)",
    ),
    "no effect": ("Y -> A", "no effect", "P(Y | do(A)) = P(Y)"),
    "napkin": (
        NAPKIN,
        "ID",
        "P(Y | do(A)) = [Σ_Z P(Z) P(A | W, Z) P(Y | A, W, Z)] / [Σ_Z P(Z) P(A | W, Z)], "
        "the same for every value of W",
    ),
}


def chains(text):
    """Single edges of a text with chains, for the oracle."""
    single = []
    for statement in text.split(";"):
        words = statement.split()
        single += [" ".join(words[k : k + 3]) for k in range(0, len(words) - 2, 2)]
    return "; ".join(single)


IDENTIFIED = [text for text, *_ in CLASSICAL.values()] + [
    "A -> M -> Y; A -> N -> Y; A <-> Y",  # two mediators, parallel
    "A -> M -> N -> Y; A <-> Y",  # and in a chain
    "W -> A -> M -> Y; W -> M; A <-> Y",  # a front door whose mediator shares a cause with a
    "A -> Y; A <-> C; C <-> Y",  # M-bias: the empty set
    "X -> A -> M -> Y; X -> Y; A <-> X",
    "A -> B -> C -> Y; B <-> Y",  # Verma's graph
    "W -> A -> M -> Y; A <-> Y; W <-> M; W -> Y",
]


@pytest.mark.parametrize("text", IDENTIFIED)
@pytest.mark.parametrize("seed", range(3))
def test_named_graphs_are_identified_exactly(text, seed):
    model = model_of(
        chains(text), seed, cards={"A": 2 + seed % 2, "M": 3, "X": 3, "W": 2 + seed % 2}
    )
    found = identify(Graph(text), "A", "Y")
    assert found.identifiable
    assert identifiable(model.parents, model.hidden, ["A"], ["Y"])
    assert same(found.evaluate(model.series()), model.truth(["A"], ["Y"]))


def test_formulas_with_ratios_are_read_one_way_only():
    """What follows a ratio stands outside its brackets; summed names get primes."""
    a, b, c = p("A"), p("B"), p("C")
    total = Sum(frozenset("D"), p("CD"))
    assert write(Product((Ratio(a, b), c))) == "P(C) [P(A)] / [P(B)]"
    assert write(Product((Ratio(a, b), total))) == "([P(A)] / [P(B)]) Σ_D P(C, D)"
    assert write(Product((Ratio(a, b), Ratio(c, b)))) == "([P(A)] / [P(B)]) [P(C)] / [P(B)]"
    assert write(Product((Sum(frozenset("A"), p("AB")), total))) == "(Σ_A P(A, B)) Σ_D P(C, D)"


@pytest.mark.parametrize("name", CLASSICAL)
def test_formulas_are_written_as_in_a_textbook(name):
    text, strategy, written = CLASSICAL[name]
    found = identify(Graph(text), "A", "Y")
    assert found.strategy == strategy
    assert found.estimand == written


UNIDENTIFIED = [
    "A -> Y; A <-> Y",  # the bow arc
    "Z -> A -> Y; A <-> Y",  # an instrument
    "A -> M -> Y; A <-> M",  # the bow is inside
    "A -> M -> Y; A <-> Y; M <-> Y",  # a front door with a confounded mediator
    "A -> M -> Y; A -> Y; A <-> Y",  # a front door with a way around it
    "A -> Y; W -> Y; A <-> W; W <-> Y",
    "Z -> A -> Y; Z <-> A; Z <-> Y",
    "A -> Y; A -> Z; Z -> Y; A <-> Z; Z <-> Y",
    "A -> M -> Y; A <-> W; W <-> M; W -> Y",
]


@pytest.mark.parametrize("text", UNIDENTIFIED)
def test_unidentified_graphs_have_two_models_with_one_joint_and_two_effects(text):
    found = identify(Graph(text), "A", "Y")
    base = model_of(chains(text))
    above, arcs = projection(base.parents, base.hidden)
    assert not found.identifiable
    assert not identifiable(base.parents, base.hidden, ["A"], ["Y"])
    one, two = hedge_models(above, arcs, *map(set, found.hedge), ["A"], ["Y"])
    observed = sorted(above)
    assert one.marginal(observed) == two.marginal(observed)
    assert one.truth(["A"], ["Y"]) != two.truth(["A"], ["Y"])


def test_the_bow_arc_by_hand_with_every_cell_seen():
    """Two shops: the same positive joint, an effect of zero in the one and a half in the other."""

    def shop(effect):  # U a fair coin, A = U in three of four cases
        tables = {}
        model = Model({"U": [], "A": ["U"], "Y": ["A", "U"]}, {"U": 2, "A": 2, "Y": 2}, {"U"})
        tables["U", ()] = [F(1, 2)] * 2
        for u in (0, 1):
            tables["A", (u,)] = [F(3, 4) - F(u, 2), F(1, 4) + F(u, 2)]
            for a in (0, 1):
                y = F(1, 4) + (F(1, 4) * a if effect else F(1, 4) * u)
                tables["Y", (a, u)] = [1 - y, y]
        model.tables = tables
        return model

    def adapted():  # the same joint as shop(0), made by an effect of A alone
        seen = shop(0).marginal(["A", "Y"])
        model = shop(1)
        for u in (0, 1):
            for a in (0, 1):
                y = seen[a, 1] / (seen[a, 0] + seen[a, 1])
                model.tables["Y", (a, u)] = [1 - y, y]
        return model

    one, two = shop(0), adapted()
    assert one.marginal(["A", "Y"]) == two.marginal(["A", "Y"])
    assert min(one.marginal(["A", "Y"]).values()) > 0
    assert one.truth(["A"], ["Y"])[1, 1] == one.truth(["A"], ["Y"])[0, 1]
    assert two.truth(["A"], ["Y"])[1, 1] > two.truth(["A"], ["Y"])[0, 1]


def test_hedges_of_random_graphs():
    """F and F' are what the theorem asks; where the way to y is free, two models are built."""
    seen, built = 0, 0
    for seed in range(600):
        model = random_arcs(seed) if seed % 2 else random_model(seed, hidden=(2, 3))
        above, arcs = projection(model.parents, model.hidden)
        chosen = random.Random(seed).sample(model.observed, 3)
        for a, y in ((chosen[:1], chosen[1:2]), (chosen[:2], chosen[2:]), (chosen[:1], chosen[1:])):
            found = identify(graph_of(model), a, y)
            if found.identifiable:
                assert found.hedge is None
                continue
            seen += 1
            larger, smaller = map(set, found.hedge)
            roots = {v for v in smaller if not any(v in above[w] for w in smaller)}
            assert smaller < larger
            assert not smaller & set(a)
            assert larger & set(a)
            assert len(districts(larger, arcs)) == len(districts(smaller, arcs)) == 1
            assert up(within(above, larger), smaller) == larger
            assert roots <= up(cut(above, into=a), y)
            twins = hedge_models(above, arcs, larger, smaller, a, y)
            if twins:
                built += 1
                one, two = twins
                assert one.marginal(sorted(above)) == two.marginal(sorted(above))
                assert one.truth(a, y) != two.truth(a, y)
    assert seen > 200
    assert built > 0.9 * seen


def test_projection_keeps_separations_and_what_is_identified():
    for seed in range(150):
        model = random_model(seed, hidden=(2, 4))
        graph = graph_of(model)
        flat = project(graph)
        assert set(flat.nodes) == set(model.observed)
        above, arcs = projection(model.parents, model.hidden)
        assert set(flat.edges) == {(u, v) for v in above for u in above[v]}
        assert set(map(frozenset, flat.bidirected)) == arcs
        for x, y in combinations(model.observed, 2):
            for s in all_subsets(set(model.observed) - {x, y}):
                want = separated(model.parents, [x], [y], s)
                assert graph.d_separated(x, y, s) == flat.d_separated(x, y, s) == want
            assert identify(graph, x, y).identifiable == identify(flat, x, y).identifiable


def test_a_latent_cause_of_two_and_a_bidirected_edge_say_the_same():
    for text, u in (("A -> Y", "U -> A; U -> Y"), ("A -> M -> Y", "U -> A; U -> Y")):
        arc, node = Graph(f"{text}; A <-> Y"), Graph(f"{text}; {u}", latent="U")
        one, two = identify(arc, "A", "Y"), identify(node, "A", "Y")
        assert (one.estimand, one.why, one.sets) == (two.estimand, two.why, two.sets)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Y -> A", "no directed path leads from A to Y"),
        ("A -> Y", "no path between A and Y that enters A (back door) is open"),
        (
            "X -> A; X -> Y; A -> Y",
            "{X} blocks every path between A and Y that enters A (back door)",
        ),
        (
            "A -> M -> Y; A <-> Y",
            "{M} intercepts every directed path from A to Y, no back door is open from A to it, "
            "and A blocks those from it to Y (front door)",
        ),
        (NAPKIN, "the ID algorithm meets no hedge, so observed probabilities give the effect"),
        (
            "A -> Y; A <-> Y",
            "hedge F = {A, Y}, F' = {Y}: hidden causes join all of F, which holds A, and all of "
            "F', which does not, and both lead to Y; so two models agree on all data and differ "
            "in the effect",
        ),
    ],
)
def test_why_is_a_sentence_about_the_graph(text, why):
    found = identify(Graph(text), "A", "Y")
    assert found.why == why
    assert why in str(found)


# -- evaluate ----------------------------------------------------------------------------------


def frame_joint(names, cells):
    index = pd.MultiIndex.from_tuples(cells, names=names)
    return pd.Series(list(cells.values()), index)


def test_an_answer_shows_its_formula_then_its_reason():
    found = identify(Graph("X -> A; X -> Y; A -> Y"), "A", "Y")
    assert repr(found) == str(found)  # so a notebook shows it without print
    formula, reason = repr(found).splitlines()
    assert formula == found.estimand
    assert reason.strip() == found.why
    refused = repr(identify(Graph("A -> Y; A <-> Y"), "A", "Y")).splitlines()
    assert refused[0] == "P(Y | do(A)) is not identified"
    assert refused[1].strip().startswith("hedge F = {A, Y}")


def test_a_cell_without_rows_is_refused_by_name():
    joint = frame_joint(["X", "A", "Y"], {(0, 0, 0): 0.5, (0, 1, 1): 0.25, (1, 0, 1): 0.25})
    backdoor = identify(Graph("X -> A; X -> Y; A -> Y"), "A", "Y")
    with pytest.raises(ValueError, match=r"P\(Y \| A = 1, X = 1\).*positivity"):
        backdoor.evaluate(joint)


def test_a_gap_that_never_counts_is_harmless():
    """Values of X and W that never meet have weight 0, so nothing is asked of them."""
    cells = {(x, w, a, y): F(1, 8) for x, w in ((0, 0), (1, 1)) for a in (0, 1) for y in (0, 1)}
    joint = frame_joint(["X", "W", "A", "Y"], cells)
    found = identify(Graph("X -> A; X -> Y; W -> A; W -> Y; A -> Y"), "A", "Y")
    assert set(found.evaluate(joint)) == {F(1, 2)}
    with_zero = pd.concat([joint, frame_joint(["X", "W", "A", "Y"], {(0, 1, 0, 0): F(0)})])
    assert same(found.evaluate(with_zero), dict(found.evaluate(joint)))


def test_front_door_with_a_mediator_value_that_one_arm_never_takes():
    """P(m | a) = 0 takes away the need of P(y | m, a) only for the arm where it is 0."""
    model = model_of("A -> M; M -> Y; A <-> Y")
    model.tables["M", (0,)] = [F(1), F(0)]
    found = identify(Graph("A -> M -> Y; A <-> Y"), "A", "Y")
    with pytest.raises(ValueError, match=r"P\(Y \| A = 0, M = 1\)"):
        found.evaluate(model.series())


def test_with_holes_in_the_table_the_answer_is_exact_or_refused():
    """Rows of zeros and ones anywhere: 0 times an unknown conditional is 0, and is never wrong."""
    exact, refused = Counter(), 0
    for seed in range(2500):
        model = random_arcs(seed)
        chance = random.Random(seed)
        for (name, _), row in model.tables.items():
            if name not in model.hidden and chance.random() < 0.25:
                sure = chance.randrange(len(row))
                row[:] = [F(k == sure) for k in range(len(row))]
        a, y = chance.choice(model.observed[:-1]), model.observed[-1]
        found = identify(graph_of(model), a, y)
        if found.strategy in ("none", "no effect") or (seed % 8 and found.strategy == "back door"):
            continue
        truth = model.truth([a], [y])
        try:
            effect = found.evaluate(model.series())
        except ValueError as error:
            if "positivity" not in str(error):
                raise
            refused += 1
            continue
        exact[found.strategy] += 1
        assert all(truth.get(cell, 0) == p for cell, p in effect.items()), (seed, a, y)
    assert min(exact[s] for s in ("back door", "front door", "ID")) >= 5
    assert refused > 20


def test_columns_beyond_the_formula_are_summed_out():
    model = model_of("X -> A; X -> Y; A -> Y; A -> B; Y -> B")
    found = identify(Graph("X -> A; X -> Y; A -> Y; A -> B; Y -> B"), "A", "Y")
    full, short = model.series(), model.series(["Y", "X", "A"])
    assert same(found.evaluate(full), dict(found.evaluate(short)))
    assert same(found.evaluate(full), model.truth(["A"], ["Y"]))


def test_floats_from_value_counts_and_values_that_are_words():
    frame = pd.DataFrame({"A": [*"nnyy"] * 2, "Y": [0, 1, 1, 1] * 2, "X": ["hi"] * 4 + ["lo"] * 4})
    found = identify(Graph("X -> A; X -> Y; A -> Y"), "A", "Y")
    effect = found.evaluate(frame.value_counts(normalize=True))
    assert effect["y", 1] == pytest.approx(1, rel=1e-12)
    assert effect["n", 1] == pytest.approx(0.5, rel=1e-12)


def test_an_open_variable_is_read_at_its_most_frequent_value():
    """In a sample the napkin's ratio depends on w; the documented choice is w's mode."""
    chance = random.Random(7)
    names = ["Z", "W", "A", "Y"]
    counts = {cell: chance.randint(1, 30) for cell in product((0, 1), repeat=4)}
    counts |= {cell: n + 40 * cell[1] for cell, n in counts.items()}  # W = 1 is the mode
    total = sum(counts.values())
    joint = frame_joint(names, {cell: F(n, total) for cell, n in counts.items()})

    def mass(**at):
        return sum(
            n for c, n in counts.items() if all(c[names.index(k)] == v for k, v in at.items())
        )

    def ratio(w, a, y):
        top = sum(F(mass(Z=z) * mass(Z=z, W=w, A=a, Y=y), mass(Z=z, W=w)) for z in (0, 1))
        return top / sum(F(mass(Z=z) * mass(Z=z, W=w, A=a), mass(Z=z, W=w)) for z in (0, 1))

    effect = identify(Graph(NAPKIN), "A", "Y").evaluate(joint)
    assert effect[1, 1] == ratio(1, 1, 1) != ratio(0, 1, 1)


def test_a_series_with_one_level_and_no_effect():
    model = model_of("Y -> A")
    found = identify(Graph("Y -> A"), "A", "Y")
    assert same(found.evaluate(model.series()), model.truth(["A"], ["Y"]))


@pytest.mark.parametrize(
    ("joint", "says"),
    [
        (pd.DataFrame({"A": [0, 1], "Y": [0, 1]}), "joint is a DataFrame"),
        (pd.DataFrame({"A": [0, 1], "Y": [0, 1]}).value_counts(), "joint sums to 2"),
        (frame_joint(["A", "B"], {(0, 0): 0.5, (1, 1): 0.5}), "joint lacks Y"),
        (frame_joint(["A", "Y"], {(0, 0): -0.5, (1, 1): 1.5}), "smallest entry is -0.5"),
        (frame_joint(["A", "Y"], {(0, 0): float("nan"), (1, 1): 1.0}), "joint"),
        (
            pd.concat([frame_joint(["A", "Y"], {(0, 0): 0.5, (1, 1): 0.5})] * 2) / 2,
            "the same cell twice",
        ),
    ],
)
def test_joints_that_are_refused(joint, says):
    with pytest.raises(ValueError, match=says):
        identify(Graph("A -> Y"), "A", "Y").evaluate(joint)


def test_what_is_not_identified_is_not_evaluated():
    found = identify(Graph("A -> Y; A <-> Y"), "A", "Y")
    with pytest.raises(ValueError, match="not identified"):
        found.evaluate(frame_joint(["A", "Y"], {(0, 0): 0.5, (1, 1): 0.5}))
    assert found.estimand == ""
    assert found.sets == []
    assert found.strategy == "none"


@pytest.mark.parametrize(
    ("a", "y", "says"),
    [
        ("U", "Y", "U is latent"),
        ("A", {"Y", "U"}, "U is latent"),
        ("A", "A", "overlap"),
        ("A", ["Y", "A"], "overlap"),
        ([], "Y", "name each"),
        ("T", "Y", "a names 'T': the nodes are"),
        ("A", "buys", "y names 'buys': the nodes are"),
    ],
)
def test_questions_that_are_refused(a, y, says):
    with pytest.raises(ValueError, match=says):
        identify(Graph("U -> A -> Y; U -> Y", latent="U"), a, y)
