"""Cross-fitting: each row is predicted by a model that has not seen it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array, Ints, codes, design, mask, numbers, rows, same_length


def cross_fit(
    learner: Any,
    X: Any,
    target: Any,
    *,
    where: Any = None,
    folds: Any = 5,
    stratify: Any = None,
    cluster: Any = None,
    seed: int = 0,
) -> Array:
    r"""Predict each row by a model fitted without its fold.

    $$\hat\eta_i = \hat\eta^{(-k(i))}(X_i)$$

    Parameters: `learner` anything with fit and predict_proba (its second column is taken, so the
    target is 0 or 1) or predict; each fold fits a copy. `X` (n, p), a DataFrame is handed on as
    one; `target` (n,).
    `where` (n,) True for the rows to learn from, such as one arm (all rows are predicted). `folds`
    a number, or labels (n,). `stratify` (n,) spread evenly over the folds; `cluster` (n,) kept
    together. The same arguments and `seed` give the same folds.
    Raises ValueError for fewer than two folds, more folds than units, a cluster split by the
    labels or by `stratify`, nothing to learn from, a classifier whose target is not 0/1 or has one
    value outside a fold, predictions that are no number.
    Source: Chernozhukov et al. (2018, definition 3.1); Schick (1986).
    """
    t, x = numbers("target", target), X if hasattr(X, "columns") else design("X", X)
    same_length(X=x, target=t)
    k = numbered_folds(folds, len(t), stratify, cluster, seed)
    use, classifies = mask(where, len(t)), hasattr(learner, "predict_proba")
    if classifies and not np.isin(t, (0, 1)).all():
        raise ValueError(
            "learner gives probabilities of classes and the target is not 0/1: pass a regressor, "
            "or code the target as 0 and 1"
        )
    fitted = np.empty(len(t))
    for fold in range(k.max() + 1):
        held, learn = k == fold, use & (k != fold)
        if not learn.any():
            raise ValueError(
                f"where leaves no row to learn from outside fold {fold}: use fewer folds"
            )
        if classifies and t[learn].min() == t[learn].max():
            raise ValueError(
                f"target has one value outside fold {fold}: a classifier needs both; use fewer "
                "folds, or stratify by the target"
            )
        model = deepcopy(learner)
        model.fit(take(x, learn), t[learn])
        fitted[held] = predictions(model, take(x, held))
    bad = ~np.isfinite(fitted)
    if bad.any():
        raise ValueError(f"learner predicts NaN or infinity in {rows(bad)}: use another learner")
    return fitted


def take(X: Any, use: npt.NDArray[np.bool_]) -> Any:
    """Take some rows of a table, as a frame where it is one."""
    return X.loc[use] if hasattr(X, "columns") else np.asarray(X)[use]


def predictions(learner: Any, x: Array) -> Array:
    """Return a fitted learner's predictions: probabilities of a 1, where it gives some."""
    if hasattr(learner, "predict_proba"):
        return np.asarray(learner.predict_proba(x), dtype=np.float64)[:, 1]
    return np.asarray(learner.predict(x), dtype=np.float64).reshape(len(x))


def numbered_folds(folds: Any, n: int, stratify: Any, cluster: Any, seed: int) -> Ints:
    """Number the folds of the rows: drawn by cluster, in turn within each stratum."""
    groups = np.arange(n) if cluster is None else codes("cluster", cluster)
    same_length(X=np.empty(n), cluster=groups)
    if groups.max() == 0:
        raise ValueError(
            "cluster has one group: no row could be predicted without its cluster; pass finer "
            "labels, or none"
        )
    if np.ndim(folds) > 0:
        k = codes("folds", folds)
        same_length(X=np.empty(n), folds=k)
        _refuse_split("folds", k, groups)
        units = int(k.max()) + 1
        if units < 2:
            raise ValueError("folds has one label: a row needs a model fitted without it")
        return k
    units = int(groups.max()) + 1
    if int(folds) != folds or not 2 <= folds <= units:
        raise ValueError(f"folds is {folds}: pass labels, or a number from 2 to {units:,} units")
    order = np.random.default_rng(seed).permutation(units)
    if stratify is not None:
        strata = codes("stratify", stratify)
        same_length(X=np.empty(n), stratify=strata)
        _refuse_split("stratify", strata, groups)
        stratum = np.zeros(units, dtype=np.int64)
        stratum[groups] = strata
        order = order[np.argsort(stratum[order], kind="stable")]
    fold = np.empty(units, dtype=np.int64)
    fold[order] = np.arange(units) % int(folds)
    return fold[groups]


def _refuse_split(name: str, labels: Ints, groups: Ints) -> None:
    first = np.zeros(int(groups.max()) + 1, dtype=np.int64)
    first[groups] = labels
    split = first[groups] != labels
    if split.any():
        raise ValueError(
            f"{name} differs within a cluster in {rows(split)}: keep clusters together"
        )
