"""Arrays in: one place that turns what a reader passes into numpy, or says what is wrong."""

from __future__ import annotations

import hashlib
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[Any]


def label(name: str, x: object) -> str:
    """Call the argument by its own name where it has one: ``reward ('click')`` for a Series."""
    own = getattr(x, "name", None)
    return f"{name} ({own!r})" if isinstance(own, str) and own != name else name


def rows(bad: Any) -> str:
    """Say how many rows are bad and where the first of them are."""
    where = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    first = ", ".join(map(str, where[:5])) + (", ..." if len(where) > 5 else "")
    return f"{len(where):,} of {len(bad):,} rows (first: {first})"


def as_array(name: str, x: Any) -> Labels:
    """Return x as an array as it is; refuse masked entries and rows of unequal length."""
    if np.ma.is_masked(x):
        raise ValueError(f"{label(name, x)} has masked entries: drop or fill them on purpose")
    try:
        return np.asarray(x)
    except ValueError as ragged:
        raise ValueError(f"{label(name, x)} has rows of unequal length: not a table") from ragged


def as_numbers(name: str, x: Any) -> Array:
    """Return x as float64 of any shape; refuse missing values and text."""
    called, array = label(name, x), as_array(name, x)
    if array.dtype.kind == "O":  # what pandas' nullable columns and Decimal give
        gaps = missing(array)
        if gaps.any():
            raise ValueError(
                f"{called} is missing in {rows(gaps)}: drop or model those rows on purpose"
            )
        if all(isinstance(value, (Number, np.bool_)) for value in array.flat):
            array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{called} holds {array.dtype} values, not numbers: convert them, for example with "
            "pandas.to_numeric"
        )
    return array.astype(np.float64, copy=False)


def numbers(name: str, x: Any, *, ndim: int = 1) -> Array:
    """Return x as float64 of ndim dimensions; refuse text, NaN, infinities and empty input."""
    called, values = label(name, x), as_numbers(name, x)
    if values.ndim != ndim:
        raise ValueError(f"{called} has {values.ndim} dimensions, needs {ndim}: pass one column")
    if values.size == 0:
        raise ValueError(f"{called} is empty, so nothing can be averaged: pass at least two rows")
    with np.errstate(invalid="ignore"):  # infinity less infinity
        total = values.sum()  # one cheap pass; the rows are looked up only when it fails
    if not np.isfinite(total):
        bad = ~np.isfinite(values)
        if bad.any():
            raise ValueError(
                f"{called} is NaN or infinite in {rows(bad)}: drop or model those rows on purpose"
            )
    return values


def same_length(**arrays: Labels | None) -> None:
    """Refuse arrays that do not have one entry for each row."""
    lengths = {name: len(a) for name, a in arrays.items() if a is not None}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {n:,}" for name, n in lengths.items())
        raise ValueError(f"unequal lengths: {found}; pass one entry for each row, in one order")


def binary(name: str, x: Any) -> Array:
    """Return a treatment of zeros and ones with units in both arms."""
    values = numbers(name, x)
    bad = (values != 0) & (values != 1)
    if bad.any():
        raise ValueError(
            f"{label(name, x)} is neither 0 nor 1 in {rows(bad)}: code the arms as 0/1"
        )
    if values.min() == values.max():
        raise ValueError(
            f"{label(name, x)} is {values[0]:.0f} in every row: an effect needs units in both arms"
        )
    return values


def design(name: str, X: Any) -> Array:
    """Return covariates as an (n, p) array, one column for a vector; no intercept is added.

    Parameters: `name` of the argument, for the error; `X` (n,), (n, p) or a DataFrame of numbers.
    Raises ValueError for NaN, text, more than two dimensions.
    """
    return numbers(name, X).reshape(-1, 1) if np.ndim(X) == 1 else numbers(name, X, ndim=2)


