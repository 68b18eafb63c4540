"""Ratings in: one validation that every recommender shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, as_array, as_frame, missing, numbers, rows, same_length

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Ratings:
    """Checked ratings: (n,) users, items, ratings and weights; shape (n_users, n_items)."""

    user: Ints
    item: Ints
    rating: Array
    weight: Array
    shape: tuple[int, int]

    def matrix(self) -> csr_array:
        """Return the ratings as an (n_users, n_items) table, zero where there is none."""
        from scipy.sparse import csr_array

        cell = self.user * self.shape[1] + self.item
        seen, first = np.unique(cell, return_index=True)
        if len(seen) < len(cell):
            again = np.ones(len(cell), dtype=bool)
            again[first] = False
            raise ValueError(
                f"ratings names a user and an item again in {rows(again)}: keep one rating of each "
                "pair, such as ratings.groupby(['user', 'item'], as_index=False).mean()"
            )
        return csr_array((self.rating, (self.user, self.item)), shape=self.shape)


def as_ratings(ratings: Any, weights: Any = None, *, shape: Any = None) -> Ratings:
    """Check a table of ratings, one row each.

    Parameters: `ratings`, a DataFrame with the columns user and item (whole numbers from 0) and
    rating; `weights` (n,), positive, or None for ones; `shape` (n_users, n_items), or None for as
    many as the largest numbers say.
    Raises ValueError for a missing column, labels that are no whole numbers from 0, NaN, weights
    that are not positive, numbers outside `shape`.
    """
    frame = as_frame("ratings", ratings)
    absent = [column for column in ("user", "item", "rating") if column not in frame.columns]
    if absent:
        raise ValueError(f"ratings has no column {', '.join(absent)}: rename yours")
    user = ids("ratings['user']", frame["user"])
    item = ids("ratings['item']", frame["item"])
    rating = numbers("rating", frame["rating"])
    weight = np.ones(len(rating)) if weights is None else numbers("weights", weights)
    same_length(ratings=rating, weights=weight)
    if (weight <= 0).any():
        raise ValueError(
            f"weights is not positive in {rows(weight <= 0)}: leave rows that should not count out"
        )
    largest = (int(user.max()) + 1, int(item.max()) + 1)
    size = largest if shape is None else (int(shape[0]), int(shape[1]))
    ids("ratings['user']", user, size[0])
    ids("ratings['item']", item, size[1])
    return Ratings(user, item, rating, weight, size)


def ids(name: str, x: Any, size: int | None = None) -> Ints:
    """Return a column of numbers from 0, below `size` where it is given."""
    array = as_array(name, x)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: pass one column with a row or more")
    if missing(array).any():
        raise ValueError(f"{name} is missing in {rows(missing(array))}: drop those rows on purpose")
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} holds {array.dtype} values: number the labels from 0, for example "
            "number, labels = pandas.factorize(column)"
        )
    if (array < 0).any():
        raise ValueError(f"{name} is negative in {rows(array < 0)}: number from 0")
    if size is not None and (array >= size).any():
        raise ValueError(
            f"{name} is {size} or more in {rows(array >= size)}: the model knows the numbers 0 to "
            f"{size - 1}; fit it with a larger shape=(n_users, n_items)"
        )
    return array.astype(np.int64, copy=False)


def pairs(user: Any, item: Any, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    """Return users and items, (m,) each, that a model of this shape knows."""
    u, i = ids("user", user, shape[0]), ids("item", item, shape[1])
    same_length(user=u, item=i)
    return u, i


def unit_rows(name: str, x: Any) -> Array:
    """Return the rows of an (n, d) table at length 1; refuse a row of zeros."""
    vectors = numbers(name, x, ndim=2)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (length == 0).any():
        raise ValueError(
            f"{name} is all zero in {rows(length == 0)}: a cosine needs a direction; give such an "
            "item an attribute of its own, such as 'none known'"
        )
    unit: Array = vectors / length
    return unit


def refuse_settings(dim: Any, epochs: Any, penalty: Any) -> None:
    """Refuse settings of a factor model that are no number of factors, of steps, no penalty."""
    for name, value in {"dim": dim, "epochs": epochs}.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} is {value!r}: pass a whole number from 1")
    if not 0 <= penalty < np.inf:
        raise ValueError(f"penalty is {penalty!r}: pass a number from 0")
