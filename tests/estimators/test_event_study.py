"""Event studies and the test of pre-trends: truths, identities, power, refusals."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm

from causalbook import compare, datasets
from causalbook.estimators import did, event_study, group_time_att, pretrend_test

COLUMNS = "y", "unit", "time", "first"


def draw(n=40, times=8, seed=0, noise=1.0, drift=0.0, starts=(4,), effect=lambda k: k + 1.0):
    """Half of the units start, at the given times in turn; `drift` moves them by the period."""
    rng = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(n), times), np.tile(np.arange(times), n)
    own = np.array([starts[(i // 2) % len(starts)] if i % 2 else np.nan for i in range(n)])
    first = own[unit]
    since = time - first
    y = rng.normal(size=n)[unit] + time**2 + noise * rng.normal(size=len(unit))
    y += np.where(since >= 0, effect(since), 0.0) + drift * time * (unit % 2)
    return pd.DataFrame({"unit": unit, "time": time, "y": y, "first": first})


def by_dummies(frame, ks, groups):
    since = frame["time"] - frame["first"]
    dummies = pd.get_dummies(frame[["unit", "time"]].astype(str), drop_first=True, dtype=float)
    events = np.column_stack([(since == k).astype(float) for k in ks])
    x = sm.add_constant(np.column_stack([events, dummies]))
    how = {"groups": groups, "use_correction": False}
    fit = sm.OLS(frame["y"].to_numpy(), x).fit(cov_type="cluster", cov_kwds=how)
    k = len(ks) + 1
    return fit.params[1:k], fit.cov_params()[1:k, 1:k]


def test_without_noise_it_is_the_path_of_effects():
    study = event_study(draw(noise=0.0), *COLUMNS)
    assert list(study) == [-4, -3, -2, 0, 1, 2, 3]
    for k, e in study.items():
        assert e.value == pytest.approx(max(k + 1, 0), abs=1e-10)
        assert e.estimand == f"effect at {k:+d}"


def test_a_drift_of_the_treated_shows_before_and_biases_after():
    study = event_study(draw(noise=0.0, drift=0.3), *COLUMNS)
    for k, e in study.items():
        assert e.value == pytest.approx(max(k + 1, 0) + 0.3 * (k + 1), abs=1e-10)


def test_two_times_are_difference_in_differences():
    frame = draw(times=2, starts=(1,))
    (e,) = event_study(frame, *COLUMNS).values()
    now = (frame["time"] >= frame["first"]).astype(int)
    f = did(frame.assign(now=now), "y", "unit", "time", "now")
    assert e.value == pytest.approx(f.value, rel=1e-10)
    assert (e - f).se == pytest.approx(0, abs=1e-12)


def test_started_together_the_mean_over_all_times_after_less_before_is_did():
    # Balanced, one start: two-way fixed effects take the mean after minus the mean before.
    frame = draw(seed=3)
    study = event_study(frame, *COLUMNS)
    after = sum(study[k] for k in range(4)) / 4
    before = sum(study[k] for k in (-4, -3, -2)) / 4  # the reference counts as zero
    now = (frame["time"] >= frame["first"]).astype(int)
    e = did(frame.assign(now=now), "y", "unit", "time", "now")
    assert (after - before).value == pytest.approx(e.value, rel=1e-10)
    assert (after - before).se == pytest.approx(e.se, rel=1e-10)


@pytest.mark.parametrize("keep", [1.0, 0.8], ids=["balanced", "unbalanced"])
@pytest.mark.parametrize("cluster", [None, "region"])
def test_agrees_with_least_squares_on_dummies(keep, cluster):
    frame = draw(n=120, starts=(3, 4, 6), seed=1).assign(region=lambda f: f["unit"] // 2 % 15)
    frame = frame[np.random.default_rng(5).random(len(frame)) < keep]
    study = event_study(frame, *COLUMNS, cluster=cluster)
    labels = pd.factorize(frame[cluster or "unit"])[0]
    value, cov = by_dummies(frame, list(study), labels)
    g = labels.max() + 1
    assert [e.value for e in study.values()] == pytest.approx(value, rel=1e-9, abs=1e-10)
    ours = [e.se for e in study.values()]
    assert ours == pytest.approx(np.sqrt(np.diag(cov) * g / (g - 1)), rel=1e-9)
    assert {e.dof for e in study.values()} == {g - 1}


def test_never_may_be_nan_none_na_or_after_the_end():
    frame = draw()
    study = event_study(frame, *COLUMNS)
    gone = frame["first"].isna()
    for never in (None, pd.NA, 99):
        other = frame.assign(first=frame["first"].astype("Int64").astype(object))
        other.loc[gone, "first"] = never
        same = event_study(other, *COLUMNS)
        assert [e.value for e in same.values()] == [e.value for e in study.values()]


def test_castle_doctrine_by_the_year_the_law_took_effect():
    # Cheng and Hoekstra (2013) data; lag0 marks the year. As by dummies in statsmodels.
    frame = datasets.load("castle")
    first = frame[frame["lag0"] == 1].set_index("sid")["year"]
    frame = frame.assign(first=frame["sid"].map(first))
    few = r"3 of 14 effects rest on fewer than 5 treated clusters \(at -9, -8, \+5\)"
    with pytest.warns(UserWarning, match=few):
        study = event_study(frame, "l_homicide", "sid", "year", "first")
    assert list(study) == [k for k in range(-9, 6) if k != -1]
    said = "the standard error is too small: it rests on {} of 21 treated clusters"
    noted = {k: e.notes[0] for k, e in study.items() if e.notes}
    assert noted == {-9: said.format(1), -8: said.format(3), 5: said.format(3)}
    plain = frame.rename(columns={"sid": "unit", "year": "time", "l_homicide": "y"})
    value, _ = by_dummies(plain, list(study), pd.factorize(plain["unit"])[0])
    assert [e.value for e in study.values()] == pytest.approx(value, rel=1e-8)
    assert len(compare(*study.values())) == 14


# --- the test of the times before ---


def test_the_joint_test_is_hotelling_on_the_unit_sums():
    frame = draw(seed=2, drift=0.1)
    study = event_study(frame, *COLUMNS)
    check = pretrend_test(study)
    labels = frame["unit"].to_numpy()
    value, cov = by_dummies(frame, list(study), labels)
    b, v = value[:3], cov[:3, :3] * 40 / 39
    t2 = b @ np.linalg.inv(v) @ b
    p = scipy.stats.f.sf((40 - 3) / (3 * 39) * t2, 3, 37)
    assert f"p = {p:.3f}" in check.sentence
    assert check.passed == (p >= 0.05)
    assert list(check.table["k"]) == list(study)


def test_in_a_panel_of_two_times_before_hotelling_is_the_t_test():
    study = event_study(draw(times=4, starts=(2,), seed=4), *COLUMNS)
    e = study[-2]
    p = 2 * scipy.stats.t.sf(abs(e.value / e.se), e.dof)
    assert f"p = {p:.3f}" in pretrend_test(study).sentence


def test_alarms_and_power_are_as_stated():
    # 40 units, four times before, seed fixed before looking: one false alarm in twenty, and the
    # drift that the test calls findable (its mean over draws, here) found about four times in five.
    runs = 250
    checks = [pretrend_test(event_study(draw(seed=k), *COLUMNS)) for k in range(runs)]
    alarms = sum(not c.passed for c in checks)
    low, high = scipy.stats.binom.interval(0.999, runs, 0.05)
    assert low <= alarms <= high
    drifts = [c.table.set_index("k")["drift"] for c in checks]
    drift = float(np.mean([d[0] for d in drifts]))
    found = sum(
        not pretrend_test(event_study(draw(seed=k, drift=drift), *COLUMNS)).passed
        for k in range(runs, 2 * runs)
    )
    low, high = scipy.stats.binom.interval(0.999, runs, 0.8)
    assert low <= found <= high, found
    assert drifts[0][-4] == pytest.approx(-3 * drifts[0][0])
    assert drifts[0][3] == pytest.approx(4 * drifts[0][0])


def test_with_one_time_before_there_is_nothing_to_test():
    check = pretrend_test(event_study(draw(times=3, starts=(1,)), *COLUMNS))
    assert check.passed is None
    assert not check
    assert "nothing to test" in check.sentence


def test_without_errors_the_test_says_so():
    check = pretrend_test(event_study(draw(n=2, times=4, starts=(2,)), *COLUMNS))
    assert check.passed is None
    assert "no standard errors" in check.sentence


def test_effects_that_all_treated_units_carry_are_not_called_thin():
    study = event_study(draw(n=6, starts=(4,)), *COLUMNS)  # three treated, all of them at each time
    assert all(e.notes == () for e in study.values())


def test_one_treated_state_fails_a_test_that_knows_nothing_of_its_chance():
    frame = datasets.load("organ_donations")
    first = frame["State"].map({"California": 4})
    with pytest.warns(UserWarning, match=r"1\.1 effective clusters of 27"):
        study = event_study(frame.assign(first=first), "Rate", "State", "Quarter_Num", "first")
    assert not pretrend_test(study).passed


# --- refusals ---


def refused(message, frame, cluster=None):
    before = frame.copy()
    with pytest.raises(ValueError, match=message):
        event_study(frame, *COLUMNS, cluster=cluster)
    pd.testing.assert_frame_equal(frame, before)


def test_refuses_starts_that_mean_nothing():
    good = draw()
    refused("first is at or before the first time 0 for 20 of 40", good.fillna({"first": 0}))
    refused("first is missing everywhere", good.assign(first=np.nan))
    refused("first is after the last time 7 for all", good.assign(first=99))
    refused("whole numbers", good.assign(first=good["first"] + 0.5))
    refused("whole numbers", good.assign(time=good["time"] + 0.5))
    refused("first changes within 20 of 40 units", good.assign(first=good["first"] + good["time"]))
    refused("first holds .* not numbers", good.assign(first="spring"))
    refused("time holds .* not numbers", good.assign(time=good["time"].astype(str)))
    refused("first is NaN or infinite", good.assign(first=np.inf))
    gaps = good.assign(time=10 * good["time"], first=10 * good["first"])
    refused("no unit is seen in the period before", gaps)


def test_refuses_a_panel_without_never_treated_units():
    refused("leaves no unit untreated throughout", draw(starts=(3, 5)).dropna())


def test_refuses_what_did_refuses():
    good = draw()
    refused("frame has no column 'first'", good.drop(columns="first"))
    refused("NaN or infinite", good.assign(y=np.nan))
    refused("rows too many", pd.concat([good, good]))
    refused("changes within", good.assign(region=good["time"]), "region")
    refused("has one group", good.assign(region=1), "region")


def test_the_test_refuses_what_is_no_study():
    study = event_study(draw(), *COLUMNS)
    for wrong in ([1], {}, {0: 1.0}, {k: e for k, e in study.items() if k < 0}):
        with pytest.raises(ValueError, match="study"):
            pretrend_test(wrong)
    changes = group_time_att(draw(), *COLUMNS).dynamic()
    with pytest.raises(ValueError, match="study has an estimate at -1, the reference"):
        pretrend_test(changes)
    with pytest.raises(ValueError, match=r"level is 95"):
        pretrend_test(study, level=95)
    wide = draw(n=60, times=16, starts=(14,)).assign(region=lambda f: f["unit"] // 10)
    study = event_study(wide, *COLUMNS, cluster="region")
    with pytest.raises(ValueError, match="13 placebos and 6 clusters"):
        pretrend_test(study)
