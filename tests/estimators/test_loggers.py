"""Several loggers as one: exact, never worse than each by itself, its error never too small."""

import itertools
import math
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from causalbook.estimators import Log, dr, ips, mips, pool, snips

F = Fraction
quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")

# One context, three actions, two loggers of which the second has a third of the rounds.
CLICK = (F(1, 4), F(1, 2), F(3, 4))
CAREFUL = (F(3, 4), F(1, 8), F(1, 8))
BOLD = (F(1, 8), F(1, 8), F(3, 4))
TARGET = (F(1, 8), F(3, 8), F(1, 2))


def enumerated(policy, click, rounds):
    """Return actions and rewards of a log in which every outcome is as frequent as probable."""
    action, reward = [], []
    for a, (p, c) in enumerate(zip(policy, click, strict=True)):
        for r, chance in ((1, c), (0, 1 - c)):
            count = p * chance * rounds
            assert count.denominator == 1
            action += [a] * int(count)
            reward += [r] * int(count)
    return np.array(action), np.array(reward)


def world(careful=CAREFUL, bold=BOLD, click=CLICK, sizes=(128, 64)):
    parts = [enumerated(p, click, n) for p, n in zip((careful, bold), sizes, strict=True)]
    tables = [np.array(p, float) for p in (careful, bold)]
    logs = [
        Log(a, r, table[a], policy=np.tile(table, (len(a), 1)))
        for (a, r), table in zip(parts, tables, strict=True)
    ]
    action = np.concatenate([a for a, _ in parts])
    return logs, [table[action] for table in tables], [np.tile(t, (len(action), 1)) for t in tables]


def naive(logs):
    return Log(
        *(np.concatenate([getattr(g, c) for g in logs]) for c in ("action", "reward", "pscore"))
    )


def within(estimate, sizes):
    """Variance of the mean when the number of rounds of each logger is fixed, exactly."""
    ends = np.cumsum([0, *sizes])
    parts = [estimate.influence[i:j] for i, j in itertools.pairwise(ends)]
    return sum(len(part) * part.var() for part in parts) / len(estimate.influence) ** 2


@pytest.mark.parametrize("full", [False, True])
def test_the_expectation_of_the_pooled_log_is_the_value(full):
    logs, logged, tables = world()
    log = pool(logs, tables if full else logged)
    value = sum(t * c for t, c in zip(TARGET, CLICK, strict=True))
    target = np.tile(np.array(TARGET, float), (log.n, 1))
    assert ips(log, target).value == pytest.approx(float(value), rel=1e-12)
    assert dr(log, target, np.full((log.n, 3), 0.3)).value == pytest.approx(float(value), rel=1e-12)
    mixture = [F(2, 3) * c + F(1, 3) * b for c, b in zip(CAREFUL, BOLD, strict=True)]
    np.testing.assert_allclose(log.pscore, np.array(mixture, float)[log.action], rtol=1e-14)
    if full:
        np.testing.assert_allclose(log.policy[5], np.array(mixture, float), rtol=1e-14)
        assert mips(log, target, [0, 1, 2]).value == pytest.approx(float(value), rel=1e-12)
    else:
        assert log.policy is None


eighths = st.sampled_from([c for c in itertools.product(range(1, 7), repeat=3) if sum(c) == 8])


@quiet
@given(eighths, eighths, eighths, eighths, st.sampled_from([(64, 64), (128, 64), (64, 192)]))
def test_its_variance_is_never_above_that_of_the_logs_weighed_by_themselves(a, b, pi, c, sizes):
    careful, bold, target, click = ([F(v, 8) for v in part] for part in (a, b, pi, c))
    logs, logged, _ = world(careful, bold, click, sizes)
    wanted = np.tile(np.array(target, float), (sum(sizes), 1))
    balanced, plain = ips(pool(logs, logged), wanted), ips(naive(logs), wanted)
    value = float(sum(t * v for t, v in zip(target, click, strict=True)))
    assert (balanced.value, plain.value) == pytest.approx((value, value), rel=1e-10)
    assert within(balanced, sizes) <= within(plain, sizes) + 1e-15


@quiet
def test_where_the_loggers_differ_the_gain_is_large():
    logs, logged, _ = world()
    target = np.tile(np.array(TARGET, float), (192, 1))
    balanced, plain = ips(pool(logs, logged), target), ips(naive(logs), target)
    assert within(balanced, (128, 64)) < 0.55 * within(plain, (128, 64))


def test_the_error_counts_the_spread_between_loggers_on_top_of_the_right_one():
    logs, logged, _ = world()
    found = ips(pool(logs, logged), np.tile(np.array(TARGET, float), (192, 1)))
    mixture = [F(2, 3) * c + F(1, 3) * b for c, b in zip(CAREFUL, BOLD, strict=True)]
    value, between = sum(t * c for t, c in zip(TARGET, CLICK, strict=True)), F(0)
    for share, policy in ((F(2, 3), CAREFUL), (F(1, 3), BOLD)):
        mean = sum(p * t / m * c for p, t, m, c in zip(policy, TARGET, mixture, CLICK, strict=True))
        between += share * (mean - value) ** 2
    assert between > 0
    extra = found.se**2 - within(found, (128, 64))
    assert extra == pytest.approx(float(between) / 192, rel=1e-10)


