"""Alarms of a running service: what they watch may be looked at as often as one likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, numbers, rows, same_length
from causalbook.estimators.checks import Check
from causalbook.potential_outcomes import confidence_sequence
from causalbook.project.policy_tables import TablePolicy

PRIOR = 100.0  # expectations of how far shares are off, worth so many units: Lindon and Malek's
BETS = 0.5 ** np.arange(1, 9)  # of the largest bet that cannot be ruined
SETTLED = 500  # rows before the effect's sequence is looked at: it holds for late first looks


def split_evidence(counts: Any, shares: Any) -> float:
    r"""Evidence that units were not drawn with these shares, for a look after every unit.

    $$\log E_n = \log \frac{B(\alpha + N)}{B(\alpha)} - \sum_k N_k \log s_k, \qquad
      \alpha_k = 100\, s_k$$

    B is the multivariate beta function. If the shares are right, $E_n$ is a fair game's wealth, and
    $P(\sup_n E_n \ge c) \le 1/c$: an alarm at $\log E_n \ge \log 1000$ is false once in a thousand
    runs at most, whatever the number of looks.

    Parameters: `counts` (K,) units in each arm so far; `shares` (K,) designed, with sum 1. Returns
    $\log E_n$; infinite where an arm of share 0 has a unit.
    Raises ValueError for counts that are no counts, shares that are no distribution.
    Source: Lindon and Malek (2022), with their prior; Ville (1939).
    """
    n, s = numbers("counts", counts), numbers("shares", shares)
    same_length(counts=n, shares=s)
    if (bad := (n < 0) | (n != np.round(n))).any():
        raise ValueError(f"counts are no whole numbers in {rows(bad)}: pass numbers of units")
    if (s < 0).any() or abs(s.sum() - 1) > 1e-9:
        raise ValueError(f"shares sum to {s.sum():.6g}, the least is {s.min():g}: pass shares")
    if n[s == 0].any():
        return inf
    from scipy.special import gammaln

    n, s = n[s > 0], s[s > 0]
    alpha = PRIOR * s
    gained = gammaln(alpha + n) - gammaln(alpha) - n * np.log(s)
    return float(gained.sum() + gammaln(PRIOR) - gammaln(PRIOR + n.sum()))


def draw_evidence(counts: Any, shares: Any) -> float:
    r"""Evidence that actions are not drawn with the chances that are logged, over contexts.

    $$E_n = \frac{1}{C} \sum_x E_n(x)$$

    with `split_evidence` in each context; a mean of fair games is one, so the same bound holds.

    Parameters: `counts` (C, K) of the actions in each context; `shares` (C, K), the policy.
    Raises ValueError as `split_evidence` does. Source: Lindon and Malek (2022).
    """
    n, s = numbers("counts", counts, ndim=2), numbers("shares", shares, ndim=2)
    same_length(counts=n, shares=s)
    each = np.array([split_evidence(*pair) for pair in zip(n, s, strict=True)])
    return float(np.logaddexp.reduce(each) - log(len(each)))


def weight_cost(policy: Any, target: Any) -> Array:
    r"""Mean square of the weights that a target's estimate would have, in each context.

    $$v(x) = \sum_a \frac{\pi(a \mid x)^2}{\pi_0(a \mid x)}$$

    One over its mean is the share of rounds that are effective (Kish); infinite where the target
    wants what the policy never shows.

    Parameters: `policy` (C, K), `target` (C, K), probabilities.
    Raises ValueError for NaN and unequal lengths. Source: Kish (1965).
    """
    pi_0, pi = numbers("policy", policy, ndim=2), numbers("target", target, ndim=2)
    same_length(policy=pi_0, target=pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost: Array = np.where(pi > 0, pi**2 / pi_0, 0.0).sum(axis=1)
    return cost


def overlap_evidence(counts: Any, cost: Any, planned: float) -> float:
    r"""Evidence that less than the planned share of rounds is effective for the target.

    $$E_n = \frac18 \sum_{j=1}^8 \prod_{i \le n} \Big(1 + \frac{2^{-j}}{m} (v(x_i) - m)\Big),
      \qquad m = \frac{1}{planned}$$

    Wealth of a gambler who bets on $v(x) > m$: no fair chance, and the bound of `split_evidence`,
    as long as the mean of v is at most m.

    Parameters: `counts` (C,) rounds in each context; `cost` (C,) from `weight_cost`; `planned`, a
    share of (0, 1]. Returns $\log E_n$; infinite where a context of infinite cost was seen.
    Raises ValueError for a share out of range, unequal lengths.
    Source: betting on a bounded mean, Waudby-Smith and Ramdas (arXiv:2010.09686).
    """
    if not 0 < planned <= 1:
        raise ValueError(f"planned is {planned}: it is a share of effective rounds, above 0 to 1")
    n, v = numbers("counts", counts), np.asarray(cost, dtype=np.float64)
    same_length(counts=n, cost=v)
    if np.isinf(v[n > 0]).any():
        return inf
    v = np.where(n > 0, v, 0.0)
    wealth = np.log1p(BETS[:, None] * (planned * v - 1)) @ n
    return float(np.logaddexp.reduce(wealth) - log(len(BETS)))


def effect_drift(y: Any, a: Any, *, expected: float, level: float = 0.999) -> Check:
    """Tell whether the effect is still the one that was expected, in every look so far.

    Parameters: `y` (n,) outcomes, `a` (n,) 0 or 1 by lot, one row a user in the order of arrival;
    `expected` effect, taken as exact: that of a test has an error of its own, so compare the test's
    interval with low and high; `level` of all looks from the 500th row on together.
    Columns of the table: first (row at which the expected effect is first outside), low and high
    (the interval now). Raises ValueError as `confidence_sequence` does, and for fewer rows.
    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), through `confidence_sequence`.
    """
    import pandas as pd

    if len(y) < SETTLED:
        raise ValueError(
            f"y has {len(y)} rows: wait for {SETTLED}, the sequence is no sooner valid"
        )
    told = confidence_sequence(y, a, level=level).query("n >= @SETTLED")
    out = told[(told["low"] > expected) | (told["high"] < expected)]
    first, now = (int(out["n"].iloc[0]) if len(out) else 0), told.iloc[-1]
    table = pd.DataFrame({"first": [first], "low": [now["low"]], "high": [now["high"]]})
    said = f"row {first:,} is the first that rules {expected:.4g} out" if first else "no row rules"
    said += "" if first else f" {expected:.4g} out"
    return Check("effect drift", not first, table, f"{said}.")


class Traffic:
    r"""What a service watches while it answers: split of the traffic, draws, overlap, of one day.

    Three evidences, each a `Check` that fails at $E \ge 1/(1 - level)$: users are not in the arms
    as designed; actions are not drawn with the logged chances; the log holds fewer effective
    rounds for a uniform target than planned. Every day starts afresh, so that a fault on day 100
    is not drowned by 99 sound ones; each monitor has a false alarm on one day in 1 / (1 - level)
    at most, by construction.

    Parameters: `policies`, one for each arm; `experiment`, whose lines tell the split ("": none);
    `share` of users in its arm 1; `planned` share of effective rounds; `level` of a day.
    Raises ValueError for policies of unequal contexts or actions, shares out of range.
    Source: ours, on Lindon and Malek (2022).
    """

    def __init__(
        self,
        policies: Sequence[TablePolicy],
        *,
        experiment: str = "",
        share: float = 0.5,
        planned: float = 0.01,
        level: float = 0.999,
    ) -> None:
        if not policies or len({(tuple(p.contexts), p.n_actions) for p in policies}) > 1:
            raise ValueError("policies know unlike contexts or actions: pass one or two that agree")
        told = {"share": share, "level": level, "planned": planned}
        if any(not 0 < number < 1 for number in told.values()):
            raise ValueError(f"{told} are no shares: pass numbers between 0 and 1")
        self.shares, self.planned, self.bar = [1 - share, share], planned, -log(1 - level)
        self.experiment = experiment
        self.table = np.vstack([p.table for p in policies])
        self.cost = weight_cost(self.table, np.full_like(self.table, 1 / self.table.shape[1]))
        self._row = {
            (p.version, x): j
            for j, (p, x) in enumerate((p, x) for p in policies for x in p.contexts)
        }
        self.start("")

    def start(self, day: str) -> None:
        """Forget what was counted: a new day."""
        self.day, self.arms = day, [0, 0]
        self.users: set[int] = set()
        self.counts: Ints = np.zeros(self.table.shape, dtype=np.int64)

    def see(self, line: Mapping[str, Any]) -> None:
        """Count one impression: a line of the log."""
        if (day := line["at"][:10]) != self.day:
            self.start(day)
        in_it = self.experiment and line.get("experiment") == self.experiment
        if in_it and line["user"] not in self.users:
            self.users.add(line["user"])  # each once: a user's visits share one lot
            self.arms[line["arm"]] += 1
        if (row := self._row.get((line["policy"], line["context"]))) is not None:
            self.counts[row, line["action"]] += 1

    def effective(self) -> float:
        """Share of today's rounds that are effective for a uniform target; NaN before the first."""
        n = self.counts.sum(axis=1)
        seen = n > 0
        return float(n.sum() / (n[seen] @ self.cost[seen])) if seen.any() else float("nan")

    def checks(self) -> list[Check]:
        """Tell how each monitor stands now."""
        told = [("draws", draw_evidence(self.counts, self.table), "actions against logged chances")]
        rounds = self.counts.sum(axis=1)
        said = f"{self.effective():.1%} of the rounds are effective, {self.planned:.1%} planned"
        told.append(("overlap", overlap_evidence(rounds, self.cost, self.planned), said))
        if self.experiment:
            said = f"{self.arms[0]:,} and {self.arms[1]:,} users in the arms"
            told.append(("split", split_evidence(self.arms, self.shares), said))
        return [self._check(*line) for line in told]

    def _check(self, name: str, evidence: float, said: str) -> Check:
        import pandas as pd

        table = pd.DataFrame({"evidence": [evidence], "bar": [self.bar]})
        return Check(name, evidence < self.bar, table, f"{said}.")
