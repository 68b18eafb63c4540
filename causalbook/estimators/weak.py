"""Weak instruments: the effects that the data do not reject, however little z moves a."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from causalbook.arrays import Array
from causalbook.estimators.partialled import parts

Interval = tuple[float, float]


def anderson_rubin(y: Any, a: Any, z: Any, X: Any = None, *, level: float = 0.95) -> list[Interval]:
    r"""All effects $\beta$ under which z explains nothing of $Y - \beta A$, as intervals.

    $$\Big\{\beta:\; g(\beta)'\,\Omega(\beta)^{-1} g(\beta) \le \chi^2_{k,\,level}\Big\}, \qquad
      g = \tilde Z'(\tilde Y - \beta \tilde A), \qquad
      \Omega = \sum_i \tilde Z_i \tilde Z_i'\,(\hat\rho_i - \beta\,\hat\eta_i)^2$$

    with $\hat\rho$ and $\hat\eta$ the residuals of Y and A given z and X. The test is robust to
    unequal variances (HC0), and its size does not depend on the strength of z: with n large the
    set covers the effect as often as `level` says, however weak the instrument. So it has to be
    unbounded at times. With one instrument it holds the estimate of `two_stage_least_squares`,
    and is bounded exactly where $F_{\mathrm{eff}}$ exceeds $\chi^2_{1,\,level}$ (3.84 at 95%).

    Where the inequality turns into an equation, $c\,\Omega(\beta) - g g'$ is singular: a quadratic
    eigenvalue problem, solved exactly, whose real roots are the ends of the intervals.

    Parameters: as in `two_stage_least_squares`; `level` between 0 and 1.
    Returns [(low, high)], two rays [(-inf, low), (high, inf)], the line [(-inf, inf)], or with
    several instruments the empty list (no effect fits all of them) and more than two intervals.
    Raises ValueError as `two_stage_least_squares` does, but takes an instrument that moves
    nothing: the set is then unbounded.
    Source: Anderson and Rubin (1949), there with equal variances; Andrews, Stock and Sun (2019).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
    from scipy.linalg import eigvals
    from scipy.special import gammaincinv

    p = parts(y, a, z, X)
    in_y, in_a = (math.sqrt(float(x @ x) / len(x)) or 1.0 for x in (p.y, p.a))
    basis, c = np.linalg.qr(p.z)[0], 2 * gammaincinv(len(p.z.T) / 2, level)
    # M(beta) = c Omega - g g' = m0 - beta m1 + beta^2 m2, with both columns in standard deviations:
    # in other units its parts may differ by more digits than a float has.
    m0, m1, m2 = _quadratic(basis, p.y / in_y, p.a / in_a, c)
    eye, none = np.eye(len(m0)), np.zeros_like(m0)
    roots = eigvals(np.block([[none, eye], [-m0, m1]]), np.block([[eye, none], [none, m2]]))
    ends = np.unique(roots.real[np.isfinite(roots)])  # a turn that is none does no harm
    found = _joined(ends, lambda beta: m0 - beta * m1 + beta**2 * m2)
    if not found and len(m0) == 1:  # y is beta a without remainder: both roots are that beta
        found = [(float(ends[0]), float(ends[-1]))]
    return [(low * in_y / in_a, high * in_y / in_a) for low, high in found]


def _quadratic(basis: Array, y: Array, a: Array, c: float) -> tuple[Array, Array, Array]:
    """Coefficients m0, m1, m2 of c Omega(beta) - g(beta) g(beta)', each (k, k)."""
    g_y, g_a = basis.T @ y, basis.T @ a
    rho, eta = y - basis @ g_y, a - basis @ g_a

    def omega(weight: Array) -> Array:
        sums: Array = basis.T @ (basis * weight[:, None])
        return sums

    cross = np.outer(g_y, g_a)
    return (
        c * omega(rho * rho) - np.outer(g_y, g_y),
        c * omega(2 * rho * eta) - cross - cross.T,
        c * omega(eta * eta) - np.outer(g_a, g_a),
    )


def _joined(ends: Array, matrix: Callable[[float], Array]) -> list[Interval]:
    """Join the stretches between the ends in which the matrix has no negative eigenvalue."""
    cuts, found = [-math.inf, *ends.tolist(), math.inf], list[Interval]()
    for low, high in pairwise(cuts):
        if math.isinf(low) and math.isinf(high):
            inside = 0.0
        elif math.isinf(low):
            inside = high - 1 - abs(high)
        elif math.isinf(high):
            inside = low + 1 + abs(low)
        else:
            inside = (low + high) / 2
        if np.linalg.eigvalsh(matrix(inside))[0] >= 0:
            if found and found[-1][1] == low:
                found[-1] = (found[-1][0], high)
            else:
                found.append((low, high))
    return found
