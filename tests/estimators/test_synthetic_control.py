"""Synthetic control: the optimum proved, the placebo p exact, the peer's number with its fault."""

import warnings
from itertools import combinations
from math import inf

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats
from causaldata import texas
from hypothesis import given, settings

from causalbook.estimators import SyntheticControl, synthetic_control

COLUMNS = ("y", "unit", "time")


def long(wide):
    """A table with one column a unit and one row a time, as rows of unit and time."""
    return wide.melt(ignore_index=False, var_name="unit", value_name="y").reset_index(names="time")


def factors(seed, times=20, donors=8, effect=2.0, start=16):
    """Three common factors, loadings in a cube, noise, and an effect on u0 from the start on."""
    rng = np.random.default_rng(seed)
    f, loads = rng.normal(size=(times, 3)).cumsum(0), rng.uniform(0, 1, size=(donors + 1, 3))
    y = f @ loads.T + 0.3 * rng.normal(size=(times, donors + 1))
    y[start - 1 :, 0] += effect
    return pd.DataFrame(y, columns=[f"u{i}" for i in range(donors + 1)], index=range(1, times + 1))


def loss(wide, w, start):
    pre = wide[wide.index < start]
    return float(((pre["u0"] - pre.drop(columns="u0") @ w) ** 2).sum())


@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from([1e-9, 1.0, 1e9]))
def test_a_mixture_without_noise_is_recovered_and_its_effect_exact(seed, donors, scale):
    rng = np.random.default_rng(seed)
    wide = pd.DataFrame(rng.normal(size=(12, donors)), columns=[f"d{i}" for i in range(donors)])
    w = rng.dirichlet(np.ones(donors))
    wide["u0"] = wide @ w + np.where(wide.index >= 9, 5.0, 0.0)
    found = synthetic_control(long(scale * wide), *COLUMNS, "u0", 9)
    assert found.weights.to_numpy() == pytest.approx(w, abs=1e-9)
    assert found.gaps.to_numpy() / scale == pytest.approx([0.0] * 9 + [5.0] * 3, abs=1e-9)
    assert found.effect == pytest.approx(5 * scale, rel=1e-9)
    assert found.rmspe == 0  # to rounding, which is no gap
    wide["u0"] -= np.where(wide.index >= 9, 5.0, 0.0)
    nothing = synthetic_control(long(scale * wide), *COLUMNS, "u0", 9)
    assert (nothing.effect, nothing.ratio, nothing.pvalue) == (0, 0, 1)


@pytest.mark.filterwarnings("ignore:the weights are not unique", "ignore:u0 is fitted badly")
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 30), st.integers(2, 25), st.floats(1e-3, 1e6))
def test_the_weights_meet_the_conditions_of_the_optimum(seed, times, donors, scale):
    """Karush, Kuhn and Tucker: no donor's slope lies below the mixture's own. With a convex loss
    the difference also bounds how far the loss is above its minimum."""
    rng = np.random.default_rng(seed)
    wide = pd.DataFrame(scale * (7 + rng.normal(size=(times, donors + 1))))
    wide.columns = [f"u{i}" for i in range(donors + 1)]
    found = synthetic_control(long(wide), *COLUMNS, "u0", times - 1)
    w = found.weights[wide.columns[1:]].to_numpy()  # units are sorted as text: u1, u10, u2
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1, abs=1e-12)
    pre = wide[wide.index < times - 1]
    d = (pre.drop(columns="u0").to_numpy() - pre[["u0"]].to_numpy()) / scale
    slope = d.T @ d @ w
    assert w @ slope - slope.min() <= 1e-12 * (d**2).sum(axis=0).max()


