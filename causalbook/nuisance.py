"""Nuisance functions: propensities and outcome regressions, with what estimating them adds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, binary, design, mask, names, numbers, same_length
from causalbook.cross_fitting import cross_fit, take
from causalbook.least_squares import BLOCK, gram, refuse_dependence, standardise

__all__ = ["Fitted", "Linear", "Logit", "cross_fit", "design", "linear", "logit"]

FLAT = 1e-9  # share of the information at the start below which a direction counts as lost


@dataclass(frozen=True, eq=False)
class Fitted:
    r"""Values of a fitted nuisance, and the influence of having fitted it.

    An estimator $\hat\theta = \frac1n \sum_i m(\eta_i)$ with $\eta_i = \eta(X_i; \hat\beta)$ moves
    with $\hat\beta$: to first order each row adds

    $$\frac1n \sum_j g_j \, \partial_\beta \eta_j \cdot
      \Big[-\frac1n \sum_j \partial_\beta s_j\Big]^{-1} s_i, \qquad g_j = m'(\eta_j)$$

    where $s_i$ is the score of row i in the fit of $\beta$.

    Parameters: `values` (n,) fitted values; `influence` takes g (n,), the derivative of the
    estimator's terms by the values, and returns what to add to the influence (n,).
    Source: Newey and McFadden (1994, section 6); Stefanski and Boos (2002).
    """

    values: Array
    influence: Callable[[Array], Array]


def logit(X: Any, a: Any, *, where: Any = None) -> Fitted:
    r"""Logistic regression of a binary treatment, fitted by maximum likelihood.

    $$e(x) = \frac{1}{1 + \exp(-\beta_0 - \beta^\top x)}, \qquad
      s_i = (A_i - e(X_i)) (1, X_i^\top)^\top$$

    Parameters: `X` (n, p) covariates without a column for the intercept; `a` (n,) 0 or 1;
    `where` (n,) True for the rows that are fitted (all rows are predicted).
    Raises ValueError as `Logit` does. Source: Cox (1958).
    """
    return _fitted(Logit(), X, "a", a, where)


def linear(X: Any, y: Any, *, where: Any = None) -> Fitted:
    r"""Linear regression of an outcome, fitted by least squares.

    $$\mu(x) = \beta_0 + \beta^\top x, \qquad s_i = (Y_i - \mu(X_i)) (1, X_i^\top)^\top$$

    Parameters: `X` (n, p) covariates without a column for the intercept; `y` (n,) outcomes;
    `where` (n,) True for the rows that are fitted, such as one arm (all rows are predicted).
    Raises ValueError as `Linear` does. Source: least squares; its influence is in `Fitted`.
    """
    return _fitted(Linear(), X, "y", y, where)


class _Model:
    """What the two learners share: a penalty, and coefficients of the columns as they came."""

    intercept: float
    coef: Array
    _center: Array  # predictions are taken from the middle of the data, where rounding is least
    _level: float

    def __init__(self, ridge: float = 0.0) -> None:
        if not 0 <= ridge < math.inf:
            raise ValueError(f"ridge is {ridge}: a penalty is a number from 0")
        self.ridge = float(ridge)

    def _keep(self, b: Any, center: Array, scale: Array) -> None:
        self.coef, self._center, self._level = b[1:] / scale, center, float(b[0])
        self.intercept = self._level - float(self.coef @ center)

    def _index(self, X: Any) -> Array:
        if not hasattr(self, "coef"):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit(X, target) first")
        x = design("X", X)
        if x.shape[1] != len(self.coef):
            raise ValueError(f"X has {x.shape[1]} columns, fitted were {len(self.coef)}")
        index: Array = (x - self._center) @ self.coef + self._level
        return index


class Linear(_Model):
    r"""Least squares, with a ridge penalty on the coefficients of standardised columns.

    $$\min_\beta \sum_i (Y_i - \beta_0 - \beta^\top Z_i)^2 + \lambda \lVert\beta\rVert^2, \qquad
      Z_{ij} = (X_{ij} - \bar X_j) / s_j$$

    Parameters: `ridge` $\lambda \ge 0$. After `fit`: `intercept`, `coef` (p,) in the units of X.
    Raises ValueError for columns that are constant or depend on each other (unless ridge > 0
    for the latter), fewer rows than coefficients, NaN, unequal lengths.
    Source: Hoerl and Kennard (1970) for the penalty.
    """

    def fit(self, X: Any, target: Any) -> Linear:
        """Fit to `X` (n, p) and `target` (n,); return the learner."""
        return self._fit(X, "target", target)

    def _fit(self, X: Any, name: str, target: Any) -> Linear:
        x, y = design("X", X), numbers(name, target)
        same_length(**{"X": x, name: y})
        z, center, scale = standardise(X, x)
        penalty = _penalty(self.ridge, z.shape[1])
        normal = gram(z)
        if self.ridge == 0:
            refuse_dependence(X, normal)
        b = np.linalg.solve(normal + penalty, z.T @ y)
        # One refinement: normal equations square the condition number, this takes it back.
        b += np.linalg.solve(normal + penalty, z.T @ (y - z @ b) - penalty @ b)
        self._keep(b, center, scale)
        return self

    def predict(self, X: Any) -> Array:
        """Predict the mean of the target, (n,)."""
        return self._index(X)

    def _slope(self, fitted: Array) -> Array:
        return np.ones_like(fitted)


class Logit(_Model):
    r"""Logistic regression by Newton's method, with a ridge penalty on standardised columns.

    $$\max_\beta \sum_i [A_i \eta_i - \log(1 + e^{\eta_i})] - \tfrac\lambda2 \lVert\beta\rVert^2,
      \qquad \eta_i = \beta_0 + \beta^\top Z_i$$

    Parameters: `ridge` $\lambda \ge 0$. After `fit`: `intercept`, `coef` (p,) in the units of X.
    Raises ValueError as `Linear` does, for a target with one value, and where the likelihood has
    no maximum: some combination of columns separates the two arms.
    Source: Cox (1958); Albert and Anderson (1984) on separation.
    """

    def fit(self, X: Any, target: Any) -> Logit:
        """Fit to `X` (n, p) and `target` (n,) of 0 and 1; return the learner."""
        return self._fit(X, "target", target)

    def _fit(self, X: Any, name: str, target: Any) -> Logit:
        x, a = design("X", X), binary(name, target)
        same_length(**{"X": x, name: a})
        z, center, scale = standardise(X, x)
        if self.ridge == 0:
            refuse_dependence(X, gram(z))
        b = _newton(z, a, _penalty(self.ridge, z.shape[1]), names(X))
        self._keep(b, center, scale)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of 0 and of 1, (n, 2)."""
        e = _expit(self._index(X))
        return np.column_stack([1 - e, e])

    def predict(self, X: Any) -> Array:
        """Probability of 1, (n,): not the class, whose mean would be no propensity."""
        return _expit(self._index(X))

    def _slope(self, fitted: Array) -> Array:
        return fitted * (1 - fitted)


