"""Direct and indirect effects against worlds enumerated unit by unit, and against peers.

The oracle never uses the mediation formula. It writes down every unit of a small population (its
stratum and the two lots that decide its mediator and its outcome), looks up Y(a, M(a')) for each,
and averages. `mediate` sees only the columns a log would have.
"""

from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook import datasets
from causalbook.potential_outcomes import (
    ExactWorld,
    ab_test,
    controlled_direct_effect,
    mediate,
)

NAMES = ("TE", "NDE", "NIE", "TNDE", "TNIE")
LOTS = 10  # a probability of k/10 is: the lot is below k


def truth(p, q, strata=(None,)):
    """Effects from each unit's own potential outcomes: p(a, x) and q(a, m, x) in tenths."""
    units = list(product(strata, range(LOTS), range(LOTS)))

    def mean(a, b):  # of Y(a, M(b))
        hits = sum(v < q(a, int(u < p(b, x)), x) for x, u, v in units)
        return Fraction(hits, len(units))

    effects = {"TE": mean(1, 1) - mean(0, 0), "NDE": mean(1, 0) - mean(0, 0)}
    effects |= {"NIE": mean(0, 1) - mean(0, 0), "TNDE": mean(1, 1) - mean(0, 1)}
    effects["TNIE"] = mean(1, 1) - mean(1, 0)
    for m in (0, 1):
        hits = sum((v < q(1, m, x)) - Fraction(v < q(0, m, x)) for x, _, v in units)
        effects[m] = Fraction(hits, len(units))
    return effects


def population(p, q, strata=(None,), copies=lambda a, x: 1):
    """The same units as rows of a log, each `copies` times in each arm."""
    rows = []
    for x, u, v, a in product(strata, range(LOTS), range(LOTS), (0, 1)):
        m = int(u < p(a, x))
        rows += [(x, a, m, int(v < q(a, m, x)))] * copies(a, x)
    return pd.DataFrame(rows, columns=["x", "a", "m", "y"])


def interaction_p(a, x=None):
    return (2, 7)[a]


def interaction_q(a, m, x=None):
    return ((1, 4), (3, 8))[a][m]


def confounded_p(a, x):
    return ((1, 6), (7, 8))[a][x]


def confounded_q(a, m, x):
    return 1 + a + m + a * m + 4 * x


def test_the_interaction_world_has_the_effects_of_the_ledger():
    effects = truth(interaction_p, interaction_q)
    expected = {
        "TE": Fraction(49, 100),
        "NDE": Fraction(24, 100),
        "NIE": Fraction(15, 100),
        "TNIE": Fraction(25, 100),
    }
    assert {name: effects[name] for name in expected} == expected
    assert effects["TE"] == effects["NDE"] + effects["TNIE"] == effects["TNDE"] + effects["NIE"]
    assert effects["NDE"] + effects["NIE"] != effects["TE"]
    log = population(interaction_p, interaction_q)
    found = mediate(log["y"], log["a"], log["m"])
    for name in NAMES:
        assert found[name].value == pytest.approx(float(effects[name]), abs=1e-12)


def test_strata_that_move_mediator_and_outcome_are_averaged_over():
    effects = truth(confounded_p, confounded_q, (0, 1))
    # Each stratum holds more of one arm: a depends on x, and P(x) stays what it is.
    log = population(confounded_p, confounded_q, (0, 1), lambda a, x: 1 + 2 * (a == x))
    found = mediate(log["y"], log["a"], log["m"], log["x"])
    for name in NAMES:
        assert found[name].value == pytest.approx(float(effects[name]), abs=1e-12)
        assert found[name].estimand == name
    for m in (0, 1):
        held = controlled_direct_effect(log["y"], log["a"], log["m"], m, log["x"])
        assert held.value == pytest.approx(float(effects[m]), abs=1e-12)


