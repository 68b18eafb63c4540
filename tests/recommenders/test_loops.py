"""The feedback loop: its log, its propensities, and what it reports, all worked out again."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from causalbook.potential_outcomes import shop
from causalbook.recommenders import catalogue, feedback_loop, popularity

USERS, ITEMS, SLOTS = 60, 40, 3
WORLD = catalogue(USERS, ITEMS, organic=0.5, seed=2)
GAMMA = WORLD.potential["click"].to_numpy().reshape(USERS, ITEMS)
ORGANIC = WORLD.potential["organic"].to_numpy().reshape(USERS, ITEMS)


class Fixed:
    def __init__(self, table):
        self.table = table

    def scores(self, user):
        return self.table[user]


class Watching(Fixed):
    """Always the same scores; notes which rounds it was trained on."""

    def __init__(self, table):
        super().__init__(table)
        self.saw = []

    def fit(self, log):
        self.saw.append(sorted(set(log["round"])))
        return self


SCORES = np.random.default_rng(3).normal(size=(USERS, ITEMS))
LISTS = np.argsort(-SCORES, axis=1)[:, :SLOTS]
SETTING = {"rounds": 4, "slots": SLOTS, "explore": 0.3, "position_bias": 1.0, "seed": 5}


def fixed(table=SCORES, **change):
    return feedback_loop(WORLD, lambda log: Fixed(table), **(SETTING | change))


def test_one_seed_one_loop_and_the_model_sees_only_the_past():
    watching = Watching(SCORES)
    a, b = feedback_loop(WORLD, watching.fit, **SETTING), fixed()
    pd.testing.assert_frame_equal(a.log, b.log, check_exact=True)
    pd.testing.assert_frame_equal(a.rounds, b.rounds, check_exact=True)
    assert watching.saw == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert not fixed(seed=6).log.equals(a.log)


def test_every_visit_fills_its_slots_with_different_items():
    log = fixed().log
    assert len(log) == 5 * USERS * SLOTS
    visits = log.groupby(["round", "user"])
    assert (visits["position"].agg(list).map(tuple) == (1, 2, 3)).all()
    assert (visits["item"].nunique() == SLOTS).all()
    assert (visits["random"].nunique() == 1).all()
    ranked = log[log["random"] == 0]
    assert (ranked["item"] == LISTS[ranked["user"], ranked["position"] - 1]).all()


def test_the_propensity_is_that_of_a_lottery_between_two_lists():
    log = fixed().log
    launch, later = log[log["round"] == 0], log[log["round"] > 0]
    assert (launch["random"] == 1).all()
    assert (launch["pscore"] == 1 / ITEMS).all()
    favourite = later["item"] == LISTS[later["user"], later["position"] - 1]
    expected = np.where(favourite, 0.3 / ITEMS + 0.7, 0.3 / ITEMS)
    assert np.allclose(later["pscore"], expected, rtol=1e-12)


def test_the_log_is_drawn_with_these_propensities():
    log = fixed(rounds=60, explore=0.4).log
    later = log[log["round"] > 0]
    visits = later[later["position"] == 1]
    assert scipy.stats.binomtest(int(visits["random"].sum()), len(visits), 0.4).pvalue > 0.001
    for position in (1, 3):
        drawn = later[(later["random"] == 1) & (later["position"] == position)]["item"]
        assert scipy.stats.chisquare(np.bincount(drawn, minlength=ITEMS)).pvalue > 0.001
    # Each item's weighted clicks estimate what it would earn in every slot of every visit.
    looks = 1 / np.arange(1, SLOTS + 1)
    w = later["click"] / later["pscore"]
    for item in range(6):
        scores = w * (later["item"] == item)
        truth = looks.mean() * GAMMA[:, item].mean()
        assert abs(scores.mean() - truth) < 4 * scores.std() / math.sqrt(len(later))


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_clicks_follow_looks_and_attraction(power):
    log = fixed(rounds=60, position_bias=power).log
    chance = GAMMA[log["user"], log["item"]] * log["position"] ** -power
    for position in (1, 2, 3):
        here = log["position"] == position
        p, clicks = chance[here], log["click"][here].sum()
        assert abs(clicks - p.sum()) < 4 * math.sqrt((p * (1 - p)).sum())
    high = chance > chance.median()
    assert abs(log["click"][high].mean() - chance[high].mean()) < 0.03


def test_switches_leave_the_dice_alone():
    plain = fixed(explore=0.0).log
    mixed = fixed(explore=0.5).log
    same = mixed["random"] == plain["random"]
    for column in ("item", "click"):
        assert (plain[column] == mixed[column])[same].all()
    assert 0.3 < same[plain["round"] > 0].mean() < 0.7
    other = fixed(-SCORES, explore=0.5).log
    lot = mixed["random"] == 1
    assert (other["random"] == mixed["random"]).all()
    assert (other["item"] == mixed["item"])[lot].all()
    assert (other["click"] == mixed["click"])[lot].all()
    dim = fixed(explore=0.5, position_bias=2.0).log
    assert (dim["item"] == mixed["item"]).all()
    assert (dim["click"] <= mixed["click"]).all()  # fewer looks, the same wants


def test_what_it_reports_is_counted_from_the_lists():
    loop = fixed()
    looks = 1 / np.arange(1, SLOTS + 1)
    row = loop.rounds.iloc[2]
    user = np.arange(USERS)[:, None]
    kept = looks * GAMMA[user, LISTS]
    assert row["ranked"] == pytest.approx(kept.sum(axis=1).mean(), rel=1e-12)
    assert row["kept"] == pytest.approx(kept.mean(), rel=1e-12)
    effect = looks * (GAMMA - ORGANIC)[user, LISTS]
    assert row["effect"] == pytest.approx(effect.sum(axis=1).mean(), rel=1e-12)
    assert row["promised"] == pytest.approx(SCORES[user, LISTS].mean(), rel=1e-12)
    common = [len(set(a) & set(b)) / SLOTS for a, b in combinations(LISTS.tolist(), 2)]
    assert row["overlap"] == pytest.approx(np.mean(common), rel=1e-12)
    count = pd.Series(LISTS.ravel()).value_counts()
    assert row["coverage"] == len(count) / ITEMS
    assert row["top_share"] == pytest.approx(count.iloc[:4].sum() / count.sum(), rel=1e-12)
    shown = loop.log[loop.log["round"] == 2]
    chance = GAMMA[shown["user"], shown["item"]] / shown["position"]
    assert row["clicks"] == pytest.approx(chance.sum() / USERS, rel=1e-12)
    first = loop.rounds.iloc[0]
    assert math.isnan(first["promised"])
    assert first["clicks"] == first["ranked"]
    assert list(loop.rounds["round"]) == [0, 1, 2, 3, 4]


def test_counting_clicks_confirms_itself_and_the_perfect_ranker_wins():
    def counted(log):
        clicked = log[log["click"] == 1].rename(columns={"click": "rating"})
        return popularity(clicked, shape=(USERS, ITEMS))

    stuck = feedback_loop(WORLD, counted, rounds=5, slots=SLOTS, seed=8)
    lists = stuck.log[stuck.log["round"] > 0].groupby("round")["item"].agg(set)
    assert all(found == lists[1] for found in lists)
    assert (stuck.rounds["overlap"].iloc[1:] == 1).all()
    assert stuck.rounds["coverage"].iloc[1] == SLOTS / ITEMS
    perfect = fixed(GAMMA, explore=0.0, position_bias=0.0).rounds.iloc[1]
    best = np.sort(GAMMA, axis=1)[:, -SLOTS:].sum(axis=1).mean()
    assert perfect["ranked"] == pytest.approx(best, rel=1e-12)
    assert perfect["promised"] == pytest.approx(perfect["kept"], rel=1e-12)
    assert stuck.rounds["ranked"].max() < best


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 0}, "n is 0"),
        ({"slots": 0}, "slots is 0: pass a whole number from 1 to the 40 items"),
        ({"slots": 41}, "slots is 41"),
        ({"slots": 2.5}, r"slots is 2\.5"),
        ({"explore": 1.1}, r"explore is 1\.1: it is a share"),
        ({"explore": -0.1}, r"explore is -0\.1"),
        ({"explore": math.nan}, "explore is nan"),
        ({"position_bias": -1.0}, r"position_bias is -1\.0: a switch is 0"),
        ({"position_bias": math.inf}, "position_bias is inf"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_what_makes_no_loop_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fixed(**change)


def test_scores_of_another_shape_and_another_world_are_refused():
    with pytest.raises(ValueError, match=r"scores have shape \(60, 39\), the catalogue has"):
        fixed(SCORES[:, :-1])
    with pytest.raises(ValueError, match="world has no pairs with 'click'"):
        feedback_loop(shop(10, seed=1), lambda log: Fixed(SCORES), seed=1)
