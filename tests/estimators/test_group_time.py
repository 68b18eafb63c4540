"""ATT(g, t): exact where the truth is known, the peers' numbers, and what the averages count."""

import math
import re
import warnings
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings

from causalbook import datasets
from causalbook.estimators import GroupTime, did, group_time_att

COLUMNS = ("y", "unit", "time", "first")


def staggered(starts, times, effect):
    """A panel without noise: unit levels, one common trend, and effect(g, t) once treated."""
    return pd.DataFrame(
        [
            (
                i,
                t,
                math.nan if g is None else g,
                10 * i + t * t,
                effect(g, t) if g and t >= g else 0,
            )
            for i, g in enumerate(starts)
            for t in times
        ],
        columns=["unit", "time", "first", "untreated", "effect"],
    ).assign(y=lambda f: f.untreated + f.effect)


def noisy(seed, n=60, times=5, starts=(math.nan, 2, 3, 5)):
    rng = np.random.default_rng(seed)
    first = np.concatenate([np.repeat(starts, 5), rng.choice(starts, n - 5 * len(starts))])
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, times)).cumsum(axis=1)
    t = np.arange(1, times + 1)
    y = y + np.where(t >= first[:, None], 1 + t - np.nan_to_num(first)[:, None] / 2, 0)
    index = {"unit": np.repeat(np.arange(n), times), "time": np.tile(t, n)}
    return pd.DataFrame(index | {"first": np.repeat(first, times), "y": y.ravel()})


def twfe(f):
    """Coefficient of two-way fixed effects in a balanced panel: both means swept out."""

    def swept(x):
        by = [x.groupby(f[name]).transform("mean") for name in ("unit", "time")]
        return x - by[0] - by[1] + x.mean()

    d = swept((f.time >= f["first"]).astype(float))
    return float(d @ swept(f.y) / (d @ d))


def test_without_noise_each_effect_is_exact_where_two_way_fixed_effects_have_the_wrong_sign():
    """Effects all positive and growing; late groups are compared with early, treated ones."""
    f = staggered([2] * 15 + [5] * 15 + [None] * 6, range(1, 7), lambda g, t: (t - g + 1) ** 2)
    for control in ("never", "notyet"):
        found = group_time_att(f, *COLUMNS, control=control)
        assert sorted(found.att) == [(g, t) for g in (2, 5) for t in range(2, 7)]
        for (g, t), estimate in found.att.items():
            truth = (t - g + 1) ** 2 if t >= g else 0
            assert estimate.value == pytest.approx(truth, abs=1e-12)
            assert estimate.se < 1e-12
    assert twfe(f) < -2 < 1 == f.effect[f.effect > 0].min()


def test_levels_far_from_zero_leave_no_rounding_in_the_influence():
    """No warning of an influence whose mean is off, though changes carry errors of 1e-7."""
    f = staggered([3] * 7 + [None] * 6, range(1, 6), lambda g, t: 1 / 3)
    f["y"] += 1e9 / 3 * f.unit + 1e8 / 7 * f.time
    found = group_time_att(f, *COLUMNS)
    assert found.simple().value == pytest.approx(1 / 3, abs=1e-5)
    assert found.simple().se < 1e-6


def test_the_averages_are_means_weighted_by_the_sizes_of_the_groups():
    effect = {2: (3, 5, 7, 9), 4: (1, 2)}  # by time since the start
    f = staggered([2] * 6 + [4] * 9 + [None] * 5, range(1, 6), lambda g, t: effect[g][t - g])
    found = group_time_att(f, *COLUMNS)
    size = {2: 6, 4: 9}
    cells = [(size[g], e) for g, all_e in effect.items() for e in all_e]
    simple = Fraction(sum(n * e for n, e in cells), sum(n for n, _ in cells))
    assert found.simple().value == pytest.approx(float(simple), rel=1e-12)
    assert simple == Fraction(171, 42)
    assert {g: e.value for g, e in found.group().items()} == pytest.approx({2: 6, 4: 1.5})
    dynamic = {e: estimate.value for e, estimate in found.dynamic().items()}
    by_hand = {-2: 0, -1: 0, 0: Fraction(27, 15), 1: Fraction(48, 15), 2: 7, 3: 9}
    assert dynamic == pytest.approx({e: float(v) for e, v in by_hand.items()}, abs=1e-12)


