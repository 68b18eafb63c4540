"""Popularity, neighbours, content: small cases by fractions, and a slow reading of the formulas."""

from collections import Counter
from fractions import Fraction
from math import sqrt

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from causalbook.recommenders import content_based, item_knn, popularity

# Three users, four items; item 3 is rated by nobody.
TABLE = np.array([[4, 2, 0, 0], [3, 0, 1, 0], [0, 1, 2, 0]])


def long(table):
    user, item = np.nonzero(table)
    return pd.DataFrame({"user": user, "item": item, "rating": table[user, item]})


def drawn(seed, n_users=30, n_items=25):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 6, size=(n_users, n_items)) * (rng.random((n_users, n_items)) < 0.3)


def fitted(frame, shape):
    X = np.random.default_rng(1).random((shape[1], 6))
    return [
        popularity(frame, shape=shape),
        item_knn(frame, k=4, shape=shape),
        content_based(frame, X, shape=shape),
    ]


def test_popularity_counts_ratings():
    frame = long(drawn(2))
    counts = Counter(frame["item"])
    scores = popularity(frame, shape=(30, 27)).scores([0, 5])
    assert scores.tolist() == [[counts[i] for i in range(27)]] * 2


def test_neighbours_by_hand():
    # cos(0, 1) = 8 / (5 sqrt 5), cos(0, 2) = 3 / (5 sqrt 5), cos(1, 2) = 2 / 5.
    root, two_fifths = 5 * sqrt(5), float(Fraction(2, 5))
    scores = item_knn(long(TABLE), k=2, shape=(3, 4)).scores([0, 1, 2])
    assert np.allclose(scores[0], [2 * 8 / root, 4 * 8 / root, 4 * 3 / root + 2 * two_fifths, 0])
    # One neighbour each: item 0 has item 1, item 1 item 0, item 2 item 1 (2/5 > 3/11.2).
    nearest = item_knn(long(TABLE), k=1, shape=(3, 4)).scores([0, 1, 2])
    assert np.allclose(nearest[1], [0, 3 * 8 / root, 0, 0])
    assert np.allclose(nearest[2], [1 * 8 / root, 0, 1 * two_fifths, 0])


def test_neighbours_are_scikit_learns_cosines_in_more_than_one_block():
    table = drawn(3, n_users=40, n_items=600)  # BLOCK is 512
    table = table * np.random.default_rng(0).random(table.shape)  # no two cosines equal
    cosine = cosine_similarity(table.T)
    np.fill_diagonal(cosine, -1)
    expected = np.zeros(table.shape)
    for i in range(600):
        near = sorted(range(600), key=lambda j: (-cosine[i, j], j))[:15]
        expected[:, i] = table[:, near] @ cosine[i, near]
    scores = item_knn(long(table), k=15, shape=table.shape).scores(np.arange(40))
    assert np.allclose(scores, expected, atol=1e-10)


def test_users_and_items_exchanged_give_the_user_based_method():
    table = drawn(4)
    swapped = long(table).rename(columns={"user": "item", "item": "user"})
    scores = item_knn(swapped, k=5, shape=table.T.shape).scores(np.arange(25)).T
    cosine = cosine_similarity(table)
    np.fill_diagonal(cosine, -1)
    near = sorted(range(30), key=lambda v: (-cosine[7, v], v))[:5]
    assert np.allclose(scores[7], cosine[7, near] @ table[near], atol=1e-10)


def test_as_many_neighbours_as_there_are_items_means_all():
    table = long(drawn(5))
    few, many = item_knn(table, k=24), item_knn(table, k=1000)
    assert np.array_equal(few.scores([0, 1]), many.scores([0, 1]))


def test_content_by_hand():
    # Two genres. User 0 gave 4 to a film of the first and 2 to one of both.
    genres = [[1, 0], [1, 1], [0, 1], [0, 2]]
    w = np.array([4 + 2 / sqrt(2), 2 / sqrt(2)])
    expected = [w[0], (w[0] + w[1]) / sqrt(2), w[1], w[1]]
    model = content_based(long(TABLE), genres)
    assert np.allclose(model.scores([0])[0], np.array(expected) / sqrt(w @ w), atol=1e-12)
    # A film that nobody rated is scored as its genres say.
    assert model.predict([2], [3]) == model.predict([2], [2])


