"""The honest causal tree: the best split by brute force, honesty, and what CART splits on."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from causalbook.estimators import causal_tree


def leaf(y, a, e):
    """Weighted difference in means of a leaf and its variance, written out with math.fsum."""
    means, variance = [], 0.0
    for arm in (0, 1):
        w = [1 / p if arm else 1 / (1 - p) for p in e[a == arm]]
        own = y[a == arm]
        means.append(math.fsum(w * own) / math.fsum(w))
        variance += math.fsum((w * (own - means[-1])) ** 2) / math.fsum(w) ** 2
    return means[1] - means[0], variance


def worth(y, a, e):
    tau, v = leaf(y, a, e)
    return len(y) * (tau**2 - 2 * v)


def best_split(x, a, y, e, chose, min_leaf):
    """Try every threshold of every column."""
    found, best = None, worth(y[chose], a[chose], e[chose])
    for j in range(x.shape[1]):
        for t in np.unique(x[:, j])[:-1]:
            sides = [x[:, j] <= t, x[:, j] > t]
            counts = [
                ((a == arm) & half & side).sum()
                for side in sides
                for arm in (0, 1)
                for half in (chose, ~chose)
            ]
            if min(counts) < min_leaf:
                continue
            gained = sum(worth(*(v[side & chose] for v in (y, a, e))) for side in sides)
            if gained > best:
                found, best = (j, float(t)), gained
    return found


def cut(node):
    return None if isinstance(node, int) else (node.column, node.threshold)


def world(seed, n=120):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 4, n), rng.exponential(size=n)])
    e = 0.3 + 0.4 * (x[:, 1] > 1)
    a = (rng.random(n) < e).astype(float)
    return x, a, 100 + 2 * x[:, 0] + a * (x[:, 1] > 0) + rng.normal(size=n), e


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), weighted=st.booleans())
def test_the_first_split_is_that_of_a_search_over_all_thresholds(seed, weighted):
    x, a, y, e = world(seed)
    tree = causal_tree(x, a, y, e=e if weighted else None, max_depth=1, min_leaf=6, seed=seed)
    known = e if weighted else np.full(len(a), 0.5)
    assert cut(tree.root) == best_split(x, a, y, known, tree.chose, 6)
    if cut(tree.root) is None:
        assert tree.root == 0
        assert tree.leaves["where"].tolist() == ["all"]
    else:
        assert (tree.root.left, tree.root.right) == (0, 1)


@pytest.mark.parametrize("seed", range(20))
def test_the_search_agrees_where_the_arms_are_unlike_in_number_and_kind(seed):
    rng = np.random.default_rng([5, seed])
    x = rng.random((200, 1))
    a = (rng.random(200) < 0.1 + 0.8 * x[:, 0]).astype(float)
    y = 2 * x[:, 0] + a * (20 - 9 * x[:, 0] ** 2) + 0.3 * rng.normal(size=200)
    tree = causal_tree(x, a, y, max_depth=1, min_leaf=4, seed=seed)
    assert cut(tree.root) == best_split(x, a, y, np.full(200, 0.5), tree.chose, 4) is not None


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 2.0**-30), (0.0, 2.0**30), (2.0**24, 1.0)])
def test_splits_depend_on_neither_the_unit_nor_the_origin_of_the_outcome(shift, scale):
    x, a, y, e = world(10, n=600)
    y = np.round(64 * y) / 64  # so that the shift takes no digit away
    tree, other = (causal_tree(x, a, v, e=e, min_leaf=20) for v in (y, shift + scale * y))
    assert len(tree.leaves) > 3
    assert other.root == tree.root
    np.testing.assert_allclose(other.predict(x), scale * tree.predict(x), rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_deeper_splits_are_those_of_the_search_within_the_node(seed):
    x, a, y, e = world([7, seed], n=400)
    tree = causal_tree(x, a, y, e=e, max_depth=2, min_leaf=10, seed=seed)
    left = x[:, tree.root.column] <= tree.root.threshold
    for node, side in ((tree.root.left, left), (tree.root.right, ~left)):
        parts = (v[side] for v in (x, a, y, e, tree.chose))
        assert cut(node) == best_split(*parts, 10)


def test_leaves_are_estimated_on_the_half_that_chose_no_split():
    x, a, y, e = world(3, n=800)
    tree = causal_tree(x, a, y, e=e, min_leaf=20)
    assert len(tree.estimates) == len(tree.leaves) > 2
    assert tree.chose.sum() == 400
    assert abs(a[tree.chose].sum() - a[~tree.chose].sum()) <= 1  # each arm is halved
    at = tree.apply(x)
    np.testing.assert_array_equal(np.unique(at), np.arange(len(tree.leaves)))
    for k, estimate in enumerate(tree.estimates):
        rows = (at == k) & ~tree.chose
        value, variance = leaf(y[rows], a[rows], e[rows])
        row = tree.leaves.iloc[k]
        np.testing.assert_allclose(estimate.value, value, rtol=1e-9)
        np.testing.assert_allclose(estimate.se, variance**0.5, rtol=1e-9)
        np.testing.assert_allclose(row[["effect", "se"]].astype(float), [value, variance**0.5])
        np.testing.assert_allclose(row[["low", "high"]].astype(float), estimate.conf_int())
        assert row["n"] == rows.sum()
        assert not estimate.influence[~rows].any()
        for half in (tree.chose, ~tree.chose):
            assert min((a[half & (at == k)] == arm).sum() for arm in (0, 1)) >= 20
    np.testing.assert_array_equal(tree.predict(x), [tree.estimates[k].value for k in at])
    # Other outcomes in the estimating half move the estimates and not the tree.
    other = causal_tree(x, a, np.where(tree.chose, y, -y), e=e, min_leaf=20)
    np.testing.assert_array_equal(other.apply(x), at)


def test_two_leaves_can_be_subtracted_as_independent_groups():
    x, a, y, e = world(4, n=600)
    tree = causal_tree(x, a, y, e=e, max_depth=1)
    left, right = tree.estimates
    gap = right - left
    np.testing.assert_allclose(gap.se, math.hypot(left.se, right.se), rtol=1e-10)


def test_rules_read_as_the_columns_are_called():
    x, a, y, e = world(5, n=800)
    x = x.round(2)  # rules show six digits
    frame = pd.DataFrame(x, columns=["age", "visits", "spent"])
    tree = causal_tree(frame, a, y, e=e, max_depth=2)
    named = ("age", "visits", "spent")
    for k, rule in enumerate(tree.leaves["where"]):
        rows = frame.query(rule).index
        np.testing.assert_array_equal(rows, np.flatnonzero(tree.apply(frame) == k))
        assert any(name in rule for name in named)
        assert f"effect where {rule}" == tree.estimates[k].estimand
    assert "effect" in repr(tree)
    assert "<table" in tree._repr_html_()


def test_an_effect_without_noise_is_split_where_it_jumps_and_nowhere_else():
    x = np.tile(np.arange(40.0), 10)
    a = np.repeat([0.0, 1.0], 200)
    flat = causal_tree(x, a, 3 + 2 * a, min_leaf=2)
    assert flat.root == 0
    assert flat.predict([0.0, 50.0]).tolist() == [2.0, 2.0]
    jump = causal_tree(x, a, a * np.where(x <= 12, 1, 5), min_leaf=2)
    assert (jump.root.column, jump.root.threshold) == (0, 12.0)
    assert jump.leaves["where"].tolist() == ["0 <= 12", "0 > 12"]
    np.testing.assert_allclose(jump.predict([0.0, 12.0, 12.5, 99.0]), [1, 1, 5, 5], rtol=1e-12)
    np.testing.assert_allclose(jump.leaves["se"], 0, atol=1e-12)


def test_depth_zero_is_the_effect_in_the_estimating_half():
    x, a, y, e = world(6)
    tree = causal_tree(x, a, y, e=e, max_depth=0, min_leaf=2)
    half = ~tree.chose
    np.testing.assert_allclose(tree.estimates[0].value, leaf(y[half], a[half], e[half])[0])


def promotion(rng, n=8000):
    """Prognosis: column 0, strong. Effect: column 1, weak. Column 2 does nothing."""
    x, a = rng.integers(0, 2, (n, 3)).astype(float), rng.integers(0, 2, n)
    return x, a, 4 * x[:, 0] + 0.8 * a * x[:, 1] + rng.normal(size=n)


def test_cart_splits_on_the_prognosis_and_the_causal_tree_on_the_effect():
    for seed in range(20):
        x, a, y = promotion(np.random.default_rng([37, seed]))
        cart = DecisionTreeRegressor(max_depth=1).fit(x, y)
        assert cart.tree_.feature[0] == 0
        # Telling CART the treatment does not help: the outcome still differs most by column 0.
        with_a = DecisionTreeRegressor(max_depth=1).fit(np.column_stack([x, a]), y)
        assert with_a.tree_.feature[0] == 0
        assert causal_tree(x, a, y, max_depth=1, seed=seed).root.column == 1


def test_honest_leaves_cover_and_adaptive_ones_do_not():
    # No effect anywhere, five columns of noise: the half that chose the split sees a difference.
    honest, adaptive, seen = 0, 0, 500
    for seed in range(seen):
        rng = np.random.default_rng([2016, seed])
        x, a, y = rng.normal(size=(400, 5)), np.arange(400) % 2, rng.normal(size=400)
        tree = causal_tree(x, a, y, max_depth=1, min_leaf=20, seed=seed)
        low, high = tree.estimates[0].conf_int()
        honest += low <= 0 <= high
        mine = tree.chose & (tree.apply(x) == 0)
        tau, v = leaf(y[mine], a[mine], np.full(mine.sum(), 0.5))
        adaptive += abs(tau) < 1.96 * v**0.5
    low, high = scipy.stats.binom.interval(0.999, seen, 0.95)
    assert low <= honest <= high, honest
    assert adaptive < 0.8 * seen, adaptive


def test_clusters_stay_in_one_half_and_widen_the_leaves():
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(100), 8)
    x, a = rng.normal(size=(800, 2)), np.repeat(rng.permutation(np.arange(100) % 2), 8)
    y = a + rng.normal(size=100)[g] * 2 + rng.normal(size=800)
    tree = causal_tree(x, a, y, max_depth=0, cluster=g)
    assert (np.bincount(g[tree.chose], minlength=100) % 8 == 0).all()
    (one,) = tree.estimates
    rows = ~tree.chose
    psi = np.zeros(800)
    for arm in (0, 1):
        own = rows & (a == arm)
        psi[own] = (2 * arm - 1) * (y[own] - y[own].mean()) / own.sum()
    np.testing.assert_allclose(one.se, np.sqrt((np.bincount(g, psi) ** 2).sum()), rtol=1e-9)


def test_what_cannot_grow_a_tree_is_refused():
    x, a, y, e = world(9)
    for name, wrong in (("max_depth", -1), ("max_depth", 1.5), ("min_leaf", 1), ("min_leaf", 2.5)):
        with pytest.raises(ValueError, match=f"{name} is {wrong}: pass a whole number from"):
            causal_tree(x, a, y, **{name: wrong})
    with pytest.raises(ValueError, match=r"min_leaf is 50, and an arm has .* in one of the halves"):
        causal_tree(x, a, y, e=e)
    with pytest.raises(ValueError, match=r"X has 2 columns, fitted were 3"):
        causal_tree(x, a, y, min_leaf=5).predict(x[:, :2])
    for wrong in (0.0, 1.0):
        with pytest.raises(ValueError, match=r"e is not a probability"):
            causal_tree(x, a, y, e=np.full(120, wrong))


def test_as_many_rows_of_an_arm_as_a_leaf_needs_are_enough():
    x, a, y = np.arange(40.0), np.tile([0.0, 1.0], 20), np.arange(40.0) % 7
    tree = causal_tree(x, a, y, min_leaf=10)
    assert tree.root == 0
    with pytest.raises(ValueError, match="min_leaf is 11, and an arm has 10 rows"):
        causal_tree(x, a, y, min_leaf=11)


def test_columns_in_another_order_are_refused():
    rng = np.random.default_rng(6)
    X = pd.DataFrame(rng.normal(size=(400, 2)), columns=["loyal", "bargains"])
    tree = causal_tree(X, np.arange(400) % 2, rng.normal(size=400))
    with pytest.raises(ValueError, match="X has the columns 'bargains', 'loyal', fitted were 'loy"):
        tree.predict(X[["bargains", "loyal"]])
