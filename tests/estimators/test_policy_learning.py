"""Learning from a log: the exact gradient, the best policy of a table, what pessimism buys."""

import math

import numpy as np
import pytest

from causalbook.estimators import LearnedPolicy, Log, dr, learn_policy
from causalbook.estimators.policy_learning import objective, pseudo_rewards, with_intercept

quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")


def draw(n=80, k=4, seed=0, **more):
    rng = np.random.default_rng(seed)
    policy = rng.dirichlet(np.full(k, 2.0), n)
    action = (rng.random((n, 1)) > policy.cumsum(axis=1)[:, :-1]).sum(axis=1)
    X, reward = rng.normal(size=(n, 2)), rng.normal(1.0, 1.0, size=n)
    log = Log(action, reward, policy[np.arange(n), action], policy=policy, **more)
    return log, X, rng.normal(size=(n, k))


def softmax(logits):
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True)


def by_hand(theta, log, X, q, pessimism, ridge):
    """What is to be maximised, from the package's DR on the policy and from the formula alone."""
    pi = softmax(theta[0] + X @ theta[1:])
    found = dr(log, pi, q)
    return found.value - pessimism * found.se - ridge / 2 * (theta**2).sum()


@quiet
@pytest.mark.parametrize("pessimism", [0.0, 1.5])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("clustered", [False, True])
def test_objective_and_gradient_are_those_of_finite_differences(pessimism, ridge, clustered):
    log, X, q = draw(cluster=np.sqrt(np.arange(80)).astype(int) if clustered else None)
    z, g = with_intercept(X), pseudo_rewards(log, q)
    theta = np.random.default_rng(1).normal(size=(3, 4))
    value, slope = objective(theta, z, g, log.cluster, pessimism, ridge)
    assert value == pytest.approx(by_hand(theta, log, X, q, pessimism, ridge), rel=1e-12)
    for j in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[j] = 1e-5
        up, down = (by_hand(theta + s * step, log, X, q, pessimism, ridge) for s in (1, -1))
        assert slope[j] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-8)


@quiet
@pytest.mark.parametrize(("pessimism", "ridge"), [(0.0, 0.05), (1.0, 0.05), (2.0, 0.01)])
def test_no_step_from_the_learned_policy_improves_it(pessimism, ridge):
    log, X, q = draw()
    theta = learn_policy(log, X, q, pessimism=pessimism, ridge=ridge).theta
    best = by_hand(theta, log, X, q, pessimism, ridge)
    assert best > by_hand(0 * theta, log, X, q, pessimism, ridge)
    rng = np.random.default_rng(2)
    for size in (0.01, 0.1, 0.5):
        step = size * rng.normal(size=theta.shape)
        assert by_hand(theta + step, log, X, q, pessimism, ridge) < best + 1e-6


CLICK = np.array(
    [[0.30, 0.20, 0.10, 0.15, 0.25], [0.10, 0.30, 0.20, 0.25, 0.15], [0.20, 0.10, 0.30, 0.15, 0.25]]
)
BEST = CLICK.argmax(axis=1)


def shop(seed, n, chance):
    """Three kinds of users, five items; the best item has the chance that the others leave."""
    rng = np.random.default_rng(seed)
    logging = np.full((3, 5), chance)
    logging[np.arange(3), BEST] = 1 - 4 * chance
    x = rng.integers(3, size=n)
    action = (rng.random((n, 1)) > logging[x].cumsum(axis=1)[:, :-1]).sum(axis=1)
    reward = (rng.random(n) < CLICK[x, action]) * 1.0
    return Log(action, reward, logging[x, action], policy=logging[x]), np.eye(3)[x], x, logging


def truth(policy):
    return (policy * CLICK).sum(axis=1).mean()


