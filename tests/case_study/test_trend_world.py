"""The world of weekly sales: its truths by brute force, its switches, its refusals."""

import numpy as np
import pandas as pd
import pytest

from causalbook.case_study import item_sales
from causalbook.estimators import synthetic_control


def wide(world, column):
    frame = world.data[["item", "week"]].assign(**{column: world.potential[column].to_numpy()})
    return frame.pivot(index="item", columns="week", values=column).to_numpy()


def sales(world):
    return world.data.pivot(index="item", columns="week", values="sales").to_numpy()


def chosen(world):
    return world.data.groupby("item")["promoted"].max().to_numpy() == 1


def test_the_data_are_a_complete_panel_and_promotions_begin_together():
    data = item_sales(20, promoted=3, seed=1).data
    assert list(data) == ["item", "kind", "week", "sales", "promoted"]
    assert (data.groupby("item")["week"].apply(list).map(len) == 60).all()
    assert data.groupby("kind")["item"].nunique().eq(5).all()
    weeks = data[data["promoted"] == 1].groupby("item")["week"].agg(["min", "max"])
    assert len(weeks) == 3
    assert (weeks["min"] == 49).all()
    assert (weeks["max"] == 60).all()


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_the_effect_is_what_the_sales_feed_back(momentum):
    """Simulate an item week by week: last week's sales above the usual bring this week's."""
    world = item_sales(10, effect=8.0, momentum=momentum, seed=3)
    y0, y1, demand = (wide(world, name) for name in ("sales_0", "sales_1", "demand"))
    i = int(np.flatnonzero(chosen(world))[0])
    # b + m (y - b) is linear in b: two weeks without a promotion give b.
    for pushed, path in ((0.0, y0[i]), (8.0, y1[i])):
        own = [demand[i, 0]]
        base = 0.0
        if momentum:
            base = (demand[i, 1] + momentum * own[0] - y0[i, 1]) / momentum
        for t in range(1, 60):
            push = pushed * (t + 1 >= 49)
            own.append(demand[i, t] + push + momentum * (own[-1] - base))
        assert path == pytest.approx(own, abs=1e-9)
    effect = (y1 - y0)[:, 48:]
    assert world.truth["effect"] == pytest.approx(effect.mean(), rel=1e-12)
    assert world.truth["push"] == pytest.approx(effect[0, 0], rel=1e-12)
    assert (y1 - y0)[:, :48] == pytest.approx(0, abs=0)
    assert sales(world)[i] == pytest.approx(y1[i], rel=1e-12)


def test_the_effect_on_the_shop_is_all_that_changes():
    world = item_sales(30, promoted=4, effect=10.0, substitution=0.5, momentum=0.3, seed=2)
    change = (sales(world) - wide(world, "sales_0"))[:, 48:].sum() / (4 * 12)
    assert world.truth["effect on the shop"] == pytest.approx(change, rel=1e-9)
    assert world.truth["effect on the shop"] == pytest.approx(world.truth["effect"] / 2)
    # Only items of a promoted kind lose.
    kinds = np.arange(30) // 5
    lost = (sales(world) - np.where(chosen(world)[:, None], wide(world, "sales_1"), 0))[:, -1]
    lost -= np.where(chosen(world), 0, wide(world, "sales_0")[:, -1])
    touched = np.isin(kinds, kinds[chosen(world)])
    assert (lost[~touched] == 0).all()
    assert lost.min() < 0 <= lost.max() + 1e-9


def test_each_switch_at_zero_turns_its_thing_off_exactly():
    off = {"effect": 0.0, "trend": 0.0, "targeting": 0.0}
    plain = item_sales(20, promoted=2, seed=4, **off)
    assert np.array_equal(sales(plain), wide(plain, "demand"))
    assert np.array_equal(wide(plain, "sales_0"), wide(plain, "sales_1"))
    assert set(plain.truth.values()) == {0.0}
    # Without trends what is left of an item is its level and noise of three units.
    spread = sales(plain) - sales(plain).mean(axis=1, keepdims=True)
    assert spread.std() == pytest.approx(3, rel=0.1)
    for switch in ("season", "momentum", "substitution"):
        same = item_sales(20, promoted=2, seed=4, **off, **{switch: 0.0})
        pd.testing.assert_frame_equal(same.data, plain.data)
    season = item_sales(20, promoted=2, seed=4, **off, season=7.0)
    jump = np.where(np.arange(60) >= 48, 7.0, 0.0)
    assert sales(season) - sales(plain) == pytest.approx(np.tile(jump, (20, 1)), abs=1e-9)


def test_targeting_follows_the_heat_and_lots_do_not():
    def heat(targeting, seed):
        world = item_sales(50, promoted=5, targeting=targeting, seed=seed)
        y = wide(world, "sales_0")[:, :48]
        z = y[:, -4:].mean(axis=1) - y[:, :-4].mean(axis=1)
        return ((z - z.mean()) / z.std())[chosen(world)].mean()

    by_lot, by_heat = ([heat(t, s) for s in range(40)] for t in (0.0, 3.0))
    assert abs(np.mean(by_lot)) < 4 * np.std(by_lot) / np.sqrt(40)
    assert np.mean(by_heat) > 1
    strict = item_sales(50, promoted=5, targeting=1e6, seed=1)
    y = wide(strict, "sales_0")[:, :48]
    z = y[:, -4:].mean(axis=1) - y[:, :-4].mean(axis=1)
    assert set(np.flatnonzero(chosen(strict))) == set(np.argsort(z)[-5:])


@pytest.mark.filterwarnings("ignore:. is fitted badly", "ignore:.. is fitted badly")
def test_without_targeting_synthetic_control_is_right_on_average():
    errors = []
    for seed in range(60):
        world = item_sales(20, targeting=0.0, seed=seed)
        item = int(np.flatnonzero(chosen(world))[0])
        found = synthetic_control(world.data, "sales", "item", "week", item, 49)
        errors.append(found.effect - world.truth["effect"])
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(60)
    assert np.std(errors) < 20 / 3


def test_the_same_seed_is_the_same_world_and_switches_leave_the_dice():
    one, two = item_sales(20, seed=5), item_sales(20, seed=5, effect=0.0)
    assert np.array_equal(wide(one, "sales_0"), wide(two, "sales_0"))
    pd.testing.assert_frame_equal(one.data, item_sales(20, seed=5).data)
    assert not np.array_equal(sales(one), sales(item_sales(20, seed=6)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"items": 12}, "items is 12: pass a multiple of 5"),
        ({"items": 5}, "items is 5: pass a multiple of 5, two kinds"),
        ({"items": 20.0}, "items is 20.0: pass a whole number"),
        ({"start": 5}, "start is 5 of 60 weeks"),
        ({"start": 61}, "start is 61 of 60 weeks"),
        ({"promoted": 0}, "promoted is 0: pass 1 to 20"),
        ({"promoted": 21}, "promoted is 21: pass 1 to 20"),
        ({"effect": -1.0}, "effect is -1.0: a switch is 0"),
        ({"trend": float("nan")}, "trend is nan: a switch is 0"),
        ({"effect": "20"}, "effect is '20': a switch is 0"),
        ({"season": float("inf")}, "season is inf: a switch is 0"),
        ({"momentum": 1.0}, "momentum is 1.0: from 1 on"),
        ({"substitution": 1.5}, "substitution is 1.5: it is a share"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        item_sales(**({"items": 20, "seed": 1} | given))
