"""Lists out: the k best items of each user, and what is measured of such lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array, Ints, as_array, fingerprint, numbers, rows
from causalbook.averages import mean_of
from causalbook.estimate import Estimate
from causalbook.recommenders.interactions import unit_rows


def top_k(scores: Any, k: int, *, exclude: Any = None) -> Ints:
    """Return the k items with the highest scores for each user, best first.

    Of two items with equal scores the one with the lower number comes first, so that a list is
    always the same. Where fewer than k items are left, the list ends in -1.

    Parameters: `scores` (n, n_items), finite; `k`, a whole number from 1; `exclude` (n, n_items)
    True where an item must not be listed (it was seen, say), or None. Returns (n, k).
    Raises ValueError for NaN or infinite scores, another k, an `exclude` of another shape.
    """
    left = _left(scores, exclude)
    n, n_items = left.shape
    size = min(_length(k), n_items)
    # The size-th largest score; above it all are in, at it those with the lowest numbers.
    bar = np.partition(left, n_items - size, axis=1)[:, [n_items - size]]
    above, level = left > bar, left == bar
    room = size - above.sum(axis=1, keepdims=True)
    item = np.nonzero(above | (level & (level.cumsum(axis=1) <= room)))[1].reshape(n, size)
    score = np.take_along_axis(left, item, axis=1)
    order = np.argsort(-score, axis=1, kind="stable")
    best = np.full((n, k), -1)
    best[:, :size] = np.take_along_axis(np.where(score == -np.inf, -1, item), order, axis=1)
    return best


def ndcg(recommended: Any, relevance: Any) -> Estimate:
    r"""Normalised discounted cumulative gain: gains fade with the rank, the best list scores 1.

    $$\mathrm{nDCG@}k = \frac1n \sum_u \frac{\mathrm{DCG}_u}{\mathrm{IDCG}_u}, \qquad
      \mathrm{DCG}_u = \sum_{r=1}^{k} \frac{g_{u, i_r}}{\log_2(r + 1)}$$

    with IDCG the DCG of the k largest gains of the user. One influence value a user; `sample` is a
    hash of the gains, so two recommenders that are judged by the same gains are compared by a - b.

    Parameters: `recommended` (n, k) item numbers as `top_k` gives them, -1 for none; `relevance`
    (n, n_items), the gain g of each item, 0 or more ($2^{rel} - 1$, if you want that form).
    Raises ValueError for negative gains, an item twice in a list, unequal numbers of users, a user
    without anything relevant.
    Source: Järvelin and Kekäläinen (2002), with the discount 1 / log2(1 + rank).
    """
    listed, gain = _judged(recommended, relevance)
    k = listed.shape[1]
    discount = 1 / np.log2(np.arange(k) + 2)
    ideal = -np.sort(-gain, axis=1)[:, :k]
    dcg, idcg = _gains(listed, gain) @ discount, ideal @ discount[: ideal.shape[1]]
    return _over_users(dcg / idcg, f"nDCG@{k}", fingerprint(gain))


def recall(recommended: Any, relevance: Any) -> Estimate:
    r"""Share of a user's relevant items that the list contains.

    $$\mathrm{recall@}k = \frac1n \sum_u \frac{|L_u \cap R_u|}{|R_u|}, \qquad
      R_u = \{i : g_{ui} > 0\}$$

    One influence value a user; `sample` is a hash of the gains.

    Parameters, Raises: as `ndcg`.
    Source: Herlocker et al. (2004).
    """
    listed, gain = _judged(recommended, relevance)
    relevant = (gain > 0).astype(float)
    share = _gains(listed, relevant).sum(axis=1) / relevant.sum(axis=1)
    return _over_users(share, f"recall@{listed.shape[1]}", fingerprint(gain))


def coverage(recommended: Any, n_items: int) -> float:
    r"""Share of the catalogue that is in somebody's list: no average over users, so no error.

    $$\mathrm{coverage} = \frac{|\bigcup_u L_u|}{n_{\text{items}}}$$

    Parameters: `recommended` (n, k) item numbers, -1 for none; `n_items` in the catalogue.
    Raises ValueError for numbers outside the catalogue, an item twice in a list.
    Source: Herlocker et al. (2004), on coverage.
    """
    listed = _lists(recommended, n_items)
    return len(np.unique(listed[listed >= 0])) / n_items


def diversity(recommended: Any, vectors: Any) -> Estimate:
    r"""Mean distance between two items of a list (intra-list diversity).

    $$D_u = \frac{2}{m(m-1)} \sum_{i < j \in L_u} \big(1 - \cos(v_i, v_j)\big)
          = 1 - \frac{\big\|\sum_{i \in L_u} \hat v_i\big\|^2 - m}{m(m-1)}$$

    with m items in the list and $\hat v$ of length 1. One influence value a list; `sample` is a
    hash of the vectors: lists that are compared by a - b are those of the same users in one order.

    Parameters: `recommended` (n, k) item numbers, -1 for none; `vectors` (n_items, d).
    Raises ValueError for a list with fewer than two items, a vector of zeros.
    Source: Ziegler et al. (2005), who sum similarities.
    """
    unit = unit_rows("vectors", vectors)
    listed = _lists(recommended, len(unit))
    m = (listed >= 0).sum(axis=1)
    if (m < 2).any():
        raise ValueError(f"recommended has fewer than two items in {rows(m < 2)}: no pair to judge")
    total = (unit[listed] * (listed >= 0)[..., None]).sum(axis=1)
    apart = 1 - ((total**2).sum(axis=1) - m) / (m * (m - 1))
    return _over_users(apart, f"diversity@{listed.shape[1]}", fingerprint(unit))


def rerank(scores: Any, vectors: Any, k: int, *, weight: float, exclude: Any = None) -> Ints:
    r"""Build each list item by item, trading score against likeness to what is in it already.

    $$i_r = \arg\max_{i \notin L} \; (1 - \omega)\, s_{ui} - \omega \max_{j \in L} \cos(v_i, v_j)$$

    Maximal marginal relevance. Scores and cosines are added, so bring the scores to the scale of
    cosines first. With $\omega = 0$ it is `top_k`; ties go to the lower number.

    Parameters: `scores` (n, n_items); `vectors` (n_items, d); `k` from 1; `weight` $\omega$ of
    diversity, 0 or more and below 1; `exclude` as in `top_k`. Returns (n, k).
    Raises ValueError as `top_k`; for a weight out of range, a vector of zeros.
    Source: Carbonell and Goldstein (1998).
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight is {weight}: pass the share of diversity, from 0 to below 1")
    unit = unit_rows("vectors", vectors)
    left = (1 - weight) * _left(scores, exclude)
    if left.shape[1] != len(unit):
        raise ValueError(f"scores has {left.shape[1]} items and vectors has {len(unit)}: pass both")
    user, best = np.arange(len(left)), np.full((len(left), _length(k)), -1)
    alike = np.full(left.shape, -np.inf)
    for r in range(min(k, len(unit))):
        item = (left - weight * alike if r else left).argmax(axis=1)
        best[:, r] = np.where(left[user, item] == -np.inf, -1, item)
        alike = np.maximum(alike, unit[item] @ unit.T)
        left[user, item] = -np.inf
    return best


