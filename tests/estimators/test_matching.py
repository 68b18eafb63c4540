"""Matching: by hand, by brute force, against published tables, and what it refuses."""

import dataclasses
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook import Estimate, contrast, datasets
from causalbook.estimators import difference_in_means, matching
from causalbook.nuisance import Logit, logit

# By hand. Treated at 0, 3, 7; controls at 1, 3, 3, 5, 9.
X = np.array([0, 3, 7, 1, 3, 3, 5, 9])
A = np.array([1, 1, 1, 0, 0, 0, 0, 0])
Y = np.array([5, 8, 6, 2, 3, 5, 1, 4])
ATT = Fraction((5 - 2) + (8 - 4), 3) + (6 - Fraction(1 + 4, 2)) / 3  # ties: 3, 3 and 5, 9
# 1 -> 0; 3, 3 -> 3; 5 -> 3 and 7; 9 -> 7
ATU = Fraction((5 - 2) + (8 - 3) + (8 - 5) + (7 - 1) + (6 - 4), 5)


def close(value, expected, tolerance=1e-12):
    assert value == pytest.approx(float(expected), rel=tolerance, abs=1e-12)


def test_by_hand_with_ties():
    close(matching(Y, A, X).value, ATT)
    close(matching(Y, A, X, estimand="ATE").value, (3 * ATT + 5 * ATU) / 8)


def test_the_variance_by_hand():
    gaps = [Fraction(3), Fraction(4), Fraction(7, 2)]
    spread = sum((gap - ATT) ** 2 for gap in gaps)
    # Served: 1 once, the 3s half each, 5 and 9 half each. Only a row that serves alone adds.
    # Around 1 lie 3, 3 of its arm: the variance of 2, 3, 5 is 7/3.
    kappa = {2: (Fraction(1), Fraction(1)), 3: (Fraction(1, 2), Fraction(1, 4))}
    assert all(k**2 - k2 == 0 for k, k2 in kappa.values())
    close(matching(Y, A, X).se ** 2, spread / 9)
    # Both ways, one treated row moved, so that one control serves twice.
    moved = np.where(X == 7, 1, X)
    gap = [Fraction(5 - 2), Fraction(8 - 4), Fraction(6 - 2)]
    tau = sum(gap) / 3
    v = sum((g - tau) ** 2 for g in gap) + (2**2 - 2) * Fraction(7, 3)
    close(matching(Y, A, moved).se ** 2, v / 9)


def oracle(y, a, x, k, estimand, adjust):
    """Everything over all pairs of rows, with loops."""
    n, x = len(y), x.reshape(len(y), -1)
    precision = np.linalg.inv(np.cov(x.T).reshape(x.shape[1], -1))
    gaps = x[:, None] - x[None]
    distance = np.sqrt(np.einsum("ijp,pq,ijq->ij", gaps, precision, gaps))
    share = np.zeros((n, n))
    asked = [i for i in range(n) if a[i] == 1 or estimand == "ATE"]
    for i in asked:
        others = np.flatnonzero(a != a[i])
        limit = np.sort(distance[i, others])[k - 1] + 1e-7
        chosen = others[distance[i, others] <= limit]
        share[i, chosen] = 1 / len(chosen)
    kappa = share.sum(axis=0)

    def predictions(y):
        mu = np.zeros((2, n))
        for arm in (0, 1):
            root = np.sqrt(np.where(a == arm, kappa, 0))
            if adjust and root.any():
                full = np.column_stack([np.ones(n), x])
                beta, *_ = np.linalg.lstsq(root[:, None] * full, root * y, rcond=None)
                mu[arm] = full @ beta
        return mu

    def effects(y):
        mu = predictions(y)
        return [
            (1 if a[i] else -1)
            * (y[i] - sum(share[i, j] * (y[j] + mu[a[j], i] - mu[a[j], j]) for j in range(n)))
            for i in asked
        ]

    tau = np.mean(effects(y))
    if adjust:  # the value is linear in y: its weights are its values at the unit vectors
        c, mu = np.array([np.mean(effects(row)) for row in np.eye(n)]), predictions(y)
        resid = y - mu[a, np.arange(n)]
        if estimand == "ATE":
            psi = (mu[1] - mu[0] - tau) / n + c * resid
        else:
            psi = np.where(a == 1, (y - mu[0] - tau) / a.sum(), c * resid)
        return tau, np.sqrt((psi**2).sum())
    variance = sum((effect - tau) ** 2 for effect in effects(y))
    for j in np.flatnonzero(kappa):
        arm = np.flatnonzero(a == a[j])
        near = arm[distance[j, arm] <= np.sort(distance[j, arm])[2] + 1e-7]
        twice = 2 * kappa[j] if j in asked else 0
        squares = (share[:, j] ** 2).sum()
        variance += (kappa[j] ** 2 + twice - squares) * y[near].var(ddof=1)
    return tau, np.sqrt(variance) / len(asked)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 4),
    estimand=st.sampled_from(["ATT", "ATE"]),
    adjust=st.booleans(),
    levels=st.sampled_from([3, 6, None]),
)
def test_agrees_with_brute_force(seed, k, estimand, adjust, levels):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(36, 2)) if levels is None else rng.integers(0, levels, (36, 2)) * 1.0
    a = rng.permutation(np.repeat([0, 1], 18))
    y = x @ [1, 2] + a + rng.normal(size=36)
    estimate = matching(y, a, x, k=k, estimand=estimand, bias_adjust=adjust)
    value, se = oracle(y, a, x, k, estimand, adjust)
    close(estimate.value, value, 1e-9)
    close(estimate.se, se, 1e-9)


