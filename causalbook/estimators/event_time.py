"""Effects by time since the start, and the test of the times before it, with its power."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints
from causalbook.estimate import Estimate
from causalbook.estimators.checks import Check
from causalbook.estimators.group_time import SMALL
from causalbook.estimators.panel import first_periods, groups_of_units, panel
from causalbook.estimators.two_way import estimate, regress, warn_of_few, within


def event_study(
    frame: Any,
    outcome: str,
    unit: str,
    time: str,
    first_treated: str,
    *,
    cluster: str | None = None,
) -> dict[int, Estimate]:
    r"""Effects by time since the start of the treatment, against the last time before it.

    $$Y_{it} = \alpha_i + \lambda_t + \sum_{k \ne -1} \beta_k\, 1\{t - g_i = k\}
      + \varepsilon_{it}$$

    where unit i is first treated at $g_i$. For $k \ge 0$ these are effects; for $k < -1$ they are
    placebos, which parallel trends without anticipation say are zero. Where starts are staggered
    each coefficient mixes in effects at other times unless all groups have the same path of
    effects: see `group_time_att`. Influence and clusters as in `did`.

    Parameters
    ----------
    frame : one row for each unit and time
    outcome, unit, time, first_treated : names of columns; times are whole numbers of periods.
        `first_treated` is the time from which a unit is treated, the same in all its rows. **NaN
        (None, NA) means never treated**; so does a start after the last time of the panel
    cluster : name of a column that groups whole units; by default the units

    Returns {k: `Estimate`} in the order of k, without the reference k = -1, whose effect is 0 by
    definition: `compare(*study.values())` is their table.
    Warns as `did` does, and of effects that rest on fewer than five treated clusters where more are
    treated (at the ends of staggered starts): their errors are too small, which a note says, too.
    Raises ValueError as `did` does; for a start that is no whole number, changes within a unit, or
    lies at or before the first time (code never as NaN, not as 0); if no unit is seen just before
    its start, or without any never-treated unit: then time since the start and calendar time cannot
    be told apart.
    Source: Sun and Abraham (2021) for the regression and what its coefficients mix.
    """
    p = panel(frame, outcome, unit, time, first_treated, *([] if cluster is None else [cluster]))
    first = first_periods(p, frame, first_treated)
    first[first > p.times[-1]] = np.nan
    groups = groups_of_units(p, frame, cluster)
    if not np.isnan(first).any():
        raise ValueError(
            f"{first_treated} leaves no unit untreated throughout: unit, time and time since the "
            "start cannot be told apart; use group_time_att(control='notyet')"
        )
    since = p.times.astype(float)[p.time] - first[p.unit]
    if not (since == -1).any():
        raise ValueError(f"no unit is seen in the period before its {first_treated}: number them")
    warn_of_few(p, within(p, (since >= 0).astype(float)), groups)
    ks = [int(k) for k in np.unique(since[~np.isnan(since)]) if k != -1]
    x = np.column_stack([within(p, (since == k).astype(float)) for k in ks])
    if np.linalg.matrix_rank(x.T @ x) < len(ks):
        raise ValueError(
            "some times since the start are seen only in units that are absent otherwise: keep the "
            "times at which the units of a start overlap"
        )
    value, psi = regress(p, x, groups)
    said = [f"effect at {k:+d}" for k in ks]
    thin = _thin({k: np.unique(groups[p.unit[since == k]]) for k in ks})
    return {
        k: estimate(p, value[j], psi[:, j], said[j], "event study", groups, cluster, thin[k])
        for j, k in enumerate(ks)
    }


def pretrend_test(study: Mapping[int, Estimate], *, level: float = 0.95) -> Check:
    r"""Test that all placebos before the start are zero, and say what the test could have missed.

    $$W = \hat\beta' \hat V^{-1} \hat\beta, \qquad
      \frac{G - q}{q\,(G - 1)}\, W \sim F_{q,\,G - q}, \qquad
      \gamma_{80} = \Big[\frac{\lambda_{80}}{c' \hat V^{-1} c}\Big]^{1/2}, \quad c_k = k + 1$$

    for the q placebos k < -1, with G clusters. A drift of the treated by gamma a period moves
    placebo k by gamma (k + 1) and the effect at k by the same; $\lambda_{80}$ is the noncentrality
    at which the test rejects four times in five. So a drift of $\gamma_{80}$ passes one time in
    five, and half of it most of the time: passing is no proof of parallel trends, and choosing
    designs that pass makes the rest worse. The F law is exact for the mean of G normal rows, here
    an approximation; with placebos that few treated clusters carry the test rejects too often.

    Parameters: `study`, what `event_study` returned; `level`, 1 minus the share of false alarms.
    Returns a `Check` (`passed` is None without a placebo or its errors) whose table has for each
    time since the start k the value, se, and drift: what the drift of gamma_80 would add there.
    Raises ValueError for a study without estimates, with one at k = -1 (what `group_time_att` calls
    placebos are changes from one time to the next), or with as many placebos as clusters.
    Source: Hotelling (1931) for the test; Roth (2022) for the drift found with 80% power, which he
    computes for a test of each placebo by itself.
    """
    import pandas as pd

    _refuse_other(study, level)
    ks = np.array(sorted(study))
    frame = pd.DataFrame({"k": ks, "value": 0.0, "se": 0.0, "drift": np.nan})
    frame["value"] = [study[k].value for k in ks]
    frame["se"] = [study[k].se for k in ks]
    before = ks[ks < -1]
    if len(before) == 0:
        why = "there is no time before the last one before the start, so nothing to test."
        return Check("pre-trends", None, frame, why)
    if frame["se"].isna().any():
        why = "the placebos have no standard errors, so there is nothing to test them by."
        return Check("pre-trends", None, frame, why)
    beta = np.array([study[k].value for k in before])
    v, g = _covariance([study[k] for k in before])
    q, drift = len(before), (ks + 1.0)
    if q >= g:
        raise ValueError(
            f"study has {q} placebos and {g} clusters: their covariance cannot be inverted; keep "
            "fewer times before the start"
        )
    size = float((g - q) / (q * (g - 1)) * (beta @ np.linalg.solve(v, beta)))
    c = before + 1.0
    gamma = float(np.sqrt(_noncentrality(q, g - q, level) / (c @ np.linalg.solve(v, c))))
    from scipy.stats import f

    frame["drift"] = gamma * drift
    share = float(f.sf(size, q, g - q))
    sentence = (
        f"F({q}, {g - q}) = {size:.2f}, p = {share:.3f} for {q} placebos together. The test finds "
        f"a steady drift of {gamma:.3g} a period four times in five; such a drift would add "
        f"{gamma * (ks[-1] + 1):.3g} to the effect at {ks[-1]:+d}, which is estimated at "
        f"{study[int(ks[-1])].value:.3g}."
    )
    return Check("pre-trends", share >= 1 - level, frame, sentence)


def _thin(treated: Mapping[int, Ints]) -> dict[int, list[str]]:
    """Note and warn of effects that few of the treated clusters carry: k and its clusters."""
    ever = len(np.unique(np.concatenate(list(treated.values()))))
    few = [k for k, clusters in treated.items() if len(clusters) < min(SMALL, ever)]
    if few:
        warnings.warn(
            f"{len(few)} of {len(treated)} effects rest on fewer than {SMALL} treated clusters (at "
            f"{', '.join(f'{k:+d}' for k in few)}): their standard errors are too small, and a "
            "test that includes them rejects too often; keep the times at which more are seen",
            stacklevel=3,
        )
    said = "the standard error is too small: it rests on {} of {} treated clusters"
    return {k: [said.format(len(treated[k]), ever)] if k in few else [] for k in treated}


def _covariance(estimates: list[Estimate]) -> tuple[Array, int]:
    """Return the covariance of estimates on the same rows, and the number of clusters."""
    psi = np.column_stack([e.influence for e in estimates])
    groups = estimates[0].cluster
    groups = np.arange(len(psi)) if groups is None else groups
    sums = np.column_stack([np.bincount(groups, weights=column) for column in psi.T])
    return sums.T @ sums / len(psi) ** 2, len(sums)


@cache
def _noncentrality(q: int, dof: int, level: float, power: float = 0.8) -> float:
    """Return how far from zero the placebos must be for the F test to reject that often."""
    from scipy.optimize import brentq
    from scipy.stats import f, ncf

    limit = f.ppf(level, q, dof)
    return float(brentq(lambda x: ncf.sf(limit, q, dof, x) - power, 1e-6, 1e4))


def _refuse_other(study: Any, level: float) -> None:
    if not isinstance(study, Mapping) or not all(isinstance(e, Estimate) for e in study.values()):
        raise ValueError("study is not {k: Estimate}: pass what event_study(...) returned")
    if not study or max(study) < 0:
        raise ValueError("study has no time after the start: pass all that event_study returned")
    if -1 in study:
        raise ValueError(
            "study has an estimate at -1, the reference of an event study: pass what event_study "
            "returned; the placebos of group_time_att are changes from one time to the next"
        )
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
