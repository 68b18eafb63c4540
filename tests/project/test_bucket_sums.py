"""Estimates added up in an engine: equal to those from the rows, on three engines, and refused."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook import contrast, mean_of
from causalbook.case_study import collect, funnel_shop
from causalbook.estimators import Log, difference_in_means, dr, ips, snips
from causalbook.potential_outcomes import ab_test, cuped
from causalbook.project import (
    TablePolicy,
    Warehouse,
    add_sums,
    arm_sums,
    bucket_cuped,
    bucket_difference,
    bucket_dr,
    bucket_ips,
    bucket_of,
    bucket_snips,
    policy_sums,
    shop_context,
    shop_tables,
)

CONTEXTS, K = ["cold", "warm"], 3
OLD = TablePolicy({"cold": [0.5, 0.3, 0.2], "warm": [0.2, 0.2, 0.6]})
NEW = TablePolicy({"cold": [0.1, 0.8, 0.1], "warm": [0.7, 0.0, 0.3]})
Q = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])  # wrong on purpose


@pytest.fixture(scope="module")
def w():
    with Warehouse() as warehouse:
        yield warehouse


def rounds(seed, n=3_000, users=800):
    """A log in which users come again, money is won and lost, and some buckets are empty."""
    rng = np.random.default_rng(seed)
    user = rng.integers(users, size=n)
    bucket = np.random.default_rng(9).integers(4_096, size=users)[user]
    context = np.array(CONTEXTS)[rng.integers(2, size=n)]
    pi = OLD.of(context)
    action = (pi.cumsum(axis=1) <= rng.random((n, 1))).sum(axis=1)
    reward = rng.normal(size=users)[user] + action + rng.normal(size=n)
    frame = {"user": user, "bucket": bucket, "context": context, "action": action}
    return pd.DataFrame(frame | {"reward": reward, "pscore": pi[np.arange(n), action]})


def in_memory(frame, cluster="bucket"):
    log = Log(frame["action"], frame["reward"], frame["pscore"], cluster=frame[cluster])
    pi, q = NEW.of(frame["context"]), Q[(frame["context"] == "warm").astype(int)]
    return ips(log, pi), snips(log, pi), dr(log, pi, q)


def same(a, b, tolerance=1e-10):
    assert math.isclose(a.value, b.value, rel_tol=tolerance, abs_tol=tolerance)
    assert math.isclose(a.se, b.se, rel_tol=tolerance)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_the_values_and_clustered_errors_are_those_of_the_rows(w, seed):
    frame = rounds(seed)
    sums = policy_sums(w, w.bring(frame), NEW.frame(Q))
    found = bucket_ips(sums), bucket_snips(sums), bucket_dr(sums)
    for here, there in zip(found, in_memory(frame), strict=True):
        same(here, there)
        assert (here.estimand, here.method) == (there.estimand, there.method)
        assert here.notes[0] == there.notes[0]
        assert here.n == 4_096


def test_the_sums_of_a_log_that_fits_on_paper(w):
    # bucket, context, action, reward, pscore; the target shows action 1 where it is cold.
    told = [
        (7, "cold", 1, Fraction(3), Fraction(1, 4)),
        (7, "warm", 0, Fraction(-2), Fraction(1, 2)),
        (9, "cold", 0, Fraction(5), Fraction(3, 4)),
    ]
    frame = pd.DataFrame(told, columns=["bucket", "context", "action", "reward", "pscore"])
    frame = frame.astype({"reward": float, "pscore": float})
    pi = TablePolicy({"cold": [0.0, 1.0], "warm": [0.5, 0.5]})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        sums = policy_sums(w, w.bring(frame), pi.frame([[1.0, 2.0], [4.0, 8.0]]))
    assert (
        "1 pairs of context and action that were never logged (first: 1 where 'warm'), 16.7%"
        in str(told[-1].message)
    )
    assert len(sums) == 4_096
    assert (sums.drop(index=[7, 9]).to_numpy() == 0).all()
    # weights 4, 1, 0; d = 2 + 4 (3 - 2), 6 + (-2 - 4), 2 + 0
    expected = {"n": (2, 1), "w": (5, 0), "wr": (10, 0), "dr": (6, 2), "ww": (17, 0)}
    expected |= {"size": (14, 0), "square": (148, 0), "top": (4, 0)}
    for name, values in expected.items():
        assert tuple(sums.loc[[7, 9], name]) == values
    with pytest.warns(UserWarning, match="rests on 1.3 effective rewarded rounds"):
        estimate = bucket_ips(sums)
    assert estimate.value == pytest.approx(10 / 3)
    # residuals of the buckets: 10 - 2 V and 0 - V
    assert estimate.se == pytest.approx(math.sqrt((10 - 20 / 3) ** 2 + (10 / 3) ** 2) / 3)
    with pytest.warns(UserWarning, match="effective sample size 1 of 3"):
        assert bucket_snips(sums).value == pytest.approx(2)
    with pytest.warns(UserWarning, match="rests on"):
        assert bucket_dr(sums).value == pytest.approx(8 / 3)


def test_the_warehouse_does_both_steps(w):
    frame = rounds(4)
    table = w.bring(frame)
    for method, there in zip((w.ips, w.snips, w.dr), in_memory(frame), strict=True):
        same(method(table, NEW.frame(Q)), there)
    with pytest.raises(ValueError, match="table has no column 'reward'"):
        w.ips("impressions", NEW.frame())


def test_two_methods_on_one_scan_are_compared_on_the_same_rows(w):
    frame = rounds(5)
    sums = policy_sums(w, w.bring(frame), NEW.frame(Q))
    by_ips, _, by_dr = in_memory(frame)
    same(contrast(bucket_ips(sums), bucket_dr(sums)), contrast(by_ips, by_dr))


def test_days_add_up(w):
    frame = rounds(6)
    parts = [policy_sums(w, w.bring(frame[i::3]), NEW.frame(Q)) for i in range(3)]
    total = add_sums(*parts)
    whole = policy_sums(w, w.bring(frame), NEW.frame(Q))
    pd.testing.assert_frame_equal(total, whole, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match=r"sums have the columns n, w, .* and n, w, "):
        add_sums(whole, whole.drop(columns="dr"))
    with pytest.raises(ValueError, match="sums have the columns none"):
        add_sums()
    other = policy_sums(w, w.bring(frame), NEW.explore(0.1).frame(Q))
    with pytest.raises(ValueError, match="made for different targets"):
        add_sums(whole, other)


def experiment(seed, n=4_000, users=600, shift=0.0):
    rng = np.random.default_rng(seed)
    user = rng.integers(users, size=n)
    arm, taste = rng.integers(2, size=users), rng.normal(size=users)
    x = shift + taste[user] + 0.5 * rng.normal(size=n)
    y = taste[user] * (1 + arm[user]) + 0.3 * arm[user] + rng.normal(size=n)
    bucket = rng.integers(4_096, size=users)[user]
    return pd.DataFrame({"bucket": bucket, "arm": arm[user], "y": y, "x": x, "user": user})


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arms_are_compared_as_on_the_rows_whatever_the_zero_of_the_covariate(w, seed, shift):
    frame = experiment(seed, shift=shift)
    table, tolerance = w.bring(frame.drop(columns="user")), 1e-9 if shift else 1e-10
    plain = w.difference_in_means(table, y="y", a="arm")
    there = difference_in_means(frame["y"], frame["arm"], cluster=frame["bucket"])
    same(plain, there)
    assert (plain.dof, plain.estimand) == (there.dof, there.estimand)
    sharper, rows = (
        w.cuped(table, y="y", a="arm", x="x"),
        cuped(frame["y"], frame["arm"], frame["x"]),
    )
    assert sharper.value == pytest.approx(rows.value, rel=tolerance)
    assert sharper.notes[0] == rows.notes[0]
    # The slope, by regressing the residuals of the arms, with each arm's weight.
    centred = frame[["y", "x"]] - frame.groupby("arm")[["y", "x"]].transform("mean")
    n = frame.groupby("arm")["y"].transform("size")
    weight = 1 / (n * (n - 1))
    theta = (weight * centred["x"] * centred["y"]).sum() / (weight * centred["x"] ** 2).sum()
    left = frame["y"] - theta * (frame["x"] - frame["x"].mean())
    same(sharper, ab_test(left, frame["arm"], cluster=frame["bucket"]), 1e-9)
    assert sharper.se < plain.se


def test_by_bucket_the_error_is_that_by_user_up_to_chance():
    # Sums over 4,096 buckets and sums over 30,000 users estimate one variance: their ratio strays
    # by about sqrt(2 / 4096), and is right on average.
    rng, ratios = np.random.default_rng(11), []
    for _ in range(40):
        visits = rng.choice([1, 10, 100], p=[0.7, 0.2, 0.1], size=30_000)
        bucket = rng.integers(4_096, size=len(visits))
        total = rng.binomial(visits, rng.beta(2, 3, size=len(visits)))
        residual = total - total.sum() / visits.sum() * visits
        by_bucket = np.bincount(bucket, weights=residual, minlength=4_096)
        ratios.append(math.sqrt((by_bucket @ by_bucket) / (residual @ residual)))
    off = np.array(ratios) - 1
    assert abs(off.mean()) < 4 / math.sqrt(2 * 4_096 * 40)
    assert 0.5 < off.std() * math.sqrt(2 * 4_096) < 1.6
    assert np.abs(off).max() < 5 / math.sqrt(2 * 4_096)


def test_a_mean_over_buckets_counts_how_unequal_they_are(w):
    # A million rounds that are rewarded half of the time, from users who differ in how often they
    # come: the mean of the bucket sums, over the mean size, varies with the sizes as well.
    rng, values = np.random.default_rng(12), []
    for _ in range(300):
        size = np.bincount(
            rng.integers(4_096, size=4_000),
            weights=rng.choice([1, 100], size=4_000),
            minlength=4_096,
        )
        rewarded = rng.binomial(size.astype(int), 0.5)
        values.append(rewarded.sum() / size.sum())
    spread = np.std(values)
    sums = pd.DataFrame({"n": size, "w": size, "wr": rewarded, "ww": size, "size": rewarded})
    sums = sums.assign(square=rewarded, top=1.0).rename_axis("bucket")
    wrong = mean_of(rewarded / size.mean(), estimand="value", method="mean of the sums")
    assert wrong.value == pytest.approx(bucket_ips(sums).value)
    assert bucket_ips(sums).se == pytest.approx(spread, rel=0.2)
    assert wrong.se > 10 * spread


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"reward": np.nan}, r"reward is missing, NaN or infinite in 2 of 3,000 rows"),
        ({"reward": np.inf}, r"reward is missing, NaN or infinite in 2 of 3,000 rows"),
        ({"pscore": np.nan}, r"pscore is missing, NaN or infinite in 2 of 3,000 rows"),
        ({"pscore": 0.0}, r"pscore is 0 or negative in 2 of 3,000 rows"),
        ({"pscore": -0.1}, r"pscore is 0 or negative in 2 of 3,000 rows"),
        ({"pscore": 20.0}, r"pscore is above 1 in 2 of 3,000 rows"),
        ({"action": 5}, r"target has no row for the context and action of 2 of 3,000 rows"),
        ({"context": "hot"}, r"target has no row for the context and action of 2 of 3,000 rows"),
        ({"bucket": 4_096}, r"bucket is not a whole number from 0 to 4,095 in 2 of 3,000 rows"),
        ({"bucket": -1}, r"bucket is not a whole number from 0 to 4,095 in 2 of 3,000 rows"),
    ],
)
def test_what_is_wrong_with_the_rows_is_counted_and_refused(w, change, match):
    frame = rounds(1)
    for name, value in change.items():
        frame.loc[[4, 44], name] = value
    with pytest.raises(ValueError, match=match):
        w.ips(w.bring(frame), NEW.frame())


def test_gaps_in_the_engine_are_counted_too(w):
    table = w.bring(rounds(1))
    for name, match in {
        "reward": r"reward is missing, .* in 1,\d+ of 3,000 rows",
        "pscore": r"pscore is missing, .* in 1,\d+ of 3,000 rows",
        "action": r"target has no row for the context and action of 1,\d+ of 3,000 rows",
        "context": r"target has no row for the context and action of 1,\d+ of 3,000 rows",
        "bucket": r"bucket is not a whole number .* in 1,\d+ of 3,000 rows",
    }.items():
        holes = table.mutate(**{name: (table["reward"] > 1).ifelse(table[name], None)})
        with pytest.raises(ValueError, match=match):
            w.ips(holes, NEW.frame())
    with pytest.raises(ValueError, match="bucket is not a whole number"):
        w.arm_sums(table.filter(table["reward"] > 1e9), y="reward", a="action")


def test_a_key_of_another_kind_and_a_weighted_reward_beyond_all_floats_are_named(w):
    frame, target = rounds(1), NEW.frame()
    for table, goal, match in (
        (frame.astype({"action": str}), target, "action is a text in the table and a number in t"),
        (frame, target.astype({"action": str}), "action is a number in the table and a text in t"),
        (frame.assign(context=1), target, "context is a number in the table and a text in target"),
        (frame.assign(reward=1e308, pscore=1e-3), target, "reward divided by pscore is too large"),
    ):
        with pytest.raises(ValueError, match=match):
            w.ips(w.bring(table), goal)


def test_an_exact_one_is_a_propensity_and_a_little_more_is_rounding(w):
    frame = rounds(1).assign(pscore=1 + 5e-7)
    assert w.snips(w.bring(frame), NEW.frame()).value == pytest.approx(
        np.average(
            frame["reward"], weights=NEW.of(frame["context"])[np.arange(3_000), frame["action"]]
        )
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.drop(columns="pi"), "target has no column 'pi'"),
        (lambda t: t["pi"], "target is a Series: pass a DataFrame"),
        (
            lambda t: t.assign(pi=[0.1, 0.8, 0.1, 0.7, 0.0, 0.2]),
            r"in 1 of 2 contexts .*'warm'.* 0.9",
        ),
        (
            lambda t: t.assign(pi=[0.1, 1.0, -0.1, 0.7, 0.0, 0.3]),
            r"negative in 1 of 6 rows .first: 2",
        ),
        (lambda t: t.assign(pi=np.nan), r"pi is NaN or infinite in 6 of 6 rows"),
        (lambda t: t.assign(q=np.inf), r"q is NaN or infinite in 6 of 6 rows"),
        (lambda t: t.assign(action=[0, 1, 1, 0, 1, 2]), r"repeats a pair in 1 of 6 rows .first: 2"),
        (lambda t: t.replace({"context": {"cold": None}}), r"misses a context .* in 3 of 6 rows"),
    ],
)
def test_what_is_no_policy_is_refused(w, change, match):
    table, target = w.bring(rounds(1)), NEW.frame(Q)
    with pytest.raises(ValueError, match=match):
        w.dr(table, change(target))


def test_what_the_log_cannot_speak_of_is_refused_as_in_memory(w):
    frame = rounds(1).query("action != 1")
    with pytest.raises(ValueError, match=r"wants 1 actions that were never logged .first: .1.."):
        w.ips(w.bring(frame), NEW.frame())
    only = TablePolicy({"cold": [0, 1, 0], "warm": [0, 1, 0]})
    frame = rounds(1).query("action != 1 or context == 'warm'").assign(context="cold")
    never = frame.assign(action=frame["action"].replace({1: 0}))
    with pytest.raises(ValueError, match="wants 1 actions that were never logged"):
        w.ips(w.bring(never), only.frame())
    gone = policy_sums(w, w.bring(frame), only.frame()).assign(w=0.0)
    with pytest.raises(ValueError, match="every logged action probability 0"):
        bucket_ips(gone)
    with pytest.raises(ValueError, match="sums have no column 'dr'"):
        bucket_dr(gone)


@pytest.mark.parametrize("peek", [1, 2_000, 10**6])
def test_where_the_first_look_ends_changes_nothing(w, monkeypatch, peek):
    # In this order the first rows show one pair only, and the last one alone its own.
    monkeypatch.setattr("causalbook.project.bucket_sums.PEEK", peek)
    frame = rounds(1).sort_values(["context", "action"], ascending=False, ignore_index=True)
    frame = pd.concat(
        [frame.query("context == 'warm' or action != 1"), frame[-1:].assign(action=1)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w.policy_sums(w.bring(frame), NEW.frame())
    visits = frame["context"][:-1].value_counts(normalize=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        w.policy_sums(w.bring(frame[:-1]), NEW.frame())
    share = 100 * 0.8 * visits["cold"]
    said = str(told[-1].message)
    assert "1 pairs of context and action that were never logged (first: 1 where 'cold')" in said
    assert f", {share:.3g}% of its mass" in said
    with pytest.raises(ValueError, match=r"wants 1 actions that were never logged .first: .1.."):
        w.policy_sums(w.bring(frame.query("action != 1")), NEW.frame())


def test_a_context_without_visits_is_no_gap(w):
    frame = rounds(1).query("context == 'cold'")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert w.ips(w.bring(frame), NEW.frame()).value == pytest.approx(
            in_memory(frame)[0].value, rel=1e-12
        )


def test_what_is_no_experiment_is_refused(w):
    frame = experiment(1).drop(columns="user")
    named = {"y": "y", "a": "arm", "x": "x"}
    for column, value, match in (
        ("arm", 2, r"a \('arm'\) is neither 0 nor 1 in 2 of 4,000 rows"),
        ("y", np.nan, r"y \('y'\) is missing, NaN or infinite in 2 of 4,000 rows"),
        ("x", np.inf, r"x \('x'\) is missing, NaN or infinite in 2 of 4,000 rows"),
    ):
        bad = frame.copy()
        bad.loc[[3, 33], column] = value
        with pytest.raises(ValueError, match=match):
            w.cuped(w.bring(bad), **named)
    table = w.bring(frame)
    holes = table.mutate(y=(table["x"] > 0).ifelse(table["y"], None))
    with pytest.raises(ValueError, match=r"y \('y'\) is missing, .* in [12],\d+ of 4,000 rows"):
        w.difference_in_means(holes, y="y", a="arm")
    with pytest.raises(ValueError, match="table has no column 'spent': its columns are 'bucket'"):
        w.difference_in_means(table, y="spent", a="arm")
    with pytest.raises(ValueError, match="table is a DataFrame: pass an Ibis table"):
        arm_sums(w, frame, y="y", a="arm")
    one = arm_sums(w, w.bring(frame.query("arm == 1 or bucket == bucket.max()")), **named)
    with pytest.raises(ValueError, match=r"rows with a = 0 in [01] buckets: each arm needs two"):
        bucket_difference(one)
    with pytest.raises(ValueError, match="sums have no column 'x'"):
        bucket_cuped(one.drop(columns="x"))
    still = arm_sums(w, w.bring(frame.assign(x=frame["arm"] * 3.0)), **named)
    with pytest.raises(ValueError, match="x is constant within each arm"):
        bucket_cuped(still)
    moved = arm_sums(w, w.bring(frame.assign(x=frame["x"] + 2 * frame["arm"])), **named)
    with pytest.warns(UserWarning, match=r"x differs between the arms by \d\d standard errors"):
        bucket_cuped(moved)


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("server", ["postgres_url", "spark_url"])
def test_on_servers_the_same_program_gives_the_same_numbers(server, request, w, tmp_path):
    log, units, target = rounds(21), experiment(22).drop(columns="user"), NEW.frame(Q)
    log.to_parquet(tmp_path / "log.parquet", index=False)

    def estimates(place):
        read = place.bring(log) if "postgresql" in repr(place) else place.files(tmp_path)
        sums = place.policy_sums(read, target)
        arms = place.arm_sums(place.bring(units), y="y", a="arm", x="x")
        found = [bucket_ips(sums), bucket_snips(sums), bucket_dr(sums)]
        return [*found, bucket_difference(arms), bucket_cuped(arms)]

    with Warehouse(request.getfixturevalue(server)) as other:
        for there, here in zip(estimates(other), estimates(w), strict=True):
            same(there, here, 1e-9)
            assert there.notes == here.notes
        if server == "postgres_url":
            with pytest.raises(ValueError, match="PostgreSQL reads no parquet files"):
                other.files(tmp_path)
        else:  # the target goes to the log: no row of the log travels to be joined
            both = other.files(tmp_path).left_join(other.bring(target), ["context", "action"])
            engine = other._engine
            plan = engine.session.sql(engine.ibis.compile(both))._jdf.queryExecution()
            assert "BroadcastHashJoin" in plan.executedPlan().toString()
        # No engine divides by zero before the row is counted and refused.
        log.loc[5, "pscore"] = 0.0
        with pytest.raises(ValueError, match="pscore is 0 or negative in 1 of 3,000 rows"):
            other.ips(other.bring(log), target)


def test_from_the_five_tables_of_the_shop_comes_what_its_log_says(w):
    # The whole way: visits, ingested into tables, joined to rounds and added up, against the log.
    world = funnel_shop(2_000, seed=4)
    context = shop_context(world.data)
    half = np.r_[0.5, np.full(5, 0.1)]
    old = TablePolicy(dict.fromkeys(sorted(set(context)), half))
    new = TablePolicy({x: np.r_[0.2, np.full(5, 0.16)] for x in old.contexts})
    log = collect(world, old.of(context), seed=4)
    for table, frame in shop_tables(world, log, policy=old.version).items():
        assert not w.ingest(table, frame).quarantined
    here = w.snips(w.rounds("purchase", window=7), new.frame())
    memory = Log(log["shelf"], log["purchase"], log["pscore"], cluster=bucket_of(log["user"]))
    same(here, snips(memory, new.of(context)))
    assert here.notes[1].startswith("2,000 rows, summed in 1,")