def test_value_and_error_are_those_of_stata():
    # Cattaneo's birth weights, as statsmodels ships them. Stata: teffects nnmatch (bweight mage
    # prenatal1 mmarried fbaby) (mbsmoke) gives ATE -240.3306, AI robust error 28.43006.
    path = "treatment/tests/results/cataneo2.csv"
    births = pd.read_csv(str(files("statsmodels").joinpath(path)))
    columns = ["mage", "prenatal1_", "mmarried_", "fbaby_"]
    estimate = matching(births["bweight"], births["mbsmoke_"], births[columns], estimand="ATE")
    assert round(estimate.value, 4) == -240.3306
    assert round(estimate.se, 5) == 28.43006


def nsw(controls):
    """The trained of the NSW experiment, with the controls drawn by lot or others."""
    trained = datasets.load("nsw_mixtape").query("treat == 1")
    frame = pd.concat([trained, controls.query("treat == 0")], ignore_index=True)
    frame = frame.drop(columns="data_id").astype(float)
    return frame.assign(u74=frame["re74"] == 0, u75=frame["re75"] == 0).astype(float)


def test_bias_adjustment_is_that_of_nnmatch():
    # nnmatch re78 t age educ black hisp married re74 re75 u74 u75, tc(att) m(1) metric(maha), on
    # the experiment in thousands of dollars: 1.554697; with bias(the same columns) 1.533125.
    # The columns shipped there are rounded to single precision.
    frame = nsw(datasets.load("nsw_mixtape"))
    columns = ["age", "educ", "black", "hisp", "marr", "re74", "re75", "u74", "u75"]
    y, a, x = frame["re78"] / 1000, frame["treat"], frame[columns]
    assert matching(y, a, x).value == pytest.approx(1.554697, abs=5e-6)
    assert matching(y, a, x, bias_adjust=True).value == pytest.approx(1.533125, abs=5e-6)


def test_ties_on_the_score_decide_lalonde_and_are_averaged():
    frame = nsw(datasets.load("cps_mixtape"))
    columns = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]
    y, a = frame["re78"].to_numpy(), frame["treat"].to_numpy()
    e = Logit().fit(frame[columns], a).predict(frame[columns])
    gap = np.abs(e[a == 1][:, None] - e[a == 0])
    first = y[a == 1] - y[a == 0][gap.argmin(axis=1)]
    last = y[a == 1] - y[a == 0][::-1][gap[:, ::-1].argmin(axis=1)]
    assert round(first.mean(), 2) == 2074.02
    assert round(last.mean(), 2) == 1357.38
    estimate = matching(y, a, e, metric="propensity")
    assert round(estimate.value, 2) == 1793.97
    trial = datasets.load("nsw_mixtape").groupby("treat")["re78"].mean()
    assert round(trial[1] - trial[0], 2) == 1794.34
    assert estimate.se > 700  # so that nobody takes the two for one


def world(n=200, seed=3, levels=None):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) if levels is None else rng.integers(0, levels, (n, 3)) * 1.0
    a = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0] + x[:, 0].mean()))).astype(int)
    return x @ [1, 1, 2] + a * (1 + x[:, 1]) + rng.normal(size=n), a, x


BOTH = [{}, {"bias_adjust": True}]


@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
def test_the_order_of_rows_is_nothing_to_it(how, estimand):
    y, a, x = world(levels=3)
    order = np.random.default_rng(0).permutation(len(y))
    first = matching(y, a, x, k=2, estimand=estimand, **how)
    other = matching(y[order], a[order], x[order], k=2, estimand=estimand, **how)
    close(other.value, first.value)
    close(other.se, first.se)


@pytest.mark.parametrize("how", BOTH)
def test_units_and_linear_mixtures_of_the_columns_are_nothing_to_it(how):
    y, a, x = world()
    mixed = x @ [[2, 0, 1], [0, 1000, 3], [1, 0, 2]] + [5, 1e4, -2]
    one, two = (matching(y, a, z, k=2, estimand="ATE", **how) for z in (x, mixed))
    close(two.value, one.value, 1e-9)
    close(two.se, one.se, 1e-9)


