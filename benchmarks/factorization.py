"""MovieLens (100,004 ratings): matrix factorisation, against SVD of scikit-surprise on one split.

    pip install -r benchmarks/requirements.txt    # in an environment of its own, with torch
    PYTHONPATH=. python benchmarks/factorization.py [choose]

A fifth of the rows, drawn at random, is held out; both sides fit the rest. Printed are the root
mean squared errors on the held-out rows and medians of three fits of the wall clock, in turns in
one process, on one core. The peer runs once with its defaults (100 factors, 20 epochs) and once
with 20 factors. `choose` prints how dimension, penalty and epochs of the package were chosen: on a
fifth of the training rows, never on the held-out ones.
"""

from __future__ import annotations

import sys
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import surprise
from turns import keep, seconds

from causalbook import datasets
from causalbook.recommenders import MatrixFactorization


def split() -> tuple[Any, Any]:
    """Return training and test rows; users and items are numbered as they come."""
    films = datasets.load("movielens")
    data = pd.DataFrame(
        {
            "user": pd.factorize(films["userId"])[0],
            "item": pd.factorize(films["movieId"])[0],
            "rating": films["rating"],
        }
    )
    test = np.random.default_rng(7).random(len(data)) < 0.2
    return data[~test], data[test]


def rmse(predicted: Any, test: Any) -> float:
    return float(np.sqrt(((predicted - test["rating"]) ** 2).mean()))


def package(train: Any, **options: Any) -> Any:
    return MatrixFactorization(**options).fit(train, shape=(671, 9066))


def peer(table: Any, **options: Any) -> Any:
    return surprise.SVD(random_state=0, **options).fit(table)


def asked(model: Any, test: Any) -> Any:
    """Predictions of the peer, one pair at a time; it clips them to the scale of the ratings."""
    return [model.predict(u, i).est for u, i in zip(test["user"], test["item"], strict=True)]


def choose(train: Any) -> None:
    held = np.random.default_rng(8).random(len(train)) < 0.2
    for dim in (5, 10, 20, 40):
        for penalty in (0.1, 0.15, 0.2):
            model = package(train[~held], dim=dim, penalty=penalty)
            error = rmse(model.predict(train["user"][held], train["item"][held]), train[held])
            print(f"dim {dim:3d}, penalty {penalty:.2f}: {error:.4f}")


def main() -> None:
    train, test = split()
    if sys.argv[1:] == ["choose"]:
        choose(train)
        return
    reader = surprise.Reader(rating_scale=(0.5, 5))
    table = surprise.Dataset.load_from_df(train[["user", "item", "rating"]], reader)
    table = table.build_full_trainset()
    sides = {
        "package": partial(package, train),
        "surprise, defaults": partial(peer, table),
        "surprise, 20 factors": partial(peer, table, n_factors=20),
    }
    took = seconds(*sides.values(), repeats=3, clock=perf_counter)
    work = "matrix factorisation of 100,004 ratings, four fifths of them to learn from"
    times = dict(zip(sides, took, strict=True))
    keep(work, times, peers=["scikit-surprise"], clock="wall")
    for (name, fit), time in zip(sides.items(), took, strict=True):
        model = fit()
        predicted = (
            model.predict(test["user"], test["item"]) if name == "package" else asked(model, test)
        )
        print(f"{name:22s} RMSE {rmse(predicted, test):.4f}   {time:.2f} s")


if __name__ == "__main__":
    main()
