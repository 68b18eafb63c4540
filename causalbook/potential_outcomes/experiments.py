"""Randomised experiments: the difference in means and its error."""

from __future__ import annotations

import math
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


def _welch_dof(y: Array, a: Array) -> float:
    """Welch-Satterthwaite degrees of freedom; those of the pooled test where no arm varies."""
    v = [float(y[a == arm].var(ddof=1)) / int((a == arm).sum()) for arm in (1, 0)]
    m = [int((a == arm).sum()) - 1 for arm in (1, 0)]
    if v[0] + v[1] == 0:
        return float(sum(m))
    return (v[0] + v[1]) ** 2 / (v[0] ** 2 / m[0] + v[1] ** 2 / m[1])
