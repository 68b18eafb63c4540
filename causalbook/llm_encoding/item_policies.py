"""A policy over items known by their vectors: learned from a log, it ranks new items as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, design, same_length
from causalbook.estimators.logged_data import Log
from causalbook.estimators.policy_learning import (
    objective,
    pseudo_rewards,
    search,
    softmax,
    with_intercept,
)


@dataclass(frozen=True, eq=False)
class ItemPolicy:
    r"""A softmax policy over item vectors, $\pi_\Theta(a \mid x) \propto \exp(z_x' \Theta v_a)$.

    `theta` (1 + p, d), the intercept's row first, so that $z_x = (1, x)$; `iterations` of the
    optimiser. It has no value of its own: judge it by `dr` on rounds that it was not learned from.
    """

    theta: Array
    iterations: int

    def probabilities(self, X: Any, vectors: Any) -> Array:
        """Probabilities (n, n_items) for covariates X and items with these vectors, old or new.

        Raises ValueError for other numbers of columns than the policy was learned from.
        """
        z, v = with_intercept(X), design("vectors", vectors)
        if (z.shape[1], v.shape[1]) != self.theta.shape:
            raise ValueError(
                f"X has {z.shape[1] - 1} columns and vectors {v.shape[1]}, the policy was learned "
                f"from {len(self.theta) - 1} and {self.theta.shape[1]}: pass the same ones"
            )
        return np.ascontiguousarray(softmax(v @ (z @ self.theta).T).T)


def learn_item_policy(
    log: Log, X: Any, vectors: Any, q: Any = None, *, ridge: float = 0.0
) -> ItemPolicy:
    r"""Learn the softmax policy over item vectors with the largest doubly robust value.

    $$\hat\Theta = \arg\max_\Theta\; \hat V_{DR}(\pi_\Theta) - \tfrac\rho2 \lVert\Theta\rVert^2,
      \qquad \pi_\Theta(a \mid x) \propto \exp(z_x' \Theta v_a)$$

    This is `learn_policy` with its parameters tied, $\theta_a = \Theta v_a$: items with like
    vectors are liked alike, so that an item with few rounds borrows from its neighbours. What an
    item does beyond its vector is not learned. With one-hot vectors it is `learn_policy`.

    Parameters: `log`, `X`, `q` as in `learn_policy`; `vectors` (n_items, d) in the order of the
    actions, their columns of similar scale; `ridge` $\rho \ge 0$.
    Raises ValueError as `learn_policy` does, and for vectors that are not one row for each action.
    Warns if the search did not end.
    Source: Dudík, Erhan, Langford and Li (2014) for the value; the tied parameters are common.
    """
    if not 0 <= ridge < np.inf:
        raise ValueError(f"ridge is {ridge}: pass a number from 0")
    z, v = with_intercept(X), design("vectors", vectors)
    same_length(log=log.action, X=z)
    g = pseudo_rewards(log, q)
    if len(v) != len(g):
        raise ValueError(
            f"vectors has {len(v):,} rows, the log has {len(g):,} actions: pass one row for each, "
            "in the order of their numbers"
        )
    shape = z.shape[1], v.shape[1]
    unit = float(np.abs(g).mean()) or 1.0  # the search stops at the same place in any currency
    scale = float(np.sqrt((v**2).mean())) or 1.0  # and in any unit of the vectors

    def loss(flat: Array) -> tuple[float, Array]:
        theta = flat.reshape(shape) / scale
        value, slope = objective(theta @ v.T, z, g, None, 0.0, 0.0)
        value -= ridge / 2 * (theta**2).sum()
        return -value / unit, -(slope @ v - ridge * theta).ravel() / scale / unit

    theta, steps = search(loss, shape, "vectors")
    return ItemPolicy(theta / scale, steps)
