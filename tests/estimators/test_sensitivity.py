"""Strength of what nobody measured: published numbers, identities, and worlds at the bounds."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from causalbook import datasets
from causalbook.estimators import (
    benchmark,
    e_value,
    omitted_variable_bias,
    robustness_value,
)

# ------------------------------------------------------------------ E-values


def test_the_published_e_values():
    # VanderWeele and Ding (2017): infants fed on formula, respiratory deaths, 3.9 (1.8 to 8.7).
    assert e_value(3.9, (1.8, 8.7)) == pytest.approx((7.26, 3.0), abs=0.005)
    # CRAN package EValue 4.1.4, vignette: evalues.RR(est = 10.73, lo = 8.02, hi = 14.36)
    assert e_value(10.73, (8.02, 14.36)) == pytest.approx((20.94777, 15.52336), abs=5e-6)
    # The same: leukaemia, evalues.RR(est = 0.80, lo = 0.71, hi = 0.91); 1.81 and 1.43 in the paper.
    assert e_value(0.80, (0.71, 0.91)) == pytest.approx((1.81, 1.43), abs=0.005)


def test_a_ratio_and_its_inverse_have_one_e_value():
    assert e_value(0.4, (0.2, 0.8)) == pytest.approx(e_value(2.5, (1.25, 5.0)), rel=1e-12)
    assert e_value(2.5).limit is None


@pytest.mark.parametrize("rr", [1.0, 1.4, 0.7])
def test_an_interval_that_holds_one_needs_no_confounder(rr):
    assert e_value(rr, (0.5, 2.0)).limit == 1
    assert e_value(1.0).estimate == 1


def ratio(p1, p0, risk):
    """Observed risk ratio where U alone matters: P(U=u | A=a) in p1, p0, P(Y=1 | u) in risk."""
    return total(p1, risk) / total(p0, risk)


def total(p, risk):
    return sum(share * r for share, r in zip(p, risk, strict=True))


@pytest.mark.parametrize("e", [Fraction(3, 2), Fraction(2), Fraction(5), Fraction(29, 4)])
def test_a_confounder_at_the_e_value_explains_all(e):
    # All treated have U = 1 and the share 1/e of the others; U multiplies the risk by e; no effect.
    base = Fraction(1, 20)
    p1, p0 = (Fraction(0), Fraction(1)), (1 - 1 / e, 1 / e)
    observed = ratio(p1, p0, (base, e * base))
    assert observed == e * e / (2 * e - 1)
    assert e_value(float(observed)).estimate == pytest.approx(float(e), rel=1e-12)


shares = st.lists(st.integers(1, 30), min_size=4, max_size=4)


@given(shares, shares, shares, shares, st.integers(1, 9))
def test_no_weaker_confounder_explains_as_much(n1, n0, r1, r0, treated):
    # Any U of four values, any risks, exactly: observed over true is within the bounding factor.
    p1, p0 = ([Fraction(k, sum(n)) for k in n] for n in (n1, n0))
    risk1, risk0 = ([Fraction(k, 40) for k in r] for r in (r1, r0))
    f = Fraction(treated, 10)
    p = [f * u + (1 - f) * v for u, v in zip(p1, p0, strict=True)]
    observed, true = total(p1, risk1) / total(p0, risk0), total(p, risk1) / total(p, risk0)
    au = max(u / v for u, v in zip(p1, p0, strict=True))
    uy = max(max(risk1) / min(risk1), max(risk0) / min(risk0))
    assert observed / true <= au * uy / (au + uy - 1)
    if true <= 1 <= observed:  # whatever explained it away is as strong as the E-value says
        assert max(au, uy) >= e_value(float(observed)).estimate * (1 - 1e-12)


# ------------------------------------------------------------- omitted variables


def least_squares(y, columns):
    """Coefficients, classical errors and residual degrees of freedom, from the textbook."""
    x = np.column_stack([np.ones(len(y)), columns])
    b = np.linalg.lstsq(x, y, rcond=None)[0]
    left = y - x @ b
    dof = len(y) - x.shape[1]
    return b, np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * (left @ left) / dof), dof, left @ left


def partial_r2(y, column, others):
    """Share of what the others leave of y that the column explains."""
    return 1 - least_squares(y, np.column_stack([others, column]))[3] / least_squares(y, others)[3]


@pytest.fixture
def world():
    def world(seed, n=200, p=3, effect=0.5):
        rng = np.random.default_rng(seed)
        x, u = rng.normal(size=(n, p)), rng.normal(size=n)
        a = (x @ rng.normal(size=p) + rng.normal() * u + rng.normal(size=n) > 0).astype(float)
        y = effect * a + x @ rng.normal(size=p) + rng.normal() * u + rng.normal(size=n)
        return y, a, x, u

    return world


@pytest.mark.parametrize("seed", range(10))
def test_bias_and_error_are_those_of_the_longer_regression(world, seed):
    y, a, x, u = world(seed)
    short, se, dof, _ = least_squares(y, np.column_stack([a, x]))
    long, se_long, _, _ = least_squares(y, np.column_stack([a, x, u]))
    strengths = {"r2_a": partial_r2(a, u, x), "r2_y": partial_r2(y, u, np.column_stack([a, x]))}
    bias, adjusted_se = omitted_variable_bias(se[1], dof, **strengths)
    assert bias == pytest.approx(abs(short[1] - long[1]), rel=1e-10)
    assert adjusted_se == pytest.approx(se_long[1], rel=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_several_variables_together_bias_at_most_so_much(world, seed):
    y, a, x, u = world(seed, p=4)
    seen, hidden = x[:, :2], np.column_stack([x[:, 2:], u])
    short, se, dof, _ = least_squares(y, np.column_stack([a, seen]))
    long = least_squares(y, np.column_stack([a, seen, hidden]))[0]
    r2_a = partial_r2(a, hidden, seen)
    r2_y = partial_r2(y, hidden, np.column_stack([a, seen]))
    bias, _ = omitted_variable_bias(se[1], dof, r2_a=r2_a, r2_y=r2_y)
    assert abs(short[1] - long[1]) < bias


def test_a_variable_unrelated_to_one_side_does_no_harm():
    assert omitted_variable_bias(0.1, 50, r2_a=0.0, r2_y=0.9).bias == 0
    assert omitted_variable_bias(0.1, 50, r2_a=0.9, r2_y=0.0).bias == 0


def test_a_grid_of_strengths_is_one_call():
    grid = np.linspace(0, 0.5, 6)
    bias, se = omitted_variable_bias(0.02, 783, r2_a=grid[:, None], r2_y=grid)
    assert bias.shape == se.shape == (6, 6)
    alone = omitted_variable_bias(0.02, 783, r2_a=grid[2], r2_y=grid[4])
    assert (bias[2, 4], se[2, 4]) == pytest.approx(alone, rel=1e-14)


# --------------------------------------------------------------- robustness values


@given(st.floats(0.1, 60), st.integers(5, 2000), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_robustness_value_takes_away_its_share(t, dof, q):
    rv, se = robustness_value(t, dof, q=q), 0.37
    bias, _ = omitted_variable_bias(se, dof, r2_a=rv, r2_y=rv)
    assert bias == pytest.approx(q * t * se, rel=1e-7)


def just_enough(t, dof, level):
    """Smallest r that explains away, by search over all pairs up to it, with its own formulas."""
    low, high = 0.0, 1 - 1e-12
    critical = student.ppf((1 + level) / 2, dof - 1)
    for _ in range(50):
        r = (low + high) / 2
        ry = np.linspace(0, r, 20_001)[:-1]
        left = t / math.sqrt(dof) - np.sqrt(ry * r / (1 - r))
        t_adjusted = left * np.sqrt((1 - r) / (1 - ry)) * math.sqrt(dof - 1)
        low, high = (low, r) if t_adjusted.min() <= critical else (r, high)
    return high


@pytest.mark.parametrize(("t", "dof"), [(4.184, 783), (3.0, 12), (30.0, 12), (8.0, 5)])
def test_with_a_level_nothing_weaker_makes_it_insignificant(t, dof):
    # (30, 12) and (8, 5): the worst confounder explains less of the outcome than of the treatment.
    rv = robustness_value(t, dof, level=0.95)
    assert rv == pytest.approx(just_enough(t, dof, 0.95), abs=2e-4)


def test_an_insignificant_estimate_needs_no_confounder():
    assert robustness_value(1.5, 100, level=0.95) == 0
    assert robustness_value(0.0, 100) == 0


# t, dof of the published example (below). PySensemakr 0.0.8:
# sensemakr.robustness_value(t_statistic=T, dof=783, q=q, alpha=alpha)[0]
T = 4.184449984808213
PEER = {
    (1.0, None): 0.1387763538935877,
    (1.0, 0.95): 0.07625796554485662,
    (1.0, 0.99): 0.05559051754347259,
    (0.5, None): 0.0720269757956041,
    (0.5, 0.95): 0.004562760814388618,
    (0.5, 0.99): 0.0,
    (2.0, 0.95): 0.2041834479659207,
}


@pytest.mark.parametrize(("q", "level"), PEER)
def test_robustness_values_agree_with_the_authors_package(q, level):
    assert robustness_value(T, 783, q=q, level=level) == pytest.approx(PEER[q, level], rel=1e-12)
    # The same with t_statistic=30, dof=12, alpha=.05: the second formula.
    assert robustness_value(-30, 12, level=0.95) == pytest.approx(0.9810474453649, rel=1e-12)


# ----------------------------------------------------------------- the published example


@pytest.fixture(scope="module")
def darfur():
    d = datasets.load("darfur")
    own = ["age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female"]
    villages = pd.get_dummies(d["village"], drop_first=True)
    return (
        d["peacefactor"],
        d["directlyharmed"],
        pd.concat([d[own], villages], axis=1).astype(float),
    )


def test_the_table_of_the_paper(darfur):
    # Cinelli and Hazlett (2020), Table 1: .097 (.023), t 4.18, R2 2.2%, RV 13.9% and 7.6%.
    y, a, x = darfur
    b, se, dof, _ = least_squares(y, np.column_stack([a, x]))
    assert (b[1], se[1], dof) == pytest.approx((0.09731582, 0.02325654, 783), abs=5e-9)
    assert b[1] / se[1] == pytest.approx(T, rel=1e-10)
    assert T**2 / (T**2 + dof) == pytest.approx(0.02187, abs=5e-6)
    assert robustness_value(T, dof) == pytest.approx(0.1388, abs=5e-5)
    assert robustness_value(T, dof, level=0.95) == pytest.approx(0.0763, abs=5e-5)


# PySensemakr 0.0.8 with statsmodels 0.15 (its own call with a model fails under pandas 3):
# r2yxj_dx = partial_r2(t_statistic=-9.788837042331943, dof=783), from the outcome regression,
# r2dxj_x = partial_r2(t_statistic=-2.680447864301649, dof=784), from that of the treatment,
# ovb_partial_r2_bound(r2dxj_x=..., r2yxj_dx=..., kd=[1, 2, 3], ky=[1, 2, 3]), then
# adjusted_estimate and adjusted_se with estimate=.09731581928495575, se=.023256537809811115.
FEMALE = {
    "r2_a": [0.00916428667505009, 0.01832857335010018, 0.027492860025150268],
    "r2_y": [0.12464092303637023, 0.2493240641999761, 0.3740504710380958],
    "estimate": [0.07522027121444788, 0.05291517238444893, 0.030396023464150282],
    "se": [0.021873327743756964, 0.02035006207796348, 0.018670064817092206],
}
# The same for two covariates together: group_partial_r2(model, ["female", "pastvoted"]).
BOTH = {
    "r2_a": [0.010152735923781258, 0.020305471847562515, 0.030458207771343775],
    "r2_y": [0.1349759396663703, 0.27000804379759, 0.40509786153189803],
    "estimate": [0.07310209603314605, 0.048633025211810565, 0.023902506232500426],
    "se": [0.021754673348912602, 0.02008797978204722, 0.018228967239837475],
}


@pytest.mark.parametrize(
    ("covariate", "peer"), [("female", FEMALE), (["female", "pastvoted"], BOTH)]
)
def test_benchmarks_agree_with_the_authors_package(darfur, covariate, peer):
    found = benchmark(*darfur, covariate=covariate, k=[1, 2, 3])
    for column, values in peer.items():
        assert found[column].tolist() == pytest.approx(values, rel=1e-10)
    assert found["k"].tolist() == [1, 2, 3]


# The seeds below 20 where the bound says something: else it is refused, or warned of as above 1.
@pytest.mark.parametrize("seed", [0, 2, 3, 5, 7, 9, 10, 11, 12, 15, 16, 17, 18])
def test_a_confounder_no_stronger_than_k_covariates_stays_within_the_bounds(world, seed):
    y, a, x, u = world(seed)
    one = np.column_stack([np.ones(len(y)), x])
    u = u - one @ np.linalg.lstsq(one, u, rcond=None)[0]  # unrelated to X, as the bounds take it
    rest, ax, a_rest = x[:, 1:], np.column_stack([a, x]), np.column_stack([a, x[:, 1:]])
    of_a = partial_r2(a, u, rest) / partial_r2(a, x[:, 0], rest)
    of_y = partial_r2(y, u, a_rest) / partial_r2(y, x[:, 0], a_rest)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    (row,) = benchmark(y, a, frame, covariate="first", k=max(of_a, of_y)).itertuples()
    assert partial_r2(a, u, x) <= row.r2_a * (1 + 1e-9)
    assert partial_r2(y, u, ax) <= row.r2_y * (1 + 1e-9) < 1
    short, long = least_squares(y, ax)[0][1], least_squares(y, np.column_stack([ax, u]))[0][1]
    assert abs(short - long) <= abs(short - row.estimate) * (1 + 1e-9)


def test_all_covariates_may_be_the_benchmark(world):
    y, a, x, _ = world(3)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    some = benchmark(y, a, frame, covariate=["first", "second", "third"], k=0.01)
    b, se, dof, _ = least_squares(y, np.column_stack([a, x]))
    bias, _ = omitted_variable_bias(se[1], dof, r2_a=some["r2_a"][0], r2_y=some["r2_y"][0])
    assert some["estimate"][0] == pytest.approx(math.copysign(abs(b[1]) - bias, b[1]), rel=1e-9)


def test_a_bound_above_one_is_taken_as_one_with_a_warning(world):
    y, a, x, _ = world(1)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    frame["first"] = y + 0.1 * x[:, 0]  # all but the outcome itself
    with pytest.warns(UserWarning, match="taken as 1"):
        assert benchmark(y, a, frame, covariate="first", k=1)["r2_y"][0] == 1


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: e_value(0.0), "rr is 0"),
        (lambda: e_value(math.nan), "rr is nan"),
        (lambda: e_value("3.9"), "rr holds"),
        (lambda: e_value(2.0, (2.5, 3.0)), "does not hold rr"),
        (lambda: e_value(2.0, (-1.0, 3.0)), "ci is -1"),
        (lambda: robustness_value(math.inf, 10), "t is inf"),
        (lambda: robustness_value(2.0, 1), "dof is 1"),
        (lambda: robustness_value(2.0, 10, q=0.0), "q is 0"),
        (lambda: robustness_value(2.0, 10, level=95), "level is 95"),
        (lambda: omitted_variable_bias(0.0, 10, r2_a=0.1, r2_y=0.1), "se is 0"),
        (lambda: omitted_variable_bias(0.1, 10, r2_a=1.0, r2_y=0.1), "r2_a is 1.0: .* below 1"),
        (lambda: omitted_variable_bias(0.1, 10, r2_a=0.1, r2_y=1.1), "r2_y is 1.1: .* to 1"),
        (lambda: omitted_variable_bias(0.1, 10, r2_a=[0.1, -1], r2_y=0.1), "r2_a .* 1 of 2 rows"),
    ],
)
def test_impossible_strengths_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"covariate": "fourth"}, "covariate is 'fourth': name columns of X"),
        ({"covariate": []}, "covariate is"),
        ({"X": np.zeros((200, 3))}, "X is a ndarray"),
        ({"y": np.full(200, np.nan)}, "y is NaN"),
        ({"a": np.zeros(199)}, "unequal lengths"),
        ({"a": np.ones(200)}, "a does not vary"),
        ({"k": 1e9}, "k is 1e"),
        ({"k": [1, -1]}, "k is -1"),
        ({"covariate": None}, "covariate is None: name columns of X"),
        ({"y": np.ones(200)}, "y does not vary once a and X are known"),
    ],
)
def test_benchmark_refuses(world, change, says):
    y, a, x, _ = world(0)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    given_ = {"y": y, "a": a, "X": frame, "covariate": "first"} | change
    with pytest.raises(ValueError, match=says):
        benchmark(given_.pop("y"), given_.pop("a"), given_.pop("X"), **given_)


def test_benchmark_refuses_an_outcome_that_is_told_by_the_rest(world):
    _, a, x, _ = world(0)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    with pytest.raises(ValueError, match="y does not vary once a and X are known"):
        benchmark(2 * a + 3 * x[:, 1], a, frame, covariate="first")


def test_a_column_may_be_named_by_a_number(world):
    y, a, x, _ = world(0)
    named = pd.DataFrame(x, columns=["first", "second", "third"])
    found = benchmark(y, a, pd.DataFrame(x), covariate=0, k=0.1)
    same = benchmark(y, a, named, covariate="first", k=0.1)
    assert found["covariate"].tolist() == ["0"]
    pd.testing.assert_frame_equal(found.iloc[:, 1:], same.iloc[:, 1:])


def test_benchmark_refuses_columns_that_depend_on_each_other(world):
    y, a, x, _ = world(0)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    with pytest.raises(ValueError, match=r"depend on each other \('first', 'second', 'sum'\)"):
        benchmark(y, a, frame.assign(sum=x[:, 0] + x[:, 1]), covariate="first")
    with pytest.raises(ValueError, match="constant in column 'one'"):
        benchmark(y, a, frame.assign(one=1.0), covariate="first")


def test_inputs_stay_as_they_are(world):
    y, a, x, _ = world(2)
    frame = pd.DataFrame(x, columns=["first", "second", "third"])
    before = y.copy(), a.copy(), frame.copy()
    benchmark(y, a, frame, covariate="first", k=0.5)
    assert (y == before[0]).all()
    assert (a == before[1]).all()
    assert frame.equals(before[2])
