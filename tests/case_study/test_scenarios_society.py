"""Five worlds: their truth by brute force, what biases the naive answer, and what mends it."""

import numpy as np
import pytest

from causalbook.case_study import friends, patients, run_scenario, savers, students, travellers
from causalbook.case_study.scenarios_society import SOCIETY
from causalbook.causal_graphs import identify
from causalbook.estimators import aipw, difference_in_means, ipw, regression_adjustment
from causalbook.nuisance import logit
from causalbook.potential_outcomes import ab_test

NAMES = {s.name: s for s in SOCIETY}
WORLDS = [friends, students, patients, savers, travellers]


def away(errors):
    """Mean error in Monte Carlo standard errors."""
    return np.mean(errors) / (np.std(errors) / np.sqrt(len(errors)))


def errors(world, estimand, estimate, n=1_000, seeds=60, **switches):
    found = []
    for seed in range(seeds):
        w = world(n, seed=seed, **switches)
        found.append(estimate(w.data).value - w.truth[estimand])
    return np.array(found)


# Sizes and seeds of this file were fixed before any of it was run.
@pytest.mark.parametrize("name", list(NAMES))
def test_the_naive_answer_is_biased_and_the_right_one_is_not(name):
    scenario = NAMES[name]
    found = [run_scenario(scenario, n=2_000, seed=seed) for seed in range(60)]
    naive, right = ([getattr(f, e) for f in found] for e in ("naive_error", "error"))
    assert abs(away(naive)) > 20
    assert abs(away(right)) < 4
    assert abs(np.mean(right)) < abs(np.mean(naive)) / 4


@pytest.mark.parametrize(
    ("name", "world", "switches"),
    [
        ("social", friends, {"interference": 0.0}),
        ("education", students, {"confounding": 0.0, "feedback": 0.0}),
        ("health", patients, {"confounding": 0.0}),
        ("finance", savers, {"selection": 0.0}),
        ("travel", travellers, {"intent": 0.0}),
    ],
)
def test_with_its_switch_off_a_threat_is_gone(name, world, switches):
    scenario = NAMES[name]
    for estimate in (scenario.naive, scenario.estimate):
        assert abs(away(errors(world, scenario.estimand, estimate, **switches))) < 4


def both_against_none(d):
    same = d[d["course_1"] == d["course_2"]]
    return difference_in_means(same["exam"], same["course_1"])


def test_after_one_term_students_either_adjustment_is_wrong():
    def adjusted(d):
        same = d[d["course_1"] == d["course_2"]]
        return regression_adjustment(same["exam"], same["course_1"], same[["score_1"]])

    name = "always against never"
    for estimate in (both_against_none, adjusted, NAMES["education"].naive):
        assert away(errors(students, name, estimate, n=2_000)) < -20


def test_without_feedback_adjusting_for_all_scores_is_right():
    # Then the plan's effect is that of the second course. It is a line in the score and the family,
    # so that a line in each arm has the right form.
    def adjusted(d):
        X, a = d[["score_1", "score_2", "first_in_family"]], d["course_2"]
        return regression_adjustment(d["exam"], a, X)

    found = []
    for seed in range(60):
        w = students(2_000, feedback=0.0, seed=seed)
        effect = w.potential["exam_01"] - w.potential["exam_00"]
        assert w.truth["always against never"] == pytest.approx(effect.mean(), rel=1e-12)
        found.append(adjusted(w.data).value - effect.mean())
    assert abs(away(found)) < 4


@pytest.mark.parametrize(
    ("name", "world"), [("education", students), ("health", patients), ("finance", savers)]
)
def test_what_no_table_holds_no_weight_mends(name, world):
    scenario = NAMES[name]
    found = errors(world, scenario.estimand, scenario.estimate, n=2_000, hidden=1.0)
    assert abs(away(found)) > 5


def test_where_communities_leak_the_cluster_design_misses_what_leaks():
    found = errors(friends, "total effect", NAMES["social"].estimate, n=2_000, leak=0.5)
    assert np.mean(found) == pytest.approx(-3 * 0.5, abs=0.4)


def test_where_the_place_sells_by_itself_the_instrument_takes_that_for_the_view():
    found = errors(travellers, "complier effect", NAMES["travel"].estimate, n=4_000, exclusion=1.0)
    assert away(found) > 20


def test_truth_is_that_of_the_potential_outcomes_and_data_are_one_of_them():
    w = friends(4_000, seed=1)
    d, p = w.data, w.potential
    assert w.truth["total effect"] == pytest.approx((p["minutes_all"] - p["minutes_none"]).mean())
    assert w.truth["direct effect"] == pytest.approx((p["minutes_1"] - p["minutes_0"]).mean())
    whole = d[d["design"] == "community"]
    by_lot = p.loc[whole.index, ["minutes_none", "minutes_all"]].to_numpy()
    assert whole["minutes"].to_numpy() == pytest.approx(by_lot[range(len(whole)), whole["shown"]])

    w = students(500, seed=1)
    d, p = w.data, w.potential
    took = d["course_1"].astype(str) + d["course_2"].astype(str)
    assert d["exam"].tolist() == [p.loc[i, f"exam_{plan}"] for i, plan in took.items()]
    assert d["score_2"].tolist() == [p.loc[i, f"score_2_{a}"] for i, a in d["course_1"].items()]
    assert (p["score_2_1"] - p["score_2_0"]).to_numpy() == pytest.approx(6)

    w = patients(500, seed=1)
    d, p = w.data, w.potential
    assert w.truth["ATE"] == pytest.approx((p["recovered_1"] - p["recovered_0"]).mean())
    assert w.truth["risk ratio"] == p["recovered_1"].mean() / p["recovered_0"].mean()
    assert d["recovered"].tolist() == [p.loc[i, f"recovered_{a}"] for i, a in d["called"].items()]
    assert (p["recovered_1"] >= p["recovered_0"]).all()

    w = savers(500, seed=1)
    d, p = w.data, w.potential
    assert w.truth["ATE"] == pytest.approx((p["wealth_1"] - p["wealth_0"]).mean())
    assert w.truth["ATE on clicks"] == pytest.approx((p["clicked_1"] - p["clicked_0"]).mean())
    assert (d["wealth"].isna() == (d["open"] == 0)).all()
    for name in ("clicked", "quarter", "open", "wealth"):
        taken = np.where(d["recommended"] == 1, p[f"{name}_1"], p[f"{name}_0"])
        seen = d[name].notna()
        assert (d[name] == taken)[seen].all()

    w = travellers(500, seed=1)
    d, p = w.data, w.potential
    effect, moved = p["booked_1"] - p["booked_0"], p["viewed_1"] > p["viewed_0"]
    assert w.truth["ATE"] == pytest.approx(effect.mean())
    assert w.truth["complier effect"] == pytest.approx(effect[moved].mean())
    assert (p["viewed_1"] >= p["viewed_0"]).all()
    assert d["booked"].tolist() == [p.loc[i, f"booked_{a}"] for i, a in d["viewed"].items()]


