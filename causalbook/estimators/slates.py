"""The value of a policy that fills several positions at once: rewards and weights by position."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import Array, fingerprint, label, numbers, rows
from causalbook.estimate import Estimate
from causalbook.estimators.policy_values import report

ESTIMAND = "reward of a slate under the target policy"


def position_ips(reward: Any, pscore: Any, pi: Any, *, cluster: Any = None) -> Estimate:
    r"""Position-based (independent) IPS: each position weighs its own reward.

    $$\hat V = \frac1n \sum_i \sum_k w_{ik} r_{ik}, \qquad
      w_{ik} = \frac{\pi_k(a_{ik} \mid x_i)}{\pi_{0,k}(a_{ik} \mid x_i)}$$

    Unbiased if the reward of a position depends on the user, the position and the item there, and
    on no other item of the slate. The data can contradict this, with `slate_ips` on the same rows.
    One influence value a slate: its positions hang together.

    Parameters: `reward` (n, K), a reward for each position; `pscore` (n, K) in (0, 1], the
    logging policy's probability of this item at this position, whatever stands elsewhere; `pi`
    (n, K) in [0, 1], the target's; `cluster` (n,) labels of slates that hang together.
    Raises ValueError for NaN, other shapes than (n, K), probabilities out of range, a target that
    never shows what was logged.
    Source: Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen (2018), whose estimators also
    cap the weights.
    """
    r, w = _slates(reward, pscore, pi)
    scores = np.einsum("ik,ik->i", w, r)
    return _mean(scores, r, "position-based IPS", cluster, report(w, scores))


def slate_ips(reward: Any, pscore: Any, pi: Any, *, cluster: Any = None) -> Estimate:
    r"""IPS of the whole slate: one weight, the product over its positions.

    $$\hat V = \frac1n \sum_i \Big(\prod_k w_{ik}\Big) \sum_k r_{ik}$$

    Unbiased however the items of a slate act on each other; the variance of the product grows
    with every position.

    Parameters and errors as in `position_ips`, but `pscore` and `pi` are the probabilities of an
    item at a position given the items above it, whose product is that of the slate. (They are
    the same where positions are filled independently.) A target that makes none of the logged
    slates is refused.
    Source: Horvitz and Thompson (1952); Swaminathan et al. (2017), for slates.
    """
    r, w = _slates(reward, pscore, pi)
    whole = w.prod(axis=1)
    if not whole.any():
        raise ValueError("pi gives every logged slate probability 0: the two never agree")
    scores = whole * r.sum(axis=1)
    return _mean(scores, r, "slate IPS", cluster, report(whole, scores))


def _mean(scores: Array, r: Array, method: str, cluster: Any, notes: tuple[str, ...]) -> Estimate:
    value, rows_of = float(scores.mean()), fingerprint(r)
    psi = scores - value
    return Estimate(value, psi, ESTIMAND, method, cluster=cluster, sample=rows_of, notes=notes)


def _slates(reward: Any, pscore: Any, pi: Any) -> tuple[Array, Array]:
    """Rewards and weights by position, checked."""
    r, p0, p = (
        numbers(name, table, ndim=2)
        for name, table in (("reward", reward), ("pscore", pscore), ("pi", pi))
    )
    for name, table in (("pscore", p0), ("pi", p)):
        if table.shape != r.shape:
            raise ValueError(
                f"{name} has shape {table.shape}, reward has {r.shape}: pass one row for each "
                "slate, one column for each position"
            )
    for name, given, bad in (
        ("pscore", pscore, (p0 <= 0) | (p0 > 1)),
        ("pi", pi, (p < 0) | (p > 1)),
    ):
        if bad.any():
            raise ValueError(
                f"{label(name, given)} is no probability in {rows(bad)}: pass the chance of the "
                "item shown at each position, above 0 for the policy that showed it"
            )
    if not p.any():
        raise ValueError("pi gives every logged item probability 0: the two never agree")
    return r, p / p0
