"""The simulated campaign: its truth by brute force, what each switch does, who estimates what."""

import numpy as np
import pytest

from causalbook.case_study import ad_campaign
from causalbook.case_study.ghost_ads_world import ADDS, BUYS, CLICKS, KINDS, SHARES
from causalbook.estimators import wald
from causalbook.potential_outcomes import ab_test

WORLDS, N = 200, 4_000


def errors(estimate, **switches):
    """Errors of an estimate, in the worlds of 200 seeds."""
    found = []
    for seed in range(WORLDS):
        world = ad_campaign(N, reach=0.2, seed=seed, **switches)
        value, truth = estimate(world)
        found.append(value - truth)
    return np.array(found)


def centred(found):
    return abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))


def on_exposed(world):
    h = world.potential[world.potential["exposed_if_assigned"] == 1]
    return (h["purchase_1"] - h["purchase_0"]).mean()


def exposed_against_the_rest(world):
    d = world.data[world.data["assigned"] == 1]
    return ab_test(d["purchase"], d["exposed"]).value, on_exposed(world)


def by_wald(world):
    d = world.data
    return wald(d["purchase"], d["exposed"], d["assigned"]).value, on_exposed(world)


def exposed_against_ghosts(world):
    d = world.data
    seen = np.where(d["assigned"] == 1, d["exposed"], d["ghost"]) == 1
    return ab_test(d["purchase"][seen], d["assigned"][seen]).value, on_exposed(world)


def among_ghosts(world):
    d, h = world.data[world.data["ghost"] == 1], world.potential[world.data["ghost"] == 1]
    served = h["exposed_if_assigned"] == 1
    truth = (h["purchase_1"] - h["purchase_0"])[served].mean()
    return wald(d["purchase"], d["exposed"], d["assigned"]).value, truth


def test_the_truth_is_counted_from_the_potential_outcomes():
    world = ad_campaign(5_000, divergence=0.5, seed=3)
    h, d = world.potential, world.data
    served, effect = h["exposed_if_assigned"], h["purchase_1"] - h["purchase_0"]
    money = h["spend_1"] - h["spend_0"]
    who = served == 1
    counted = {
        "share exposed": served.mean(),
        "ITT": (effect * served).mean(),
        "effect on exposed": effect[who].mean(),
        "ITT spend": (money * served).mean(),
        "spend of exposed": money[who].mean(),
        "reminder": (h["purchase_reminder"] - h["purchase_0"])[who].mean(),
        "story": (h["purchase_story"] - h["purchase_0"])[who].mean(),
    }
    assert world.truth == pytest.approx(counted, rel=1e-12)
    own = np.where(d["creative"] == 1, h["purchase_story"], h["purchase_reminder"])
    np.testing.assert_array_equal(own, h["purchase_1"])


def test_the_log_is_what_the_arm_and_the_exposure_make_of_the_potential_outcomes():
    world = ad_campaign(5_000, ghost_error=0.3, divergence=0.5, seed=4)
    d, h = world.data, world.potential
    np.testing.assert_array_equal(d["exposed"], d["assigned"] * h["exposed_if_assigned"])
    for name in ("purchase", "spend"):
        seen = np.where(d["exposed"] == 1, h[f"{name}_1"], h[f"{name}_0"])
        np.testing.assert_array_equal(d[name], seen)
    assert (d["click"] <= d["exposed"]).all()
    assert d["click"].sum() > 0
    assert d.groupby("assigned").size().tolist() == [2_500, 2_500]
    assert h["exposed_if_assigned"].sum() == 500  # what the budget pays for, to the user


@pytest.mark.parametrize(("n", "reach"), [(999, 0.1), (1_000, 0.5), (100, 1e-6), (101, 0.9)])
def test_the_budget_pays_for_no_more_users_where_scores_tie(n, reach):
    # A targeting so strong that the noise is rounded away: whole groups of users tie.
    w = ad_campaign(n, reach=reach, targeting=1e17, seed=2)
    paid = max(1, round(n * reach))
    assert w.potential["exposed_if_assigned"].sum() == w.data["ghost"].sum() == paid


