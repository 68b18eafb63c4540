"""The value of a policy from the log of another one: IPS, SNIPS, DM, DR."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, as_numbers, label, numbers, rows
from causalbook.comparison import compare
from causalbook.estimate import Estimate
from causalbook.estimators.logged_data import Log, distributions, in_order

if TYPE_CHECKING:
    import pandas as pd

ESTIMAND = "value of the target policy"
# Effective rewarded rounds below which the interval is not to be trusted: with heavy weights and
# rare rewards a 95% interval covers in 79% of logs at 3 of them, 89% at 16, 92% at 50, 94% at 200
# (benchmarks/fragile_intervals.py).
ENOUGH = 50


def ips(log: Log, pi: Any, *, max_weight: float | None = None) -> Estimate:
    r"""Inverse propensity score estimate of a policy's mean reward (Horvitz-Thompson).

    $$\hat V = \frac1n \sum_i w_i r_i, \qquad w_i = \frac{\pi(a_i \mid x_i)}{\pi_0(a_i \mid x_i)},
      \qquad \psi_i = w_i r_i - \hat V$$

    Parameters: `log`; `pi` (n, n_actions), the target policy's probabilities in each round;
    `max_weight` caps the weights, which buys a smaller error with a bias towards zero.
    Raises ValueError if `pi` is no policy, or wants actions that the log cannot speak of.
    Source: Horvitz and Thompson (1952); Dudík et al. (2014, section 3).
    """
    w = _weights(log, _target(log, pi))
    if max_weight is None:
        return _ips(log, w, _report(log, w))
    if not max_weight > 0:
        raise ValueError(f"max_weight is {max_weight}: pass a positive cap, or None")
    kept = np.minimum(w, max_weight)
    note = (
        f"{(w > max_weight).sum():,} of {log.n:,} weights capped at {max_weight:g}: "
        f"{1 - kept.sum() / w.sum():.1%} of the total weight is cut off, and the estimate is "
        "biased by what it would have earned"
    )
    return _ips(log, kept, (note, *_report(log, kept)))


def snips(log: Log, pi: Any) -> Estimate:
    r"""Self-normalised IPS: the weighted mean reward (Hájek).

    $$\hat V = \frac{\sum_i w_i r_i}{\sum_i w_i}, \qquad
      \psi_i = \frac{w_i (r_i - \hat V)}{\bar w}$$

    Parameters and errors as in `ips`. Source: Hájek (1971); Swaminathan and Joachims (2015).
    """
    w = _weights(log, _target(log, pi))
    return _snips(log, w, _report(log, w))


def dm(log: Log, pi: Any, q: Any, *, q_independent: bool = False) -> Estimate:
    r"""Direct method: the mean of a reward model under the target policy.

    $$\hat V = \frac1n \sum_i \sum_a \pi(a \mid x_i)\, q(x_i, a)$$

    Parameters: `log`, `pi` as in `ips`; `q` (n, n_actions) predicted rewards; `q_independent`
    says that q was fitted on other data. Only then is there a standard error, and it speaks of
    the contexts alone: it does not know whether q is right.
    Raises ValueError as `ips` does, and if q has another shape than pi or holds NaN.
    Source: Dudík et al. (2014, section 3).
    """
    _, model = _model(_target(log, pi), q)
    return _dm(log, model, q_independent)


def dr(log: Log, pi: Any, q: Any) -> Estimate:
    r"""Doubly robust: the direct method, corrected by the weighted residuals of the log.

    $$\hat V = \frac1n \sum_i \Big[\sum_a \pi(a \mid x_i)\, q(x_i, a)
      + w_i \big(r_i - q(x_i, a_i)\big)\Big]$$

    Parameters: `log`, `pi` as in `ips`; `q` (n, n_actions) predicted rewards, fitted on other
    data or cross-fitted. With the true propensities the value is unbiased for any such q.
    Raises ValueError as `dm` does. Source: Dudík et al. (2014, section 3).
    """
    p = _target(log, pi)
    rewards, model = _model(p, q)
    w = _weights(log, p)
    return _dr(log, model, rewards, w, _report(log, w))


def evaluate(log: Log, pi: Any, q: Any = None) -> pd.DataFrame:
    """Table of IPS and SNIPS, with a reward model also DM and DR, after one validation.

    Parameters: `log`, `pi`, `q` as in `dr`. Rows are indexed by method; columns are those of
    `compare`, and the effective sample size and largest weight of those that weigh. Raises
    ValueError as `dr` does.
    """
    p = _target(log, pi)
    w = _weights(log, p)
    notes = _report(log, w)
    estimates = [_ips(log, w, notes), _snips(log, w, notes)]
    if q is not None:
        rewards, model = _model(p, q)
        estimates += [_dm(log, model, False), _dr(log, model, rewards, w, notes)]
    table = compare(*estimates).assign(ess=_kish(w), max_weight=w.max())
    table.loc[table.index == "DM", ["ess", "max_weight"]] = np.nan  # DM weighs nothing
    return table


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
    return _kish(weights / weights.max())  # tiny weights would vanish when squared


def _kish(w: Array) -> float:
    return float(w.sum() ** 2 / (w @ w))


def _ips(log: Log, w: Array, notes: tuple[str, ...]) -> Estimate:
    return _mean(log, w * log.reward, "IPS", notes)


def _snips(log: Log, w: Array, notes: tuple[str, ...]) -> Estimate:
    value = float((w @ log.reward) / w.sum())
    return _estimate(log, value, w * (log.reward - value) / w.mean(), "SNIPS", notes)


def _dm(log: Log, model: Array, q_independent: bool) -> Estimate:
    if q_independent:
        return _mean(log, model, "DM", ())
    why = (
        "no standard error: q was fitted on these rows and its own error is not counted; "
        "if it comes from other data, say q_independent=True"
    )
    return _estimate(log, float(model.mean()), np.full(log.n, np.nan), "DM", (why,))


def _dr(log: Log, model: Array, q: Array, w: Array, notes: tuple[str, ...]) -> Estimate:
    return _mean(log, model + w * (log.reward - _of_logged(q, log)), "DR", notes)


def _mean(log: Log, scores: Array, method: str, notes: tuple[str, ...]) -> Estimate:
    value = float(scores.mean())
    return _estimate(log, value, scores - value, method, notes)


def _estimate(log: Log, value: float, psi: Array, method: str, notes: tuple[str, ...]) -> Estimate:
    return Estimate(
        value, psi, ESTIMAND, method, cluster=log.cluster, sample=log.sample, notes=notes
    )


def _of_logged(table: Array, log: Log) -> Array:
    """Pick each round's entry for the action that was taken."""
    picked: Array = table.ravel().take(np.arange(log.n) * table.shape[1] + log.action)
    return picked