@pytest.mark.filterwarnings("ignore:u0 is fitted badly")
@pytest.mark.parametrize("seed", range(5))
def test_no_set_of_donors_fits_better(seed):
    """Every face of the simplex solved by itself: least squares with a sum of one."""
    wide = factors(seed, donors=6)
    found = synthetic_control(long(wide), *COLUMNS, "u0", 16)
    pre = wide[wide.index < 16]
    y, x = pre["u0"].to_numpy(), pre.drop(columns="u0").to_numpy()
    best = inf
    for k in range(1, 7):
        for chosen in map(list, combinations(range(6), k)):
            last, rest = chosen[-1], chosen[:-1]
            free = np.linalg.lstsq(x[:, rest] - x[:, [last]], y - x[:, last], rcond=None)[0]
            w = np.zeros(6)
            w[rest], w[last] = free, 1 - free.sum()
            if w.min() >= 0:
                best = min(best, float(((y - x @ w) ** 2).sum()))
    assert loss(wide, found.weights, 16) == pytest.approx(best, rel=1e-10)


@pytest.mark.filterwarnings("ignore:u0 is fitted badly")
@pytest.mark.parametrize("seed", range(5))
def test_a_general_solver_finds_the_same_weights(seed):
    wide = factors(seed)
    found = synthetic_control(long(wide), *COLUMNS, "u0", 16)
    pre = wide[wide.index < 16]
    y, x = pre["u0"].to_numpy(), pre.drop(columns="u0").to_numpy()
    solved = scipy.optimize.minimize(
        lambda w: ((y - x @ w) ** 2).sum(),
        np.full(8, 1 / 8),
        jac=lambda w: -2 * x.T @ (y - x @ w),
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(8)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    assert found.weights.to_numpy() == pytest.approx(solved.x, abs=1e-6)
    assert loss(wide, found.weights, 16) <= solved.fun + 1e-9


# pysyncon 1.7.0, with all earlier outcomes as predictors, weighted equally (it divides each row
# by its standard deviation over units, so V is the variance of the row):
#   pre = wide[wide.index < start]; X0, X1 = pre.drop(columns=treated), pre[treated]
#   Synth().fit(X0=X0, X1=X1, Z0=X0, Z1=X1, custom_V=pre.std(axis=1).to_numpy() ** 2)
PYSYNCON = {
    "u1": 0.526265198930057,
    "u2": 1.5664319584563336e-16,
    "u3": 0.03279334434926066,
    "u4": 0.03711370759670073,
    "u5": 0.01591900305513687,
    "u6": 2.8630417396810725e-16,
    "u7": 0.001873739066610367,
    "u8": 0.3860350070022339,
}


def test_pysyncon_finds_the_same_weights_a_little_less_well():
    wide = factors(2010)
    found, peer = synthetic_control(long(wide), *COLUMNS, "u0", 16), pd.Series(PYSYNCON)
    assert found.weights.to_numpy() == pytest.approx(peer.to_numpy(), abs=5e-4)
    assert loss(wide, found.weights, 16) < loss(wide, peer, 16) == pytest.approx(1.12209101322)
    assert found.effect == pytest.approx(1.7792875523941525, abs=2e-4)


def test_on_the_prisons_of_texas_pysyncon_leaves_the_simplex_and_this_does_not():
    """Black men in prison, 51 states, 1985 to 2000, capacity in Texas from 1993 on: outcomes in
    tens of thousands. The same call of pysyncon returns weights that sum to 2.209, at a loss of
    7,247,793 and an effect of 20,559: its solver stops early and nobody asks whether it did."""
    frame = texas.load_pandas().data
    with pytest.warns(UserWarning, match="Texas is fitted badly before 1993: RMSPE 863"):
        found = synthetic_control(frame, "bmprison", "state", "year", "Texas", 1993)
    assert found.weights.sum() == pytest.approx(1, abs=1e-12)
    assert list(found.weights[found.weights > 0].index) == ["Florida", "Illinois", "New York"]
    before = found.gaps[found.gaps.index < 1993]
    assert float((before**2).sum()) < 7_247_793 - 1_000_000
    assert len(found.gaps) == 16
    assert len(found.placebo) == 50


def test_ratio_effect_and_p_by_hand():
    """Two donors and u0; a mixture of two is one share, clipped to [0, 1]."""
    wide = pd.DataFrame(
        {"u0": [0.0, 1, 2, 9, 11], "u1": [0.0, 2, 2, 3, 4], "u2": [1.0, 0, 2, 3, 2]}
    )

    def gaps(unit):
        a, b = (wide[c].to_numpy() for c in wide.columns if c != unit)
        y = wide[unit].to_numpy()
        d, e = (a - b)[:3], (y - b)[:3]
        share = min(1.0, max(0.0, float(d @ e / (d @ d))))
        return y - share * a - (1 - share) * b

    by_hand = {u: gaps(u) for u in wide.columns}
    ratio = {u: np.sqrt((g[3:] ** 2).mean() / (g[:3] ** 2).mean()) for u, g in by_hand.items()}
    found = synthetic_control(long(wide), *COLUMNS, "u0", 3)
    assert found.gaps.to_numpy() == pytest.approx(by_hand["u0"], abs=1e-12)
    assert found.placebo_gaps["u2"].to_numpy() == pytest.approx(by_hand["u2"], abs=1e-12)
    assert found.effect == pytest.approx(by_hand["u0"][3:].mean(), rel=1e-12)
    assert found.rmspe == pytest.approx(np.sqrt((by_hand["u0"][:3] ** 2).mean()), rel=1e-12)
    assert found.ratio == pytest.approx(ratio["u0"], rel=1e-12)
    assert found.placebo.to_dict() == pytest.approx({u: ratio[u] for u in ("u1", "u2")})
    assert found.pvalue == sum(r >= ratio["u0"] for r in ratio.values()) / 3 == 1 / 3


@pytest.mark.filterwarnings("ignore:.*is fitted badly")
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_over_all_choices_of_the_treated_unit_the_p_values_are_the_ranks(seed):
    """What makes the test exact: units are handled alike, so the p-values are 1/n, 2/n, ..., 1."""
    wide = factors(seed, donors=4, effect=0.0)
    found = {u: synthetic_control(long(wide), *COLUMNS, u, 16) for u in wide.columns}
    assert sorted(r.pvalue for r in found.values()) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    ratios = {u: r.ratio for u, r in found.items()}
    for u, r in found.items():
        assert r.placebo.to_dict() == pytest.approx({v: ratios[v] for v in ratios if v != u})


@pytest.mark.filterwarnings("ignore:.*is fitted badly")
def test_where_nothing_happens_p_is_at_most_a_level_no_more_often_than_the_level():
    """1,000 worlds of ten exchangeable units: a common walk, own levels, autocorrelated noise."""
    values, frame = [], long(pd.DataFrame(np.zeros((20, 10))))
    for seed in np.random.SeedSequence(2010).spawn(1000):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(20, 10))
        for t in range(1, 20):
            y[t] += 0.5 * y[t - 1]
        y += rng.normal(size=(20, 1)).cumsum(axis=0) + rng.normal(size=10)
        frame["y"] = y.T.ravel()
        values.append(synthetic_control(frame, *COLUMNS, 0, 15).pvalue)
    for level in (0.1, 0.2, 0.5):
        hits = int((np.array(values) <= level + 1e-9).sum())
        low, high = scipy.stats.binom.interval(0.999, 1000, level)
        assert low <= hits <= high, f"{hits} of 1,000 at {level}"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_it_warns_where_the_error_before_is_twice_that_of_the_median_donor(scale):
    warned = []
    for seed in range(12):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            found = synthetic_control(long(scale * factors(seed)), *COLUMNS, "u0", 16)
        before = found.placebo_gaps.loc[:15].to_numpy()
        rule = found.rmspe > 2 * np.median(np.sqrt((before**2).mean(axis=0)))
        assert len(seen) == rule
        assert all(str(w.message).startswith("u0 is fitted badly before 16") for w in seen)
        warned.append(rule)
    assert 0 < sum(warned) < 12


