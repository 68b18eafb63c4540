"""Actions known by vectors: their tree, weights with a model within, a choice, a tied policy."""

import itertools
import math
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from causalbook import Estimate, mean_of
from causalbook.estimators import Log, dr, learn_policy, mips
from causalbook.llm_encoding import coarsest_agreeing, item_clusters, learn_item_policy, offcem

quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")

# The tree


def spread(v, group):
    """Sum of squares within the groups."""
    return sum(((v[group == g] - v[group == g].mean(0)) ** 2).sum() for g in np.unique(group))


@pytest.mark.parametrize("k", [1, 2, 3, 7, 29, 30])
def test_the_groups_are_those_of_another_implementation_of_ward(k):
    v = np.random.default_rng(k).normal(size=(30, 4))
    ours = item_clusters(v, k)
    assert ours.dtype == np.int64
    assert sorted(set(ours)) == list(range(k))
    theirs = AgglomerativeClustering(k, linkage="ward").fit_predict(v)
    assert adjusted_rand_score(ours, theirs) == 1


@given(st.integers(0, 10**6), st.integers(2, 9))
def test_each_merge_is_the_one_that_adds_the_least_spread(seed, k):
    v = np.random.default_rng(seed).normal(size=(10, 2))
    fine, coarse = item_clusters(v, k), item_clusters(v, k - 1)
    merged = []
    for g, h in itertools.combinations(range(k), 2):
        merged.append(spread(v, np.where(fine == h, g, fine)))
    assert spread(v, coarse) == pytest.approx(min(merged), rel=1e-9)
    pairs = set(zip(fine.tolist(), coarse.tolist(), strict=True))
    assert len(pairs) == k  # nested: each fine group lies in one coarse group


def test_one_item_is_one_group_and_like_items_stay_together():
    assert item_clusters([[1.0, 2.0]], 1).tolist() == [0]
    left, right = item_clusters([0.0, 5.0, 0.1, 5.2], 2)[[0, 1]]
    assert item_clusters([0.0, 5.0, 0.1, 5.2], 2).tolist() == [left, right, left, right]


@pytest.mark.parametrize("k", [0, 4, 2.0, -1, None])
def test_a_number_of_groups_that_no_tree_has_is_refused(k):
    with pytest.raises(ValueError, match=r"k is .*: pass a whole number from 1 to 3"):
        item_clusters(np.eye(3), k)


def test_vectors_with_gaps_are_refused():
    with pytest.raises(ValueError, match="vectors is NaN or infinite in 1 of 2 rows"):
        item_clusters([[0.0, np.nan], [1.0, 2.0]], 1)


F = Fraction

# OffCEM, in a world that is enumerated: two contexts, four films in two genres. The logging policy
# never shows film 3; films differ within their genre, by the same amounts in both contexts.
GENRE = [0, 0, 1, 1]
LOGGING = [[F(1, 2), F(1, 4), F(1, 4), F(0)], [F(1, 4), F(1, 4), F(1, 2), F(0)]]
TARGET = [[F(1, 8), F(3, 8), F(1, 8), F(3, 8)], [F(1, 4), F(0), F(1, 4), F(1, 2)]]
CLICK = [[F(1, 2), F(3, 4), F(1, 4), F(3, 8)], [F(1, 8), F(3, 8), F(3, 4), F(7, 8)]]
RIGHT_WITHIN = [[F(0), F(1, 4), F(2), F(17, 8)], [F(1), F(5, 4), F(0), F(1, 8)]]  # no level is


def population():
    """Return the log in which each possible round stands as often as it is probable."""
    rounds = {
        (x, a, r): LOGGING[x][a] * (CLICK[x][a] if r else 1 - CLICK[x][a])
        for x, a, r in itertools.product((0, 1), range(4), (0, 1))
    }
    copies = 8 * math.lcm(*(p.denominator for p in rounds.values()))
    x, a, r = np.array([key for key, p in rounds.items() for _ in range(int(p * copies))]).T
    policy, target, q = (np.array(t, float)[x] for t in (LOGGING, TARGET, RIGHT_WITHIN))
    return Log(a, r, policy[np.arange(len(a)), a], policy=policy), target, q


def value(click):
    return sum(TARGET[x][a] * click[x][a] for x in (0, 1) for a in range(4)) / 2


