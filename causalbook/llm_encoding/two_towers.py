"""Two towers: what a user is after and what an item offers, learned from logged clicks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, as_frame, binary, dice, numbers, rows, same_length
from causalbook.recommenders.classics import Recommender
from causalbook.recommenders.interactions import ids, refuse_settings

if TYPE_CHECKING:
    import torch

HELD_OUT = 0.2  # of the users: they stop the training and calibrate
PATIENCE = 20  # steps without a better held-out loss
SPREAD = 0.1  # of the first A and B
RATE = 0.05  # first step of Adam


@dataclass(frozen=True, eq=False)
class TwoTowers(Recommender):
    r"""Fitted: a probability of a click for each user and item, $\sigma(c\,s_{ui} + d)$.

    `interest` (n_users, dim), `relevance` (n_items, dim), `item_bias` (n_items,); `slope` c and
    `level` d of the calibration; `held_out`, the users who were not trained on; `loss` (steps, 2),
    the cross-entropy in training and on the held-out users.
    """

    interest: Array
    relevance: Array
    item_bias: Array
    slope: float
    level: float
    held_out: Ints
    loss: Array

    def _scores(self, user: Ints) -> Array:
        s = self.interest[user] @ self.relevance.T + self.item_bias
        return _sigma(self.slope * s + self.level)


@dataclass(frozen=True)
class InterestRelevance:
    r"""Predict clicks by the inner product of what a user is after and what an item offers.

    $$s_{ui} = (A x_u)^\top (B v_i) + \beta^\top v_i + b_i + b_0, \qquad
      L = \frac{-1}{\sum_n w_n} \sum_n w_n \big[y_n \log p_n + (1 - y_n) \log(1 - p_n)\big]
      + \lambda\,\big(\|A\|^2 + \|B\|^2 + \|\beta\|^2 + \|b\|^2\big)$$

    with $p_n = \sigma(s_{u_n i_n})$ and the vectors x, v centred and of length 1 on average. Items
    that were never logged keep $b_i = 0$, so that their text alone speaks for them. With weights
    1 / (probability of having been shown), L is that of a log in which all items are shown equally
    often. L is minimised by Adam on all rows at once; a fifth of the users is held out, stops
    the training and calibrates: c and d of $\sigma(c\,s + d)$ maximise their weighted likelihood.
    It is a prediction of clicks on what is *shown*, no effect of showing.

    Parameters: `dim` of the inner product; `penalty` $\lambda \ge 0$; `epochs`, steps at most;
    `seed` of the first A and B and of the users held out.
    Raises ValueError for a `dim` or `epochs` that is no whole number from 1, a negative penalty.
    Source: Huang et al. (2013) for two towers; Schnabel et al. (2016) for weights; Platt (1999)
    for the calibration.
    """

    dim: int = 16
    penalty: float = 3e-4
    epochs: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_settings(self.dim, self.epochs, self.penalty)

    def fit(self, users: Any, items: Any, log: Any, weights: Any = None) -> TwoTowers:
        """Learn both towers from what was shown.

        Parameters: `users` (n_users, d) and `items` (n_items, d'), vectors of their texts; `log`, a
        DataFrame with the columns user and item (rows of those tables, whole numbers from 0) and
        click (0 or 1), one row for each item shown; `weights` (n,), positive, or None for ones.
        Raises ValueError for NaN, vectors that are all alike, numbers outside the tables, weights
        that are not positive, a log with clicks only or without any, a score that separates the
        held-out clicks from the misses. Warns where the held-out clicks do not rise with the score.
        """
        import torch

        x, v = _scaled("users", users), _scaled("items", items)
        u, i, y, w = _checked(log, weights, len(x), len(v))
        rng = dice(self.dim, self.seed)
        held = _held_out(u, y, rng)
        first = [rng.normal(0, SPREAD, (d, self.dim)) for d in (x.shape[1], v.shape[1])]
        start = [*first, np.zeros(v.shape[1]), np.zeros(len(v)), _logit(w @ y / w.sum())]
        towers = [torch.tensor(t).float().requires_grad_() for t in start]
        X, V = torch.tensor(x).float(), torch.tensor(v).float()
        parts = [_rows(part, u, i, y, w) for part in (~held, held)]

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same sums on every machine
        try:
            best, loss = self._descend(towers, X, V, parts)
        finally:
            torch.set_num_threads(threads)
        A, B, beta, own, bias = best
        interest, relevance, item_bias = x @ A, v @ B, v @ beta + own + bias
        s = (interest[u] * relevance[i]).sum(axis=1) + item_bias[i]
        slope, level = _calibration(s[held], y[held], w[held])
        if slope <= 0:
            warnings.warn(
                f"on the held-out users clicks do not rise with the score (slope {slope:.3g}): "
                "the vectors told nothing of the clicks; rank by popularity",
                stacklevel=2,
            )
        shape = len(x), len(v)
        fitted = interest, relevance, item_bias, slope, level, np.unique(u[held]), loss
        return TwoTowers(shape, *fitted)

    def _descend(
        self, towers: list[torch.Tensor], X: torch.Tensor, V: torch.Tensor, parts: list[Any]
    ) -> tuple[list[Array], Array]:
        """Minimise the training loss; return the towers that were best on the held-out users."""
        import torch

        adam = torch.optim.Adam(towers, lr=RATE)
        path, least, best = [], np.inf, towers
        for step in range(self.epochs):
            A, B, beta, own, bias = towers
            P, Q, c = X @ A, V @ B, V @ beta + own + bias
            fit, new = (_cross_entropy(P, Q, c, *part) for part in parts)
            path.append((float(fit.detach()), float(new.detach())))
            if path[-1][1] < least:
                least, since = path[-1][1], step
                best = [t.detach().clone() for t in towers]
            if step - since == PATIENCE:
                break
            size = sum((t**2).sum() for t in (A, B, beta, own))
            adam.zero_grad()
            (fit + self.penalty * size).backward()  # type: ignore[no-untyped-call]
            adam.step()
        return [t.double().numpy() for t in best], np.array(path)


def _cross_entropy(P: Any, Q: Any, c: Any, u: Any, i: Any, y: Any, w: Any) -> torch.Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    s = (P[u] * Q[i]).sum(dim=1) + c[i]
    loss: torch.Tensor = bce(s, y, weight=w, reduction="sum")
    return loss


def _rows(part: Any, u: Ints, i: Ints, y: Array, w: Array) -> list[Any]:
    """Return these rows of the log as tensors, their weights summing to 1."""
    import torch

    share = torch.tensor(w[part] / w[part].sum()).float()
    return [torch.tensor(u[part]), torch.tensor(i[part]), torch.tensor(y[part]).float(), share]


def _calibration(s: Array, y: Array, w: Array) -> tuple[float, float]:
    """Slope and level of a weighted logistic regression on the score, by Newton's method."""
    hit, miss = s[y == 1], s[y == 0]
    if hit.min() > miss.max() or hit.max() < miss.min():
        raise ValueError(
            f"the score separates the held-out clicks from the misses ({len(hit):,} and "
            f"{len(miss):,} rows), so that no slope of the calibration is the best: pass more "
            "rows, and see that no vector was made from the clicks"
        )
    z = np.column_stack([s, np.ones(len(s))])
    share = w / w.sum()
    b = np.array([0.0, _logit(share @ y)])
    for _ in range(50):
        p = _sigma(z @ b)
        slope = z.T @ (share * (y - p))
        curve = (z * (share * p * (1 - p))[:, None]).T @ z
        b = b + np.linalg.solve(curve + 1e-10 * np.eye(2), slope)
        if np.abs(slope).max() < 1e-12:
            break
    return float(b[0]), float(b[1])


def _logit(p: float) -> Any:
    return np.log(p / (1 - p))


def _sigma(z: Array) -> Array:
    p: Array = 0.5 * (1 + np.tanh(z / 2))  # does not overflow
    return p


def _scaled(name: str, table: Any) -> Array:
    """Centre vectors and divide them by one number, so that their length is 1 on average."""
    x = numbers(name, table, ndim=2)
    centred: Array = x - x.mean(axis=0)
    scale = float(np.sqrt((centred**2).sum(axis=1).mean()))
    if not scale > 1e-12:
        raise ValueError(f"{name} has {len(x):,} equal rows: vectors that are alike rank nothing")
    return centred / scale


def _checked(log: Any, weights: Any, n_users: int, n_items: int) -> tuple[Ints, Ints, Array, Array]:
    frame = as_frame("log", log)
    absent = [name for name in ("user", "item", "click") if name not in frame.columns]
    if absent:
        raise ValueError(f"log has no column {', '.join(absent)}: rename yours")
    at = []
    for name, size in (("user", n_users), ("item", n_items)):
        number = ids(f"log['{name}']", frame[name])
        if (number >= size).any():
            raise ValueError(
                f"log['{name}'] is {size} or more in {rows(number >= size)}: {name}s has a vector "
                f"for each of 0 to {size - 1}"
            )
        at.append(number)
    click = numbers("click", frame["click"])
    if click.min() == click.max():
        raise ValueError(
            f"log['click'] is {click[0]:g} in every row: a constant fits that, and nothing about "
            "users or items is learned; pass what was shown and not clicked as well"
        )
    click = binary("click", click)
    w = np.ones(len(click)) if weights is None else numbers("weights", weights)
    same_length(log=click, weights=w)
    if (w <= 0).any():
        raise ValueError(f"weights is not positive in {rows(w <= 0)}: drop rows that do not count")
    return at[0], at[1], click, w


def _held_out(u: Ints, y: Array, rng: np.random.Generator) -> Any:
    """Mark the rows of a fifth of the users; both parts need clicks and misses."""
    seen = rng.permutation(np.unique(u))
    held = np.isin(u, seen[: max(1, round(HELD_OUT * len(seen)))])
    for part in (held, ~held):
        if not part.any() or y[part].min() == y[part].max():
            raise ValueError(
                f"log has {len(seen)} users and {y.sum():.0f} clicks, too few to hold out a fifth "
                "of the users: both parts need clicks and misses"
            )
    return held