def _over_users(value: Array, estimand: str, sample: str) -> Estimate:
    return mean_of(value, estimand=estimand, method="mean over users", sample=sample)


def _length(k: Any) -> int:
    if not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"k is {k!r}: pass a whole number from 1")
    return int(k)


def _left(scores: Any, exclude: Any) -> Array:
    """Return a copy of the scores with minus infinity where an item must not be listed."""
    s = numbers("scores", scores, ndim=2)
    out = np.zeros(s.shape, dtype=bool) if exclude is None else as_array("exclude", exclude)
    if out.dtype != bool or out.shape != s.shape:
        raise ValueError(
            f"exclude has shape {out.shape} and type {out.dtype}: pass {s.shape} True or False"
        )
    return np.where(out, -np.inf, s)


def _lists(recommended: Any, n_items: int) -> Ints:
    listed = as_array("recommended", recommended)
    if listed.ndim != 2 or listed.size == 0 or listed.dtype.kind not in "iu":
        raise ValueError(
            f"recommended has shape {listed.shape} and type {listed.dtype}: pass (n, k) item "
            "numbers, as top_k gives them"
        )
    bad: npt.NDArray[np.bool_] = (listed < -1) | (listed >= n_items)
    if bad.any():
        raise ValueError(
            f"recommended is outside the catalogue, 0 to {n_items - 1}, in {rows(bad)}: pass item "
            "numbers, and -1 for none"
        )
    ordered = np.sort(listed, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        raise ValueError(f"recommended names an item twice in {rows(twice)}: list it once")
    return listed.astype(np.int64, copy=False)


def _judged(recommended: Any, relevance: Any) -> tuple[Ints, Array]:
    gain = numbers("relevance", relevance, ndim=2)
    listed = _lists(recommended, gain.shape[1])
    if len(listed) != len(gain):
        raise ValueError(
            f"recommended has {len(listed):,} users and relevance has {len(gain):,}: pass one row "
            "for each user, in one order"
        )
    if (gain < 0).any():
        raise ValueError(f"relevance is negative in {rows(gain < 0)}: gains are 0 or more")
    none = ~(gain > 0).any(axis=1)
    if none.any():
        raise ValueError(
            f"relevance is 0 for every item in {rows(none)}: a user without anything relevant has "
            "no score; choose the users on purpose, and say how many were left out"
        )
    return listed, gain


def _gains(listed: Ints, gain: Array) -> Array:
    """Gain at each rank, 0 where the list has ended."""
    return np.where(listed >= 0, np.take_along_axis(gain, listed, axis=1), 0.0)
