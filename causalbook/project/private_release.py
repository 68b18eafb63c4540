"""Numbers that may leave the house: each answer randomised, or each sum with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, binary, dice, numbers, rows, same_length
from causalbook.estimate import Estimate

SQUARES = 0.2  # share of epsilon that goes to the sums of squares, for the interval


def randomised_response(y: Any, *, epsilon: float, seed: int) -> Array:
    r"""Let each user answer truly with probability p and the opposite else, before anyone sees it.

    $$P(R = y) = p = \frac{e^\varepsilon}{1 + e^\varepsilon}$$

    Whatever is reported, it is at most $e^\varepsilon$ times as probable with one truth as with the
    other: differential privacy for each answer, without anybody to trust.

    Parameters: `y` (n,) true answers 0 or 1; `epsilon` > 0. Returns the reports (n,), 0 or 1.
    Raises ValueError for other answers and an epsilon that is not positive.
    Source: Warner (1965); Dwork and Roth (2014, section 3.2).
    """
    truth = _answers("y", y)
    lie = dice(len(truth), seed, "randomised_response").random(len(truth)) >= _honesty(epsilon)
    reports: Array = np.where(lie, 1 - truth, truth)
    return reports


def debias(reports: Any, *, epsilon: float) -> Array:
    r"""Turn randomised answers into scores whose mean is that of the true ones.

    $$s_i = \frac{R_i - (1 - p)}{2p - 1}, \qquad \mathbb{E}[s_i \mid y_i] = y_i, \qquad
      Var(s_i \mid y_i) = \frac{p (1 - p)}{(2p - 1)^2}$$

    The scores go where outcomes go, into `mean_of` or `ab_test`: their spread counts the noise.

    Parameters: `reports` (n,) of `randomised_response`; `epsilon`, as there. Returns (n,) scores.
    Raises ValueError as `randomised_response` does. Source: Warner (1965).
    """
    p, r = _honesty(epsilon), _answers("reports", reports)
    return (r - (1 - p)) / (2 * p - 1)


@dataclass(frozen=True, eq=False)
class PrivateSums:
    r"""All that leaves the house of an experiment: two noisy sums for each arm, and the effect.

    $$\tilde S_a = \sum_{i: a_i = a} z_i + \mathrm{Lap}(b), \qquad
      \tilde Q_a = \sum_{i: a_i = a} z_i^2 + \mathrm{Lap}(b'), \qquad z_i = y_i - \tfrac{L + U}{2}$$

    Parameters
    ----------
    size : (2,) users in the arms 0 and 1, which are no secret
    total, squares : (2,) noisy sums of z and of its square
    low, high : L and U, the bounds of the outcome, fixed without a look at the data
    epsilon : the privacy loss of both sums together, for a change of one user's outcome
    """

    size: Array
    total: Array
    squares: Array
    low: float
    high: float
    epsilon: float

    @property
    def scales(self) -> tuple[float, float]:
        r"""Scales: $b = (U - L) / (.8\,\varepsilon)$, $b' = ((U - L)/2)^2 / (.2\,\varepsilon)$."""
        return _noise_scales(self.low, self.high, self.epsilon)

    def effect(self) -> Estimate:
        r"""Return the difference in means; its error counts the sampling and the noise.

        $$\hat\tau = \frac{\tilde S_1}{n_1} - \frac{\tilde S_0}{n_0}, \qquad
          \nu_a = \frac{2 b^2}{n_a^2}, \qquad
          \widehat{se}^2 = \sum_a \frac{\tilde Q_a / n_a - \tilde S_a^2 / n_a^2}{n_a - 1} + \nu_a$$

        Computed from the release alone, so it spends no more. Raises ValueError where the noise
        drowns the variance. Source: Dwork et al. (2006) for the noise; the variances add.
        """
        n = self.size
        mean, noise = self.total / n, 2 * (self.scales[0] / n) ** 2
        spread = self.squares / n - mean**2
        if (spread <= 0).any():
            raise ValueError(
                f"epsilon is {self.epsilon:g}: for {n.min():,.0f} users in an arm the noise is "
                "larger than the variance, so there is no interval; release fewer numbers, each "
                "with more of it"
            )
        se = math.sqrt((spread / (n - 1) + noise).sum())
        notes = (
            "released with noise, so no user's influence is known",
            f"epsilon {self.epsilon:g} for a change of one user's outcome; outcomes outside "
            f"{self.low:g} to {self.high:g} count as the bound, and how many is not told",
        )
        # No hash of the outcomes as its sample: against one, guesses can be tried.
        return Estimate(
            float(mean[1] - mean[0]),
            np.full(int(n.sum()), np.nan),
            "ATE of the bounded outcome",
            "difference in means, Laplace noise",
            notes=notes,
            given_se=se,
        )


def private_sums(y: Any, a: Any, *, low: float, high: float, epsilon: float) -> PrivateSums:
    r"""Release the sums of an experiment with differential privacy, through OpenDP.

    Who was treated is no secret, the outcomes are: neighbours differ in the outcome of one user,
    who is in one arm, so each arm may spend the whole of epsilon, .8 on the sum and .2 on the
    squares. The noise comes from the machine's source of chance and takes no seed: whoever knows
    the seed takes the noise away.

    Parameters
    ----------
    y : (n,) outcomes; they are moved to `low` or `high` where they lie outside, as asked
    a : (n,) 0 or 1, as randomised, independently between users
    low, high : bounds in the unit of y, from what a user can do and never from these data
    epsilon : the privacy loss, > 0

    Raises
    ------
    ValueError
        for NaN, treatments other than 0 and 1, arms of one user, bounds out of order.

    Source: Dwork, McSherry, Nissim and Smith (2006).
    """
    outcome, treated = numbers("y", y), binary("a", a)
    same_length(y=outcome, a=treated)
    b, b_squares = _noise_scales(low, high, epsilon)
    arms = [outcome[treated == arm] for arm in (0, 1)]
    if min(map(len, arms)) < 2:
        raise ValueError("a has an arm with one user: each arm needs two")
    half, middle = (high - low) / 2, (high + low) / 2
    total = [_noisy_sum(z - middle, -half, half, b) for z in arms]
    spread = [(np.clip(z, low, high) - middle) ** 2 for z in arms]
    squares = [_noisy_sum(z, 0.0, half**2, b_squares) for z in spread]
    size = np.array([len(z) for z in arms], dtype=np.float64)
    return PrivateSums(size, np.array(total), np.array(squares), low, high, epsilon)


def _noise_scales(low: float, high: float, epsilon: float) -> tuple[float, float]:
    """Return the scales of the Laplace noise on a sum and on a sum of squares."""
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"low is {low} and high {high}: pass the finite bounds of the outcome")
    _honesty(epsilon)
    return (high - low) / ((1 - SQUARES) * epsilon), ((high - low) / 2) ** 2 / (SQUARES * epsilon)


