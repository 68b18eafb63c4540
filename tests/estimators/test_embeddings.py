"""MIPS: exact in a world without direct effects, IPS for one-hot embeddings, a peer's mistake."""

import importlib.util
import math
from fractions import Fraction
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from causalbook.estimators import Log, ips, mips

F = Fraction
quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")

# Two contexts, five films: genre and length are what a click depends on. The logging policy never
# shows film 4, of the same genre and length as film 3.
SHARE = [F(1, 3), F(2, 3)]
KIND = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
LOGGING = [
    [F(1, 2), F(1, 6), F(1, 6), F(1, 6), F(0)],
    [F(1, 6), F(1, 6), F(1, 3), F(1, 3), F(0)],
]
TARGET = [
    [F(1, 12), F(1, 12), F(1, 6), F(1, 3), F(1, 3)],
    [F(1, 4), F(1, 12), F(1, 6), F(0), F(1, 2)],
]
BY_KIND = [{(0, 0): F(1, 4), (0, 1): F(1, 2), (1, 0): F(1, 8), (1, 1): F(7, 8)}] * 2
BY_KIND[1] = {(0, 0): F(1, 2), (0, 1): F(1, 8), (1, 0): F(3, 4), (1, 1): F(1, 4)}
CLICK = [[by[tuple(kind)] for kind in KIND] for by in BY_KIND]
DIRECT = [list(row) for row in CLICK]
DIRECT[1][4] += F(1, 2)  # film 4 itself is liked, beyond its kind


def value(click):
    return sum(SHARE[x] * TARGET[x][a] * click[x][a] for x in (0, 1) for a in range(5))


def population(click=CLICK):
    """Return the log in which every possible round stands exactly as often as it is probable."""
    rounds = {
        (x, a, r): SHARE[x] * LOGGING[x][a] * (click[x][a] if r else 1 - click[x][a])
        for x in (0, 1)
        for a in range(5)
        for r in (0, 1)
    }
    copies = 8 * math.lcm(*(p.denominator for p in rounds.values()))
    x, a, r = np.array([key for key, p in rounds.items() for _ in range(int(p * copies))]).T
    policy, target = (np.array(t, float)[x] for t in (LOGGING, TARGET))
    return Log(a, r, policy[np.arange(len(a)), a], policy=policy), target


@pytest.mark.parametrize(
    "embedding", [KIND, ["a", "b", "c", "d", "d"], KIND[:, 0] * 2 + KIND[:, 1]]
)
def test_the_expectation_is_the_value_though_an_action_was_never_logged(embedding):
    log, target = population()
    assert mips(log, target, embedding).value == pytest.approx(float(value(CLICK)), rel=1e-12)
    with pytest.raises(ValueError, match="actions that the logging policy never shows"):
        ips(log, target)


def test_the_bias_is_what_the_actions_do_beyond_their_embedding():
    log, target = population(DIRECT)
    off = mips(log, target, KIND).value - float(value(DIRECT))
    assert off == pytest.approx(float(-SHARE[1] * TARGET[1][4] * F(1, 2)), rel=1e-12)


def test_the_error_is_the_exact_standard_deviation_of_one_round():
    log, target = population()
    found, squares = mips(log, target, KIND), F(0)
    for x in (0, 1):
        for a in range(5):
            same = [b for b in range(5) if tuple(KIND[b]) == tuple(KIND[a])]
            shown = sum(LOGGING[x][b] for b in same)
            w = sum(TARGET[x][b] for b in same) / shown
            squares += SHARE[x] * LOGGING[x][a] * CLICK[x][a] * w**2
    assert found.se**2 * log.n == pytest.approx(float(squares - value(CLICK) ** 2), rel=1e-10)


def test_the_product_of_the_columns_sums_is_biased_where_the_sum_of_products_is_not():
    # obp multiplies, over the columns d of the embedding, sums over actions of pi p(e_d | a):
    # MarginalizedInverseProbabilityWeighting._estimate_round_rewards, sb-obp 0.5.10.
    def chance(policy, a, d):
        return sum(p for p, kind in zip(policy, KIND, strict=True) if kind[d] == KIND[a][d])

    def product(x, a):
        target, logging = ((chance(p[x], a, 0) * chance(p[x], a, 1)) for p in (TARGET, LOGGING))
        return target / logging

    expected = sum(
        SHARE[x] * LOGGING[x][a] * product(x, a) * CLICK[x][a] for x in (0, 1) for a in range(5)
    )
    assert abs(expected - value(CLICK)) > F(1, 20)


def draw(seed=5, n=500, k=4):
    rng = np.random.default_rng(seed)
    policy, pi = rng.dirichlet(np.full(k, 2.0), n), rng.dirichlet(np.full(k, 2.0), n)
    u = rng.random((n, 1))
    action = (u > policy.cumsum(axis=1)[:, :-1]).sum(axis=1)
    q = rng.random((n, k))
    reward = q[np.arange(n), action] + 0.3 * rng.normal(size=n)
    return Log(action, reward, policy[np.arange(n), action], policy=policy), pi


@pytest.mark.parametrize("embedding", [np.eye(4), list("wxyz"), [[0, 0], [0, 1], [1, 0], [1, 1]]])
@pytest.mark.parametrize("seed", range(3))
def test_with_an_embedding_for_each_action_it_is_ips(embedding, seed):
    log, pi = draw(seed)
    one, other = mips(log, pi, embedding), ips(log, pi)
    assert (one.value, one.se) == pytest.approx((other.value, other.se), rel=1e-10)


