"""Difference in differences: exact truths, identities, published numbers, refusals."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from linearmodels.panel import PanelOLS

from causalbook import datasets
from causalbook.estimators import did

RNG = np.random.default_rng(2021)


def four_cells(y00, y01, y10, y11):
    """Two units at two times: y[group][time]; group 1 is treated at time 1."""
    return pd.DataFrame(
        {
            "unit": ["a", "a", "b", "b"],
            "time": [0, 1, 0, 1],
            "y": [float(y00), float(y01), float(y10), float(y11)],
            "treated": [0, 0, 0, 1],
        }
    )


def draw(n=40, times=6, keep=1.0, rng=RNG):
    """Staggered starts, effects that differ; some rows may be absent."""
    unit, time = np.repeat(np.arange(n), times), np.tile(np.arange(times), n)
    start = rng.choice([2, 3, 4, 99], size=n)
    start[:8] = [2, 3, 4, 99, 2, 3, 4, 99]
    treated = (time >= start[unit]).astype(int)
    y = (
        rng.normal(size=n)[unit]
        + rng.normal(size=times)[time]
        + treated * rng.normal(1, 1, n)[unit]
    )
    frame = pd.DataFrame({"unit": unit, "time": time, "treated": treated, "region": unit % 10})
    frame["y"] = y + rng.normal(size=len(y))
    whole = (unit < 8) | (rng.random(len(y)) < keep)
    frame = frame[whole]
    often = frame.groupby("unit")["time"].transform("size") > 1
    return frame[often].sample(frac=1, random_state=3)  # in any order


def by_dummies(frame, cluster="unit"):
    """Least squares with a dummy for each unit and time; plain cluster sums for the error."""
    dummies = pd.get_dummies(frame[["unit", "time"]].astype(str), drop_first=True, dtype=float)
    x = sm.add_constant(np.column_stack([frame["treated"], dummies]))
    labels = pd.factorize(frame[cluster])[0]
    how = {"groups": labels, "use_correction": False}
    fit = sm.OLS(frame["y"].to_numpy(), x).fit(cov_type="cluster", cov_kwds=how)
    return fit.params[1], fit.bse[1], labels.max() + 1


def organs():
    frame = datasets.load("organ_donations")
    now = (frame["State"] == "California") & (frame["Quarter_Num"] > 3)
    return frame.assign(now=now.astype(int))


@pytest.fixture
def california():
    with pytest.warns(UserWarning, match=r"1\.1 effective clusters of 27"):
        yield did(organs(), "Rate", "State", "Quarter_Num", "now")


# --- truths and identities ---


def test_gap_two_trend_one_effect_a_half_s0_039():
    gap, trend, effect = Fraction(2), Fraction(1), Fraction(1, 2)
    cells = Fraction(10), 10 + trend, 10 + gap, 10 + gap + trend + effect
    e = did(four_cells(*cells), "y", "unit", "time", "treated")
    assert cells[3] - cells[1] == gap + effect == Fraction(5, 2)  # recommended minus not
    assert (cells[3] - cells[2]) - (cells[1] - cells[0]) == effect
    assert e.value == pytest.approx(float(effect), abs=1e-12)


def test_a_violated_trend_is_the_bias_to_the_last_digit():
    e = did(four_cells(10, 11, 12, 12 + 1 + 0.5 + 0.3), "y", "unit", "time", "treated")
    assert e.value == pytest.approx(0.5 + 0.3, abs=1e-12)


def test_without_anything_left_over_there_is_no_error_and_the_note_says_why():
    e = did(four_cells(0, 1, 2, 4), "y", "unit", "time", "treated")
    assert math.isnan(e.se)
    assert "no standard error" in e.notes[0]


def test_two_groups_and_two_times_give_the_interaction_coefficient():
    n = 30
    frame = pd.DataFrame({"unit": np.repeat(np.arange(n), 2), "time": np.tile([0, 1], n)})
    group = (frame["unit"] < 12).astype(int)
    frame["treated"] = group * frame["time"]
    frame["y"] = RNG.normal(size=2 * n) + group + frame["time"] * (1 + group)
    e = did(frame, "y", "unit", "time", "treated")
    x = sm.add_constant(np.column_stack([group, frame["time"], group * frame["time"]]))
    assert e.value == pytest.approx(sm.OLS(frame["y"], x).fit().params.iloc[3], rel=1e-10)
    # The change of each unit is one number, so the error is that of a difference in means of
    # changes; the factors are G/(G-1) here, each arm's own there.
    change = frame["y"][1::2].to_numpy() - frame["y"][::2].to_numpy()
    arms = [change[:12], change[12:]]
    v = sum(arm.var() / len(arm) for arm in arms)
    assert e.se == pytest.approx(math.sqrt(v * n / (n - 1)), rel=1e-10)
    assert e.dof == n - 1


@pytest.mark.parametrize("keep", [1.0, 0.8], ids=["balanced", "unbalanced"])
@pytest.mark.parametrize("cluster", [None, "region"])
def test_agrees_with_least_squares_on_dummies(keep, cluster):
    frame = draw(keep=keep)
    assert (len(frame) < 240) == (keep < 1)
    e = did(frame, "y", "unit", "time", "treated", cluster=cluster)
    value, se, g = by_dummies(frame, cluster or "unit")
    assert e.value == pytest.approx(value, rel=1e-10)
    assert e.se == pytest.approx(se * math.sqrt(g / (g - 1)), rel=1e-10)
    assert e.n == frame["unit"].nunique()
    assert e.dof == g - 1


@given(st.integers(0, 10**6))
def test_units_and_times_may_be_shifted_relabelled_and_shuffled(seed):
    rng = np.random.default_rng(seed)
    frame = draw(n=20, times=5, keep=0.9, rng=rng)
    e = did(frame, "y", "unit", "time", "treated")
    other = frame.sample(frac=1, random_state=seed)
    other["y"] += 3 * other["time"] ** 2 - other["unit"]
    other["unit"] = "u" + (other["unit"] + 100).astype(str)
    other["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * other["time"], unit="D")
    f = did(other, "y", "unit", "time", "treated")
    assert f.value == pytest.approx(e.value, rel=1e-8, abs=1e-10)
    assert f.influence == pytest.approx(e.influence, rel=1e-7, abs=1e-8)


def test_the_order_of_the_rows_is_no_matter_to_sample_and_influence():
    for keep in (1.0, 0.8):
        frame = draw(keep=keep)
        e = did(frame, "y", "unit", "time", "treated")
        f = did(frame.sort_values("y"), "y", "unit", "time", "treated")
        assert e.sample == f.sample
        assert (e - f).se == pytest.approx(0, abs=1e-12)


def test_a_panel_in_two_parts_that_share_no_time():
    frame = draw(n=16, times=6)
    first, second = frame[frame["time"] < 4], frame[frame["time"] < 4].copy()
    second["time"] += 10
    second["unit"] += 100
    frame = pd.concat([first, second])
    columns = pd.get_dummies(frame[["unit", "time"]].astype(str), dtype=float)  # two too many
    x = np.column_stack([frame["treated"], columns])
    value = np.linalg.lstsq(x, frame["y"].to_numpy(), rcond=None)[0][0]
    assert did(frame, "y", "unit", "time", "treated").value == pytest.approx(value, rel=1e-10)


def test_growing_effects_and_staggered_starts_turn_the_sign():
    # No noise: two groups start at 2 and 5 of seven times, nobody is never treated, the effect is
    # the time since the start plus one, squared. Every effect is positive; the estimate is not.
    unit, time = np.repeat([0, 1], 7), np.tile(np.arange(7), 2)
    start = np.array([2, 5])[unit]
    since = time - start
    effect = np.where(since >= 0, (since + 1.0) ** 2, 0.0)
    frame = pd.DataFrame({"unit": unit, "time": time, "treated": since >= 0, "y": effect + unit})
    e = did(frame, "y", "unit", "time", "treated")
    # By hand, in fractions: D less its unit and time means, plus the grand mean.
    d = [[Fraction(int(t >= s)) for t in range(7)] for s in (2, 5)]
    row, column = [sum(r) / 7 for r in d], [(d[0][t] + d[1][t]) / 2 for t in range(7)]
    grand = sum(row) / 2
    left = [[d[i][t] - row[i] - column[t] + grand for t in range(7)] for i in (0, 1)]
    y = [[Fraction(max(t - s + 1, 0)) ** 2 for t in range(7)] for s in (2, 5)]
    top = sum(left[i][t] * y[i][t] for i in (0, 1) for t in range(7))
    value = top / sum(x * x for r in left for x in r)
    assert value < 0 < effect[since >= 0].min()
    assert e.value == pytest.approx(float(value), rel=1e-10)
    negative = sum(left[i][t] < 0 for i in (0, 1) for t in range(7) if d[i][t])
    assert e.notes == (f"{negative} of 7 treated rows have a negative weight",)


# --- published numbers ---


def test_organ_donations_and_the_four_conventions_of_its_error(california):
    # Kessler and Roth (2014) data, Huntington-Klein (2021, chapter 18): Rate on the status of
    # California from the fourth quarter on, states and quarters as effects: -.022. Errors:
    # statsmodels, cluster without correction .005903; R fixest 0.0061 and pyfixest 0.60
    # (k_fixef="nested") .006131; linearmodels .006616; Stata's reg with dummies .006721.
    e, n_rows, n, times = california, 162, 27, 6
    assert e.value == pytest.approx(-0.0224589, abs=1e-6)
    assert e.se * math.sqrt(26 / 27) == pytest.approx(0.005903, abs=1e-6)
    inside = (n_rows - 1) / (n_rows - times - 1)
    assert e.se * math.sqrt(inside) == pytest.approx(0.006131, abs=1e-6)
    spent = n_rows - n - times
    assert e.se * math.sqrt(26 / 27 * n_rows / spent) == pytest.approx(0.006616, abs=1e-6)
    assert e.se * math.sqrt((n_rows - 1) / spent) == pytest.approx(0.006721, abs=1e-6)


def test_organ_donations_in_linearmodels_up_to_the_stated_factor(california):
    frame = organs().set_index(["State", "Quarter_Num"])
    fit = PanelOLS(frame["Rate"], frame[["now"]], entity_effects=True, time_effects=True)
    fit = fit.fit(cov_type="clustered", cluster_entity=True)
    assert california.value == pytest.approx(fit.params["now"], rel=1e-10)
    factor = 26 / 27 * 162 / (162 - 27 - 6)
    assert california.se * math.sqrt(factor) == pytest.approx(fit.std_errors["now"], rel=1e-10)


def test_one_treated_state_has_no_part_in_its_own_error(california):
    states = sorted(organs()["State"].unique())
    own = abs(california.influence[states.index("California")])
    assert own < 1e-12 < np.abs(california.influence).max()


def test_castle_doctrine_as_in_the_mixtape():
    # Cheng and Hoekstra (2013) data as Cunningham (2021, Causal Inference: The Mixtape, section
    # 9.6) decomposes them: log homicide on `post`, states and years, no weights or covariates:
    # .069 (his castle_5.do: areg l_homicide post i.year, a(sid); ddtiming, i(sid) t(year)).
    # The article's own estimates weigh by population and add region-by-year effects.
    frame = datasets.load("castle")
    e = did(frame, "l_homicide", "sid", "year", "post")
    assert round(e.value, 3) == 0.069
    value, se, _ = by_dummies(
        frame.rename(columns={"sid": "unit", "year": "time", "post": "treated", "l_homicide": "y"})
    )
    assert e.value == pytest.approx(value, rel=1e-10)
    assert e.se == pytest.approx(se * math.sqrt(50 / 49), rel=1e-10)


def test_one_treated_unit_covers_too_little_and_is_warned_of():
    # As the comment in two_way.py says: 50 units, one treated, normal changes.
    rng = np.random.default_rng(7)
    unit, time = np.repeat(np.arange(50), 2), np.tile([0, 1], 50)
    frame = pd.DataFrame({"unit": unit, "time": time, "treated": (unit == 0) * time})
    hits = 0
    for _ in range(300):
        with pytest.warns(UserWarning, match=r"1\.0 effective clusters of 50"):
            e = did(frame.assign(y=rng.normal(size=100)), "y", "unit", "time", "treated")
        low, high = e.conf_int()
        hits += low <= 0 <= high
    assert hits < scipy.stats.binom.ppf(0.001, 300, 0.5)


# --- refusals ---


def refused(message, frame=None, cluster=None, **columns):
    good = draw(n=20, times=4) if frame is None else frame
    bad = good.assign(**columns)
    before = bad.copy()
    with pytest.raises(ValueError, match=message):
        did(bad, "y", "unit", "time", "treated", cluster=cluster)
    pd.testing.assert_frame_equal(bad, before)


def test_refuses_missing_and_infinite_values_text_and_absent_columns():
    good = draw(n=20, times=4)
    hole = np.where(np.arange(len(good)) == 3, np.nan, 1.0)
    refused(r"outcome \('y'\) is NaN or infinite in 1 of 80 rows", good, y=good["y"] * hole)
    refused(r"outcome \('y'\) is NaN or infinite", good, y=np.inf)
    refused("not numbers", good, y="much")
    refused(r"treated is NaN or infinite in 1 of 80", good, treated=good["treated"] * hole)
    refused("neither 0 nor 1 in", good, treated=good["treated"] * 2)
    refused("an effect needs units in both arms", good, treated=0)
    refused(r"unit is missing in 1 of 80 rows", good, unit=good["unit"] * hole)
    refused(r"time is missing in 1 of 80 rows", good, time=good["time"] * hole)
    with pytest.raises(ValueError, match="frame has no column 'city', 'when': its columns are"):
        did(good, "y", "city", "when", "treated")
    with pytest.raises(ValueError, match="frame has no column 'county'"):
        did(good, "y", "unit", "time", "treated", cluster="county")
    with pytest.raises(ValueError, match="frame is a list: pass a DataFrame"):
        did([1, 2], "y", "unit", "time", "treated")
    with pytest.raises(ValueError, match="is empty"):
        did(good.iloc[:0], "y", "unit", "time", "treated")


def test_refuses_what_is_no_panel():
    good = draw(n=20, times=4)
    twice = pd.concat([good, good.iloc[:2]])
    refused("2 rows too many: 2 pairs of unit and time come more than once", twice)
    far = good.assign(time=np.arange(len(good)))  # sparse: many times, few rows
    refused("frame has 1 rows too many", pd.concat([far, far.iloc[:1]]))
    short = good[(good["unit"] > 2) | (good["time"] == 0)]
    refused("3 of 20 units with a single row .first: 0, 1, 2.", short)
    refused("unit has one value", good[good["unit"] == 0])
    refused("time has one value", good[good["time"] == 0])


def test_refuses_a_treatment_that_units_and_times_explain():
    good = draw(n=20, times=4)
    refused("explained by unit and time", good, treated=good["unit"] % 2)
    refused("explained by unit and time", good, treated=(good["time"] > 1).astype(int))


def test_refuses_clusters_that_are_one_or_cut_through_units():
    good = draw(n=20, times=4)
    refused("'region'. has one group", good, "region", region=1)
    refused("changes within 20 of 20 units", good, "region", region=good["time"])
    gap = good["region"].where(good["unit"] != 3)
    refused("cluster .'region'. is missing in 4 of 80", good, "region", region=gap)