def _weights(log: Log, p: Array) -> Array:
    r"""Importance weights $\pi(a_i|x_i) / \pi_0(a_i|x_i)$."""
    w: Array = _of_logged(p, log) / log.pscore
    if not w.any():
        raise ValueError("pi gives every logged action probability 0: the two never agree")
    return w


def _report(log: Log, w: Array) -> tuple[str]:
    """What a reader should know of the weights; a warning where they carry too few rewards."""
    ess, earned = _kish(w), np.abs(w * log.reward)
    rewarded = _kish(earned) if earned.any() else 0.0
    if rewarded < ENOUGH:
        warnings.warn(
            f"the estimate rests on {rewarded:.1f} effective rewarded rounds (effective sample "
            f"size {ess:,.0f} of {log.n:,}): below {ENOUGH} its interval covers the truth less "
            "often than its level says",
            stacklevel=3,
        )
    return (
        f"effective sample size {ess:,.0f} of {log.n:,}; largest weight {w.max():,.3g}; "
        f"mean weight {w.mean():.3f} (1 is expected)",
    )


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
                f"{100 * np.where(lost, p, 0).sum() / log.n:.3g}% of its mass: no data can tell "
                "their reward; keep pi within the support of policy"
            )
        return p
    seen = np.bincount(log.action, minlength=k) > 0
    lost_mass = p[:, ~seen].sum(axis=1) if not seen.all() else np.zeros(1)
    if lost_mass.any():
        never = np.flatnonzero(~seen & (p > 0).any(axis=0))
        raise ValueError(
            f"pi wants {len(never)} actions that were never logged (first: {never[:5].tolist()}), "
            f"{100 * lost_mass.mean():.3g}% of its mass: keep pi within the logged actions. "
            "Nothing finer can be known without the logging policy: pass Log(..., policy=)"
        )
    return p


def _model(p: Array, q: Any) -> tuple[Array, Array]:
    r"""The reward model, checked, and its mean under the target: $\sum_a \pi(a|x_i) q(x_i, a)$."""
    in_order("q", q)
    table = as_numbers("q", q)
    if table.shape != p.shape:
        raise ValueError(f"q has shape {table.shape}, pi has {p.shape}: one reward for each entry")
    with np.errstate(invalid="ignore"):  # infinity less infinity
        mean: Array = np.einsum("ia,ia->i", p, table)
        total = mean.sum()
    if not np.isfinite(total):  # a NaN or infinite entry shows in its row's sum
        numbers("q", table, ndim=2)
    return table, mean
