"""Structural models against enumeration by plain loops, closed forms and their own laws."""

import re
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalbook.causal_graphs import SCM

F = Fraction

COIN = {0: F(1, 2), 1: F(1, 2)}
QUARTERS = dict.fromkeys(range(4), F(1, 4))
DIE = dict.fromkeys(range(1, 7), F(1, 6))


def shown(Z, U_A):
    return int((1, 3)[Z] > U_A)


def buys(A, Z, D):
    if Z:
        return int(D <= 4 or A == 0)
    return int(D == 1 and A == 1)


def shop():
    return SCM(
        {"Z": lambda U_Z: U_Z, "A": shown, "Y": buys}, {"U_Z": COIN, "U_A": QUARTERS, "D": DIE}
    )


def by_hand(seen, a):
    """P(Y(a) = 1 | seen) by three nested loops over what the users are made of."""
    total = hit = F(0)
    for z, u, d in product((0, 1), range(4), range(1, 7)):
        shown_now = 1 if u < (1, 3)[z] else 0
        buys_if = {0: z, 1: int(d <= 4) if z else int(d == 1)}
        unit = {"Z": z, "A": shown_now, "Y": buys_if[shown_now]}
        if all(unit[k] == v for k, v in seen.items()):
            total += F(1, 48)
            hit += F(1, 48) * buys_if[shown_now if a is None else a]
    return hit / total


@pytest.mark.parametrize("a", [None, 0, 1])
@pytest.mark.parametrize(
    "seen", [{}, {"A": 1}, {"A": 0}, {"A": 1, "Y": 0}, {"A": 1, "Y": 1}, {"Z": 1, "A": 1, "Y": 0}]
)
def test_seeing_doing_and_imagining_by_enumeration(seen, a):
    do = {} if a is None else {"A": a}
    assert shop().counterfactual(seen, **do)["Y"].get(1, 0) == by_hand(seen, a)


def test_three_rungs_in_numbers_worked_on_paper():
    m = shop()
    assert m.counterfactual({"A": 0})["Y"][1] == F(1, 4)
    assert m.counterfactual({}, A=0)["Y"][1] == F(1, 2)
    assert m.counterfactual({"A": 1, "Y": 0}, A=0)["Y"][1] == F(6, 11)
    assert m.counterfactual({"A": 1, "Y": 1}, A=0)["Y"][0] == F(1, 13)
    assert m.counterfactual({"A": 1, "Y": 0}, A=0)["A"] == {0: 1}


def test_do_severs_what_comes_in_and_keeps_what_goes_out():
    m = shop()
    assert set(m.graph.edges) == {("Z", "A"), ("Z", "Y"), ("A", "Y")}
    cut = m.do(A=1)
    assert set(cut.graph.edges) == set(m.graph.do("A").edges) == {("Z", "Y"), ("A", "Y")}
    assert cut.counterfactual({"A": 1})["Z"] == COIN  # seeing what was done says nothing of Z
    assert m.counterfactual({"A": 1})["Z"] == {0: F(1, 4), 1: F(3, 4)}
    assert set(m.graph.edges) == {("Z", "A"), ("Z", "Y"), ("A", "Y")}, "do changes a copy"


def test_shared_noise_is_a_bidirected_edge():
    m = SCM(
        {"A": lambda U: U, "Y": lambda A, U, V: A ^ U ^ V, "W": lambda V: V}, {"U": COIN, "V": COIN}
    )
    assert set(m.graph.bidirected) == {("A", "Y"), ("W", "Y")}
    assert not m.do(A=0, W=1).graph.bidirected
    assert not m.graph.d_separated("A", "Y")
    assert m.graph.d_separated("A", "W")
    assert SCM({"A": lambda U: U}, {"U": COIN}).graph.nodes == ("A",)


# Random models: three binary variables in causal order, each a random function of those before.
tables = st.lists(st.integers(0, 1), min_size=14 * 3, max_size=14 * 3)
weights = st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any)


def random_model(bits, w):
    p = [F(x, sum(w)) for x in w]
    noise = {name: dict(enumerate(p)) for name in ("U", "V", "W")}
    f, g, h = bits[:3], bits[3:9], bits[9:21]
    equations = {
        "Y": lambda X, A, W: h[W + 3 * X + 6 * A],
        "X": lambda U: f[U],
        "A": lambda V, X: g[V + 3 * X],
    }
    return SCM(equations, noise), p, (f, g, h)


@given(bits=tables, w=weights, a=st.integers(0, 1))
def test_random_models_by_truncated_factorisation(bits, w, a):
    model, p, (f, _, h) = random_model(bits, w)
    expected = dict.fromkeys((0, 1), F(0))
    for u, v in product(range(3), repeat=2):
        expected[h[v + 3 * f[u] + 6 * a]] += p[u] * p[v]
    found = model.counterfactual({}, A=a)["Y"]
    assert {y: found.get(y, 0) for y in (0, 1)} == expected


