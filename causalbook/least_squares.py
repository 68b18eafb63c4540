"""Standardised columns and their normal equations: what all linear fits share."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import Array, design, names, same_length

BLOCK = 4096  # rows that are multiplied at a time: they stay in the processor's cache
COLLINEAR = 1e-12  # eigenvalue of the correlation matrix below which columns are dependent


def standardise(X: Any, x: Array) -> tuple[Array, Array, Array]:
    """Columns of mean 0 and variance 1 after one of ones: units do not matter to the algebra.

    Parameters: `X` lends its names to messages; `x` (n, p) its values. Returns (n, p + 1) columns,
    the means and the standard deviations (p,).
    Raises ValueError for a constant column, or no more rows than columns.
    """
    if len(x) <= x.shape[1]:
        raise ValueError(
            f"X has {len(x)} rows for {x.shape[1] + 1} coefficients: pass more rows, or fewer "
            "columns"
        )
    center, scale = x.mean(axis=0), x.std(axis=0)
    still = scale <= 1e-12 * np.abs(center)
    if still.any():
        found = ", ".join(np.array(names(X))[still])
        raise ValueError(
            f"X is constant in column {found}: the intercept is added here, so drop the column"
        )
    z = np.empty((len(x), x.shape[1] + 1))
    z[:, 0] = 1
    np.divide(np.subtract(x, center, out=z[:, 1:]), scale, out=z[:, 1:])
    return z, center, scale


def gram(z: Array, w: Array | None = None) -> Array:
    """Sum of w z z' over the rows, block by block, so that memory does not double."""
    total = np.zeros((z.shape[1], z.shape[1]))
    for i in range(0, len(z), BLOCK):
        block = z[i : i + BLOCK]
        total += block.T @ (block if w is None else block * w[i : i + BLOCK, None])
    return total


def refuse_dependence(X: Any, normal: Array) -> None:
    """Refuse columns of X that depend on each other, by name; `normal` is their gram matrix."""
    values, directions = np.linalg.eigh(normal)
    if values[0] < COLLINEAR * values[-1]:
        involved = np.abs(directions[1:, 0]) > 0.1
        raise ValueError(
            f"X has columns that depend on each other ({', '.join(np.array(names(X))[involved])}): "
            "no data can tell their coefficients apart; drop one of them"
        )


def partial_out(X: Any, columns: Array) -> Array:
    """Return what X (n, p) and an intercept leave of the columns (n, m) (Frisch and Waugh).

    Raises ValueError as `standardise` and `refuse_dependence` do, and for unequal lengths.
    """
    x = design("X", X)
    same_length(y=columns, X=x)
    z = standardise(X, x)[0]
    normal = gram(z)
    refuse_dependence(X, normal)
    for _ in range(2):  # normal equations square the condition number; the second pass mends it
        columns = columns - z @ np.linalg.solve(normal, z.T @ columns)
    return columns