def names(X: Any) -> list[str]:
    """Names of the columns of X, or their numbers."""
    if hasattr(X, "columns"):
        return [repr(str(column)) for column in X.columns]
    own = getattr(X, "name", None)
    return [repr(own)] if own else [str(j) for j in range(1 if np.ndim(X) == 1 else np.shape(X)[1])]


def refuse_other_columns(X: Any, fitted: list[str]) -> None:
    """Refuse covariates with other columns than those fitted, by `names`, or in another order."""
    found = names(X)
    if len(found) != len(fitted):
        raise ValueError(f"X has {len(found)} columns, fitted were {len(fitted)}")
    if found != fitted and not any(name.isdigit() for name in found + fitted):
        raise ValueError(
            f"X has the columns {', '.join(found)}, fitted were {', '.join(fitted)}: pass the same "
            "ones, in the same order"
        )


def mask(where: Any, n: int) -> npt.NDArray[np.bool_]:
    """Return the rows to learn from as True and False; all of them for None."""
    if where is None:
        return np.ones(n, dtype=bool)
    use = np.asarray(where)
    if use.dtype != bool or use.shape != (n,):
        raise ValueError(
            f"{label('where', where)} has shape {use.shape} and type {use.dtype}: pass {n:,} "
            "True or False, such as a == 1"
        )
    if not use.any():
        raise ValueError(f"{label('where', where)} is False in every row: nothing to learn from")
    return use


def codes(name: str, x: Any) -> Ints:
    """Number the groups of x (any labels) 0, 1, 2, ...; refuse a missing label."""
    array = as_array(name, x)
    if array.ndim != 1:
        raise ValueError(f"{label(name, x)} has {array.ndim} dimensions, needs 1: pass the column")
    if array.dtype == np.int64 and _numbered(array):
        return array
    gaps = missing(array)
    if gaps.any():
        raise ValueError(f"{label(name, x)} is missing in {rows(gaps)}: give each row a group")
    if array.dtype.kind == "O":  # labels of several types have no order: number them as they come
        seen: dict[Any, int] = {}
        return np.array([seen.setdefault(value, len(seen)) for value in array], dtype=np.int64)
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _numbered(array: Labels) -> bool:
    """Tell whether the labels are 0, 1, 2, ... without gaps already."""
    inside = array.size > 0 and array.min() >= 0 and array.max() < len(array)
    return bool(inside and np.bincount(array).all())


def missing(array: Labels) -> npt.NDArray[np.bool_]:
    """Mark the entries that are NaN, NaT, None or pandas.NA."""
    if array.dtype.kind == "O":
        return np.asarray(np.frompyfunc(_gone, 1, 1)(array), dtype=bool)
    return np.asarray(array != array, dtype=bool)


def _gone(value: Any) -> bool:
    if value is None or type(value).__name__ == "NAType":  # pandas.NA answers no comparison
        return True
    return np.ndim(value) == 0 and bool(value != value)


def dice(n: Any, seed: Any, of: str = "") -> np.random.Generator:
    """Return the source of chance for n draws; refuse what is no number of draws and no seed.

    A simulator gives its name as `of`, so that its world is independent of what a reader draws from
    `default_rng(seed)` and of other worlds with the same seed.
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n is {n!r}: pass how many to draw, a whole number from 1")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed is {seed!r}: pass a whole number from 0, so that a draw repeats")
    return np.random.default_rng([seed, *of.encode()] if of else seed)


def as_frame(name: str, x: Any) -> Any:
    """Return x if it is a DataFrame; refuse what has no named columns."""
    if not hasattr(x, "columns"):
        raise ValueError(f"{name} is a {type(x).__name__}: pass a DataFrame, one row a unit")
    return x


def fingerprint(x: Labels) -> str:
    """Name the rows behind x: a short hash, equal only for the same values in the same order."""
    return hashlib.blake2b(np.ascontiguousarray(x).tobytes(), digest_size=8).hexdigest()
