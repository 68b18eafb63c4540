"""A policy learned from a log: gradient ascent on its doubly robust value, made careful or not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, as_numbers, design, label, rows, same_length
from causalbook.estimators.logged_data import Log, in_order


@dataclass(frozen=True, eq=False)
class LearnedPolicy:
    r"""A softmax-linear policy, $\pi_\theta(a \mid x) \propto \exp(\theta_{a0} + x'\theta_a)$.

    `theta` (1 + p, n_actions), intercepts first; `iterations` of the optimiser. It has no value of
    its own: judge it by `dr` on rounds that it was not learned from.
    """

    theta: Array
    iterations: int

    def probabilities(self, X: Any) -> Array:
        """Probabilities (n, n_actions) of the actions for covariates X, as they were learned."""
        z = with_intercept(X)
        if z.shape[1] != len(self.theta):
            raise ValueError(
                f"{label('X', X)} has {z.shape[1] - 1} columns, the policy was learned from "
                f"{len(self.theta) - 1}: pass the same ones"
            )
        return np.ascontiguousarray(softmax(self.theta.T @ z.T).T)


def learn_policy(
    log: Log, X: Any, q: Any = None, *, pessimism: float = 0.0, ridge: float = 0.0
) -> LearnedPolicy:
    r"""Learn the softmax-linear policy with the largest doubly robust value, less its doubt.

    $$\hat\theta = \arg\max_\theta\; \hat V_{DR}(\pi_\theta) - \lambda\, \widehat{se}(\pi_\theta)
      - \tfrac\rho2 \lVert\theta\rVert^2, \qquad
      s_i(\theta) = \sum_a \pi_\theta(a \mid x_i)\, g_{ia}, \qquad
      g_{ia} = q(x_i, a) + \frac{\mathbf{1}[a = a_i]\,(r_i - q(x_i, a_i))}{\pi_0(a_i \mid x_i)}$$

    The value is linear in the policy, $\hat V_{DR} = \frac1n \sum_i s_i$, so that the gradient is
    exact: $\partial s_i / \partial z_{ia} = \pi_{ia} (g_{ia} - s_i)$ for the logits z. With
    pessimism $\lambda$ a policy pays for what the log does not know (counterfactual risk
    minimisation). Without q it is IPS that is maximised, which then prefers to leave or to repeat
    what was logged by the sign of the reward alone. The search starts at the uniform policy and
    finds a local maximum; with rare rewards and neither pessimism nor ridge it lay up to a fifth
    below the highest. Without `ridge` the best policy may lie at infinity: the search stops close
    by. An action that never earned anything in the log has no spread, and is not doubted.

    Parameters: `log`; `X` (n, p) covariates; `q` (n, n_actions) predicted rewards, fitted on other
    data or cross-fitted, or None for 0; `pessimism` $\lambda \ge 0$, in standard errors; `ridge`
    $\rho \ge 0$. Clusters of the log count in the standard error.
    Raises ValueError for NaN, unequal lengths, another shape of q, negative settings, an action
    that the log never shows (with `log.policy`: somewhere). Warns if the search did not end.
    Source: Dudík, Erhan, Langford and Li (2014); Swaminathan and Joachims (2015, JMLR 16).
    """
    for name, setting in (("pessimism", pessimism), ("ridge", ridge)):
        if not 0 <= setting < np.inf:
            raise ValueError(f"{name} is {setting}: pass a number from 0")
    z = with_intercept(X)
    same_length(log=log.action, X=z)
    g = pseudo_rewards(log, q)
    shape = z.shape[1], len(g)

    unit = float(np.abs(g).mean()) or 1.0  # the search stops at the same place in any currency

    def loss(flat: Array) -> tuple[float, Array]:
        value, slope = objective(flat.reshape(shape), z, g, log.cluster, pessimism, ridge)
        return -value / unit, -slope.ravel() / unit

    return LearnedPolicy(*search(loss, shape, "covariates"))


def search(loss: Any, shape: tuple[int, int], inputs: str) -> tuple[Array, int]:
    """Minimise a loss that gives its slope, from zero on: the coefficients and the steps taken."""
    from scipy.optimize import minimize

    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B")
    if not found.success:
        warnings.warn(
            f"the search for the policy did not end ({found.message}): a ridge above 0 bounds it, "
            f"and {inputs} of similar scale speed it up",
            stacklevel=3,
        )
    return found.x.reshape(shape), int(found.nit)


def objective(
    theta: Array, z: Array, g: Array, cluster: Any, pessimism: float, ridge: float
) -> tuple[float, Array]:
    """Doubly robust value less doubt and penalty, and its gradient; actions in rows, for speed."""
    n, p = len(z), softmax(theta.T @ z.T)
    s = np.einsum("ai,ai->i", p, g)
    value = s.mean() - ridge / 2 * (theta**2).sum()
    slope = np.full(n, 1 / n)  # of the objective in each round's score
    if pessimism > 0:
        psi = s - s.mean()
        sums = psi if cluster is None else np.bincount(cluster, weights=psi)
        se = np.sqrt(sums @ sums) / n
        if se > 0:
            own = sums if cluster is None else sums[cluster]
            value -= pessimism * se
            slope -= pessimism * (own - own.mean()) / (n**2 * se)
    p *= g - s  # the slope of each round's score in its logits
    p *= slope
    return float(value), (p @ z).T - ridge * theta


def pseudo_rewards(log: Log, q: Any) -> Array:
    """Rewards (n_actions, n), whose mean under a policy is its doubly robust value."""
    k = log.action.max() + 1 if log.policy is None else log.policy.shape[1]
    if q is None:
        g = np.zeros((log.n, k))
    else:
        in_order("q", q)
        g = np.array(as_numbers("q", q))
        if g.ndim == 2 and log.policy is None:
            k = max(k, g.shape[1])  # the model may know actions that were never logged
        if g.shape != (log.n, k):
            raise ValueError(
                f"q has shape {g.shape}: pass ({log.n:,}, {k}), one reward for each round and "
                "action"
            )
        if not np.isfinite(g).all():
            raise ValueError("q is NaN or infinite: predict a reward for each round and action")
    _refuse_unsupported(log, k)
    i = np.arange(log.n)
    g[i, log.action] += (log.reward - g[i, log.action]) / log.pscore
    return np.ascontiguousarray(g.T)


def _refuse_unsupported(log: Log, k: int) -> None:
    """Refuse actions that the log never shows: a softmax policy would, and no reward tells."""
    if log.policy is not None:
        bad = (log.policy == 0).any(axis=1)
        if bad.any():
            raise ValueError(
                f"the log's policy is 0 in {rows(bad)}: a softmax policy gives every action some "
                "probability, and no data tell what those would earn; leave out actions, or rounds"
            )
        return
    never = np.setdiff1d(np.arange(k), log.action)
    if never.size:
        raise ValueError(
            f"the log never shows {len(never)} of {k} actions (first: {never[:5].tolist()}): no "
            "data tell what they would earn; leave them out, and number the others 0, 1, 2, ..."
        )


def with_intercept(X: Any) -> Array:
    """Covariates with a column of ones before them."""
    x = design("X", X)
    return np.column_stack([np.ones(len(x)), x])


def softmax(logits: Array) -> Array:
    """Probabilities of the actions in rows."""
    p: Array = np.exp(logits - logits.max(axis=0))
    p /= p.sum(axis=0)
    return p
