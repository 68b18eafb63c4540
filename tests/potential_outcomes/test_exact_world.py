"""Exact worlds against the science table: every potential outcome of every kind of unit listed."""

from fractions import Fraction
from itertools import product

import hypothesis.strategies as st
import pytest
import scipy.stats
from hypothesis import given, settings

from causalbook.potential_outcomes import ExactWorld

F = Fraction

SHOP = {
    "X": F(1, 2),
    "A": lambda X: F(1, 5) + F(3, 5) * X,
    "Y": lambda A, X: F(1, 20) + F(1, 10) * A + F(1, 5) * X,
}


def weigh(p, value):
    return p if value == 1 else 1 - p


def table(p_x, p_a, p_m, p_y):
    """Rows (weight, x, a, (M(0), M(1)), {(a, m): Y(a, m)}): independent noise, nothing conditioned.

    The cells of p_m and p_y are the chances of the single potential outcomes.
    """
    for x, a, m0, m1, *ys in product((0, 1), repeat=8):
        at = list(product((0, 1), repeat=2))
        w = weigh(p_x, x) * weigh(p_a[x], a) * weigh(p_m[x, 0], m0) * weigh(p_m[x, 1], m1)
        for (arm, m), y in zip(at, ys, strict=True):
            w *= weigh(p_y[x, arm, m], y)
        yield w, x, a, (m0, m1), dict(zip(at, ys, strict=True))


def average(rows, value):
    rows = list(rows)
    return sum(r[0] * value(r) for r in rows) / sum(r[0] for r in rows)


chance = st.integers(1, 9).map(lambda k: F(k, 10))


@st.composite
def worlds(draw):
    p_x, p_a = draw(chance), [draw(chance), draw(chance)]
    p_m = {key: draw(chance) for key in product((0, 1), repeat=2)}
    p_y = {key: draw(chance) for key in product((0, 1), repeat=3)}
    world = ExactWorld(
        X=p_x,
        A=lambda X: p_a[X],
        M=lambda X, A: p_m[X, A],
        Y=lambda X, A, M: p_y[X, A, M],
    )
    return world, list(table(p_x, p_a, p_m, p_y))


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_every_estimand_is_the_average_of_a_column_of_the_science_table(drawn):
    world, rows = drawn
    treated, untreated = [r for r in rows if r[2] == 1], [r for r in rows if r[2] == 0]

    def y(a, b=None):  # Y(a, M(b)), and Y(a) without b
        return lambda r: r[4][a, r[3][a if b is None else b]]

    def effect(r):
        return y(1)(r) - y(0)(r)

    found = world.estimands()
    assert found["naive"] == average(treated, y(1)) - average(untreated, y(0))
    assert found["ATE"] == average(rows, effect)
    assert found["ATT"] == average(treated, effect)
    assert found["ATU"] == average(untreated, effect)
    assert found["selection bias"] == average(treated, y(0)) - average(untreated, y(0))
    parts = ("ATE", "selection bias", "effect heterogeneity")
    assert found["naive"] == sum(found[part] for part in parts)
    assert found["naive"] == found["ATT"] + found["selection bias"]
    for x in (0, 1):
        assert world.cate({"X": x}) == average([r for r in rows if r[1] == x], effect)
        assert world.cate({"X": x, "A": 1}) == world.cate({"X": x})  # X is all they share

    split = world.mediation()
    assert split["TE"] == average(rows, effect)
    assert split["NDE"] == average(rows, lambda r: y(1, 0)(r) - y(0)(r))
    assert split["NIE"] == average(rows, lambda r: y(0, 1)(r) - y(0)(r))
    assert split["TNDE"] == average(rows, lambda r: y(1)(r) - y(0, 1)(r))
    assert split["TNIE"] == average(rows, lambda r: y(1)(r) - y(1, 0)(r))
    assert split["TE"] == split["NDE"] + split["TNIE"] == split["TNDE"] + split["NIE"]
    for m in (0, 1):
        assert split["CDE"][m] == average(rows, lambda r, m=m: r[4][1, m] - r[4][0, m])


