"""The steps of a run one by one, each against plain pandas or an exact number."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causalbook import Estimate
from causalbook.estimators import Log, dr
from causalbook.project import (
    Learned,
    RunConfig,
    TablePolicy,
    Warehouse,
    check_log,
    estimate_effect,
    halves,
    identify_effect,
    old_policy,
    recommend_items,
    reward_rounds,
    simulate_log,
    simulate_test,
)
from causalbook.project.item_lists import shelf_names
from causalbook.project.steps import (
    Test,
    analyse_test,
    check_balance,
    choose_policy,
    judge,
    logged_value,
    plan_test,
    shown_in_test,
)

CONFIG = RunConfig(users=5000, seed=11)
SHELVES = ["", "Action", "Comedy", "Documentary", "Drama", "Horror"]


@pytest.fixture(scope="module")
def tables():
    return simulate_log(CONFIG)


@pytest.fixture(scope="module")
def w(tables):
    with Warehouse() as warehouse:
        for name, table in tables.items():
            warehouse.ingest(name, table)
        yield warehouse


@pytest.fixture(scope="module")
def rounds(tables):
    """The same rounds by pandas: what was bought within the window, and what it is worth."""
    shown, came = tables["impressions"], tables["outcomes"]
    bought = came[came["kind"] == "purchase"].merge(shown, on="impression", suffixes=("", "_shown"))
    soon = bought[bought["at"] <= bought["at_shown"] + pd.Timedelta(days=CONFIG.window)]
    value = soon.groupby("impression")["value"].sum().reindex(shown["impression"]).fillna(0)
    last = max(shown["at"].max(), came["at"].max())
    log = shown.assign(bought=(value > 0).to_numpy(float), value=value.to_numpy())
    log["reward"] = CONFIG.margin * log["value"] - CONFIG.cost * (log["action"] > 0)
    log = log[log["at"] + pd.Timedelta(days=CONFIG.window) <= last]
    return log.merge(tables["users"][["user", "past"]], on="user").sort_values("impression")


@pytest.fixture(scope="module")
def learned(rounds):
    contexts = sorted(set(rounds["context"]))
    rng = np.random.default_rng(2)
    share = rounds["context"].value_counts(normalize=True)[contexts].to_numpy()
    bought, profit = rng.random((len(contexts), 6)), rng.normal(size=(len(contexts), 6))
    return Learned(contexts, bought, profit, share, 0.4)


def test_the_reward_is_margin_times_value_less_the_cost_of_a_filled_slot(w, rounds):
    found = w.read(reward_rounds(w, CONFIG)).sort_values("impression")
    assert list(found["impression"]) == list(rounds["impression"])
    for name in ("reward", "bought"):
        assert np.allclose(found[name], rounds[name], rtol=0, atol=1e-12)
    value = logged_value(w, reward_rounds(w, CONFIG))
    assert value.value == pytest.approx(rounds["reward"].mean(), rel=1e-10)


def test_the_two_halves_share_no_user_and_lose_none(w):
    teach, judge_ = (set(w.read(half)["user"]) for half in halves(reward_rounds(w, CONFIG)))
    assert not teach & judge_
    assert len(teach | judge_) == len(w.read(reward_rounds(w, CONFIG)))


def test_the_weights_of_each_action_are_counted_as_pandas_counts_them(w, rounds):
    found = check_log(w, reward_rounds(w, CONFIG), 0.0).set_index("action")
    for action, own in rounds.groupby("action"):
        weight = np.where(rounds["action"] == action, 1 / rounds["pscore"], 0.0)
        row = found.loc[action]
        assert row["rows"] == len(own)
        assert row["smallest"] == own["pscore"].min()
        assert row["mean"] == pytest.approx(weight.mean(), rel=1e-10)
        assert row["se"] == pytest.approx(weight.std() / len(rounds) ** 0.5, rel=1e-10)


def test_the_effect_is_that_of_the_rows_in_memory(w, rounds, learned):
    log = Log(rounds["action"], rounds["reward"], rounds["pscore"])
    at = pd.Index(learned.contexts).get_indexer(rounds["context"])
    always = [np.eye(6)[learned.favourite[at]], np.eye(6)[np.zeros(len(at), dtype=int)]]
    with warnings.catch_warnings():  # favourites at random rest on few rounds, and both say so
        warnings.simplefilter("ignore", UserWarning)
        found = estimate_effect(w, reward_rounds(w, CONFIG), identify_effect(CONFIG), learned)
        full, empty = (dr(log, pi, learned.profit[at]) for pi in always)
    assert found.value == pytest.approx((full - empty).value, rel=1e-9)
    assert found.se == pytest.approx((full - empty).se, rel=0.1)  # buckets hold one user or two
    assert found.estimand == "ATE"


def test_the_balance_is_that_of_the_rows_in_memory(w, rounds):
    found = check_balance(w, reward_rounds(w, CONFIG)).set_index("before the slot")
    arm, weight = (rounds["action"] > 0).to_numpy(), 1 / rounds["pscore"].to_numpy()
    for name in ("past", "buys", "Drama"):
        has = rounds["context"].str.split().map(lambda words, name=name: name in words)
        x = (rounds["past"] if name == "past" else has).to_numpy(float)
        plain = x[arm].mean() - x[~arm].mean()
        weighted = np.average(x[arm], weights=weight[arm])
        weighted -= np.average(x[~arm], weights=weight[~arm])
        assert found.loc[name, "as logged"] == pytest.approx(plain / x.std(), rel=1e-9)
        assert found.loc[name, "weighted"] == pytest.approx(weighted / x.std(), rel=1e-9)


def test_shelves_are_named_by_what_stands_on_them(w):
    assert shelf_names(w) == SHELVES


def test_items_go_by_sales_within_the_shelf_of_the_largest_effect(w, tables, learned):
    policy = learned.effect_driven().explore(0.06)
    lists = recommend_items(w, policy, learned, SHELVES, 2)
    came = tables["outcomes"].query("kind == 'purchase'")
    came = came.merge(tables["impressions"], on="impression")
    sold = came["item"].value_counts()
    items = tables["items"].assign(sold=tables["items"]["item"].map(sold).fillna(0))
    for shelf, own in items.groupby("category"):
        top = own.sort_values(["sold", "item"], ascending=[False, True])["item"].head(2)
        mine = lists[lists["shelf"] == shelf]
        assert len(mine) == 0 or list(mine["item"].drop_duplicates()) == list(top)
    context = tables["impressions"].set_index("user")["context"][lists["user"]]
    at = pd.Index(learned.contexts).get_indexer(context)
    gain = learned.profit[:, 1:].max(axis=1) - learned.profit[:, 0]
    assert np.allclose(lists["gain"], gain[at], atol=1e-12)
    assert np.allclose(lists["shown"], np.where(gain[at] > 0, 0.95, 0.01), atol=1e-12)


def estimate(value, se=0.01):
    psi = np.array([1.0, -1.0]) * se * 2**0.5
    return Estimate(value, psi, "ATE", "by hand", sample="s")


def test_what_ships_what_is_kept_and_what_stays_open():
    fine = Test((500, 510), 0.75, estimate(0.05), estimate(0.0, 0.004))
    assert judge(CONFIG, fine)[0] == "ship"
    slight = Test((500, 510), 0.75, estimate(0.015), estimate(0.0, 0.004))
    assert judge(CONFIG, slight)[:2] == (
        "keep",
        "the gain may be nothing or a loss: its interval reaches zero",
    )
    lost = Test((500, 510), 0.75, estimate(0.05), estimate(-0.003, 0.004))
    assert judge(CONFIG, lost)[0] == "keep"
    assert "guard-rail" in judge(CONFIG, lost)[1]
    torn = Test((500, 700), 1e-8, estimate(0.05), estimate(0.0, 0.004))
    decision, why, money = judge(CONFIG, torn)
    assert decision == "undecided"
    assert "500 and 700 visitors" in why
    assert money.gain == pytest.approx(CONFIG.visits * 0.05)


def test_the_best_is_chosen_by_dr_and_meets_the_runner_up():
    values = {"a": {"IPS": estimate(9), "DR": estimate(1)}, "b": {"DR": estimate(3)}}
    assert choose_policy(values | {"c": {"DR": estimate(2)}}) == ("b", "c")


def test_the_size_of_the_test_follows_the_declared_effect_not_the_promise():
    """Four times the visitors for half the effect; about 2 (z + z)^2 sd^2 / effect^2 of them."""
    n = plan_test(RunConfig(effect=0.04), 1.4)
    assert n == pytest.approx(2 * (1.959964 + 0.841621) ** 2 * (1.4 / 0.04) ** 2, rel=1e-3)
    assert plan_test(RunConfig(effect=0.02), 1.4) == pytest.approx(4 * n, rel=1e-3)


def test_a_simulated_test_is_a_lottery_among_new_visitors(tables):
    contexts = sorted(set(tables["impressions"]["context"]))
    arms = [TablePolicy(dict.fromkeys(contexts, np.eye(6)[k])).explore(0.06) for k in (0, 4)]
    found = simulate_test(CONFIG, tuple(arms), 600, "t")
    drawn = found["experiments"].set_index("user")["arm"]
    shown = found["impressions"].set_index("user")
    assert len(drawn) == 1200
    assert not set(drawn.index) & set(tables["users"]["user"])
    assert abs(drawn.mean() - 0.5) < 4 * 0.5 / 1200**0.5
    for arm, policy in enumerate(arms):
        own = shown.loc[drawn.index[drawn == arm]]
        assert set(own["policy"]) == {policy.version}
        kept = policy.of(own["context"])[np.arange(len(own)), own["action"]]
        assert np.allclose(kept, own["pscore"], atol=1e-12)
    with pytest.raises(ValueError, match=r"effect is 0\.04: to find it takes"):
        simulate_test(CONFIG, tuple(arms), 2_000_000, "t")


def test_the_test_subtracts_the_cost_of_each_filled_slot(tables):
    """Two policies on one world of visitors: by pandas, from the same tables."""
    contexts = sorted(set(tables["impressions"]["context"]))
    arms = [TablePolicy(dict.fromkeys(contexts, np.eye(6)[k])).explore(0.06) for k in (0, 4)]
    found = simulate_test(CONFIG, tuple(arms), 600, "t")
    dear = RunConfig(users=5000, seed=11, margin=1e-9, cost=0.5)
    with Warehouse() as warehouse:
        for name, table in found.items():
            warehouse.ingest(name, table)
        test = analyse_test(warehouse, dear, "t")
    slots = found["impressions"].set_index("user")["action"] > 0
    arm = found["experiments"].set_index("user")["arm"]
    share = slots.groupby(arm[slots.index]).mean()
    assert sum(test.counts) == 1200
    assert abs(test.gain.value + 0.5 * (share[1] - share[0])) < 4 * test.gain.se
    assert test.gain.value < -0.4


def test_unequal_shares_are_held_against_the_plan_and_later_slots_cost_nothing(tables):
    """One visitor in four was to be in arm 1; what is shown after the window is no part of it."""
    contexts = sorted(set(tables["impressions"]["context"]))
    arms = [TablePolicy(dict.fromkeys(contexts, np.eye(6)[k])).explore(0.06) for k in (0, 4)]
    found = simulate_test(CONFIG, tuple(arms), 600, "t")
    drawn, shown = found["experiments"], found["impressions"]
    kept = (drawn["arm"] == 0) | (drawn["user"] % 3 == 0)
    arm0 = np.where(drawn["arm"] == 1, 0.25, 0.75)
    found["experiments"] = drawn.assign(share=arm0)[kept]
    late = shown.assign(
        impression=shown["impression"] + "-late", action=5, item=shown["item"].max(),
        at=shown["at"] + pd.Timedelta(days=CONFIG.window + 1), policy="later",
    )  # fmt: skip
    tests = []
    for extra in ([], [late]):
        with Warehouse() as warehouse:
            for name, table in found.items():
                more = extra if name == "impressions" else []
                warehouse.ingest(name, pd.concat([table, *more], ignore_index=True))
            both = warehouse.table("impressions").count().as_scalar()
            assert warehouse.read(both.as_table()).iloc[0, 0] == len(shown) * (1 + len(extra))
            in_test = warehouse.read(shown_in_test(warehouse, CONFIG, "t"))
            assert len(in_test) == kept.sum()
            assert set(in_test["policy"]) == {policy.version for policy in arms}
            tests.append(analyse_test(warehouse, replace(CONFIG, margin=1e-9), "t"))
    assert tests[0].counts == tests[1].counts
    assert sum(tests[0].counts) == kept.sum()
    assert tests[0].srm > 0.001
    filled = shown.set_index("user")["action"].loc[drawn["user"][kept]].to_numpy() > 0
    share = pd.Series(filled).groupby(drawn["arm"][kept].to_numpy()).mean()
    for test in tests:
        assert abs(test.gain.value + CONFIG.cost * (share[1] - share[0])) < 4 * test.gain.se


def test_the_old_rule_never_shows_anything_to_some_and_a_coin_mends_it():
    from causalbook.case_study import funnel_shop

    world = funnel_shop(2000, seed=5)
    blind, mended = (old_policy(world, share) for share in (0.0, 0.3))
    assert np.allclose(blind.sum(axis=1), 1, atol=1e-12)
    assert np.allclose(mended.sum(axis=1), 1, atol=1e-12)
    never = blind[:, 0] == 1
    assert never.mean() > 0.3
    assert blind[~never, 0].max() == 0
    assert mended.min() > 0
    assert np.allclose(mended[:, 0], 0.7 * never + 0.15, atol=1e-12)
