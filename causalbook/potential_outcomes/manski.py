"""What a log says of an effect when nothing is assumed: Manski's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from statistics import NormalDist
from typing import Any

from causalbook.arrays import Array, binary, fingerprint, label, numbers, rows, same_length
from causalbook.averages import mean_of
from causalbook.card import digits
from causalbook.estimate import Estimate


@dataclass(frozen=True)
class Bounds:
    """The two ends between which an effect lies, each an `Estimate` on the same rows."""

    lower: Estimate
    upper: Estimate

    def conf_int(self, level: float = 0.95) -> tuple[float, float]:
        r"""Interval that holds the effect with this confidence, wherever in the bounds it lies.

        $$[\underline\tau - c\,se,\ \overline\tau + c\,se], \qquad
          \Phi\Big(c + \frac{\overline\tau - \underline\tau}{\max se}\Big) - \Phi(-c) = level$$

        each end with its own standard error.

        With wide bounds c is the quantile of one side, 1.645 for 95%: an effect at one end can
        be missed on that side alone. To cover *both* ends at once take the outer ends of
        `lower.conf_int()` and `upper.conf_int()`. Where the width is itself an estimate and may be
        near zero the interval can be too short (Stoye, 2009); the width of `bounds` is known.
        Raises ValueError if `level` is not between 0 and 1, or the bounds cross.
        Source: Imbens and Manski (2004).
        """
        if not 0 < level < 1:
            raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
        width = self.upper.value - self.lower.value
        if width < 0:
            raise ValueError(
                f"the lower end {self.lower.value:g} lies above the upper end "
                f"{self.upper.value:g}: no effect fits, so an assumption behind them is false"
            )
        se = max(self.lower.se, self.upper.se)
        c = _quantile(level, width / se if se > 0 else math.inf)
        return self.lower.value - c * self.lower.se, self.upper.value + c * self.upper.se

    def summary(self) -> str:
        """Return the bounds as plain text: one fact a line."""
        (low, high), show = self.conf_int(), digits(self.upper.value, self.upper.se)
        ends = f"[{show(self.lower.value)}, {show(self.upper.value)}]"
        return (
            f"{self._title()} by {self.lower.method}\n"
            f"  bounds        {ends}\n"
            f"  95% interval  [{show(low)}, {show(high)}]\n"
            f"  based on      {self.lower.n:,} rows"
        )

    def _title(self) -> str:
        """Say what is bounded; other estimates than those of `bounds` speak for themselves."""
        return self.lower.estimand.replace("lower bound", "bounds")

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        (low, high), show = self.conf_int(), digits(self.upper.value, self.upper.se)
        return (
            '<div class="causalbook-estimate" style="display:inline-block;max-width:36em;'
            'border:1px solid currentColor;border-radius:8px;padding:.7em 1em;margin:.3em 0">'
            f"<div><strong>{escape(self._title())}</strong> "
            f'<span style="opacity:.8">by {escape(self.lower.method)}</span></div>'
            '<div style="font-size:1.6em;line-height:1.3;font-variant-numeric:tabular-nums">'
            f"[{show(self.lower.value)}, {show(self.upper.value)}]</div>"
            '<div style="font-variant-numeric:tabular-nums">'
            f"95% interval for the effect [{show(low)}, {show(high)}] · {self.lower.n:,} rows"
            "</div></div>"
        )


def bounds(y: Any, a: Any, *, low: float = 0.0, high: float = 1.0) -> Bounds:
    r"""Worst-case bounds on the average effect: each missing outcome at the end of its range.

    $$\underline\tau = E[AY + (1 - A)\,low] - E[(1 - A) Y + A\,high], \qquad
      \overline\tau = E[AY + (1 - A)\,high] - E[(1 - A) Y + A\,low], \qquad
      \overline\tau - \underline\tau = high - low$$

    Nothing is assumed of how A came about; without an assumption no narrower bounds are right.

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1, as received; `low` and `high`, the smallest
    and largest value that an outcome *can* take, in the unit of y (not those that were seen).
    Raises ValueError for NaN, treatments other than 0 and 1, an arm without units, outcomes
    outside [low, high], a range that is empty or infinite.
    Source: Manski (1990).
    """
    outcome, treated = numbers("y", y), binary("a", a)
    same_length(y=outcome, a=treated)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"low is {low} and high is {high}: pass the finite range that the outcome can take"
        )
    outside = (outcome < low) | (outcome > high)
    if outside.any():
        raise ValueError(
            f"{label('y', y)} is outside [low, high] = [{low:g}, {high:g}] in {rows(outside)}: "
            "pass the range that the outcome can take"
        )

    def end(name: str, fill1: float, fill0: float) -> Estimate:
        """Fill the missing Y(1) with one number, the missing Y(0) with another."""
        y1: Array = outcome * treated + fill1 * (1 - treated)
        y0: Array = outcome * (1 - treated) + fill0 * treated
        return mean_of(
            y1 - y0,
            estimand=f"{name} bound on the ATE",
            method=f"Manski (outcomes in [{low:g}, {high:g}])",
            sample=fingerprint(outcome),
        )

    return Bounds(end("lower", low, high), end("upper", high, low))


def _quantile(level: float, width: float) -> float:
    r"""Solve $\Phi(c + width) - \Phi(-c) = level$ by halving; width in standard errors."""
    phi = NormalDist().cdf
    small, large = 0.0, NormalDist().inv_cdf((1 + level) / 2)  # the root for bounds that meet
    for _ in range(60):
        c = (small + large) / 2
        if phi(c + width) - phi(-c) < level:
            small = c
        else:
            large = c
    return large