def test_it_warns_of_twins_before_the_start_that_part_afterwards():
    """Neither a perfect fit nor many donors: the two best donors are alike until the start."""
    wide = factors(3, donors=4)
    wide["u1"] = np.where(wide.index < 16, wide["u0"] + 0.1 * np.sin(wide.index), 0.0)
    wide["u2"] = np.where(wide.index < 16, wide["u1"], 1.0)
    with pytest.warns(UserWarning, match="not unique: 2 donors"):
        synthetic_control(long(wide), *COLUMNS, "u0", 16)


def test_it_warns_where_more_donors_than_times_leave_the_weights_open():
    """Two mixtures fit the three earlier times perfectly and part afterwards."""
    rng = np.random.default_rng(4)
    wide = pd.DataFrame(rng.normal(size=(5, 12)))
    wide[0] = wide[list(range(1, 12))].mean(axis=1)
    with pytest.warns(UserWarning, match="not unique: 11 donors and 3 times"):
        found = synthetic_control(long(wide), *COLUMNS, 0, 3)
    assert found.rmspe == 0
    assert abs(found.effect) > 0.01  # equal shares fit as well, and their gap is zero
    assert found.ratio == inf


def test_where_most_donors_fit_perfectly_only_an_error_is_called_a_bad_fit():
    wide = pd.DataFrame(np.random.default_rng(8).normal(size=(5, 200)))
    wide[0] /= 10  # in the middle
    with pytest.warns(UserWarning, match="not unique") as seen:
        found = synthetic_control(long(wide), *COLUMNS, 0, 3)
    assert found.rmspe == 0
    assert (found.placebo == inf).mean() > 0.5
    assert found.pvalue == ((found.placebo == inf).sum() + 1) / 200  # ties count against it
    assert len(seen) == 1


