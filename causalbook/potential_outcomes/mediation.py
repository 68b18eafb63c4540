"""Direct and indirect effects: how much of an effect passes through a mediator."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import (
    Array,
    Ints,
    Labels,
    as_array,
    binary,
    codes,
    fingerprint,
    label,
    missing,
    numbers,
    rows,
    same_length,
)
from causalbook.estimate import Estimate

FEW = 10  # a column with at most so many values is taken as discrete
SMALL = 5  # rows: a cell with fewer hardly shows how much its outcomes vary
CELLS = "mediation formula (cell means)"
LINEAR = "mediation formula (linear fits, a and m interact)"
NOTE = (
    "rests on what no data show: beyond a and X nothing moves both m and y, neither something "
    "unmeasured nor something that a itself changed"
)
HELD_NOTE = "rests on what no data show: nothing unmeasured moves both m and y"
ENDS = ((0, 0), (0, 1), (1, 0), (1, 1))  # (a, a')
Mean = tuple[float, Array]  # an estimated mean and the influence of each row on it
Fit = tuple[Array, Array]  # coefficients (k,) and the influence of each row on them (n, k)


def mediate(y: Any, a: Any, m: Any, X: Any = None) -> dict[str, Estimate]:
    r"""Total, natural direct and natural indirect effects by the mediation formula.

    $$\theta_{aa'} = E[Y(a, M(a'))] = \sum_x P(x) \sum_m E[Y \mid a, m, x]\, P(m \mid a', x)$$
    $$\begin{aligned}
      NDE &= \theta_{10} - \theta_{00}, & TNIE &= \theta_{11} - \theta_{10}, \\
      NIE &= \theta_{01} - \theta_{00}, & TNDE &= \theta_{11} - \theta_{01},
      \end{aligned} \qquad TE = \theta_{11} - \theta_{00} = NDE + TNIE = TNDE + NIE$$

    Where `m` and each column of `X` have at most ten values, E and P are means and shares of the
    cells (a, m, x), with the influence, $\eta(x) = \sum_m E[Y|a,m,x] P(m|a',x)$,

    $$\psi = \frac{1\{A{=}a\}}{P(a|X)} \frac{P(M|a',X)}{P(M|a,X)} (Y - E[Y|a,M,X])
      + \frac{1\{A{=}a'\}}{P(a'|X)} (E[Y|a,M,X] - \eta(X)) + \eta(X) - \theta_{aa'}.$$

    Otherwise they come from two least-squares fits, Y on 1, A, M, AM, X and M on 1, A, X, with the
    delta method. `method` says which it was.

    Parameters: `y` (n,) outcomes; `a` (n,) 0 or 1; `m` (n,) the mediator; `X` (n,) or (n, k), fixed
    before the treatment. Columns of few values may be labels.
    Returns the five effects by name, on the same rows: they add up, and may be subtracted.
    Raises ValueError without a mediator; for missing values, unequal lengths; if within x one arm
    has a value of m that the other lacks (an empty cell); if a fit is rank deficient. Warns where
    a cell has fewer than five rows.
    Source: Robins and Greenland (1992); Pearl (2001); Imai, Keele and Yamamoto (2010); the
    influence is the efficient one of Tchetgen Tchetgen and Shpitser (2012).
    """
    outcome, treated, columns = _read(y, a, m, X)
    if _few(columns):
        cells = _count(outcome, treated, columns)
        _refuse_empty(cells, np.broadcast_to(cells.n.sum(axis=0) > 0, cells.n.shape))
        theta, method = {ends: _crossed(cells, *ends) for ends in ENDS}, CELLS
    else:
        beta, gamma, C = _fits(outcome, treated, columns)
        theta, method = {ends: _line(beta, gamma, C, *ends) for ends in ENDS}, LINEAR

    def effect(name: str, high: tuple[int, int], low: tuple[int, int]) -> Estimate:
        notes = () if name == "TE" else (NOTE,)
        return _difference(theta[high], theta[low], outcome, name, method, notes)

    return {
        "TE": effect("TE", (1, 1), (0, 0)),
        "NDE": effect("NDE", (1, 0), (0, 0)),
        "NIE": effect("NIE", (0, 1), (0, 0)),
        "TNDE": effect("TNDE", (1, 1), (0, 1)),
        "TNIE": effect("TNIE", (1, 1), (1, 0)),
    }


def controlled_direct_effect(y: Any, a: Any, m: Any, at: Any, X: Any = None) -> Estimate:
    r"""Effect of the treatment with the mediator held at one value for everyone.

    $$CDE(m) = E[Y(1, m) - Y(0, m)] = \sum_x P(x) (E[Y \mid 1, m, x] - E[Y \mid 0, m, x])$$

    Parameters: as in `mediate`, by the same rule from cells or from the linear fit of Y, which then
    gives $\beta_A + m \beta_{AM}$; `at`, the value m.
    Raises ValueError as `mediate` does, and if `at` is not a value of m (for the linear fit: not
    between its smallest and largest).
    Source: Robins and Greenland (1992); Pearl (2001).
    """
    outcome, treated, columns = _read(y, a, m, X)
    name, notes = f"CDE({at})", (HELD_NOTE,)
    if _few(columns):
        cells = _count(outcome, treated, columns)
        if at not in cells.values[0]:
            raise ValueError(
                f"at is {at!r}, not a value of {label('m', m)}: pass one of {cells.values[0]}"
            )
        k = cells.values[0].index(at)
        needed = np.zeros(cells.n.shape, dtype=bool)
        needed[:, k] = True
        _refuse_empty(cells, needed)
        high, low = (_held(cells, arm, k) for arm in (1, 0))
        return _difference(high, low, outcome, name, "cell means", notes)
    (b, psi_b), _, _ = _fits(outcome, treated, columns)  # refuses labels
    if isinstance(at, str):
        raise ValueError(f"at is {at!r}, not a number: {label('m', m)} is fitted by a line")
    least, most = columns[0].min(), columns[0].max()
    if not least <= at <= most:
        raise ValueError(
            f"at is {at!r}, but {label('m', m)} goes from {least:g} to {most:g}: no row tells what "
            "happens elsewhere, pass a value between"
        )
    psi = psi_b[:, 1] + at * psi_b[:, 3]
    held = (float(b[1] + at * b[3]), psi), (0.0, np.zeros(len(psi)))
    return _difference(*held, outcome, name, "linear fit, a and m interact", notes)


def _read(y: Any, a: Any, m: Any, X: Any) -> tuple[Array, Ints, list[Labels]]:
    """Check what was passed; the columns are the mediator and then those of X."""
    if m is None:
        raise ValueError(
            "m is None: without data on the mediator no direct or indirect effect can be computed; "
            "record the mediator, or ask for the total effect alone (ab_test)"
        )
    outcome, treated = numbers("y", y), binary("a", a)
    table = np.empty((len(outcome), 0)) if X is None else as_array("X", X)
    if table.ndim not in (1, 2):
        raise ValueError(f"{label('X', X)} has {table.ndim} dimensions: pass one or two")
    columns = [_column("m", m), *(_column("X", c) for c in np.atleast_2d(table.T))]
    same_length(y=outcome, a=treated, m=columns[0], X=table)
    return outcome, treated.astype(np.int64), columns


def _column(name: str, x: Any) -> Labels:
    """Return one column of numbers or labels; refuse what is missing."""
    array = as_array(name, x)
    if array.ndim != 1:
        raise ValueError(f"{label(name, x)} has {array.ndim} dimensions, needs 1: pass one column")
    if array.dtype.kind in "biuf":
        numbers(name, x)
    elif (gaps := missing(array)).any():
        raise ValueError(
            f"{label(name, x)} is missing in {rows(gaps)}: drop or model those rows on purpose"
        )
    return array


def _few(columns: list[Labels]) -> bool:
    """Tell whether all columns are discrete: at most `FEW` values each."""
    return all(codes("", column).max() < FEW for column in columns)


@dataclass(frozen=True)
class _Cells:
    """The rows sorted into cells (a, m, x): their numbers n and mean outcomes mu, (2, K, J)."""

    y: Array
    a: Ints
    m: Ints
    x: Ints
    n: Array
    mu: Array
    values: tuple[list[Any], list[Any]]  # what the numbers of m and x stand for


def _count(y: Array, a: Ints, columns: list[Labels]) -> _Cells:
    m, *coded = (codes("", column) for column in columns)
    x = np.zeros_like(m)
    for column in coded:
        x = codes("", x * FEW + column)
    shape = (2, int(m.max()) + 1, int(x.max()) + 1)
    cell = np.ravel_multi_index((a, m, x), shape)
    n = np.bincount(cell, minlength=2 * shape[1] * shape[2]).reshape(shape).astype(np.float64)
    total = np.bincount(cell, weights=y, minlength=n.size).reshape(shape)
    mu = np.divide(total, n, out=np.zeros(shape), where=n > 0)
    first_m, first_x = (np.unique(code, return_index=True)[1] for code in (m, x))
    seen = [column[first_x].tolist() for column in columns[1:]]
    strata = [tuple(column[j] for column in seen) for j in range(len(first_x))]
    return _Cells(y, a, m, x, n, mu, (columns[0][first_m].tolist(), strata))


def _refuse_empty(cells: _Cells, needed: npt.NDArray[np.bool_]) -> None:
    """Refuse an empty cell where a mean is needed; warn of a small one."""
    empty = np.argwhere(needed & (cells.n == 0))
    if len(empty):
        found = "; ".join(_name(cells, *cell) for cell in empty[:3])
        raise ValueError(
            f"{len(empty)} of {needed.sum()} needed cells (a, m, x) are empty (first: {found}), so "
            "E[Y | a, m, x] is unknown there: merge values of m or of X, or ask for a "
            "controlled_direct_effect at a value of m that both arms have"
        )
    least = cells.n[needed].min()
    if least < SMALL:
        found = _name(cells, *np.argwhere(needed & (cells.n == least))[0])
        warnings.warn(
            f"cell {found} rests on {least:.0f} of {len(cells.y):,} rows: below {SMALL} its mean "
            "is fragile and the standard error too small; merge values of m or of X",
            stacklevel=3,
        )


def _name(cells: _Cells, a: int, m: int, x: int) -> str:
    stratum = f", x={cells.values[1][x]!r}" if cells.values[1][x] else ""
    return f"(a={a}, m={cells.values[0][m]!r}{stratum})"


def _crossed(cells: _Cells, a: int, b: int) -> Mean:
    r"""Mean $\theta_{ab}$ of Y(a, M(b)) from the cells."""
    n, mu, x = cells.n, cells.mu, cells.x
    n_x = n.sum(axis=1)  # (2, J): rows of each arm in each stratum
    p = n / n_x[:, None]  # P(m | a, x)
    e = n_x / n_x.sum(axis=0)  # P(a | x)
    eta = (mu[a] * p[b]).sum(axis=0)[x]
    theta = float(eta.mean())
    mean, ratio = mu[a, cells.m, x], p[b, cells.m, x] / p[a, cells.m, x]  # no row's cell is empty
    psi = (cells.a == a) / e[a, x] * ratio * (cells.y - mean)
    psi += (cells.a == b) / e[b, x] * (mean - eta) + eta - theta
    return theta, psi


def _held(cells: _Cells, a: int, k: int) -> Mean:
    """Mean of Y(a, m) with m at its k-th value for all, from the cells."""
    mean = cells.mu[a, k, cells.x]
    theta = float(mean.mean())
    share = cells.n[a, k] / cells.n.sum(axis=(0, 1))  # P(a, m | x)
    here = (cells.a == a) & (cells.m == k)
    return theta, here / share[cells.x] * (cells.y - mean) + mean - theta


def _fits(y: Array, a: Ints, columns: list[Labels]) -> tuple[Fit, Fit, Array]:
    """Least squares of Y on 1, A, M, AM, C and of M on 1, A, C, with C the centred X."""
    m, *covariates = (numbers("m" if i == 0 else "X", c) for i, c in enumerate(columns))
    C = np.array([c - c.mean() for c in covariates]).reshape(-1, len(y)).T
    one = np.ones(len(y))
    beta = _least_squares("y on 1, a, m, a m, X", np.c_[one, a, m, a * m, C], y)
    return beta, _least_squares("m on 1, a, X", np.c_[one, a, C], m), C


def _least_squares(called: str, W: Array, y: Array) -> Fit:
    r"""Coefficients, and the influence $(W'W/n)^{-1} w_i r_i$ of each row on them."""
    n, k = W.shape
    if n <= k:
        raise ValueError(
            f"the fit of {called} has {k} coefficients for {n} rows of y, so that no residual is "
            "left to tell its error: drop columns of X, or bring more rows"
        )
    scale = np.abs(W).max(axis=0)
    Q, R = np.linalg.qr(W / np.where(scale > 0, scale, 1))
    if np.abs(np.diag(R)).min() <= 1e-10 * np.abs(np.diag(R)).max():
        raise ValueError(
            f"the fit of {called} is rank deficient: a column is constant or follows from the "
            "others (does m vary in both arms?); drop it"
        )
    coefficients = np.linalg.solve(R, Q.T @ y) / scale
    residual = y - W @ coefficients
    return coefficients, np.linalg.solve(R, (Q * residual[:, None]).T).T * len(y) / scale


def _line(beta: Fit, gamma: Fit, C: Array, a: int, b: int) -> Mean:
    r"""Mean $\theta_{ab} = \beta_0 + \beta_1 a + (\beta_2 + \beta_3 a)(\gamma_0 + \gamma_1 b)$."""
    (bet, psi_b), (gam, psi_g) = beta, gamma
    m, slope = gam[0] + gam[1] * b, bet[2] + bet[3] * a
    psi = psi_b[:, :4] @ np.array([1, a, m, a * m]) + slope * (psi_g[:, :2] @ np.array([1, b]))
    psi += C @ (bet[4:] + slope * gam[2:])  # the mean of X is estimated too
    return float(bet[0] + bet[1] * a + slope * m), psi


def _difference(
    high: Mean, low: Mean, y: Array, estimand: str, method: str, notes: tuple[str, ...]
) -> Estimate:
    psi = high[1] - low[1]
    psi -= psi.mean()  # what rounding leaves where the outcomes are far from zero
    return Estimate(high[0] - low[0], psi, estimand, method, sample=fingerprint(y), notes=notes)