def test_a_hidden_mediator_outcome_confounder_biases_the_parts_and_not_the_whole():
    effects = truth(confounded_p, confounded_q, (0, 1))
    log = population(confounded_p, confounded_q, (0, 1))  # a is drawn by lot
    found = mediate(log["y"], log["a"], log["m"])
    assert found["TE"].value == pytest.approx(float(effects["TE"]), abs=1e-12)
    assert found["NDE"].value < float(effects["NDE"]) - 0.02
    assert found["NIE"].value > float(effects["NIE"]) + 0.05
    held = controlled_direct_effect(log["y"], log["a"], log["m"], 1)
    assert held.value < float(effects[1]) - 0.1


def test_the_exact_world_of_the_book_agrees():
    world = ExactWorld(
        X=Fraction(1, 2),
        A=Fraction(1, 2),
        M=lambda A, X: Fraction(confounded_p(A, X), LOTS),
        Y=lambda A, M, X: Fraction(confounded_q(A, M, X), LOTS),
    ).mediation()
    effects = truth(confounded_p, confounded_q, (0, 1))
    assert {name: world[name] for name in NAMES} == {name: effects[name] for name in NAMES}
    assert world["CDE"] == {m: effects[m] for m in (0, 1)}


tenths = st.integers(1, LOTS - 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(tenths, min_size=2, max_size=2), st.lists(tenths, min_size=4, max_size=4))
def test_random_worlds_are_recovered_and_add_up(ps, qs):
    def p(a, x):
        return ps[a]

    def q(a, m, x):
        return qs[2 * a + m]

    effects, log = truth(p, q), population(p, q, copies=lambda a, x: 5)
    found = mediate(log["y"], log["a"], log["m"])
    for name in NAMES:
        assert found[name].value == pytest.approx(float(effects[name]), abs=1e-12)
    # The two natural effects miss the total by the interaction times the shift of the mediator.
    interaction = Fraction(qs[3] - qs[2] - qs[1] + qs[0], LOTS) * Fraction(ps[1] - ps[0], LOTS)
    assert effects["TE"] - effects["NDE"] - effects["NIE"] == interaction


def sample(n=400, seed=1992):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, n)
    a = (rng.random(n) < 0.4 + 0.2 * x).astype(int)
    m = rng.choice(3, n, p=[0.3, 0.4, 0.3]) * (rng.random(n) < 0.5 + 0.4 * a)
    y = 10 + a + m * (1 + a) + 2 * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "a": a, "m": m, "x": x})


def continuous(n=400, seed=2001):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 1, (n, 2))
    a = (rng.random(n) < 0.5).astype(int)
    m = 1 + 0.5 * a + x @ [0.4, 0.2] + rng.normal(size=n)
    y = 2 + 0.3 * a + 0.4 * m + 0.2 * a * m + x @ [0.5, -0.1] + rng.normal(size=n)
    return y, a, m, x


def test_the_parts_add_up_row_by_row():
    d = sample()
    for found in (mediate(d["y"], d["a"], d["m"], d["x"]), mediate(*continuous())):
        for sum_of in (("NDE", "TNIE"), ("TNDE", "NIE")):
            rest = found["TE"] - found[sum_of[0]] - found[sum_of[1]]
            assert abs(rest.value) < 1e-12
            assert rest.se < 1e-12
        share = found["TNIE"] / found["TE"]
        assert share.value == found["TNIE"].value / found["TE"].value


def test_without_covariates_the_total_is_the_difference_in_means():
    d = sample()
    total, test = mediate(d["y"], d["a"], d["m"])["TE"], ab_test(d["y"], d["a"])
    assert (total - test).value == pytest.approx(0, abs=1e-12)  # one sample: they may be compared
    assert total.se == pytest.approx(test.se, rel=0.01)  # Welch's factor is all that differs


def derivative(effects, n):
    """Influence by complex step: n times the derivative in the weight of each row."""
    psi = {name: np.empty(n) for name in NAMES}
    for i in range(n):
        w = np.ones(n, dtype=complex)
        w[i] += 1e-30j
        for name, value in effects(w).items():
            psi[name][i] = n * value.imag / 1e-30
    return psi


def combined(theta):
    return {
        "TE": theta(1, 1) - theta(0, 0),
        "NDE": theta(1, 0) - theta(0, 0),
        "NIE": theta(0, 1) - theta(0, 0),
        "TNDE": theta(1, 1) - theta(0, 1),
        "TNIE": theta(1, 1) - theta(1, 0),
    }