def test_with_a_known_model_it_finds_the_best_item_of_each_kind():
    log, X, x, _ = shop(0, 600, 0.2)
    exact = Log(log.action, CLICK[x, log.action], log.pscore, policy=log.policy)
    policy = learn_policy(exact, X, CLICK[x]).probabilities(np.eye(3))
    assert policy.argmax(axis=1).tolist() == BEST.tolist()
    assert truth(policy) > 0.99 * CLICK.max(axis=1).mean()


def test_a_large_uniform_log_suffices_without_a_model():
    log, X, _, _ = shop(1, 60_000, 0.2)
    policy = learn_policy(log, X).probabilities(np.eye(3))
    assert policy.argmax(axis=1).tolist() == BEST.tolist()
    assert truth(policy) > 0.98 * CLICK.max(axis=1).mean()


def test_from_a_thin_log_the_careful_policy_keeps_what_worked_and_the_bold_one_does_not():
    # The logging policy shows the best item in 92 of 100 rounds and each other in 2; a lucky click
    # of these counts fifty. In how many of 60 logs is the learned policy within .01 of it?
    kept = {0.0: 0, 2.0: 0, 3.0: 0}
    for seed in range(60):
        log, X, _, logging = shop([7, seed], 400, 0.02)
        for pessimism in kept:
            policy = learn_policy(log, X, pessimism=pessimism).probabilities(np.eye(3))
            kept[pessimism] += truth(policy) > truth(logging) - 0.01
    assert kept[0.0] <= 15
    assert kept[2.0] >= 45
    assert kept[3.0] >= 54


def test_without_a_model_constant_losses_drive_the_policy_from_whatever_was_logged():
    n = 30
    action = np.arange(n) % 3
    log = Log(action, np.full(n, -1.0), np.full(n, 1 / 3))
    X = np.eye(n)  # each round by itself: the policy can remember
    shown = learn_policy(log, X).probabilities(X)[np.arange(n), action]
    assert shown.max() < 0.1
    with_model = learn_policy(log, X, np.full((n, 3), -1.0)).probabilities(X)
    np.testing.assert_allclose(with_model, 1 / 3)


def many_cells(seed):
    """Ten kinds by twenty items, rare rewards, most items tried in one round of a hundred."""
    rng = np.random.default_rng(seed)
    logging = np.full((10, 20), 0.01)
    logging[np.arange(10), np.arange(10)] = 0.81
    x = rng.integers(10, size=4_000)
    action = (rng.random((len(x), 1)) > logging[x].cumsum(axis=1)[:, :-1]).sum(axis=1)
    reward = (rng.random(len(x)) < 0.04) * 1.0
    return Log(action, reward, logging[x, action], policy=logging[x]), np.eye(10)[x]


@pytest.mark.parametrize("pessimism", [0.0, 3.0])
def test_the_unit_of_the_reward_does_not_matter(pessimism):
    log, X = many_cells(0)
    q = np.full((log.n, 20), 0.04)
    cents = Log(log.action, 1024 * log.reward, log.pscore, policy=log.policy)
    ours = learn_policy(log, X, q, pessimism=pessimism).probabilities(np.eye(10))
    theirs = learn_policy(cents, X, 1024 * q, pessimism=pessimism).probabilities(np.eye(10))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_ridge_draws_towards_the_uniform_policy_and_pessimism_towards_the_log():
    log, X, _, logging = shop(3, 400, 0.02)
    sizes = [(learn_policy(log, X, ridge=r).theta ** 2).sum() for r in (0.001, 0.1, 10)]
    assert sizes == sorted(sizes, reverse=True)
    flat = learn_policy(log, X, ridge=1e6).probabilities(np.eye(3))
    np.testing.assert_allclose(flat, 0.2, atol=1e-4)
    far = [
        np.abs(learn_policy(log, X, pessimism=p).probabilities(np.eye(3)) - logging).sum()
        for p in (0, 3)
    ]
    assert far[1] < 0.5 * far[0]