def test_with_the_switches_off_ghosts_are_exactly_those_who_would_be_exposed():
    world = ad_campaign(5_000, seed=5)
    np.testing.assert_array_equal(world.data["ghost"], world.potential["exposed_if_assigned"])


def test_the_switches_change_the_world_and_not_the_dice():
    plain = ad_campaign(2_000, seed=6)
    moved = ad_campaign(2_000, targeting=0, divergence=1, ghost_error=1, seed=6)
    for column in ("orders", "visits", "spend_before", "assigned", "creative"):
        np.testing.assert_array_equal(plain.data[column], moved.data[column])
    for column in ("kind", "busy", "purchase_0", "purchase_1", "spend_0"):
        np.testing.assert_array_equal(plain.potential[column], moved.potential[column])
    assert not plain.data["exposed"].equals(moved.data["exposed"])
    assert ad_campaign(2_000, seed=6).data.equals(plain.data)


def test_exposed_against_unexposed_is_biased_by_targeting_and_by_nothing_else():
    assert centred(errors(exposed_against_the_rest, targeting=0))
    targeted = errors(exposed_against_the_rest)
    assert targeted.mean() > 0.05  # the truth is near .01
    assert not centred(targeted)


def test_wald_and_ghosts_are_right_under_targeting_and_ghosts_are_far_more_precise():
    diluted, ghosts = errors(by_wald), errors(among_ghosts)
    assert centred(diluted)
    assert centred(ghosts)
    assert ghosts.std() < 0.75 * diluted.std()


def test_divergent_delivery_breaks_exposed_against_ghosts_but_not_ghosts_in_both_arms():
    broken = errors(exposed_against_ghosts, divergence=1)
    assert broken.mean() > 0.02
    assert not centred(broken)
    assert centred(errors(among_ghosts, divergence=1))
    assert centred(errors(by_wald, divergence=1))
    assert centred(errors(exposed_against_ghosts))


def test_ghosts_drawn_by_lot_break_the_same_comparison_and_leave_the_same_one_right():
    assert not centred(errors(exposed_against_ghosts, ghost_error=0.5))
    assert centred(errors(among_ghosts, ghost_error=0.5))


def test_rates_are_those_of_the_tables():
    h = ad_campaign(200_000, seed=7).potential
    for k, kind in enumerate(KINDS):
        rows = h[h["kind"] == kind]
        assert abs(len(rows) / len(h) - SHARES[k]) < 4 * np.sqrt(0.25 / len(h))
        for busy in (0, 1):
            mine = rows[rows["busy"] == busy]
            chances = {"purchase_0": BUYS[k] * (1 + busy)}
            chances |= {
                f"purchase_{name}": BUYS[k] * (1 + busy) + ADDS[c, k]
                for c, name in enumerate(("reminder", "story"))
            }
            for column, p in chances.items():
                assert abs(mine[column].mean() - p) < 4.5 * np.sqrt(p * (1 - p) / len(mine))


def test_the_creative_with_more_clicks_adds_less_for_every_kind():
    assert (CLICKS[0] >= CLICKS[1])[:2].all()
    assert (ADDS[0] <= ADDS[1]).all()
    assert ADDS[0] @ SHARES < ADDS[1] @ SHARES / 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 99}, "n is 99: a campaign needs"),
        ({"n": 500.0}, "n is 500.0"),
        ({"reach": 0}, "reach is 0: pass the share"),
        ({"reach": 1.0}, "reach is 1.0"),
        ({"targeting": -1}, "targeting is -1: a switch"),
        ({"divergence": float("inf")}, "divergence is inf: a switch"),
        ({"ghost_error": float("nan")}, "ghost_error is nan: a switch"),
        ({"ghost_error": 1.5}, "ghost_error is 1.5: it is a share"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_is_no_campaign_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ad_campaign(**{"n": 1_000, "seed": 1} | wrong)