def test_the_influence_of_the_cells_is_the_derivative_in_the_weights():
    d = sample(n=150)
    y, a, m, x = (d[c].to_numpy() for c in "yamx")

    def effects(w):
        def theta(arm, other):
            total = 0
            for k in np.unique(x):
                of_m = w[(a == other) & (x == k)].sum()
                for v in np.unique(m):
                    cell = (a == arm) & (m == v) & (x == k)
                    mean = (w * y)[cell].sum() / w[cell].sum()
                    share = w[(a == other) & (m == v) & (x == k)].sum() / of_m
                    total = total + w[x == k].sum() / w.sum() * mean * share
            return total

        return combined(theta)

    psi, found = derivative(effects, len(y)), mediate(y, a, m, x)
    for name in NAMES:
        np.testing.assert_allclose(found[name].influence, psi[name], atol=1e-9)


def test_the_influence_of_the_fits_is_the_derivative_in_the_weights():
    y, a, m, x = continuous(n=120)
    one = np.ones(len(y))
    of_y, of_m = np.c_[one, a, m, a * m, x], np.c_[one, a, x]

    def fit(W, target, w):
        return np.linalg.solve(W.T @ (w[:, None] * W), W.T @ (w * target))

    def effects(w):
        beta, gamma, mean = fit(of_y, y, w), fit(of_m, m, w), (w @ x) / w.sum()

        def theta(arm, other):
            med = gamma[0] + gamma[1] * other + mean @ gamma[2:]
            return beta[:4] @ np.array([1, arm, med, arm * med]) + mean @ beta[4:]

        return combined(theta)

    psi, found = derivative(effects, len(y)), mediate(y, a, m, x)
    values = effects(np.ones(len(y)))
    for name in NAMES:
        assert found[name].value == pytest.approx(values[name], rel=1e-9)
        np.testing.assert_allclose(found[name].influence, psi[name], atol=1e-8)

    def held(w):
        beta = fit(of_y, y, w)
        return {"TE": beta[1] + 2.5 * beta[3]}

    found = controlled_direct_effect(y, a, m, 2.5, x)
    assert found.value == pytest.approx(held(np.ones(len(y)))["TE"], rel=1e-9)
    np.testing.assert_allclose(found.influence, derivative(held, len(y))["TE"], atol=1e-8)


def test_the_influence_of_a_controlled_effect_is_the_derivative_in_the_weights():
    d = sample(n=150)
    y, a, m, x = (d[c].to_numpy() for c in "yamx")

    def effects(w):
        total = 0
        for k in np.unique(x):
            high, low = ((a == arm) & (m == 2) & (x == k) for arm in (1, 0))
            gap = (w * y)[high].sum() / w[high].sum() - (w * y)[low].sum() / w[low].sum()
            total = total + w[x == k].sum() / w.sum() * gap
        return {"TE": total}

    psi = derivative(effects, len(y))["TE"]
    found = controlled_direct_effect(y, a, m, 2, x)
    np.testing.assert_allclose(found.influence, psi, atol=1e-9)


def test_swapping_the_arms_swaps_pure_and_total_and_negates():
    d = sample()
    one, other = (mediate(d["y"], a, d["m"], d["x"]) for a in (d["a"], 1 - d["a"]))
    for name, mirrored in (("TE", "TE"), ("NDE", "TNDE"), ("NIE", "TNIE")):
        assert one[name].value == pytest.approx(-other[mirrored].value, rel=1e-10)
        np.testing.assert_allclose(one[name].influence, -other[mirrored].influence, atol=1e-10)


def test_labels_count_as_values_and_two_columns_as_their_pairs():
    d = sample()
    plain = mediate(d["y"], d["a"], d["m"], d["x"])
    words = pd.DataFrame({"intent": d["x"].map({0: "low", 1: "high"}), "same": d["x"]})
    named = mediate(d["y"], d["a"], d["m"].map({0: "none", 1: "page", 2: "cart"}), words)
    for name in NAMES:
        assert named[name].value == pytest.approx(plain[name].value, rel=1e-12)
    held = controlled_direct_effect(
        d["y"], d["a"], d["m"].map({0: "no", 1: "page", 2: "cart"}), "cart"
    )
    assert held.value == controlled_direct_effect(d["y"], d["a"], d["m"], 2).value


