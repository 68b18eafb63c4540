"""The value of a policy from the log of another one: IPS, SNIPS, DM, DR."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, as_numbers, label, numbers, rows
from causalbook.comparison import compare
from causalbook.estimate import Estimate
from causalbook.estimators.logged_data import Log, distributions, in_order

if TYPE_CHECKING:
    import pandas as pd

ESTIMAND = "value of the target policy"
# Effective rewarded rounds below which the interval is not to be trusted: with heavy weights and
# rare rewards a 95% interval covers in 79% of logs at 3 of them, 89% at 16, 92% at 50, 94% at 200
# (benchmarks/fragile_intervals.py). As many effective rounds: where the heavy ones happen to be
# unrewarded, the rewarded ones are light and many, and their count says nothing of what is missing.
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
    w = importance_weights(log, target_policy(log, pi))
    if max_weight is None:
        earned = w * log.reward
        return _ips(log, earned, report(w, earned))
    if not max_weight > 0:
        raise ValueError(f"max_weight is {max_weight}: pass a positive cap, or None")
    kept = np.minimum(w, max_weight)
    note = (
        f"{(w > max_weight).sum():,} of {log.n:,} weights capped at {max_weight:g}: "
        f"{1 - kept.sum() / w.sum():.1%} of the total weight is cut off, and the estimate is "
        "biased by what it would have earned"
    )
    earned = kept * log.reward
    return _ips(log, earned, (note, *report(kept, earned)))


def snips(log: Log, pi: Any) -> Estimate:
    r"""Self-normalised IPS: the weighted mean reward (Hájek).

    $$\hat V = \frac{\sum_i w_i r_i}{\sum_i w_i}, \qquad
      \psi_i = \frac{w_i (r_i - \hat V)}{\bar w}$$

    Parameters and errors as in `ips`. Source: Hájek (1971); Swaminathan and Joachims (2015).
    """
    w = importance_weights(log, target_policy(log, pi))
    return _snips(log, w, report(w, w * log.reward))


def dm(log: Log, pi: Any, q: Any, *, q_independent: bool = False) -> Estimate:
    r"""Direct method: the mean of a reward model under the target policy.

    $$\hat V = \frac1n \sum_i \sum_a \pi(a \mid x_i)\, q(x_i, a)$$

    Parameters: `log`, `pi` as in `ips`; `q` (n, n_actions) predicted rewards; `q_independent`
    says that q was fitted on other data. Only then is there a standard error, and it speaks of
    the contexts alone: it does not know whether q is right.
    Raises ValueError as `ips` does, and if q has another shape than pi or holds NaN.
    Source: Dudík et al. (2014, section 3).
    """
    _, model = reward_model(target_policy(log, pi), q)
    return _dm(log, model, q_independent)


def dr(log: Log, pi: Any, q: Any) -> Estimate:
    r"""Doubly robust: the direct method, corrected by the weighted residuals of the log.

    $$\hat V = \frac1n \sum_i \Big[\sum_a \pi(a \mid x_i)\, q(x_i, a)
      + w_i \big(r_i - q(x_i, a_i)\big)\Big]$$

    Parameters: `log`, `pi` as in `ips`; `q` (n, n_actions) predicted rewards, fitted on other
    data or cross-fitted. With the true propensities the value is unbiased for any such q.
    Raises ValueError as `dm` does. Source: Dudík et al. (2014, section 3).
    """
    p = target_policy(log, pi)
    rewards, model = reward_model(p, q)
    w = importance_weights(log, p)
    return _dr(log, model, rewards, w, report(w, w * log.reward))


def evaluate(log: Log, pi: Any, q: Any = None) -> pd.DataFrame:
    """Table of IPS and SNIPS, with a reward model also DM and DR, after one validation.

    Parameters: `log`, `pi`, `q` as in `dr`. Rows are indexed by method; columns are those of
    `compare`, and the effective sample size and largest weight of those that weigh. Raises
    ValueError as `dr` does.
    """
    p = target_policy(log, pi)
    w = importance_weights(log, p)
    earned = w * log.reward
    notes = report(w, earned)
    estimates = [_ips(log, earned, notes), _snips(log, w, notes)]
    if q is not None:
        rewards, model = reward_model(p, q)
        estimates += [_dm(log, model, False), _dr(log, model, rewards, w, notes)]
    table = compare(*estimates).assign(ess=kish(w), max_weight=w.max())
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
    return kish(weights / weights.max())  # tiny weights would vanish when squared


def kish(w: Array) -> float:
    """Effective sample size of weights that were checked."""
    return float(w.sum() ** 2 / (w @ w))


def rewarded_rounds(earned: Array) -> float:
    """Effective number of rounds that carry the reward."""
    return kish(np.abs(earned)) if earned.any() else 0.0


# Below, arrays are changed in place: each new one of a million rounds costs a millisecond.


def _ips(log: Log, earned: Array, notes: tuple[str, ...]) -> Estimate:
    return mean_estimate(log, earned, "IPS", notes)


def _snips(log: Log, w: Array, notes: tuple[str, ...]) -> Estimate:
    value = float((w @ log.reward) / w.sum())
    psi = log.reward - value
    psi *= w
    psi /= w.mean()
    return estimate(log, value, psi, "SNIPS", notes)


def _dm(log: Log, model: Array, q_independent: bool) -> Estimate:
    if q_independent:
        return mean_estimate(log, model, "DM", ())
    why = (
        "no standard error: q was fitted on these rows and its own error is not counted; "
        "if it comes from other data, say q_independent=True"
    )
    none = np.broadcast_to(np.nan, log.n)
    return estimate(log, float(model.mean()), none, "DM", (why,))


def _dr(log: Log, model: Array, q: Array, w: Array, notes: tuple[str, ...]) -> Estimate:
    scores: Array = log.reward - of_logged(q, log.action)
    scores *= w
    scores += model
    return mean_estimate(log, scores, "DR", notes)


def mean_estimate(log: Log, scores: Array, method: str, notes: tuple[str, ...]) -> Estimate:
    """Mean of scores, one a round; the scores become what is left of them."""
    value = float(scores.mean())
    scores -= value
    return estimate(log, value, scores, method, notes)


def estimate(log: Log, value: float, psi: Array, method: str, notes: tuple[str, ...]) -> Estimate:
    """Estimate on the rounds of the log."""
    return Estimate(
        value, psi, ESTIMAND, method, cluster=log.cluster, sample=log.sample, notes=notes
    )


def of_logged(table: Array, action: Ints) -> Array:
    """Pick each round's entry for the action that was taken."""
    n, k = table.shape
    at = np.arange(0, n * k, k)
    at += action
    picked: Array = table.ravel()[at]  # twice as fast as table[i, action]
    return picked


