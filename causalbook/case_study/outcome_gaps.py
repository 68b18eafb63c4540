"""Outcomes that nobody reported: a second propensity, and what none can repair."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import (
    Array,
    as_array,
    binary,
    fingerprint,
    label,
    missing,
    numbers,
    rows,
    same_length,
)
from causalbook.estimate import Estimate
from causalbook.potential_outcomes import Bounds, ab_test

Mask = npt.NDArray[np.bool_]


def aipw_missing(y: Any, a: Any, e: Any, rho: Any, mu0: Any, mu1: Any) -> Estimate:
    r"""Average effect where some outcomes are missing: those seen stand in for those that are not.

    $$\hat\tau = \frac1n \sum_i \Big[\mu_1(X_i) - \mu_0(X_i)
      + \frac{R_i A_i (Y_i - \mu_1(X_i))}{\rho_i\, e_i}
      - \frac{R_i (1 - A_i)(Y_i - \mu_0(X_i))}{\rho_i (1 - e_i)}\Big]$$

    R says whether the outcome was seen, and $\rho = P(R = 1 \mid A, X)$. Unbiased if, given A and
    X, being seen has nothing to do with the outcome (missing at random), and either the two
    propensities or the two regressions are right. If the propensities are, rho may also depend on
    what came after the treatment, where mu0 and mu1 do not; or be chances that you chose yourself.

    Parameters: `y` (n,) outcomes, NaN where missing; `a` (n,) 0 or 1; `e` (n,) probabilities of
    a = 1; `rho` (n,) of being seen, under the arm that the unit is in; `mu0`, `mu1` (n,) expected
    outcomes under a = 0 and 1 (zeros make it inverse probability weighting). All are taken as
    known or cross-fitted.
    Raises ValueError for an outcome that is infinite or text, no outcome seen in an arm, e outside
    (0, 1), rho outside (0, 1], unequal lengths. Source: Robins, Rotnitzky and Zhao (1994).
    """
    outcome, seen = _with_gaps(y)
    treated, p, chance = binary("a", a), numbers("e", e), numbers("rho", rho)
    m0, m1 = numbers("mu0", mu0), numbers("mu1", mu1)
    same_length(y=outcome, a=treated, e=p, rho=chance, mu0=m0, mu1=m1)
    _refuse_unseen_arm(seen, treated)
    _refuse_outside("e", e, (p <= 0) | (p >= 1), "(0, 1)")
    _refuse_outside("rho", rho, (chance <= 0) | (chance > 1), "(0, 1]")
    received, own = np.where(treated == 1, p, 1 - p), np.where(treated == 1, m1, m0)
    residual = np.where(seen, outcome - own, 0.0)
    score = m1 - m0 + (2 * treated - 1) * residual / (received * chance)
    value = float(score.mean())
    return Estimate(
        value,
        score - value,
        "ATE",
        "AIPW with missing outcomes",
        sample=fingerprint(outcome),
        notes=(
            f"{(~seen).sum():,} of {len(seen):,} outcomes are missing, at random given A and X",
        ),
    )


def missing_bounds(y: Any, a: Any, *, low: float = 0.0, high: float = 1.0) -> Bounds:
    r"""Bound an experiment's effect: each missing outcome at one or the other end of its range.

    $$\underline\tau = \bar Y_1^{low} - \bar Y_0^{high}, \qquad
      \overline\tau = \bar Y_1^{high} - \bar Y_0^{low}$$

    where $\bar Y_a^{v}$ is the mean of arm a with v in place of what is missing. The arms are
    randomised; nothing is assumed of who is missing. The width is (high - low) times the sum of
    the two arms' shares of missing outcomes.

    Parameters: `y` (n,) outcomes, NaN where missing; `a` (n,) 0 or 1, randomised; `low`, `high`,
    the smallest and largest value that an outcome *can* take.
    Raises ValueError for outcomes outside the range, an empty or infinite range, no outcome seen
    in an arm. Source: Horowitz and Manski (2000).
    """
    outcome, seen = _with_gaps(y)
    treated = binary("a", a)
    same_length(y=outcome, a=treated)
    _refuse_unseen_arm(seen, treated)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"low is {low} and high is {high}: pass the finite range that the outcome can take"
        )
    _refuse_outside("y", y, seen & ~((outcome >= low) & (outcome <= high)), f"[{low:g}, {high:g}]")

    def end(name: str, fill1: float, fill0: float) -> Estimate:
        """Fill what is missing in each arm with one number."""
        filled = np.where(seen, outcome, np.where(treated == 1, fill1, fill0))
        effect = ab_test(filled, treated)
        return Estimate(
            effect.value,
            effect.influence,
            f"{name} bound on the ATE",
            f"worst case (missing outcomes in [{low:g}, {high:g}])",
            sample=fingerprint(outcome),
            dof=effect.dof,
        )

    return Bounds(end("lower", low, high), end("upper", high, low))


def _with_gaps(y: Any) -> tuple[Array, Mask]:
    """Outcomes as they are, NaN where missing, and which of them were seen."""
    given = as_array("y", y)
    if given.ndim != 1:
        raise ValueError(f"{label('y', y)} has {given.ndim} dimensions, needs 1: pass one column")
    seen = ~missing(given)
    outcome = np.full(given.shape, np.nan)
    if seen.any():
        outcome[seen] = numbers(label("y", y), given[seen])
    return outcome, seen


def _refuse_unseen_arm(seen: Mask, treated: Array) -> None:
    for arm in (0, 1):
        if not seen[treated == arm].any():
            raise ValueError(
                f"y is missing in every row with a = {arm}: nothing is known of that arm"
            )


def _refuse_outside(name: str, given: Any, bad: Mask, allowed: str) -> None:
    if bad.any():
        raise ValueError(f"{label(name, given)} is outside {allowed} in {rows(bad)}")
