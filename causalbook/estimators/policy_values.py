"""The value of a policy from the log of another one: IPS, SNIPS, DM, DR."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, label, numbers, rows
from causalbook.averages import mean_of, ratio_of
from causalbook.estimate import Estimate, compare
from causalbook.estimators.logged_data import Log, distributions

if TYPE_CHECKING:
    import pandas as pd

ESTIMAND = "value of the target policy"
ENOUGH = 20  # effective rewarded rounds below which the normal interval is not to be trusted


def ips(log: Log, pi: Any, *, max_weight: float | None = None) -> Estimate:
    r"""Inverse propensity score estimate of a policy's mean reward (Horvitz-Thompson).

    $$\hat V = \frac1n \sum_i w_i r_i, \qquad w_i = \frac{\pi(a_i \mid x_i)}{\pi_0(a_i \mid x_i)},
      \qquad \psi_i = w_i r_i - \hat V$$

    Parameters: `log`; `pi` (n, n_actions), the target policy's probabilities in each round;
    `max_weight` caps the weights, which buys a smaller error with a bias towards zero.
    Raises ValueError if `pi` is no policy, or wants actions that the log cannot speak of.
    Source: Horvitz and Thompson (1952); Dudík et al. (2014, section 3).
    """
    w, notes = _weights(log, _target(log, pi))
    if max_weight is not None:
        if not max_weight > 0:
            raise ValueError(f"max_weight is {max_weight}: pass a positive cap, or None")
        capped = int((w > max_weight).sum())
        lost = float(np.maximum(w - max_weight, 0).sum() / w.sum()) if w.any() else 0.0
        notes = (
            f"{capped:,} of {log.n:,} weights capped at {max_weight:g}: {lost:.1%} of the total "
            "weight is cut off, and the estimate is biased by what it would have earned",
            *notes,
        )
        w = np.minimum(w, max_weight)
    return _ips(log, w, notes)


def snips(log: Log, pi: Any) -> Estimate:
    r"""Self-normalised IPS: the weighted mean reward (Hájek).

    $$\hat V = \frac{\sum_i w_i r_i}{\sum_i w_i}, \qquad
      \psi_i = \frac{w_i (r_i - \hat V)}{\bar w}$$

    Parameters and errors as in `ips`. Source: Hájek (1971); Swaminathan and Joachims (2015).
    """
    return _snips(log, *_weights(log, _target(log, pi)))


def dm(log: Log, pi: Any, q: Any, *, q_independent: bool = False) -> Estimate:
    r"""Direct method: the mean of a reward model under the target policy.

    $$\hat V = \frac1n \sum_i \sum_a \pi(a \mid x_i)\, q(x_i, a)$$

    Parameters: `log`, `pi` as in `ips`; `q` (n, n_actions) predicted rewards; `q_independent`
    says that q was fitted on other data. Only then is there a standard error, and it speaks of
    the contexts alone: it does not know whether q is right.
    Raises ValueError as `ips` does, and if q has another shape than pi or holds NaN.
    Source: Dudík et al. (2014, section 3).
    """
    p = _target(log, pi)
    return _dm(log, p, _model(p, q), q_independent)


def dr(log: Log, pi: Any, q: Any) -> Estimate:
    r"""Doubly robust: the direct method, corrected by the weighted residuals of the log.

    $$\hat V = \frac1n \sum_i \Big[\sum_a \pi(a \mid x_i)\, q(x_i, a)
      + w_i \big(r_i - q(x_i, a_i)\big)\Big]$$

    Parameters: `log`, `pi` as in `ips`; `q` (n, n_actions) predicted rewards, fitted on other
    data or cross-fitted. With the true propensities the value is unbiased for any such q.
    Raises ValueError as `dm` does. Source: Dudík et al. (2014, section 3).
    """
    p = _target(log, pi)
    return _dr(log, p, _model(p, q), *_weights(log, p))


def evaluate(log: Log, pi: Any, q: Any = None) -> pd.DataFrame:
    """Table of IPS and SNIPS, with a reward model also DM and DR, after one validation.

    Parameters: `log`, `pi`, `q` as in `dr`. Rows are indexed by method; columns are those of
    `compare`, and the effective sample size and largest weight. Raises ValueError as `dr` does.
    """
    p = _target(log, pi)
    w, notes = _weights(log, p)
    estimates = [_ips(log, w, notes), _snips(log, w, notes)]
    if q is not None:
        model = _model(p, q)
        estimates += [_dm(log, p, model, False), _dr(log, p, model, w, notes)]
    return compare(*estimates).assign(ess=effective_sample_size(w), max_weight=w.max())


def effective_sample_size(w: Any) -> float:
    r"""Number of equally weighted rows that would give the same variance.

    $$n_{\mathrm{eff}} = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}$$

    Parameters: `w` (n,) weights. Raises ValueError for NaN, negative or all-zero weights.
    Source: Kish (1965).
    """
    weights = numbers("w", w)
    if weights.min() < 0:
        raise ValueError(f"{label('w', w)} is negative in {rows(weights < 0)}: weights are >= 0")
    if not weights.any():
        raise ValueError(f"{label('w', w)} is 0 in every row: the target never agrees with the log")
    return float(weights.sum() ** 2 / (weights @ weights))


def _ips(log: Log, w: Array, notes: tuple[str, ...]) -> Estimate:
    return _mean(log, w * log.reward, "IPS", notes)


def _snips(log: Log, w: Array, notes: tuple[str, ...]) -> Estimate:
    estimate = ratio_of(
        w * log.reward, w, estimand=ESTIMAND, method="SNIPS", cluster=log.cluster, sample=log.sample
    )
    return replace(estimate, notes=notes)


def _dm(log: Log, p: Array, q: Array, q_independent: bool) -> Estimate:
    estimate = _mean(log, np.einsum("ia,ia->i", p, q), "DM", ())
    if q_independent:
        return estimate
    why = (
        "no standard error: q was fitted on these rows and its own error is not counted; "
        "if it comes from other data, say q_independent=True"
    )
    return replace(estimate, influence=np.full(log.n, np.nan), notes=(why,))


def _dr(log: Log, p: Array, q: Array, w: Array, notes: tuple[str, ...]) -> Estimate:
    residual = log.reward - _of_logged(q, log)
    return _mean(log, np.einsum("ia,ia->i", p, q) + w * residual, "DR", notes)


def _mean(log: Log, scores: Array, method: str, notes: tuple[str, ...]) -> Estimate:
    estimate = mean_of(
        scores, estimand=ESTIMAND, method=method, cluster=log.cluster, sample=log.sample
    )
    return replace(estimate, notes=notes)


def _of_logged(table: Array, log: Log) -> Array:
    """Pick each round's entry for the action that was taken."""
    return np.take_along_axis(table, log.action[:, None], axis=1)[:, 0]


