"""Looking at an experiment while it runs: intervals that hold at every look at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, binary, numbers, same_length

if TYPE_CHECKING:
    import pandas as pd

TIGHTEST = 10_000  # rows at which the sequence is as narrow as it can be


def confidence_sequence(y: Any, a: Any, *, level: float = 0.95) -> pd.DataFrame:
    r"""Asymptotic confidence sequence for the average effect: look as often as you like.

    $$\hat\tau_t \pm \widehat{se}_t \sqrt{\frac{2\,(t\rho^2 + 1)}{t\rho^2}
      \log\frac{\sqrt{t\rho^2 + 1}}{\alpha}}, \qquad \alpha = 1 - level$$

    with the difference in means and Welch's error of the first t rows, as in `ab_test`. With
    chance `level` (in the limit of a late first look) the intervals of *all* t hold the effect,
    so a stop at any moment, for any reason, leaves the error where it is. The price is width.
    rho is fixed so that the sequence is narrowest at 10,000 rows, where it is half as wide again as
    the interval of a single look; from 1,000 to 1,000,000 rows it is at most twice as wide.

    Parameters: `y` (n,) outcomes and `a` (n,) 0 or 1, one row for each randomised unit, in the
    order in which they arrived, drawn with the same chance throughout.
    Returns a DataFrame with `n`, `estimate`, `low`, `high`: one row for each n from the first at
    which both arms have seen their outcome vary (before, nothing is known of the error).
    Raises ValueError as `ab_test` does, and where an arm's outcome never varies.
    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), the Gaussian mixture applied
    to the influence values of the difference in means; Robbins (1970).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
    outcome, treated = numbers("y", y), binary("a", a)
    same_length(y=outcome, a=treated)
    mean1, square1 = _running(outcome, treated)
    mean0, square0 = _running(outcome, 1 - treated)
    constant = np.flatnonzero((square1 <= 0) | (square0 <= 0))
    start = int(constant[-1]) + 1 if len(constant) else 0
    if start == len(outcome):
        arm = int(square1[-1] <= 0)
        raise ValueError(
            f"y does not vary where a = {arm}, in {len(outcome):,} rows: nothing is known of "
            "the error yet; wait for more"
        )
    import pandas as pd

    t = np.arange(1, len(outcome) + 1)[start:]
    estimate = (mean1 - mean0)[start:]
    half = np.sqrt((square1 + square0)[start:]) * _multiplier(t, 1 - level)
    columns = {"n": t, "estimate": estimate, "low": estimate - half, "high": estimate + half}
    return pd.DataFrame(columns)


def _running(y: Array, member: Array) -> tuple[Array, Array]:
    """Mean of the members among the first t rows, and its squared error; 0 while nothing varies."""
    n = np.cumsum(member)
    first = float(y[member == 1][0])  # a constant arm then has squares of exactly zero
    shifted = (y - first) * member
    total, squares = np.cumsum(shifted), np.cumsum(shifted**2)
    mean = total / np.maximum(n, 1)
    spread = (squares - total * mean) / np.maximum(n - 1, 1)
    return first + mean, spread / np.maximum(n, 1)


def _multiplier(t: Any, alpha: float) -> Array:
    """How many standard errors the sequence reaches to each side after t rows."""
    u = 1.0
    for _ in range(100):  # the minimum of (u + 1)/u log((u + 1)/alpha^2), where u = rho^2 TIGHTEST
        u = math.log((u + 1) / alpha**2)
    v = u * np.asarray(t, dtype=np.float64) / TIGHTEST
    wide: Array = np.sqrt((v + 1) / v * np.log((v + 1) / alpha**2))
    return wide