@given(bits=tables, w=weights, a=st.integers(0, 1))
def test_laws_of_counterfactuals(bits, w, a):
    """Consistency, effectiveness, and the average over what is seen is what `do` gives."""
    model, *_ = random_model(bits, w)
    average = dict.fromkeys((0, 1), F(0))
    done = model.counterfactual({}, A=a)["Y"]
    for x, b, y in product((0, 1), repeat=3):
        seen = {"X": x, "A": b, "Y": y}
        chance = F(1)
        for k, name in enumerate(seen):
            given_before = {n: seen[n] for n in list(seen)[:k]}
            chance *= model.counterfactual(given_before)[name].get(seen[name], 0) if chance else 0
        if not chance:
            with pytest.raises(ValueError, match="probability 0"):
                model.counterfactual(seen)
            continue
        then = model.counterfactual(seen, A=a)
        assert then["A"] == {a: 1}
        assert sum(then["Y"].values()) == 1
        if a == b:
            assert then == {name: {value: 1} for name, value in seen.items()}
        for value, q in then["Y"].items():
            average[value] += chance * q
    assert average == {value: done.get(value, 0) for value in (0, 1)}


def test_one_experiment_many_counterfactuals():
    """Shares of kinds with the same margins: `do` agrees, P(Y(0) = 1 | A = 1, Y = 0) does not."""

    def model(put_off):
        kinds = {"put off": put_off, "sure": F(6, 12) - put_off}
        kinds |= {"persuadable": put_off - F(1, 12), "lost": F(7, 12) - put_off}
        answers = {"put off": (1, 0), "sure": (1, 1), "persuadable": (0, 1), "lost": (0, 0)}
        return SCM(
            {"A": lambda U: U, "Y": lambda A, kind: answers[kind][A]}, {"U": COIN, "kind": kinds}
        )

    models = [model(F(k, 12)) for k in range(1, 7)]
    for a in (0, 1):
        assert len({m.counterfactual({}, A=a)["Y"][1] for m in models}) == 1
    had_been = [m.counterfactual({"A": 1, "Y": 0}, A=0)["Y"][1] for m in models]
    assert had_been == [F(k, 7) for k in range(1, 7)]


def normal(rng, n):
    return rng.normal(size=n)


def minutes():
    return SCM(
        {
            "X": lambda U_X: U_X,
            "A": lambda X, U_A: 0.5 * X + U_A,
            "Y": lambda A, X, U_Y: 2 * A - X**2 + U_Y,
        },
        {"U_X": normal, "U_A": normal, "U_Y": normal},
    )


def test_the_same_seed_is_the_same_units_in_another_world():
    m = minutes()
    units = m.sample(500, 1)
    had_been = m.counterfactual(units, A=1.5)
    pd.testing.assert_frame_equal(had_been, m.do(A=1.5).sample(500, 1), atol=1e-12)
    closed = units["Y"] + 2 * (1.5 - units["A"])
    np.testing.assert_allclose(had_been["Y"], closed, atol=1e-12)
    one = m.counterfactual(units.loc[7], A=1.5)
    assert one == pytest.approx(had_been.loc[7].to_dict(), abs=1e-12)
    assert m.counterfactual(units.loc[7]) == pytest.approx(units.loc[7].to_dict(), abs=1e-12)


def test_rows_keep_their_labels():
    units = minutes().sample(3, 1).set_axis(["u", "v", "w"])
    assert list(minutes().counterfactual(units, A=0.0).index) == ["u", "v", "w"]


def test_shared_noise_is_recovered_once_and_carried_over():
    m = SCM({"A": lambda U: U, "Y": lambda A, U: 2 * A + 3 * U}, {"U": normal})
    assert m.counterfactual({"A": 1.0, "Y": 5.0}, A=0.0) == {"A": 0.0, "Y": 3.0}
    with pytest.raises(ValueError, match="observed Y differs"):
        m.counterfactual({"A": 1.0, "Y": 4.0}, A=0.0)


def test_mixed_noise():
    m = SCM({"A": lambda U: U, "Y": lambda A, V: A + V}, {"U": COIN, "V": normal})
    assert set(m.sample(50, 1)["A"]) == {0, 1}
    assert m.counterfactual({"A": 1, "Y": 1.5}, A=0)["Y"] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="outside its values"):
        m.counterfactual({"A": 0.5, "Y": 1.5}, A=0)


