"""Difference in differences: what changed for the treated, beyond what changed for the rest."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, binary
from causalbook.estimate import Estimate
from causalbook.estimators.panel import Panel, groups_of_units, panel

# With fewer effective clusters (or fewer than half of them) a 95% interval covers in less than nine
# cases of ten. Two times, normal changes, 20,000 draws, effective clusters and coverage: of 50 with
# 1, 2, 3, 4, 5, 6, 8 treated 1.0 .22, 2.2 .67, 3.4 .80, 4.7 .85, 6.2 .88, 7.7 .89, 11.3 .92; of 12
# with 3, 4, 5 treated 5.1 .89, 8.0 .92, 10.8 .93; of 200 with 6, 8, 10 6.4 .87, 8.7 .90, 11.1 .91.
ENOUGH = 8


def did(
    frame: Any, outcome: str, unit: str, time: str, treated: str, *, cluster: str | None = None
) -> Estimate:
    r"""Effect on the treated by difference in differences, with two-way fixed effects.

    $$Y_{it} = \alpha_i + \lambda_t + \tau A_{it} + \varepsilon_{it}, \qquad
      \hat\tau = \frac{\sum_{it} \tilde A_{it} Y_{it}}{\sum_{it} \tilde A_{it}^2}, \qquad
      \psi_i = \sqrt{\tfrac{G}{G-1}}\;
      \frac{n \sum_t \tilde A_{it} \hat\varepsilon_{it}}{\sum_{jt} \tilde A_{jt}^2}$$

    where $\tilde A$ is what units and times leave of A; in a balanced panel
    $\tilde A_{it} = A_{it} - \bar A_{i\cdot} - \bar A_{\cdot t} + \bar A_{\cdot\cdot}$. With two
    groups and two times this is $(\bar Y_{11} - \bar Y_{10}) - (\bar Y_{01} - \bar Y_{00})$. It is
    the effect on the treated under parallel trends without anticipation, if the effect is the same
    for all units and times or all start together. Else it is a weighted sum of effects whose
    weights may be negative (a note counts them): see `group_time_att`.

    Parameters
    ----------
    frame : one row for each unit and time; units may be absent at some times, not at all but one
    outcome, unit, time, treated : names of columns; `treated` is the status of the row, 0 or 1
    cluster : name of a column that groups whole units (regions of cities); by default the units

    Returns an `Estimate` with one influence value for each unit, in the order of their labels, and
    G - 1 degrees of freedom. Its error squared is (G/(G-1)) times the plain sum over clusters; with
    N rows, n units and T times others multiply it by (N-1)/(N-T-1) (fixest: units nested in the
    clusters do not count), (N-1)/(N-n-T) (Stata with dummies), or (G-1)/G * N/(N-n-T)
    (linearmodels). Warns where fewer than eight effective clusters, or than half of all, carry
    the estimate (one treated unit counts for one): a 95% interval then covers less than nine times
    in ten.
    Raises ValueError for a column that is not there, NaN, infinities, text, two rows of one unit at
    one time, a unit with one row, a status other than 0 and 1 or explained by unit and time, units
    not nested in clusters, a single cluster.
    Source: Goodman-Bacon (2021); de Chaisemartin and D'Haultfoeuille (2020) for the weights;
    Liang and Zeger (1986), Cameron and Miller (2015) for the error; Carter, Schnepel and
    Steigerwald (2017) for the effective number of clusters.
    """
    p = panel(frame, outcome, unit, time, treated, *([] if cluster is None else [cluster]))
    status = binary("treated", frame[treated])
    groups = groups_of_units(p, frame, cluster)
    d = within(p, status)
    if d @ d < 1e-10 * len(d):
        raise ValueError(
            f"treated ({treated!r}) is explained by unit and time: it never changes within a unit, "
            "or changes for all at once; some units must start while others do not"
        )
    warn_of_few(p, d, groups)
    value, psi = regress(p, d[:, None], groups)
    negative = int(((status == 1) & (d < -1e-12)).sum())
    notes = [f"{negative:,} of {status.sum():,.0f} treated rows have a negative weight"]
    how, notes = "two-way fixed effects", notes if negative else []
    return estimate(p, value[0], psi[:, 0], "ATT", how, groups, cluster, notes)


def within(p: Panel, x: Array) -> Array:
    """Return what unit and time dummies leave of x, (N,): exactly, in balanced panels or not."""
    x = x - _means(p.unit, x)[p.unit]
    if p.balanced:
        return x - _means(p.time, x)[p.time]
    from scipy.sparse import csr_array

    # Frisch and Waugh: time dummies less their unit means; their normal equations are T by T.
    size = np.bincount(p.unit)
    seen = csr_array((np.ones(len(x)), (p.unit, p.time)), shape=(p.n, len(p.times)))
    shared = (seen.T @ (seen / size[:, None])).toarray()
    normal = np.diag(np.bincount(p.time).astype(float)) - shared
    level = np.linalg.lstsq(normal, np.bincount(p.time, weights=x), rcond=None)[0]
    left = level[p.time]
    rest: Array = x - left + _means(p.unit, left)[p.unit]
    return rest


def regress(p: Panel, x: Array, groups: Ints) -> tuple[Array, Array]:
    """Regress the outcome on columns x (N, k) that `within` returned: values and influence (n, k).

    The influence of every unit is NaN where the columns fit every row.
    """
    y = within(p, p.y)
    inverse = np.linalg.inv(x.T @ x)
    value: Array = inverse @ (x.T @ y)
    left = y - x @ value
    scores = np.column_stack([np.bincount(p.unit, weights=column * left) for column in x.T])
    g = int(groups.max()) + 1
    psi: Array = math.sqrt(g / (g - 1)) * p.n * scores @ inverse
    if len(y) - p.n - len(p.times) + 1 <= x.shape[1]:
        psi[:] = np.nan
    return value, psi - psi.mean(axis=0)  # less what rounding leaves


def estimate(
    p: Panel,
    value: float,
    psi: Array,
    estimand: str,
    method: str,
    groups: Ints,
    cluster: str | None,
    notes: list[str],
) -> Estimate:
    """Wrap a value and its influence: units are their own clusters unless a column was named."""
    if np.isnan(psi[0]):
        notes = ["no standard error: units and times fit every row, so nothing is left", *notes]
    return Estimate(
        value,
        psi,
        estimand,
        f"{method} (clusters, G/(G-1))",
        cluster=None if cluster is None else groups,
        sample=p.sample,
        dof=float(groups.max()),
        notes=tuple(notes),
    )


def warn_of_few(p: Panel, d: Array, groups: Ints) -> None:
    """Warn where few clusters carry the treatment d (N,), what `within` left of it."""
    share = np.bincount(groups[p.unit], weights=d**2)
    effective = share.sum() ** 2 / (share @ share)
    if effective < min(ENOUGH, len(share) / 2):
        warnings.warn(
            f"the estimate rests on {effective:.1f} effective clusters of {len(share):,}: the "
            "standard error is too small, and knows nothing of the chance of a cluster that is "
            "treated alone; compare with placebos, one for each untreated cluster",
            stacklevel=3,
        )


def _means(group: Ints, x: Array) -> Array:
    means: Array = np.bincount(group, weights=x) / np.bincount(group)
    return means
