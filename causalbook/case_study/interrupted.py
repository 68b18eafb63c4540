"""One series with a known date: a line before it, another level and slope from it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, design, label, numbers, same_length
from causalbook.estimate import Estimate


@dataclass(frozen=True, eq=False, repr=False)
class Interruption:
    """What changed at the date: `level` and `slope`, their mean `effect`, and `expected`.

    Parameters: `level`, the jump at the start; `slope`, the change of the trend for one unit of
    time; `effect`, the mean of both over the times from the start on; `expected` (T,) the series
    without them.
    """

    level: Estimate
    slope: Estimate
    effect: Estimate
    expected: Array

    def __repr__(self) -> str:
        return "\n".join(e.summary() for e in (self.level, self.slope, self.effect))


def interrupted_series(
    y: Any, time: Any, start: float, X: Any = None, *, lags: int = 4
) -> Interruption:
    r"""Change of level and slope of one series at a known time (segmented regression).

    $$Y_t = \alpha + \beta (t - s) + D_t\,[\lambda + \delta (t - s)] + X_t^\top \gamma
      + \varepsilon_t, \quad D_t = 1\{t \ge s\}, \qquad
      \hat\tau = \hat\lambda + \hat\delta \, \frac{\sum_t D_t (t - s)}{\sum_t D_t}$$

    With $\psi_t$ the influence of a time on a coefficient, its error counts neighbours together:
    $\widehat{se}^2 = \frac{1}{T (T - k)} \big[\sum_t \psi_t^2 + 2 \sum_{l=1}^{L} (1 -
    \frac{l}{L + 1}) \sum_t \psi_t \psi_{t-l}\big]$, k coefficients, Student's t with T - k.
    In short series that is too little: with a hundred times, of which neighbours err together, a
    95% interval covers about nine times in ten.

    Parameters: `y` (T,) outcomes of one unit in the order of time; `time` (T,) evenly spaced;
    `start` s, the first time under treatment; `X` (T, p) series that the treatment does not move,
    such as the sales of other items; `lags` L, over how many times errors hang together.
    Raises ValueError for NaN, unequal lengths, times that are not evenly spaced and rising, fewer
    than three times before or two from the start on, columns that depend on each other, more
    coefficients than times, lags outside 0 to T - 1.
    Source: Lopez Bernal, Cummins and Gasparrini (2017), the model; Newey and West (1987), the
    error.
    """
    outcome, t = numbers("y", y), numbers("time", time)
    same_length(y=outcome, time=t)
    after = _dates(time, t, start)
    since = t - start
    z = np.column_stack([np.ones(len(t)), since, after, after * since])
    if X is not None:
        x = design("X", X)
        same_length(y=outcome, X=x)
        z = np.column_stack([z, x])
    T, k = z.shape
    if k >= T:
        raise ValueError(f"y has {T} times for {k} coefficients: pass more times, or fewer columns")
    scale = np.maximum(np.abs(z).max(axis=0), 1e-300)  # units do not matter to the rank
    if np.linalg.matrix_rank(z / scale) < k:
        raise ValueError("X has columns that depend on each other or on the two lines: drop one")
    if not isinstance(lags, (int, np.integer)) or not 0 <= lags < T:
        raise ValueError(f"lags is {lags!r}: pass a whole number from 0 to {T - 1}")
    inverse = np.linalg.pinv(z / scale) / scale[:, None]
    coefficients = inverse @ outcome
    residual = outcome - z @ coefficients

    def estimate(c: Array, estimand: str) -> Estimate:
        psi = T * (c @ inverse) * residual
        together = psi @ psi
        for lag in range(1, lags + 1):
            together += 2 * (1 - lag / (lags + 1)) * (psi[lag:] @ psi[:-lag])
        return Estimate(
            float(c @ coefficients),
            np.full(T, np.nan),
            estimand,
            f"segmented regression, Newey-West with {lags} lags, T/(T - k)",
            dof=T - k,
            notes=("neighbouring times err together: no sum over times gives this error",),
            given_se=float(np.sqrt(together / (T * (T - k)))),
        )

    level, slope = np.eye(k)[2], np.eye(k)[3]
    return Interruption(
        estimate(level, "change of level"),
        estimate(slope, "change of slope"),
        estimate(level + since[after == 1].mean() * slope, "mean effect from the start on"),
        z[:, [0, 1, *range(4, k)]] @ coefficients[[0, 1, *range(4, k)]],
    )


def _dates(time: Any, t: Array, start: float) -> Array:
    """Mark the times from the start on; refuse times that are no regular series."""
    steps = np.diff(t)
    if not (steps > 0).all() or np.ptp(steps) > 1e-9 * np.abs(t).max():
        raise ValueError(
            f"{label('time', time)} is not evenly spaced and rising: sort the rows of one unit, "
            "and number its times 1, 2, 3, ..."
        )
    if isinstance(start, bool) or not isinstance(start, (int, float, np.integer, np.floating)):
        raise ValueError(f"start is {start!r}: pass one number, the first time under treatment")
    after = (t >= start).astype(np.float64)
    if (after == 0).sum() < 3 or after.sum() < 2:
        raise ValueError(
            f"start {start!r} leaves {(after == 0).sum():.0f} times before it and "
            f"{after.sum():.0f} from it on: the lines need three and two at least"
        )
    return after