def test_before_the_start_each_cell_is_the_change_since_the_time_before():
    """A varying base: one jump before treatment shows once, in its own period."""
    f = staggered([5] * 5 + [None] * 5, range(1, 7), lambda g, t: 0)
    f["y"] += np.where((f["first"] == 5) & (f.time >= 3), 7.0, 0.0)
    att = {t: e.value for (_, t), e in group_time_att(f, *COLUMNS).att.items()}
    assert att == pytest.approx({2: 0, 3: 7, 4: 0, 5: 0, 6: 0}, abs=1e-12)


def test_one_group_and_two_times_are_the_two_by_two_difference_in_differences():
    f = noisy(1, times=2, starts=(math.nan, 2))
    found = group_time_att(f, *COLUMNS).att[2, 2]
    wide = f.pivot(index="unit", columns="time", values="y")
    treated = f.groupby("unit")["first"].first().notna()
    change = wide[2] - wide[1]
    assert found.value == pytest.approx(change[treated].mean() - change[~treated].mean(), rel=1e-12)
    ols = sm.OLS(change, sm.add_constant(treated.astype(float))).fit(cov_type="HC0")
    assert found.value == pytest.approx(ols.params.iloc[1], rel=1e-10)
    assert found.se == pytest.approx(ols.bse.iloc[1], rel=1e-10)
    assert found.n == 60
    again = did(f.assign(on=(f.time >= f["first"]).astype(int)), "y", "unit", "time", "on")
    assert (again - found).value == pytest.approx(0, abs=1e-12)  # same sample, same units


@pytest.mark.parametrize("control", ["never", "notyet"])
def test_every_cell_is_an_ols_of_the_change_on_its_group_with_hc0(control):
    f = noisy(2)
    wide, first = (
        f.pivot(index="unit", columns="time", values="y"),
        f.groupby("unit")["first"].first(),
    )
    found = group_time_att(f, *COLUMNS, control=control)
    assert len(found.att) == 3 * 4
    for (g, t), estimate in found.att.items():
        base = g - 1 if t >= g else t - 1
        pool = first.isna() if control == "never" else first.isna() | ((first > t) & (first != g))
        used = (first == g) | pool
        d = (first[used] == g).astype(float)
        ols = sm.OLS((wide[t] - wide[base])[used], sm.add_constant(d)).fit(cov_type="HC0")
        assert estimate.value == pytest.approx(ols.params.iloc[1], rel=1e-10)
        assert estimate.se == pytest.approx(ols.bse.iloc[1], rel=1e-10)
        assert not estimate.influence[~used.to_numpy()].any()
    table = found.table().set_index(["group", "time"])
    assert table.loc[(3, 3), "controls"] == (
        first.isna().sum() + (first == 5).sum() * (control == "notyet")
    )
    assert table.loc[(3, 3), "treated"] == (first == 3).sum()


@pytest.mark.parametrize("control", ["never", "notyet"])
def test_the_influence_is_the_derivative_in_each_units_weight_shares_included(control):
    """psi_i = n d(theta)/d(w_i) at equal weights: an oracle that knows no influence formula."""
    f = noisy(3, n=25)
    y = f.pivot(index="unit", columns="time", values="y").to_numpy()
    first = f.groupby("unit")["first"].first().fillna(99).to_numpy()

    def weighted(w):
        att, p = {}, {}
        for g in (2, 3, 5):
            p[g] = w[first == g].sum()
            for t in range(2, 6):
                d = y[:, t - 1] - y[:, min(g, t) - 2]
                pool = (first > (98 if control == "never" else t)) & (first != g)
                att[g, t] = np.average(d[first == g], weights=w[first == g])
                att[g, t] -= np.average(d[pool], weights=w[pool])

        def mean(cells):
            return sum(p[g] * att[g, t] for g, t in cells) / sum(p[g] for g, _ in cells)

        one = {("group", g): mean([c for c in att if c[0] == g <= c[1]]) for g in p}
        one |= {("e", e): mean([c for c in att if c[1] - c[0] == e]) for e in range(-3, 4)}
        return one | {"simple": mean([c for c in att if c[1] >= c[0]])}

    found = group_time_att(f, *COLUMNS, control=control)
    estimates = {("group", g): e for g, e in found.group().items()}
    estimates |= {("e", e): estimate for e, estimate in found.dynamic().items()}
    estimates["simple"] = found.simple()
    at_one, h, n = weighted(np.ones(25)), 1e-5, 25
    assert estimates.keys() == at_one.keys()
    slopes = []
    for i in range(n):
        up, down = np.ones(n), np.ones(n)
        up[i], down[i] = 1 + h, 1 - h
        high, low = weighted(up), weighted(down)
        slopes.append({key: n * (high[key] - low[key]) / (2 * h) for key in at_one})
    for key, estimate in estimates.items():
        assert estimate.value == pytest.approx(at_one[key], rel=1e-12)
        assert estimate.influence == pytest.approx([s[key] for s in slopes], abs=1e-7)