@pytest.mark.parametrize("how", BOTH)
def test_swapping_the_arms_negates_the_ate(how):
    y, a, x = world()
    one, two = (matching(y, b, x, estimand="ATE", **how) for b in (a, 1 - a))
    close(two.value, -one.value)
    close(two.se, one.se)


@pytest.mark.parametrize("how", BOTH)
def test_each_row_twice_and_twice_the_neighbours_is_the_same_value(how):
    y, a, x = world()
    once = matching(y, a, x, k=2, **how)
    twice = matching(*(np.repeat(part, 2, axis=0) for part in (y, a, x)), k=4, **how)
    close(twice.value, once.value, 1e-10)


def test_with_cells_it_is_the_mean_of_the_differences_within_cells():
    y, a, x = world(n=20_000, levels=3)
    cells = pd.DataFrame(x).assign(y=y, a=a).groupby([0, 1, 2, "a"])["y"].agg(["mean", "size"])
    wide = cells.unstack()
    gaps = wide["mean"][1] - wide["mean"][0]
    close(matching(y, a, x).value, np.average(gaps, weights=wide["size"][1]), 1e-10)
    both = np.average(gaps, weights=wide["size"].sum(axis=1))
    close(matching(y, a, x, estimand="ATE").value, both, 1e-10)
    close(matching(y, a, x, bias_adjust=True).value, matching(y, a, x).value, 1e-10)


def test_bias_adjustment_is_exact_where_the_outcome_is_linear():
    _, a, x = world()
    y = 3 + x @ [1.0, -2, 4] + 2.5 * a
    assert abs(matching(y, a, x).value - 2.5) > 0.1
    for estimand in ("ATT", "ATE"):
        adjusted = matching(y, a, x, estimand=estimand, bias_adjust=True)
        close(adjusted.value, 2.5, 1e-10)
        assert adjusted.se < 1e-10


def test_of_one_column_neither_scale_nor_name_of_the_metric_matters():
    y, a, x = world()
    e = 1 / (1 + np.exp(-x[:, 0]))
    by_score = matching(y, a, e, metric="propensity", k=3)
    plain = matching(y, a, e, k=3)
    assert (by_score.value, by_score.se) == (plain.value, plain.se)
    assert by_score.notes[-1] == "propensities taken as known"


def test_an_estimated_score_says_that_its_error_is_not_counted():
    y, a, x = world()
    fitted = logit(x, a)
    one = matching(y, a, fitted, metric="propensity")
    assert one.value == matching(y, a, fitted.values, metric="propensity").value
    assert one.notes[-1] == "the error does not count that the propensities were estimated"


def test_without_influence_values_a_difference_raises_and_says_what_helps():
    y, a, x = world()
    plain, adjusted = matching(y, a, x), matching(y, a, x, bias_adjust=True)
    for pair in ((plain, plain), (plain, adjusted), (adjusted, plain)):
        with pytest.raises(ValueError, match=r"without influence values.*bias_adjust=True"):
            pair[0] - pair[1]
        with pytest.raises(ValueError, match="bias_adjust=True"):
            contrast(*pair)
    assert np.isnan(plain.influence).all()
    low, high = plain.conf_int()
    close((high - low) / 2, 1.959963984540054 * plain.se)
    assert 0.01 < plain.pvalue() < 0.1
    close((-2 * plain + 1).se, 2 * plain.se)
    close((-2 * plain + 1).value, 1 - 2 * plain.value)


def test_separate_samples_add_their_variances():
    one, two = (matching(*world(seed=seed)) for seed in (4, 5))
    gap = contrast(one, two, independent=True)
    close(gap.se, np.hypot(one.se, two.se))
    mixed = contrast(one, matching(*world(seed=5), bias_adjust=True), independent=True)
    assert mixed.se > one.se


def test_an_error_from_outside_goes_with_no_influence_values():
    plain = matching(*world())
    for se in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="pass a number from 0"):
            dataclasses.replace(plain, given_se=se)
    with pytest.raises(ValueError, match="influence values all NaN"):
        dataclasses.replace(plain, influence=np.zeros(5))
    assert type(dataclasses.replace(plain, given_se=np.float32(1)).se) is float


def test_separate_samples_of_which_one_has_no_error_have_none():
    plain = matching(*world())
    none = Estimate(1.0, np.full(9, np.nan), "q", "model", notes=("it saw these rows",))
    for pair in ((plain, none), (none, plain)):
        gap = contrast(*pair, independent=True)
        assert np.isnan(gap.se)
        assert gap.notes[0] == "it saw these rows"