def test_the_share_of_friends_who_are_shown_is_counted_by_hand():
    d = friends(400, seed=2).data
    for i in (0, 57, 399):
        others = d[(d["community"] == d.loc[i, "community"]) & (d.index != i)]
        assert d.loc[i, "friends_shown"] == pytest.approx(others["shown"].mean(), rel=1e-12)
    of_communities = d.groupby("community").agg({"design": "first", "shown": ["min", "max"]})
    whole = of_communities["design"]["first"] == "community"
    assert whole.sum() == 10
    drawn = of_communities["shown"][whole]
    assert (drawn["min"] == drawn["max"]).all()
    assert drawn["max"].sum() == 5


def test_the_weights_know_the_chances_of_the_lots():
    w = patients(2_000, hidden=1.0, seed=3)
    d = w.data
    known = [
        ipw(d["recovered"], d["called"], w.potential["propensity"]),
        aipw(d["recovered"], d["called"], w.potential["propensity"], *np.full((2, 2_000), 0.5)),
    ]
    assert all(abs(e.value - w.truth["ATE"]) < 4 * e.se for e in known)


def test_the_lottery_of_the_fund_and_of_the_place_is_one():
    d = savers(4_000, seed=1).data
    assert ab_test(d["appetite"], d["recommended"]).pvalue() > 0.001
    d = travellers(4_000, seed=1).data
    assert ab_test(d["season"], d["top"]).pvalue() > 0.001


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_seed_gives_the_same_world_and_a_switch_leaves_the_dice(world):
    first, again = world(400, seed=7), world(400, seed=7)
    assert first.data.equals(again.data)
    assert first.truth == again.truth
    assert not first.data.equals(world(400, seed=8).data)
    off = {friends: "interference", patients: "confounding", students: "confounding"}
    off |= {savers: "selection", travellers: "intent"}
    other = world(400, seed=7, **{off[world]: 0.0})
    same = {friends: "shown", patients: "severity", students: "score_1"}
    same |= {savers: "recommended", travellers: "top"}
    assert first.data[same[world]].equals(other.data[same[world]])


@pytest.mark.parametrize("world", WORLDS)
def test_refusals(world):
    for n in (0, 2.5):
        with pytest.raises(ValueError, match=f"n is {n}"):
            world(n, seed=1)
    with pytest.raises(ValueError, match="seed is None"):
        world(400, seed=None)


@pytest.mark.parametrize(
    ("world", "switch", "value"),
    [
        (friends, "interference", -1),
        (friends, "leak", 1.5),
        (friends, "leak", -0.1),
        (students, "confounding", -1),
        (students, "feedback", np.inf),
        (students, "hidden", np.nan),
        (patients, "confounding", -1),
        (patients, "hidden", -1),
        (savers, "selection", -1),
        (savers, "hidden", -1),
        (travellers, "intent", 3.5),
        (travellers, "exclusion", -1),
    ],
)
def test_a_switch_out_of_range_is_refused(world, switch, value):
    with pytest.raises(ValueError, match=f"{switch} is {value}"):
        world(400, seed=1, **{switch: value})


def test_a_network_needs_communities():
    with pytest.raises(ValueError, match="n is 159"):
        friends(159, seed=1)


def test_what_the_graphs_say_of_each_question():
    said = {
        name: identify(s.graph, s.treatments, s.outcome).identifiable for name, s in NAMES.items()
    }
    assert said == dict.fromkeys(NAMES, True) | {"travel": False}
    assert NAMES["travel"].graph.instruments("viewed", "booked") == {"top": frozenset()}
    assert NAMES["health"].graph.backdoor_sets("called", "recovered")[0] == {"age", "severity"}
    assert not NAMES["education"].graph.is_backdoor("course_1", "exam", {"score_1", "score_2"})
    assert "quarter" in NAMES["finance"].mediators


def test_the_savers_who_are_left_are_those_who_won():
    d = savers(4_000, seed=1).data
    left = d["open"] == 1
    funds = d["recommended"] == 1
    assert d["quarter"][left & funds].mean() > d["quarter"][funds].mean() + 0.3
    stay = logit(d[["recommended", "quarter", "appetite"]], d["open"]).values
    weight = 1 / stay[left & funds]
    mean = (weight * d["quarter"][left & funds]).sum() / weight.sum()
    assert mean == pytest.approx(d["quarter"][funds].mean(), abs=0.2)