def test_the_policy_is_softmax_linear_with_intercepts_first():
    theta = np.array([[0.0, 1.0], [2.0, -1.0]])
    policy = LearnedPolicy(theta, 3)
    pi = policy.probabilities([0.0, 0.5])
    np.testing.assert_allclose(pi.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(pi[:, 0] / pi[:, 1]), [-1.0, -1.0 + 1.5])
    assert np.isfinite(policy.probabilities([1e4, -1e4])).all()
    with pytest.raises(ValueError, match="X has 2 columns, the policy was learned from 1"):
        policy.probabilities(np.zeros((3, 2)))


def test_actions_are_counted_by_the_model_the_policy_or_the_log():
    log, X, _ = draw()
    assert learn_policy(log, X, ridge=1.0).theta.shape == (3, 4)
    plain = Log(log.action, log.reward, log.pscore)
    assert learn_policy(plain, X, ridge=1.0).theta.shape == (3, log.action.max() + 1)
    assert learn_policy(log, X, ridge=1.0).iterations > 0


def test_equal_scores_have_no_error_to_fear():
    n = 60
    log = Log(np.arange(n) % 2, np.ones(n), np.full(n, 0.5))
    policy = learn_policy(log, np.zeros(n), np.ones((n, 2)), pessimism=2.0)
    np.testing.assert_allclose(policy.probabilities([0.0]), 0.5)


def test_a_search_that_does_not_end_warns():
    rng = np.random.default_rng(0)
    log, _, q = draw(n=80)
    with pytest.warns(UserWarning, match=r"the search for the policy did not end .* ridge") as seen:
        learn_policy(log, rng.normal(size=(80, 2)) * [1e150, 1.0], q)
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pessimism": -1}, "pessimism is -1: pass a number from 0"),
        ({"pessimism": math.inf}, "pessimism is inf"),
        ({"ridge": math.nan}, "ridge is nan: pass a number from 0"),
        ({"ridge": -0.1}, "ridge is -0.1"),
        ({"q": np.zeros((80, 3))}, r"q has shape \(80, 3\): pass \(80, 4\)"),
        ({"q": np.zeros((79, 4))}, r"q has shape \(79, 4\)"),
        ({"q": np.zeros(80)}, r"q has shape \(80,\)"),
        ({"q": np.full((80, 4), np.nan)}, "q is NaN or infinite"),
        ({"X": np.zeros((79, 2))}, "unequal lengths: log has 80, X has 79"),
        ({"X": np.full((80, 2), np.nan)}, "X is NaN or infinite in 80 of 80 rows"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(arguments, message):
    log, X, q = draw()
    with pytest.raises(ValueError, match=message):
        learn_policy(log, **{"X": X, "q": q} | arguments)


def test_actions_that_the_log_never_shows_cannot_be_learned():
    log, X, q = draw()
    policy = np.column_stack([log.policy, np.zeros(log.n)])
    zeros = Log(log.action, log.reward, log.pscore, policy=policy)
    with pytest.raises(ValueError, match=r"policy is 0 in 80 of 80 rows .* leave out actions"):
        learn_policy(zeros, X)
    plain = Log(log.action, log.reward, log.pscore)
    with pytest.raises(ValueError, match=r"never shows 1 of 5 actions \(first: \[4\]\)"):
        learn_policy(plain, X, np.column_stack([q, q[:, 0]]))
    gap = Log(np.where(log.action == 2, 4, log.action), log.reward, log.pscore)
    with pytest.raises(ValueError, match=r"never shows 1 of 5 actions \(first: \[2\]\)"):
        learn_policy(gap, X)
    with pytest.raises(ValueError, match=r"q has shape \(80, 5\): pass \(80, 4\)"):
        learn_policy(log, X, np.column_stack([q, q[:, 0]]))


def test_the_model_is_left_as_it_was():
    log, X, q = draw()
    before = q.copy()
    learn_policy(log, X, q, ridge=1.0)
    np.testing.assert_array_equal(q, before)