@settings(max_examples=10, deadline=None)
@given(worlds())
def test_do_cuts_a_variable_from_its_causes_and_conditioning_does_not(drawn):
    world, _ = drawn
    for a in (0, 1):
        assert world.prob({"X": 1}, do={"A": a}) == world.prob({"X": 1})
        by_hand = sum(world.prob({"X": x}) * world.prob({"Y": 1}, {"A": a, "X": x}) for x in (0, 1))
        assert world.prob({"Y": 1}, do={"A": a}) == world.mean("Y", do={"A": a}) == by_hand
        assert sum(world.joint(A=a).values()) == 1
    assert world.mean("Y", do={"X": 1}) == world.mean("Y", {"X": 1})  # a root has no causes


def test_the_worlds_of_the_book_by_hand():
    world = ExactWorld(**SHOP)
    found = world.estimands()
    assert (found["naive"], found["ATE"]) == (F(22, 100), F(10, 100))
    assert (found["selection bias"], found["effect heterogeneity"]) == (F(12, 100), 0)
    assert world.joint()[1, 1, 1] == F(1, 2) * F(4, 5) * F(7, 20)
    assert len(world.joint(A=1)) == 4
    assert world.mean("Y", {"X": 1}, {"A": 0}) == F(1, 4)
    assert world.prob({}) == 1
    assert world.prob({"X": 7}) == 0  # a value that is never taken


def test_values_may_be_many_or_words_and_hidden_causes_stand_in_the_table():
    world = ExactWorld(
        T={"news": F(1, 3), "sport": F(2, 3)},
        A=lambda T: F(1, 4) if T == "news" else F(1, 2),
        M=lambda A: {0: F(1, 2), 5: F(1, 2) - F(1, 4) * A, 9: F(1, 4) * A},
        Y=lambda T, M: {1: 1, 10: 0} if T == "sport" else {M: F(1)},
    )
    assert world.prob({"T": "news"}, {"A": 1}) == F(1, 5)
    assert world.mean("Y", {"T": "news"}) == F(1, 4) * F(14, 4) + F(3, 4) * F(5, 2)
    split = world.mediation()
    assert set(split["CDE"]) == {0, 5, 9}
    assert split["NDE"] == 0 == split["CDE"][5]
    assert split["TE"] == split["TNIE"] == split["NIE"] == F(1, 3) * (F(14, 4) - F(5, 2))
    with pytest.raises(ValueError, match=r"'news'.*a mean needs exact numbers"):
        world.mean("T")


def test_a_chain_through_the_mediator_is_no_reason_to_refuse_but_a_shared_cause_is():
    chain = ExactWorld(
        A=F(1, 2),
        L=lambda A: F(1 + A, 4),
        M=lambda L: F(1 + L, 4),
        Y=lambda A, M: F(1 + A + M, 8),
    )
    split = chain.mediation()
    assert (split["NDE"], split["TNIE"]) == (F(1, 8), F(1, 8) * F(1, 4) * F(1, 4))
    shared = ExactWorld(
        A=F(1, 2),
        L=lambda A: F(1 + A, 4),
        M=lambda L: F(1 + L, 4),
        Y=lambda L, M: F(1 + L + M, 8),
    )
    with pytest.raises(ValueError, match="L is affected by A and affects both M and Y"):
        shared.mediation()
    assert shared.estimands()["ATE"] == F(1, 4) * (F(1, 8) + F(1, 4) * F(1, 8))


def difference(rows):
    arms = [[r["Y"] for r in rows if r["A"] == a] for a in (0, 1)]
    return F(sum(arms[1]), len(arms[1])) - F(sum(arms[0]), len(arms[0])) if all(arms) else None


def test_moments_are_those_of_all_ordered_samples():
    world = ExactWorld(A=F(1, 3), Y=lambda A: F(1 + A, 4))
    cells = world.joint()
    for n in (2, 3, 4):
        first = second = lost = F(0)
        for drawn in product(cells, repeat=n):
            p = F(1)
            for cell in drawn:
                p *= cells[cell]
            value = difference([dict(zip("AY", cell, strict=True)) for cell in drawn])
            if value is None:
                lost += p
            else:
                first, second = first + p * value, second + p * value * value
        mean = first / (1 - lost)
        assert world.moments(difference, n) == (mean, second / (1 - lost) - mean**2, lost)
        assert lost == F(1, 3) ** n + F(2, 3) ** n
        assert mean == F(1, 4)  # randomised: unbiased given that both arms have somebody


