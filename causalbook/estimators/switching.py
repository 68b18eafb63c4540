"""Doubly robust where the weights are small, the model alone where they are large."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.estimate import Estimate
from causalbook.estimators.logged_data import Log
from causalbook.estimators.policy_values import (
    estimate,
    importance_weights,
    mean_estimate,
    of_logged,
    report,
    reward_model,
    target_policy,
)


def switch_dr(log: Log, pi: Any, q: Any, *, tau: float) -> Estimate:
    r"""Doubly robust, but rounds with a weight above tau are left to the reward model.

    $$\hat V = \frac1n \sum_i \Big[\sum_a \pi(a \mid x_i)\, q(x_i, a)
      + w_i \mathbf{1}[w_i \le \tau] \big(r_i - q(x_i, a_i)\big)\Big]$$

    At tau = 0 it is `dm`, at infinity `dr`. The error is that of the scores: it counts neither
    how far q is off where it stands alone nor how q was estimated. With no round corrected there
    is none, as in `dm`.

    Parameters: `log`, `pi`, `q` as in `dr`; `tau` the largest weight that is used, from 0.
    Raises ValueError as `dr` does, and for a negative or missing tau.
    Source: Wang, Agarwal and Dudík (2017).
    """
    if not tau >= 0:
        raise ValueError(f"tau is {tau}: pass the largest weight to use, from 0 (DM) to inf (DR)")
    p = target_policy(log, pi)
    table, model = reward_model(p, q)
    w = importance_weights(log, p)
    kept = np.where(w <= tau, w, 0.0)
    note = (
        f"{(w > tau).sum():,} of {log.n:,} rounds switched to the model, "
        f"{1 - kept.sum() / w.sum():.1%} of the total weight: there the value is what q says, and "
        "the error does not count how far q is off"
    )
    if not kept.any():
        why = "no standard error: no round corrects the model, and its own error is not counted"
        value = float(model.mean())
        return estimate(log, value, np.broadcast_to(np.nan, log.n), "SWITCH-DR", (why, note))
    scores = model + kept * (log.reward - of_logged(table, log.action))
    return mean_estimate(log, scores, "SWITCH-DR", (note, *report(kept, kept * log.reward)))
