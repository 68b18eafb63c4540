"""Segmented regression: exact lines, parity with statsmodels, refusals."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given

from causalbook.case_study import Interruption, interrupted_series


def series(seed, T=40, rho=0.0):
    rng = np.random.default_rng(seed)
    e = rng.normal(size=T)
    for t in range(1, T):
        e[t] += rho * e[t - 1]
    return e


def by_statsmodels(y, t, start, x, lags):
    """The same regression by an oracle that shares no code."""
    after = (t >= start).astype(float)
    columns = [t - start, after, after * (t - start)] + ([] if x is None else [x])
    fit = sm.OLS(y, sm.add_constant(np.column_stack(columns), has_constant="add")).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )
    c = np.zeros(len(fit.params))
    c[2], c[3] = 1, (t - start)[t >= start].mean()
    return fit, fit.t_test(c)


@pytest.mark.parametrize("lags", [0, 1, 4, 9])
@pytest.mark.parametrize("with_x", [False, True])
def test_parity_with_statsmodels(lags, with_x):
    t = np.arange(1985.0, 2025.0)
    y, x = series(1, rho=0.6) + 0.1 * t, series(2) if with_x else None
    found = interrupted_series(y, t, 2013, x, lags=lags)
    fit, effect = by_statsmodels(y, t, 2013, x, lags)
    assert found.level.value == pytest.approx(fit.params[2], rel=1e-8)
    assert found.slope.value == pytest.approx(fit.params[3], rel=1e-8)
    assert found.effect.value == pytest.approx(effect.effect.item(), rel=1e-8)
    assert found.level.se == pytest.approx(fit.bse[2], rel=1e-8)
    assert found.slope.se == pytest.approx(fit.bse[3], rel=1e-8)
    assert found.effect.se == pytest.approx(effect.sd.item(), rel=1e-8)
    assert found.effect.conf_int() == pytest.approx(effect.conf_int().ravel(), rel=1e-8)
    without = fit.model.exog.copy()
    without[:, 2:4] = 0
    assert found.expected == pytest.approx(without @ fit.params, rel=1e-9)


def test_two_exact_lines_are_found_exactly():
    t = np.arange(1.0, 13.0)
    y = 3 + 2 * t + np.where(t >= 9, 5 + 0.5 * (t - 9), 0.0)
    found = interrupted_series(y, t, 9)
    assert isinstance(found, Interruption)
    assert found.level.value == pytest.approx(5, abs=1e-10)
    assert found.slope.value == pytest.approx(0.5, abs=1e-10)
    assert found.effect.value == pytest.approx(5 + 0.5 * 1.5, abs=1e-10)
    assert found.expected == pytest.approx(3 + 2 * t, abs=1e-10)


@given(st.integers(0, 10**6), st.floats(-50, 50), st.floats(-5, 5), st.floats(-9, 9))
def test_what_is_planted_moves_the_estimate_by_itself_and_the_error_not(seed, level, slope, line):
    t = np.arange(30.0)
    y, after = series(seed, T=30, rho=0.5), t >= 20
    planted = y + line * t + after * (level + slope * (t - 20))
    one, two = interrupted_series(y, t, 20), interrupted_series(planted, t, 20)
    assert two.effect.value - one.effect.value == pytest.approx(level + 4.5 * slope, abs=1e-8)
    assert two.level.value - one.level.value == pytest.approx(level, abs=1e-8)
    assert two.effect.se == pytest.approx(one.effect.se, rel=1e-6)


def test_units_and_the_origin_of_time_do_not_matter():
    t, y = np.arange(40.0), series(3)
    one = interrupted_series(y, t, 25)
    two = interrupted_series(1000 * y, 2 * t + 1900, 1950)
    assert two.effect.value == pytest.approx(1000 * one.effect.value, rel=1e-9)
    assert two.effect.se == pytest.approx(1000 * one.effect.se, rel=1e-9)
    assert two.slope.value == pytest.approx(500 * one.slope.value, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_the_unit_of_a_control_series_does_not_matter(unit):
    t, y, x = np.arange(40.0), series(3), series(6)
    one, two = interrupted_series(y, t, 25, x), interrupted_series(y, t, 25, unit * x)
    assert two.effect.value == pytest.approx(one.effect.value, rel=1e-9)
    assert two.effect.se == pytest.approx(one.effect.se, rel=1e-9)


def test_times_that_rounding_spaces_unevenly_are_evenly_spaced():
    y = series(3)
    one = interrupted_series(y, np.arange(40), 24)
    for t in (2000 + np.arange(40) / 12, 1e6 + np.arange(40) / 3):  # months, and late thirds
        assert np.ptp(np.diff(t)) > 0
        two = interrupted_series(y, t, t[24])
        assert two.effect.value == pytest.approx(one.effect.value, rel=1e-6)


def test_a_common_shock_is_taken_for_the_effect_unless_a_control_series_shows_it():
    t = np.arange(40.0)
    shock = np.where(t >= 30, 6.0, 0.0) + 0.1 * series(4)
    y = 2 * t + shock + np.where(t >= 30, 1.0, 0.0)
    assert interrupted_series(y, t, 30).effect.value == pytest.approx(7, abs=0.3)
    assert interrupted_series(y, t, 30, shock).effect.value == pytest.approx(1, abs=1e-9)


def test_the_estimates_say_that_their_error_is_no_sum():
    found = interrupted_series(series(5), np.arange(40), 30)
    assert np.isnan(found.effect.influence).all()
    assert "err together" in found.effect.notes[0]
    assert found.effect.dof == 36
    assert "4 lags" in found.effect.method
    assert "change of slope" in repr(found)
    assert (3 * found.effect).se == pytest.approx(3 * found.effect.se)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [1.0, math.nan] * 10}, "y is NaN or infinite in 10 of 20 rows"),
        ({"y": [1.0] * 19}, "unequal lengths: y has 19, time has 20"),
        ({"time": np.arange(20)[::-1]}, "time is not evenly spaced and rising"),
        ({"time": np.r_[0:10, 11:21]}, "time is not evenly spaced and rising"),
        ({"start": 2}, "start 2 leaves 2 times before it and 18 from it on"),
        ({"start": 19}, "start 19 leaves 19 times before it and 1 from it on"),
        ({"start": "12"}, "start is '12': pass one number"),
        ({"start": None}, "start is None: pass one number"),
        ({"start": [12, 13]}, r"start is \[12, 13\]: pass one number"),
        ({"start": math.nan}, "start nan leaves 20 times before it"),
        ({"X": np.ones(20)}, "X has columns that depend on each other"),
        ({"X": np.zeros(20)}, "X has columns that depend on each other"),
        ({"X": np.ones((20, 16))}, "y has 20 times for 20 coefficients"),
        ({"X": np.ones(19)}, "unequal lengths: y has 20, X has 19"),
        ({"lags": 20}, "lags is 20: pass a whole number from 0 to 19"),
        ({"lags": -1}, "lags is -1"),
        ({"lags": 1.5}, "lags is 1.5"),
    ],
)
def test_refuses(change, message):
    y = np.random.default_rng(1).normal(size=20)
    given_ = {"y": y, "time": np.arange(20), "start": 12, "X": None, "lags": 4} | change
    with pytest.raises(ValueError, match=message):
        interrupted_series(
            given_["y"], given_["time"], given_["start"], given_["X"], lags=given_["lags"]
        )