def test_strata_of_three_columns_are_kept_apart():
    rng = np.random.default_rng(2015)
    n = 20_000
    X = rng.integers(0, (5, 6, 2), (n, 3))
    a = rng.integers(0, 2, n)
    m = (rng.random(n) < 0.3 + 0.2 * a + 0.2 * (X.sum(axis=1) % 3 == 0)).astype(int)
    y = X @ [7.0, 1.0, 40.0] * (1 + m) + a
    d = pd.DataFrame({"x": [tuple(x) for x in X], "a": a, "m": m, "y": y})
    mean = d.groupby(["x", "a", "m"])["y"].mean()
    share = d.groupby(["x", "a"])["m"].mean()
    weight = d["x"].value_counts(normalize=True)
    nie = sum(
        w * (mean[x, 0, 1] - mean[x, 0, 0]) * (share[x, 1] - share[x, 0]) for x, w in weight.items()
    )
    assert mediate(y, a, m, X)["NIE"].value == pytest.approx(nie, rel=1e-10)


def test_a_value_that_no_arm_has_in_a_stratum_is_not_missed():
    d = sample(n=1500)
    d = d[(d["m"] < 2) | (d["x"] == 1)]  # nobody of the first kind has m = 2
    whole = mediate(d["y"], d["a"], d["m"], d["x"])
    shares = d["x"].value_counts(normalize=True)
    for name in NAMES:
        within = [mediate(k["y"], k["a"], k["m"])[name].value for _, k in d.groupby("x")]
        mean = sum(shares[x] * value for x, value in enumerate(within))
        assert whole[name].value == pytest.approx(mean, rel=1e-10)


def test_a_mediator_that_never_moves_carries_nothing():
    d = sample()
    found = mediate(d["y"], d["a"], np.ones(len(d)))
    assert found["NIE"].value == found["TNIE"].value == found["NIE"].se == 0
    assert found["NDE"].value == found["TE"].value


def test_the_controlled_effect_of_the_linear_fit_is_a_line_in_the_mediator():
    y, a, m, x = continuous()
    low, middle, high = (controlled_direct_effect(y, a, m, at, x) for at in (1, 2, 3))
    assert low.value + high.value == pytest.approx(2 * middle.value, rel=1e-10)
    found = mediate(y, a, m, x)  # the natural effects are the line at the mediator's two means
    slope = middle.value - low.value
    m0 = (found["NDE"].value - low.value) / slope + 1
    m1 = (found["TNDE"].value - low.value) / slope + 1
    assert m1 - m0 == pytest.approx((found["TNIE"].value - found["NIE"].value) / slope, rel=1e-9)


# Published: R, mediation 4.5.0, data(jobs), models without interaction. A. Fugard (2023),
# "Mediator effects", inductivestep.github.io/Random-bits-and-pieces/mediator_effects.nb.html:
# b <- lm(job_seek ~ treat + econ_hard + sex + age); c <- lm(depress2 ~ treat + job_seek + ...)
# coef(c)["treat"] -0.0402647; coef(b)["treat"] * coef(c)["job_seek"] -0.01574465;
# coef(a)["treat"] -0.05600935 (a without job_seek); mediate() prints -0.0157, -0.0403, -0.0560.
PUBLISHED = {"NDE": -0.0402647, "NIE": -0.01574465, "TE": -0.05600935}
COVARIATES = ["econ_hard", "sex", "age"]


def jobs():
    d = datasets.load("jobs")
    return d, d["depress2"], d["treat"], d["job_seek"], d[COVARIATES]


