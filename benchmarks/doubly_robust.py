"""One million rows, ten covariates: cross-fitted AIPW, against DoubleML with the same folds.

    pip install -r benchmarks/requirements.txt    # in an environment of its own
    PYTHONPATH=. python benchmarks/doubly_robust.py [ROWS]

Both sides fit a logistic propensity and a line in each arm, without penalty and to a tight
tolerance, in the same five folds, and must agree on estimate and error. DoubleML is given its folds
as lists of rows beforehand, and scikit-learn's default solver (newton-cholesky takes as long). The
sides take turns in one process, with the threads that numpy takes by itself; printed are medians of
three runs of the wall clock after one warm-up, ratios to the package, and the peak of memory above
the data in a further run under tracemalloc.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from functools import cache, partial
from time import perf_counter
from typing import Any

import doubleml
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression
from turns import keep, seconds

from causalbook.estimators import aipw
from causalbook.nuisance import Linear, Logit, cross_fit

Answer = tuple[float, float]


def world(n: int, p: int = 10, seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Draw covariates, a treatment that follows them, an outcome, and five folds."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, p))
    a = (rng.random(n) < 1 / (1 + np.exp(-X @ np.linspace(-0.5, 0.5, p)))).astype(float)
    y = X @ np.linspace(0, 1, p) + 0.3 * a + rng.normal(size=n)
    return X, a, y, rng.permutation(n) % 5


def package(X: Any, a: Any, y: Any, folds: Any) -> Answer:
    """Three cross-fits and the equation."""
    e = cross_fit(Logit(), X, a, folds=folds)
    mu0 = cross_fit(Linear(), X, y, where=a == 0, folds=folds)
    mu1 = cross_fit(Linear(), X, y, where=a == 1, folds=folds)
    estimate = aipw(y, a, e, mu0, mu1)
    return estimate.value, estimate.se


def peer(X: Any, a: Any, y: Any, folds: Any) -> Answer:
    """DoubleML's interactive regression model; its table of folds is made once."""
    data = doubleml.DoubleMLData.from_arrays(X, y, a)
    e = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    model = doubleml.DoubleMLIRM(data, LinearRegression(), e, draw_sample_splitting=False)
    model.set_sample_splitting(splits(folds.tobytes()))
    model.fit()
    return float(model.coef[0]), float(model.se[0])


@cache
def splits(folds: bytes) -> Any:
    """Rows to learn from and rows to predict, for each fold."""
    k = np.frombuffer(folds, dtype=np.int64)
    return [[(np.flatnonzero(k != fold), np.flatnonzero(k == fold)) for fold in range(5)]]


def main(n: int) -> None:
    """Time the sides in turns and print one row each."""
    data = world(n)
    sides: dict[str, Callable[..., Answer]] = {
        "causalbook, Logit and Linear": package,
        "DoubleML IRM, lbfgs, tol 1e-8": peer,
    }
    rows = {name: run(*data) for name, run in sides.items()}
    times = seconds(*(partial(run, *data) for run in sides.values()), repeats=3, clock=perf_counter)
    work = f"cross-fitted AIPW, {n:,} rows, 10 covariates, 5 folds"
    keep(work, dict(zip(sides, times, strict=True)), peers=["DoubleML"], clock="wall")
    value, se = rows["causalbook, Logit and Linear"]
    for (name, run), took in zip(sides.items(), times, strict=True):
        assert np.allclose(rows[name], (value, se), rtol=1e-6), f"{name} disagrees: {rows[name]}"
        tracemalloc.start()
        run(*data)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(
            f"{name:<38} {took:6.2f} s  ratio {took / times[0]:5.2f}  peak {peak:5.0f} MB", end="  "
        )
        print("estimate {:.7f} ({:.7f})".format(*rows[name]))


if __name__ == "__main__":
    print(f"numpy {np.__version__}, pandas {pd.__version__}, DoubleML {doubleml.__version__}")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
