"""The value of a policy over many actions, through what the actions have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, as_array, codes, rows
from causalbook.estimate import Estimate
from causalbook.estimators.logged_data import Log
from causalbook.estimators.policy_values import (
    mean_estimate,
    of_logged,
    policy_for,
    report,
)


def mips(log: Log, pi: Any, embedding: Any) -> Estimate:
    r"""Inverse propensity scores of the actions' embedding (marginalised IPS).

    $$\hat V = \frac1n \sum_i w(x_i, e_i)\, r_i, \qquad w(x, e) =
      \frac{\sum_a \pi(a \mid x)\, p(e \mid a)}{\sum_a \pi_0(a \mid x)\, p(e \mid a)},
      \qquad p(e \mid a) = \mathbf{1}[e = e_a]$$

    Unbiased if an action changes the reward only through its embedding (no direct effect), which
    the log can contradict but not prove. With one embedding for each action it is `ips`. The
    columns of an embedding count together, as one label: a product of the sums of each column, as
    in obp, is another number. If an action draws its embedding by a known p(e | a), the embedding
    is what was decided: use `ips` on a log of the embeddings.

    Parameters: `log` with all probabilities of the logging policy; `pi` as in `ips`; `embedding`
    (n_actions,) category of each action, or (n_actions, d) categories or one-hot columns.
    Raises ValueError for a log without `policy`, an `embedding` that is no row for each action,
    missing labels, a policy that wants embeddings which the log never shows in that context.
    Source: Saito and Joachims (2022).
    """
    w, note = embedding_weights(log, policy_for(log, pi), embedding)
    return mean_estimate(log, w * log.reward, "MIPS", (note, *report(w, w * log.reward)))


def embedding_weights(log: Log, p: Array, embedding: Any) -> tuple[Array, str]:
    """Weights of the logged actions' embeddings under a policy that was checked, and a note."""
    if log.policy is None:
        raise ValueError(
            "log has no policy: the probability of an embedding is the sum over all actions that "
            "have it; pass Log(..., policy=)"
        )
    e = _labels(embedding)
    if len(e) != p.shape[1]:
        raise ValueError(
            f"embedding has {len(e):,} rows, pi has {p.shape[1]:,} columns: pass one row for each "
            "action, in the order of their numbers"
        )
    target, logging = _of_embeddings(p, e), _of_embeddings(log.policy, e)
    lost = (target > 0) & (logging == 0)
    if lost.any():
        raise ValueError(
            "pi wants embeddings that the logging policy never shows there in "
            f"{rows(lost.any(axis=1))}, {100 * target[lost].sum() / log.n:.3g}% of its mass: no "
            "data can tell their reward; keep pi within the support of policy, or embed coarser"
        )
    shown = e[log.action]
    w = of_logged(target, shown) / of_logged(logging, shown)
    if not w.any():
        raise ValueError("pi gives every logged embedding probability 0: the two never agree")
    return w, f"{e.max() + 1:,} embeddings of {len(e):,} actions; no direct effect is assumed"


def _labels(embedding: Any) -> Ints:
    """Number the distinct rows of the embedding."""
    table = as_array("embedding", embedding)
    if table.ndim == 1:
        return codes("embedding", embedding)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"embedding has shape {table.shape}: pass one row for each action")
    columns = [codes("embedding", column) for column in table.T]
    return np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1].ravel()


def _of_embeddings(p: Array, e: Ints) -> Array:
    """Probability of each embedding: the sum over the actions that have it."""
    order = np.argsort(e, kind="stable")
    first = np.searchsorted(e[order], np.arange(e.max() + 1))
    sums: Array = np.add.reduceat(p[:, order], first, axis=1)
    return sums
