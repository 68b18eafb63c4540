"""Letting a rule learn, live or on an old log, and what its own log can say afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, as_array, dice, missing, numbers, rows, same_length
from causalbook.averages import ratio_of
from causalbook.estimate import Estimate
from causalbook.estimators import Log
from causalbook.estimators.logged_data import RTOL
from causalbook.project.bandits import Rule, refuse_share
from causalbook.project.policy_tables import TablePolicy


@dataclass(frozen=True, eq=False)
class Online:
    """What `learn_online` returns: the `log`, in order, and the `policy` for the next visits."""

    log: Log
    policy: TablePolicy


def learn_online(
    rule: Rule,
    context: Any,
    rewards: Any,
    *,
    batch: int = 1,
    explore: float = 0.0,
    discount: float = 1.0,
    seed: int,
) -> Online:
    r"""Let a rule serve visitors and learn from its own log; every probability is written down.

    $$\pi_t = (1 - \text{explore})\, \text{rule}(n_{t-1}, s_{t-1}) + \text{explore} / K, \qquad
      A_t \sim \pi_t(\cdot \mid x_t), \qquad R_t = R_t(A_t)$$

    Each context has its own counts n and sums s of rewards. They are brought up to date after each
    batch, when what was known before is multiplied by `discount`: below 1 the rule forgets.

    Parameters: `rule` such as `Thompson()`; `context` (n,) labels, in the order of arrival;
    `rewards` (n, n_actions) what each action would bring in each visit; `batch` visits between
    updates; `explore`, the share of visits that see a random action; `discount` in (0, 1]; `seed`.
    Raises ValueError for missing contexts, rewards of another length, a batch below 1, shares out
    of range. Source: ours; discounting is that of Garivier and Moulines (2011).
    """
    _refuse_no_rule(rule)
    refuse_share("explore", explore)
    if not 0 < discount <= 1:
        raise ValueError(f"discount is {discount}: pass a factor above 0, at most 1 (forget none)")
    if not isinstance(batch, (int, np.integer)) or batch < 1:
        raise ValueError(f"batch is {batch!r}: pass how many visits lie between two updates")
    labels, r = as_array("context", context), numbers("rewards", rewards, ndim=2)
    same_length(context=labels, rewards=r)
    if labels.ndim != 1:
        raise ValueError(f"context has {labels.ndim} dimensions: join its columns to one label")
    if (gone := missing(labels)).any():
        raise ValueError(f"context is missing in {rows(gone)}: give it a category of its own")
    if labels.dtype.kind == "O":  # labels of several types have no order
        labels = labels.astype(str)
    known, x = np.unique(labels, return_inverse=True)
    (n, k), u = r.shape, dice(len(r), seed, "learn_online").random((len(r), 1))
    count = total = np.zeros((len(known), k))
    pi, action = np.empty((n, k)), np.empty(n, dtype=np.int64)

    def serve(here: Ints) -> Array:
        learned = rule.probabilities(count[here], total[here])
        pi_t: Array = (1 - explore) * learned + explore / k
        return pi_t

    for start in range(0, n, batch):
        now = slice(start, start + batch)
        here, which = np.unique(x[now], return_inverse=True)
        pi[now] = serve(here)[which]
        action[now] = (u[now] >= pi[now].cumsum(axis=1)[:, :-1]).sum(axis=1)
        paid = np.take_along_axis(r[now], action[now, None], axis=1)[:, 0]
        cell, size = x[now] * k + action[now], len(known) * k
        count = discount * count + np.bincount(cell, minlength=size).reshape(-1, k)
        total = discount * total + np.bincount(cell, paid, minlength=size).reshape(-1, k)
    row = np.arange(n)
    log = Log(action, r[row, action], pi[row, action], context=labels, policy=pi)
    return Online(log, TablePolicy(dict(zip(known, serve(np.arange(len(known))), strict=True))))


def replay(rule: Rule, log: Log, *, seed: int) -> Log:
    r"""Let a rule learn from the log of a uniform policy, in the rounds where the two agree.

    $$A_t \sim \pi_t(\cdot \mid x_t); \quad \text{keep round } t \text{ and learn from it if } A_t =
      a_t, \text{ else skip it}$$

    Since the logged action was drawn evenly, whether a round is kept says nothing of what it would
    bring: the kept rounds are what the rule would have met, about one in K.

    Parameters: `rule`; `log`, drawn evenly, with `context` or none; `seed`.
    Returns the log of the rule, of the rounds that were kept.
    Raises ValueError for a log that is not uniform over its actions, and if no two rounds of more
    than one action are kept. Source: Li, Chu, Langford and Wang (2011, algorithm 2).
    """
    _refuse_no_rule(rule)
    n_actions = round(1 / log.pscore[0])
    bad = ~np.isclose(log.pscore * n_actions, 1, rtol=RTOL) | (log.action >= n_actions)
    if bad.any():
        raise ValueError(
            f"log is not uniform over {n_actions} actions in {rows(bad)}: replay needs one that "
            "drew each action evenly; for any other use ips with the learned policy"
        )
    labels = np.zeros(log.n) if log.context is None else as_array("log.context", log.context)
    known, x = np.unique(labels.reshape(log.n, -1).astype(str), axis=0, return_inverse=True)
    x = x.ravel()
    u = dice(log.n, seed, "replay").random(log.n)
    count, total = np.zeros((2, len(known), n_actions))
    pi: dict[int, Array] = {}  # by context, until it learns
    kept: list[int] = []
    played: list[Array] = []
    for t, (c, a) in enumerate(zip(x.tolist(), log.action.tolist(), strict=True)):
        if c not in pi:
            pi[c] = rule.probabilities(count[c : c + 1], total[c : c + 1])[0]
        if (u[t] >= pi[c].cumsum()[:-1]).sum() == a:
            kept.append(t)
            played.append(pi.pop(c))
            count[c, a] += 1
            total[c, a] += log.reward[t]
    if len(np.unique(log.action[kept])) < 2:
        raise ValueError(
            f"the rule and the log agree in {len(kept):,} of {log.n:,} rounds, on one action at "
            "most: replay needs a longer log"
        )
    policy = np.array(played)
    pscore = np.take_along_axis(policy, log.action[kept, None], axis=1)[:, 0]
    context = None if log.context is None else labels[kept]
    cluster = None if log.cluster is None else log.cluster[kept]
    return Log(
        log.action[kept], log.reward[kept], pscore, context=context, policy=policy, cluster=cluster
    )


def _refuse_no_rule(rule: Any) -> None:
    if isinstance(rule, type) or not hasattr(rule, "probabilities"):
        raise ValueError(f"rule is {rule!r}: pass one with its settings, such as Thompson()")


def adaptive_aipw(log: Log, action: int) -> Estimate:
    r"""Mean reward of one action from the log of a policy that learned, its interval honest.

    $$\hat V = \frac{\sum_t h_t \Gamma_t}{\sum_t h_t}, \qquad \Gamma_t = m_t +
      \frac{1\{A_t = a\}}{\pi_t(a)} (R_t - m_t), \qquad h_t = \sqrt{\pi_t(a)}$$

    with m_t the mean reward of the action before round t. Rounds in which the action was rare count
    less, which keeps the variance of each term alike: that is what a normal limit needs. Rounds of
    one `cluster` of the log count together in the standard error.

    Parameters: `log` with `policy`, in the order of time, of one context (or none); `action`.
    Raises ValueError for a log without `policy`, with several contexts (weights that follow the
    context would change who is averaged), or in which the action ever had probability 0.
    Source: Hadad, Hirshberg, Zhan, Wager and Athey (2021), weights of constant allocation.
    """
    if log.policy is None:
        raise ValueError("log has no policy: pass Log(..., policy=) with all probabilities")
    if not isinstance(action, (int, np.integer)) or not 0 <= action < log.policy.shape[1]:
        raise ValueError(f"action is {action}: the log's policy has {log.policy.shape[1]} columns")
    if log.context is not None and len(np.unique(as_array("log.context", log.context))) > 1:
        raise ValueError(
            "log has several contexts, and the weights would change who is averaged: pass the "
            "rounds of one context at a time"
        )
    e = log.policy[:, action]
    if (e <= 0).any():
        raise ValueError(
            f"action {action} had probability 0 in {rows(e <= 0)}: those rounds cannot speak of "
            "it; let the policy explore (explore=0.02)"
        )
    taken = log.action == action
    n, s = taken.cumsum() - taken, (taken * log.reward).cumsum() - taken * log.reward
    m = s / np.maximum(n, 1)
    gamma = m + taken / e * (log.reward - m)
    h = np.sqrt(e)
    return ratio_of(
        h * gamma,
        h,
        estimand=f"mean reward of action {action}",
        method="adaptively weighted AIPW",
        cluster=log.cluster,
        sample=log.sample,
    )
