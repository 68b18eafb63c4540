"""The columns of an instrument's problem, less what the covariates explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, design, label, numbers, same_length
from causalbook.least_squares import partial_out

NOTHING_LEFT = 1e-12  # share of a column's variance that counts as rounding


@dataclass(frozen=True, eq=False)
class Parts:
    """Outcome (n,), treatment (n,), instruments (n, k), less what X and an intercept explain."""

    y: Array
    a: Array
    z: Array

    def first_stage(self) -> Array:
        """Coefficients (k,) of the treatment on the instruments."""
        return np.asarray(np.linalg.solve(self.z.T @ self.z, self.z.T @ self.a))


def parts(y: Any, a: Any, z: Any, X: Any) -> Parts:
    """Check the columns of an instrument's problem, and take X and the intercept out of them."""
    treatment, outcome, instruments = numbers("a", a), numbers("y", y), design("z", z)
    same_length(y=outcome, a=treatment, z=instruments)
    if treatment.min() == treatment.max():
        raise ValueError(
            f"a is {treatment[0]:g} in every row: an effect needs treatments that differ"
        )
    columns = _partial_out(np.column_stack([outcome, treatment, instruments]), X)
    _refuse_dependent(columns[:, 2:], instruments, label("z", z))
    return Parts(columns[:, 0], columns[:, 1], columns[:, 2:])


def _partial_out(columns: Array, X: Any) -> Array:
    """Return what X (n, p) and an intercept leave of the columns (n, m)."""
    n, m = columns.shape
    p = 0 if X is None else design("X", X).shape[1]
    if n <= p + m - 1:
        raise ValueError(
            f"{n} rows for {p + m - 1} coefficients (X, z and intercept): pass more rows, or fewer "
            "columns"
        )
    columns = columns - columns.mean(axis=0)
    return columns if X is None else partial_out(X, columns)


def _refuse_dependent(z: Array, raw: Array, called: str) -> None:
    """Refuse instruments of which X and the intercept, or the other instruments, leave nothing."""
    gram = z.T @ z
    left = np.diag(gram)
    spread = ((raw - raw.mean(axis=0)) ** 2).sum(axis=0)
    gone = left <= NOTHING_LEFT * (spread + np.finfo(float).eps * (raw**2).sum(axis=0))
    if gone.any():
        raise ValueError(
            f"{called} does not vary beyond what X explains ({gone.sum()} of {len(gone)} columns): "
            "a constant or a combination of covariates is no instrument; pass one that varies"
        )
    scale = np.sqrt(left)
    values = np.linalg.eigvalsh(gram / np.outer(scale, scale))
    if values[0] < NOTHING_LEFT * values[-1]:
        raise ValueError(
            f"{called} has columns that depend on each other: drop one of these instruments"
        )
