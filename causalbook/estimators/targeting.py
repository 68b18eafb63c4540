"""Whom to treat: the value of a rule, the Qini curve of a ranking, calibration, a budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array, Ints, binary, label, numbers, rows, same_length
from causalbook.estimate import Estimate
from causalbook.estimators.logged_data import Log
from causalbook.estimators.policy_values import ips
from causalbook.estimators.weighting import ipw
from causalbook.plots import table

if TYPE_CHECKING:
    import pandas as pd

SHARES = np.arange(1, 21) / 20  # where the Qini curve has a point


def policy_value(treat: Any, y: Any, a: Any, e: Any, *, cluster: Any = None) -> Estimate:
    r"""Mean outcome if people were treated by a rule, from an experiment or a log.

    $$\hat V(\pi) = \frac1n \sum_i \Big[\frac{\pi_i A_i}{e_i}
      + \frac{(1 - \pi_i)(1 - A_i)}{1 - e_i}\Big] Y_i$$

    This is `ips` with two actions: not self-normalised. For what treatment costs put the outcome
    less its cost in the place of y. Two rules on the same rows can be subtracted.

    Parameters: `treat` (n,) the rule: True or False, or chances in [0, 1], fixed without these
    outcomes; `y` (n,) outcomes; `a` (n,) 0 or 1; `e` (n,) known chances of a = 1, in (0, 1);
    `cluster` (n,) labels.
    Raises ValueError for NaN, unequal lengths, one arm, chances out of range, a rule that never
    agrees with a. Warns as `ips` does.
    Source: Horvitz and Thompson (1952); Dudík et al. (2014).
    """
    outcome, treated, p = _experiment(y, a, e)
    pi = numbers("treat", treat)
    same_length(treat=pi, y=outcome)
    bad = (pi < 0) | (pi > 1)
    if bad.any():
        raise ValueError(
            f"{label('treat', treat)} is outside [0, 1] in {rows(bad)}: pass whom the rule treats, "
            "such as effect > cost, not the effects"
        )
    log = Log(treated, outcome, np.where(treated == 1, p, 1 - p), cluster=cluster)
    return replace(ips(log, np.column_stack([1 - pi, pi])), estimand="mean outcome under the rule")


@dataclass(frozen=True, eq=False, repr=False)
class Qini:
    """A Qini curve: `curve`, one `Estimate` of the gain for each of `shares`, and its `area`."""

    shares: Array
    curve: tuple[Estimate, ...]
    area: Estimate

    @property
    def table(self) -> pd.DataFrame:
        """Columns: share treated, gain, se, low, high, and the gain of treating at random."""
        import pandas as pd

        points = [(g.value, g.se, *g.conf_int()) for g in self.curve]
        frame = pd.DataFrame(points, columns=["gain", "se", "low", "high"])
        frame.insert(0, "share", self.shares)
        return frame.assign(random=self.shares * self.curve[-1].value)

    def __repr__(self) -> str:
        return f"{self.area.summary()}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        return self.area._repr_html_() + table(self.table)._repr_html_()


def qini(effect: Any, y: Any, a: Any, e: Any, *, cluster: Any = None) -> Qini:
    r"""Gain from treating the share q with the largest predicted effects, and the area it wins.

    $$\hat G(q) = \frac1n \sum_i d_i(q)\, s_i, \qquad
      \hat Q = \int_0^1 [\hat G(q) - q\, \hat G(1)]\, dq = \frac1n \sum_i
      \big(\tfrac12 - r_i\big) s_i$$

    with $d_i(q) = 1$ for the share q with the largest effects, $r_i$ the share of rows ranked
    above row i (and half of those tied with it), and $s_i$ the AIPW score whose outcome models are
    the weighted means of the arms, so that G(1) is the effect of treating all (`ipw`) and constants
    added to y do not matter. Of tied rows each counts with the share that is treated, whatever
    their order. The influence counts that the ranks are those of a sample. The ranking itself has
    to come from other rows: on the rows that it was learned from the curve is too good.

    Gains are per person, in the unit of y, over treating nobody. Q is the area over the straight
    line of random targeting, and is not divided by that of a perfect ranking, which is not known.

    Parameters: `effect` (n,) predicted effects, or any score to rank by; the others as in
    `policy_value`. Raises ValueError for NaN, unequal lengths, one arm, e outside (0, 1).
    Source: Radcliffe (2007); Gutierrez and Gérardy (2017), a review.
    """
    tau, scores = _judged(effect, y, a, e, cluster)
    group, size, above = _ranked(tau)
    n, earned = len(tau), np.bincount(group, weights=scores.values)

    def treated(q: float) -> Array:
        return np.clip((q * n - above) / size, 0, 1)  # of each group of ties

    gains = [0.0, *(float(treated(q) @ earned) / n for q in SHARES)]
    slope = np.gradient(gains, 1 / len(SHARES))[1:]  # the effect at the margin of the top share
    curve = []
    for q, margin in zip(SHARES, slope, strict=True):
        d = treated(q)[group]
        gain, psi = scores.mean(d)
        curve.append(scores.estimate(gain, psi - margin * (d - q), f"gain at share {q:.0%}"))
    rank = ((above + size / 2) / n)[group]
    area, psi = scores.mean(0.5 - rank)
    # A row pushes down all that rank below it, so that what they earn counts less.
    below = (earned.sum() - np.cumsum(earned) + earned / 2)[group] / n
    psi = psi - below + below.mean()
    return Qini(SHARES, tuple(curve), scores.estimate(area, psi, "Qini area"))


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """Effects in groups of predicted effect, lowest first, and the slope of one on the other."""

    predicted: Array
    groups: tuple[Estimate, ...]
    slope: Estimate

    @property
    def table(self) -> pd.DataFrame:
        """Columns: mean predicted effect, effect, se, low, high."""
        import pandas as pd

        found = [(g.value, g.se, *g.conf_int()) for g in self.groups]
        frame = pd.DataFrame(found, columns=["effect", "se", "low", "high"])
        frame.insert(0, "predicted", self.predicted)
        return frame

    def __repr__(self) -> str:
        return f"{self.slope.summary()}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        return self.slope._repr_html_() + table(self.table)._repr_html_()


def calibration(
    effect: Any, y: Any, a: Any, e: Any, *, groups: int = 5, cluster: Any = None
) -> Calibration:
    r"""Compare predicted effects with effects: in groups of equal size, and by a line.

    $$\hat\tau_g = \frac{\sum_{i \in g} s_i}{n_g}, \qquad \hat\beta =
      \frac{\sum_i (\hat\tau(X_i) - \bar\tau)\, s_i}{\sum_i (\hat\tau(X_i) - \bar\tau)^2}$$

    with the scores s of `qini`. A slope of 1 says that differences in prediction are differences
    in effect; below 1 the predictions are too far apart; at 0 the ranking is noise.

    Parameters: as in `qini`; `groups`, how many, by the rank of the prediction (tied rows stay
    together, so that groups may differ in size, or be fewer).
    Raises ValueError as `qini` does, for fewer than two groups, and for predictions that are all
    the same.
    Source: Chernozhukov, Demirer, Duflo and Fernández-Val (2025): GATES and BLP, here by scores.
    """
    tau, scores = _judged(effect, y, a, e, cluster)
    if int(groups) != groups or groups < 2:
        raise ValueError(f"groups is {groups}: pass a whole number from 2")
    if tau.min() == tau.max():
        raise ValueError(
            f"{label('effect', effect)} is {tau[0]:g} in every row: there are no differences to "
            "calibrate; compare it with the average effect, by ipw"
        )
    group, size, above = _ranked(tau)
    part = (groups * (1 - (above + size / 2) / len(tau))).astype(int)[group]
    predicted, found = [], []
    for k in np.unique(part):
        own = (part == k) / (part == k).mean()
        value, psi = scores.mean(own)
        predicted.append(float(tau[part == k].mean()))
        name = f"effect in group {k + 1} of {groups}"
        found.append(scores.estimate(value, psi - value * (own - 1), name))
    c = tau - tau.mean()
    together, psi = scores.mean(c)
    beta = together / c.var()
    psi = psi - scores.values.mean() * c - beta * (c**2 - c.var())
    slope = scores.estimate(beta, psi / c.var(), "slope of effects")
    return Calibration(np.array(predicted), tuple(found), slope)


def within_budget(effect: Any, cost: Any, budget: float) -> npt.NDArray[np.bool_]:
    r"""Whom to treat with a fixed budget: the largest effects per unit of cost, while it lasts.

    $$\max_{d \in \{0, 1\}^n} \sum_i d_i \hat\tau_i \quad\text{so that}\quad
      \sum_i d_i c_i \le B, \qquad \text{in the order of } \hat\tau_i / c_i$$

    Only positive effects are bought. The first who cannot be paid ends the list: with equal costs
    that is the best choice, else it falls short of the best by less than that one person's effect.
    Of tied rows the first in the table come first.

    Parameters: `effect` (n,) predicted effects; `cost` (n,) or a number, above 0; `budget` in the
    unit of cost. Returns (n,) True where treated.
    Raises ValueError for NaN, unequal lengths, a cost that is not positive, a negative budget.
    Source: the greedy rule for the knapsack problem.
    """
    tau = numbers("effect", effect)
    c = np.full(len(tau), float(cost)) if np.ndim(cost) == 0 else numbers("cost", cost)
    same_length(effect=tau, cost=c)
    bad = ~(c > 0)
    if bad.any():
        raise ValueError(
            f"{label('cost', cost)} is not above 0 in {rows(bad)}: what costs nothing needs no "
            "budget; treat those rows where their effect is positive, and leave them out here"
        )
    if not budget >= 0:
        raise ValueError(f"budget is {budget}: pass a sum from 0, in the unit of cost")
    order = np.argsort(-tau / c, kind="stable")
    paid = (np.cumsum(c[order]) <= budget) & (tau[order] > 0)
    treat = np.zeros(len(tau), dtype=bool)
    treat[order] = paid
    return treat


def _experiment(y: Any, a: Any, e: Any) -> tuple[Array, Array, Array]:
    """Check outcomes, arms and the known chances of the arms."""
    outcome, treated, p = numbers("y", y), binary("a", a), numbers("e", e)
    same_length(y=outcome, a=treated, e=p)
    bad = (p <= 0) | (p >= 1)
    if bad.any():
        raise ValueError(
            f"{label('e', e)} is outside (0, 1) in {rows(bad)}: where only one arm can occur "
            "nothing can be compared; leave these rows out on purpose and say so"
        )
    return outcome, treated, p


@dataclass(frozen=True, eq=False)
class _Scores:
    """AIPW scores with flat outcome models, and what a weighted mean of them depends on."""

    values: Array
    weights: tuple[Array, Array]  # of the controls and of the treated
    means: tuple[Array, Array]  # influences of the two arms' weighted means
    how: dict[str, Any]

    def mean(self, c: Array) -> tuple[float, Array]:
        """Mean of c times the score, for given c, and its influence values."""
        value = float((c * self.values).mean())
        (w0, w1), (psi0, psi1) = self.weights, self.means
        moved = (c * (1 - w1)).mean() * psi1 - (c * (1 - w0)).mean() * psi0
        return value, c * self.values - value + moved

    def estimate(self, value: float, psi: Array, estimand: str) -> Estimate:
        """Return an estimate on these rows."""
        return Estimate(value, psi, estimand, "AIPW scores", **self.how)


def _judged(effect: Any, y: Any, a: Any, e: Any, cluster: Any) -> tuple[Array, _Scores]:
    """Check; return the predicted effects and the scores that judge them."""
    (outcome, treated, p), tau = _experiment(y, a, e), numbers("effect", effect)
    same_length(effect=tau, y=outcome)
    of_all = ipw(outcome, treated, p, cluster=cluster)
    how = {"cluster": of_all.cluster, "sample": of_all.sample, "notes": of_all.notes}
    weights = (1 - treated) / (1 - p), treated / p
    mu0, mu1 = ((w @ outcome) / w.sum() for w in weights)
    residuals = weights[0] * (outcome - mu0), weights[1] * (outcome - mu1)
    means = residuals[0] / weights[0].mean(), residuals[1] / weights[1].mean()
    return tau, _Scores(mu1 - mu0 + residuals[1] - residuals[0], weights, means, how)


def _ranked(tau: Array) -> tuple[Ints, Ints, Ints]:
    """Number the groups of equal predictions from the top; their sizes, and the rows above."""
    group = np.unique(-tau, return_inverse=True)[1]
    size = np.bincount(group)
    return group, size, np.cumsum(size) - size