def _fitted(learner: Linear | Logit, X: Any, name: str, target: Any, where: Any) -> Fitted:
    x, t = design("X", X), numbers(name, target)
    same_length(**{"X": x, name: t})
    use = mask(where, len(t))
    learner._fit(X if where is None else take(X, use), name, t[use])
    values = learner.predict(x)
    z = standardise(X, x)[0]
    residual = np.where(use, t - values, 0.0)
    slope = learner._slope(values)
    information = gram(z, np.where(use, slope, 0.0))

    def influence(g: Array) -> Array:
        moved = np.linalg.solve(information, z.T @ (slope * g))
        psi: Array = residual * (z @ moved)
        return psi

    return Fitted(values, influence)


def _newton(z: Array, a: Array, penalty: Array, columns: list[str]) -> Array:
    """Maximise the likelihood: quadratic convergence, steps halved where they overshoot."""
    b = np.zeros(z.shape[1])
    b[0] = math.log(a.mean() / (1 - a.mean()))
    start = len(a) * a.mean() * (1 - a.mean())
    level, score, information = _likelihood(z, a, b, penalty)
    for _ in range(100):
        _refuse_separation(information, start, columns)
        step = np.linalg.solve(information, score)
        gain = float(step @ score) / len(a)
        new = _likelihood(z, a, b + step, penalty)
        while new[0] < level - 1e-9 * abs(level):
            step /= 2
            new = _likelihood(z, a, b + step, penalty)
        b += step
        level, score, information = new
        if gain < 1e-14:  # what is left to gain after the step is of the order of its square
            return b
    raise ValueError(
        f"target: Newton's method has not converged in 100 steps (last gain {gain:.2g}); look for "
        "extreme values in X"
    )


def _likelihood(z: Array, a: Array, b: Array, penalty: Array) -> tuple[float, Array, Array]:
    """Log-likelihood, score and information at b, in one pass over the rows."""
    level, score, information = -float(b @ penalty @ b) / 2, -(penalty @ b), penalty.copy()
    for i in range(0, len(z), BLOCK):
        x, y = z[i : i + BLOCK], a[i : i + BLOCK]
        eta = x @ b
        e = _expit(eta)
        level += float(y @ eta - np.maximum(eta, 0).sum() - np.log1p(np.exp(-np.abs(eta))).sum())
        score += x.T @ (y - e)
        information += x.T @ (x * (e * (1 - e))[:, None])
    return level, score, information


def _refuse_separation(information: Array, start: float, columns: list[str]) -> None:
    """Refuse where the information has vanished in a direction: the estimate runs to infinity."""
    lowest, directions = np.linalg.eigh(information)
    if lowest[0] < FLAT * start:
        j = int(np.abs(directions[1:, 0]).argmax())
        raise ValueError(
            f"X separates the target: a combination of columns, mostly column {columns[j]}, tells "
            "some rows' target without error, so the likelihood has no maximum; drop or merge "
            "that column, or ask for Logit(ridge=1.0)"
        )


def _expit(eta: Array) -> Array:
    """Return 1 / (1 + exp(-eta)) without overflow, exact in both tails."""
    t = np.exp(-np.abs(eta))
    e: Array = np.where(eta > 0, 1.0, t) / (1 + t)
    return e


def _penalty(ridge: float, p: int) -> Array:
    penalty = np.diag(np.full(p, ridge))
    penalty[0, 0] = 0  # the intercept is free
    return penalty
