"""Weighting by the propensity, alone and together with outcome regressions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from causalbook.arrays import (
    Array,
    as_numbers,
    binary,
    codes,
    fingerprint,
    label,
    numbers,
    rows,
    same_length,
)
from causalbook.estimate import Estimate
from causalbook.nuisance import Fitted

Hook = Callable[[Array], Array]
ENOUGH = 50  # effective rows of an arm that lost more than half of its rows to the weights


def ipw(
    y: Any,
    a: Any,
    e: Any,
    *,
    estimand: str = "ATE",
    normalize: bool = True,
    clip: tuple[float, float] | None = None,
    cluster: Any = None,
) -> Estimate:
    r"""Average effect by weights from the propensity (Hájek; Horvitz-Thompson if not normalised).

    $$\hat\tau = \frac{\sum_i A_i w_i Y_i}{\sum_i A_i w_i}
      - \frac{\sum_i (1 - A_i) w_i Y_i}{\sum_i (1 - A_i) w_i},
      \qquad w_i = \frac{h(e_i)}{P(A = A_i \mid X_i)}, \qquad \hat\tau_{HT} =
      \frac{\sum_i (2 A_i - 1) w_i Y_i}{\sum_i h(e_i)}$$

    with h = 1 for the ATE, e for the ATT, and e(1 - e) for the ATO, the effect where either arm
    was likely.

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1; `e` (n,) probabilities of a = 1: an array is
    taken as known, a `Fitted` as estimated, and its influence is added. `estimand` "ATE", "ATT" or
    "ATO"; `normalize` False for Horvitz-Thompson. `clip` = (low, high) moves propensities into that
    range, with a note of how many. `cluster` (n,) labels.
    Raises ValueError for NaN, unequal lengths, one arm, propensities not in (0, 1) (for the
    ATT a control may have e = 0).
    Warns where the weights leave an arm with less than half of its rows and fewer than 50.
    Source: Horvitz and Thompson (1952); Hájek (1971); Li, Morgan and Zaslavsky (2018);
    Lunceford and Davidian (2004) for the influence.
    """
    outcome, treated = numbers("y", y), binary("a", a)
    groups = None if cluster is None else codes("cluster", cluster)
    same_length(y=outcome, a=treated, cluster=groups)
    p, adjust, notes = _propensity(e, treated, estimand, clip)
    h, dh = _target(p, estimand)
    received, sign = np.where(treated == 1, p, 1 - p), 2 * treated - 1
    w = h / received
    dw = (dh - sign * w) / received
    notes += _sizes(treated, w)
    if normalize:
        mean_w = np.where(treated == 1, (treated * w).mean(), ((1 - treated) * w).mean())
        w, dw = w / mean_w, dw / mean_w
        mean1, mean0 = (treated * w * outcome).mean(), ((1 - treated) * w * outcome).mean()
        residual = outcome - np.where(treated == 1, mean1, mean0)
        value, psi, slope = mean1 - mean0, sign * w * residual, sign * dw * residual
    else:
        value = float((sign * w) @ outcome / h.sum())
        psi = (sign * w * outcome - value * h) / h.mean()
        slope = (sign * dw * outcome - value * dh) / h.mean()
    return Estimate(
        value,
        psi + adjust(slope),
        estimand,
        "IPW (Hájek)" if normalize else "IPW (Horvitz-Thompson)",
        cluster=groups,
        sample=fingerprint(outcome),
        notes=notes,
    )


def aipw(
    y: Any,
    a: Any,
    e: Any,
    mu0: Any,
    mu1: Any,
    *,
    estimand: str = "ATE",
    clip: tuple[float, float] | None = None,
    cluster: Any = None,
) -> Estimate:
    r"""Average effect by outcome regressions, corrected by the weighted residuals.

    $$\hat\tau_{ATE} = \frac1n \sum_i \Big[\mu_1(X_i) - \mu_0(X_i)
      + \frac{A_i (Y_i - \mu_1(X_i))}{e_i} - \frac{(1 - A_i)(Y_i - \mu_0(X_i))}{1 - e_i}\Big]$$

    $$\hat\tau_{ATT} = \frac{1}{\sum_i A_i} \sum_i \Big[A_i - \frac{(1 - A_i)\, e_i}{1 - e_i}\Big]
      (Y_i - \mu_0(X_i))$$

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1; `e` (n,) probabilities of a = 1; `mu0`, `mu1`
    (n,) expected outcomes under a = 0 and 1 (the ATT makes no use of mu1, which may be None).
    Arrays are taken as known or cross-fitted: their own error then vanishes to first order, if
    the product of the two errors does. To those that are `Fitted` their influence is added, so
    that the error is right even where one of the models is wrong. `clip` and `cluster` as in `ipw`.
    Raises ValueError as `ipw` does, for an estimand other than ATE and ATT, and without mu1 for the
    ATE. Warns as `ipw` does: then the correction of the regressions rests on few rows.
    Source: Robins, Rotnitzky and Zhao (1994); Bang and Robins (2005); Hahn (1998) for the ATT.
    """
    outcome, treated = numbers("y", y), binary("a", a)
    n, groups = len(outcome), None if cluster is None else codes("cluster", cluster)
    same_length(y=outcome, a=treated, cluster=groups)
    if estimand not in ("ATE", "ATT"):
        raise ValueError(f"estimand is {estimand!r}: aipw estimates the ATE or the ATT")
    if mu1 is None and estimand == "ATE":
        raise ValueError('mu1 is None: the ATE needs it; pass it, or estimand="ATT"')
    p, adjust, notes = _propensity(e, treated, estimand, clip)
    received, sign = np.where(treated == 1, p, 1 - p), 2 * treated - 1
    notes += _sizes(treated, _target(p, estimand)[0] / received)
    m0, adjust0 = _nuisance("mu0", mu0, n)
    if mu1 is not None:
        m1, adjust1 = _nuisance("mu1", mu1, n)
    if estimand == "ATE":
        residual = outcome - np.where(treated == 1, m1, m0)
        score = m1 - m0 + sign * residual / received
        value = float(score.mean())
        psi = score - value + adjust(-residual / received**2)
        psi += adjust1(1 - treated / p) + adjust0((1 - treated) / (1 - p) - 1)
    else:
        w, dw = p / received, (1 - sign * p / received) / received
        score, share = sign * w * (outcome - m0), treated.mean()
        value = float(score.sum() / treated.sum())
        psi = (score - value * treated) / share
        psi += adjust(sign * dw * (outcome - m0) / share) + adjust0(-sign * w / share)
    return Estimate(
        value, psi, estimand, "AIPW", cluster=groups, sample=fingerprint(outcome), notes=notes
    )


def _target(e: Array, estimand: str) -> tuple[Array, Array]:
    """Tilt h(e) from all units to those of the estimand, and its derivative."""
    if estimand == "ATE":
        return np.ones_like(e), np.zeros_like(e)
    if estimand == "ATT":
        return e, np.ones_like(e)
    if estimand == "ATO":
        return e * (1 - e), 1 - 2 * e
    raise ValueError(f"estimand is {estimand!r}: ipw estimates the ATE, ATT or ATO")


def _nuisance(name: str, nuisance: Any, n: int) -> tuple[Array, Hook]:
    """Values of a nuisance and what its estimation adds: nothing, where it is known."""
    values = numbers(name, nuisance.values if isinstance(nuisance, Fitted) else nuisance)
    same_length(y=np.empty(n), **{name: values})
    return values, nuisance.influence if isinstance(nuisance, Fitted) else np.zeros_like


def _propensity(
    e: Any, a: Array, estimand: str, clip: tuple[float, float] | None
) -> tuple[Array, Hook, tuple[str, ...]]:
    """Check the propensities, clip them if asked, say whether they are known."""
    p, adjust = _nuisance("e", e, len(a))
    known = "estimated: the error counts it" if isinstance(e, Fitted) else "taken as known"
    notes: tuple[str, ...] = (f"propensities {known}",)
    if clip is not None:
        ends = as_numbers("clip", clip).ravel()
        if len(ends) != 2 or not 0 < ends[0] < ends[1] < 1:
            raise ValueError(f"clip is {clip}: pass (low, high) with 0 < low < high < 1")
        low, high = ends
        outside = (p < low) | (p > high)
        p, fitted = np.clip(p, low, high), adjust
        notes += (f"{outside.sum():,} of {len(p):,} propensities clipped to [{low:g}, {high:g}]",)

        def adjust(g: Array) -> Array:  # a clipped propensity does not move with its model
            return fitted(np.where(outside, 0.0, g))

    bad = (p < 0) | (p >= 1) | ((p == 0) & ((a == 1) | (estimand != "ATT")))
    if bad.any():
        raise ValueError(
            f"{label('e', e)} is not a probability between 0 and 1 (both excluded) in {rows(bad)}: "
            "there one arm is never seen, so no weight repairs it; leave those units out and say "
            "so, or bound their propensities with clip=(low, high)"
        )
    return p, adjust, notes


def _sizes(a: Array, w: Array) -> tuple[str, ...]:
    """Effective rows of the arms; a warning where the weights leave too few."""
    sizes = []
    for arm in (1, 0):
        kept = w[a == arm]
        ess = float(kept.sum() ** 2 / (kept @ kept)) if kept.any() else 0.0
        if ess < min(ENOUGH, len(kept) / 2):
            warnings.warn(
                f"the weights leave {ess:.1f} effective rows of the {len(kept):,} with a = {arm}: "
                "few rows decide, and the interval covers less often than its level says",
                stacklevel=3,
            )
        sizes.append(f"{ess:,.0f} of {len(kept):,} with a = {arm}")
    return (f"effective rows: {', '.join(sizes)}",)
