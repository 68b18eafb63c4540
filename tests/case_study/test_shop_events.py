"""The raw log: without dirt it is the table, with dirt each kind is counted and found again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causalbook.case_study import (
    STEPS,
    build_table,
    clean_events,
    funnel_shop,
    raw_events,
    validate,
)
from causalbook.potential_outcomes import shop

WORLD = funnel_shop(20_000, seed=3)
LOG = WORLD.data
RAW = raw_events(WORLD, seed=3)
CLEAN, REPORT = clean_events(RAW.data)
TABLE = build_table(CLEAN)


def declared(data):
    """The world's table in the types of the dictionary: an age may be missing there."""
    labels = {c: data[c].cat.add_categories("unknown") for c in ("gender", "region")}
    return data.assign(age=data["age"].astype(float), **labels)


@pytest.mark.parametrize("switches", [{}, {"confounding": 0.0}, {"hidden": 0.5}])
@pytest.mark.parametrize("seed", [0, 8])
def test_without_dirt_the_table_is_rebuilt_to_the_bit(switches, seed):
    world = funnel_shop(2000, seed=seed, **switches)
    raw = raw_events(world, dirt=0, seed=seed)
    assert not any(raw.truth.values())
    expected = declared(world.data)
    pd.testing.assert_frame_equal(build_table(raw.data), expected, check_exact=True)
    clean, report = clean_events(raw.data)
    assert not report[["changed", "aside"]].to_numpy().any()
    pd.testing.assert_frame_equal(build_table(clean), expected, check_exact=True)
    assert not validate(expected)["rows"].any()


def test_the_truth_counts_the_marked_rows():
    assert RAW.truth == {kind: RAW.potential[kind].sum() for kind in RAW.potential}
    assert len(RAW.data) == len(RAW.potential)
    assert RAW.data["received"].is_monotonic_increasing
    # Where one entry can be spoilt in one way only, the kinds exclude each other.
    for kinds in (["lost region", "region spelled"], ["local time", "wrong clock", "lost user"]):
        assert RAW.potential[kinds].sum(axis=1).max() == 1


def test_the_report_finds_each_kind_of_dirt_to_the_row():
    truth, found = RAW.truth, REPORT.set_index("step")
    aside = {"retries": "retry", "bots": "bot", "users": "lost user"}
    changed = {"genders": "gender spelled", "ages": "impossible age", "local times": "local time"}
    changed |= {"clocks": "wrong clock", "refunds": "refund"}
    for step, kind in aside.items():
        assert found.loc[step, "aside"] == truth[kind] > 50
    for step, kind in changed.items():
        assert found.loc[step, "changed"] == truth[kind] > 50
    assert found.loc["regions", "changed"] == truth["lost region"] + truth["region spelled"]
    late = pd.Timedelta(days=1)
    at = pd.to_datetime(CLEAN["at"], format="ISO8601", utc=True).dt.tz_localize(None)
    used = (CLEAN["quarantine"] == "") & (RAW.potential.sum(axis=1) - RAW.potential["late"] == 0)
    assert ((CLEAN["received"] - at > late) == RAW.potential["late"])[used].all()


def test_cleaning_gives_back_all_but_what_is_lost():
    expected = declared(LOG)
    user, mark = RAW.data["user"].to_numpy(), RAW.potential
    nowhere, ageless = (user[mark[kind]] for kind in ("lost region", "impossible age"))
    np.testing.assert_array_equal(np.flatnonzero(TABLE["region"] == "unknown"), np.sort(nowhere))
    np.testing.assert_array_equal(np.flatnonzero(TABLE["age"].isna()), np.sort(ageless))
    kept = ~TABLE["user"].isin(nowhere), ~TABLE["user"].isin(ageless)
    assert (TABLE["region"] == expected["region"])[kept[0]].all()
    assert (TABLE["age"] == expected["age"])[kept[1]].all()
    for name in LOG.columns.difference(["region", "age"]):
        same = (TABLE[name] == expected[name]) | (TABLE[name].isna() & expected[name].isna())
        others = RAW.data.loc[mark["lost user"], "device"]  # the device still tells whose they were
        assert same[~TABLE["user"].isin(others)].all(), name


def test_the_shares_are_those_declared():
    clients = RAW.data["type"].isin(["view", "cart", "purchase"])
    clients &= ~RAW.potential[["bot", "retry"]].any(axis=1)
    orders = clients & ~RAW.potential["refund"]
    of = {"lost user": orders.sum(), "impossible age": len(LOG), "late": clients.sum()}
    of |= {"gender spelled": (LOG["gender"] != "unstated").sum()}
    share = {"lost user": 0.03, "impossible age": 0.02, "gender spelled": 0.1, "late": 0.08 * 0.993}
    for kind, p in share.items():
        assert abs(RAW.truth[kind] - p * of[kind]) < 5 * np.sqrt(p * of[kind]), kind
    old = RAW.data[clients & RAW.potential["local time"]].groupby("device").ngroups
    assert abs(old / RAW.data[clients].groupby("device").ngroups - 0.3) < 0.02  # of the users


