"""Facts that no other test held fast: found by changing one operator of an estimator at a time."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import f, ncf

from causalbook import Estimate, nuisance
from causalbook import estimators as est

RNG = np.random.default_rng(1978)
N = 400
X = RNG.normal(1.0, 1.0, size=(N, 2))
Z = (RNG.random(N) < 0.5).astype(float)
A = (RNG.random(N) < 1 / (1 + np.exp(0.5 - 0.6 * X[:, 0] - 1.2 * Z))).astype(float)
Y = X[:, 0] ** 2 + A + RNG.normal(size=N)


def test_the_error_for_the_treated_counts_both_fits_though_both_are_wrong():
    """The derivative by each row's weight, its influence by definition, from statsmodels' fits."""
    columns = sm.add_constant(X[:, 1])

    def theta(w):
        e = sm.GLM(A, columns, family=sm.families.Binomial(), freq_weights=w)
        e = e.fit(tol=1e-14, maxiter=100).fittedvalues
        mu0 = sm.WLS(Y, columns, weights=w * (1 - A)).fit().predict(columns)
        return w @ ((A - (1 - A) * e / (1 - e)) * (Y - mu0)) / (w @ A)

    e, mu0 = nuisance.logit(X[:, 1], A), nuisance.linear(X[:, 1], Y, where=A == 0)
    found = est.aipw(Y, A, e, mu0, None, estimand="ATT")
    assert found.value == pytest.approx(theta(np.ones(N)), rel=1e-10)
    h, slopes = 1e-5, []
    for i in range(12):
        up, down = np.ones(N), np.ones(N)
        up[i], down[i] = 1 + h, 1 - h
        slopes.append(N * (theta(up) - theta(down)) / (2 * h))
    np.testing.assert_allclose(found.influence[:12], slopes, rtol=1e-5, atol=1e-6)


def test_turning_an_estimate_round_turns_its_influence():
    e = Estimate(4.0, np.array([1.0, -2.0, 1.0]), "mean", "average")
    np.testing.assert_array_equal((-e).influence, -e.influence)
    np.testing.assert_array_equal((1 - e).influence, -e.influence)
    np.testing.assert_allclose((2 / e).influence, -2 / 16 * e.influence)


def test_the_two_probabilities_of_a_logit_sum_to_one():
    np.testing.assert_allclose(nuisance.Logit().fit(X, A).predict_proba(X).sum(axis=1), 1)


def panel(units=12, times=6, seed=0):
    rng = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(units), times), np.tile(np.arange(times), units)
    first = np.where(unit % 2 == 0, 4.0, np.nan)
    y = rng.normal(size=units * times)
    return pd.DataFrame({"y": y, "unit": unit, "time": time, "first": first})


@pytest.mark.filterwarnings("ignore:the estimate rests on:UserWarning")
def test_a_pretrend_test_finds_its_drift_four_times_in_five():
    study = est.event_study(panel(), "y", "unit", "time", "first")
    table = est.pretrend_test(study).table
    before = [k for k in sorted(study) if k < -1]
    psi = np.column_stack([study[k].influence for k in before])
    q, g, c = len(before), 12, np.array(before) + 1.0
    gamma = float(table.loc[table["k"] == 1, "drift"].iloc[0]) / 2
    strength = gamma**2 * (c @ np.linalg.solve(psi.T @ psi / g**2, c))
    assert ncf.sf(f.ppf(0.95, q, g - q), q, g - q, strength) == pytest.approx(0.8, abs=1e-6)


def test_one_row_more_than_units_times_and_effects_leaves_an_error():
    frame = pd.DataFrame(
        {
            "y": [0.0, 1.0, 0.0, 3.0, 1.0, 2.5],
            "unit": [0, 0, 1, 1, 2, 2],
            "time": [0, 1] * 3,
            "on": [0, 1, 0, 0, 0, 0],
        }
    )
    found = est.did(frame, "y", "unit", "time", "on")
    assert found.value == pytest.approx(1 - (3 + 1.5) / 2)
    assert found.se > 0


def test_one_row_more_than_coefficients_is_enough_for_an_anderson_rubin_set():
    rows = ([1.0, 2.0, 4.0, 3.0], [0.0, 1.0, 1.0, 0.5], [0.0, 1.0, 0.0, 1.0], [1.0, 2.0, 0.0, 5.0])
    assert isinstance(est.anderson_rubin(*rows), list)
    with pytest.raises(ValueError, match="3 rows for 3 coefficients"):
        est.anderson_rubin(*(row[:3] for row in rows))


def test_balance_names_variances_that_differ_in_either_direction():
    a = np.tile([0.0, 1.0], 50)
    spread = RNG.normal(size=100)
    wide, narrow = np.where(a == 1, 3 * spread, spread), np.where(a == 1, spread / 3, spread)
    frame = pd.DataFrame({"wide": wide, "narrow": narrow, "same": np.repeat(spread[:50], 2)})
    assert "more than twofold in wide, narrow." in est.balance(frame, a).sentence


@pytest.mark.parametrize("call", [est.group_time_att, est.synthetic_control])
@pytest.mark.parametrize(
    ("lost", "said"),
    [(1, r"1 of 12 units .* \(first: 0\)"), (4, r"4 of 12 units .* \(first: 0, 1, 2, \.\.\.\)")],
)
def test_an_unbalanced_panel_is_refused_with_its_units(call, lost, said):
    frame = panel()
    frame = frame[(frame["time"] > 0) | (frame["unit"] >= lost)]
    rest = ("first",) if call is est.group_time_att else (1, 4)
    with pytest.raises(ValueError, match=rf"frame lacks {lost} rows: {said}"):
        call(frame, "y", "unit", "time", *rest)


def test_the_summary_of_a_synthetic_control_names_the_donors_that_weigh():
    times = np.arange(8)
    series = {"a": 1.0 * times, "b": 5.0 + 0 * times, "c": times**2 / 4.0, "far": 90.0 + times}
    series["own"] = 0.5 * series["a"] + 0.5 * series["c"]
    frame = pd.DataFrame(series, index=times).rename_axis("t").reset_index()
    frame = frame.melt("t", var_name="unit", value_name="y")
    found = est.synthetic_control(frame, "y", "unit", "t", "own", 6)
    assert "weights       a 0.500, c 0.500" in found.summary()


# Units of measurement


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_units_of_the_treatment_scale_the_effect_and_nothing_else(unit):
    for effect in (
        lambda a: est.partially_linear(Y, a, X),
        lambda a: est.two_stage_least_squares(Y, a, Z, X),
    ):
        plain, scaled = effect(A), effect(A * unit)
        assert scaled.value * unit == pytest.approx(plain.value, rel=1e-8)
        assert scaled.se * unit == pytest.approx(plain.se, rel=1e-8)


@pytest.mark.parametrize("unit", [1e-13, 1e13])
def test_units_of_the_covariates_do_not_matter_to_matching(unit):
    assert est.matching(Y, A, X * unit).value == pytest.approx(est.matching(Y, A, X).value)


@pytest.mark.parametrize("unit", [1e-13, 1e13])
def test_units_of_treatment_and_outcome_do_not_matter_to_a_benchmark(unit):
    frame = pd.DataFrame(X, columns=["age", "visits"])
    plain = est.benchmark(Y, A, frame, covariate="visits")
    scaled = est.benchmark(Y * unit, A * unit, frame, covariate="visits")
    pd.testing.assert_frame_equal(plain, scaled, rtol=1e-8)