def test_the_order_of_rows_and_a_common_trend_do_not_matter_and_the_input_stays():
    frame = long(factors(5))
    copy = frame.copy()
    a = synthetic_control(frame, *COLUMNS, "u0", 16)
    pd.testing.assert_frame_equal(frame, copy)
    moved = frame.assign(y=3 * frame.y + 5 * frame.time).sample(frac=1, random_state=1)
    b = synthetic_control(moved, *COLUMNS, "u0", 16)
    assert b.weights.to_numpy() == pytest.approx(a.weights.to_numpy(), abs=1e-9)
    assert b.effect == pytest.approx(3 * a.effect, rel=1e-9)
    assert b.pvalue == a.pvalue


def test_times_can_be_dates_and_the_result_prints():
    frame = long(factors(6))
    frame["time"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame.time, unit="D")
    found = synthetic_control(frame, *COLUMNS, "u0", pd.Timestamp("2026-01-17"))
    assert isinstance(found, SyntheticControl)
    assert found.effect == synthetic_control(long(factors(6)), *COLUMNS, "u0", 16).effect
    assert repr(found) == found.summary()
    for words in ("effect on u0 from", "placebo p", "of 9 units", "no standard error"):
        assert words in found.summary()
    assert found._repr_html_().startswith("<pre>")
    assert not hasattr(found, "se")


BAD = {
    "treated_unit is 'u9'": (lambda f: f, "u9", 16),
    "treated_unit is 0": (lambda f: f, 0, 16),
    "start is '16'": (lambda f: f, "u0", "16"),
    "start is 99": (lambda f: f, "u0", 99),
    "start 1 leaves 0 times": (lambda f: f, "u0", 1),
    "start 3 leaves 2 times": (lambda f: f, "u0", 3),
    "1 donor": (lambda f: f[f.unit.isin(["u0", "u1"])], "u0", 16),
    "outcome .*NaN": (lambda f: f.assign(y=f.y.where(f.index != 7)), "u0", 16),
    "outcome .*not numbers": (lambda f: f.assign(y=f.y.astype(str)), "u0", 16),
    "frame lacks 1 rows": (lambda f: f.iloc[1:], "u0", 16),
    "rows too many": (lambda f: pd.concat([f, f.iloc[:1]]), "u0", 16),
    "no column 'y'": (lambda f: f.rename(columns={"y": "z"}), "u0", 16),
}


@pytest.mark.parametrize("message", BAD)
def test_it_refuses(message):
    spoil, unit, start = BAD[message]
    with pytest.raises(ValueError, match=message):
        synthetic_control(spoil(long(factors(7))), *COLUMNS, unit, start)
