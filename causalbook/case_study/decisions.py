"""From an effect to a decision: what acting earns, and what the uncertainty may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from causalbook.estimate import Estimate


@dataclass(frozen=True, repr=False)
class Decision:
    """Act or not, and what is at stake, in money over all units.

    Parameters: `act`; `gain`, what acting is expected to earn (negative: to lose), with its
    `interval`; `chance_of_loss`, that acting loses money; `expected_regret`, what the decision is
    expected to lose by being wrong, which is what knowing the effect exactly would be worth.
    """

    act: bool
    gain: float
    interval: tuple[float, float]
    chance_of_loss: float
    expected_regret: float

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"{'act' if self.act else 'do not act'}: acting earns {self.gain:,.0f} "
            f"({low:,.0f} to {high:,.0f}), loses money with probability "
            f"{self.chance_of_loss:.3f}; knowing better is worth {self.expected_regret:,.0f}"
        )


def decide(profit: Estimate, *, units: float, level: float = 0.95) -> Decision:
    r"""Act if acting is expected to earn money, and say what is at stake.

    $$\text{act} = 1\{\hat m > 0\}, \qquad P(m < 0) = \Phi(-z), \qquad
      \text{regret} = N s \, [\varphi(z) - |z| \, \Phi(-|z|)], \qquad z = \hat m / s$$

    `profit` is the profit of acting, less that of not acting, in money for one unit: an effect in
    money less a cost, as in `margin * effect - cost`; `units` is N, how many units the decision
    concerns; `level` is that of the interval. The unknown profit m is taken as normal around the
    estimate with its standard error: what a flat prior makes of a large sample. It knows nothing of
    bias: an estimate that is wrong gives a wrong decision with a small regret.

    Raises ValueError for a profit that is no Estimate, has no standard error or one of zero, and
    for `units` that are not positive. Source: Raiffa and Schlaifer (1961), expected opportunity
    loss of a normal mean.
    """
    if not 0 < units < math.inf:
        raise ValueError(f"units is {units}: pass how many units the decision concerns, above 0")
    if not isinstance(profit, Estimate):
        raise ValueError(
            f"profit is a {type(profit).__name__}: pass an Estimate, such as margin * effect - cost"
        )
    if not profit.se > 0:
        raise ValueError(
            f"profit has the standard error {profit.se}: without one the risk of a decision is "
            "unknown"
        )
    z = profit.value / profit.se
    normal = NormalDist()
    loss = normal.pdf(z) - abs(z) * normal.cdf(-abs(z))
    low, high = profit.conf_int(level)
    return Decision(
        profit.value > 0,
        units * profit.value,
        (units * low, units * high),
        normal.cdf(-z),
        units * profit.se * loss,
    )
