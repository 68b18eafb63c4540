"""Slates: exact expectations where positions act alone and where they act on each other."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from causalbook.estimators import position_ips, slate_ips

F = Fraction
quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")

# Two positions, filled independently from three items.
LOGGING = [[F(1, 2), F(1, 4), F(1, 4)], [F(1, 4), F(1, 4), F(1, 2)]]
TARGET = [[F(1, 4), F(1, 4), F(1, 2)], [F(1, 2), F(1, 4), F(1, 4)]]
CLICK = [[F(1, 2), F(1, 4), F(3, 4)], [F(1, 4), F(1, 2), F(1, 4)]]
PULL = F(1, 4)  # what item 0 at the top adds to the chance of a click below it


def chance(k, slate, acting):
    return CLICK[k][slate[k]] + (PULL if acting and k == 1 and slate[0] == 0 else 0)


def value(policy, acting):
    return sum(
        policy[0][a] * policy[1][b] * sum(chance(k, (a, b), acting) for k in (0, 1))
        for a, b in itertools.product(range(3), repeat=2)
    )


def population(acting):
    """Return rewards and probabilities of all slates, each as often as it is probable."""
    rows = {}
    for slate in itertools.product(range(3), repeat=2):
        for clicks in itertools.product((0, 1), repeat=2):
            p = LOGGING[0][slate[0]] * LOGGING[1][slate[1]]
            for k in (0, 1):
                c = chance(k, slate, acting)
                p *= c if clicks[k] else 1 - c
            rows[slate, clicks] = p
    copies = math.lcm(*(p.denominator for p in rows.values()))
    drawn = [key for key, p in rows.items() for _ in range(int(p * copies))]
    slates = np.array([slate for slate, _ in drawn])
    logged, target = (
        np.column_stack([np.array(t[k], float)[slates[:, k]] for k in (0, 1)])
        for t in (LOGGING, TARGET)
    )
    return np.array([clicks for _, clicks in drawn], float), logged, target


def test_both_are_unbiased_where_each_position_acts_alone():
    arrays = population(acting=False)
    truth = float(value(TARGET, acting=False))
    assert position_ips(*arrays).value == pytest.approx(truth, rel=1e-12)
    assert slate_ips(*arrays).value == pytest.approx(truth, rel=1e-12)
    assert abs(truth - float(value(LOGGING, acting=False))) > 0.05


def test_where_an_item_acts_on_the_next_position_the_bias_is_known():
    arrays = population(acting=True)
    truth = value(TARGET, acting=True)
    assert slate_ips(*arrays).value == pytest.approx(float(truth), rel=1e-12)
    bias = (LOGGING[0][0] - TARGET[0][0]) * PULL
    assert position_ips(*arrays).value == pytest.approx(float(truth + bias), rel=1e-12)


def test_the_errors_are_exact():
    rewards, logged, target = population(acting=False)
    w = target / logged
    for method, scores in (
        (position_ips, (w * rewards).sum(axis=1)),
        (slate_ips, w.prod(axis=1) * rewards.sum(axis=1)),
    ):
        found = method(rewards, logged, target)
        np.testing.assert_allclose(found.influence + found.value, scores, atol=1e-12)
        assert found.se == pytest.approx(np.std(scores) / math.sqrt(len(scores)), rel=1e-12)
        assert found.estimand == "reward of a slate under the target policy"


@quiet
def test_a_ranking_without_repeats_wants_marginals_by_position_and_conditionals_by_slate():
    items = (F(1, 2), F(1, 3), F(1, 6))  # drawn without replacement, in both policies' own order
    wanted = (F(1, 6), F(1, 3), F(1, 2))
    click = [[F(1, 2), F(1, 4), F(3, 4)], [F(1, 4), F(1, 2), F(1, 8)]]

    def conditional(p, a, b):
        return p[a], p[b] / (1 - p[a])

    def second(p, b):
        return sum(p[a] * p[b] / (1 - p[a]) for a in range(3) if a != b)

    pairs = list(itertools.permutations(range(3), 2))
    truth, rows, weights = F(0), [], []
    for a, b in pairs:
        (p1, p2), (t1, t2) = conditional(items, a, b), conditional(wanted, a, b)
        truth += t1 * t2 * (click[0][a] + click[1][b])
        rows.append((click[0][a], click[1][b], p1, second(items, b), t1, second(wanted, b), p2, t2))
        weights.append(p1 * p2)
    copies = math.lcm(*(p.denominator for p in weights))
    table = np.repeat(np.array(rows, float), [int(p * copies) for p in weights], axis=0)
    reward = table[:, :2]
    by_position = position_ips(reward, table[:, 2:4], table[:, 4:6]).value
    by_slate = slate_ips(reward, table[:, [2, 6]], table[:, [4, 7]]).value
    assert (by_position, by_slate) == pytest.approx((float(truth), float(truth)), rel=1e-12)


def draw(n=4000, k=6, seed=3):
    rng = np.random.default_rng(seed)
    logging, target = rng.dirichlet(np.ones(5) * 3, k), rng.dirichlet(np.ones(5) * 3, k)
    click, columns = rng.uniform(0.05, 0.4, (k, 5)), range(k)
    slates = np.column_stack([rng.choice(5, size=n, p=logging[j]) for j in columns])
    reward = (rng.random((n, k)) < np.column_stack([click[j, slates[:, j]] for j in columns])) * 1.0
    p0, p = (np.column_stack([t[j, slates[:, j]] for j in columns]) for t in (logging, target))
    return reward, p0, p, float((target * click).sum())


@quiet
def test_the_product_of_six_weights_has_a_far_larger_error():
    reward, p0, p, truth = draw()
    alone, whole = position_ips(reward, p0, p), slate_ips(reward, p0, p)
    assert abs(alone.value - truth) < 4 * alone.se
    assert whole.se > 4 * alone.se
    assert (alone - whole).se > 3 * alone.se  # the same slates: the two can be contrasted


def test_with_one_position_the_two_are_one():
    reward, p0, p, _ = draw(k=1)
    alone, whole = position_ips(reward, p0, p), slate_ips(reward, p0, p)
    assert (alone.value, alone.se) == pytest.approx((whole.value, whole.se), rel=1e-12)


def test_slates_written_twice_leave_the_error_once_they_are_clustered():
    reward, p0, p, _ = draw(n=500)
    twice = [np.vstack([t, t]) for t in (reward, p0, p)]
    once = position_ips(reward, p0, p)
    assert position_ips(*twice, cluster=np.tile(np.arange(500), 2)).se == pytest.approx(once.se)
    assert position_ips(*twice).se == pytest.approx(once.se / math.sqrt(2))


def test_the_weights_are_reported_and_few_rewards_warn():
    reward, p0, p, _ = draw(n=500)
    w = p / p0
    note = position_ips(reward, p0, p).notes[0]
    assert f"effective sample size {w.sum() ** 2 / (w**2).sum():,.0f} of 3,000" in note
    with pytest.warns(UserWarning, match="effective rewarded rounds") as seen:
        whole = slate_ips(reward, p0, p)
    assert seen[0].filename == __file__
    w = w.prod(axis=1)
    assert f"effective sample size {w.sum() ** 2 / (w**2).sum():,.0f} of 500" in whole.notes[0]


@pytest.mark.parametrize("method", [position_ips, slate_ips])
def test_what_is_no_slate_is_refused(method):
    reward, p0, p, _ = draw(n=10, k=2)
    with pytest.raises(ValueError, match=r"pscore has shape \(10, 1\), reward has \(10, 2\)"):
        method(reward, p0[:, :1], p)
    with pytest.raises(ValueError, match="reward has 1 dimensions, needs 2"):
        method(reward[:, 0], p0, p)
    for wrong in (0.0, -0.1, 1.1):
        bad = p0.copy()
        bad[3, 1] = wrong
        with pytest.raises(ValueError, match=r"pscore is no probability in 1 of 10 rows .* 3\)"):
            method(reward, bad, p)
    for wrong in (-0.1, 1.1):
        bad = p.copy()
        bad[4, 0] = wrong
        with pytest.raises(ValueError, match=r"pi is no probability in 1 of 10 rows .* 4\)"):
            method(reward, p0, bad)
    with pytest.raises(ValueError, match="pi gives every logged item probability 0"):
        method(reward, p0, 0 * p)


@quiet
def test_a_target_that_never_makes_a_logged_page_is_refused_for_the_page_alone():
    reward, p0, p, _ = draw(n=10, k=2)
    p[np.arange(10), np.arange(10) % 2] = 0  # one of the two items, by turns
    assert np.isfinite(position_ips(reward, p0, p).value)
    with pytest.raises(ValueError, match="pi gives every logged slate probability 0"):
        slate_ips(reward, p0, p)


@quiet
def test_probabilities_of_zero_and_one_are_taken():
    reward, p0, p, _ = draw(n=10, k=2)
    p[0], p0[0] = (1.0, 0.0), (1.0, 0.5)
    assert np.isfinite(position_ips(reward, p0, p).value)
