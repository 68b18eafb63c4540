"""Matrix factorisation: against alternating least squares in numpy, and a library on MovieLens."""

import numpy as np
import pandas as pd
import pytest

from causalbook import datasets
from causalbook.recommenders import MatrixFactorization

# benchmarks/factorization.py on 2026-11-29: RMSE on the test rows of scikit-surprise 1.1.5's SVD
# (biased), fitted to the training rows of the split below: with its defaults (100 factors, 20
# epochs, random_state=0), and with 20 factors.
SURPRISE = {"defaults": 0.8947, "20 factors": 0.8900}


def drawn(seed, n_users=40, n_items=30, share=0.5):
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < share)
    p, q = rng.normal(size=(n_users, 2)), rng.normal(size=(n_items, 2))
    rating = 3 + (p[user] * q[item]).sum(axis=1) + rng.normal(0, 0.3, size=len(user))
    return pd.DataFrame({"user": user, "item": item, "rating": rating})


def objective(data, w, penalty, mu, parameters):
    """The docstring's L, in numpy."""
    b, c, p, q = parameters
    u, i = data["user"], data["item"]
    error = data["rating"] - mu - b[u] - c[i] - (p[u] * q[i]).sum(axis=1)
    size = b[u] ** 2 + c[i] ** 2 + (p[u] ** 2).sum(axis=1) + (q[i] ** 2).sum(axis=1)
    return np.average(error**2 + penalty * size, weights=w)


def alternating(data, w, penalty, dim, sweeps, seed=1):
    """Alternating least squares: exact in all users' numbers, then in all items'."""
    rng = np.random.default_rng(seed)
    user, item = data["user"].to_numpy(), data["item"].to_numpy()
    mu = np.average(data["rating"], weights=w)
    r = data["rating"].to_numpy() - mu
    sides = [
        {"bias": np.zeros(n), "factors": rng.normal(0, 0.1, size=(n, dim))}
        for n in (user.max() + 1, item.max() + 1)
    ]
    for _ in range(sweeps):
        for mine, other, here, there in ((0, 1, user, item), (1, 0, item, user)):
            for j in range(len(sides[mine]["bias"])):
                rows = here == j
                bias, factors = sides[other]["bias"], sides[other]["factors"]
                x = np.column_stack([np.ones(rows.sum()), factors[there[rows]]])
                normal = (x.T * w[rows]) @ x + penalty * w[rows].sum() * np.eye(dim + 1)
                answer = np.linalg.solve(normal, (x.T * w[rows]) @ (r[rows] - bias[there[rows]]))
                sides[mine]["bias"][j], sides[mine]["factors"][j] = answer[0], answer[1:]
    (b, p), (c, q) = ((side["bias"], side["factors"]) for side in sides)
    return mu, (b, c, p, q)


def parameters(model):
    return model.user_bias, model.item_bias, model.user_factors, model.item_factors


@pytest.mark.parametrize("weighted", [False, True])
def test_adam_ends_where_alternating_least_squares_does(weighted):
    data = drawn(1)
    w = np.random.default_rng(2).uniform(0.5, 5, size=len(data)) if weighted else np.ones(len(data))
    model = MatrixFactorization(2, penalty=0.1, epochs=600).fit(data, w)
    mu, oracle = alternating(data, w, 0.1, 2, sweeps=100)
    assert abs(model.mean - mu) < 1e-12
    found, best = (objective(data, w, 0.1, mu, x) for x in (parameters(model), oracle))
    assert abs(found / best - 1) < 1e-4
    fitted = model.predict(data["user"], data["item"])
    b, c, p, q = oracle
    expected = mu + b[data["user"]] + c[data["item"]] + (p[data["user"]] * q[data["item"]]).sum(1)
    assert np.abs(fitted - expected).max() < 0.02


def test_a_row_of_weight_two_counts_as_two_rows_and_only_ratios_of_weights_matter():
    data = drawn(3)
    w = np.where(np.arange(len(data)) % 3 == 0, 2.0, 1.0)
    twice = pd.concat([data, data[w == 2]], ignore_index=True)
    learner = MatrixFactorization(2, epochs=100)
    a, b, c = learner.fit(data, w), learner.fit(twice), learner.fit(data, w / 2**40)
    everyone = np.arange(40)
    assert np.abs(a.scores(everyone) - b.scores(everyone)).max() < 1e-5  # float32, other sums
    assert np.array_equal(a.scores(everyone), c.scores(everyone))
    assert np.abs(a.scores(everyone) - learner.fit(data).scores(everyone)).max() > 0.05