@quiet
def test_a_logger_that_never_shows_an_action_is_helped_out_by_the_other():
    only, bold = (F(1, 2), F(1, 2), F(0)), BOLD
    logs, logged, tables = world(only, bold, sizes=(64, 64))
    target = np.tile([0.0, 0.0, 1.0], (128, 1))
    assert ips(pool(logs, logged), target).value == pytest.approx(0.75, rel=1e-12)
    assert ips(naive(logs), target).value == pytest.approx(0.375, rel=1e-12)  # half of the truth
    assert snips(pool(logs, tables), target).value == pytest.approx(0.75, rel=1e-12)


def test_two_logs_of_one_policy_are_that_log():
    logs, _, _ = world(CAREFUL, CAREFUL)
    both = pool(logs, [np.concatenate([g.pscore for g in logs])] * 2)
    np.testing.assert_allclose(both.pscore, naive(logs).pscore, rtol=1e-14)
    assert both.sample == naive(logs).sample


def test_contexts_are_stacked_and_clusters_are_asked_for():
    logs, logged, _ = world()
    users = np.arange(192) // 2
    frames = [pd.DataFrame({"age": np.arange(g.n)}) for g in logs]
    for parts, stacked in (
        (frames, lambda c: c["age"].to_numpy()),
        ([f.to_numpy() for f in frames], lambda c: c[:, 0]),
    ):
        with_context = [
            Log(g.action, g.reward, g.pscore, context=part, cluster=np.arange(g.n))
            for g, part in zip(logs, parts, strict=True)
        ]
        log = pool(with_context, logged, cluster=users)
        assert stacked(log.context).tolist() == [*range(128), *range(64)]
        assert log.cluster.tolist() == users.tolist()
        with pytest.raises(ValueError, match="cluster is None, but the logs have clusters"):
            pool(with_context, logged)
    one = [Log(logs[0].action, logs[0].reward, logs[0].pscore, context=frames[0]), logs[1]]
    assert pool(one, logged).context is None


def test_what_cannot_be_pooled_is_refused():
    logs, logged, tables = world()
    with pytest.raises(ValueError, match=r"logs are \['Log'\]: pass two Logs or more"):
        pool(logs[:1], logged[:1])
    with pytest.raises(ValueError, match=r"logs are \['Log', 'list'\]"):
        pool([logs[0], []], logged)
    with pytest.raises(ValueError, match="loggers has 1 entries, logs has 2"):
        pool(logs, logged[:1])
    with pytest.raises(
        ValueError, match=r"loggers have the shapes \[\(128,\), \(192,\)\].* 192 rows"
    ):
        pool(logs, [logged[0][:128], logged[1]])
    with pytest.raises(ValueError, match=r"loggers have the shapes \[\(64,\), \(64,\)\]"):
        pool(logs, [logged[0][:64], logged[1][:64]])
    with pytest.raises(ValueError, match=r"loggers have the shapes \[\(192, 1, 1\)"):
        pool(logs, [t[:, :1, None] for t in tables])
    with pytest.raises(ValueError, match="loggers have 2 columns, but action goes up to 2"):
        pool(logs, [t[:, :2] for t in tables])
    uneven = [tables[0].copy(), tables[1].copy()]
    other = (np.concatenate([log.action for log in logs]) + 1) % 3  # not what was logged
    share = logs[0].n / len(other)
    uneven[0][np.arange(len(other)), other] += 0.1 / share
    uneven[1][np.arange(len(other)), other] -= 0.1 / (1 - share)  # their mixture sums to 1
    with pytest.raises(ValueError, match="loggers, number 0, does not sum to 1 in 192 of 192"):
        pool(logs, uneven)
    for wrong in (-0.1, 1.1, np.nan):
        spoilt = logged[0].copy()
        spoilt[150] = wrong
        with pytest.raises(ValueError, match=r"number 0 is no probability in 1 of 192 .* 150\)"):
            pool(logs, [spoilt, logged[1]])
    with pytest.raises(ValueError, match="number 0 is not the pscore of its own log in 112 of 128"):
        pool(logs, logged[::-1])
    spoilt = logged[1].copy()
    spoilt[130] *= 0.9
    with pytest.raises(
        ValueError, match=r"number 1 is not the pscore .* 1 of 64 rows \(first: 2\)"
    ):
        pool(logs, [logged[0], spoilt])


def test_three_loggers_have_their_shares():
    logs, _, _ = world(sizes=(64, 64))
    third = Log([0, 1, 2, 2] * 8, [1, 0, 1, 0] * 8, [0.25, 0.25, 0.5, 0.5] * 8)
    action = np.concatenate([g.action for g in [*logs, third]])
    policies = [np.array(CAREFUL, float), np.array(BOLD, float), np.array([0.25, 0.25, 0.5])]
    log = pool([*logs, third], [p[action] for p in policies])
    mixture = (64 * policies[0] + 64 * policies[1] + 32 * policies[2]) / 160
    np.testing.assert_allclose(log.pscore, mixture[action], rtol=1e-14)
    assert math.isclose(log.reward.sum(), sum(g.reward.sum() for g in [*logs, third]))


def test_a_logger_that_always_shows_one_action_may_be_pooled():
    first = Log([0, 1] * 8, [1, 0] * 8, [0.5] * 16)
    second = Log([1] * 15 + [0], [1] * 16, [1.0] * 15 + [0.5])
    always = np.r_[np.tile([0.0, 1.0], 8), second.pscore]
    log = pool([first, second], [np.full(32, 0.5), always])
    np.testing.assert_allclose(log.pscore, (0.5 + always) / 2)
