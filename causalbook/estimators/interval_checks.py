"""Whether a log can speak of a policy, and whether the interval of its value is honest."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from causalbook.arrays import Array, dice
from causalbook.estimate import Estimate
from causalbook.estimators.checks import Check
from causalbook.estimators.logged_data import RTOL, Log
from causalbook.estimators.policy_values import (
    ENOUGH,
    importance_weights,
    kish,
    of_logged,
    policy_for,
    rewarded_rounds,
    snips,
    target_policy,
    unsupported,
)

HEAVY = 0.1  # of the total weight on one round: our choice
FAR = 3.0  # standard errors between the mean weight and 1: one log in 370 by chance


def support(log: Log, pi: Any) -> Check:
    r"""Tell whether the log can speak of the policy, before its value is asked for.

    $$n_{\mathrm{eff}} = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}, \qquad
      z = \frac{\bar w - 1}{s_w / \sqrt n}$$

    Five demands, each a row of the table: no mass of pi on actions that the log never shows
    (known fully only with `log.policy`); at least 50 effective rounds, and at least 50 effective
    rewarded rounds, those of w r; no round with more than a tenth of the total weight; a mean
    weight within three standard errors of 1 (further off, propensities and policy are not those
    of this log). The estimators refuse for the first and warn for the next two; this refuses in
    words for all. Few rounds with large weights hide what they lack, so that a mean weight near 1
    is no proof.

    Parameters: `log`, `pi` as in `ips`. Columns of the table, by demand: value, limit, passed.
    Raises ValueError if `pi` is no policy over the log's rounds and actions.
    Source: Kish (1965) for the size. The limits are ours, 50 from benchmarks/fragile_intervals.py.
    """
    import pandas as pd

    p = policy_for(log, pi)
    lost = float(unsupported(log, p).sum() / log.n)
    w = of_logged(p, log.action) / log.pscore
    ess = kish(w) if w.any() else 0.0
    rewarded = rewarded_rounds(w * log.reward)
    top = float(w.max() / w.sum()) if w.any() else 1.0
    # no smaller than what propensities rounded at ingest may shift all weights by
    error = max(w.std() / np.sqrt(log.n), RTOL / FAR)
    z = float((w.mean() - 1) / error)
    demands = {
        "mass of pi on actions never logged": (lost, 0.0, lost == 0),
        "effective rounds": (ess, ENOUGH, ess >= ENOUGH),
        "effective rewarded rounds": (rewarded, ENOUGH, rewarded >= ENOUGH),
        "largest weight, of the total": (top, HEAVY, top <= HEAVY),
        "mean weight from 1, in standard errors": (z, FAR, abs(z) <= FAR),
    }
    words = {
        "mass of pi on actions never logged": f"{lost:.1%} of pi is on actions it never shows",
        "effective rounds": f"{log.n:,} rounds are worth {ess:,.0f}",
        "effective rewarded rounds": f"the reward rests on {rewarded:,.1f} effective rounds",
        "largest weight, of the total": f"one round has {top:.0%} of the weight",
        "mean weight from 1, in standard errors": f"the mean weight is {w.mean():.3g}, not 1",
    }
    table = pd.DataFrame.from_dict(demands, orient="index", columns=["value", "limit", "passed"])
    reasons = [words[name] for name, (_, _, passed) in demands.items() if not passed]
    sentence = f"{log.n:,} rounds are worth {ess:,.0f} of the target's own."
    if reasons:
        sentence = f"the log cannot speak of this policy: {'; '.join(reasons)}."
    return Check("support", not reasons, table.rename_axis("demand"), sentence)


@dataclass(frozen=True)
class IntervalCheck:
    """How often nominal intervals cover, at a log's own size, weights and reward rate.

    `coverage` of the nominal `level` in so many `replications`; `error` its binomial standard
    error; `factor` on the standard error, and `needed`, the nominal level, that would have
    covered as promised (infinite and 1 where the estimated error is 0 too often); `rate` the mean
    reward that was drawn.
    """

    coverage: float
    error: float
    factor: float
    needed: float
    level: float
    rate: float
    replications: int


def interval_check(
    log: Log,
    pi: Any,
    *,
    estimator: Callable[[Log, Any], Estimate] = snips,
    rate: float | None = None,
    replications: int = 1000,
    level: float = 0.95,
    seed: int,
) -> IntervalCheck:
    r"""Simulate the coverage of an interval at the reader's own n, weights and reward rate.

    Each replication draws n rounds' weights from those of the log, scaled to mean 1, and rewards
    that do not depend on them, so that the policy's value is known: it is the rate. Then it asks
    whether the interval of `estimator` holds it.

    $$t = |\hat V - V| / \widehat{se}, \qquad \mathrm{factor} = t_{(level)} / z_{(1 + level)/2}$$

    What it takes for granted: rewards independent of the weights, rounds independent, and no
    weight heavier than those the log happens to hold. A log that misses its heaviest rounds will
    look better than it is.

    It takes as long as so many estimates.

    Parameters: `log`, `pi` as in `ips`; `estimator` a function of a log and a policy that returns
    an `Estimate`, and that reads nothing but weights and rewards (`ips`, `snips`, or one with a
    cap); `rate` the chance of a reward of 1, by default the log's own rewards are drawn;
    `replications`, `level`, `seed`.
    Raises ValueError as `ips` does, for a rate outside (0, 1), for a log with clusters, or with
    no reward at all and no `rate`.
    Source: the bootstrap of Efron (1979), with rewards whose mean is known.
    """
    if rate is not None and not 0 < rate < 1:
        raise ValueError(f"rate is {rate}: pass the chance of a reward, between 0 and 1")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
    if log.cluster is not None:
        raise ValueError(
            "log has clusters: rounds are drawn one by one here, which would call them independent"
        )
    if not isinstance(replications, (int, np.integer)) or replications < 1:
        raise ValueError(f"replications is {replications!r}: pass a whole number from 1")
    if rate is None and not log.reward.any():
        raise ValueError(
            "the log's reward is 0 in every round: it does not tell the chance of one, pass rate="
        )
    rng = dice(replications, seed)
    w = importance_weights(log, target_policy(log, pi))
    w = w / w.mean()
    truth = float(log.reward.mean()) if rate is None else rate
    t = np.empty(replications)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the estimate rests on")
        for j in range(replications):
            drawn = w[rng.integers(log.n, size=log.n)]
            if rate is None:
                reward = log.reward[rng.integers(log.n, size=log.n)]
            else:
                reward = (rng.random(log.n) < rate).astype(float)
            if not drawn.any():  # the policy never agrees with these rounds: no estimate
                t[j] = np.inf
                continue
            found = estimator(*_of_weights(drawn, reward))
            off = abs(found.value - truth)
            t[j] = off / found.se if found.se > 0 else (np.inf if off > 0 else 0.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    covers = float((t <= z).mean())
    bar = float(np.quantile(t, level, method="higher"))
    return IntervalCheck(
        coverage=covers,
        error=float(np.sqrt(covers * (1 - covers) / replications)),
        factor=bar / z,
        needed=2 * NormalDist().cdf(bar) - 1,
        level=level,
        rate=truth,
        replications=replications,
    )


def _of_weights(w: Array, reward: Array) -> tuple[Log, Array]:
    """A log of two actions, and a policy, that have these weights: all that IPS reads of a log."""
    pscore = 1 / np.maximum(w, 1)
    pi = np.column_stack([w * pscore, 1 - w * pscore])
    action = np.zeros(len(w), dtype=int)
    action[-1], pi[-1] = 1, pi[-1, ::-1]  # a log holds two actions at least
    return Log(action, reward, pscore), pi
