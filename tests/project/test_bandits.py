"""Rules that learn: their probabilities are exact, and every one can be worked out from the log."""

import itertools
import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from causalbook.estimators import Log, ips
from causalbook.project import (
    UCB,
    EpsilonGreedy,
    Thompson,
    adaptive_aipw,
    learn_online,
    replay,
)

RULES = [EpsilonGreedy(0.2), UCB(), Thompson(), Thompson(sd=1.3, prior=(0.5, 0.4))]
NAMES = ["epsilon-greedy", "UCB", "Thompson", "Thompson with a prior"]
count_tables = arrays(float, (3, 4), elements=st.integers(0, 5_000).map(float))
shares = arrays(float, (3, 4), elements=st.floats(0, 1))


def pi_of(rule, count, total):
    return rule.probabilities(np.array([count], float), np.array([total], float))[0]


def posterior(rule, count, total):
    m_0, s_0 = rule.prior
    precision = 1 / s_0**2 + count / rule.sd**2
    return (m_0 / s_0**2 + total / rule.sd**2) / precision, precision**-0.5


@given(
    st.lists(st.integers(0, 100_000), min_size=2, max_size=2),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_thompson_with_two_actions_is_the_normal_law_of_their_difference(count, rate):
    rule = Thompson(sd=0.7, prior=(0.3, 0.6))
    total = [n * p for n, p in zip(count, rate, strict=True)]
    (m_0, s_0), (m_1, s_1) = (posterior(rule, n, s) for n, s in zip(count, total, strict=True))
    first = NormalDist().cdf((m_0 - m_1) / math.hypot(s_0, s_1))
    assert pi_of(rule, count, total)[0] == pytest.approx(first, rel=1e-9, abs=1e-12)


def test_thompson_with_four_actions_is_the_integral():
    rule, count, total = Thompson(), [3, 40, 41, 900], [2.0, 20.0, 21.5, 440.0]
    known = [posterior(rule, n, s) for n, s in zip(count, total, strict=True)]

    def best(x, a):
        others = [norm.cdf(x, *known[k]) for k in range(4) if k != a]
        return norm.pdf(x, *known[a]) * math.prod(others)

    for a, p in enumerate(pi_of(rule, count, total)):
        inside = [m for m, _ in known] + [m + s for m, s in known]
        found, _ = scipy.integrate.quad(
            best, -3, 4, args=(a,), points=sorted(inside), limit=500, epsabs=1e-12
        )
        assert p == pytest.approx(found, abs=1e-10)


def test_thompson_plays_as_often_as_drawn_posteriors_are_largest():
    rule, count, total = Thompson(), np.array([8, 20, 50]), np.array([5.0, 11.0, 24.0])
    m, s = posterior(rule, count, total)
    draws = np.random.default_rng(0).normal(m, s, size=(200_000, 3)).argmax(axis=1)
    often = np.bincount(draws) / 200_000
    assert np.abs(often - pi_of(rule, count, total)).max() < 4 * 0.5 / math.sqrt(200_000)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
@given(count_tables, shares)
def test_every_rule_gives_distributions_and_knows_no_order(rule, count, share):
    pi = rule.probabilities(count, count * share)
    assert pi.min() >= 0
    np.testing.assert_allclose(pi.sum(axis=1), 1, rtol=1e-12)
    turned = rule.probabilities(count[:, ::-1], (count * share)[:, ::-1])
    np.testing.assert_allclose(turned[:, ::-1], pi, atol=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_actions_that_nobody_tried_share_evenly(rule):
    np.testing.assert_allclose(pi_of(rule, [0, 0, 0, 0], [0, 0, 0, 0]), 0.25, rtol=1e-12)


def test_epsilon_greedy_by_hand():
    rule = EpsilonGreedy(0.3)
    np.testing.assert_allclose(pi_of(rule, [4, 2, 5], [1, 1, 1]), [0.1, 0.8, 0.1])
    np.testing.assert_allclose(pi_of(rule, [4, 2, 5], [2, 1, 1]), [0.45, 0.45, 0.1])  # a tie
    np.testing.assert_allclose(pi_of(rule, [4, 0, 5], [4, 0, 1]), [0.1, 0.8, 0.1])  # untried
    np.testing.assert_allclose(pi_of(EpsilonGreedy(1), [4, 2, 5], [1, 1, 1]), 1 / 3)


def test_ucb_is_ucb1_for_rewards_between_0_and_1():
    # Auer et al.: the mean plus sqrt(2 ln t / n). Arm 0 leads by its mean, arm 1 by its bound.
    count, total = [90, 10], [54, 5]
    bound = [s / n + math.sqrt(2 * math.log(100) / n) for n, s in zip(count, total, strict=True)]
    assert bound[1] > bound[0]
    np.testing.assert_array_equal(pi_of(UCB(), count, total), [0, 1])
    # With noise a tenth as large the bounds are a tenth as wide, and the mean decides.
    narrow = [
        s / n + math.sqrt(2 * math.log(100) / n) / 10 for n, s in zip(count, total, strict=True)
    ]
    assert narrow[0] > narrow[1]
    np.testing.assert_array_equal(pi_of(UCB(sd=0.05), count, total), [1, 0])
    # Where the change falls, the width is that of the formula.
    gap = 0.6 - 0.5
    width = math.sqrt(8 * math.log(100)) * (10**-0.5 - 90**-0.5)
    for sd, first in ((0.999 * gap / width, 1), (1.001 * gap / width, 0)):
        assert pi_of(UCB(sd=sd), count, total)[0] == first


def histories(rule, chance, rounds):
    """All ways in which a rule may act and be paid: probability, and [(pi, action, reward)]."""
    for way in itertools.product(range(len(chance)), (0, 1), repeat=rounds):
        count, total, p, steps = [0.0] * len(chance), [0.0] * len(chance), 1.0, []
        for a, r in zip(way[::2], way[1::2], strict=True):
            pi = pi_of(rule, count, total)
            p *= pi[a] * (chance[a] if r else 1 - chance[a])
            steps.append((pi, a, r))
            count[a] += 1
            total[a] += r
        if p > 0:
            yield p, steps


@pytest.mark.parametrize("rule", [EpsilonGreedy(0.2), Thompson()], ids=["epsilon", "Thompson"])
def test_over_all_histories_weights_are_unbiased_and_sample_means_are_not(rule):
    chance, weighed, kept, mean = (0.7, 0.4), 0.0, 0.0, [0.0, 0.0]
    for p, steps in histories(rule, chance, 5):
        weighed += p * sum(r / pi[1] for pi, a, r in steps if a == 1) / 5
        mine = [r for _, a, r in steps if a == 1]
        if mine:
            mean[0] += p * sum(mine) / len(mine)
            mean[1] += p
        kept += p
    assert kept == pytest.approx(1, abs=1e-12)
    assert weighed == pytest.approx(0.4, abs=1e-12)
    assert mean[0] / mean[1] < 0.4 - 0.01


def test_greedy_over_three_rounds_by_hand():
    # Two items, each finished by one viewer in two; each shown once, then the better one.
    half, bias = Fraction(1, 2), Fraction(0)
    for first, second, third in itertools.product((0, 1), repeat=3):
        again = half if first == second else Fraction(first > second)
        bias += Fraction(1, 8) * (again * Fraction(first + third, 2) + (1 - again) * first - half)
    assert bias == Fraction(-1, 16)
    found = 0.0
    for p, steps in histories(EpsilonGreedy(0), (0.5, 0.5), 3):
        mine = [r for _, a, r in steps if a == 0]
        found += p * (sum(mine) / len(mine) - 0.5)
    assert found == pytest.approx(float(bias), abs=1e-12)


def shop_of(n, seed, k=3):
    rng = np.random.default_rng(seed)
    context = rng.choice(["new", "old"], size=n)
    return context, (rng.random((n, k)) < np.linspace(0.2, 0.6, k)).astype(float)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
@pytest.mark.parametrize(("batch", "explore", "discount"), [(1, 0.0, 1.0), (7, 0.1, 0.9)])
def test_every_probability_follows_from_the_log_before_it(rule, batch, explore, discount):
    context, rewards = shop_of(60, seed=1)
    run = learn_online(
        rule, context, rewards, batch=batch, explore=explore, discount=discount, seed=5
    )
    log = run.log
    np.testing.assert_array_equal(log.reward, rewards[np.arange(60), log.action])

    def expected(t, x):
        """From the finished batches alone; a batch that is j batches old counts discount^j."""
        done = (t // batch) * batch if t < 60 else 60
        batches = -(-done // batch)
        count, total = np.zeros(3), np.zeros(3)
        for i in range(done):
            if context[i] == x:
                weight = discount ** (batches - 1 - i // batch)
                count[log.action[i]] += weight
                total[log.action[i]] += weight * log.reward[i]
        return (1 - explore) * pi_of(rule, count, total) + explore / 3

    for t in range(60):
        np.testing.assert_allclose(log.policy[t], expected(t, context[t]), atol=1e-9)
    for x in ("new", "old"):
        np.testing.assert_allclose(run.policy.of([x])[0], expected(60, x), atol=1e-9)


def test_actions_are_drawn_with_the_probabilities_that_are_logged():
    context, rewards = shop_of(40_000, seed=2)
    log = learn_online(Thompson(), context, rewards, batch=400, explore=0.2, seed=3).log
    for a in range(3):
        with_weights = (log.action == a) / log.policy[:, a]
        error = with_weights.std() / math.sqrt(log.n)
        assert abs(with_weights.mean() - 1) < 4 * error < 0.1
        always = np.tile(np.eye(3)[a], (log.n, 1))
        found = ips(log, always)
        assert abs(found.value - rewards[:, a].mean()) < 4 * found.se


def test_the_same_seed_learns_the_same_and_another_does_not():
    context, rewards = shop_of(200, seed=4)
    first, again, other = (
        learn_online(Thompson(), context, rewards, seed=s).log.action for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


class AlwaysFirst:
    """A rule of a reader's own: it never learns."""

    def probabilities(self, count, total):
        return np.eye(count.shape[1])[np.zeros(len(count), dtype=int)]


def uniform_log(rewards, seed, context=None):
    n, k = rewards.shape
    a = np.random.default_rng(seed).integers(0, k, n)
    return Log(a, rewards[np.arange(n), a], np.full(n, 1 / k), context=context)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_replay_learns_from_the_kept_rounds_alone(rule):
    context, rewards = shop_of(400, seed=6)
    log = uniform_log(rewards, 7, context)
    kept = replay(rule, log, seed=8)
    assert 60 < kept.n < 250
    rounds = iter(zip(log.context, log.action, log.reward, strict=True))
    for x, a, r in zip(kept.context, kept.action, kept.reward, strict=True):
        assert any((x, a, r) == one for one in rounds)  # in their order
    counts = {x: (np.zeros(3), np.zeros(3)) for x in ("new", "old")}
    for t in range(kept.n):
        count, total = counts[kept.context[t]]
        np.testing.assert_allclose(kept.policy[t], pi_of(rule, count, total), atol=1e-12)
        count[kept.action[t]] += 1
        total[kept.action[t]] += kept.reward[t]


def test_replay_meets_what_the_rule_would_have_met():
    # The first ten kept rounds of 1,500 old logs, and the first ten of 1,500 live bandits.
    rng, chance, rule = np.random.default_rng(9), np.array([0.8, 0.3]), EpsilonGreedy(0.1)
    earned = []
    for seed in range(800):
        old = uniform_log((rng.random((60, 2)) < chance).astype(float), [10, seed])
        kept = replay(rule, old, seed=seed)
        assert kept.n >= 10
        earned.append(kept.reward[:10].sum())
    live = (rng.random((8_000, 2)) < chance).astype(float)
    run = learn_online(rule, np.tile(np.arange(800), 10), live, batch=800, seed=11)
    other = run.log.reward.reshape(10, 800).sum(axis=0)
    error = math.hypot(np.std(earned), other.std()) / math.sqrt(800)
    assert abs(np.mean(earned) - other.mean()) < 4 * error < 0.4
    assert other.mean() > 10 * chance.mean()  # it learns something in ten rounds


def test_adaptive_aipw_by_hand():
    _, rewards = shop_of(300, seed=12)
    log = learn_online(Thompson(), np.zeros(300), rewards, explore=0.1, seed=13).log
    found = adaptive_aipw(log, 1)
    weights, scores, seen = [], [], []
    for t in range(300):
        e, m = log.policy[t, 1], (sum(seen) / len(seen) if seen else 0.0)
        taken = log.action[t] == 1
        scores.append(m + (log.reward[t] - m) / e if taken else m)
        weights.append(math.sqrt(e))
        seen += [log.reward[t]] if taken else []
    value = np.average(scores, weights=weights)
    error = math.sqrt(sum((h * (g - value)) ** 2 for h, g in zip(weights, scores, strict=True)))
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.se == pytest.approx(error / sum(weights), rel=1e-12)
    assert found.sample == ips(log, log.policy).sample  # contrasts with other estimates


def test_with_even_propensities_every_round_counts_alike():
    _, rewards = shop_of(50, seed=14)
    log = learn_online(EpsilonGreedy(1), np.zeros(50), rewards, seed=15).log
    taken = log.action == 2
    before = [log.reward[:t][taken[:t]] for t in range(50)]
    m = np.array([r.mean() if len(r) else 0.0 for r in before])
    expected = np.mean(m + taken * 3 * (log.reward - m))
    assert adaptive_aipw(log, 2).value == pytest.approx(expected, rel=1e-12)


def test_rounds_of_one_user_count_together():
    _, rewards = shop_of(400, seed=20)
    log = learn_online(EpsilonGreedy(0.5), np.zeros(400), rewards, seed=21).log
    user = np.repeat(np.arange(40), 10)
    grouped = Log(log.action, log.reward, log.pscore, policy=log.policy, cluster=user)
    alone, together = adaptive_aipw(log, 1), adaptive_aipw(grouped, 1)
    assert together.value == alone.value
    error = math.sqrt((np.bincount(user, alone.influence) ** 2).sum()) / 400
    assert together.se == pytest.approx(error, rel=1e-9)
    even = uniform_log(rewards, 22)
    even = Log(even.action, even.reward, even.pscore, cluster=user)
    kept = replay(EpsilonGreedy(0.1), even, seed=23)
    assert (np.diff(kept.cluster) >= 0).all()
    assert 60 < kept.n == len(kept.cluster) < 250


def test_settings_that_are_no_rule_are_refused():
    with pytest.raises(ValueError, match=r"epsilon is 1\.5: it is a share"):
        EpsilonGreedy(1.5)
    with pytest.raises(ValueError, match=r"epsilon is -0\.1"):
        EpsilonGreedy(-0.1)
    for make in (UCB, Thompson):
        with pytest.raises(ValueError, match=r"sd is 0: a standard deviation is positive"):
            make(sd=0)
    with pytest.raises(ValueError, match=r"prior\[1\] is inf: a standard deviation is positive"):
        Thompson(prior=(0.0, math.inf))
    with pytest.raises(ValueError, match=r"prior\[0\] is nan: a mean is a finite number"):
        Thompson(prior=(math.nan, 1.0))


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_records_may_be_lists_and_what_is_no_record_is_refused(rule):
    found = rule.probabilities([[20, 10, 0]], [[11, 5, 0]])[0]
    np.testing.assert_array_equal(found, pi_of(rule, [20, 10, 0], [11, 5, 0]))
    for count, total in (([20, 10], [11, 5]), ([[20, 10]], [[11, 5, 0]])):
        with pytest.raises(ValueError, match=r"count has shape .* pass \(n_contexts, n_actions\)"):
            rule.probabilities(count, total)
    for count, total in (([[20, 10]], [[11, math.nan]]), ([[-1, 10]], [[0, 5]])):
        with pytest.raises(ValueError, match="count or total is NaN, infinite or a negative"):
            rule.probabilities(count, total)
    rule.probabilities([[0, 0]], [[0, 0]])  # a record without rounds is one


def test_what_cannot_be_learned_from_is_refused():
    context, rewards = shop_of(20, seed=16)
    learn = {"rule": UCB(), "context": context, "rewards": rewards, "seed": 1}
    for bad, says in (
        ({"explore": 2}, "explore is 2: it is a share"),
        ({"discount": 0}, "discount is 0: pass a factor above 0"),
        ({"discount": 1.1}, "discount is 1.1: pass a factor above 0"),
        ({"batch": 0}, "batch is 0: pass how many visits"),
        ({"batch": 1.5}, "batch is 1.5: pass how many visits"),
        ({"context": context[1:]}, "unequal lengths: context has 19, rewards has 20"),
        ({"context": [None, *context[1:]]}, r"context is missing in 1 of 20 rows \(first: 0\)"),
        ({"rewards": rewards[:, 0]}, "rewards has 1 dimensions, needs 2"),
        ({"rewards": np.full((20, 2), np.nan)}, "rewards is NaN or infinite in 20 of 20 rows"),
        ({"seed": -1}, "seed is -1"),
        ({"context": np.zeros((20, 2))}, "context has 2 dimensions: join its columns"),
        ({"rule": UCB}, r"rule is <class .*: pass one with its settings, such as Thompson\(\)"),
        ({"rule": "UCB"}, "rule is 'UCB': pass one"),
    ):
        with pytest.raises(ValueError, match=says):
            learn_online(**learn | bad)


def test_logs_that_cannot_be_replayed_are_refused():
    _, rewards = shop_of(20, seed=17)
    log = uniform_log(rewards, 18)
    uneven = Log(log.action, log.reward, np.where(log.action == 0, 0.5, 0.25))
    with pytest.raises(ValueError, match="log is not uniform over"):
        replay(UCB(), uneven, seed=1)
    beyond = Log(log.action + 1, log.reward, log.pscore)
    with pytest.raises(ValueError, match="log is not uniform over 3 actions"):
        replay(UCB(), beyond, seed=1)
    with pytest.raises(ValueError, match="rule is 'UCB': pass one"):
        replay("UCB", log, seed=1)
    pair = Log([0, 1], [1, 1], [0.5, 0.5])
    with pytest.raises(ValueError, match="agree in 1 of 2 rounds, on one action at most"):
        replay(AlwaysFirst(), pair, seed=1)


def test_logs_that_adaptive_aipw_cannot_read_are_refused():
    context, rewards = shop_of(50, seed=19)
    log = learn_online(Thompson(), context, rewards, seed=1).log
    with pytest.raises(ValueError, match="log has several contexts"):
        adaptive_aipw(log, 0)
    with pytest.raises(ValueError, match="log has no policy"):
        adaptive_aipw(Log(log.action, log.reward, log.pscore), 0)
    for action in (-1, 3, 1.0, "1"):
        with pytest.raises(ValueError, match=f"action is {action}: the log's policy has 3"):
            adaptive_aipw(Log(log.action, log.reward, log.pscore, policy=log.policy), action)
    certain = learn_online(UCB(), np.zeros(50), rewards, seed=1).log
    with pytest.raises(ValueError, match=r"action 0 had probability 0 in \d+ of 50 rows"):
        adaptive_aipw(certain, 0)