# Castle doctrine laws: homicides per 100,000; a state's group is its first year with post == 1, the
# first *full* year under the law (Florida: law of October 2005, post from 2006; groups 2006 to
# 2010 with 1, 13, 4, 2 and 1 states, 29 never). Both peers give these, to 1e-14:
#   csdid 0.4.3: ATTgt(yname="homicide", tname="year", idname="sid", gname="g", data=castle,
#     control_group=["nevertreated"], bstrap=False, cband=False).fit(est_method="reg", bstrap=False)
#     .aggte(typec="simple", bstrap=False, cband=False), with g = 0 for the never treated;
#   differences 0.3.0: ATTgt(data=castle.set_index(["sid", "year"]), cohort_column="g")
#     .fit("homicide", control_group="never_treated"), .aggregate("simple"), g = NaN for them.
# control="notyet": "notyettreated", "not_yet_treated". They also give an error to groups of one
# state, which counts the spread of the controls alone; here it is missing.
CASTLE = {
    "never": {
        "simple": (-0.009600114789058083, 0.19239286976318262),
        ("group", 2007): (-0.22827821056944, 0.200904338698397),
        ("group", 2009): (0.357268855489533, 0.283848050244564),
        ("e", -1): (0.465489256166668, 0.172063693755731),
        ("e", 0): (0.312607282879709, 0.192216149905032),
        ("e", 3): (-0.431998265641076, 0.26230800433885),
        (2007, 2001): (0.0975433769845836, 0.366665232998661),
        (2007, 2007): (0.307653268705312, 0.246181688026688),
        (2007, 2010): (-0.549310913452735, 0.249426055338455),
        (2008, 2006): (-0.511546985856418, 0.120965792333462),
        (2009, 2010): (0.0156095993929894, 0.157987993999346),
    },
    "notyet": {
        "simple": (-0.010677550573837652, 0.18932688337808934),
        ("group", 2007): (-0.217929002992076, 0.196215201212962),
        ("group", 2009): (0.353282624106297, 0.283082700503112),
        ("e", -1): (0.492515606132696, 0.173739058135567),
        ("e", 0): (0.31723473974791, 0.195289159251792),
        (2007, 2001): (0.0214517869969168, 0.358782488852962),
        (2007, 2007): (0.345847519035013, 0.236926068535723),
        (2007, 2010): (-0.549310913452735, 0.249426055338455),
        (2008, 2006): (-0.734634547763401, 0.133037173539273),
        (2009, 2010): (0.0156095993929894, 0.157987993999346),
    },
}


def castle():
    frame = datasets.load("castle")
    return frame.assign(first=frame.sid.map(frame[frame.post == 1].groupby("sid").year.min()))


def pick(found, key):
    if key == "simple":
        return found.simple()
    if key[0] == "group":
        return found.group()[key[1]]
    return found.dynamic()[key[1]] if key[0] == "e" else found.att[key]


@pytest.mark.parametrize("control", CASTLE)
def test_castle_laws_give_the_numbers_of_csdid_and_differences(control):
    with pytest.warns(UserWarning, match=r"40 of 50 .* \(groups 2006, 2008, 2009, 2010\)"):
        found = group_time_att(castle(), "homicide", "sid", "year", "first", control=control)
    assert len(found.att) == 5 * 10
    for key, (value, se) in CASTLE[control].items():
        assert pick(found, key).value == pytest.approx(value, rel=1e-10)
        assert pick(found, key).se == pytest.approx(se, rel=1e-10)