def _weights(log: Log, p: Array) -> tuple[Array, tuple[str, ...]]:
    """Importance weights, and what a reader should know of them."""
    w = _of_logged(p, log) / log.pscore
    ess = effective_sample_size(w)
    note = (
        f"effective sample size {ess:,.0f} of {log.n:,}; largest weight {w.max():,.3g}; "
        f"mean weight {w.mean():.3f} (1 is expected)"
    )
    earned = np.abs(w * log.reward)
    rewarded = effective_sample_size(earned) if earned.any() else 0.0
    if rewarded < ENOUGH:
        warnings.warn(
            f"the estimate rests on {rewarded:.1f} effective rewarded rounds (effective sample "
            f"size {ess:,.0f} of {log.n:,}): below {ENOUGH} its interval covers the truth less "
            "often than its level says",
            stacklevel=3,
        )
    return w, (note,)


def _target(log: Log, pi: Any) -> Array:
    """Check the target policy once: probabilities, actions in range, support."""
    p = distributions("pi", pi, log.n)
    k = p.shape[1]
    beyond = log.action >= k
    if beyond.any():
        raise ValueError(
            f"action is {log.action.max()}, but pi has {k} columns ({rows(beyond)} are out of "
            "range): give pi one column for each action, in the order of their numbers"
        )
    if log.policy is not None:
        if log.policy.shape != p.shape:
            raise ValueError(
                f"pi has shape {p.shape}, policy has {log.policy.shape}: make them one"
            )
        lost = (p > 0) & (log.policy == 0)
        if lost.any():
            bad = lost.any(axis=1)
            raise ValueError(
                f"pi wants actions that the logging policy never shows there in {rows(bad)}, "
                f"{np.where(lost, p, 0).sum() / log.n:.2%} of its mass: no data can tell their "
                "reward; keep pi within the support of policy"
            )
        return p
    seen = np.bincount(log.action, minlength=k) > 0
    lost_mass = p[:, ~seen].sum(axis=1) if not seen.all() else np.zeros(1)
    if lost_mass.any():
        never = np.flatnonzero(~seen & (p > 0).any(axis=0))
        raise ValueError(
            f"pi wants {len(never)} actions that were never logged (first: {never[:5].tolist()}), "
            f"{lost_mass.mean():.2%} of its mass: keep pi within the logged actions. Nothing finer "
            "can be known without the logging policy: pass Log(..., policy=)"
        )
    return p


def _model(p: Array, q: Any) -> Array:
    table = np.asarray(q)
    if table.shape != p.shape:
        raise ValueError(f"q has shape {table.shape}, pi has {p.shape}: one reward for each entry")
    return numbers("q", q, ndim=2)
