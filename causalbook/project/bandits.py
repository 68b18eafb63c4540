"""Policies that learn while they run, each as the probabilities that it plays with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from causalbook.arrays import Array

PIECES = np.array([-9.0, -4.0, -1.5, 1.5, 4.0, 9.0])  # in posterior standard deviations
NODES = 12  # of the quadrature on each piece


class Rule(Protocol):
    """What learns: probabilities of the actions, from how often each was taken and what it paid."""

    def probabilities(self, count: Array, total: Array) -> Array:
        """Return (n_contexts, n_actions) probabilities from counts and summed rewards."""
        ...


@dataclass(frozen=True)
class EpsilonGreedy:
    r"""Play the best mean so far, and any action at random in a share of the visits.

    $$\pi_t(a) = (1 - \varepsilon)\, 1\{a = \arg\max_k \bar r_k\} + \varepsilon / K$$

    An action never tried counts as the best; those that tie share.

    Parameters: `epsilon`, the share, from 0 to 1. Raises ValueError for any other.
    Source: Auer, Cesa-Bianchi and Fischer (2002, section 1), with a share that does not shrink.
    """

    epsilon: float

    def __post_init__(self) -> None:
        refuse_share("epsilon", self.epsilon)

    def probabilities(self, count: Array, total: Array) -> Array:
        """Return pi_t from `count` and `total` (n_contexts, n_actions)."""
        count, total = _record(count, total)
        best = _best(_mean(count, total))
        pi: Array = (1 - self.epsilon) * best + self.epsilon / count.shape[1]
        return pi


@dataclass(frozen=True)
class UCB:
    r"""Play the action with the highest upper confidence bound: optimism in place of chance.

    $$a_t = \arg\max_k\; \bar r_k + \sigma \sqrt{8 \ln t / n_k}$$

    At sigma = 1/2, which holds for rewards in [0, 1], this is UCB1. The winner has probability 1
    (those that tie share): the log of UCB has no support for any other action.

    Parameters: `sd`, how far one reward scatters, in its unit. Raises ValueError unless positive.
    Source: Auer, Cesa-Bianchi and Fischer (2002, figure 1).
    """

    sd: float = 0.5

    def __post_init__(self) -> None:
        _positive("sd", self.sd)

    def probabilities(self, count: Array, total: Array) -> Array:
        """Return pi_t from `count` and `total` (n_contexts, n_actions)."""
        count, total = _record(count, total)
        t = np.maximum(count.sum(axis=1, keepdims=True), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            bonus = self.sd * np.sqrt(8 * np.log(t) / count)
        return _best(np.where(count > 0, _mean(count, total) + bonus, np.inf))


@dataclass(frozen=True)
class Thompson:
    r"""Play each action with the probability that it is the best one, given what is known.

    $$\theta_k \sim N(m_k, s_k^2), \qquad \pi_t(a) = \int \frac{1}{s_a} \varphi\Big(\frac{x - m_a}
      {s_a}\Big) \prod_{k \ne a} \Phi\Big(\frac{x - m_k}{s_k}\Big)\, dx$$

    $$s_k^{-2} = s_0^{-2} + n_k \sigma^{-2}, \qquad
      m_k = s_k^2\, (s_0^{-2} m_0 + \sigma^{-2} \textstyle\sum r)$$

    The integral is computed, not drawn, so that the probability can be logged. (Usual code draws
    one theta for each action and plays the largest: the same chances, and nobody knows them.)

    Parameters: `sd`, the sigma of one reward (1/2 serves any reward in [0, 1]); `prior`, mean m_0
    and standard deviation s_0 of what an action may be worth, before any reward.
    Raises ValueError for standard deviations that are not positive, a mean that is no number.
    Source: Thompson (1933); with normal posteriors, Agrawal and Goyal (2013).
    """

    sd: float = 0.5
    prior: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        _positive("sd", self.sd)
        _positive("prior[1]", self.prior[1])
        if not math.isfinite(self.prior[0]):
            raise ValueError(f"prior[0] is {self.prior[0]}: a mean is a finite number")

    def probabilities(self, count: Array, total: Array) -> Array:
        """Return pi_t from `count` and `total` (n_contexts, n_actions)."""
        from scipy.special import ndtr

        count, total = _record(count, total)
        m_0, s_0 = self.prior
        s = (s_0**-2 + count / self.sd**2) ** -0.5
        m = s**2 * (m_0 / s_0**2 + total / self.sd**2)
        x, dx = _quadrature(m, s)
        z = (x[:, None, :] - m[:, :, None]) / s[:, :, None]
        below = ndtr(z)
        # The product over all others, from both sides: a quotient would divide by zero.
        ones = np.ones_like(below[:, :1])
        left = np.concatenate([ones, below[:, :-1]], axis=1).cumprod(axis=1)
        right = np.concatenate([ones, below[:, :0:-1]], axis=1).cumprod(axis=1)[:, ::-1]
        density = np.exp(-(z**2) / 2) / s[:, :, None]  # times a constant, which the sum takes out
        best = np.einsum("ckx,cx->ck", density * left * right, dx)
        pi: Array = best / best.sum(axis=1, keepdims=True)
        return pi


def _quadrature(m: Array, s: Array) -> tuple[Array, Array]:
    """Nodes and weights (n_contexts, n_nodes), dense wherever one of the posteriors bends."""
    ends = np.sort((m[:, :, None] + s[:, :, None] * PIECES).reshape(len(m), -1), axis=1)
    node, weight = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(ends)[:, :, None] / 2
    x = ends[:, :-1, None] + half * (1 + node)
    return x.reshape(len(m), -1), (half * weight).reshape(len(m), -1)


def _record(count: Any, total: Any) -> tuple[Array, Array]:
    """Refuse what is no record: how often each action was taken, and the sum of what it paid."""
    n, s = np.asarray(count, dtype=float), np.asarray(total, dtype=float)
    if n.ndim != 2 or n.shape != s.shape:
        raise ValueError(
            f"count has shape {n.shape} and total {s.shape}: pass (n_contexts, n_actions) for "
            "both, such as [[20, 10]] and [[11, 5]]"
        )
    if not (np.isfinite(s).all() and (n >= 0).all()):
        raise ValueError(
            "count or total is NaN, infinite or a negative count: pass counts and sums"
        )
    return n, s


def _mean(count: Array, total: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, total / count, np.inf)


def _best(index: Array) -> Array:
    """All probability on the largest entry of each row; those that tie share it."""
    top = index == index.max(axis=1, keepdims=True)
    pi: Array = top / top.sum(axis=1, keepdims=True)
    return pi


def refuse_share(name: str, value: float) -> None:
    """Refuse what is no share of the visits."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}: it is a share of the visits, pass 0 to 1")


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}: a standard deviation is positive")
