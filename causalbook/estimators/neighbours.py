"""Matching: the outcome a unit would have had is read off its nearest neighbours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from causalbook.arrays import (
    Array,
    Ints,
    binary,
    design,
    fingerprint,
    label,
    names,
    numbers,
    rows,
    same_length,
)
from causalbook.estimate import Estimate
from causalbook.nuisance import Fitted

TIE = 1e-8  # standard deviations: what rounding alone can put between two equal distances
COLLINEAR = 1e-10  # share of the largest eigenvalue below which columns are dependent


def matching(
    y: Any,
    a: Any,
    X: Any,
    *,
    k: int = 1,
    metric: str = "mahalanobis",
    estimand: str = "ATT",
    bias_adjust: bool = False,
) -> Estimate:
    r"""Average effect by k nearest neighbours in the other arm, with replacement, ties averaged.

    $$\hat\tau = \frac{1}{n_d} \sum_{i:\, d_i = 1} (2 A_i - 1) \Big(Y_i - \frac{1}{|J(i)|}
      \sum_{j \in J(i)} [Y_j + \mu(X_i) - \mu(X_j)]\Big)
      = \frac{1}{n_d} \sum_i (2 A_i - 1) \big[d_i (Y_i - \mu_{1 - A_i}(X_i))
      + \kappa_i (Y_i - \mu_{A_i}(X_i))\big]$$

    with d = A for the ATT and 1 for the ATE. J(i) holds the rows of the other arm that are no
    farther than the k-th nearest: those tied with it all belong, so the order of rows is nothing to
    the value. $\kappa_j = \sum_{i: j \in J(i)} 1/|J(i)|$ counts how many rows j stands in for.
    Distances are $\sqrt{(x - x')^\top S^{-1} (x - x')}$, S the covariance of X over both arms
    together; for one column the absolute difference. Equal are those within 1e-8 of them.

    Without `bias_adjust` mu = 0, and the variance is that of Abadie and Imbens for the population:

    $$\hat V = \frac{1}{n_d^2} \sum_i \big[d_i (\hat\tau_i - \hat\tau)^2
      + (\kappa_i^2 + 2 d_i \kappa_i - \kappa'_i)\, \hat\sigma_i^2\big], \qquad
      \kappa'_j = \sum_{i: j \in J(i)} \frac{1}{|J(i)|^2}$$

    with $\hat\sigma_i^2$ the variance of Y over i and the two rows nearest it in its own arm (and
    those tied with them). It is no sum of influence values: a difference to another estimate on
    the same rows raises. The value keeps a bias of the order of the distances: it is the smaller
    term with one continuous column, not with many. With `bias_adjust` mu is a linear regression
    among the matches of each arm, weighted by kappa; the influence is n / n_d times the terms above
    less $d_i \hat\tau$, and what estimating mu adds. These count as noise what the line misses of
    the outcome, though near matches cancel it: where the outcome bends, that error is too large.

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1; `X` (n, p) covariates from before the treatment;
    with metric="propensity" the propensities (n,), an array taken as known or a `Fitted`. The error
    does not count that these were estimated: for the ATE it is then too large if anything, for the
    ATT it can be off either way. `k` neighbours; `estimand` "ATT" or "ATE".
    Raises ValueError for NaN, unequal lengths, one arm, columns that are constant or depend on each
    other, propensities outside (0, 1) (0 is allowed for the ATT), an arm to match from with fewer
    than k rows or than three, a single treated row, or too few different matches for the
    regression.
    Source: Abadie and Imbens (2006, theorem 7; 2011; 2016); Abadie, Drukker, Herr and Imbens (2004)
    for the regression among the matches.
    """
    outcome, treated = numbers("y", y), binary("a", a)
    x, known = _covariates(X, metric, estimand, treated)
    same_length(y=outcome, a=treated, X=x)
    _check(k, estimand, treated)
    standard, z = _whiten(X, x)
    cells = _cells(z, outcome, treated)
    d = treated if estimand == "ATT" else np.ones_like(treated)
    sign, share = 2 * treated - 1, d.mean()
    imputed, kappa, kappa2, notes = _counterfactuals(cells, treated, d, k)
    if bias_adjust:
        mu0, mu1 = (_regression(X, standard, outcome, kappa, treated == arm) for arm in (0, 1))
        other, own = np.where(treated == 1, [mu0.values, mu1.values], [mu1.values, mu0.values])
        score = sign * (d * (outcome - other) + kappa * (outcome - own))
        value = float(score.sum() / d.sum())
        psi = (score - value * d) / share
        psi += mu0.influence(-sign * np.where(treated == 0, kappa, d) / share)
        psi += mu1.influence(-sign * np.where(treated == 1, kappa, d) / share)
        given = None
    else:
        gap = sign * (outcome - imputed)
        value = float((d @ gap) / d.sum())
        served = kappa**2 + 2 * d * kappa - kappa2
        v = d * (gap - value) ** 2 + served * _variances(cells, treated, served > 0)
        psi, given = np.full_like(outcome, np.nan), float(np.sqrt(v.sum()) / d.sum())
        why = "the error is that of Abadie and Imbens, which has no influence values; "
        notes = (why + "bias_adjust=True gives a form that has them", *notes)
    return Estimate(
        value,
        psi,
        estimand,
        f"matching (k = {k}{', bias-adjusted' if bias_adjust else ''})",
        sample=fingerprint(outcome),
        notes=(*notes, *known),
        given_se=given,
    )


class _Cells(NamedTuple):
    """Rows that share all covariates, counted once: ties by the thousand cost nothing."""

    of: Ints  # (n,) cell of each row
    z: Array  # (m, p) where the cells lie
    held: Array  # (2, m) rows of each arm
    total: Array  # (2, m) sums of their outcomes, centred
    square: Array  # (2, m) sums of their squares
    center: float


def _cells(z: Array, y: Array, a: Array) -> _Cells:
    places, of = np.unique(z, axis=0, return_inverse=True)
    center, m = float(y.mean()), len(places)
    c = y - center

    def sums(of_what: Array) -> Array:
        return np.array([np.bincount(of, of_what * (a == arm), m) for arm in (0, 1)])

    return _Cells(of, places, sums(np.ones_like(y)), sums(c), sums(c**2), center)


def _nearest(cells: _Cells, ask: Ints, pool: Array, k: int) -> tuple[Ints, Ints, Array]:
    """Pairs (i, j) of an asking cell and one that is no farther than its k-th row of the pool."""
    from scipy.spatial import cKDTree

    offered = np.flatnonzero(pool)
    tree, width = cKDTree(cells.z[offered]), k
    found, farthest = [], np.zeros(len(cells.z))
    while len(ask):
        width = min(width + 1, len(offered))
        dist, near = tree.query(cells.z[ask], k=np.arange(1, width + 1), workers=-1)
        enough = pool[offered[near]].cumsum(axis=1) >= k
        kth = dist[np.arange(len(ask)), enough.argmax(axis=1)]
        within = dist <= kth[:, None] + TIE
        done = ~within[:, -1] | (width == len(offered))  # else more ties may lie beyond
        row, column = np.nonzero(within & done[:, None])
        found.append((ask[row], offered[near[row, column]]))
        farthest[ask[done]] = kth[done]
        ask, width = ask[~done], 2 * width
    i, j = (np.concatenate(part) for part in zip(*found, strict=True))
    return i, j, farthest


def _counterfactuals(
    cells: _Cells, a: Array, d: Array, k: int
) -> tuple[Array, Array, Array, tuple[str, ...]]:
    """Outcomes under the other arm where asked, how often each row serves, and a report."""
    imputed, kappa, kappa2 = np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    notes, m = [], len(cells.z)
    for arm in np.unique(a[d == 1]).astype(int):
        count, pool = cells.held[arm], cells.held[1 - arm]
        i, j, farthest = _nearest(cells, np.flatnonzero(count), pool, k)
        size = np.bincount(i, pool[j], m)
        with np.errstate(invalid="ignore"):  # cells that do not ask have no mean
            mean = cells.center + np.bincount(i, cells.total[1 - arm][j], m) / size
        own = a == arm
        imputed[own] = mean[cells.of[own]]
        kappa[~own] = np.bincount(j, count[i] / size[i], m)[cells.of[~own]]
        kappa2[~own] = np.bincount(j, count[i] / size[i] ** 2, m)[cells.of[~own]]
        used, far = kappa[~own], farthest[cells.of[own]]
        tied = (size[cells.of[own]] > k).mean()
        notes.append(
            f"{own.sum():,} rows with a = {arm} matched to {(used > 0).sum():,} of {len(used):,} "
            f"with a = {1 - arm} (worth {used.sum() ** 2 / (used @ used):,.0f}; one stands in for "
            f"{used.max():,.3g}); {tied:.0%} have ties, which are averaged; the farthest match is "
            f"{far.max():.3g} standard deviations away, the mean one {far.mean():.3g}"
        )
    return imputed, kappa, kappa2, tuple(notes)


def _variances(cells: _Cells, a: Array, wanted: Any) -> Array:
    """Variance of Y given X and a, from each wanted row and the two nearest it in its arm."""
    variance, m = np.zeros_like(a), len(cells.z)
    for arm in (0, 1):
        used = wanted & (a == arm)
        if used.any():
            i, j, _ = _nearest(cells, np.unique(cells.of[used]), cells.held[arm], 3)
            size, total, square = (
                np.bincount(i, part[arm][j], m) for part in (cells.held, cells.total, cells.square)
            )
            cell = cells.of[used]
            spread = square[cell] - total[cell] ** 2 / size[cell]
            variance[used] = np.maximum(spread, 0) / (size[cell] - 1)  # 0 up to rounding
    return variance


def _regression(X: Any, x: Array, y: Array, kappa: Array, arm: Any) -> Fitted:
    """Least squares among the matches of an arm, each as often as it serves; any row predicted."""
    w, z = np.where(arm, kappa, 0.0), np.column_stack([np.ones(len(x)), x])
    if not w.any():  # the arm serves nobody, as the treated in the ATT
        return Fitted(np.zeros_like(y), np.zeros_like)
    gram = z.T @ (w[:, None] * z)
    level, directions = np.linalg.eigh(gram)
    if level[0] < COLLINEAR * level[-1] or (w > 0).sum() <= z.shape[1]:
        column = names(X)[int(np.abs(directions[1:, 0]).argmax())]
        raise ValueError(
            f"X has too little variation among the {(w > 0).sum():,} different matches of one arm "
            f"to fit {z.shape[1]} coefficients (look at column {column}): drop columns, raise k, "
            "or leave out bias_adjust"
        )
    values = z @ np.linalg.solve(gram, z.T @ (w * y))

    def influence(g: Array) -> Array:
        psi: Array = w * (y - values) * (z @ np.linalg.solve(gram, z.T @ g))
        return psi

    return Fitted(values, influence)


def _whiten(X: Any, x: Array) -> tuple[Array, Array]:
    """Standardised columns, and uncorrelated ones: there Mahalanobis distances are plain ones."""
    center, scale = x.mean(axis=0), x.std(axis=0)
    still = scale <= 1e-12 * np.abs(center)
    if still.any():
        constant = ", ".join(np.array(names(X))[still])
        raise ValueError(
            f"X is constant in column {constant}: it does not tell who is alike, so drop it"
        )
    standard = (x - center) / scale
    level, directions = np.linalg.eigh(standard.T @ standard / len(x))
    if level[0] < COLLINEAR * level[-1]:
        involved = ", ".join(np.array(names(X))[np.abs(directions[:, 0]) > 0.1])
        raise ValueError(
            f"X has columns that depend on each other ({involved}): the Mahalanobis distance has "
            "no value; drop one of them"
        )
    return standard, standard @ (directions / np.sqrt(level))


def _covariates(
    X: Any, metric: str, estimand: str, treated: Array
) -> tuple[Array, tuple[str, ...]]:
    """Columns to match on, and what is to be said of a score."""
    if metric == "mahalanobis":
        return design("X", X), ()
    if metric != "propensity":
        raise ValueError(f"metric is {metric!r}: pass 'mahalanobis' or 'propensity'")
    e = numbers("X", X.values if isinstance(X, Fitted) else X)
    bad = (e < 0) | (e >= 1) | ((e == 0) & (estimand != "ATT"))
    if bad.any():
        raise ValueError(
            f"{label('X', X)} is not a propensity between 0 and 1 in {rows(bad)}: pass the "
            "probabilities of a = 1, or match on the column itself with metric='mahalanobis'"
        )
    if isinstance(X, Fitted):
        return e[:, None], ("the error does not count that the propensities were estimated",)
    return e[:, None], ("propensities taken as known",)


def _check(k: int, estimand: str, a: Array) -> None:
    if estimand not in ("ATE", "ATT"):
        raise ValueError(f"estimand is {estimand!r}: matching estimates the ATT or the ATE")
    if not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"k is {k!r}: pass a whole number of neighbours, at least 1")
    if a.sum() == 1 and estimand == "ATT":
        raise ValueError("a has 1 row with a = 1: one unit says nothing of the spread; pass two")
    for arm in (0, 1) if estimand == "ATE" else (0,):
        held = int((a == arm).sum())
        if held < max(k, 3):
            raise ValueError(
                f"a has {held:,} rows with a = {arm}, k is {k}: the matches of a row are k of "
                "them, and the error needs three"
            )
