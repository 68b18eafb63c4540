"""Instruments: exact populations, identities, published numbers, peers, refusals."""

import warnings
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from linearmodels.iv import IV2SLS

from causalbook import datasets
from causalbook.estimators import (
    FirstStage,
    anderson_rubin,
    first_stage,
    two_stage_least_squares,
    wald,
)

REGIONS = [f"reg66{k}" for k in range(1, 9)]
CONTROLS = ["exper", "expersq", "black", "smsa", "south", "smsa66", *REGIONS]


def draw(seed=0, n=400, k=1, p=2, pi=0.6):
    """An outcome and a treatment with a common cause, k instruments, p covariates."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    z = rng.normal(size=(n, k)) + X[:, :1]
    u = rng.normal(size=n)
    a = z @ np.full(k, pi) + X.sum(axis=1) + u + rng.normal(size=n)
    y = 0.5 * a + X[:, 0] + u + rng.normal(size=n) * (1 + np.abs(z[:, 0]))
    return y, a, z, X


def encouraged(seed=0, n=300):
    rng = np.random.default_rng(seed)
    z, kind = rng.integers(0, 2, n), rng.choice(3, size=n, p=[0.2, 0.3, 0.5])
    a = np.where(kind == 2, z, kind)  # never, always, if encouraged
    return rng.normal(size=n) + kind + 0.5 * a * kind, a, z


# Explicit principal strata. Each kind of person: how many, A(0), A(1), and the mean Y(0), Y(1).
# Crossing all of them with both values of z makes a population in which z is exactly independent.
STRATA = {
    "complier": (5, 0, 1, Fraction(2), Fraction(5)),
    "never": (3, 0, 0, Fraction(1), Fraction(10)),
    "always": (2, 1, 1, Fraction(4), Fraction(4)),
}


def population(strata, delta=Fraction(0)):
    """All rows, and the exact ratio of the two differences; `delta` is what z does by itself."""
    rows = [
        (z, (a0, a1)[z], (y0, y1)[(a0, a1)[z]] + delta * z)
        for z, (count, a0, a1, y0, y1) in product((0, 1), strata.values())
        for _ in range(20 * count)
    ]
    z, a, y = zip(*rows, strict=True)

    def gap(x):
        arms = [[v for v, arm in zip(x, z, strict=True) if arm == side] for side in (1, 0)]
        return Fraction(sum(arms[0]), 1) / len(arms[0]) - Fraction(sum(arms[1]), 1) / len(arms[1])

    return [np.array(v, dtype=float) for v in (y, a, z)], gap(y) / gap(a), gap(a)


def test_wald_is_the_complier_effect_exactly():
    (y, a, z), exact, share = population(STRATA)
    assert exact == 3  # Y(1) - Y(0) of the compliers, whatever the effect on the others
    assert share == Fraction(1, 2)
    assert wald(y, a, z).value == pytest.approx(3, abs=1e-12)
    assert first_stage(a, z).share == pytest.approx(0.5, abs=1e-12)
    average = sum(n * (y1 - y0) for n, _, _, y0, y1 in STRATA.values()) / Fraction(10)
    assert average == Fraction(42, 10)  # the effect on everyone is another number


def test_defiers_break_it():
    defiers = STRATA | {"defier": (2, 1, 0, Fraction(0), Fraction(9))}
    (y, a, z), exact, share = population(defiers)
    assert exact == (5 * Fraction(3) - 2 * Fraction(9)) / (5 - 2) == -1  # all effects are >= 0
    assert wald(y, a, z).value == pytest.approx(-1, abs=1e-12)
    assert share == Fraction(3, 12)  # the difference of two shares, not the share of compliers
    assert first_stage(a, z).share == pytest.approx(0.25, abs=1e-12)


@pytest.mark.parametrize("delta", [Fraction(1, 10), Fraction(-2)])
def test_a_violated_exclusion_shifts_it_by_delta_over_the_first_stage(delta):
    (y, a, z), exact, share = population(STRATA, delta)
    assert exact == 3 + delta / share
    assert wald(y, a, z).value == pytest.approx(float(3 + delta / share), abs=1e-12)


@given(st.integers(0, 10_000))
def test_two_stage_least_squares_with_one_binary_instrument_is_wald(seed):
    y, a, z = encouraged(seed)
    by_ratio, by_stages = wald(y, a, z), two_stage_least_squares(y, a, z)
    assert by_stages.value == pytest.approx(by_ratio.value, rel=1e-10)
    assert by_stages.se == pytest.approx(by_ratio.se, rel=1e-10)
    assert np.allclose(by_stages.influence, by_ratio.influence, rtol=1e-8, atol=1e-10)
    assert (by_ratio - by_stages).value == pytest.approx(0, abs=1e-10)  # the same sample


def test_wald_is_a_ratio_of_two_differences():
    y, a, z = encouraged()
    on_y, on_a = (x[z == 1].mean() - x[z == 0].mean() for x in (y, a))
    e = wald(y, a, z)
    assert e.value == pytest.approx(on_y / on_a, rel=1e-12)
    assert (e.estimand, e.method, e.dof) == ("LATE", "Wald (HC0)", None)
    assert f"moves a by {on_a:.4g}" in e.notes[0]


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_the_coding_of_the_instrument_does_not_matter(seed, scale, shift):
    y, a, z = encouraged(seed)
    e, swapped = wald(y, a, z), wald(y, a, 1 - z)
    assert swapped.value == pytest.approx(e.value, rel=1e-10)
    assert swapped.se == pytest.approx(e.se, rel=1e-10)
    recoded = two_stage_least_squares(y, a, shift - scale * z)
    assert recoded.value == pytest.approx(e.value, rel=1e-8)
    assert recoded.se == pytest.approx(e.se, rel=1e-8)


def test_units_of_outcome_and_treatment_pass_through():
    y, a, z, X = draw(3, k=2)
    e = two_stage_least_squares(y, a, z, X)
    other = two_stage_least_squares(
        10 * y + 3, 4 * a - 1, z @ [[1, 2], [3, -1]], X @ [[1, 1], [0, 5]]
    )
    assert other.value == pytest.approx(e.value * 10 / 4, rel=1e-10)
    assert other.se == pytest.approx(e.se * 10 / 4, rel=1e-10)


def residuals(columns, X):
    W = np.column_stack([np.ones(len(X)), X])
    return columns - W @ np.linalg.lstsq(W, columns, rcond=None)[0]


@pytest.mark.parametrize("k", [1, 3])
def test_two_stages_residuals_and_control_function_agree(k):
    y, a, z, X = draw(5, k=k)
    n, ones = len(y), np.ones((len(y), 1))
    e = two_stage_least_squares(y, a, z, X)
    # Two stages by least squares, as the name says.
    fitted = a - residuals(a, np.column_stack([X, z]))
    second = np.column_stack([fitted, ones, X])
    assert np.linalg.lstsq(second, y, rcond=None)[0][0] == pytest.approx(e.value, rel=1e-10)
    # Frisch and Waugh: the same from what X leaves of all columns.
    parts = residuals(np.column_stack([y, a, z]), X)
    plain = two_stage_least_squares(parts[:, 0], parts[:, 1], parts[:, 2:])
    assert plain.value == pytest.approx(e.value, rel=1e-10)
    assert plain.se == pytest.approx(e.se, rel=1e-10)
    # Control function: the residual of the first stage takes the common cause away.
    control = np.column_stack([a, residuals(a, np.column_stack([X, z])), ones, X])
    assert np.linalg.lstsq(control, y, rcond=None)[0][0] == pytest.approx(e.value, rel=1e-10)
    assert e.n == n


def weighted(w, y, a, z, X):
    """2SLS with weights, from matrices: the oracle whose derivative by w is the influence."""
    W = np.column_stack([np.ones(len(y)), X])
    D, Z = np.column_stack([a, W]), np.column_stack([z, W])
    first = np.linalg.solve(Z.T @ (w[:, None] * Z), Z.T @ (w[:, None] * D))
    return np.linalg.solve((Z @ first).T @ (w[:, None] * D), (Z @ first).T @ (w * y))[0]


@pytest.mark.parametrize("k", [1, 2])
def test_the_influence_is_the_derivative_by_each_rows_weight(k):
    y, a, z, X = draw(7, n=60, k=k, pi=2)
    e, h = two_stage_least_squares(y, a, z, X), 1e-5
    derivative = [
        (weighted(1 + h * row, y, a, z, X) - weighted(1 - h * row, y, a, z, X)) / (2 * h)
        for row in np.eye(60)
    ]
    # With several instruments the row also moves the first stage. The textbook's error leaves
    # this out, since z and the residual are uncorrelated in the limit; with one it is 0.
    Z, A, U = residuals(z, X), residuals(a, X), residuals(y - e.value * a, X)
    pi = np.linalg.lstsq(Z, A, rcond=None)[0]
    moved = (A - Z @ pi) * (Z @ np.linalg.solve(Z.T @ Z, Z.T @ U)) / ((Z @ pi) @ A)
    assert np.allclose(moved, 0) == (k == 1)
    assert np.allclose(e.influence / 60 + moved, derivative, atol=1e-8)


@pytest.mark.parametrize(("k", "p"), [(1, 0), (1, 3), (3, 3)])
def test_linearmodels_agrees(k, p):
    y, a, z, X = draw(11, n=500, k=k, p=max(p, 1))
    X = X if p else None
    exogenous = np.column_stack([np.ones(500), *([] if X is None else [X])])
    model = IV2SLS(y, exogenous, a, z)
    peer, e = model.fit(cov_type="robust", debiased=False), two_stage_least_squares(y, a, z, X)
    assert e.value == pytest.approx(peer.params.iloc[-1], rel=1e-10)
    assert e.se == pytest.approx(peer.std_errors.iloc[-1], rel=1e-10)
    g = np.arange(500) // 7
    groups = g.max() + 1
    clustered = two_stage_least_squares(y, a, z, X, cluster=g)
    peer = model.fit(cov_type="clustered", clusters=g, debiased=False)
    factor = np.sqrt(groups / (groups - 1))
    assert clustered.se == pytest.approx(peer.std_errors.iloc[-1] * factor, rel=1e-10)
    assert (clustered.dof, clustered.method) == (groups - 1, "2SLS (clusters, G/(G-1))")


def test_card_1995():
    card = datasets.load("card")
    y, a, z, X = card["lwage"], card["educ"], card["nearc4"], card[CONTROLS]
    e = two_stage_least_squares(y, a, z, X)
    assert round(e.value, 4) == 0.1315  # Card (1995, table 3): .132 (.055), classical error
    # linearmodels 7.1: IV2SLS(lwage, [1, CONTROLS], educ, nearc4).fit("robust", debiased=False)
    # gives .0540; "unadjusted", debiased=True gives .0550.
    assert round(e.se, 4) == 0.0540
    model = IV2SLS(y, sm.add_constant(X), a, z)
    classical = model.fit(cov_type="unadjusted", debiased=True)
    assert round(classical.std_errors["educ"], 4) == 0.0550
    first = first_stage(a, z, X)
    assert round(first.coefficients[0].value, 3) == 0.320  # Card (1995): .320 (.088)
    peer = model.fit(cov_type="robust", debiased=False).first_stage.diagnostics.loc[
        "educ", "f.stat"
    ]
    assert first.f == pytest.approx(peer, rel=1e-8)
    assert 10 < first.f_effective < 23.1
    assert "not above 23.1" in e.notes[0]


def test_the_shorter_extract_gives_another_number_for_lack_of_controls():
    few = datasets.load("close_college").dropna()  # 7 of 3,010 lack `married`
    X = few[["exper", "black", "south", "married", "smsa"]]
    # Cunningham (2021, section 7.8.1): .124 (.050) with these controls.
    assert (
        round(two_stage_least_squares(few["lwage"], few["educ"], few["nearc4"], X).value, 3)
        == 0.124
    )


@pytest.mark.parametrize("k", [1, 3])
def test_first_stage_is_a_regression_with_robust_errors(k):
    _, a, z, X = draw(13, k=k)
    first = first_stage(a, z, X)
    peer = sm.OLS(a, np.column_stack([z, np.ones(len(a)), X])).fit(cov_type="HC0")
    assert np.allclose([c.value for c in first.coefficients], peer.params[:k], rtol=1e-10)
    assert np.allclose([c.se for c in first.coefficients], peer.bse[:k], rtol=1e-10)
    test = peer.wald_test(np.eye(k, k + 3), use_f=False, scalar=True)
    assert first.f == pytest.approx(test.statistic / k, rel=1e-8)
    # Montiel Olea and Pflueger: with instruments made orthonormal, the sum of squared
    # coefficients over the sum of their robust variances.
    basis = np.linalg.qr(residuals(z, X))[0]
    ortho = sm.OLS(residuals(a, X), basis).fit(cov_type="HC0")
    assert first.f_effective == pytest.approx((ortho.params**2).sum() / (ortho.bse**2).sum())
    assert first.share is None
    if k == 1:
        assert first.f == pytest.approx(first.f_effective, rel=1e-10)


def test_the_rule_of_23_is_a_quantile():
    # Montiel Olea and Pflueger (2013): bias of at most a tenth of the worst, 5%, one instrument.
    assert round(scipy.stats.ncx2.ppf(0.95, 1, 10), 1) == 23.1


def test_first_stage_shows_itself():
    frame = pd.DataFrame({"mail": [0, 1, 0, 1, 0, 1], "push": [0, 0, 1, 1, 0, 1]})
    taken = pd.Series([0, 1, 0, 1, 1, 1], name="opened")
    both, one = first_stage(taken, frame), first_stage(taken, frame["mail"])
    assert isinstance(both, FirstStage)
    assert list(both.table["instrument"]) == ["mail", "push"]
    assert one.coefficients[0].estimand == "z ('mail')"
    assert one.share == pytest.approx(2 / 3)
    assert "Compliers: 66.7%" in repr(one)
    assert "Compliers" not in repr(both)
    assert "<table" in both._repr_html_()


def test_perfect_compliance_has_no_bound_on_f():
    y, _, z = encouraged()
    assert first_stage(z, z).f_effective == first_stage(z, z).f == np.inf
    assert wald(y, z, z).value == pytest.approx(y[z == 1].mean() - y[z == 0].mean(), rel=1e-12)


def test_duplicated_rows_with_clusters_leave_the_error():
    y, a, z, X = draw(17, n=90)
    once = two_stage_least_squares(y, a, z, X, cluster=np.arange(90))
    twice = two_stage_least_squares(
        *(np.repeat(x, 2, axis=0) for x in (y, a, z, X)), cluster=np.repeat(np.arange(90), 2)
    )
    assert twice.value == pytest.approx(once.value, rel=1e-10)
    assert twice.se == pytest.approx(once.se, rel=1e-10)
    plain = two_stage_least_squares(y, a, z, X)
    assert once.se == pytest.approx(plain.se * np.sqrt(90 / 89), rel=1e-10)


@pytest.mark.parametrize("estimate", [wald, two_stage_least_squares])
def test_a_weak_instrument_warns(estimate):
    rng = np.random.default_rng(1995)
    z, u = np.repeat([0, 1], 100), rng.normal(size=200)
    a = 0.1 * z + u
    with pytest.warns(UserWarning, match=r"effective F .* below 10.*anderson_rubin"):
        e = estimate(u, a, z)
    assert "weak, below 10" in e.notes[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate(u, 2.0 * z + u, z)
        first_stage(a, z)  # it tells, and is asked for just that


def test_clusters_weaken_an_instrument_that_varies_between_them():
    rng = np.random.default_rng(1986)
    g = np.repeat(np.arange(12), 50)
    z = (np.arange(12) % 2)[g]
    a = 0.6 * z + rng.normal(size=12)[g] + rng.normal(size=600)
    y = a + rng.normal(size=600)
    assert first_stage(a, z).f_effective > 23.1
    with pytest.warns(UserWarning, match="below 10"):
        two_stage_least_squares(y, a, z, cluster=g)


def test_clusters_that_leave_no_error_are_refused():
    # Both arms are one cluster each: the scores sum to 0 in either, whatever the data.
    y, a, z = encouraged(n=200)
    with pytest.raises(ValueError, match=r"cluster .*no error"):
        two_stage_least_squares(y, a, z, cluster=z)
    three = np.where((z == 1) & (np.arange(200) % 2 == 0), 2, z)
    assert two_stage_least_squares(y, a, z, cluster=three).se > 0
    full = two_stage_least_squares(y, z, z, cluster=np.arange(200) // 20)  # nothing to learn
    assert full.value == pytest.approx(y[z == 1].mean() - y[z == 0].mean())


def test_the_warning_for_clusters_does_not_send_to_a_set_that_knows_none():
    rng = np.random.default_rng(1986)
    g = np.repeat(np.arange(12), 50)
    z, a = (np.arange(12) % 2)[g], rng.normal(size=600)
    with pytest.warns(UserWarning, match=r"anderson_rubin.* of cluster means"):
        two_stage_least_squares(a + rng.normal(size=600), a, z, cluster=g)


Y, A, Z, X = draw(n=40)
CONSTANT, BAD = np.ones(40), np.where(np.arange(40) == 3, np.nan, 1.0 * np.arange(40))
BINARY = np.arange(40) % 2
REFUSALS = [
    ({"y": BAD}, r"y is NaN or infinite in 1 of 40 rows \(first: 3\)"),
    ({"a": BAD}, "a is NaN or infinite"),
    ({"z": BAD}, "z is NaN or infinite"),
    ({"X": BAD}, "X is NaN or infinite"),
    ({"y": np.where(np.isnan(BAD), np.inf, BAD)}, "y is NaN or infinite"),
    ({"y": []}, "y is empty"),
    ({"y": ["high"] * 40}, "y holds .* not numbers"),
    ({"y": Y[:-1]}, "unequal lengths: y has 39"),
    ({"z": Z[:-1]}, r"unequal lengths: .*z has 39"),
    ({"X": X[:-1]}, "unequal lengths: .*X has 39"),
    ({"a": CONSTANT}, "a is 1 in every row"),
    ({"z": CONSTANT}, "z does not vary beyond what X explains"),
    ({"z": X[:, 0] + 2 * X[:, 1] + 1}, "z does not vary beyond what X explains"),
    ({"z": np.column_stack([BINARY, 3 * BINARY + 1])}, "z has columns that depend on each other"),
    ({"X": np.column_stack([X, CONSTANT])}, "X is constant in column 2"),
    ({"X": np.column_stack([X, X.sum(axis=1)])}, "X has columns that depend on each other"),
    ({"X": np.eye(40)[:, :38]}, "40 rows for 40 coefficients"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSALS)
def test_bad_input_is_refused(wrong, message):
    arguments = {"y": Y, "a": A, "z": Z, "X": X} | wrong
    for method in (two_stage_least_squares, anderson_rubin):
        with pytest.raises(ValueError, match=message):
            method(**arguments)
    if "y" not in wrong:
        del arguments["y"]
        with pytest.raises(ValueError, match=message):
            first_stage(**arguments)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"y": BAD}, "y is NaN"),
        ({"a": BAD}, "a is NaN"),
        ({"z": BAD}, "z is NaN"),
        ({"z": np.arange(40)}, "z is neither 0 nor 1 in 38 of 40 rows"),
        ({"z": CONSTANT}, "z is 1 in every row"),
        ({"a": CONSTANT}, "a is 1 in every row"),
        ({"a": A[:-1]}, "unequal lengths: .*a has 39"),
    ],
)
def test_wald_refuses_bad_input(wrong, message):
    with pytest.raises(ValueError, match=message):
        wald(**({"y": Y, "a": A, "z": BINARY} | wrong))


def test_an_instrument_that_moves_nothing_is_refused():
    a, z = np.tile([0, 1], 20), np.repeat([0, 1], 20)
    for call in (
        lambda: wald(Y, a, z),
        lambda: two_stage_least_squares(Y, a, z),
        lambda: first_stage(a, z),
    ):
        with pytest.raises(ValueError, match="z does not move a: the first stage is 0"):
            call()


def test_one_cluster_is_refused_and_labels_are_checked():
    with pytest.raises(ValueError, match="cluster has one group"):
        two_stage_least_squares(Y, A, Z, X, cluster=np.zeros(40))
    with pytest.raises(ValueError, match=r"unequal lengths: .*cluster has 39"):
        two_stage_least_squares(Y, A, Z, X, cluster=np.arange(39))


def test_inputs_stay_as_they_are():
    y, a, z, X = draw(19)
    copies = [x.copy() for x in (y, a, z, X)]
    two_stage_least_squares(y, a, z, X)
    first_stage(a, z, X)
    anderson_rubin(y, a, z, X)
    wald(y, a, (z[:, 0] > 0).astype(float))
    assert all(np.array_equal(x, copy) for x, copy in zip((y, a, z, X), copies, strict=True))
