"""The recommenders to beat: the popular, the neighbours of what you liked, and more of the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints
from causalbook.recommenders.interactions import as_ratings, ids, pairs, unit_rows
from causalbook.recommenders.ranking import top_k

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 512  # items whose neighbours are looked up at once: 40 MB for ten thousand items


@dataclass(frozen=True, eq=False)
class Recommender(ABC):
    """A fitted recommender: a score for each user and item, higher for what to show first."""

    shape: tuple[int, int]

    def scores(self, user: Any) -> Array:
        """Return the scores of all items for each user, (m,) numbers in, (m, n_items) out.

        Raises ValueError for users that the model does not know.
        """
        return self._scores(ids("user", user, self.shape[0]))

    def predict(self, user: Any, item: Any) -> Array:
        """Return the score of each pair of a user and an item, (m,) numbers each.

        Raises ValueError for users or items that the model does not know, unequal lengths.
        """
        u, i = pairs(user, item, self.shape)
        distinct, row = np.unique(u, return_inverse=True)
        return self._scores(distinct)[row, i]

    @abstractmethod
    def _scores(self, user: Ints) -> Array: ...


@dataclass(frozen=True, eq=False)
class Popularity(Recommender):
    """The same list for everybody: `count` (n_items,) ratings of each item."""

    count: Array

    def _scores(self, user: Ints) -> Array:
        return np.tile(self.count, (len(user), 1))


@dataclass(frozen=True, eq=False)
class Neighbours(Recommender):
    """Ratings (n_users, n_items) and likenesses (n_items, n_items), k in each row of the latter."""

    ratings: csr_array
    likeness: csr_array

    def _scores(self, user: Ints) -> Array:
        table: Array = (self.ratings[user] @ self.likeness.T).toarray()
        return table


@dataclass(frozen=True, eq=False)
class Content(Recommender):
    """Profiles (n_users, d) and items (n_items, d), both of length 1."""

    profile: Array
    items: Array

    def _scores(self, user: Ints) -> Array:
        table: Array = self.profile[user] @ self.items.T
        return table


def popularity(ratings: Any, *, shape: Any = None) -> Popularity:
    r"""Score each item by the number of its ratings.

    $$s_{ui} = \#\{n : i_n = i\}$$

    Parameters: `ratings`, a DataFrame with the columns user, item (whole numbers from 0), rating;
    `shape` (n_users, n_items), or None for as many as the largest numbers say.
    Raises ValueError for labels that are no whole numbers from 0, NaN, numbers outside `shape`.
    """
    data = as_ratings(ratings, shape=shape)
    count = np.bincount(data.item, minlength=data.shape[1]).astype(np.float64)
    return Popularity(data.shape, count)


def item_knn(ratings: Any, *, k: int = 20, shape: Any = None) -> Neighbours:
    r"""Score an item by the user's ratings of the k items that are most like it.

    $$s_{ui} = \sum_{j \in N_k(i)} \cos(R_{\cdot i}, R_{\cdot j})\, R_{uj}$$

    R is the table of ratings, 0 where there is none. An item without ratings is like no other.
    With user and item exchanged in `ratings` it is the user-based method: scores(items) is then
    the transpose of what users see.

    Parameters: `ratings`, `shape` as in `popularity`, each pair once; `k` neighbours of an item,
    without itself, ties to the lower number.
    Raises ValueError as `popularity`; for a pair of user and item that comes twice, another k.
    Source: Deshpande and Karypis (2004); Sarwar et al. (2001) for the likeness of items.
    """
    from scipy.sparse import csr_array

    data = as_ratings(ratings, shape=shape)
    R, n = data.matrix(), data.shape[1]
    length = np.sqrt(R.multiply(R).sum(axis=0))
    unit = csr_array(R.multiply(1 / np.where(length > 0, length, 1.0)))
    near, likeness = [], []
    for start in range(0, n, BLOCK):
        item = np.arange(start, min(start + BLOCK, n))
        cosine = (unit[:, item].T @ unit).toarray()
        itself = item[:, None] == np.arange(n)
        near.append(top_k(cosine, min(k, n), exclude=itself))
        likeness.append(np.take_along_axis(cosine, near[-1], axis=1) * (near[-1] >= 0))
    j = np.maximum(np.concatenate(near), 0)
    i = np.repeat(np.arange(n), j.shape[1])
    S = csr_array((np.concatenate(likeness).ravel(), (i, j.ravel())), shape=(n, n))
    return Neighbours(data.shape, R, S)


def content_based(ratings: Any, attributes: Any, *, shape: Any = None) -> Content:
    r"""Score an item by how much its attributes are like those of what the user rated.

    $$s_{ui} = \cos(w_u, x_i), \qquad w_u = \sum_j R_{uj} \frac{x_j}{\|x_j\|}$$

    A user without ratings has no profile, and all scores are 0.

    Parameters: `ratings` as in `popularity`, each pair once; `attributes` X (n_items, d): genres as
    zeros and ones, the encoding of a text; `shape` (n_users, n_items).
    Raises ValueError as `popularity`; for an item without attributes, or not one row an item.
    Source: Lops, de Gemmis and Semeraro (2011) on profiles; the weights are ours.
    """
    items = unit_rows("attributes", attributes)
    size = (as_ratings(ratings).shape[0], len(items)) if shape is None else shape
    data = as_ratings(ratings, shape=size)
    if data.shape[1] != len(items):
        raise ValueError(
            f"attributes has {len(items)} rows, shape has {data.shape[1]} items: give each item one"
        )
    w = data.matrix() @ items
    length = np.linalg.norm(w, axis=1, keepdims=True)
    return Content(data.shape, w / np.where(length > 0, length, 1.0), items)