def test_relabelling_users_and_items_permutes_the_predictions():
    data, rng = drawn(4), np.random.default_rng(5)
    users, items = rng.permutation(40), rng.permutation(30)
    renamed = data.assign(user=users[data["user"]], item=items[data["item"]])
    learner = MatrixFactorization(2, penalty=0.2, epochs=1000)  # to the end: the start differs
    a = learner.fit(data).scores(np.arange(40))
    b = learner.fit(renamed).scores(users)[:, items]
    assert np.abs(a - b).max() < 0.01


def test_the_same_seed_gives_the_same_numbers_twice_and_touches_no_other_source_of_chance():
    import torch

    data = drawn(6)
    torch.manual_seed(1)
    before, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(1)
    a, b = (MatrixFactorization(3, epochs=20, seed=4).fit(data) for _ in range(2))
    assert torch.equal(torch.rand(3), before)
    assert torch.get_num_threads() == threads
    assert all(np.array_equal(x, y) for x, y in zip(parameters(a), parameters(b), strict=True))
    other = MatrixFactorization(3, epochs=20, seed=5).fit(data)
    assert not np.array_equal(a.user_factors, other.user_factors)


def test_users_and_items_without_ratings_get_the_mean_and_the_biases():
    data = drawn(7)
    model = MatrixFactorization(2, epochs=50).fit(data, shape=(43, 32))
    assert not model.user_factors[40:].any()
    assert not model.item_factors[30:].any()
    assert not model.user_bias[40:].any()
    assert np.array_equal(model.scores([41])[0], model.mean + model.item_bias)
    assert model.predict([42], [31]) == model.mean


def test_a_heavy_penalty_leaves_the_mean():
    model = MatrixFactorization(2, penalty=1e4, epochs=300).fit(drawn(8))
    assert np.abs(model.scores(np.arange(40)) - model.mean).max() < 1e-3


def test_pairs_and_tables_say_the_same():
    model = MatrixFactorization(3, epochs=20).fit(drawn(9))
    user, item = [3, 3, 0], [5, 29, 0]
    table = model.scores(user)[range(3), item]
    assert np.allclose(model.predict(user, item), table, atol=1e-12)


def test_on_movielens_the_error_is_within_five_percent_of_a_well_kept_librarys():
    films = datasets.load("movielens")
    data = pd.DataFrame(
        {
            "user": pd.factorize(films["userId"])[0],
            "item": pd.factorize(films["movieId"])[0],
            "rating": films["rating"],
        }
    )
    test = np.random.default_rng(7).random(len(data)) < 0.2
    model = MatrixFactorization().fit(data[~test], shape=(671, 9066))
    error = model.predict(data["user"][test], data["item"][test]) - data["rating"][test]
    rmse = np.sqrt((error**2).mean())
    for peer in SURPRISE.values():
        assert rmse < 1.05 * peer
    constant = data["rating"][test] - data["rating"][~test].mean()
    assert rmse < 0.9 * np.sqrt((constant**2).mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MatrixFactorization(0), "dim is 0: pass a whole number from 1"),
        (lambda: MatrixFactorization(2, epochs=1.5), "epochs is 1.5"),
        (lambda: MatrixFactorization(2, penalty=-1), "penalty is -1: pass a number from 0"),
        (lambda: MatrixFactorization(2, penalty=np.nan), "penalty is nan"),
        (lambda: MatrixFactorization(2, seed=-1).fit(drawn(1)), "seed is -1"),
        (lambda: MatrixFactorization(2).fit(drawn(1), [1.0]), "ratings has 5.., weights has 1"),
        (
            lambda: MatrixFactorization(2).fit(drawn(1), drawn(1)["user"] * 1.0),
            r"weights is not positive in \d+ of 5.. rows",
        ),
        (lambda: MatrixFactorization(2).fit(drawn(1), shape=(40, 3)), "fit it with a larger shape"),
    ],
)
def test_what_cannot_be_fitted_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