def _noisy_sum(z: Array, low: float, high: float, scale: float) -> float:
    return float(_measurement(len(z), low, high, scale)(z.tolist()))


def _measurement(n: int, low: float, high: float, scale: float) -> Any:
    """OpenDP's noisy sum of n values; `scale` is for exact sums, and grows by their rounding."""
    import opendp.prelude as dp

    dp.enable_features("contrib")  # all of OpenDP's constructors want this word
    space = (
        dp.vector_domain(dp.atom_domain(T=float, nan=False), size=n),
        dp.symmetric_distance(),
    )
    add_up: Any = dp.t.then_sum  # untyped
    summed = space >> dp.t.then_clamp((low, high)) >> add_up()
    moved = summed.map(2) / (high - low)  # one user out, one in; above 1 by what rounding adds
    chain: Any = summed >> dp.m.then_laplace(scale * moved)
    return chain


def _honesty(epsilon: float) -> float:
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon is {epsilon}: pass a positive number, such as 1")
    return 1 / (1 + math.exp(-epsilon))


def _answers(name: str, x: Any) -> Array:
    values = numbers(name, x)
    if (bad := (values != 0) & (values != 1)).any():
        raise ValueError(f"{name} is neither 0 nor 1 in {rows(bad)}: ask yes or no")
    return values