def test_a_model_right_within_the_clusters_makes_it_exact_where_mips_is_not():
    log, target, q = population()
    assert offcem(log, target, q, GENRE).value == pytest.approx(float(value(CLICK)), rel=1e-12)
    assert abs(mips(log, target, GENRE).value - float(value(CLICK))) > 0.05


def test_a_model_wrong_within_leaves_the_bias_that_can_be_enumerated():
    log, target, _ = population()
    wrong = [[F(1, 2), F(0), F(0), F(1)], [F(0), F(1, 4), F(0), F(0)]]
    expected = F(0)
    for x, a in itertools.product((0, 1), range(4)):
        same = [b for b in range(4) if GENRE[b] == GENRE[a]]
        w = sum(TARGET[x][b] for b in same) / sum(LOGGING[x][b] for b in same)
        expected += TARGET[x][a] * wrong[x][a] / 2
        expected += LOGGING[x][a] * w * (CLICK[x][a] - wrong[x][a]) / 2
    x = np.repeat([0, 1], log.n // 2)
    found = offcem(log, target, np.array(wrong, float)[x], GENRE).value
    assert found == pytest.approx(float(expected), rel=1e-12)
    assert expected != value(CLICK)


def draw(seed=5, n=400, k=4):
    rng = np.random.default_rng(seed)
    policy, pi = rng.dirichlet(np.full(k, 2.0), n), rng.dirichlet(np.full(k, 2.0), n)
    action = (rng.random((n, 1)) > policy.cumsum(axis=1)[:, :-1]).sum(axis=1)
    reward = rng.random((n, k))[np.arange(n), action] + 0.3 * rng.normal(size=n)
    log = Log(
        action,
        reward,
        policy[np.arange(n), action],
        policy=policy,
        cluster=rng.integers(99, size=n),
    )
    return log, pi, rng.random((n, k))


@pytest.mark.parametrize("seed", range(3))
def test_without_a_model_it_is_mips_and_with_a_cluster_an_item_it_is_dr(seed):
    log, pi, q = draw(seed)
    none, own = offcem(log, pi, 0 * q, GENRE), offcem(log, pi, q, range(4))
    for one, other in ((none, mips(log, pi, GENRE)), (own, dr(log, pi, q))):
        assert (one.value, one.se) == pytest.approx((other.value, other.se), rel=1e-10)
        np.testing.assert_allclose(one.influence, other.influence, atol=1e-10)
        assert (one - other).value == pytest.approx(0, abs=1e-12)  # the same rows, so they subtract
    assert (none.method, none.estimand) == ("OffCEM", "value of the target policy")
    assert none.notes[0] == "2 embeddings of 4 actions; no direct effect is assumed"


def test_a_constant_in_every_reward_and_in_the_model_moves_it_by_that_constant():
    log, pi, q = draw()
    up = Log(log.action, log.reward + 3, log.pscore, policy=log.policy, cluster=log.cluster)
    one, other = offcem(log, pi, q, GENRE), offcem(up, pi, q + 3, GENRE)
    assert other.value - one.value == pytest.approx(3, rel=1e-12)
    assert other.se == pytest.approx(one.se, rel=1e-10)


def test_what_offcem_cannot_answer_is_refused():
    log, pi, q = draw()
    with pytest.raises(ValueError, match=r"q has shape \(400, 3\), pi has \(400, 4\)"):
        offcem(log, pi, q[:, :3], GENRE)
    with pytest.raises(ValueError, match="embedding has 3 rows, pi has 4 columns"):
        offcem(log, pi, q, GENRE[:3])
    with pytest.raises(ValueError, match="log has no policy"):
        offcem(Log(log.action, log.reward, log.pscore), pi, q, GENRE)
    q[7, 0] = np.nan
    with pytest.raises(ValueError, match="q is NaN or infinite in 1 of 400 rows"):
        offcem(log, pi, q, GENRE)


def test_few_effective_rounds_are_told_as_dr_tells_them():
    log, pi, q = draw()
    rare = Log(log.action, 1.0 * (np.arange(400) < 9), log.pscore, policy=log.policy)
    with pytest.warns(UserWarning, match="effective rewarded rounds") as told:
        with_items = offcem(rare, pi, q, range(4))
    assert told[0].filename == __file__  # where the reader's own call stands
    with pytest.warns(UserWarning, match="effective rewarded rounds") as of_dr:
        assert with_items.notes[1:] == dr(rare, pi, q).notes
    assert str(told[0].message) == str(of_dr[0].message)


# The choice


def of(*columns):
    return [mean_of(c, estimand="value", method=str(j), sample="s") for j, c in enumerate(columns)]


def test_it_stops_before_the_first_that_is_contradicted():
    noise = np.array([1.0, -1.0] * 50)
    # The errors of the differences from the first are .1: 1.96 of them are .196, 3.29 are .329.
    near, far, back = 2 * noise + 0.15, 2 * noise + 0.25, 2 * noise
    assert [round((e - of(noise)[0]).se, 10) for e in of(near, far, back)] == [0.1, 0.1, 0.1]
    assert coarsest_agreeing(of(noise, near, 3 * noise, far)) == 2
    assert coarsest_agreeing(of(noise, far, back)) == 0  # the last agrees again: too late
    assert coarsest_agreeing(of(noise, far, back), level=0.999) == 1  # back and far have no error


def test_a_step_back_towards_the_first_is_compared_with_all_before_it():
    noise = np.array([1.0, -1.0] * 50)
    one, two, three = noise, 2 * noise + 0.15, 2 * noise - 0.1
    assert coarsest_agreeing(of(one, two, three)) == 1  # agrees with one, not with two
    assert coarsest_agreeing(of(one, one, one)) == 2


@given(st.integers(0, 10**6), st.floats(0.05, 0.99))
def test_it_is_the_definition(seed, level):
    rng = np.random.default_rng(seed)
    columns = (
        rng.normal(size=(4, 30)) + rng.normal(size=30) + rng.normal() * np.arange(4.0)[:, None] / 3
    )
    z = math.sqrt(2) * _erfinv(level)
    agrees = np.array(
        [
            [abs((a - b).mean()) <= z * (a - b).std() / math.sqrt(30) for b in columns]
            for a in columns
        ]
    )
    expected = max(j for j in range(4) if agrees[: j + 1, : j + 1].all())
    assert coarsest_agreeing(of(*columns), level=level) == expected


def _erfinv(p):
    import scipy.special

    return float(scipy.special.erfinv(p))


def test_what_cannot_be_compared_is_refused():
    one = of([1.0, 2.0])
    with pytest.raises(ValueError, match="estimates has 1 entries: pass two or more"):
        coarsest_agreeing(one)
    with pytest.raises(ValueError, match="level is 95: pass a probability"):
        coarsest_agreeing(one * 2, level=95)
    none, why = np.full(2, np.nan), ("no standard error",)
    bare = Estimate(1.0, none, "value", "DM", sample="s", notes=why)
    with pytest.raises(ValueError, match=r"1 of 2 estimates have no standard error \(first: DM\)"):
        coarsest_agreeing([*one, bare])
    other = mean_of([1.0, 2.0], estimand="value", method="x", sample="t")
    with pytest.raises(ValueError, match="not the same rows"):
        coarsest_agreeing([*one, other])


# The policy


@pytest.mark.parametrize("ridge", [0.01, 0.1])
def test_with_one_hot_vectors_it_is_learn_policy(ridge):
    log, _, q = draw(n=200)
    X = np.random.default_rng(1).normal(size=(200, 2))
    tied, free = (
        learn_item_policy(log, X, np.eye(4), q, ridge=ridge),
        learn_policy(log, X, q, ridge=ridge),
    )
    np.testing.assert_allclose(tied.theta, free.theta, atol=1e-3)
    np.testing.assert_allclose(tied.probabilities(X, np.eye(4)), free.probabilities(X), atol=1e-3)


def by_hand(theta, log, X, v, q, ridge):
    """Doubly robust value of the tied softmax policy, less the penalty, with `dr`."""
    z = np.column_stack([np.ones(len(X)), X])
    scores = np.exp(z @ theta @ v.T)
    pi = scores / scores.sum(axis=1, keepdims=True)
    return dr(log, pi, q).value - ridge / 2 * (theta**2).sum()


@quiet
def test_what_it_finds_is_a_top_of_the_value_that_dr_gives():
    log, _, q = draw(n=200)
    rng = np.random.default_rng(2)
    X, v = rng.normal(size=(200, 2)), rng.normal(size=(4, 3))
    theta = learn_item_policy(log, X, v, q, ridge=0.05).theta
    top, h = by_hand(theta, log, X, v, q, 0.05), 1e-4
    assert top > by_hand(np.zeros_like(theta), log, X, v, q, 0.05) + 0.01
    for i, j in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[i, j] = h
        up, down = (by_hand(theta + s * step, log, X, v, q, 0.05) for s in (1, -1))
        assert abs(up - down) / (2 * h) < 1e-3
        assert max(up, down) < top + 1e-6


def test_an_item_that_was_never_logged_is_ranked_by_its_vector():
    # Two kinds of visitors want opposite things, and the vectors' only column says which is which.
    rng = np.random.default_rng(3)
    x, action = rng.integers(2, size=4000) * 2 - 1, rng.integers(4, size=4000)
    v = np.array([[-1.0], [-0.5], [0.5], [1.0]])
    reward = (rng.random(4000) < 0.5 + 0.3 * x * v[action, 0]).astype(float)
    log = Log(action, reward, np.full(4000, 0.25), policy=np.full((4000, 4), 0.25))
    policy = learn_item_policy(log, x[:, None], v, np.full((4000, 4), 0.5), ridge=0.001)
    new = policy.probabilities([[1.0], [-1.0]], [*v, [2.0]])
    np.testing.assert_allclose(new.sum(axis=1), 1, rtol=1e-12)
    assert (np.diff(new[0]) > 0).all()  # the new item, furthest out, comes first
    assert (np.diff(new[1]) < 0).all()
    twins = policy.probabilities([[1.0]], [[0.3], [0.3]])
    assert twins[0, 0] == pytest.approx(0.5, rel=1e-12)


def test_the_currency_of_rewards_does_not_count():
    log, _, q = draw(n=200)
    X, v = np.random.default_rng(1).normal(size=(200, 1)), np.arange(8.0).reshape(4, 2) / 8
    cents = Log(log.action, 100 * log.reward, log.pscore, policy=log.policy)
    one = learn_item_policy(log, X, v, q, ridge=0.02)
    other = learn_item_policy(cents, X, v, 100 * q, ridge=2.0)
    np.testing.assert_allclose(one.theta, other.theta, atol=1e-6)
    assert one.iterations == other.iterations > 1


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_scale_of_the_vectors_does_not_count(scale):
    log, _, q = draw(n=200)
    X, v = np.random.default_rng(1).normal(size=(2, 200, 2))
    v = v[:4]
    one = learn_item_policy(log, X, v, q, ridge=0.02)
    other = learn_item_policy(log, X, scale * v, q, ridge=0.02 * scale**2)
    np.testing.assert_allclose(scale * other.theta, one.theta, atol=1e-6)
    assert one.iterations == other.iterations > 1


def test_bad_input_is_refused():
    log, _, q = draw(n=50)
    X, v = np.zeros((50, 1)) + np.arange(50)[:, None] / 50, np.eye(4)
    with pytest.raises(ValueError, match="vectors has 3 rows, the log has 4 actions"):
        learn_item_policy(log, X, v[:3], q)
    with pytest.raises(ValueError, match="ridge is -1: pass a number from 0"):
        learn_item_policy(log, X, v, q, ridge=-1)
    with pytest.raises(ValueError, match="vectors is NaN or infinite in 1 of 4 rows"):
        learn_item_policy(log, X, np.where(np.eye(4) * [1, 0, 0, 0] == 1, np.nan, v), q)
    with pytest.raises(ValueError, match="unequal lengths: log has 50, X has 49"):
        learn_item_policy(log, X[1:], v, q)
    policy = learn_item_policy(log, X, v, q, ridge=0.1)
    with pytest.raises(ValueError, match="X has 1 columns and vectors 3, the policy was learned"):
        policy.probabilities(X, v[:, :3])


def test_a_search_that_does_not_end_is_told(monkeypatch):
    import scipy.optimize

    once = scipy.optimize.minimize
    monkeypatch.setattr(
        scipy.optimize, "minimize", lambda *a, **k: once(*a, **k, options={"maxiter": 1})
    )
    log, _, q = draw(n=50)
    with pytest.warns(UserWarning, match="the search for the policy did not end"):
        learn_item_policy(log, np.arange(50.0), np.eye(4), q)
