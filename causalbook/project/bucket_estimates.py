"""Estimates from sums by bucket: the same values and clustered errors as from the rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from causalbook.arrays import fingerprint
from causalbook.averages import ratio_of
from causalbook.estimate import Estimate
from causalbook.estimators.policy_values import ESTIMAND, weights_in_words
from causalbook.potential_outcomes.experiments import warn_unless_from_before

if TYPE_CHECKING:
    import pandas as pd


def bucket_ips(sums: pd.DataFrame) -> Estimate:
    r"""IPS from sums by bucket b of the users.

    $$\hat V = \frac{\sum_b W\!R_b}{\sum_b n_b}, \qquad
      \widehat{se} = \frac{1}{n} \Big[\sum_b (W\!R_b - \hat V n_b)^2\Big]^{1/2}$$

    Parameters: `sums`, what `policy_sums` returned. The value is that of `ips` on the rows; the
    error is that of `ips` with the buckets as clusters.
    Raises ValueError if the policy never does what was logged. Warns as `ips` does.
    Source: Horvitz and Thompson (1952); Cameron and Miller (2015, eq. 11).
    """
    return _value(sums, "wr", "n", "IPS")


def bucket_snips(sums: pd.DataFrame) -> Estimate:
    r"""SNIPS from sums by bucket: $\hat V = \sum_b W\!R_b / \sum_b W_b$.

    Parameters, errors and warnings as in `bucket_ips`. Source: Swaminathan and Joachims (2015).
    """
    return _value(sums, "wr", "w", "SNIPS")


def bucket_dr(sums: pd.DataFrame) -> Estimate:
    r"""DR from sums by bucket: $\hat V = \sum_b D_b / \sum_b n_b$.

    Parameters, errors and warnings as in `bucket_ips`; raises ValueError for sums made without a
    reward model. Source: Dudík et al. (2014, section 3).
    """
    if "dr" not in sums:
        raise ValueError("sums have no column 'dr': give the target a column q, a reward model")
    return _value(sums, "dr", "n", "DR")


def bucket_difference(sums: pd.DataFrame) -> Estimate:
    r"""Difference in means from sums by bucket b and arm a.

    $$\hat\delta = \frac{\sum_b Y_{b1}}{\sum_b n_{b1}} - \frac{\sum_b Y_{b0}}{\sum_b n_{b0}}$$

    Parameters: `sums`, what `arm_sums` returned. Value, error and degrees of freedom are those of
    `difference_in_means` with the buckets as clusters.
    Raises ValueError for an arm that has fewer than two rows or lies in one bucket.
    Source: Neyman (1923); Cameron and Miller (2015, section VI.D).
    """
    n = sums["n"].unstack("arm", fill_value=0)
    for arm in (0, 1):
        if n[arm].sum() < 2 or (n[arm] > 0).sum() < 2:
            raise ValueError(
                f"a has {n[arm].sum():,} rows with a = {arm} in {(n[arm] > 0).sum()} buckets: each "
                "arm needs two of both, since the error is learned from how buckets differ"
            )
    g = int((n.sum(axis=1) > 0).sum())
    means = {
        arm: ratio_of(
            sums["y"].unstack("arm", fill_value=0)[arm],
            n[arm],
            estimand=f"E[Y|A={arm}]",
            method=f"difference in means ({g:,} buckets, G/(G-1))",
            sample=fingerprint(n.to_numpy()),
        )
        for arm in (0, 1)
    }
    both = means[1] - means[0]
    note = "an association: it is the average effect only if the treatment was randomised"
    return replace(
        both,
        influence=math.sqrt(g / (g - 1)) * both.influence,
        dof=float(g - 1),
        notes=(note, _rows(sums)),
    )


def bucket_cuped(sums: pd.DataFrame) -> Estimate:
    r"""CUPED from sums by bucket and arm: the difference in means of $Y - \theta (X - \bar X)$.

    $$\theta = \frac{s_{xy,1}/n_1 + s_{xy,0}/n_0}{s_{x,1}^2/n_1 + s_{x,0}^2/n_0}$$

    where the sums of an arm are pooled over its buckets,
    $S_{xy} = \sum_b [S_{xy,b} + n_b (\bar x_b - \bar x)(\bar y_b - \bar y)]$.
    The value is that of `cuped` on the rows.

    Parameters: `sums`, what `arm_sums` returned with x. Raises ValueError as `bucket_difference`
    does, and for an x that is absent or varies in neither arm. Warns as `cuped` does.
    Source: Deng, Xu, Kohavi and Walker (2013); Chan, Golub and LeVeque (1983).
    """
    if "x" not in sums:
        raise ValueError("sums have no column 'x': name one from before the lottery in arm_sums")
    d_x = bucket_difference(sums.assign(y=sums["x"]))
    xx = xy = 0.0
    for arm in (1, 0):
        b = sums.xs(arm, level="arm").query("n > 0")
        n, dx = b["n"].sum(), b["x"] / b["n"] - b["x"].sum() / b["n"].sum()
        dy = b["y"] / b["n"] - b["y"].sum() / b["n"].sum()
        xx += (b["xx"] + b["n"] * dx * dx).sum() / (n * (n - 1))
        xy += (b["xy"] + b["n"] * dx * dy).sum() / (n * (n - 1))
    if xx == 0:
        raise ValueError(
            "x is constant within each arm, so it explains nothing: name a column that varies, or "
            "use the difference in means"
        )
    warn_unless_from_before(d_x)
    theta, mean = xy / xx, sums["x"].sum() / sums["n"].sum()
    left = sums.assign(y=sums["y"] - theta * (sums["x"] - mean * sums["n"]))
    plain = bucket_difference(left)
    note = f"theta = {theta:.4g}, which minimises the variance of the difference"
    method = plain.method.replace("difference in means", "CUPED")
    return replace(plain, estimand="ATE", method=method, notes=(note, _rows(sums)))


def _value(sums: pd.DataFrame, above: str, below: str, method: str) -> Estimate:
    n, w = int(sums["n"].sum()), float(sums["w"].sum())
    if w == 0:
        raise ValueError("pi gives every logged action probability 0: the two never agree")
    ess, square = w**2 / float(sums["ww"].sum()), float(sums["square"].sum())
    rewarded = float(sums["size"].sum()) ** 2 / square if square else 0.0
    note = weights_in_words(ess, rewarded, n, float(sums["top"].max()), w / n)
    sample = fingerprint(sums["n"].to_numpy())
    value = ratio_of(sums[above], sums[below], estimand=ESTIMAND, method=method, sample=sample)
    return replace(value, notes=(note, _rows(sums)))


def _rows(sums: pd.DataFrame) -> str:
    n = sums["n"].groupby(level="bucket").sum()
    return f"{n.sum():,} rows, summed in {(n > 0).sum():,} buckets of the users"