def importance_weights(log: Log, p: Array) -> Array:
    r"""Importance weights $\pi(a_i|x_i) / \pi_0(a_i|x_i)$."""
    w = of_logged(p, log.action)
    w /= log.pscore
    if not w.any():
        raise ValueError("pi gives every logged action probability 0: the two never agree")
    return w


def report(w: Array, earned: Array) -> tuple[str]:
    """What a reader should know of the weights; a warning where too few rounds carry them."""
    ess, rewarded = kish(w.ravel()), rewarded_rounds(earned)
    return (weights_in_words(ess, rewarded, w.size, float(w.max()), float(w.mean())),)


def weights_in_words(ess: float, rewarded: float, n: int, largest: float, mean: float) -> str:
    """Say what `report` says, from numbers that were added up elsewhere."""
    if min(ess, rewarded) < ENOUGH:
        warnings.warn(
            f"the estimate rests on {rewarded:.1f} effective rewarded rounds (effective sample "
            f"size {ess:,.0f} of {n:,}): below {ENOUGH} of either its interval covers the truth "
            "less often than its level says",
            stacklevel=4,
        )
    return (
        f"effective sample size {ess:,.0f} of {n:,}; largest weight {largest:,.3g}; "
        f"mean weight {mean:.3f} (1 is expected)"
    )


def target_policy(log: Log, pi: Any) -> Array:
    """Check the target policy once: probabilities, actions in range, support."""
    p = policy_for(log, pi)
    if not unsupported(log, p).any():
        return p
    mass = f"{100 * unsupported(log, p).sum() / log.n:.3g}% of its mass"
    if log.policy is not None:
        bad = ((p > 0) & (log.policy == 0)).any(axis=1)
        raise ValueError(
            f"pi wants actions that the logging policy never shows there in {rows(bad)}, {mass}: "
            "no data can tell their reward; keep pi within the support of policy"
        )
    never = np.setdiff1d(np.flatnonzero((p > 0).any(axis=0)), log.action)
    raise ValueError(
        f"pi wants {len(never)} actions that were never logged (first: {never[:5].tolist()}), "
        f"{mass}: keep pi within the logged actions. Nothing finer can be known without the "
        "logging policy: pass Log(..., policy=)"
    )


def policy_for(log: Log, pi: Any) -> Array:
    """Check that pi is a policy over the log's rounds and actions, supported or not."""
    p = distributions("pi", pi, log.n)
    if log.action.max() >= p.shape[1]:
        raise ValueError(
            f"action is {log.action.max()}, but pi has {p.shape[1]} columns "
            f"({rows(log.action >= p.shape[1])} are out of range): give pi one column for each "
            "action, in the order of their numbers"
        )
    if log.policy is not None and log.policy.shape != p.shape:
        raise ValueError(f"pi has shape {p.shape}, policy has {log.policy.shape}: make them one")
    return p


def unsupported(log: Log, p: Array) -> Array:
    """Probabilities that a policy gives to actions which the log is known never to show."""
    never = np.bincount(log.action, minlength=p.shape[1]) == 0
    lost: Array = p[:, never].ravel() if log.policy is None else p[log.policy == 0]
    return lost


def reward_model(p: Array, q: Any) -> tuple[Array, Array]:
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
