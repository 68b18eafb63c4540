"""What a card says is true of the log, of the policy and of the world it speaks of."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalbook import mean_of
from causalbook.case_study import decide
from causalbook.causal_graphs import Graph, identify
from causalbook.estimators import Check, Log
from causalbook.project import (
    TablePolicy,
    effect_in_context,
    explain_decision,
    explain_recommendation,
    nearest_counterfactual,
    necessity,
)

GRAPH = Graph("context -> action; context -> reward; action -> reward")


def rounds(n=4000, seed=0):
    """A log of two contexts whose propensities change over time."""
    rng = np.random.default_rng(seed)
    context = rng.choice(["buys Drama", "looks Drama"], n)
    share = np.where(np.arange(n) < n // 2, 0.2, 0.6)
    action = (rng.random(n) < share).astype(int)
    pscore = np.where(action == 1, share, 1 - share)
    reward = rng.normal(np.where(context == "buys Drama", -1.0, 2.0) * action)
    return action, reward, pscore, context


def test_effect_is_a_difference_of_weighted_means_of_that_context():
    action, reward, pscore, context = rounds()
    here = context == "looks Drama"
    means = []
    for a in (1, 0):
        w = ((action == a) / pscore)[here]
        means.append((w * reward[here]).sum() / w.sum())
    tau = effect_in_context(Log(action, reward, pscore, context=context), "looks Drama", 1)
    assert abs(tau.value - (means[0] - means[1])) < 1e-12
    assert tau.n == here.sum()
    assert abs(tau.value - 2) < 4 * tau.se
    back = effect_in_context(
        Log(action, reward, pscore, context=context), "looks Drama", 0, against=1
    )
    assert abs(back.value + tau.value) < 1e-12


def test_other_contexts_do_not_matter():
    action, reward, pscore, context = rounds()
    tau = effect_in_context(Log(action, reward, pscore, context=context), "buys Drama", 1)
    reward = np.where(context == "buys Drama", reward, 1e6)
    same = effect_in_context(Log(action, reward, pscore, context=context), "buys Drama", 1)
    assert (same.value, same.se) == (tau.value, tau.se)


def test_users_with_several_visits_are_clusters():
    action, reward, pscore, context = (np.repeat(column, 4) for column in rounds(1000))
    user = np.repeat(np.arange(1000), 4)
    log = Log(action, reward, pscore, context=context, cluster=user)
    once = effect_in_context(Log(*rounds(1000)[:3], context=rounds(1000)[3]), "buys Drama", 1)
    tau = effect_in_context(log, "buys Drama", 1)
    assert abs(tau.se - once.se) < 1e-12


@pytest.mark.parametrize(("bought_a", "bought_b"), [(6, 3), (3, 6), (9, 4), (2, 2), (10, 0)])
def test_necessity_is_the_range_of_all_worlds_with_these_rates(bought_a, bought_b):
    """Ten rounds of each action; every joint distribution of the two outcomes is tried."""
    p_a, p_b = Fraction(bought_a, 10), Fraction(bought_b, 10)
    both = [Fraction(k, 1000) for k in range(1001)]
    possible = [q for q in both if max(0, p_a + p_b - 1) <= q <= min(p_a, p_b)]
    shares = [(p_a - q) / p_a for q in possible]
    action = np.repeat([1, 0], 10)
    reward = np.r_[np.arange(10) < bought_a, np.arange(10) < bought_b].astype(float)
    log = Log(action, reward, np.full(20, 0.5), context=np.full(20, "here"))
    with pytest.warns(UserWarning, match="effective rewarded rounds"):
        found = necessity(log, "here", 1)
    assert abs(found.lower.value - min(shares)) < 1e-12
    assert abs(found.upper.value - max(shares)) < 1e-12


@given(st.integers(0, 2**32 - 1))
def test_nearest_counterfactual_flips_and_nothing_nearer_does(seed):
    rng = np.random.default_rng(seed)
    contexts = [f"{a} {b} {c}" for a in "xyz" for b in "uv" for c in "pq"]
    policy = TablePolicy(dict(zip(contexts, rng.dirichlet(np.ones(3), len(contexts)), strict=True)))
    does = dict(zip(contexts, policy.table.argmax(axis=1), strict=True))
    near = nearest_counterfactual(policy, contexts[0])
    apart = {x: sum(i != j for i, j in zip(x, contexts[0], strict=True)) for x in contexts}
    if not near:
        assert len(set(does.values())) == 1
        return
    assert len({apart[x] for x in near}) == 1
    assert all(does[x] != does[contexts[0]] for x in near)
    nearer = [x for x in contexts if apart[x] < apart[near[0]]]
    assert all(does[x] == does[contexts[0]] for x in nearer)
    assert all(
        x in near for x in contexts if apart[x] == apart[near[0]] and does[x] != does[contexts[0]]
    )


POLICY = TablePolicy({"buys Drama": [0.9, 0.1], "looks Drama": [0.2, 0.8]})


def test_card_of_a_recommendation_says_what_can_be_checked():
    action, reward, pscore, context = rounds()
    log = Log(action, reward, pscore, context=context)
    card = explain_recommendation(
        log, POLICY, "looks Drama", 1, GRAPH, names=["nothing", "a drama"]
    )
    says = dict(card.lines)
    assert says["shown"].startswith(f"a drama, by policy {POLICY.version}, in 80 of 100")
    assert says["adjusted for"].startswith("context")
    assert says["says"] == "a drama earns more than nothing"
    assert says["otherwise"] == "most likely something else had it been 'buys Drama'"
    assert card.effect.value == effect_in_context(log, "looks Drama", 1).value
    html = card._repr_html_()
    assert all(said.replace("'", "&#x27;") in html for said in says.values())


def test_card_admits_ignorance_and_carries_the_warning():
    action, reward, pscore, context = (column[:60] for column in rounds())
    log = Log(action, reward * 0 + np.arange(60) % 2, pscore, context=context)
    says = dict(explain_recommendation(log, POLICY, "looks Drama", 1, GRAPH).lines)
    assert says["says"].startswith("we do not know whether")
    assert "effective rewarded rounds" in says["caution"]


def test_a_policy_that_does_the_same_for_everybody_has_no_counterfactual():
    policy = TablePolicy({"buys Drama": [1, 0], "looks Drama": [0.9, 0.1]})
    assert nearest_counterfactual(policy, "buys Drama") == []
    log = Log(*rounds()[:3], context=rounds()[3])
    says = dict(explain_recommendation(log, policy, "looks Drama", 0, GRAPH, against=1).lines)
    assert says["otherwise"] == "most likely the same in every context that the policy knows"


def test_a_draw_is_not_explained_by_the_context():
    """In 20 of 100 such visits nothing is shown; no other words would have changed that."""
    log = Log(*rounds()[:3], context=rounds()[3])
    says = dict(explain_recommendation(log, POLICY, "looks Drama", 0, GRAPH, against=1).lines)
    assert says["otherwise"] == "another draw: 1 is likelier here, 80 of 100"
    lot = TablePolicy({x: [0.5, 0.5] for x in POLICY.contexts})
    says = dict(explain_recommendation(log, lot, "looks Drama", 1, GRAPH).lines)
    assert says["otherwise"] == "another draw: 2 actions are as likely here as 1"


def test_a_card_does_not_hide_that_there_are_more():
    does = {"looks Drama": [0, 1]} | {f"{word} Drama": [1, 0] for word in "abcde"}
    log = Log(*rounds()[:3], context=rounds()[3])
    says = dict(explain_recommendation(log, TablePolicy(does), "looks Drama", 1, GRAPH).lines)
    assert says["otherwise"].endswith("'a Drama' or 'b Drama' or 'c Drama', or 2 more as near")


def test_decision_flips_where_the_card_says():
    score = np.random.default_rng(2).normal(0.5, 1, 400)
    effect = mean_of(score, estimand="ATE", method="difference")
    found = identify(GRAPH, "action", "reward")
    card = explain_decision(effect, found, margin=2.0, cost=0.3, units=1000)
    bar = 2 * effect.value
    assert f"more than {bar:.3f} a unit" in dict(card.lines)["otherwise"]
    assert dict(card.lines)["decision"].startswith("act")
    assert decide(2 * effect - (bar - 1e-9), units=1000).act
    assert not decide(2 * effect - (bar + 1e-9), units=1000).act
    other = explain_decision(effect, found, margin=2.0, cost=bar + 0.1, units=1000)
    assert "cost less than" in dict(other.lines)["otherwise"]


def test_a_failed_check_leaves_no_decision():
    effect = mean_of(np.arange(50.0), estimand="ATE", method="difference")
    failed = Check("balance", False, None, "They differ.")
    passed = Check("overlap", True, None, "Both are found.")
    found = identify(GRAPH, "action", "reward")
    card = explain_decision(effect, found, margin=1, cost=0, units=9, checks=[failed, passed])
    says = dict(card.lines)
    assert says["decision"] == "none: failed balance"
    assert says["checks"] == "balance: failed; overlap: passed"


def test_refusals():
    action, reward, pscore, context = rounds()
    log = Log(action, reward, pscore, context=context)
    with pytest.raises(ValueError, match="context 'buys Horror' is not in the log"):
        effect_in_context(log, "buys Horror", 1)
    with pytest.raises(ValueError, match="action 2 was never shown in context 'buys Drama'"):
        effect_in_context(log, "buys Drama", 2)
    with pytest.raises(ValueError, match="against 7 was never shown"):
        effect_in_context(log, "buys Drama", 1, against=7)
    with pytest.raises(ValueError, match="both 1: an effect compares two"):
        effect_in_context(log, "buys Drama", 1, against=1)
    with pytest.raises(ValueError, match=r"pass Log\(\.\.\., context=labels\)"):
        effect_in_context(Log(action, reward, pscore), "buys Drama", 1)
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        necessity(log, "buys Drama", 1)
    never = Log(action, np.where(action == 1, 0, 1), pscore, context=context)
    with pytest.raises(ValueError, match="never rewarded"), pytest.warns(match="rests on"):
        necessity(never, "buys Drama", 1)
    hidden = Graph("context -> action; action -> reward; action <-> reward")
    with pytest.raises(ValueError, match="does not identify the effect by adjustment"):
        explain_recommendation(log, POLICY, "looks Drama", 1, hidden)
    with pytest.raises(ValueError, match="unknown to policy"):
        nearest_counterfactual(POLICY, "sells Drama")
    third = Log(np.where(np.arange(len(action)) % 9, action, 2), reward, pscore, context=context)
    with pytest.raises(ValueError, match="actions 0 to 1, and 2 is"):
        explain_recommendation(third, POLICY, "looks Drama", 2, GRAPH)
    with pytest.raises(ValueError, match="names has 1 of 2 actions"):
        explain_recommendation(log, POLICY, "looks Drama", 1, GRAPH, names=["nothing"])
    uneven = TablePolicy({"new": [1, 0], "old user": [0, 1]})
    with pytest.raises(ValueError, match="different numbers of words"):
        nearest_counterfactual(uneven, "new")