def test_the_mean_of_n_rows_has_the_variance_of_one_over_n():
    world = ExactWorld(Y={0: F(1, 2), 1: F(1, 3), 4: F(1, 6)})
    variance = F(1, 3) + F(16, 6) - 1
    found = world.moments(lambda rows: F(sum(r["Y"] for r in rows), len(rows)), 6)
    assert found == (1, variance / 6, 0)


def test_a_sample_repeats_and_follows_the_joint():
    world = ExactWorld(**SHOP)
    frame = world.sample(20_000, seed=5)
    assert frame.equals(world.sample(20_000, seed=5))
    assert list(frame.columns) == ["X", "A", "Y"]
    cells = world.joint()
    seen = frame.value_counts()
    expected = [20_000 * float(p) for p in cells.values()]
    assert scipy.stats.chisquare([seen[c] for c in cells], expected).pvalue > 0.001


@pytest.mark.parametrize(
    ("mechanisms", "message"),
    [
        ({"X": 0.5}, "X gives 0.5, a float, not exact: use Fraction"),
        ({"X": F(1, 2), "Y": lambda X: 0.1 * X}, "Y gives 0.0, a float"),
        ({"X": F(3, 2)}, r"X has probabilities 0: -1/2, 1: 3/2 \(sum 1\)"),
        ({"X": {0: F(1, 2), 1: F(1, 3)}}, r"sum 5/6"),
        ({"X": F(1, 2), "Y": lambda X: F(1, 2) + X}, r"Y has probabilities.*where {'X': 1}"),
        ({"Y": lambda X: F(1, 2), "X": F(1, 2)}, "Y has the parameter X, which is no earlier"),
        (
            {"X": F(1, 2), "Y": lambda Z: F(1, 2)},
            r"parameter Z, which is no earlier variable \(X\)",
        ),
        ({"Y": lambda Y: F(1, 2)}, "parameter Y, which is no earlier variable"),
    ],
)
def test_a_wrong_mechanism_is_refused(mechanisms, message):
    with pytest.raises(ValueError, match=message):
        ExactWorld(**mechanisms)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda w: w.prob({"Q": 1}), "event names Q, unknown in this world: its variables are X"),
        (lambda w: w.prob({"Y": 1}, {"Q": 1}), "given names Q"),
        (lambda w: w.joint(Q=1), "do names Q"),
        (lambda w: w.mean("Q"), "outcome names Q"),
        (lambda w: w.mean("Y", {"X": 3}), "given {'X': 3} has probability 0: condition on"),
        (lambda w: w.mean("Y", {"A": 0}, {"A": 1}), r"probability 0 under do\({'A': 1}\)"),
        (lambda w: w.estimands(a="Q"), "a names Q"),
        (lambda w: w.estimands(y="Q"), "outcome names Q"),
        (lambda w: w.cate({"Y": 1}), "given names Y, which comes after A"),
        (lambda w: w.mediation(m="Q"), "a, m, y names Q"),
        (lambda w: w.moments(difference, 60), "n is 60.*makes .* samples"),
        (lambda w: w.moments(difference, 0), "n is 0"),
        (lambda w: w.moments(lambda rows: 0.5, 2), "estimator gives 0.5, a float"),
        (lambda w: w.moments(lambda rows: None, 2), "undefined in every sample of 2 rows"),
    ],
)
def test_a_wrong_question_is_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(ExactWorld(**SHOP))


def test_an_effect_needs_both_treatments():
    with pytest.raises(ValueError, match=r"A takes the values \[1\]"):
        ExactWorld(A=1, Y=lambda A: F(1, 2)).estimands()


@pytest.mark.parametrize(
    ("n", "seed", "said"), [(-1, 0, "n is -1"), (2.5, 0, "n is"), (2, None, "seed is None")]
)
def test_a_sample_asks_for_a_number_of_rows_and_a_seed(n, seed, said):
    with pytest.raises(ValueError, match=said):
        ExactWorld(A=F(1, 2)).sample(n, seed)
