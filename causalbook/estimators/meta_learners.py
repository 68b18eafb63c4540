"""Effects as a function of the covariates: the S-, T-, X-, R- and DR-learner, on any learner."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import (
    Array,
    as_numbers,
    binary,
    design,
    label,
    names,
    numbers,
    refuse_other_columns,
    rows,
    same_length,
)
from causalbook.cross_fitting import cross_fit, predictions, take
from causalbook.estimators.weighting import aipw
from causalbook.least_squares import gram, refuse_dependence, standardise
from causalbook.nuisance import Linear, Logit

Function = Callable[[Any], Array]


@dataclass(frozen=True, eq=False, repr=False)
class EffectModel:
    r"""A fitted function of the covariates, $\hat\tau(x)$. It has no standard error.

    Parameters: `method`, how it was learned; `effect`, the function; `columns` it was fitted on.
    Judge it on rows that it has not seen: by `qini`, `calibration` and `policy_value`.
    """

    method: str
    effect: Function
    columns: list[str]

    def predict(self, X: Any) -> Array:
        """Predict the effect for each row of `X`, (n,); raises ValueError for other columns."""
        design("X", X)
        refuse_other_columns(X, self.columns)
        return self.effect(X)

    def __repr__(self) -> str:
        return f"{self.method}: predict(X) gives effects"


def s_learner(X: Any, a: Any, y: Any, *, learner: Any = None) -> EffectModel:
    r"""One model of the outcome that has the treatment among its columns.

    $$\hat\tau(x) = \hat\mu(x, 1) - \hat\mu(x, 0), \qquad \mu(x, a) = E[Y \mid X{=}x, A{=}a]$$

    With `Linear()` the effect is the same for all: the coefficient of the treatment.

    Parameters: `X` (n, p) covariates from before the treatment; `a` (n,) 0 or 1; `y` (n,)
    outcomes; `learner`, an object with fit and predict (or predict_proba, for an outcome of 0 and
    1), by default `Linear()`; a copy is fitted.
    Raises ValueError for NaN, unequal lengths, one arm, a classifier whose target is not 0 and 1.
    Source: Künzel, Sekhon, Bickel and Yu (2019).
    """
    X, a, y = _checked(X, a, y)
    mu = _fit("learner", learner, _beside(X, a), y)

    def effect(x: Any) -> Array:
        return mu(_beside(x, np.ones(len(x)))) - mu(_beside(x, np.zeros(len(x))))

    return EffectModel("S-learner", effect, names(X))


def t_learner(X: Any, a: Any, y: Any, *, learner: Any = None) -> EffectModel:
    r"""Two models of the outcome, one for each arm.

    $$\hat\tau(x) = \hat\mu_1(x) - \hat\mu_0(x), \qquad \mu_a(x) = E[Y \mid X{=}x, A{=}a]$$

    Parameters and errors as in `s_learner`. Source: Künzel, Sekhon, Bickel and Yu (2019).
    """
    X, a, y = _checked(X, a, y)
    mu0, mu1 = (_fit("learner", learner, take(X, a == arm), y[a == arm]) for arm in (0, 1))
    return EffectModel("T-learner", lambda x: mu1(x) - mu0(x), names(X))


def x_learner(
    X: Any, a: Any, y: Any, *, e: Any = None, learner: Any = None, learner_tau: Any = None
) -> EffectModel:
    r"""Models of the effects that the other arm's outcome model imputes, weighted together.

    $$D^1_i = Y_i - \hat\mu_0(X_i) \;(A_i = 1), \qquad D^0_i = \hat\mu_1(X_i) - Y_i \;(A_i = 0),
      \qquad \hat\tau(x) = e(x)\, \hat\tau_0(x) + (1 - e(x))\, \hat\tau_1(x)$$

    with $\hat\tau_a$ the regression of $D^a$ on X in arm a. If few are treated, e is small, and
    the effect rests on $\hat\tau_1$, which borrows the outcome model of the many controls.

    Parameters: as in `s_learner`; `e`, the chance of treatment: a number between 0 and 1, or a
    learner of it (by default `Logit()`), since e is needed wherever the effect is predicted;
    `learner_tau` for the two effects, by default `Linear()`.
    Raises ValueError as `s_learner` does, and for e outside (0, 1).
    Source: Künzel, Sekhon, Bickel and Yu (2019).
    """
    X, a, y = _checked(X, a, y)
    share = _chance(e, X, a)
    (X0, Y0), (X1, Y1) = ((take(X, a == arm), y[a == arm]) for arm in (0, 1))
    mu0, mu1 = _fit("learner", learner, X0, Y0), _fit("learner", learner, X1, Y1)
    tau0 = _fit("learner_tau", learner_tau, X0, mu1(X0) - Y0)
    tau1 = _fit("learner_tau", learner_tau, X1, Y1 - mu0(X1))

    def effect(x: Any) -> Array:
        p = share(x)
        return p * tau0(x) + (1 - p) * tau1(x)

    return EffectModel("X-learner", effect, names(X))


def r_learner(
    X: Any,
    a: Any,
    y: Any,
    *,
    e: Any = None,
    learner: Any = None,
    learner_tau: Any = None,
    folds: Any = 5,
    seed: int = 0,
    cluster: Any = None,
) -> EffectModel:
    r"""Regression of the outcome's residual on the treatment's, with an effect that varies.

    $$\hat\tau = \arg\min_\tau \sum_i (u_i - v_i\, \tau(X_i))^2
      = \arg\min_\tau \sum_i v_i^2 \Big(\frac{u_i}{v_i} - \tau(X_i)\Big)^2, \qquad
      u_i = Y_i - \hat m(X_i), \quad v_i = A_i - \hat e(X_i)$$

    with $m(x) = E[Y \mid X{=}x]$ and e cross-fitted. A constant $\tau$ gives `partially_linear`.

    Parameters: as in `s_learner`; `e`, (n,) known chances of treatment, or a learner of them that
    is cross-fitted (by default `Logit()`); `learner` for m; `learner_tau` for the effect, an
    object whose fit takes `sample_weight`, by default least squares; `folds`, `seed`, `cluster`
    as in `cross_fit`.
    Raises ValueError as `s_learner` and `cross_fit` do, for e outside (0, 1), and for a
    `learner_tau` that takes no weights.
    Source: Nie and Wager (2021).
    """
    X, a, y = _checked(X, a, y)
    if (
        learner_tau is not None
        and "sample_weight" not in inspect.signature(learner_tau.fit).parameters
    ):
        raise ValueError(
            f"learner_tau is a {type(learner_tau).__name__} whose fit takes no sample_weight, and "
            "the R-learner is a weighted regression: pass one that does, or use dr_learner"
        )
    how = {"folds": folds, "seed": seed, "cluster": cluster}
    u = y - cross_fit(_or_linear(learner), X, y, **how)
    v = a - _chances(e, X, a, how)
    model = deepcopy(_WeightedLinear() if learner_tau is None else learner_tau)
    model.fit(X, u / v, sample_weight=v**2)
    return EffectModel("R-learner", lambda x: predictions(model, x), names(X))


def dr_learner(
    X: Any,
    a: Any,
    y: Any,
    *,
    e: Any = None,
    learner: Any = None,
    learner_tau: Any = None,
    folds: Any = 5,
    seed: int = 0,
    cluster: Any = None,
) -> EffectModel:
    r"""Regression on X of the scores that AIPW averages.

    $$\hat\varphi_i = \hat\mu_1(X_i) - \hat\mu_0(X_i)
      + \frac{A_i - \hat e_i}{\hat e_i (1 - \hat e_i)} \big(Y_i - \hat\mu_{A_i}(X_i)\big), \qquad
      \hat\tau(x) = \hat E[\hat\varphi \mid X{=}x]$$

    with e and $\mu_a$ cross-fitted. The mean of the scores is the estimate of `aipw`; given X
    their mean is the effect there, if e or the outcome models are right.

    Parameters: as in `r_learner`; `learner` for the outcome in each arm; `learner_tau` for the
    effect, by default `Linear()`, which then is the best line through the effects.
    Raises ValueError as `s_learner` and `cross_fit` do, and for e outside (0, 1).
    Source: Kennedy (2023, algorithm 1, here with folds that change places).
    """
    X, a, y = _checked(X, a, y)
    how = {"folds": folds, "seed": seed, "cluster": cluster}
    mu0, mu1 = (cross_fit(_or_linear(learner), X, y, where=a == arm, **how) for arm in (0, 1))
    average = aipw(y, a, _chances(e, X, a, how), mu0, mu1)
    tau = _fit("learner_tau", learner_tau, X, average.value + average.influence)
    return EffectModel("DR-learner", tau, names(X))


class _WeightedLinear:
    """Least squares with a weight for each row."""

    def fit(self, X: Any, target: Array, sample_weight: Array) -> None:
        z, self.center, self.scale = standardise(X, design("X", X))
        normal = gram(z, sample_weight)
        refuse_dependence(X, normal)
        self.b = np.linalg.solve(normal, z.T @ (sample_weight * target))

    def predict(self, X: Any) -> Array:
        found: Array = self.b[0] + (design("X", X) - self.center) / self.scale @ self.b[1:]
        return found


def _checked(X: Any, a: Any, y: Any) -> tuple[Any, Array, Array]:
    """Check the three; a frame stays one, so that learners and messages know its names."""
    x, treated, outcome = design("X", X), binary("a", a), numbers("y", y)
    same_length(X=x, a=treated, y=outcome)
    return X if hasattr(X, "columns") else x, treated, outcome


def _or_linear(learner: Any) -> Any:
    # Not `learner or Linear()`: an ensemble of scikit-learn has a length, and fails when asked.
    return Linear() if learner is None else learner


def _fit(name: str, learner: Any, X: Any, target: Array) -> Function:
    """Fit a copy of the learner; return what it predicts."""
    model = deepcopy(_or_linear(learner))
    if hasattr(model, "predict_proba") and not np.array_equal(np.unique(target), [0, 1]):
        raise ValueError(
            f"{name} gives probabilities of classes and its target is not 0 and 1: pass a regressor"
        )
    model.fit(X, target)
    return lambda x: predictions(model, x)


def _beside(X: Any, a: Array) -> Any:
    """Put the treatment beside the covariates, as the last column."""
    columns = np.column_stack([design("X", X), a])
    if not hasattr(X, "columns"):
        return columns
    import pandas as pd

    return pd.DataFrame(columns, columns=[*map(str, X.columns), "a"])


def _chance(e: Any, X: Any, a: Array) -> Function:
    """Return the chance of treatment as a function: a number for all, or what a learner finds."""
    if e is None or hasattr(e, "fit"):
        return _fit("e", Logit() if e is None else e, X, a)
    p = as_numbers("e", e)
    if p.ndim > 0 or not 0 < p < 1:
        raise ValueError(
            f"{label('e', e)} is no single number between 0 and 1: the effect is predicted for "
            "rows to come, so pass the lottery's chance, or a learner of it"
        )
    return lambda x: np.full(len(x), float(p))


def _chances(e: Any, X: Any, a: Array, how: dict[str, Any]) -> Array:
    """Return the chances of treatment of the rows, known or cross-fitted; in (0, 1)."""
    if e is None or hasattr(e, "fit"):
        p, called = cross_fit(Logit() if e is None else e, X, a, **how), "e, as its learner has it,"
    else:
        p, called = numbers("e", e), label("e", e)
    same_length(a=a, e=p)
    bad = (p <= 0) | (p >= 1)
    if bad.any():
        raise ValueError(
            f"{called} is outside (0, 1) in {rows(bad)}: where only one arm can occur there is no "
            "effect to learn; leave these rows out on purpose and say so"
        )
    return p