def test_jobs_gives_the_published_effects_where_nothing_interacts():
    import statsmodels.formula.api as smf

    d, _, a, m, X = jobs()
    fit = smf.ols("depress2 ~ treat + job_seek + econ_hard + sex + age", d).fit()
    # On outcomes that follow the published model the interaction is zero, and the rest is equal.
    found = mediate(fit.fittedvalues, a, m, X)
    for name, value in PUBLISHED.items():
        assert found[name].value == pytest.approx(value, abs=6e-8)
    assert found["TNDE"].value == pytest.approx(found["NDE"].value, abs=1e-10)


def test_jobs_with_the_interaction_agrees_with_statsmodels():
    import statsmodels.formula.api as smf
    from statsmodels.stats.mediation import Mediation

    d, y, a, m, X = jobs()
    outcome = smf.ols("depress2 ~ treat * job_seek + econ_hard + sex + age", d)
    mediator = smf.ols("job_seek ~ treat + econ_hard + sex + age", d)
    found = mediate(y, a, m, X)

    # By the peer's coefficients, exactly.
    b, g = outcome.fit().params, mediator.fit().params
    m0 = g["Intercept"] + X.mean() @ g[COVARIATES]
    assert found["NDE"].value == pytest.approx(b["treat"] + b["treat:job_seek"] * m0, rel=1e-9)
    assert found["NIE"].value == pytest.approx(g["treat"] * b["job_seek"], rel=1e-9)

    # By the peer's simulation, up to its own chance. R and statsmodels call TNIE "ACME (treated)",
    # NIE "ACME (control)", NDE "ADE (control)", TNDE "ADE (treated)". Its errors of the indirect
    # effects are not ours: it draws new mediators for the two arms in every repetition, which adds
    # 2 slope^2 Var(M | a, x) / n. For the NIE, 2,000 repetitions spread by .0192, our error is
    # .0152, and .0159^2 (classical delta method) + .0103^2 (that term) = .0189^2.
    peer = Mediation(outcome, mediator, "treat", mediator="job_seek")
    simulated = peer.fit(n_rep=60, rng=np.random.default_rng(2010))
    theirs = {"NIE": simulated.ACME_ctrl, "TNIE": simulated.ACME_tx, "TE": simulated.total_effect}
    theirs |= {"NDE": simulated.ADE_ctrl, "TNDE": simulated.ADE_tx}
    for name, draws in theirs.items():
        assert abs(np.mean(draws) - found[name].value) < 4 * np.std(draws) / 60**0.5


def test_method_says_which_path_was_taken():
    d, (y, a, m, x) = sample(), continuous()
    assert mediate(d["y"], d["a"], d["m"], d["x"])["NDE"].method.endswith("(cell means)")
    assert "linear" in mediate(y, a, m)["NDE"].method
    assert "linear" in mediate(y, a, m > 2, x)["NDE"].method  # a covariate of many values
    ten, eleven = np.arange(len(y)) // 2 % 10, np.arange(len(y)) // 2 % 11
    alternating = np.arange(len(y)) % 2
    assert "cell" in mediate(y, alternating, ten)["TE"].method
    assert "linear" in mediate(y, alternating, eleven)["TE"].method
    assert not mediate(y, a, m)["TE"].notes
    assert "no data show" in mediate(y, a, m)["NDE"].notes[0]


def test_refuses_to_go_without_a_mediator():
    with pytest.raises(ValueError, match="without data on the mediator no direct or indirect"):
        mediate([0, 1, 0, 1], [0, 0, 1, 1], None)
    with pytest.raises(ValueError, match="without data on the mediator"):
        controlled_direct_effect([0, 1, 0, 1], [0, 0, 1, 1], None, 1)


def test_refuses_a_cell_that_only_one_arm_has_and_names_it():
    d = sample()
    clicked = d["m"] * d["a"]  # nobody can click on what is not shown
    with pytest.raises(ValueError, match=r"2 of 6 needed cells .* \(a=0, m=1\); \(a=0, m=2\)\)"):
        mediate(d["y"], d["a"], clicked)
    one_gap = d[~((d["a"] == 1) & (d["m"] == 2) & (d["x"] == 0))]
    with pytest.raises(ValueError, match=r"\(a=1, m=2, x=\(0,\)\)"):
        mediate(one_gap["y"], one_gap["a"], one_gap["m"], one_gap["x"])
    # Held at a value that both arms have, the effect is there.
    assert controlled_direct_effect(d["y"], d["a"], clicked, 0).n == len(d)
    with pytest.raises(ValueError, match=r"\(a=0, m=2\)"):
        controlled_direct_effect(d["y"], d["a"], clicked, 2)


