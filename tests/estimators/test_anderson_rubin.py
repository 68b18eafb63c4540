"""The Anderson-Rubin set inverts its test, whatever shape that takes."""

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from causalbook.estimators import anderson_rubin, first_stage, two_stage_least_squares


def draw(seed, n=120, k=1, pi=0.2, beta=0.5, direct=0.0):
    rng = np.random.default_rng(seed)
    X, z, u = rng.normal(size=(n, 2)), rng.normal(size=(n, k)), rng.normal(size=n)
    a = pi * z.sum(axis=1) + X[:, 0] + u + rng.normal(size=n)
    y = beta * a + X[:, 1] + direct * z[:, 0] + u + rng.normal(size=n) * (1 + np.abs(z[:, 0]))
    return y, a, z, X


def accepts(beta, y, a, z, X, level=0.95):
    """Regress y - beta a on z and X; test that z has no coefficient (statsmodels, HC0)."""
    k = z.shape[1]
    fit = sm.OLS(y - beta * a, np.column_stack([z, np.ones(len(y)), X])).fit(cov_type="HC0")
    test = fit.wald_test(np.eye(k, k + 1 + X.shape[1]), use_f=False, scalar=True)
    return bool(test.statistic <= scipy.stats.chi2.ppf(level, k))


def inside(beta, found):
    return any(low <= beta <= high for low, high in found)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("pi", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_it_holds_exactly_what_the_test_accepts(seed, pi, k):
    data = draw(seed, k=k, pi=pi)
    found = anderson_rubin(*data)
    for beta in np.tan(np.linspace(-1.56, 1.56, 41)):  # from -93 to 93, finest at 0
        assert inside(beta, found) == accepts(beta, *data)
    for end in np.array(found).ravel():  # just in and just out of each end
        if math.isfinite(end):
            step = 1e-6 * max(1, abs(end))
            assert {accepts(end - step, *data), accepts(end + step, *data)} == {True, False}


def test_ends_agree_with_fieller():
    # One instrument, no covariates: (r - beta pi)^2 <= c (V_r - 2 beta C + beta^2 V_pi).
    y, a, z, _ = draw(5, pi=0.5)
    fits = [sm.OLS(x, sm.add_constant(z)).fit() for x in (y, a)]
    v = z[:, 0] - z.mean()
    (r, pi), (rho, eta) = zip(*[(f.params[1], f.resid * v / (v @ v)) for f in fits], strict=True)
    c = scipy.stats.norm.ppf(0.975) ** 2
    quadratic = [pi**2 - c * eta @ eta, -2 * (r * pi - c * rho @ eta), r**2 - c * rho @ rho]
    (ends,) = anderson_rubin(y, a, z)
    assert ends == pytest.approx(sorted(np.roots(quadratic).real), rel=1e-8)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.2, 0.4]))
def test_with_one_instrument_it_is_bounded_exactly_where_f_exceeds_the_quantile(seed, pi):
    y, a, z, X = draw(seed, pi=pi)
    found, f = anderson_rubin(y, a, z, X), first_stage(a, z, X).f_effective
    bounded = len(found) == 1 and all(map(math.isfinite, found[0]))
    assert bounded == (f > scipy.stats.chi2.ppf(0.95, 1))
    if not bounded:
        assert found[0][0] == -math.inf
        assert found[-1][1] == math.inf
    assert 1 <= len(found) <= 2


@given(st.integers(0, 10_000))
def test_with_one_instrument_it_holds_the_estimate(seed):
    y, a, z, X = draw(seed, pi=1.5)
    e = two_stage_least_squares(y, a, z, X)
    assert inside(e.value, anderson_rubin(y, a, z, X))


def test_a_strong_instrument_gives_the_usual_interval():
    y, a, z, X = draw(6, n=20_000, pi=1.0)
    (found,) = anderson_rubin(y, a, z, X)
    e = two_stage_least_squares(y, a, z, X)
    assert found == pytest.approx(e.conf_int(), abs=0.02 * e.se)


def test_all_four_shapes_occur():
    line, rays = anderson_rubin(*draw(13, pi=0.0)), None
    for seed in range(40):
        found = anderson_rubin(*draw(seed, pi=0.1))
        rays = found if len(found) == 2 else rays
        line = found if found == [(-math.inf, math.inf)] else line
    assert line == [(-math.inf, math.inf)]
    assert rays is not None
    assert (rays[0][0], rays[1][1]) == (-math.inf, math.inf)
    assert rays[0][1] < rays[1][0]
    (one,) = anderson_rubin(*draw(1, pi=1.0))
    assert all(map(math.isfinite, one))
    # Two instruments that say two different things: no effect fits both.
    assert anderson_rubin(*draw(1, n=2000, k=2, pi=1.0, direct=1.0)) == []


@given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 10))
def test_it_moves_with_the_units(seed, shift, scale):
    y, a, z, X = draw(seed, pi=0.3, k=2)
    found = anderson_rubin(y, a, z, X)
    moved = anderson_rubin(scale * (y + shift * a) + 7, a, 5 - 2 * z, X)
    assert len(moved) == len(found)
    for ends, own in zip(moved, found, strict=True):
        for end, before in zip(ends, own, strict=True):
            assert end == pytest.approx(scale * (before + shift), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize(("seed", "pi", "k"), [(8, 0.5, 1), (1, 0.1, 1), (2, 0.1, 3)])
def test_tiny_and_huge_units_lose_nothing(unit, seed, pi, k):
    y, a, z, X = draw(seed, pi=pi, k=k)
    found = np.array(anderson_rubin(y, a, z, X))
    assert np.allclose(np.array(anderson_rubin(y, unit * a, z, X)) * unit, found, rtol=1e-8)
    assert np.allclose(np.array(anderson_rubin(unit * y, a, z, X)) / unit, found, rtol=1e-8)
    both = anderson_rubin(unit * y, unit * a, unit * z, X)
    assert np.allclose(np.array(both), found, rtol=1e-8)


def test_a_higher_level_gives_a_larger_set():
    data = draw(8, pi=0.5)
    low, high = (anderson_rubin(*data, level=level)[0] for level in (0.8, 0.99))
    assert high[0] < low[0] < low[1] < high[1]


def test_an_instrument_that_moves_nothing_leaves_an_unbounded_set():
    a, z = np.tile([0.0, 1.0], 20), np.repeat([0.0, 1.0], 20)
    y = np.random.default_rng(1949).normal(size=40)
    found = anderson_rubin(y, a, z)
    assert (found[0][0], found[-1][1]) == (-math.inf, math.inf)


def test_an_outcome_without_noise_leaves_a_point():
    _, a, z, _ = draw(9, pi=1.0)
    ((low, high),) = anderson_rubin(2 * a + 1, a, z)
    assert low == pytest.approx(2, abs=1e-5)
    assert high == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(ValueError, match=f"level is {level}"):
        anderson_rubin(*draw(0), level=level)