def test_obp_agrees_for_one_column_and_takes_the_product_for_two():
    # sb-obp 0.5.10, numpy 1.26.4, arrays of draw():
    #   MarginalizedInverseProbabilityWeighting(n_actions=4).estimate_policy_value(reward=r,
    #       action=a, action_embed=E[a], pi_b=policy[:, :, None], action_dist=pi[:, :, None],
    #       p_e_a=one_hot) with E = [[0], [1], [2], [3]], and [[0, 0], [0, 1], [1, 0], [1, 1]]
    log, pi = draw()
    one_column, two_columns = 0.44647876133176745, 0.4807884142610788
    assert mips(log, pi, [0, 1, 2, 3]).value == pytest.approx(one_column, rel=1e-10)
    policy, action, w = log.policy, log.action, np.ones(log.n)
    for d in (0, 1):
        column = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])[:, d]
        same = column[None, :] == column[action][:, None]
        w *= (pi * same).sum(axis=1) / (policy * same).sum(axis=1)
    assert (w * log.reward).mean() == pytest.approx(two_columns, rel=1e-10)
    distinct = mips(log, pi, [[0, 0], [0, 1], [1, 0], [1, 1]]).value  # each film has its own label
    assert distinct == pytest.approx(one_column, rel=1e-10)


def test_with_one_embedding_for_all_it_is_the_mean_reward():
    log, pi = draw()
    assert mips(log, pi, ["film"] * 4).value == pytest.approx(log.reward.mean(), rel=1e-12)


@quiet
@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_the_names_of_embeddings_and_the_numbers_of_actions_do_not_count(seed, order):
    log, pi = draw(seed, n=30)
    label, order = np.array([0, 1, 1, 0]), np.array(order)
    renamed = Log(
        np.argsort(order)[log.action], log.reward, log.pscore, policy=log.policy[:, order]
    )
    one = mips(log, pi, label)
    other = mips(renamed, pi[:, order], np.array(["u", "b"])[label[order]])
    assert (one.value, one.se) == pytest.approx((other.value, other.se), rel=1e-9)


@quiet
@given(st.integers(0, 10**6))
def test_the_weights_of_embeddings_vary_less_than_those_of_actions(seed):
    log, pi = draw(seed, n=200)
    ones = Log(log.action, np.ones(log.n), log.pscore, policy=log.policy)
    w = pi / log.policy
    coarse = np.repeat((pi.reshape(-1, 2, 2).sum(2) / log.policy.reshape(-1, 2, 2).sum(2)), 2, 1)
    second = [(log.policy * v**2).sum(axis=1) for v in (coarse, w)]
    assert (second[0] <= second[1] + 1e-12).all()  # as Saito and Joachims (2022) prove
    scores = mips(ones, pi, [0, 0, 1, 1]).influence + mips(ones, pi, [0, 0, 1, 1]).value
    np.testing.assert_allclose(scores, coarse[np.arange(log.n), log.action], rtol=1e-10)


def test_the_note_counts_embeddings():
    log, pi = draw()
    note = mips(log, pi, [0, 0, 1, 1]).notes[0]
    assert note == "2 embeddings of 4 actions; no direct effect is assumed"
    assert "effective sample size" in mips(log, pi, [0, 0, 1, 1]).notes[1]


def test_what_it_cannot_answer_is_refused():
    log, pi = draw()
    plain = Log(log.action, log.reward, log.pscore)
    with pytest.raises(ValueError, match=r"log has no policy: .* pass Log\(\.\.\., policy=\)"):
        mips(plain, pi, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="embedding has 3 rows, pi has 4 columns"):
        mips(log, pi, [0, 0, 1])
    with pytest.raises(ValueError, match=r"embedding has shape \(4, 1, 1\): pass one row"):
        mips(log, pi, np.zeros((4, 1, 1)))
    with pytest.raises(ValueError, match="embedding is missing in 1 of 4 rows"):
        mips(log, pi, [0, np.nan, 1, 1])
    with pytest.raises(ValueError, match=r"pi has shape \(500, 5\), policy has \(500, 4\)"):
        mips(log, np.full((500, 5), 0.2), [0, 0, 1, 1, 1])
    population_log, target = population()
    with pytest.raises(ValueError, match=r"embeddings that the logging policy never shows .*, 4"):
        mips(population_log, target, [0, 1, 2, 3, 4])
    never = np.tile([0.0, 0.0, 0.5, 0.5], (4, 1))
    half = Log([0, 1, 0, 1], [1, 0, 1, 0], [0.25] * 4, policy=np.full((4, 4), 0.25))
    with pytest.raises(ValueError, match="pi gives every logged embedding probability 0"):
        mips(half, never, [0, 0, 1, 1])


# One published setting


@pytest.fixture
def many_actions():
    path = Path(__file__).parents[2] / "benchmarks" / "many_actions.py"
    spec = importlib.util.spec_from_file_location("many_actions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_in_the_world_of_saito_and_joachims_mips_gains_with_the_number_of_actions(many_actions):
    few, many = (many_actions.errors(k, rounds=1000, replications=20) for k in (10, 300))
    assert many["MIPS"] < 0.2 * min(many["IPS"], many["DR"])
    assert many["MIPS"] < many["DM"]
    assert many["MIPS"] / many["IPS"] < 0.5 * few["MIPS"] / few["IPS"]
    assert few["product"] > 2 * few["MIPS"]  # obp's rule, where few actions leave columns dependent


def test_in_that_world_mips_is_the_sum_over_actions_of_products(many_actions):
    rng = np.random.default_rng(1)
    world = many_actions.World(6, rng)
    pi = rng.dirichlet(np.ones(6))
    for e in ((0, 3, 9), (4, 4, 4)):
        by_hand = sum(pi[a] * math.prod(world.p[d][a, e[d]] for d in range(3)) for a in range(6))
        code = np.ravel_multi_index(e, (10, 10, 10))
        assert (pi @ world.joint)[code] == pytest.approx(by_hand, rel=1e-12)