def test_retries_follow_the_slot_and_lost_regions_the_urgency():
    sent = RAW.data.loc[RAW.potential["retry"]].groupby("user").size()
    bought = RAW.data[(RAW.data["type"] == "purchase") & ~RAW.potential["refund"]]
    bought = bought[~RAW.potential["retry"][bought.index]]
    shown = LOG["recommended"].to_numpy()[bought["device"].to_numpy()]
    rate = [sent.index.isin(LOG["user"][LOG["recommended"] == k]).sum() for k in (0, 1)]
    rate = np.array(rate) / np.bincount(shown)
    assert abs(rate[0] - 0.04) < 0.02
    assert abs(rate[1] - 0.25) < 0.04
    lost = (TABLE["region"] == "unknown").groupby(WORLD.potential["urgency"]).mean()
    np.testing.assert_allclose(lost, [0.30, 0.45, 0.05], atol=0.02)


def test_the_dirt_is_blind_to_the_lottery_of_the_slot():
    lost = (TABLE["region"] == "unknown").to_numpy()
    for z, e in WORLD.potential.groupby("urgency")["propensity"]:
        chance = e.to_numpy()
        gap = LOG["recommended"].to_numpy()[e.index] - chance  # mean zero, whoever the user is
        score = gap * lost[e.index]
        assert abs(score.sum()) < 4 * np.sqrt((score**2).sum()), z


def test_less_dirt_spoils_fewer_of_the_same_rows():
    half = raw_events(WORLD, dirt=0.5, seed=3)

    def spoilt(raw, kind):
        rows = raw.data.loc[raw.potential[kind], ["device", "type", "value"]]
        return set(rows.fillna({"value": 0}).itertuples(index=False, name=None))

    for kind in RAW.potential:
        some, all_of_it = spoilt(half, kind), spoilt(RAW, kind)
        assert 0 < len(some) < len(all_of_it)
        if kind not in {"local time", "wrong clock", "late", "region spelled"}:  # others oust these
            assert some < all_of_it, kind


def test_bots_are_many_visits_of_few_devices_and_never_get_a_film():
    bots = RAW.data[RAW.potential["bot"]]
    assert (bots.groupby("device")["user"].nunique() == 100).all()
    assert (bots.groupby("device")["received"].agg(np.ptp) < pd.Timedelta(minutes=1)).all()
    slots = bots[bots["type"] == "impression"]
    assert (slots["item"] == -1).all()
    assert (slots["shelf"] == 0).all()
    assert slots[["propensity", "pscore"]].isna().all().all()
    assert not bots["type"].isin(["cart", "purchase"]).any()


def test_the_parts_of_a_longer_shop_share_no_number_and_clean_as_one():
    def part(first):
        world = funnel_shop(2000, seed=first)
        return replace(world, data=world.data.assign(user=world.data["user"] + first))

    parts = [part(first) for first in (0, 2000, 4000)]
    exact = [build_table(raw_events(world, dirt=0, seed=3).data) for world in parts]
    for world, table in zip(parts, exact, strict=True):
        pd.testing.assert_frame_equal(table, declared(world.data), check_exact=True)
    logs = [raw_events(world, seed=3) for world in parts]
    for name in ("event_id", "user", "device"):
        numbers = [set(raw.data[name].dropna()) for raw in logs]
        assert sum(map(len, numbers)) == len(set.union(*numbers)), name
    bots = pd.concat([raw.data.loc[raw.potential["bot"], "user"] for raw in logs])
    assert bots.min() > 10**9  # above all users of any part
    whole, report = clean_events(pd.concat([raw.data for raw in logs], ignore_index=True))
    counts = report.set_index("step")[["changed", "aside"]].sum(axis=1)
    kinds = {"retries": "retry", "bots": "bot", "users": "lost user", "genders": "gender spelled"}
    kinds |= {"ages": "impossible age", "clocks": "wrong clock", "local times": "local time"}
    for step, kind in kinds.items():
        assert counts[step] == sum(raw.truth[kind] for raw in logs) > 0, step
    alone = [build_table(clean_events(raw.data)[0]) for raw in logs]
    pd.testing.assert_frame_equal(build_table(whole), pd.concat(alone, ignore_index=True))


def test_parts_with_one_seed_have_dirt_of_their_own():
    moved = replace(WORLD, data=LOG.assign(user=LOG["user"] + len(LOG)))
    ages = [raw_events(world, seed=3) for world in (WORLD, moved)]
    wrong = [set(raw.data["device"][raw.potential["impossible age"]] % len(LOG)) for raw in ages]
    share = len(wrong[0] & wrong[1]) / len(wrong[0])
    assert share < 0.06  # a fiftieth, by chance


def test_a_second_draw_is_the_same_and_another_seed_is_not():
    pd.testing.assert_frame_equal(raw_events(WORLD, seed=3).data, RAW.data)
    assert raw_events(WORLD, seed=4).truth != RAW.truth


@pytest.mark.parametrize(
    ("world", "switches", "said"),
    [
        (shop(50, seed=1), {"seed": 1}, "world is no funnel shop: its potential lacks 'wait_0'"),
        (replace(WORLD, data=LOG[::-1]), {"seed": 1}, "world has users that do not run on by one"),
        (replace(WORLD, data=LOG[:50]), {"seed": 1}, "world has users that do not run on by one"),
        (WORLD, {"dirt": 1.1, "seed": 1}, "dirt is 1.1: it multiplies shares, pass 0 to 1"),
        (WORLD, {"dirt": -0.1, "seed": 1}, "dirt is -0.1"),
        (WORLD, {"dirt": float("nan"), "seed": 1}, "dirt is nan"),
        (WORLD, {"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_refusals(world, switches, said):
    with pytest.raises(ValueError, match=said):
        raw_events(world, **switches)


def test_the_steps_have_names_of_their_own():
    assert len({step.name for step in STEPS}) == len(STEPS) == len(REPORT)
