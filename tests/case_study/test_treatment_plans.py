"""Plans over time against exact populations, the one-step estimator, and a refit for each row."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm

from causalbook.case_study import plan_value
from causalbook.estimators import ipw
from causalbook.nuisance import logit

PLANS = list(product((0, 1), repeat=2))


def population():
    """Whole numbers of people in two terms, their chances, and each plan's mean as a fraction."""
    half, cells = Fraction(1, 2), []
    e1 = {0: Fraction(3, 4), 1: Fraction(1, 4)}
    x2_given = {(x1, a1): Fraction(1 + x1 + 2 * a1, 8) for x1 in (0, 1) for a1 in (0, 1)}
    e2 = {(x2, a1): Fraction(1 + 2 * (1 - x2) + a1, 6) for x2 in (0, 1) for a1 in (0, 1)}

    def y(x1, a1, x2, a2):
        return 10 * x1 + 3 * a1 + 7 * x2 + 2 * a2 + 5 * a2 * x2

    for x1, a1, x2, a2 in product((0, 1), repeat=4):
        p = half * (e1[x1] if a1 else 1 - e1[x1])
        p *= x2_given[x1, a1] if x2 else 1 - x2_given[x1, a1]
        p *= e2[x2, a1] if a2 else 1 - e2[x2, a1]
        count = p * 384
        assert count.denominator == 1
        cells += [(x1, a1, x2, a2, y(x1, a1, x2, a2), e1[x1], e2[x2, a1])] * int(count)
    means = {
        (a1, a2): sum(
            half * (x2_given[x1, a1] if x2 else 1 - x2_given[x1, a1]) * Fraction(y(x1, a1, x2, a2))
            for x1 in (0, 1)
            for x2 in (0, 1)
        )
        for a1, a2 in PLANS
    }
    return np.array(cells, dtype=float), means


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    x1 = rng.normal(size=n)
    a1 = (rng.random(n) < 1 / (1 + np.exp(-x1))).astype(float)
    x2 = x1 + a1 + rng.normal(size=n)
    a2 = (rng.random(n) < 1 / (1 + np.exp(-0.5 * x2))).astype(float)
    return x1, a1, x2, a2, x2 + a2 + rng.normal(size=n)


@pytest.mark.parametrize("plan", PLANS)
def test_in_a_population_of_whole_people_the_value_is_the_g_formula(plan):
    cells, means = population()
    _, a1, _, a2, y, e1, e2 = cells.T
    found = plan_value(y, np.column_stack([a1, a2]), [e1, e2], plan)
    assert found.value == pytest.approx(float(means[plan]), rel=1e-12)


@pytest.mark.parametrize("known", [True, False])
def test_a_plan_of_one_step_is_inverse_probability_weighting(known):
    x1, a1, _, _, y = drawn(300, 1)
    e = logit(x1, a1)
    e = e.values if known else e
    one = plan_value(y, a1[:, None], [e], [1]) - plan_value(y, a1[:, None], [e], [0])
    peer = ipw(y, a1, e)
    assert one.value == pytest.approx(peer.value, rel=1e-12)
    assert np.abs(one.influence - peer.influence).max() < 1e-10


def test_stabilised_weights_in_a_saturated_regression_give_the_same_values():
    x1, a1, x2, a2, y = drawn(500, 2)
    e1, e2 = logit(x1, a1).values, logit(np.column_stack([x2, a1]), a2).values
    share1 = a1.mean()
    share2 = np.where(a1 == 1, a2[a1 == 1].mean(), a2[a1 == 0].mean())
    top = np.where(a1 == 1, share1, 1 - share1) * np.where(a2 == 1, share2, 1 - share2)
    w = top / (np.where(a1 == 1, e1, 1 - e1) * np.where(a2 == 1, e2, 1 - e2))
    beta = sm.WLS(y, np.column_stack([np.ones(500), a1, a2, a1 * a2]), weights=w).fit().params
    for d1, d2 in PLANS:
        found = plan_value(y, np.column_stack([a1, a2]), [e1, e2], (d1, d2))
        assert found.value == pytest.approx(beta @ [1, d1, d2, d1 * d2], rel=1e-10)


