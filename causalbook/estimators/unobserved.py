"""What a confounder that nobody measured would have to be like to explain an effect away."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from causalbook.arrays import Array, as_frame, as_numbers, design, names, numbers, rows, same_length
from causalbook.nuisance import Linear

if TYPE_CHECKING:
    import pandas as pd


class EValue(NamedTuple):
    """E-values of a risk ratio: of the estimate, and of its limit nearer to 1 (None without)."""

    estimate: float
    limit: float | None


class OmittedVariable(NamedTuple):
    """What leaving out a variable did: the size of the bias, and the error with it included."""

    bias: Any
    se: Any


def e_value(rr: float, ci: tuple[float, float] | None = None) -> EValue:
    r"""How strong a confounder must be to explain a risk ratio away, on both of its sides.

    $$E = RR + \sqrt{RR\,(RR - 1)} \quad (RR \ge 1), \qquad
      RR \mapsto 1/RR \text{ first if } RR < 1$$

    A confounder U with risk ratios $RR_{AU}$ (how much more frequent one of its values is in one
    arm) and $RR_{UY}$ (by how much it multiplies the risk of the outcome) can produce at most
    $RR_{AU} RR_{UY} / (RR_{AU} + RR_{UY} - 1)$; E is where both are equal and this just suffices. A
    confounder with one of them larger may have the other smaller.

    Parameters: `rr`, a ratio of two risks, after adjustment for what was measured (not an odds
    ratio, unless the outcome is rare); `ci` = (low, high), its interval: `limit` is the E-value
    of the end nearer to 1, and 1 if the interval holds 1.
    Raises ValueError for a ratio that is not positive, an interval that does not hold `rr`.
    Source: VanderWeele and Ding (2017); Ding and VanderWeele (2016) for the bound.
    """
    ratio = _positive("rr", rr)
    if ci is None:
        return EValue(_e(ratio), None)
    low, high = (_positive("ci", limit) for limit in ci)
    if not low <= ratio <= high:
        raise ValueError(f"ci is ({low:g}, {high:g}) and does not hold rr = {ratio:g}: low, high")
    near = max(low, 1.0) if ratio > 1 else min(high, 1.0)
    return EValue(_e(ratio), _e(near))


def robustness_value(t: float, dof: float, *, q: float = 1.0, level: float | None = None) -> float:
    r"""Strength at which a confounder moves a regression coefficient to where it matters no more.

    $$RV = \tfrac12 \Big(\sqrt{f^4 + 4 f^2} - f^2\Big), \qquad
      f = q\,\frac{|t|}{\sqrt{dof}} - \frac{t^*_{level,\,dof-1}}{\sqrt{dof - 1}}$$

    with $t^* = 0$ without `level`, and RV = 0 where f < 0. A confounder that explains the share RV
    of what is left of the treatment, and the same share of what is left of the outcome, takes away
    the share q of the estimate (with `level`: so much that the interval reaches that far). One
    that explains less of *both* cannot. RV is a strength, not a probability.

    Where $q |t| / \sqrt{dof} > \sqrt{dof - 1} / t^*$, a confounder does most harm while explaining
    less of the outcome than of the treatment, and $RV = (f_q^2 - f_*^2) / (1 + f_q^2)$, with $f_q$
    and $f_*$ the two terms of f (without `level` this never arises).

    Parameters: `t`, the coefficient over its *classical* standard error (the algebra is that of
    least squares: a robust error does not fit it); `dof`, residual degrees of freedom of that
    regression, above 1; `q` > 0, the share of the estimate to take away; `level` of confidence, or
    None for the estimate itself.
    Raises ValueError for what is no such number. Source: Cinelli and Hazlett (2020); the last
    formula is the one of their package sensemakr.
    """
    f_q = _positive("q", q) * abs(_finite("t", t)) / math.sqrt(_dof(dof))
    f_t = _critical(level, dof)
    if f_q <= f_t:
        return 0.0
    if f_q * f_t > 1:
        return (f_q**2 - f_t**2) / (1 + f_q**2)
    f = f_q - f_t
    return (math.sqrt(f**4 + 4 * f**2) - f**2) / 2


def omitted_variable_bias(se: float, dof: float, *, r2_a: Any, r2_y: Any) -> OmittedVariable:
    r"""Bias of a regression coefficient from leaving out a variable of given strength.

    $$|bias| = \widehat{se}\,\sqrt{dof}\,\sqrt{\frac{R^2_{Y \sim U | A, X}\; R^2_{A \sim U | X}}
                                                   {1 - R^2_{A \sim U | X}}}, \qquad
      \widehat{se}_U = \widehat{se}\,\sqrt{\frac{1 - R^2_{Y \sim U | A, X}}{1 - R^2_{A \sim U | X}}}
                       \sqrt{\frac{dof}{dof - 1}}$$

    Both are identities of least squares, not approximations: for a variable at hand they give the
    coefficient and the error of the longer regression. For several variables together the bias is
    at most so large. Its sign is not told.

    Parameters: `se`, the classical standard error of the treatment's coefficient; `dof`, residual
    degrees of freedom, above 1; `r2_a` in [0, 1), `r2_y` in [0, 1], shares of what is left of the
    treatment and of the outcome that the variable explains (numbers, or arrays for a contour).
    Returns `(bias, se)`, with the shapes of the shares.
    Raises ValueError for shares outside their range, `se` or `dof` that are no such number.
    Source: Cinelli and Hazlett (2020).
    """
    error, n = _positive("se", se), _dof(dof)
    ra, ry = _shares("r2_a", r2_a, below=True), _shares("r2_y", r2_y, below=False)
    bias = error * math.sqrt(n) * np.sqrt(ry * ra / (1 - ra))
    return OmittedVariable(bias, error * np.sqrt((1 - ry) / (1 - ra)) * math.sqrt(n / (n - 1)))


def benchmark(
    y: Any, a: Any, X: Any, *, covariate: str | Sequence[str], k: float | Sequence[float] = 1.0
) -> pd.DataFrame:
    r"""What a confounder k times as strong as an observed covariate would leave of the coefficient.

    $$R^2_{A \sim U|X} = k\,\frac{r_a}{1 - r_a}, \qquad
      R^2_{Y \sim U|A,X} \le \frac{r_y}{1 - r_y}
        \left(\frac{\sqrt{k} + \sqrt{\eta}}{\sqrt{1 - \eta}}\right)^2, \qquad
      \eta = \frac{k\,r_a^2}{(1 - k\,r_a)(1 - r_a)}$$

    with $r_a$ and $r_y$ the shares of what the *other* covariates leave of A, and of what they and
    A leave of Y, that the covariate explains; k compares U with it in the same two shares. ($\eta$
    is the share of U that the covariate explains once A and the others are known.) U is taken as
    unrelated to X: what of it X tells is adjusted for already.

    Parameters: `y` (n,); `a` (n,) treatment, two values or many; `X` (n, p) DataFrame of covariates
    from *before* the treatment, without an intercept; `covariate`, the name of a column, or a list
    of names that count as one; `k` > 0, one or several. A covariate that the treatment moves, or a
    collider, says nothing about a confounder.
    Returns a table, a row for each k: covariate, k, r2_a, r2_y (the bound), estimate and se, as
    they would be with U included, if U's bias points away from zero.
    Raises ValueError for NaN, unequal lengths, unknown names, columns that depend on each other, an
    outcome or a treatment that the rest tells, a k that no confounder can have. Warns where the
    bound on r2_y exceeds 1, and takes 1.
    Source: Cinelli and Hazlett (2020), and their package sensemakr, whose numbers these are.
    """
    import pandas as pd

    several = np.iterable(covariate) and not isinstance(covariate, str)
    group = list(covariate) if several else [covariate]
    unknown = set(group) - set(as_frame("X", X).columns)
    if unknown or not group:
        raise ValueError(f"covariate is {covariate!r}: name columns of X ({', '.join(names(X))})")
    outcome, treatment, x = numbers("y", y), numbers("a", a), design("X", X)
    same_length(y=outcome, a=treatment, X=x)
    dof = len(outcome) - x.shape[1] - 2
    if dof < 2:
        raise ValueError(f"X has {x.shape[1]} columns for {len(outcome)} rows: pass more rows")
    Linear().fit(X, treatment)  # refuses columns that are constant or depend on each other, by name
    x, own = (x - x.mean(axis=0)) / x.std(axis=0), np.isin(np.asarray(X.columns), group)
    others = np.column_stack([np.ones(len(x)), x[:, ~own]])
    left = _residuals(others, np.column_stack([outcome, treatment, x[:, own]]))
    y_, a_, x_ = left[:, :1], left[:, 1:2], left[:, 2:]
    if _ssr(x_, a_) <= 1e-20 * float(treatment @ treatment):
        raise ValueError("a does not vary once X is known: there is nothing to compare")
    r_a = 1 - _ssr(x_, a_) / _ssr(None, a_)
    of_a, of_y = _residuals(x_, a_)[:, 0], _residuals(x_, y_)[:, 0]
    value = float(of_a @ of_y / (of_a @ of_a))
    noise = of_y - value * of_a
    if noise @ noise <= 1e-20 * float(outcome @ outcome):
        raise ValueError("y does not vary once a and X are known: nothing is left to explain")
    r_y = 1 - float(noise @ noise) / _ssr(a_, y_)
    se = math.sqrt(noise @ noise / dof / (of_a @ of_a))
    table = []
    for times in [_positive("k", each) for each in np.atleast_1d(as_numbers("k", k))]:
        r2_a, r2_y = _bounds(times, r_a, r_y)
        bias, error = omitted_variable_bias(se, dof, r2_a=r2_a, r2_y=r2_y)
        adjusted = math.copysign(1, value) * (abs(value) - bias)
        table.append((" + ".join(map(str, group)), times, r2_a, r2_y, adjusted, error))
    return pd.DataFrame(table, columns=["covariate", "k", "r2_a", "r2_y", "estimate", "se"])


def _bounds(k: float, r_a: float, r_y: float) -> tuple[float, float]:
    """Shares that a confounder k times as strong as the covariate explains, at most."""
    r2_a = k * r_a / (1 - r_a)
    eta = k * r_a**2 / ((1 - k * r_a) * (1 - r_a)) if k * r_a < 1 else 1.0
    if r2_a >= 1 or eta >= 1:
        raise ValueError(
            f"k is {k:g}: the covariate explains {r_a:.3g} of the treatment, so nothing unrelated "
            "to X can be so many times as strong; pass a smaller k"
        )
    r2_y = ((math.sqrt(k) + math.sqrt(eta)) / math.sqrt(1 - eta)) ** 2 * r_y / (1 - r_y)
    if r2_y > 1:
        warnings.warn(
            f"k is {k:g}: the bound on r2_y is {r2_y:.3g}, taken as 1, all that there is to "
            "explain; the covariate is too strong to benchmark with at this k",
            stacklevel=3,
        )
    return r2_a, min(r2_y, 1.0)


def _residuals(columns: Array, targets: Array) -> Array:
    """What a regression on the columns leaves of each target."""
    gram, left = columns.T @ columns, targets
    for _ in (1, 2):  # normal equations square the condition number: the second pass takes it back
        left = left - columns @ np.linalg.solve(gram, columns.T @ left)
    return left


def _ssr(columns: Array | None, target: Array) -> float:
    return float(((target if columns is None else _residuals(columns, target)) ** 2).sum())


def _e(rr: float) -> float:
    rr = max(rr, 1 / rr)
    return rr + math.sqrt(rr * (rr - 1))


def _critical(level: float | None, dof: float) -> float:
    if level is None:
        return 0.0
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: pass a share between 0 and 1, such as 0.95")
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, dof - 1)) / math.sqrt(dof - 1)


def _finite(name: str, x: Any) -> float:
    value = as_numbers(name, x)
    if value.ndim or not math.isfinite(value):
        raise ValueError(f"{name} is {x!r}: pass one finite number")
    return float(value)


def _positive(name: str, x: Any) -> float:
    value = _finite(name, x)
    if value <= 0:
        raise ValueError(f"{name} is {value:g}: pass a positive number")
    return value


def _dof(x: Any) -> float:
    dof = _finite("dof", x)
    if dof <= 1:
        raise ValueError(f"dof is {dof:g}: pass residual degrees of freedom, more than 1")
    return dof


def _shares(name: str, x: Any, *, below: bool) -> Any:
    r2 = as_numbers(name, x)
    bad = ~((r2 >= 0) & ((r2 < 1) if below else (r2 <= 1)))
    if bad.any():
        found = f"{x!r}" if not r2.ndim else f"outside in {rows(bad)}"
        raise ValueError(f"{name} is {found}: pass shares from 0 to {'below ' * below}1")
    return float(r2) if not r2.ndim else r2
