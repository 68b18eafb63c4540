"""Around an experiment: how many units, are the arms as drawn, and which of many metrics moved."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from causalbook.arrays import Array, numbers, rows, same_length


def sample_size(effect: float, sd: float, *, power: float = 0.8, level: float = 0.95) -> int:
    r"""Units per arm that find an effect on a mean with the chance `power`.

    The smallest n with $P(|T| > t_{(1+level)/2}) \ge power$, where T is noncentral t with
    $2n - 2$ degrees of freedom and noncentrality $(\delta/\sigma)\sqrt{n/2}$; nearly
    $n = 2\,(z_{(1+level)/2} + z_{power})^2\,\sigma^2/\delta^2$.

    Parameters: `effect` $\delta$ and `sd` $\sigma$ of the outcome within an arm, in one unit;
    `power` and `level` of the two-sided test, between 0 and 1; arms of equal size.
    Raises ValueError for an effect of 0 (or of no size that could be run), a spread that is not
    positive, shares out of range.
    Source: Cohen (1988, chapter 2).
    """
    _check_shares(power, level)
    if not 0 < sd < math.inf or not 1e-7 < abs(effect) / sd < math.inf:
        raise ValueError(
            f"effect is {effect} and sd {sd}: pass a spread above 0, and an effect that is more "
            "than a ten-millionth of it"
        )
    from scipy.special import nctdtr, stdtrit  # costs as much as numpy to import: only here

    def enough(n: int) -> bool:
        dof, shift = 2 * n - 2, abs(effect) / sd * math.sqrt(n / 2)
        cut = stdtrit(dof, (1 + level) / 2)
        far = nctdtr(dof, shift, -cut) if shift < 5 else 0  # then below 1e-6, and scipy gives NaN
        return bool(1 - nctdtr(dof, shift, cut) + far >= power)

    return _smallest(enough)


def sample_size_proportions(
    p0: float, p1: float, *, power: float = 0.8, level: float = 0.95
) -> int:
    r"""Units per arm that tell a share p1 from a share p0 with the chance `power`.

    $$n = \frac{\big(z_{(1+level)/2} \sqrt{2 \bar p (1 - \bar p)}
      + z_{power} \sqrt{p_0 (1 - p_0) + p_1 (1 - p_1)}\big)^2}{(p_1 - p_0)^2},
      \qquad \bar p = \frac{p_0 + p_1}{2}$$

    Parameters: `p0`, `p1`, shares of the two arms, strictly between 0 and 1; `power` and `level`
    of the two-sided test; arms of equal size.
    Raises ValueError for equal shares, and for shares out of range.
    Source: Fleiss, Levin and Paik (2003, chapter 4).
    """
    _check_shares(power, level)
    if not (0 < p0 < 1 and 0 < p1 < 1) or p0 == p1:
        raise ValueError(
            f"p0 is {p0} and p1 {p1}: pass two different shares between 0 and 1, such as 0.05 and "
            "0.055"
        )
    z, p = NormalDist().inv_cdf, (p0 + p1) / 2
    null = math.sqrt(2 * p * (1 - p))
    alternative = math.sqrt(p0 * (1 - p0) + p1 * (1 - p1))
    n = ((z((1 + level) / 2) * null + z(power) * alternative) / (p1 - p0)) ** 2
    return math.ceil(n)


def srm_test(counts: Any, shares: Any) -> float:
    r"""P-value of a sample ratio mismatch: the arms are as large as the lottery makes them.

    $$\chi^2 = \sum_k \frac{(N_k - n s_k)^2}{n s_k}, \qquad
      p = P\big(\chi^2_{K-1} \ge \chi^2\big)$$

    Parameters: `counts` (K,) units that the analysis found in each arm, whole numbers; `shares`
    (K,) that were designed, with sum 1. Returns the p-value: below 0.001, say, mend the
    experiment before reading its result.
    Raises ValueError for counts that are no counts, shares that do not sum to 1, unequal lengths,
    an arm for which fewer than five units are expected (chi-square is no approximation there).
    Source: Pearson (1900); Fabijan et al. (2019).
    """
    found, s = numbers("counts", counts), numbers("shares", shares)
    same_length(counts=found, shares=s)
    if len(found) < 2:
        raise ValueError("counts has one arm: a ratio needs two")
    bad = (found < 0) | (found != np.round(found))
    if bad.any():
        raise ValueError(f"counts are no whole numbers in {rows(bad)}: pass numbers of units")
    if (s <= 0).any() or abs(s.sum() - 1) > 1e-9:
        raise ValueError(
            f"shares sum to {s.sum():.6g}, the least is {s.min():g}: pass the designed share of "
            "each arm, above 0, with sum 1"
        )
    expected = found.sum() * s
    if expected.min() < 5:
        raise ValueError(
            f"counts sum to {found.sum():.0f}, so that one arm expects {expected.min():.2g} units: "
            "the test needs five in each; wait for more"
        )
    from scipy.special import chdtrc

    return float(chdtrc(len(s) - 1, ((found - expected) ** 2 / expected).sum()))


def holm(pvalues: Any) -> Array:
    r"""P-values of many tests, adjusted so that any false alarm at all is as rare as `level` says.

    $$\tilde p_{(k)} = \max_{j \le k} \min\{1, (m - j + 1)\, p_{(j)}\}$$

    Parameters: `pvalues` (m,) between 0 and 1, of tests as dependent as they like. Returns the
    adjusted ones in the same order: reject where they are at most 1 - level.
    Raises ValueError for values that are no p-values. Source: Holm (1979).
    """
    p = numbers("pvalues", pvalues)
    bad = (p < 0) | (p > 1)
    if bad.any():
        raise ValueError(f"pvalues are not between 0 and 1 in {rows(bad)}: pass p-values")
    order, m = np.argsort(p, kind="stable"), len(p)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(1, np.maximum.accumulate((m - np.arange(m)) * p[order]))
    return adjusted


def _check_shares(power: float, level: float) -> None:
    for name, share in (("power", power), ("level", level)):
        if not 0 < share < 1:
            raise ValueError(f"{name} is {share}: pass a share between 0 and 1, such as 0.8")
    if power <= 1 - level:
        raise ValueError(
            f"power is {power}, no more than the {1 - level:.2g} of false alarms: ask for more"
        )


def _smallest(enough: Callable[[int], bool]) -> int:
    """Smallest n of at least 2 that is enough, where every larger one is enough too."""
    high = 2
    while not enough(high):
        high *= 2
    low = max(high // 2, 1)  # not enough, or 1, which has no spread
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