# The simulated panel below, same calls with gname="first" and 0 for the never treated; the last
# block is both on the units that are ever treated, not-yet-treated controls. They drop the group
# that starts last, and all times from its start on; here its placebos stay.
SIMULATED = {
    "never": {
        "simple": (2.8513118398244104, 0.09192302090777313),
        ("group", 3): (2.93062457103598, 0.12574647620791),
        ("group", 6): (2.590973786606, 0.10819400006135),
        ("e", -2): (0.293406644822335, 0.0552339487302947),
        ("e", 0): (1.63688243683935, 0.0478883107576784),
        ("e", 3): (3.34766517807393, 0.129530050768336),
        (3, 2): (0.12227835082664, 0.0691713061818862),
        (4, 4): (1.63832003862038, 0.0778695032073127),
        (6, 8): (3.34546048665348, 0.144114742035318),
    },
    "notyet": {
        "simple": (2.798100256885186, 0.08733021226650448),
        ("group", 3): (2.85685963416406, 0.119073859150551),
        ("group", 4): (2.8159293701691, 0.11531256178575),
        ("e", -2): (0.235180357031779, 0.0531895570578616),
        ("e", 0): (1.57672910397961, 0.0437303394289665),
        ("e", 1): (2.17283069196417, 0.067958102713012),
        (3, 2): (-0.053003215111555, 0.0639648439229436),
        (4, 5): (2.07017012029294, 0.106091728413725),
        (6, 8): (3.34546048665348, 0.144114742035318),
    },
    "all treated": {
        "simple": (1.6666769497216127, 0.09047925837619204),
        ("group", 3): (1.7034371866637479, 0.10935489785962875),
        ("group", 4): (1.6028716813149066, 0.10215907197843468),
        (3, 2): (-0.182377704256413, 0.070073050888468),
        (3, 5): (2.013960582327352, 0.161449995930071),
        (4, 3): (-0.019092277913417, 0.091971625669174),
        (4, 5): (1.795703878214475, 0.13051464881861),
    },
}


def simulated():
    rng = np.random.default_rng(2021)
    n, times = 300, 8
    g = rng.choice([0, 3, 4, 6], n, p=[0.3, 0.25, 0.25, 0.2])
    t = np.arange(1, times + 1)
    y = rng.normal(size=(n, 1)) + 0.3 * g[:, None] * t / times
    y = y + rng.normal(size=(n, times)).cumsum(1) * 0.5
    effect = 1 + 0.5 * (t - g[:, None]) + 0.1 * g[:, None]
    y += np.where((g[:, None] > 0) & (t >= g[:, None]), effect, 0)
    first = np.repeat(np.where(g > 0, g, np.nan), times)
    index = {"unit": np.repeat(np.arange(n), times), "time": np.tile(t, n)}
    return pd.DataFrame(index | {"first": first, "y": y.ravel()})


@pytest.mark.parametrize("case", SIMULATED)
def test_a_simulated_panel_gives_the_numbers_of_csdid_and_differences(case):
    if case == "all treated":
        with pytest.warns(UserWarning, match=r"11 pairs \(g, t\) have no untreated unit"):
            found = group_time_att(simulated().dropna(), *COLUMNS, control="notyet")
    else:
        found = group_time_att(simulated(), *COLUMNS, control=case)
    for key, (value, se) in SIMULATED[case].items():
        assert pick(found, key).value == pytest.approx(value, rel=1e-10)
        assert pick(found, key).se == pytest.approx(se, rel=1e-10)


def test_what_cannot_be_compared_is_left_out_and_said():
    f = staggered([2] * 5 + [4] * 5, range(1, 6), lambda g, t: t - g + 1)
    with pytest.warns(UserWarning, match=r"6 pairs \(g, t\).*left out \(first: \(2, 4\)\)"):
        found = group_time_att(f, *COLUMNS, control="notyet")
    assert list(found.att) == [(2, 2), (2, 3)]
    assert {g: e.value for g, e in found.group().items()} == pytest.approx({2: 1.5})


