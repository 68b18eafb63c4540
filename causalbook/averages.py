"""Estimates that are averages: a mean, and a ratio of two sums."""

from __future__ import annotations

from typing import Any

from causalbook.arrays import fingerprint, numbers, same_length
from causalbook.estimate import Estimate, refuse_zero


def mean_of(
    scores: Any, *, estimand: str, method: str, cluster: Any = None, sample: str | None = None
) -> Estimate:
    r"""Mean of scores, one for each row.

    $$\hat\theta = \frac1n \sum_i s_i, \qquad \psi_i = s_i - \hat\theta$$

    Parameters: `scores` (n,), in the unit of the estimand; `estimand` and `method`, how to call
    what is estimated; `cluster` (n,) labels; `sample` names the rows (by default a hash of the
    scores).
    Raises ValueError for NaN, strings, an empty array, unequal lengths.
    Source: Hampel (1974), the influence curve of the mean.
    """
    s = numbers("scores", scores)
    value = float(s.mean())
    psi = s - value
    psi -= psi.mean()  # what rounding leaves where the scores are far from zero
    return Estimate(value, psi, estimand, method, cluster=cluster, sample=sample or fingerprint(s))


def ratio_of(
    numerator: Any,
    denominator: Any,
    *,
    estimand: str,
    method: str,
    cluster: Any = None,
    sample: str | None = None,
) -> Estimate:
    r"""Ratio of two sums over the same rows.

    $$\hat\theta = \frac{\sum_i u_i}{\sum_i v_i}, \qquad
      \psi_i = \frac{u_i - \hat\theta v_i}{\bar v}$$

    Parameters: `numerator` u and `denominator` v, both (n,); `estimand`, `method` and `cluster` as
    in `mean_of`; `sample` names the rows (by default a hash of the numerator).
    Raises ValueError for NaN, strings, unequal lengths, a denominator that sums to 0.
    Source: the delta method; Cochran (1977, chapter 6).
    """
    u, v = numbers("numerator", numerator), numbers("denominator", denominator)
    same_length(numerator=u, denominator=v)
    refuse_zero(float(v.sum()))
    value = float(u.sum() / v.sum())
    return Estimate(
        value,
        (u - value * v) / v.mean(),
        estimand,
        method,
        cluster=cluster,
        sample=sample or fingerprint(u),
    )
