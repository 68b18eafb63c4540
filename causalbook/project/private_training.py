"""Training that forgets single users: clipped gradients with noise, what it spends, and a test."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import dice, numbers

if TYPE_CHECKING:
    import torch

    Parameters = dict[str, torch.Tensor]


def train_privately(
    loss: Callable[[Any, Any], Any],
    parameters: Parameters,
    data: torch.Tensor,
    *,
    clip: float,
    noise: float,
    lot: int,
    epochs: int,
    rate: float,
    seed: int,
    at_once: int = 512,
) -> Parameters:
    r"""Descend on the gradients of one lot of users after the other, each cut, the sum with noise.

    $$g_i = \nabla \ell(\theta, x_i), \qquad
      \theta \leftarrow \theta - \frac{\eta}{B} \Big[ \sum_{i \in \text{lot}}
      g_i \min\Big(1, \frac{C}{|g_i|}\Big) + \sigma C\, \xi \Big], \qquad \xi \sim N(0, I)$$

    The lots are the same in every epoch, so a user enters as many steps as there are epochs. The
    sum of a lot is accumulated over `at_once` users at a time, which changes the memory and not
    the result; the noise enters once a step, after the sum. An infinite clip with noise 0 is
    ordinary training. The noise is seeded so that a page repeats: a model that leaves the house
    needs a source of chance that nobody knows.

    Parameters
    ----------
    loss : function (parameters, row of data) -> the loss of one user, a scalar tensor
    parameters : {name: tensor} to start from; they are not changed
    data : (n, ...) one row a user, in an order that does not depend on what the rows say
    clip, noise : C and sigma of the formula
    lot, epochs, rate : B, how often all users are used, and eta

    Raises
    ------
    ValueError
        for a clip that is not positive, noise without a finite clip, a gradient that is no number
        (it would go into the model whole, past the cut).

    Source: Abadi et al. (2016, algorithm 1), with fixed lots in place of drawn ones.
    """
    import torch
    from torch.func import grad, vmap

    if not clip > 0 or noise < 0:
        raise ValueError(f"clip is {clip} and noise {noise}: pass a length above 0, noise from 0")
    if noise and math.isinf(clip):
        raise ValueError("clip is infinite: noise hides a user only if a gradient is bounded")
    each = vmap(grad(loss), in_dims=(None, 0))
    chance = torch.Generator().manual_seed(
        int(dice(1, seed, "train_privately").integers(np.iinfo(np.int64).max))
    )
    theta, spread = dict(parameters), noise * clip if noise else 0.0
    rows: Any = data  # torch leaves `split` untyped
    for users in list(rows.split(lot)) * epochs:
        total = {name: torch.zeros_like(value) for name, value in theta.items()}
        for part in users.split(at_once):
            g = each(theta, part)
            squares = sum(x.flatten(1).square().sum(1) for x in g.values())
            length = torch.sqrt(torch.as_tensor(squares))
            if not bool(torch.isfinite(length).all()):
                raise ValueError("loss has a gradient that is no finite number: bound the inputs")
            share = (clip / length).clamp(max=1)
            for name, x in g.items():
                total[name] += torch.tensordot(share, x, dims=1)
        for name, value in theta.items():
            noisy = torch.normal(total[name], spread, generator=chance)
            theta[name] = value - rate / lot * noisy
    return theta


def training_epsilon(noise: float, epochs: int, *, delta: float) -> float:
    r"""Privacy loss of `train_privately`, for one user whose row is there or left blank.

    $$\rho = \frac{E}{2 \sigma^2}, \qquad \varepsilon = \rho + 2 \sqrt{\rho \ln (1 / \delta)}$$

    Parameters: `noise` sigma, 0 for none (the loss is infinite); `epochs` E, the steps that a user
    enters; `delta`, the chance that the promise fails.
    Raises ValueError for delta outside 0 to 1, negative noise, no epoch.
    Source: Bun and Steinke (2016, proposition 1.3).
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}: pass a chance between 0 and 1, well below 1 / users")
    if noise < 0 or epochs < 1:
        raise ValueError(f"noise is {noise} and epochs {epochs}: pass noise from 0, epochs from 1")
    if noise == 0:
        return math.inf
    rho = epochs / (2 * noise**2)
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def exposure(losses: Any, secret: int) -> float:
    r"""How well a model ranks a secret among all that it could have been, in bits.

    $$\mathrm{exposure} = \log_2 |R| - \log_2 \mathrm{rank}(s)$$

    0: last of all; $\log_2 |R|$: the model's first guess. A model that never saw the secret has
    about 1.44 on average. Ties share their ranks.

    Parameters: `losses` (|R|,) the model's loss of each candidate; `secret`, which of them it is.
    Raises ValueError for NaN and a secret that is no candidate.
    Source: Carlini et al. (2019).
    """
    found = numbers("losses", losses)
    if not 0 <= secret < len(found):
        raise ValueError(f"secret is {secret}: it is one of the {len(found):,} candidates, from 0")
    first = (found < found[secret]).sum() + 1
    last = (found <= found[secret]).sum()
    return float(np.log2(len(found)) - np.log2((first + last) / 2))
