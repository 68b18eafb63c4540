"""Randomised experiments: the difference in means and what sharpens it."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from causalbook.arrays import Array, binary, codes, fingerprint, numbers, same_length
from causalbook.estimate import Estimate


def ab_test(y: Any, a: Any, *, cluster: Any = None) -> Estimate:
    r"""Average effect of a randomised treatment: difference in means, Welch's error.

    $$\hat\tau = \bar Y_1 - \bar Y_0, \qquad
      \psi_i = \frac{n}{n_{a_i}} \sqrt{\frac{n_{a_i}}{n_{a_i} - 1}}\,
      (\pm 1)\,(Y_i - \bar Y_{a_i}), \qquad
      \widehat{se}^2 = \frac{s_1^2}{n_1} + \frac{s_0^2}{n_0}$$

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1, as randomised (offered, not taken);
    `cluster` (n,) labels of groups that share a fate: then the factor is $\sqrt{G/(G-1)}$ for G
    clusters in place of that of the arms, with G - 1 degrees of freedom.
    Raises ValueError for NaN, an arm with fewer than two units, treatments other than 0 and 1,
    an arm that lies in one cluster.
    Source: Neyman (1923); Welch (1947); Cameron and Miller (2015, sections II.C and VI.D).
    """
    outcome, treated = numbers("y", y), binary("a", a)
    groups = None if cluster is None else codes("cluster", cluster)
    same_length(y=outcome, a=treated, cluster=groups)
    n, n1 = len(outcome), treated.sum()
    if min(n1, n - n1) < 2:
        raise ValueError(
            f"a has {n1:.0f} treated and {n - n1:.0f} control units: each arm needs two, since "
            "one unit says nothing of the spread"
        )
    size = np.where(treated == 1, n1, n - n1)
    mean1, mean0 = outcome[treated == 1].mean(), outcome[treated == 0].mean()
    psi = n / size * np.where(treated == 1, outcome - mean1, mean0 - outcome)
    psi -= psi.mean()  # what rounding leaves where the outcomes are far from zero
    if groups is None:
        psi, dof = psi * np.sqrt(size / (size - 1)), _welch_dof(outcome, treated)
        method = "difference in means (Welch)"
    else:
        g = int(groups.max()) + 1
        for arm in (0, 1):
            if len(np.unique(groups[treated == arm])) < 2:
                raise ValueError(
                    f"cluster has one group with a = {arm}: each arm needs two, since the error is "
                    "learned from how groups of one arm differ"
                )
        psi, dof = psi * math.sqrt(g / (g - 1)), float(g - 1)
        method = "difference in means (clusters, G/(G-1))"
    return Estimate(
        mean1 - mean0, psi, "ATE", method, cluster=groups, sample=fingerprint(outcome), dof=dof
    )


def cuped(y: Any, a: Any, x: Any) -> Estimate:
    r"""Average effect of a randomised treatment, less what a covariate from before explains.

    $$\hat\tau = (\bar Y_1 - \bar Y_0) - \theta\,(\bar X_1 - \bar X_0), \qquad
      \theta = \frac{\widehat{Cov}(\bar Y_1 - \bar Y_0, \bar X_1 - \bar X_0)}
                    {\widehat{Var}(\bar X_1 - \bar X_0)}
             = \frac{s_{xy,1}/n_1 + s_{xy,0}/n_0}{s_{x,1}^2/n_1 + s_{x,0}^2/n_0}$$

    This theta minimises the estimated variance for the arms as they are, whatever their sizes and
    covariances. The variance falls by the squared correlation of the two *differences*. That is the
    one of Y and X within the arms where these are of equal size, or share their variances and
    covariance. The influence is that of `ab_test` on Y - theta X: estimating theta adds nothing to
    first order, since the lottery makes the means of X equal.

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1, as randomised; `x` (n,) fixed before the
    lottery, such as the outcome of last month.
    Warns where x differs between the arms by five standard errors: then it is hardly from before.
    Raises ValueError as `ab_test` does, and for an x that varies in neither arm.
    Source: Deng, Xu, Kohavi and Walker (2013).
    """
    outcome, treated, past = numbers("y", y), binary("a", a), numbers("x", x)
    same_length(y=outcome, a=treated, x=past)
    d_y, d_x = ab_test(outcome, treated), ab_test(past, treated)
    if d_x.se == 0:
        raise ValueError(
            "x is constant within each arm, so it explains nothing: pass a column that varies, or "
            "use ab_test"
        )
    warn_unless_from_before(d_x)
    theta = float(d_y.influence @ d_x.influence) / float(d_x.influence @ d_x.influence)
    return replace(
        ab_test(outcome - theta * (past - past.mean()), treated),
        method="CUPED (Welch)",
        sample=d_y.sample,
        notes=(f"theta = {theta:.4g}, which minimises the variance of the difference",),
    )


def warn_unless_from_before(d_x: Estimate) -> None:
    """Warn where a covariate differs between the arms by more than a lottery leaves."""
    if abs(d_x.value) > 5 * d_x.se:
        warnings.warn(
            f"x differs between the arms by {abs(d_x.value) / d_x.se:.0f} standard errors: either "
            "the treatment moved it, and then part of the effect is taken away, or the lottery is "
            "broken; use a column from before the lottery",
            stacklevel=3,
        )


def ratio_metric(num: Any, den: Any, a: Any) -> Estimate:
    r"""Difference between the arms of a ratio of two sums, such as clicks over sessions.

    $$\hat\tau = R_1 - R_0, \qquad R_a = \frac{\sum_{A_i = a} U_i}{\sum_{A_i = a} V_i}, \qquad
      \psi_i = \frac{n}{n_{a_i}} \sqrt{\frac{n_{a_i}}{n_{a_i} - 1}}\,
      (\pm 1)\,\frac{U_i - R_{a_i} V_i}{\bar V_{a_i}}$$

    Parameters: `num` U and `den` V, both (n,), one row for each unit that was randomised (a user's
    clicks and sessions, not one row a session); `a` (n,) 0 or 1, as randomised.
    Raises ValueError as `ab_test` does, and for a denominator that sums to 0 or less in an arm.
    Source: the delta method; Deng, Knoblich and Lu (2018).
    """
    u, v, treated = numbers("num", num), numbers("den", den), binary("a", a)
    same_length(num=u, den=v, a=treated)
    linear = np.empty_like(u)  # an outcome whose mean in each arm is that arm's ratio
    for arm in (0, 1):
        rows = treated == arm
        if v[rows].sum() <= 0:
            raise ValueError(
                f"den sums to {v[rows].sum():g} where a = {arm}: a ratio needs something to divide "
                "by"
            )
        r = u[rows].sum() / v[rows].sum()
        linear[rows] = r + (u[rows] - r * v[rows]) / v[rows].mean()
    return replace(
        ab_test(linear, treated),
        estimand="difference of ratios",
        method="delta method (Welch)",
        sample=fingerprint(u),
    )


def _welch_dof(y: Array, a: Array) -> float:
    """Welch-Satterthwaite degrees of freedom; those of the pooled test where no arm varies."""
    v = [float(y[a == arm].var(ddof=1)) / int((a == arm).sum()) for arm in (1, 0)]
    m = [int((a == arm).sum()) - 1 for arm in (1, 0)]
    if v[0] + v[1] == 0:
        return float(sum(m))
    return (v[0] + v[1]) ** 2 / (v[0] ** 2 / m[0] + v[1] ** 2 / m[1])