def test_units_that_start_after_the_last_time_count_as_never_treated():
    f = noisy(4)
    late = f.assign(first=f["first"].fillna(40))
    a, b = (group_time_att(x, *COLUMNS).simple() for x in (f, late))
    assert (a.value, a.se) == (b.value, b.se)


def test_a_group_of_one_has_no_standard_error_and_an_average_with_it_says_so():
    f = noisy(5, starts=(math.nan, 2, 3))
    f.loc[f.unit == 0, "first"] = 4  # one of the never treated
    with pytest.warns(UserWarning, match=r"4 of 12 ATT.* fewer than 5 .* \(groups 4\)"):
        found = group_time_att(f, *COLUMNS)
    assert math.isnan(found.att[4, 4].se)
    assert "no standard error" in found.att[4, 4].notes[0]
    assert math.isnan(found.group()[4].se)
    assert found.simple().se > 0
    assert re.search(r"too small: 2 of its 9 ATT", found.simple().notes[0])
    assert not found.group()[2].notes


def test_two_never_treated_units_are_the_least_and_warned_of():
    f = noisy(8, starts=(math.nan, 2, 3))
    f = f[f["first"].notna() | (f.unit < 2)]
    with pytest.warns(UserWarning, match="8 of 8 ATT"):
        assert group_time_att(f, *COLUMNS).simple().se > 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.sampled_from(["never", "notyet"]))
def test_levels_trends_units_and_the_order_of_rows_do_not_matter(seed, scale, control):
    f = noisy(seed, n=30)
    rng = np.random.default_rng(seed)
    g = f.assign(y=scale * f.y + rng.normal(size=30)[f.unit] + rng.normal(size=6)[f.time])
    g = g.assign(unit="u" + g.unit.astype(str).str.zfill(3)).sample(frac=1, random_state=seed)
    a, b = (group_time_att(x, *COLUMNS, control=control) for x in (f, g))
    assert list(a.att) == list(b.att)
    for x, y in [(a.simple(), b.simple())] + [(a.att[k], b.att[k]) for k in a.att]:
        assert y.value == pytest.approx(scale * x.value, abs=1e-9)
        assert y.influence == pytest.approx(scale * x.influence, abs=1e-8)


def test_the_estimates_of_one_panel_can_be_subtracted_and_its_input_stays_as_it_is():
    f = noisy(6)
    copy = f.copy()
    never, notyet = (group_time_att(f, *COLUMNS, control=c) for c in ("never", "notyet"))
    assert (never.simple() - notyet.simple()).se < never.simple().se
    pd.testing.assert_frame_equal(f, copy)
    assert isinstance(never, GroupTime)
    assert repr(never).startswith("ATT(g, t) by group-time DiD (controls never treated)")
    assert "<table" in never._repr_html_()
    narrow, wide = never.table(level=0.5), never.table()
    assert (narrow.high - narrow.low < wide.high - wide.low).all()


BAD = {
    "control": (lambda f: f, {"control": "later"}, "control is 'later'"),
    "unbalanced": (lambda f: f.iloc[1:], {}, "frame lacks 1 rows"),
    "twice": (lambda f: pd.concat([f, f.iloc[:1]]), {}, "rows too many"),
    "NaN": (lambda f: f.assign(y=f.y.where(f.index > 0)), {}, "outcome .*NaN"),
    "always": (lambda f: f.assign(first=f["first"].fillna(0)), {}, "at or before the first time"),
    "nobody": (lambda f: f.assign(first=np.nan), {}, "nobody"),
    "no never": (lambda f: f.dropna(), {}, "leaves 0 units untreated throughout"),
    "one never": (lambda f: f[f["first"].notna() | (f.unit == 0)], {}, "leaves 1 units"),
    "changes": (lambda f: f.assign(first=f["first"] + (f.time == 1)), {}, "changes within"),
    "all alike": (lambda f: f.assign(first=3.0), {"control": "notyet"}, "nobody is left"),
}


@pytest.mark.parametrize("case", BAD)
def test_it_refuses(case):
    spoil, options, message = BAD[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=message):
            group_time_att(spoil(noisy(7)), *COLUMNS, **options)