def test_frequencies_of_a_sample():
    """Band fixed beforehand: five standard errors at n = 40,000."""
    frame = shop().sample(40_000, 2009)
    assert list(frame.columns) == ["Z", "A", "Y"]
    for a, p in ((1, 13 / 24), (0, 1 / 4)):
        y = frame.loc[frame["A"] == a, "Y"]
        assert abs(y.mean() - p) < 5 * (p * (1 - p) / len(y)) ** 0.5
    pd.testing.assert_frame_equal(frame, shop().sample(40_000, 2009))
    done = shop().do(A=1).sample(40_000, 2009)
    treated = frame["A"] == 1
    assert (done.loc[treated, "Y"] == frame.loc[treated, "Y"]).all()  # consistency, by row


def test_values_need_not_be_numbers():
    m = SCM({"Z": lambda U: "high" if U else "low", "A": lambda Z: ("grinder", Z)}, {"U": COIN})
    assert m.counterfactual({"Z": "low"})["A"] == {("grinder", "low"): 1}
    assert set(m.do(A="kettle").sample(20, 1)["A"]) == {"kettle"}
    assert set(m.sample(20, 1)["A"]) == {("grinder", "low"), ("grinder", "high")}
    mixed = SCM({"A": lambda U: "grinder" if U else 0}, {"U": COIN})
    assert set(mixed.sample(20, 1)["A"]) == {"grinder", 0}


@pytest.mark.parametrize(
    ("equations", "noise", "says"),
    [
        ({"X": lambda X, U: X + U}, {"U": COIN}, "cycle X -> X"),
        ({"X": lambda Y: Y, "Y": lambda X: X}, {}, r"cycle (X -> Y -> X|Y -> X -> Y)"),
        ({"X": lambda Q: Q}, {"U": COIN}, r"names \['Q'\]"),
        ({"X": lambda U: U}, {"U": COIN, "X": COIN}, r"\['X'\], which are variables"),
        ({"X": lambda U: U}, {"U": {0: F(1, 2), 1: F(1, 3)}}, "sum to 5/6"),
        ({"X": lambda U: U}, {"U": {0: -1, 1: 2}}, "a negative probability, -1"),
        ({"X": lambda U: U}, {"U": [0.5, 0.5]}, "or a sampler"),
    ],
)
def test_models_that_are_none(equations, noise, says):
    with pytest.raises(ValueError, match=says):
        SCM(equations, noise)


@pytest.mark.parametrize(
    ("observed", "do", "says"),
    [
        ({"Z": 0, "A": 0, "Y": 1}, {}, "has probability 0"),
        ({"B": 1}, {}, r"observed has \['B'\]"),
        ({}, {"B": 1}, r"do has \['B'\]"),
        (pd.DataFrame({"A": [0, 1]}), {}, "observed is a frame"),
    ],
)
def test_questions_that_have_no_answer(observed, do, says):
    with pytest.raises(ValueError, match=says):
        shop().counterfactual(observed, **do)


@pytest.mark.parametrize(
    ("equation", "y"),
    [
        (lambda A, V: A + 2 * V, 1.0),  # not added as it is
        (lambda A, V: A * V, 0.0),  # at A = 0 any noise would do
        (lambda A, V: A + V**2, 1.0),  # agrees at one point: V = 1, but -1 would do too
        (lambda A, V: 1.0 * (A > V), 0.0),  # yes or no: an interval is all that is known
    ],
)
def test_noise_that_cannot_be_recovered_is_refused(equation, y):
    m = SCM({"A": lambda U: U, "Y": equation}, {"U": normal, "V": normal})
    with pytest.raises(ValueError, match="noise of Y cannot be recovered"):
        m.counterfactual({"A": 0.0, "Y": y}, A=1.0)


def test_other_refusals_with_continuous_noise():
    m = minutes()
    with pytest.raises(ValueError, match=re.escape("lacks ['X']")):
        m.counterfactual({"A": 1.0, "Y": 1.0}, A=0.0)
    with pytest.raises(ValueError, match=re.escape("NaN or infinite in ['Y']")):
        m.counterfactual({"X": 0.0, "A": 1.0, "Y": np.nan}, A=0.0)
    two = SCM({"Y": lambda U, V: U + V}, {"U": normal, "V": normal})
    with pytest.raises(ValueError, match="enter together"):
        two.counterfactual({"Y": 1.0})
    with pytest.raises(ValueError, match=re.escape("drew shape ()")):
        SCM({"Y": lambda U: U}, {"U": lambda rng, n: rng.normal()}).sample(3, 1)


@pytest.mark.parametrize(
    ("n", "seed", "said"), [(-1, 0, "n is -1"), (2.5, 0, "n is"), (2, None, "seed is None")]
)
def test_a_sample_asks_for_a_number_of_units_and_a_seed(n, seed, said):
    with pytest.raises(ValueError, match=said):
        SCM({"A": lambda U: U}, {"U": {0: 0.5, 1: 0.5}}).sample(n, seed)