def test_a_user_without_ratings_has_no_profile():
    for model in fitted(long(TABLE), (5, 4))[1:]:
        assert not model.scores([4]).any()


def test_pairs_and_tables_say_the_same():
    user, item = np.array([7, 0, 7, 29]), np.array([24, 3, 0, 11])
    for model in fitted(long(drawn(6)), (30, 25)):
        assert np.array_equal(model.predict(user, item), model.scores(user)[range(4), item])


def test_relabelling_users_and_items_permutes_the_scores():
    rng = np.random.default_rng(7)
    table = drawn(8) * rng.random((30, 25))  # no two cosines equal
    users, items = rng.permutation(30), rng.permutation(25)
    frame = long(table)
    renamed = frame.assign(user=users[frame["user"]], item=items[frame["item"]])
    X = rng.random((25, 6))
    moved = np.empty_like(X)
    moved[items] = X
    before = [*fitted(frame, (30, 25))[:2], content_based(frame, X)]
    after = [*fitted(renamed, (30, 25))[:2], content_based(renamed, moved)]
    for a, b in zip(before, after, strict=True):
        everyone = np.arange(30)
        assert np.allclose(b.scores(users[everyone])[:, items], a.scores(everyone), atol=1e-10)


def test_the_order_of_the_rows_does_not_matter():
    frame = long(drawn(9))
    mixed = frame.sample(frac=1, random_state=0)
    for a, b in zip(fitted(frame, (30, 25)), fitted(mixed, (30, 25)), strict=True):
        assert np.allclose(a.scores([0, 1, 2]), b.scores([0, 1, 2]), atol=1e-12)


ROWS = long(TABLE)


@pytest.mark.parametrize("model", [popularity, item_knn])
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (ROWS.drop(columns="rating"), "ratings has no column rating"),
        (ROWS.assign(user=list("abcabc")), r"number, labels = pandas.factorize\(column\)"),
        (ROWS.assign(item=[0, 1, -1, 2, 3, -1]), r"ratings\['item'\] is negative in 2 of 6 rows"),
        (ROWS.assign(item=[0.0, 1, 2, 2, 3, 1]), "holds float64 values"),
        (ROWS.assign(user=[0, 1, np.nan, 2, 3, 1]), r"is missing in 1 of 6 rows \(first: 2\)"),
        (ROWS.assign(rating=[np.nan, *[1.0] * 5]), "rating is NaN or infinite in 1 of 6 rows"),
        (ROWS[:0], r"ratings\['user'\] has shape \(0,\)"),
        (TABLE, "ratings is a ndarray: pass a DataFrame"),
    ],
)
def test_bad_ratings_are_refused(model, frame, message):
    with pytest.raises(ValueError, match=message):
        model(frame)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: popularity(ROWS, shape=(2, 4)), r"ratings\['user'\] is 2 or more in 2 of 6 rows"),
        (lambda: popularity(ROWS, shape=(3, 2)), r"numbers 0 to 1; fit it with a larger shape"),
        (lambda: item_knn(pd.concat([ROWS, ROWS[:1]])), r"again in 1 of 7 rows \(first: 6\)"),
        (lambda: item_knn(ROWS, k=0), "k is 0"),
        (lambda: content_based(ROWS, np.eye(2)), "numbers 0 to 1"),
        (lambda: content_based(ROWS, np.eye(4), shape=(3, 5)), "has 4 rows, shape has 5 items"),
        (lambda: content_based(ROWS, np.diag([1, 1, 0, 1])), "attributes is all zero in 1 of 4"),
        (lambda: popularity(ROWS).scores([3]), "user is 3 or more in 1 of 1 rows"),
        (lambda: popularity(ROWS).scores(0), r"user has shape \(\): pass one column"),
        (lambda: popularity(ROWS).predict([0], [3]), "item is 3 or more"),
        (lambda: item_knn(ROWS).predict([0, 1], [1]), "user has 2, item has 1"),
    ],
)
def test_what_a_model_does_not_know_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