def test_the_influence_is_what_a_row_more_does_to_the_value_weights_fitted_anew():
    x1, a1, x2, a2, y = drawn(80, 3)
    n, steps = len(y), np.column_stack([a1, a2])
    past = [np.column_stack([np.ones(n), x1]), np.column_stack([np.ones(n), x2, a1])]
    plan = (1, 0)

    def again(weight):
        chance = np.ones(n)
        for t, X in enumerate(past):
            fit = sm.GLM(steps[:, t], X, sm.families.Binomial(), freq_weights=weight).fit(tol=1e-14)
            p = fit.predict(X)
            chance *= p if plan[t] else 1 - p
        w = weight * (steps == plan).all(axis=1) / chance
        return w @ y / w.sum()

    e = [logit(x1, a1), logit(np.column_stack([x2, a1]), a2)]
    psi = plan_value(y, steps, e, plan).influence
    step = 1e-4
    for i in (0, 7, 33, 79):
        unit = np.eye(n)[i]
        slope = (again(1 + step * unit) - again(1 - step * unit)) / (2 * step)
        assert slope == pytest.approx(psi[i] / n, rel=1e-4, abs=1e-7)


def test_what_came_of_another_plan_does_not_matter_and_may_be_missing():
    _, a1, _, a2, y = drawn(200, 4)
    steps, e = np.column_stack([a1, a2]), [np.full(200, 0.5), np.full(200, 0.4)]
    off = np.where((a1 == 1) & (a2 == 1), y, np.nan)
    whole, part = (plan_value(v, steps, e, (1, 1)) for v in (y, off))
    assert whole.value == part.value
    assert np.array_equal(whole.influence, part.influence)
    assert np.isfinite(part.se)


def test_a_cluster_of_copies_leaves_the_error():
    _, a1, _, a2, y = drawn(200, 5)
    steps, e = np.column_stack([a1, a2]), [np.full(200, 0.5), np.full(200, 0.4)]
    once = plan_value(y, steps, e, (1, 1))
    names = np.tile(np.arange(200), 2)
    twice = plan_value(
        np.tile(y, 2), np.tile(steps, (2, 1)), [np.tile(p, 2) for p in e], (1, 1), cluster=names
    )
    assert twice.value == pytest.approx(once.value, rel=1e-12)
    assert twice.se == pytest.approx(once.se, rel=1e-12)


def test_the_note_counts_the_rows_behind_the_weights():
    _, a1, _, a2, y = drawn(200, 6)
    steps, e = np.column_stack([a1, a2]), [np.full(200, 0.5), np.full(200, 0.4)]
    followed = int(((a1 == 1) & (a2 == 1)).sum())
    (note,) = plan_value(y, steps, e, (1, 1)).notes
    assert note == f"effective rows: {followed} of {followed} that followed the plan"


A = np.array([[1, 1], [0, 1], [1, 0], [0, 0]])
E = [np.full(4, 0.5), np.full(4, 0.5)]
Y = np.arange(4.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plan": (1,)}, "plan has 1 steps"),
        ({"e": E[:1]}, "e has 1 chances"),
        ({"plan": (1, 2)}, "plan is neither 0 nor 1"),
        ({"a": A * 2}, "a is neither 0 nor 1 in 3 of 4 rows"),
        ({"e": [E[0], np.array([0.5, 1.0, 0.0, 0.5])]}, r"e of step 2 is outside \(0, 1\) in 2 of"),
        ({"e": [E[0], E[1][:3]]}, "unequal lengths"),
        ({"y": Y[:3]}, "unequal lengths"),
        ({"y": np.where(Y > 0, Y, np.nan)}, r"y is NaN or infinite in 1 of 4 rows \(first: 0\)"),
        ({"a": A[1:], "y": Y[1:], "e": [p[1:] for p in E]}, r"none of 3 rows followed the plan"),
        ({"a": A[:, 0]}, "a has 1 dimensions, needs 2"),
        ({"y": np.column_stack([Y, Y])}, "y has 2 dimensions"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        plan_value(**{"y": Y, "a": A, "e": E, "plan": (1, 1)} | change)