def test_the_reason_for_missing_influence_values_stays_the_first_note():
    y, a, _ = world()
    gap = contrast(difference_in_means(y, a), matching(*world(seed=5)), independent=True)
    assert gap.notes[0].startswith("the error is that of Abadie and Imbens")
    with pytest.raises(ValueError, match="that of Abadie and Imbens"):
        gap - gap


def test_where_the_outcome_bends_the_error_of_the_adjusted_form_is_too_large_not_too_small():
    values, adjusted, plain = [], [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-2, 2, 400)
        a = (rng.random(400) < 1 / (1 + np.exp(-x))).astype(int)
        y = 2 * x**2 + a + rng.normal(size=400)
        one = matching(y, a, x, bias_adjust=True)
        values.append(one.value)
        adjusted.append(one.se)
        plain.append(matching(y, a, x).se)
    assert np.mean(adjusted) > 1.5 * np.std(values)
    assert 0.8 < np.mean(plain) / np.std(values) < 1.2


def test_bias_adjusted_estimates_have_differences():
    y, a, x = world()
    one, five = (matching(y, a, x, k=k, bias_adjust=True) for k in (1, 5))
    gap = one - five
    close(gap.value, one.value - five.value)
    assert 0 < gap.se < one.se + five.se
    assert abs(one.influence.mean()) < 1e-12


def test_the_notes_tell_who_was_matched_how_far_away():
    note = matching(Y, A, X).notes[1]
    assert note.startswith("3 rows with a = 1 matched to 5 of 5 with a = 0 (worth 4; one stands")
    assert "67% have ties" in note
    assert f"farthest match is {2 / X.std():.3g} standard deviations" in note


def test_inputs_stay_as_they_were():
    y, a, x = world()
    copies = [part.copy() for part in (y, a, x)]
    matching(y, a, x, estimand="ATE", bias_adjust=True)
    assert all((part == copy).all() for part, copy in zip((y, a, x), copies, strict=True))


GOOD = dict(zip(("y", "a", "X"), world(), strict=True))
NAN = np.where(np.arange(200) == 7, np.nan, GOOD["y"])
SCORE = {"metric": "propensity"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": NAN}, r"y is NaN or infinite in 1 of 200 rows \(first: 7\)"),
        ({"X": NAN}, r"X is NaN or infinite in 1 of 200 rows"),
        ({"y": np.where(NAN == NAN, NAN, np.inf)}, "y is NaN or infinite in 1 of 200"),
        ({"y": [], "a": [], "X": []}, "y is empty"),
        ({"y": np.array(["a"] * 200)}, "y holds <U1 values, not numbers"),
        ({"y": GOOD["y"][:9]}, "unequal lengths: y has 9, a has 200"),
        ({"a": np.ones(200)}, "a is 1 in every row"),
        ({"a": np.arange(200)}, "a is neither 0 nor 1"),
        ({"X": np.column_stack([GOOD["X"], np.ones(200)])}, "X is constant in column 3"),
        (
            {"X": pd.DataFrame({"up": GOOD["y"], "down": -GOOD["y"]})},
            r"X has columns that depend on each other \('up', 'down'\)",
        ),
        ({"k": 0}, "k is 0: pass a whole number"),
        ({"k": 1.5}, "k is 1.5: pass a whole number"),
        ({"k": 150}, "a has .* rows with a = 0, k is 150"),
        ({"a": np.repeat([0, 1], [199, 1])}, "a has 1 row with a = 1: one unit says nothing"),
        ({"a": np.repeat([0, 1], [2, 198])}, "a has 2 rows with a = 0, k is 1: .*three"),
        ({"estimand": "ATO"}, "estimand is 'ATO'"),
        ({"metric": "cosine"}, "metric is 'cosine'"),
        ({**SCORE}, "X has 2 dimensions, needs 1"),
        ({**SCORE, "X": GOOD["y"]}, "X is not a propensity between 0 and 1 in .* rows"),
        ({**SCORE, "X": np.arange(200) / 199}, "not a propensity between 0 and 1 in 1 of 200"),
        (
            {**SCORE, "X": np.arange(200) / 200, "estimand": "ATE"},
            "not a propensity between 0 and 1 in 1 of 200",
        ),
        (
            {"a": np.repeat([0, 1], [4, 196]), "bias_adjust": True},
            "too little variation among the . different matches of one arm to fit 4 coeff",
        ),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        matching(**{**GOOD, **change})


def test_the_att_allows_controls_who_are_never_treated():
    y, a, x = world()
    e = np.where(a == 1, 0.5, 1 / (1 + np.exp(-x[:, 0])))
    assert matching(y, a, np.where((a == 0) & (e < 0.1), 0, e), **SCORE).n == 200
