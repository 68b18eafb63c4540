"""Testing on data what a graph says of them: its implied independences, one by one."""

from __future__ import annotations

import warnings
from math import atanh, nan, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array, as_frame
from causalbook.potential_outcomes import holm

if TYPE_CHECKING:
    import pandas as pd

    from causalbook.causal_graphs.dag import Graph

Result = tuple[
    str, float, float, float, float
]  # test, statistic, dof, p-value, share of thin cells
THIN = 5  # expected rows in a cell under which the chi-square law is rough


def check_independences(graph: Graph, frame: pd.DataFrame) -> pd.DataFrame:
    r"""Test each independence that the graph implies, x ⊥ y | S, on data.

    $$z = \operatorname{artanh}(r)\sqrt{n - |S| - 3} \qquad
      \chi^2 = \sum_s \sum_{ij} (n_{ijs} - e_{ijs})^2 / e_{ijs}, \quad
      e_{ijs} = n_{i \cdot s}\, n_{\cdot js} / n_{\cdot\cdot s}$$

    The rule: if one of the columns x, y, S holds floats, all are taken as numbers and r is the
    partial correlation (Fisher's z, two-sided); if none does, all are taken as categories and
    chi-squares of x by y are summed over the strata of S, with their degrees of freedom.
    Parameters: `frame`, one row for each unit, a column for each observed node.
    Returns one row for each of `graph.independences()`: independence, test, statistic, dof,
    pvalue, and holm, the p-value adjusted for the number of tests (Holm 1979). A stratum in which
    x or y takes one value says nothing and has dof 0; where all do, the p-value is NaN. Warns
    where more than a fifth of the cells expect fewer than 5 rows.
    Raises ValueError for missing columns and values, for a constant x or y, for a float column
    tested with one that holds no numbers, for too few rows, for an x or y that S determines.
    No rejection is no proof of an independence. Fisher's z trusts that x and y are linear in S:
    where they are not, it can refute a graph that is right.
    Source: Pearson (1900); Fisher (1922, degrees of freedom; 1924, z).
    """
    import pandas as pd

    named = set(as_frame("frame", frame).columns)
    if missing := [name for name in graph.observed if name not in named]:
        raise ValueError(f"frame lacks the columns {', '.join(missing)}, observed in the graph")
    rows, thin = [], []
    for found in graph.independences():
        columns = frame[[found.x, found.y, *sorted(found.given)]]
        _refuse(columns)
        if any(pd.api.types.is_float_dtype(kind) for kind in columns.dtypes):
            test, statistic, dof, p, share = _fisher_z(columns)
        else:
            test, statistic, dof, p, share = _chi_square(columns)
        thin += [str(found)] if share > 0.2 else []
        rows.append((found, test, statistic, dof, p))
    if thin:
        warnings.warn(
            f"more than a fifth of the cells expect fewer than {THIN} rows for {'; '.join(thin)}: "
            "take these p-values for rough, or pool rare values",
            stacklevel=2,
        )
    table = pd.DataFrame(rows, columns=["independence", "test", "statistic", "dof", "pvalue"])
    return table.assign(holm=_holm(table["pvalue"].to_numpy(dtype=float)))


def _refuse(columns: pd.DataFrame) -> None:
    for name in columns.columns:
        if empty := int(columns[name].isna().sum()):
            raise ValueError(f"frame has {empty} missing values in {name}: say what they mean")
    for name in columns.columns[:2]:
        if columns[name].nunique() < 2:
            raise ValueError(
                f"frame has a constant column, {name}: what does not vary is independent of all"
            )


def _fisher_z(columns: pd.DataFrame) -> Result:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    for name in columns.columns:
        if not (is_numeric_dtype(columns[name]) or is_bool_dtype(columns[name])):
            raise ValueError(
                f"frame holds no numbers in {name}, and floats in another of "
                f"{', '.join(columns.columns)}: bin the floats, or code {name} as numbers"
            )
    values = columns.to_numpy(dtype=float)
    n, size = len(values), values.shape[1] - 2
    if n <= size + 3:
        raise ValueError(f"frame has {n} rows: Fisher's z given {size} columns needs {size + 4}")
    S = np.column_stack([np.ones(n), values[:, 2:]])
    residuals: Array = values[:, :2] - S @ np.linalg.lstsq(S, values[:, :2])[0]
    norms = np.sqrt((residuals**2).sum(axis=0))
    spread = np.sqrt(((values[:, :2] - values[:, :2].mean(axis=0)) ** 2).sum(axis=0))
    for name, norm, all_of_it in zip(columns.columns, norms, spread, strict=False):
        if norm <= 1e-9 * all_of_it:
            given = ", ".join(columns.columns[2:])
            raise ValueError(f"frame has {name} as a linear function of {given}: nothing to test")
    r = float(residuals[:, 0] @ residuals[:, 1] / norms.prod())
    if abs(r) >= 1 - 1e-12:
        return "Fisher's z", float(np.copysign(np.inf, r)), nan, 0.0, 0.0
    z = atanh(r) * sqrt(n - size - 3)
    return "Fisher's z", z, nan, 2 * NormalDist().cdf(-abs(z)), 0.0


def _chi_square(columns: pd.DataFrame) -> Result:
    import pandas as pd
    from scipy.stats import chi2

    given = list(columns.columns[2:])
    x, y = (pd.factorize(columns.iloc[:, k])[0] for k in (0, 1))
    s = columns.groupby(given, observed=True).ngroup() if given else np.zeros(len(x), int)
    counts: Array = np.zeros((np.max(s) + 1, x.max() + 1, y.max() + 1))
    np.add.at(counts, (s, x, y), 1)
    rows, cols = counts.sum(axis=2, keepdims=True), counts.sum(axis=1, keepdims=True)
    expected = rows * cols / counts.sum(axis=(1, 2), keepdims=True)
    squares = (counts - expected) ** 2 / np.where(expected > 0, expected, 1)
    dofs = ((rows > 0).sum(axis=(1, 2)) - 1) * ((cols > 0).sum(axis=(1, 2)) - 1)
    cells = expected[dofs > 0]
    cells = cells[cells > 0]  # a value that a stratum lacks is no cell of it
    dof, name = int(dofs.sum()), "chi-square"
    if not dof:
        return name, nan, 0, nan, 0.0
    statistic = float(squares[dofs > 0].sum())
    return name, statistic, dof, float(chi2.sf(statistic, dof)), float(np.mean(cells < THIN))


def _holm(p: Array) -> Array:
    """Adjust the p-values that are there for their number."""
    adjusted, asked = np.full(len(p), nan), ~np.isnan(p)
    if asked.any():
        adjusted[asked] = holm(p[asked])
    return adjusted
