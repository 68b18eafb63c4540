"""Latent intent: classes of users behind their counts, found by the EM algorithm."""

from __future__ import annotations

import warnings
from itertools import combinations
from math import ceil
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, numbers, rows

STARTS, TRIAL, KEPT = 60, 50, 6  # starts, their first steps, and how many go on to the end
STEPS = 5_000
STILL = 1e-8  # EM ends when no parameter moves by more

Run = tuple[Array, Array, Array, float]  # weights, profiles, log-likelihoods, last move


class LatentIntent:
    r"""Latent classes of users: a mixture of multinomials over items.

    $$P(c_i) \propto \sum_k \pi_k \prod_j p_{kj}^{c_{ij}}, \qquad
      P(k \mid c_i) = \frac{\pi_k \prod_j p_{kj}^{c_{ij}}}
        {\sum_l \pi_l \prod_j p_{lj}^{c_{ij}}}$$

    Given the class, a user's views are independent draws from its profile. Several questions
    asked once each, such as three clicks of which each is of another kind, fit in as well: one
    column for each answer to each, and a user has a 1 in one column of each question (then a
    profile holds the answers' probabilities divided by the number of questions).

    Parameters: `n_classes` K. After `fit`: `weights_` (K,), largest first; `profiles_`
    (K, n_items), rows sum to 1; `loglik_`, the log-likelihood before each step and at the end,
    without the constants that hold no parameter. The classes have no names but those that you
    give them, and nothing says that they are intents.

    **What counts can tell.** Two views a user do not identify two or more classes, however many
    users there are (profiles without a common item apart): `fit` refuses. Three do, for profiles
    that are linearly independent (so K <= n_items): Allman, Matias and Rhodes (2009), by a theorem
    of Kruskal (1977). For K classes in general position over J items, views to the number of
    (2K - 1) / (min(J, K) - 1) suffice (Vandermeulen and Saitenmacher 2022): with fewer, `fit`
    warns. It warns too when starts that fit equally well disagree, when EM has not come to rest,
    and when one class fewer would do. For three questions with r_1, r_2, r_3 answers it
    suffices that min(r_1, K) + min(r_2, K) + min(r_3, K) >= 2K + 2. EM climbs to a
    top, not surely the highest: on real counts compare `loglik_[-1]` over some seeds.
    Source: Goodman (1974), latent classes; Dempster, Laird and Rubin (1977), EM.
    """

    weights_: Array
    profiles_: Array
    loglik_: Array

    def __init__(self, n_classes: int) -> None:
        if n_classes < 1 or n_classes != int(n_classes):
            raise ValueError(f"n_classes is {n_classes}: give a whole number, 1 or more")
        self.n_classes = int(n_classes)

    def fit(self, counts: Any, *, seed: int = 0) -> LatentIntent:
        """Find weights and profiles by EM from many random starts.

        Parameters: `counts` (n_users, n_items), whole numbers, 0 or more; `seed` of the starts.
        Returns itself. Raises ValueError for counts that are negative, broken or missing, and
        where no user has three views.
        """
        c = _counts(counts)
        _check_views(c, self.n_classes)
        # Users with equal counts are one row with its number of times.
        patterns, times = np.unique(c, axis=0, return_counts=True)
        rng = np.random.default_rng(seed)
        tried = [
            _climb(patterns, times, *_start(patterns, self.n_classes, rng), TRIAL)
            for _ in range(STARTS)
        ]
        tried.sort(key=lambda run: -run[2][-1])
        found = [_finished(patterns, times, run) for run in tried[:KEPT]]
        best = max(found, key=lambda run: run[2][-1])
        self.weights_, self.profiles_, self.loglik_, moved = best
        self._warn(found, (patterns, times), moved)
        return self

    def posterior(self, counts: Any) -> Array:
        """P(class | counts): (n_users, n_classes), rows sum to 1.

        Parameters: `counts` (n_users, n_items). A user without views gets the weights.
        Raises ValueError before `fit`, for another number of items, for counts that no class
        can produce.
        """
        if not hasattr(self, "weights_"):
            raise ValueError("fit has not been called: there are no classes yet")
        c = _counts(counts)
        if c.shape[1] != self.profiles_.shape[1]:
            raise ValueError(
                f"counts has {c.shape[1]} columns, the classes know {self.profiles_.shape[1]} items"
            )
        log_joint = _log_joint(c, self.weights_, self.profiles_)
        never = np.isneginf(log_joint).all(axis=1)
        if never.any():
            raise ValueError(f"counts has items that no class ever produces in {rows(never)}")
        return _normalised(log_joint)[0]

    def _warn(self, found: list[Run], users: tuple[Array, Ints], moved: float) -> None:
        (k, items), views = self.profiles_.shape, users[0].sum(axis=1).max()
        enough = ceil((2 * k - 1) / (min(items, k) - 1)) if min(items, k) > 1 else 1
        if k > 1 and views < enough:
            warnings.warn(
                f"{k} classes over {items} items are sure to be identified from {enough} views a "
                f"user; the most that a user has is {views:.0f}",
                stacklevel=3,
            )
        ties = [p for _, p, path, _ in found if self.loglik_[-1] - path[-1] < 1e-4]
        apart = max(np.abs(p - self.profiles_).max() for p in ties)
        if apart > 0.05:
            warnings.warn(
                f"other classes fit these counts as well (profiles apart by {apart:.2f}): use "
                "fewer classes, or counts with more views a user",
                stacklevel=3,
            )
        if k > 1 and self.loglik_[-1] - _best_merged(*users, self.weights_, self.profiles_) < 1e-3:
            warnings.warn("one class fewer fits these counts as well: use fewer", stacklevel=3)
        elif moved >= STILL:
            warnings.warn(
                f"EM still moves by {moved:.1g} after {STEPS} steps, so these are not yet the best "
                "classes: they overlap; use fewer, or counts with more views a user",
                stacklevel=3,
            )


