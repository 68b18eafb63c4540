"""A tree that splits where the effect differs, and estimates it on rows that chose no split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import (
    Array,
    Ints,
    binary,
    codes,
    design,
    fingerprint,
    names,
    numbers,
    refuse_other_columns,
    same_length,
)
from causalbook.cross_fitting import numbered_folds
from causalbook.estimate import Estimate
from causalbook.estimators.weighting import ipw
from causalbook.plots import table

if TYPE_CHECKING:
    import pandas as pd

Mask = npt.NDArray[np.bool_]
ROUNDING = 1e-9  # share of a node's worth that is no gain


@dataclass(frozen=True)
class _Split:
    """Rows with x[column] <= threshold go left; a number in the place of a node is a leaf's."""

    column: int
    threshold: float
    left: _Split | int
    right: _Split | int


@dataclass(frozen=True, eq=False, repr=False)
class CausalTree:
    """A fitted tree: `leaves` describes them, `estimates` holds each leaf's effect.

    Parameters: `leaves`, a table (rule, n of the estimating rows, effect, se, low, high);
    `estimates`, one `Estimate` a leaf, over all rows (zero influence where unused), so that two
    leaves can be subtracted; `chose` (n,) True for the rows that chose the splits; `root`.
    """

    leaves: pd.DataFrame
    estimates: tuple[Estimate, ...]
    chose: Mask
    root: _Split | int
    columns: list[str]

    def apply(self, X: Any) -> Ints:
        """Number the leaf of each row of `X`, (n,)."""
        x = design("X", X)
        refuse_other_columns(X, self.columns)
        leaf = np.empty(len(x), dtype=np.int64)
        _send(self.root, x, np.arange(len(x)), leaf)
        return leaf

    def predict(self, X: Any) -> Array:
        """Predict for each row of `X` the effect in its leaf, (n,)."""
        return np.array([leaf.value for leaf in self.estimates])[self.apply(X)]

    def __repr__(self) -> str:
        return self.leaves.to_string()

    def _repr_html_(self) -> str:
        return table(self.leaves)._repr_html_()


def causal_tree(
    X: Any,
    a: Any,
    y: Any,
    *,
    e: Any = None,
    max_depth: int = 3,
    min_leaf: int = 50,
    seed: int = 0,
    cluster: Any = None,
) -> CausalTree:
    r"""Honest tree: half of the rows choose the splits, the other half estimates the effects.

    $$\max \sum_\ell \frac{n_\ell}{n} \big[\hat\tau_\ell^2 - 2 \hat v_\ell\big]$$

    over the leaves $\ell$, with $\hat\tau_\ell$ the weighted difference of the arms' means in the
    leaf (`ipw`) and $\hat v_\ell$ its squared error, both on the half that chooses: what is left
    of $\hat\tau_\ell^2$ once the noise of both halves is taken off. A node is split where that
    gains most, as long as it gains. Nothing is pruned afterwards: with many columns a tree also
    splits on noise, and the leaves' intervals, which are honest, show it.

    Parameters: `X` (n, p) covariates from before the treatment; `a` (n,) 0 or 1; `y` (n,)
    outcomes; `e` (n,) known chances of treatment, None for a lottery with one chance for all;
    `max_depth`, splits above a leaf; `min_leaf`, rows of each arm that a leaf has in either half;
    `seed` draws the halves; `cluster` (n,) labels, each kept in one half.
    Raises ValueError for NaN, unequal lengths, one arm, e outside (0, 1), max_depth below 0,
    min_leaf below 2, a half with too few rows of an arm.
    Source: Athey and Imbens (2016), the honest criterion for causal trees, with the leaf's own
    counts of the arms in the place of their expected shares.
    """
    x, treated, outcome = design("X", X), binary("a", a), numbers("y", y)
    groups = None if cluster is None else codes("cluster", cluster)
    p = np.full(len(treated), treated.mean()) if e is None else numbers("e", e)
    same_length(X=x, a=treated, y=outcome, e=p, cluster=groups)
    for name, value, least in (("max_depth", max_depth, 0), ("min_leaf", min_leaf, 2)):
        if int(value) != value or value < least:
            raise ValueError(f"{name} is {value}: pass a whole number from {least}")
    ipw(outcome, treated, p)  # refuses propensities out of range
    chose = numbered_folds(2, len(x), None if cluster is not None else treated, groups, seed) == 0
    parts = [(treated == arm) & half for arm in (0, 1) for half in (chose, ~chose)]
    few = min(int(part.sum()) for part in parts)
    if few < min_leaf:
        raise ValueError(
            f"min_leaf is {min_leaf}, and an arm has {few} rows in one of the halves: pass more "
            "rows, or a smaller min_leaf"
        )
    grower = _Grower(x, treated, outcome, 1 / np.where(treated == 1, p, 1 - p), chose, min_leaf)
    found: list[tuple[Ints, str]] = []
    called = [str(name) for name in getattr(X, "columns", range(x.shape[1]))]
    root = _grow(grower, np.arange(len(x)), max_depth, (), called, found)
    sample, estimates = fingerprint(outcome), []
    for rows, rule in found:
        used = rows[~chose[rows]]
        leaf = ipw(outcome[used], treated[used], p[used])
        psi = np.zeros(len(x))
        psi[used] = leaf.influence * len(x) / len(used)
        name = f"effect where {rule}"
        how = "honest leaf"
        estimates.append(Estimate(leaf.value, psi, name, how, cluster=groups, sample=sample))
    return CausalTree(_described(found, estimates, chose), tuple(estimates), chose, root, names(X))


