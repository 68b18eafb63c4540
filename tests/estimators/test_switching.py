"""SWITCH-DR: identities at both ends, parity with a peer, what is left to the model."""

import math

import numpy as np
import pytest

from causalbook.estimators import Log, dm, dr, ips, snips, switch_dr


def draw(seed=5, n=500, k=4):
    """Return a log, a target and a reward model that is off; also the recipe of the peer's run."""
    rng = np.random.default_rng(seed)
    policy, pi = rng.dirichlet(np.full(k, 2.0), n), rng.dirichlet(np.full(k, 2.0), n)
    u = rng.random((n, 1))
    action = (u > policy.cumsum(axis=1)[:, :-1]).sum(axis=1)
    q = rng.random((n, k))
    reward = q[np.arange(n), action] + 0.3 * rng.normal(size=n)
    return Log(action, reward, policy[np.arange(n), action], policy=policy), pi, 0.5 * q + 0.1


def close(x, rel=1e-10):
    return pytest.approx(x, rel=rel, abs=1e-13)


def weights(log, pi):
    return pi[np.arange(log.n), log.action] / log.pscore


@pytest.mark.parametrize("seed", range(5))
def test_it_is_dm_at_zero_and_dr_at_infinity(seed):
    log, pi, q = draw(seed)
    assert switch_dr(log, pi, q, tau=0).value == close(dm(log, pi, q).value)
    for tau in (math.inf, weights(log, pi).max()):
        all_used = switch_dr(log, pi, q, tau=tau)
        assert (all_used.value, all_used.se) == close((dr(log, pi, q).value, dr(log, pi, q).se))
        assert all_used.notes[0].startswith("0 of 500 rounds switched to the model, 0.0%")


# sb-obp 0.5.10 with numpy 1.26.4, on the arrays of draw():
#   from obp.ope import InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting
#   from obp.ope import DoublyRobust, SwitchDoublyRobust
#   SwitchDoublyRobust(lambda_=tau).estimate_policy_value(reward=r, action=a, pscore=p,
#       action_dist=pi[:, :, None], estimated_rewards_by_reg_model=q[:, :, None])
OBP = {
    "IPS": 0.44647876133176745,
    "SNIPS": 0.4702028816481394,
    "DR": 0.46886733061579317,
    0.8: 0.37967374730720976,
    2.0: 0.4517889575590966,
    5.0: 0.46364140904313056,
}


def test_values_are_those_of_obp():
    log, pi, q = draw()
    assert ips(log, pi).value == close(OBP["IPS"])
    assert snips(log, pi).value == close(OBP["SNIPS"])
    assert dr(log, pi, q).value == close(OBP["DR"])
    for tau in (0.8, 2.0, 5.0):
        assert switch_dr(log, pi, q, tau=tau).value == close(OBP[tau])


def test_value_and_error_are_those_of_a_plain_loop():
    log, pi, q = draw()
    scores = []
    for i in range(log.n):
        a = log.action[i]
        w = pi[i, a] / log.pscore[i]
        model = math.fsum(pi[i, b] * q[i, b] for b in range(4))
        scores.append(model + (w * (log.reward[i] - q[i, a]) if w <= 1.5 else 0))
    found = switch_dr(log, pi, q, tau=1.5)
    assert found.value == close(math.fsum(scores) / log.n)
    assert found.se == close(np.std(scores) / math.sqrt(log.n))
    assert found.method == "SWITCH-DR"


def test_the_note_counts_what_is_left_to_the_model():
    log, pi, q = draw()
    w = weights(log, pi)
    note = switch_dr(log, pi, q, tau=2).notes[0]
    assert f"{(w > 2).sum()} of 500 rounds switched to the model" in note
    assert f"{100 * w[w > 2].sum() / w.sum():.1f}% of the total weight" in note
    assert f"largest weight {w[w <= 2].max():.3g}" in switch_dr(log, pi, q, tau=2).notes[1]


def test_a_weight_equal_to_tau_is_used():
    log = Log([0, 1] * 50, np.ones(100), np.full(100, 0.5))
    pi, q = np.full((100, 2), 0.5), np.zeros((100, 2))
    assert switch_dr(log, pi, q, tau=1.0).value == 1.0
    assert switch_dr(log, pi, q, tau=0.999).value == 0.0


def test_with_no_round_corrected_there_is_no_error_and_the_first_note_says_why():
    log, pi, q = draw()
    alone = switch_dr(log, pi, q, tau=0)
    assert math.isnan(alone.se)
    assert alone.notes[0].startswith("no standard error: no round corrects the model")
    assert "100.0% of the total weight" in alone.notes[1]
    lowest_third = np.quantile(weights(log, pi), 0.3)
    assert math.isfinite(switch_dr(log, pi, q, tau=lowest_third).se)


def test_a_model_that_is_right_leaves_no_bias_and_a_smaller_error():
    log, pi, q = draw(n=20_000)
    right = 2 * (q - 0.1)
    value = (pi * right).sum(axis=1).mean()
    found = switch_dr(log, pi, right, tau=1.0)
    assert abs(found.value - value) < 4 * found.se
    assert found.se < 0.7 * dr(log, pi, right).se


@pytest.mark.parametrize("tau", [-1, math.nan])
def test_no_threshold_is_refused(tau):
    with pytest.raises(ValueError, match=r"tau is (-1|nan): pass the largest weight to use"):
        switch_dr(*draw(), tau=tau)


def test_the_interval_of_a_shifted_reward_is_that_of_the_reward_but_not_in_obp():
    # sb-obp 0.5.10: SelfNormalizedInverseProbabilityWeighting().estimate_interval(reward=r + shift,
    #   action=a, pscore=p, action_dist=pi[:, :, None], n_bootstrap_samples=2000, random_state=1)
    # draws rounds again and leaves the mean weight as it was: what it resamples is w r / mean(w).
    log, pi, _ = draw()
    w, normal = weights(log, pi), 2 * 1.959964
    for shift, width in ((0.0, 0.10852002975968883), (10.0, 1.594453674277327)):
        shifted = Log(log.action, log.reward + shift, log.pscore)
        resampled = (w * shifted.reward / w.mean()).std() / math.sqrt(log.n)
        assert width == pytest.approx(normal * resampled, rel=0.06)  # 2,000 draws of a quantile
        low, high = snips(shifted, pi).conf_int()
        assert high - low == close(normal * snips(log, pi).se, 1e-6)
