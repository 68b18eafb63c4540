"""Intents by exact fractions, the probe against scikit-learn, both on worlds with a known truth."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from causalbook.llm_encoding import intent_vectors, probe

VECTORS = np.array([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
WEIGHT = {"view": 1, "buy": 3}


def events(rows):
    return pd.DataFrame(rows, columns=["user", "item", "time", "action"])


LOG = events([("b", 0, 8, "view"), ("a", 2, 9, "buy"), ("b", 1, 4, "buy"), ("b", 0, 6, "view")])


DAYS = LOG.assign(time=pd.Timestamp("2026-01-01") + pd.to_timedelta(LOG["time"], unit="D"))
LATER = pd.Timestamp("2026-02-01")


def intents(log=LOG, **changes):
    settings = {"vectors": VECTORS, "now": 10, "half_life": 2, "weight": WEIGHT} | changes
    return intent_vectors(log, **settings)


def test_is_the_weighted_mean_by_fractions():
    w = {
        0: Fraction(1, 2) + Fraction(1, 4),
        1: 3 * Fraction(1, 8),
    }  # ages 2, 4 and 6 with a half-life of 2
    expected = [float(w[0] / (w[0] + w[1])), float(w[1] / (w[0] + w[1]))]
    found = intents()
    assert list(found.index) == ["a", "b"]
    np.testing.assert_allclose(found.loc["b"], expected, rtol=1e-12)
    np.testing.assert_allclose(found.loc["a"], VECTORS[2], rtol=1e-12)


def test_timestamps_are_times_too():
    start = pd.Timestamp("2026-01-01")
    days = LOG.assign(time=start + pd.to_timedelta(LOG["time"], unit="D"))
    found = intents(days, now=start + pd.Timedelta("10D"), half_life=pd.Timedelta("2D"))
    pd.testing.assert_frame_equal(found, intents())


def test_the_moment_cancels_and_old_events_still_count():
    for now in (9.5, 100, 1e6):
        pd.testing.assert_frame_equal(intents(now=now), intents())
    old = LOG.assign(time=LOG["time"] - 1e6)
    np.testing.assert_allclose(intents(old), intents(), rtol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_lies_among_the_items_and_moves_with_them(seed):
    rng = np.random.default_rng(seed)
    n, vectors = 30, rng.normal(size=(6, 3))
    log = events([])
    log = pd.DataFrame({"user": rng.integers(5, size=n), "item": rng.integers(6, size=n)})
    log = log.assign(time=rng.uniform(0, 9, n), action=rng.choice(["view", "buy"], n))
    found = intents(log, vectors=vectors)
    assert (found.to_numpy() <= vectors.max(axis=0) + 1e-12).all()
    assert (found.to_numpy() >= vectors.min(axis=0) - 1e-12).all()
    np.testing.assert_allclose(intents(log, vectors=vectors + 5), found + 5, rtol=1e-9)
    shuffled = log.sample(frac=1, random_state=1)
    np.testing.assert_allclose(intents(shuffled, vectors=vectors), found, atol=1e-12)
    tripled = intents(log, vectors=vectors, weight={"view": 3, "buy": 9})
    np.testing.assert_allclose(tripled, found, atol=1e-12)


@pytest.mark.parametrize(
    ("log", "changes", "message"),
    [
        (LOG, {"now": 8}, r"not before now \(8\) in 2 of 4 rows \(first: 0, 1\)"),
        (LOG, {"weight": {"view": 1}}, r"no positive finite weight in 2 of 4 rows \(first: 1, 2\)"),
        (LOG, {"weight": {"view": 0, "buy": 1}}, "no positive finite weight in 2 of 4 rows"),
        (LOG, {"half_life": 0}, "half_life is 0: pass a positive"),
        (LOG, {"half_life": -1.0}, "half_life is -1.0"),
        (LOG, {"half_life": "7D"}, "half_life is 7D: pass a positive difference"),
        (DAYS, {"now": LATER, "half_life": 7}, "half_life is 7: .* such as pandas.Timedelta"),
        (LOG, {"half_life": pd.Timedelta("7D")}, "half_life is 7 days"),
        (LOG, {"now": None}, r"not before now \(None\) in 4 of 4 rows"),
        (LOG, {"now": np.nan}, r"not before now \(nan\) in 4 of 4 rows"),
        (DAYS, {"now": pd.NaT}, r"not before now \(NaT\) in 4 of 4 rows"),
        (LOG.assign(time=["1", "2", "3", "4"]), {}, "time holds .*: convert"),
        (LOG, {"vectors": VECTORS[:2]}, r"no row of vectors in 1 of 4 rows \(first: 1\)"),
        (LOG.assign(item=["x", "y", "z", "x"]), {}, "pass row numbers of vectors"),
        (LOG.assign(time=[8, np.nan, 4, 6]), {}, r"time is missing in 1 of 4 rows \(first: 1\)"),
        (LOG.drop(columns="action"), {}, "lacks \\['action'\\]"),
        (LOG.head(0), {}, "events has 0 rows"),
        ([1], {}, "events is a list: pass a DataFrame"),
    ],
)
def test_refuses_what_makes_no_intent(log, changes, message):
    with pytest.raises(ValueError, match=message):
        intents(log, **changes)


def drawn(n=300, d=4, seed=0, signal=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    return signal * np.eye(3, d)[labels] + rng.normal(size=(n, d)), labels


def test_is_the_ridge_of_scikit_learn_fold_by_fold():
    v, labels = drawn()
    fold = np.arange(300) % 5
    said = np.empty(300, dtype=int)
    for k in range(5):
        train = fold != k
        penalty = ((v[train] - v[train].mean(axis=0)) ** 2).sum(axis=0).mean()
        ridge = Ridge(alpha=penalty).fit(v[train], np.eye(3)[labels[train]])
        said[~train] = ridge.predict(v[~train]).argmax(axis=1)
    found = probe(v, labels, folds=fold, seed=0)
    assert found.accuracy.value == np.mean(said == labels)
    np.testing.assert_allclose(found.accuracy.influence, (said == labels) - np.mean(said == labels))
    assert found.majority == np.bincount(labels).max() / 300


def test_reads_off_what_is_there_and_nothing_from_noise():
    v, labels = drawn(signal=100.0)
    assert probe(v, labels, seed=0).accuracy.value == 1
    for seed in range(5):
        noise = probe(*drawn(n=2000, seed=seed, signal=0.0), seed=seed)
        for e in (noise.accuracy, noise.permuted, noise.accuracy - noise.permuted + 1 / 3):
            assert abs(e.value - 1 / 3) < 4 * e.se


def test_labels_are_any_labels_and_units_do_not_matter():
    v, labels = drawn()
    found = probe(v, labels, seed=0)
    for other in (
        probe(v, np.array(["x", "y", "z"])[labels], seed=0),
        probe(1e6 * v + 3, labels, seed=0),
    ):
        assert other.accuracy.value == found.accuracy.value
        assert other.permuted.value == found.permuted.value
    assert (found.accuracy - found.permuted).se > 0  # of the same rows


def test_the_permuted_accuracy_shows_what_is_learnt_by_heart():
    rng = np.random.default_rng(1)
    texts, label = rng.normal(size=(60, 400)), rng.integers(2, size=60)
    seen = np.repeat(np.arange(60), 20)  # each text twenty times
    blind = probe(texts[seen], label[seen], seed=0)
    assert blind.accuracy.value == 1  # nothing but noise in the vectors
    assert blind.permuted.value == 1
    fair = probe(texts[seen], label[seen], groups=seen, seed=0)
    for e in (fair.accuracy, fair.permuted):
        assert abs(e.value - 0.5) < 4 * e.se
    rows = probe(texts, label, folds=5, seed=0).accuracy
    assert fair.accuracy.se == pytest.approx(rows.se, rel=0.15)  # sixty texts, not 1,200 rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(300)}, "labels has one value"),
        ({"labels": np.arange(300) / 7}, "labels has 300 values in 300 rows"),
        ({"labels": np.zeros(299)}, "unequal lengths: vectors has 300, labels has 299"),
        ({"vectors": np.full((300, 2), np.nan)}, "vectors is NaN"),
        ({"vectors": np.ones((300, 2))}, "vectors has one vector in every row"),
        ({"groups": np.zeros(300)}, "cluster has one group"),
        ({"folds": 1}, "folds is 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_probe_refuses(changes, message):
    v, labels = drawn()
    with pytest.raises(ValueError, match=message):
        probe(**{"vectors": v, "labels": labels, "seed": 0} | changes)
