"""Logs of several policies as one log, of their mixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from causalbook.arrays import as_numbers, rows
from causalbook.estimators.logged_data import ATOL, RTOL, Log, distributions
from causalbook.estimators.policy_values import of_logged


def pool(logs: Sequence[Log], loggers: Sequence[Any], *, cluster: Any = None) -> Log:
    r"""Stack the logs of several policies into one log of their mixture (balanced weights).

    $$\pi_{\mathrm{avg}}(a \mid x) = \sum_j \frac{n_j}{n}\, \pi_j(a \mid x), \qquad
      w_i = \frac{\pi(a_i \mid x_i)}{\pi_{\mathrm{avg}}(a_i \mid x_i)}$$

    Every estimator takes the result. IPS on it is unbiased wherever one of the loggers shows what
    the target wants, and its variance is never above that of the logs weighed each by its own
    propensity. The number of rounds of each logger is fixed, so the usual error is a little too
    large: by the spread of the loggers' mean scores, which it takes for chance.

    Parameters: `logs` J logs of the same actions over contexts of the same population; `loggers`
    J arrays, what logger j would have done in all n rounds, in the order of the stacked logs:
    (n,) its probability of the action that was logged, or (n, n_actions) all its probabilities,
    which also gives the pooled log its `policy`. The least you need is the first: each logger,
    asked again about the rounds of the others. `cluster` (n,) labels over all rounds, needed where
    the logs have some: a user may be in two logs.
    Raises ValueError for less than two logs, other lengths, probabilities out of range, a logger
    that disagrees with the propensities of its own log, clusters of the logs but none here.
    Source: Agarwal, Basu, Schnabel and Joachims (2017).
    """
    if len(logs) < 2 or not all(isinstance(log, Log) for log in logs):
        raise ValueError(f"logs are {[type(log).__name__ for log in logs]}: pass two Logs or more")
    if len(loggers) != len(logs):
        raise ValueError(f"loggers has {len(loggers)} entries, logs has {len(logs)}: one for each")
    action, reward, pscore = (
        np.concatenate([getattr(log, name) for log in logs])
        for name in ("action", "reward", "pscore")
    )
    n = len(action)
    tables = [as_numbers("loggers", table) for table in loggers]
    if any(t.shape != tables[0].shape or t.ndim > 2 or len(t) != n for t in tables):
        raise ValueError(
            f"loggers have the shapes {[t.shape for t in tables]}: pass for each logger {n:,} "
            f"rows, all rounds of all logs, as (n,) or (n, n_actions)"
        )
    if cluster is None and any(log.cluster is not None for log in logs):
        raise ValueError(
            "cluster is None, but the logs have clusters, numbered in each log by itself: pass "
            "the labels of all rounds"
        )
    full = tables[0].ndim == 2
    if full and action.max() >= tables[0].shape[1]:
        raise ValueError(
            f"loggers have {tables[0].shape[1]} columns, but action goes up to {action.max()}: "
            "pass one column for each action"
        )
    if full:
        tables = [distributions(f"loggers, number {j},", t, n) for j, t in enumerate(tables)]
    logged = [of_logged(t, action) if full else t for t in tables]
    ends = np.cumsum([0] + [log.n for log in logs])
    for j, p in enumerate(logged):
        bad = ~((p >= 0) & (p <= 1 + ATOL))
        if bad.any():
            raise ValueError(
                f"loggers: number {j} is no probability in {rows(bad)}: pass the chance of the "
                "action that was logged, 0 where this logger never shows it"
            )
        own = slice(ends[j], ends[j + 1])
        bad = ~np.isclose(p[own], pscore[own], rtol=RTOL, atol=ATOL)
        if bad.any():
            raise ValueError(
                f"loggers: number {j} is not the pscore of its own log in {rows(bad)}: are the "
                "rounds in the order of the stacked logs?"
            )
    share = np.diff(ends) / n
    policy = sum(s * t for s, t in zip(share, tables, strict=True)) if full else None
    return Log(
        action,
        reward,
        sum(s * p for s, p in zip(share, logged, strict=True)),
        context=_stack([log.context for log in logs]),
        policy=policy,
        cluster=cluster,
    )


def _stack(parts: list[Any]) -> Any:
    """Contexts one below the other; none where a log has none."""
    if any(part is None for part in parts):
        return None
    if all(hasattr(part, "columns") for part in parts):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    return np.concatenate([np.asarray(part) for part in parts])
