"""A simulated catalogue in which every user could meet every item, and what would come of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from causalbook.arrays import Array, dice
from causalbook.potential_outcomes import World

DIM = 3  # of the taste that is personal


def catalogue(
    n_users: int,
    n_items: int,
    *,
    popularity_bias: float = 1.0,
    selection: float = 0.0,
    organic: float = 0.0,
    density: float = 0.1,
    seed: int,
) -> World:
    r"""Simulate users, a catalogue, and a log of ratings that is no random sample of the pairs.

    $$t_{ui} = \frac{b_i + u_u^\top v_i / \sqrt3}{\sqrt2}, \qquad
      R_{ui} = \mathrm{round}(3 + t_{ui} + \tfrac12 \epsilon_{ui}) \text{ within } [1, 5], \qquad
      \gamma_{ui} = \sigma(t_{ui} - 2)$$
    $$p_{ui} = P(O_{ui} = 1) = \sigma(\alpha + \text{popularity\_bias} \cdot f_i +
      \text{selection} \cdot t_{ui})$$

    A pair of user u and item i has a taste t of rank four: the item's quality b and what is
    personal. R is the rating that u would give, gamma the probability that u clicks on i once it
    is looked at. A pair's rating is observed (O = 1) with probability p; alpha makes the mean of p
    equal to `density`. The item's fame f has correlation 1/2 with its quality.

    **Data**, one row an observed rating: user, item, rating, `pscore` (its p). **Potential**, one
    row a pair, users in order and each user's items in order, so that a column reshapes to
    (n_users, n_items): user, item, taste, fame, rating, `click` (gamma), `organic` (the
    probability that u finds i and clicks without any slot), `propensity` (p), observed. **Truth**,
    over all pairs: "mean rating", "mean click", "mean organic" and "mean effect": what a slot that
    is looked at changes, `click` less `organic`.

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same pairs.
    `popularity_bias`: famous items are rated more often. `selection`: users rate what they like
    (missing not at random). With both at 0 each pair has p = density. `organic`, a share: u finds
    i without a slot with probability organic * sigma(f + t).

    Raises ValueError for fewer than two users or items, a seed that is no whole number, a switch
    that is negative or infinite, organic above 1, a density outside (0, 1). Source: ours; the
    problem is that of Schnabel et al. (2016).
    """
    import pandas as pd

    _refuse(n_users, n_items, popularity_bias, selection, organic, density)
    shape, rng = (n_users, n_items), dice(n_users * n_items, seed, "catalogue")
    # All chance first and in one order: switches change the world and not the dice.
    quality, own = rng.normal(size=n_items), rng.normal(size=n_items)
    users, items = rng.normal(size=(n_users, DIM)), rng.normal(size=(n_items, DIM))
    noise, shown = rng.normal(size=shape), rng.random(shape)

    taste = (quality + users @ items.T / math.sqrt(DIM)) / math.sqrt(2)
    fame = np.broadcast_to((quality + math.sqrt(3) * own) / 2, shape)
    rating = np.clip(np.rint(3 + taste + noise / 2), 1, 5).astype(np.int64)
    click = _sigma(taste - 2)
    found = click * organic * _sigma(fame + taste)
    propensity = _observed(popularity_bias * fame + selection * taste, density)
    observed = shown < propensity

    tables: dict[str, Any] = {"taste": taste, "fame": fame, "rating": rating, "click": click}
    tables |= {"organic": found, "propensity": propensity, "observed": observed}
    pairs = {"user": np.repeat(np.arange(n_users), n_items)}
    pairs |= {"item": np.tile(np.arange(n_items), n_users)}
    potential = pd.DataFrame(pairs | {name: table.ravel() for name, table in tables.items()})
    columns = ["user", "item", "rating", "propensity"]
    data = potential.loc[potential["observed"], columns].reset_index(drop=True)
    truth = {f"mean {name}": float(tables[name].mean()) for name in ("rating", "click", "organic")}
    truth["mean effect"] = truth["mean click"] - truth["mean organic"]
    return World(data.rename(columns={"propensity": "pscore"}), truth, potential)


def _observed(score: Array, density: float) -> Array:
    """Probabilities that rise with the score and have the mean density."""
    from scipy.optimize import brentq

    start = math.log(density / (1 - density))
    ends = start - float(score.max()) - 1, start - float(score.min()) + 1
    alpha = brentq(lambda a: float(_sigma(a + score).mean()) - density, *ends, xtol=1e-14)
    return _sigma(alpha + score)


def _sigma(x: Array) -> Array:
    p: Array = 1 / (1 + np.exp(-x))
    return p


def _refuse(
    n_users: int,
    n_items: int,
    popularity_bias: float,
    selection: float,
    organic: float,
    density: float,
) -> None:
    for name, n in {"n_users": n_users, "n_items": n_items}.items():
        if not isinstance(n, (int, np.integer)) or n < 2:
            raise ValueError(f"{name} is {n!r}: a catalogue needs at least two, a whole number")
    switches = {"popularity_bias": popularity_bias, "selection": selection, "organic": organic}
    for name, value in switches.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}: a switch is 0 (off) or larger")
    if organic > 1:
        raise ValueError(f"organic is {organic}: it is a share, pass at most 1")
    if not 0 < density < 1:
        raise ValueError(f"density is {density}: the share of pairs observed lies between 0 and 1")