@dataclass(frozen=True, eq=False)
class _Grower:
    """The rows, and the search for the best split of some of them."""

    x: Array
    a: Array
    y: Array
    w: Array
    chose: Mask
    min_leaf: int

    def best(self, rows: Ints) -> tuple[int, float] | None:
        """Column and threshold that gain most among the rows; None where nothing gains."""
        whole, found = self.worth(rows)[-1], None
        best = whole + ROUNDING * abs(whole)
        for j in range(self.x.shape[1]):
            order = rows[np.argsort(self.x[rows, j], kind="stable")]
            v = self.x[order, j]
            # A cut behind position k: the left part ends there, the right part begins at k + 1.
            worth = self.worth(order)[:-1] + self.worth(order[::-1])[-2::-1]
            worth[v[:-1] == v[1:]] = -np.inf
            k = int(worth.argmax())
            if worth[k] > best:
                best, found = worth[k], (j, float(v[k]))
        return found

    def worth(self, order: Ints) -> Array:
        r"""Return $n [\hat\tau^2 - 2 \hat v]$ of the first 1, 2, ... rows, from running sums."""
        a, y, w, chose = self.a[order], self.y[order], self.w[order], self.chose[order]
        tau, v, enough = np.zeros(len(order)), np.zeros(len(order)), np.ones(len(order), dtype=bool)
        for arm in (0, 1):
            for half in (chose, ~chose):
                enough &= np.cumsum((a == arm) & half) >= self.min_leaf
            u = w * ((a == arm) & chose)
            middle = (u @ y) / u.sum()  # sums of squares lose digits far from zero
            d = y - middle
            terms = np.column_stack([u, u * d, u**2, u**2 * d, (u * d) ** 2])
            n, s, nn, ns, ss = np.cumsum(terms, axis=0).T
            with np.errstate(invalid="ignore", divide="ignore"):  # before the arm's first row
                m = s / n
                tau += (2 * arm - 1) * (middle + m)
                v += (ss - 2 * m * ns + m**2 * nn) / n**2
        return np.where(enough, np.cumsum(chose) * (tau**2 - 2 * v), -np.inf)


def _grow(
    grower: _Grower,
    rows: Ints,
    depth: int,
    rule: tuple[str, ...],
    called: list[str],
    found: list[tuple[Ints, str]],
) -> _Split | int:
    """Split the rows as long as it gains; note the rows and the rule of each leaf."""
    cut = grower.best(rows) if depth > 0 else None
    if cut is None:
        found.append((rows, " and ".join(rule) or "all"))
        return len(found) - 1
    j, t = cut
    left = grower.x[rows, j] <= t
    sides = [
        _grow(grower, rows[side], depth - 1, (*rule, f"{called[j]} {sign} {t:g}"), called, found)
        for side, sign in ((left, "<="), (~left, ">"))
    ]
    return _Split(j, t, *sides)


def _send(node: _Split | int, x: Array, rows: Ints, leaf: Ints) -> None:
    """Write the leaf of each of the rows."""
    if not isinstance(node, _Split):
        leaf[rows] = node
        return
    left = x[rows, node.column] <= node.threshold
    _send(node.left, x, rows[left], leaf)
    _send(node.right, x, rows[~left], leaf)


def _described(
    found: list[tuple[Ints, str]], estimates: list[Estimate], chose: Mask
) -> pd.DataFrame:
    """Table of the leaves, from left to right."""
    import pandas as pd

    return pd.DataFrame(
        [
            (rule, int((~chose[rows]).sum()), leaf.value, leaf.se, *leaf.conf_int())
            for (rows, rule), leaf in zip(found, estimates, strict=True)
        ],
        columns=["where", "n", "effect", "se", "low", "high"],
    )
