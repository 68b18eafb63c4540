"""Lists and what is measured of them: against a slow sort, scikit-learn, scipy and small cases."""

from fractions import Fraction
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from sklearn.metrics import ndcg_score, recall_score

from causalbook.recommenders import coverage, diversity, ndcg, recall, rerank, top_k


@st.composite
def tables(draw):
    """Scores with many ties, what to leave out, and a length."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 6)))
    scores = draw(arrays(float, shape, elements=st.integers(-2, 2)))
    exclude = draw(st.none() | arrays(bool, shape))
    return scores, exclude, draw(st.integers(1, 8))


def by_sorting(scores, exclude, k):
    """What the docstring of top_k says, one user at a time."""
    lists = []
    for u, row in enumerate(scores):
        left = [i for i in range(len(row)) if exclude is None or not exclude[u, i]]
        left.sort(key=lambda i: (-row[i], i))
        lists.append((left + [-1] * k)[:k])
    return lists


@given(tables())
def test_top_k_is_a_slow_sort_with_ties_to_the_lower_number(table):
    scores, exclude, k = table
    assert top_k(scores, k, exclude=exclude).tolist() == by_sorting(scores, exclude, k)


def test_top_k_leaves_the_scores_as_they_are():
    scores = np.array([[1.0, 3.0, 2.0]])
    assert top_k(scores, 2, exclude=[[False, True, False]]).tolist() == [[2, 0]]
    assert scores.tolist() == [[1, 3, 2]]


def test_of_all_equal_scores_the_first_items_come():
    assert top_k(np.zeros((2, 50)), 3).tolist() == [[0, 1, 2]] * 2


# Two users, four items. User 0 finds items 0 (gain 2) and 3 (gain 1); user 1 item 2 (gain 1).
GAIN = np.array([[2, 0, 0, 1], [0, 0, 1, 0]])
LISTS = np.array([[3, 0], [1, 2]])


def test_ndcg_by_hand():
    first = (1 / log2(2) + 2 / log2(3)) / (2 / log2(2) + 1 / log2(3))
    second = (1 / log2(3)) / (1 / log2(2))
    e = ndcg(LISTS, GAIN)
    assert abs(e.value - (first + second) / 2) < 1e-12
    assert np.allclose(e.influence, [(first - second) / 2, (second - first) / 2], atol=1e-12)
    assert e.estimand == "nDCG@2"


def test_recall_by_hand():
    e = recall([[3, 1], [1, -1]], GAIN)
    assert e.value == Fraction(1, 2) / 2  # one of two, none of one
    assert e.influence.tolist() == [0.25, -0.25]
    assert e.estimand == "recall@2"


@given(st.data())
def test_metrics_equal_scikit_learns(data):
    n, n_items = data.draw(st.integers(2, 4)), data.draw(st.integers(2, 7))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    k = data.draw(st.integers(1, n_items))
    scores = rng.permuted(np.tile(np.arange(n_items), (n, 1)), axis=1)  # no ties
    gain = rng.integers(0, 4, size=(n, n_items))
    gain[np.arange(n), rng.integers(n_items, size=n)] = 2
    lists = np.argsort(-scores, axis=1)[:, :k]
    assert abs(ndcg(lists, gain).value - ndcg_score(gain, scores, k=k)) < 1e-12
    listed = np.zeros((n, n_items), dtype=int)
    np.put_along_axis(listed, lists, 1, axis=1)
    outside = recall_score(gain > 0, listed, average="samples")
    assert abs(recall(lists, gain).value - outside) < 1e-12


@given(st.integers(0, 10**6))
def test_metrics_stay_in_range_and_do_not_depend_on_names_or_units(seed):
    rng = np.random.default_rng(seed)
    gain, vectors = rng.random((5, 9)), rng.normal(size=(9, 4))
    lists = top_k(rng.random((5, 9)), 4)
    names = rng.permutation(9)  # item i is called names[i]
    renamed, moved = np.empty_like(gain), np.empty_like(vectors)
    renamed[:, names], moved[names] = gain, vectors
    assert 0 <= ndcg(lists, gain).value <= 1
    for metric, there, here in ((ndcg, renamed, gain), (recall, renamed, gain)):
        assert abs(metric(names[lists], there).value - metric(lists, here).value) < 1e-12
        assert abs(metric(lists, 7 * here).value - metric(lists, here).value) < 1e-12
    assert abs(diversity(names[lists], moved).value - diversity(lists, vectors).value) < 1e-12
    assert abs(diversity(lists, 3 * vectors).value - diversity(lists, vectors).value) < 1e-12
    assert coverage(names[lists], 9) == coverage(lists, 9) <= 1


def test_the_ideal_list_has_one_and_a_list_without_hits_zero():
    assert ndcg(top_k(GAIN, 3), GAIN).value == 1
    assert ndcg([[1, 2], [0, 1]], GAIN).value == recall([[1, 2], [0, 1]], GAIN).value == 0
    assert recall(top_k(GAIN, 2), GAIN).value == 1
    # A list longer than the catalogue: its end adds nothing to either sum.
    assert ndcg(top_k(GAIN, 6), GAIN).value == 1


def test_two_recommenders_on_the_same_users_are_subtracted_and_on_others_not():
    rng = np.random.default_rng(3)
    gain = rng.random((200, 20)) < 0.3
    gain[:, 0] = True
    good, bad = top_k(gain + rng.normal(size=gain.shape), 5), top_k(rng.random(gain.shape), 5)
    for metric in (ndcg, recall):
        a, b = metric(good, gain), metric(bad, gain)
        by_user = (a.influence + a.value) - (b.influence + b.value)
        assert abs((a - b).value - by_user.mean()) < 1e-12
        assert abs((a - b).se - by_user.std() / 200**0.5) < 1e-12
        with pytest.raises(ValueError, match="not the same rows"):
            a - metric(bad[::-1], gain[::-1])


def test_coverage_counts_the_items_somebody_sees():
    assert coverage([[0, 1], [1, -1]], 8) == Fraction(2, 8)


def test_diversity_is_scipys_mean_distance_of_pairs():
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(12, 5))
    lists = [[0, 3, 7], [4, 2, -1], [11, 10, 9]]
    expected = [pdist(vectors[[i for i in row if i >= 0]], "cosine").mean() for row in lists]
    e = diversity(lists, vectors)
    assert abs(e.value - np.mean(expected)) < 1e-12
    assert np.allclose(e.influence, expected - np.mean(expected), atol=1e-12)
    assert e.sample == diversity(lists[::-1], 2 * vectors).sample
    assert e.sample != diversity(lists, -vectors).sample
    assert e.estimand == "diversity@3"


def slowly(scores, vectors, k, weight, exclude):
    """Maximal marginal relevance by the words of its inventors, one user at a time."""
    lists = []
    for u in range(len(scores)):
        left, chosen = [i for i in range(scores.shape[1]) if not exclude[u, i]], []
        while left and len(chosen) < k:
            worth = {}
            for i in left:
                alike = [
                    vectors[i]
                    @ vectors[j]
                    / np.linalg.norm(vectors[i])
                    / np.linalg.norm(vectors[j])
                    for j in chosen
                ]
                worth[i] = (1 - weight) * scores[u, i] - weight * max(alike, default=0)
            chosen.append(max(left, key=lambda i: (worth[i], -i)))
            left.remove(chosen[-1])
        lists.append((chosen + [-1] * k)[:k])
    return lists


@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([0.1, 0.5, 0.9]))
def test_rerank_is_the_greedy_rule(seed, k, weight):
    rng = np.random.default_rng(seed)
    scores, vectors = rng.random((3, 7)), rng.normal(size=(7, 3))
    exclude = rng.random((3, 7)) < 0.3
    found = rerank(scores, vectors, k, weight=weight, exclude=exclude)
    assert found.tolist() == slowly(scores, vectors, k, weight, exclude)


@given(tables())
def test_rerank_without_weight_is_top_k(table):
    scores, exclude, k = table
    vectors = np.random.default_rng(0).normal(size=(scores.shape[1], 2))
    found = rerank(scores, vectors, k, weight=0, exclude=exclude)
    assert np.array_equal(found, top_k(scores, k, exclude=exclude))


def test_rerank_by_hand():
    # Items 0 and 1 point the same way, item 2 across: with weight 1/2 it comes before item 1,
    # since .9 - 1 < .4 - 0.
    vectors, scores = [[1, 0], [2, 0], [0, 1]], [[1.0, 0.9, 0.4]]
    assert rerank(scores, vectors, 3, weight=0.5).tolist() == [[0, 2, 1]]
    # At weight .3 the likeness costs .3 of .63, less than the .63 - .28 = .35 between their scores.
    assert rerank(scores, vectors, 3, weight=0.3).tolist() == [[0, 1, 2]]


def test_reranking_raises_diversity_in_the_mean():
    rng = np.random.default_rng(6)
    scores, vectors = rng.random((100, 40)), rng.normal(size=(40, 3))
    plain, mixed = (rerank(scores, vectors, 5, weight=w) for w in (0, 0.7))
    assert (diversity(mixed, vectors) - diversity(plain, vectors)).conf_int()[0] > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top_k([[1.0, np.nan]], 1), "scores is NaN or infinite in 1 of 1 rows"),
        (lambda: top_k([1.0, 2.0], 1), "scores has 1 dimensions"),
        (lambda: top_k(GAIN, 0), "k is 0: pass a whole number"),
        (lambda: top_k(GAIN, 2.0), "k is 2.0: pass a whole number"),
        (lambda: top_k(GAIN, 1, exclude=[[True]]), r"exclude has shape \(1, 1\) and type bool"),
        (lambda: top_k(GAIN, 1, exclude=GAIN), r"type int64: pass \(2, 4\) True or False"),
        (lambda: ndcg(LISTS, GAIN * [[1], [0]]), r"0 for every item in 1 of 2 rows \(first: 1\)"),
        (lambda: recall(LISTS, GAIN * 0), "in 2 of 2 rows"),
        (lambda: ndcg(LISTS, -GAIN), "relevance is negative in 2 of 2 rows"),
        (lambda: ndcg(LISTS[:1], GAIN), "recommended has 1 users and relevance has 2"),
        (lambda: ndcg([[0, 0], [1, 2]], GAIN), "names an item twice in 1 of 2 rows"),
        (lambda: ndcg([[3, 0, 3], [0, 1, 2]], GAIN), r"twice in 1 of 2 rows \(first: 0\)"),
        (lambda: ndcg([[0, 4], [1, 2]], GAIN), "outside the catalogue, 0 to 3, in 1 of 2 rows"),
        (lambda: recall([[0, -2], [1, 2]], GAIN), "outside the catalogue"),
        (lambda: recall(LISTS.astype(float), GAIN), "type float64: pass"),
        (lambda: coverage([1, 2], 4), r"recommended has shape \(2,\)"),
        (lambda: diversity([[0, -1]], np.eye(3)), "fewer than two items in 1 of 1 rows"),
        (lambda: diversity([[0, 1]], [[1, 0], [0, 0]]), "vectors is all zero in 1 of 2 rows"),
        (lambda: rerank(GAIN, np.eye(4), 2, weight=1), "weight is 1: pass the share"),
        (lambda: rerank(GAIN, np.eye(4), 2, weight=-0.1), "weight is -0.1"),
        (lambda: rerank(GAIN, np.eye(3), 2, weight=0.1), "scores has 4 items and vectors has 3"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_three_items_at_right_angles_are_at_distance_one():
    assert diversity([[0, 1, 2]] * 2, np.eye(3)).value == 1
