"""Item vectors as categories of actions: how to cut them, how fine, and what a model repairs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from causalbook.arrays import Ints, design
from causalbook.estimate import Estimate
from causalbook.estimators.embeddings import embedding_weights
from causalbook.estimators.logged_data import Log
from causalbook.estimators.policy_values import (
    mean_estimate,
    of_logged,
    policy_for,
    report,
    reward_model,
)


def item_clusters(vectors: Any, k: int) -> Ints:
    r"""Group items into k clusters of like vectors: a number 0..k-1 for each item (Ward's tree).

    $$d(A, B) = \frac{|A|\,|B|}{|A| + |B|}\, \lVert \bar v_A - \bar v_B \rVert^2$$

    The two clusters with the smallest $d$ are merged, again and again, until k are left. So a
    coarser grouping only merges clusters of a finer one, and no chance enters. All distances
    between the items are held: 10,000 items take 0.4 GB, twice as many four times that.

    Parameters: `vectors` (n_items, d), for encodings best of unit length; `k` from 1 to n_items.
    Raises ValueError for NaN, or a k that no tree of the items has.
    Source: Ward (1963).
    """
    from scipy.cluster.hierarchy import linkage

    v = design("vectors", vectors)
    if not isinstance(k, (int, np.integer)) or not 1 <= k <= len(v):
        raise ValueError(f"k is {k!r}: pass a whole number from 1 to {len(v):,}, the items there")
    group = np.arange(len(v))
    merges = linkage(v, "ward")[: len(v) - k, :2] if len(v) > 1 else []
    for step, (a, b) in enumerate(merges):
        group[(group == a) | (group == b)] = len(v) + step  # as linkage numbers what it merged
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def offcem(log: Log, pi: Any, q: Any, embedding: Any) -> Estimate:
    r"""Weights for the clusters, a reward model for what items do within them (OffCEM).

    $$\hat V = \frac1n \sum_i \Big[\sum_a \pi(a \mid x_i)\, q(x_i, a)
      + w(x_i, e_{a_i})\, \big(r_i - q(x_i, a_i)\big)\Big]$$

    with the weights of `mips`. It is unbiased if q has the *differences* between the items of a
    cluster right, whatever its level. With q = 0 it is `mips`, with one cluster for each item `dr`.

    Parameters: `log`, `pi`, `embedding` as in `mips`; `q` (n, n_actions) predicted rewards, fitted
    on other data or cross-fitted. For a model that is wrong within the clusters it is biased, and
    `dr`, which weighs item by item, is not.
    Raises ValueError as `mips` and `dr` do. Source: Saito, Ren and Joachims (2023).
    """
    p = policy_for(log, pi)
    w, note = embedding_weights(log, p, embedding)
    rewards, model = reward_model(p, q)
    scores = model + w * (log.reward - of_logged(rewards, log.action))
    return mean_estimate(log, scores, "OffCEM", (note, *report(w, w * log.reward)))


def coarsest_agreeing(estimates: Sequence[Estimate], *, level: float = 0.95) -> int:
    r"""Go from the finest estimate to coarser ones while each agrees with all before it (Lepski).

    $$\hat\jmath = \max\Big\{j : |\hat V_l - \hat V_m| \le z\, \widehat{se}(\hat V_l - \hat V_m)
      \ \text{ for all } m < l \le j\Big\}$$

    The position in `estimates` of the coarsest that is not contradicted. The interval of the one
    chosen is too short: a bias of about the errors of the differences goes unseen.

    Parameters: `estimates` on the same rows, from the least biased to the least variable; `level`
    of each comparison.
    Raises ValueError for fewer than two estimates, one without a standard error, or a level
    outside (0, 1), and as `Estimate` does for those of different rows.
    Source: Lepski's method; Su, Srinath and Krishnamurthy (2020) for policies, with the overlap of
    intervals in place of the differences' own errors.
    """
    if len(estimates) < 2:
        raise ValueError(f"estimates has {len(estimates)} entries: pass two or more, finest first")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: pass a probability, such as 0.95")
    unsure = [e.method for e in estimates if not np.isfinite(e.se)]
    if unsure:
        raise ValueError(
            f"{len(unsure)} of {len(estimates)} estimates have no standard error (first: "
            f"{unsure[0]}): nothing can contradict them; pass estimates that have one"
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    for j in range(1, len(estimates)):
        gaps = [estimates[j] - finer for finer in estimates[:j]]
        if any(abs(gap.value) > z * gap.se for gap in gaps):
            return j - 1
    return len(estimates) - 1