def _counts(counts: Any) -> Array:
    c = numbers("counts", counts, ndim=2)
    bad = (c < 0) | (c != np.round(c))
    if bad.any():
        raise ValueError(f"counts is negative or no whole number in {rows(bad)}: count views")
    return c


def _check_views(c: Array, k: int) -> None:
    most = int(c.sum(axis=1).max())
    if most == 0:
        raise ValueError("counts is zero everywhere: there are no views to learn from")
    if k > 1 and most < 3:
        raise ValueError(
            f"counts has at most {most} views a user: {k} classes cannot be told apart from fewer "
            "than three, however many users there are"
        )


def _start(patterns: Array, k: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Equal weights, and profiles scattered at random about that of all users."""
    share = patterns.sum(axis=0) / patterns.sum()
    profiles = (share + 1e-3) * rng.gamma(1.0, size=(k, len(share)))
    return np.full(k, 1 / k), profiles / profiles.sum(axis=1, keepdims=True)


def _climb(c: Array, times: Ints, weights: Array, profiles: Array, steps: int) -> Run:
    """EM from one start until the parameters stand still, or the steps are used up."""
    path: list[float] = []
    moved = np.inf
    for _ in range(steps):
        r, loglik = _normalised(_log_joint(c, weights, profiles))  # E: P(class | counts)
        path.append(float(times @ loglik))
        r = r * times[:, None]
        before = weights, profiles
        weights = r.sum(axis=0) / times.sum()  # M: shares of users, and of their views
        seen = r.T @ c
        profiles = seen / np.maximum(seen.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        moved = max(np.abs(weights - before[0]).max(), np.abs(profiles - before[1]).max())
        if moved < STILL:
            break
    path.append(float(times @ _normalised(_log_joint(c, weights, profiles))[1]))
    return weights, profiles, np.array(path), float(moved)


def _finished(c: Array, times: Ints, run: Run) -> Run:
    """Go on to the end; then the classes in order: the largest first, ties by their profiles."""
    weights, profiles, path, moved = _climb(c, times, run[0], run[1], STEPS)
    order = np.lexsort([*(-profiles.T[::-1]), -weights.round(6)])
    return weights[order], profiles[order], np.append(run[2][:-1], path), moved


def _best_merged(c: Array, times: Ints, weights: Array, profiles: Array) -> float:
    """The log-likelihood after two classes are made one, whichever two cost least."""
    found = []
    for i, j in combinations(range(len(weights)), 2):
        pair, rest = [i, j], np.delete(np.arange(len(weights)), [i, j])
        one = weights[pair] @ profiles[pair] / weights[pair].sum()
        w = np.append(weights[rest], weights[pair].sum())
        log_joint = _log_joint(c, w, np.vstack([profiles[rest], one]))
        found.append(float(times @ _normalised(log_joint)[1]))
    return max(found)


def _log_joint(c: Array, weights: Array, profiles: Array) -> Array:
    """Log of weight times likelihood, (n, K); minus infinity where a class rules the counts out."""
    with np.errstate(divide="ignore"):
        log_w, log_p = np.log(weights), np.log(profiles)
    inside: Array = c @ np.where(profiles > 0, log_p, 0.0).T + log_w
    return np.where(c @ (profiles == 0).T > 0, -np.inf, inside)


def _normalised(log_joint: Array) -> tuple[Array, Array]:
    """Posterior (n, K) and log-likelihood (n,), safe against underflow."""
    top = log_joint.max(axis=1, keepdims=True)
    joint = np.exp(log_joint - top)
    total = joint.sum(axis=1, keepdims=True)
    return joint / total, (top + np.log(total))[:, 0]
