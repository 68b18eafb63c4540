"""Matrix factorisation: what each user likes and each item has, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, dice
from causalbook.recommenders.classics import Recommender
from causalbook.recommenders.interactions import Ratings, as_ratings, pairs, refuse_settings

SPREAD = 0.1  # of the first factors
RATE = 0.1  # first step of Adam; the steps shrink to nothing along a cosine


@dataclass(frozen=True, eq=False)
class Factors(Recommender):
    """Fitted: mean, (n_users,) and (n_items,) biases, (n_users, dim) and (n_items, dim) factors."""

    mean: float
    user_bias: Array
    item_bias: Array
    user_factors: Array
    item_factors: Array

    def predict(self, user: Any, item: Any) -> Array:
        """Return the predicted rating of each pair, (m,) numbers each."""
        u, i = pairs(user, item, self.shape)
        inner = (self.user_factors[u] * self.item_factors[i]).sum(axis=1)
        rating: Array = self.mean + self.user_bias[u] + self.item_bias[i] + inner
        return rating

    def _scores(self, user: Ints) -> Array:
        inner = self.user_factors[user] @ self.item_factors.T
        table: Array = self.mean + self.user_bias[user, None] + self.item_bias + inner
        return table


@dataclass(frozen=True)
class MatrixFactorization:
    r"""Predict a rating by a mean, two biases and an inner product.

    $$\hat r_{ui} = \mu + b_u + b_i + p_u^\top q_i, \qquad
      L = \frac{1}{\sum_n w_n} \sum_n w_n \Big[\big(r_n - \hat r_{u_n i_n}\big)^2 + \lambda
      \big(b_{u_n}^2 + b_{i_n}^2 + \|p_{u_n}\|^2 + \|q_{i_n}\|^2\big)\Big]$$

    $\mu$ is the weighted mean of the ratings. L is minimised by Adam on all rows at once; only
    ratios of weights matter, and a row of weight 2 counts as two rows. Users and items without
    ratings have bias 0 and factors 0.

    Parameters: `dim` numbers for each user and item; `penalty` $\lambda$, 0 or more; `epochs`,
    steps of Adam; `seed` of the first factors. Dimension, penalty and steps were chosen on
    MovieLens (benchmarks/factorization.py).
    Raises ValueError for a `dim` or `epochs` that is no whole number from 1, a negative penalty.
    Source: Koren, Bell and Volinsky (2009); weights as in Schnabel et al. (2016).
    """

    dim: int = 20
    penalty: float = 0.15
    epochs: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_settings(self.dim, self.epochs, self.penalty)

    def fit(self, ratings: Any, weights: Any = None, *, shape: Any = None) -> Factors:
        """Learn biases and factors from ratings.

        Parameters: `ratings`, a DataFrame with the columns user, item (whole numbers from 0) and
        rating; `weights` (n,), positive, or None for ones; `shape` (n_users, n_items), or None for
        as many as the largest numbers say.
        Raises ValueError for labels that are no whole numbers from 0, NaN, weights that are not
        positive, numbers outside `shape`.
        """
        import torch

        data = as_ratings(ratings, weights, shape=shape)
        u, i = torch.tensor(data.user), torch.tensor(data.item)
        mu = float(np.average(data.rating, weights=data.weight))
        r = torch.tensor(data.rating - mu).float()
        w = torch.tensor(data.weight / data.weight.sum()).float()
        b_u, b_i, p, q = (torch.tensor(x).float().requires_grad_() for x in self._start(data))

        def loss() -> torch.Tensor:
            b, c, P, Q = b_u[u], b_i[i], p[u], q[i]
            error = r - b - c - (P * Q).sum(dim=1)
            size = b**2 + c**2 + (P**2).sum(dim=1) + (Q**2).sum(dim=1)
            return w @ (error**2 + self.penalty * size)

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same sums on every machine; at this size as fast as more
        try:
            adam = torch.optim.Adam([b_u, b_i, p, q], lr=RATE)
            smaller = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.epochs)
            for _ in range(self.epochs):
                adam.zero_grad()
                loss().backward()  # type: ignore[no-untyped-call]
                adam.step()
                smaller.step()
        finally:
            torch.set_num_threads(threads)
        fitted = [x.detach().double().numpy() for x in (b_u, b_i, p, q)]
        return Factors(data.shape, mu, *fitted)

    def _start(self, data: Ratings) -> list[Array]:
        """Biases of 0 and small random factors; all 0, and so for good, where nothing is rated."""
        rng, start = dice(self.dim, self.seed), []
        for index, size in zip((data.user, data.item), data.shape, strict=True):
            rated = np.bincount(index, minlength=size) > 0
            start.append(rng.normal(0, SPREAD, size=(size, self.dim)) * rated[:, None])
        return [np.zeros(size) for size in data.shape] + start
