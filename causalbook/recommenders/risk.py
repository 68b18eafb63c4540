"""The mean loss of predictions over all pairs of user and item, from the pairs observed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, fingerprint, label, numbers, rows, same_length
from causalbook.averages import mean_of, ratio_of
from causalbook.estimate import Estimate
from causalbook.estimators import effective_sample_size
from causalbook.recommenders.interactions import ids

ESTIMAND = "mean loss over all pairs"
ENOUGH = 50  # effective ratings below which an interval is not to be trusted, as in a log


def ips_risk(loss: Any, propensity: Any, user: Any, *, shape: tuple[int, int]) -> Estimate:
    r"""Mean loss over all pairs, each observed one standing for 1/P of them.

    $$\hat R = \frac{1}{UI} \sum_{u,i} \frac{O_{ui}\, \delta_{ui}}{P_{ui}}, \qquad
      \psi_u = \frac1I \sum_i \frac{O_{ui}\, \delta_{ui}}{P_{ui}} - \hat R$$

    There is one influence value for each of the U users, since the pairs of a user hang together;
    users without a rating count. The error is that for users drawn anew with their ratings; it is
    that of `ips` on a log of all pairs, where the action is to be observed, clustered by user.

    Parameters: `loss` (n,) of the observed pairs, in any unit; `propensity` (n,) of the same pairs,
    in (0, 1], taken as known; `user` (n,) numbers from 0; `shape`, (U, I).
    Raises ValueError for NaN, text, unequal lengths, a propensity outside (0, 1], a user or a
    number of ratings that the shape has no room for.
    Source: Schnabel et al. (2016, section on performance estimation).
    """
    delta, P, u = _observed(loss, propensity, user, shape)
    scores = _sums(u, delta / P, shape) / shape[1]
    return _noted(_mean(scores, "IPS", u), delta, P, shape)


def snips_risk(loss: Any, propensity: Any, user: Any, *, shape: tuple[int, int]) -> Estimate:
    r"""Self-normalised: the weighted mean loss of the observed pairs.

    $$\hat R = \frac{\sum_{u,i} O_{ui}\, \delta_{ui} / P_{ui}}{\sum_{u,i} O_{ui} / P_{ui}}$$

    Only the ratios of propensities matter: those of a part of the log serve as well as those of
    the whole. Parameters, influence values and errors as in `ips_risk`.
    Source: Schnabel et al. (2016, section on performance estimation).
    """
    delta, P, u = _observed(loss, propensity, user, shape)
    estimate = ratio_of(
        _sums(u, delta / P, shape),
        _sums(u, 1 / P, shape),
        estimand=ESTIMAND,
        method="SNIPS",
        sample=fingerprint(u),
    )
    return _noted(estimate, delta, P, shape)


def dr_risk(loss: Any, propensity: Any, user: Any, item: Any, imputed: Any) -> Estimate:
    r"""Doubly robust: the imputed losses of all pairs, corrected where a pair was observed.

    $$\hat R = \frac{1}{UI} \sum_{u,i} \Big[\hat\delta_{ui}
      + \frac{O_{ui}\, (\delta_{ui} - \hat\delta_{ui})}{P_{ui}}\Big]$$

    Unbiased if the propensities are right or if the imputed losses are.

    Parameters: as in `ips_risk`; `item` (n,) numbers from 0; `imputed` (U, I), a guess at the loss
    of each pair from other data than these ratings. One influence value for each user.
    Raises ValueError as `ips_risk` does, and for a table with NaN or without room for an item.
    Source: Wang, Zhang, Sun and Qi (2019).
    """
    guess = numbers("imputed", imputed, ndim=2)
    shape = (guess.shape[0], guess.shape[1])
    delta, P, u = _observed(loss, propensity, user, shape)
    i = ids("item", item, shape[1])
    same_length(loss=delta, item=i)
    scores = guess.mean(axis=1) + _sums(u, (delta - guess[u, i]) / P, shape) / shape[1]
    return _noted(_mean(scores, "DR", u), delta, P, shape)


def _mean(scores: Array, method: str, u: Ints) -> Estimate:
    return mean_of(scores, estimand=ESTIMAND, method=method, sample=fingerprint(u))


def _sums(u: Ints, x: Array, shape: tuple[int, int]) -> Array:
    """Sum x over the observed pairs of each user."""
    sums: Array = np.bincount(u, weights=x, minlength=shape[0]).astype(np.float64)
    return sums


def _observed(
    loss: Any, propensity: Any, user: Any, shape: tuple[int, int]
) -> tuple[Array, Array, Ints]:
    """Check what is known of the observed pairs."""
    delta, P = numbers("loss", loss), numbers("propensity", propensity)
    u = ids("user", user, shape[0])
    same_length(loss=delta, propensity=P, user=u)
    bad = (P <= 0) | (P > 1)
    if bad.any():
        raise ValueError(
            f"{label('propensity', propensity)} is outside (0, 1] in {rows(bad)}: pass the "
            "probability that the pair was observed; a weight is one over it"
        )
    if len(delta) > shape[0] * shape[1]:
        raise ValueError(
            f"loss has {len(delta):,} rows, shape {shape} has {shape[0] * shape[1]:,} pairs: "
            "give the number of users and of items"
        )
    return delta, P, u


def _noted(estimate: Estimate, delta: Array, P: Array, shape: tuple[int, int]) -> Estimate:
    """Say what the weights leave; warn where a few ratings decide."""
    lost = np.abs(delta) / P
    decide = effective_sample_size(lost) if lost.any() else 0.0
    if decide < ENOUGH:
        warnings.warn(
            f"the estimate rests on the losses of {decide:.1f} effective ratings: below {ENOUGH} "
            "its interval covers the truth less often than its level says",
            stacklevel=3,
        )
    note = (
        f"effective ratings {effective_sample_size(1 / P):,.0f} of {len(P):,}; largest weight "
        f"{1 / P.min():,.3g}; the weights stand for {(1 / P).sum() / (shape[0] * shape[1]):.3f} "
        "of all pairs (1 is expected)"
    )
    return replace(estimate, notes=(note,))