def test_warns_where_a_cell_is_small():
    d = sample()
    few = d.drop(index=d.index[(d["a"] == 1) & (d["m"] == 2) & (d["x"] == 0)][2:])
    with pytest.warns(UserWarning, match=r"cell \(a=1, m=2, x=\(0,\)\) rests on 2 of 3"):
        mediate(few["y"], few["a"], few["m"], few["x"])


def test_refuses_a_value_the_mediator_never_takes():
    d, (y, a, m, x) = sample(), continuous()
    with pytest.raises(ValueError, match=r"at is 3, not a value of m: pass one of \[0, 1, 2\]"):
        controlled_direct_effect(d["y"], d["a"], d["m"], 3)
    with pytest.raises(ValueError, match=r"at is 99, but m goes from .* pass a value between"):
        controlled_direct_effect(y, a, m, 99, x)
    for end in (m.min(), m.max()):  # the ends of the range belong to it
        assert controlled_direct_effect(y, a, m, end, x).n == len(y)


def test_the_linear_fit_refuses_labels_and_says_so():
    y, a, m, x = continuous()
    labels = np.where(m > np.median(m), "page", "none")
    with pytest.raises(ValueError, match=r"m holds .* not numbers"):
        controlled_direct_effect(y, a, labels, "page", x)
    with pytest.raises(ValueError, match="at is 'page', not a number"):
        controlled_direct_effect(y, a, m, "page", x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(m=d["m"].where(d["m"] > 0)), r"m is NaN or infinite in \d+ of 400"),
        (lambda d: d.assign(x=d["x"].where(d["x"] > 0)), r"X.* is NaN or infinite in \d+ of 400"),
        (lambda d: d.assign(y=np.nan), "y is NaN or infinite in 400"),
        (lambda d: d.assign(a=1), "a is 1 in every row"),
        (lambda d: d.assign(m=d["m"].map({1: "page"})), r"m is missing in \d+ of 400"),
    ],
)
def test_refuses_what_is_missing(change, message):
    d = change(sample())
    with pytest.raises(ValueError, match=message):
        mediate(d["y"], d["a"], d["m"], d["x"])


def test_refuses_shapes_and_designs_that_carry_no_answer():
    y, a, m, x = continuous()
    with pytest.raises(ValueError, match="unequal lengths: y has 400, a has 400, m has 399"):
        mediate(y, a, m[1:])
    with pytest.raises(ValueError, match="X has 3 dimensions"):
        mediate(y, a, m, np.zeros((400, 1, 1)))
    with pytest.raises(ValueError, match="m has 2 dimensions"):
        mediate(y, a, np.c_[m, m])
    with pytest.raises(ValueError, match=r"fit of y .* rank deficient"):
        mediate(y, a, m * a)
    for column in (x[:, 0] + x[:, 1], np.zeros(400), np.ones(400)):
        with pytest.raises(ValueError, match="rank deficient"):
            mediate(y, a, m, np.c_[x, column])
    with pytest.raises(ValueError, match=r"X holds .* not numbers"):
        mediate(y, a, m, np.where(a == 1, "high", "low"))
    with pytest.raises(ValueError, match=r"m holds .* not numbers"):
        mediate(y, a, np.array([f"page {i % 40}" for i in range(400)]), x)


@pytest.mark.parametrize("k", [10, 12])
def test_a_fit_without_residuals_is_refused(k):
    rng = np.random.default_rng(14)
    y, m, X = rng.normal(size=14), rng.normal(size=14), rng.normal(size=(14, k))
    with pytest.raises(ValueError, match=rf"y on 1, a, m, a m, X has {k + 4} coefficients for 14"):
        mediate(y, np.arange(14) % 2, m, X)
