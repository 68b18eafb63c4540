"""A simulated shop that returns the potential outcomes with its log."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array, Ints, Labels, dice

if TYPE_CHECKING:
    import pandas as pd

ITEMS, CITIES = 4, 20  # item 0 is the slot left empty
POPULARITY = np.array([0.0, 1.0, 0.0, -1.0])


@dataclass(frozen=True)
class World:
    """What a simulator returns: the data one would see, the truth, and what nobody sees.

    Parameters: `data`, one row a unit; `truth`, estimands by name; `potential`, the potential
    outcomes and all else that is hidden, in the rows of `data`.
    """

    data: pd.DataFrame
    truth: dict[str, float]
    potential: pd.DataFrame


def shop(
    n: int,
    *,
    confounding: float = 1.0,
    hidden: float = 0.0,
    heterogeneity: float = 0.0,
    interference: float = 0.0,
    position_bias: float = 0.0,
    popularity_bias: float = 0.0,
    missing: float = 0.0,
    noncompliance: float = 0.0,
    seed: int,
) -> World:
    r"""Simulate n visits to a shop whose recommender fills one slot or leaves it empty.

    $$\pi_0(k \mid x) \propto e_k(x), \qquad A = 1\{K > 0\}, \qquad
      V(k) \to M(k) \to Y(k), \qquad Y = Y(K)$$

    **Data**, one row a visit: user, city; the covariates from before the slot is filled: visits
    (last month), searches, dwell (time in the shop, in standard deviations), taste (a guess at the
    wanted item, right in 7 of 10 visits); item (0: slot empty, 1 to 3) with
    its logging probability `pscore`; offered A with its probability `propensity`; position (1 to
    3; 0: empty); viewed V; cart M; purchase Y. **Potential**: intent (0, 1), want,
    `item_if_offered` (the item if the slot is filled), and for each item k `propensity_k`,
    `position_k`, `view_k`, `cart_k`, `purchase_k`, the visit's outcomes were it offered k.

    **Truth** is that of these n visits, not of a population. ATE, ATT, ATU, "CATE intent 0" and
    "CATE intent 1" compare offered, with `item_if_offered`, and empty. "complier effect": those
    who view if offered. NDE, NIE, TNDE, TNIE: of offered, through the cart (the cart and the
    purchase share the intent, which the covariates reveal in part). "value of ...": mean purchases
    under a policy ("empty", "logging", "uniform" over the three items, "taste", "item k"). With
    interference all of these hold the other visits as they were, and "total effect" compares all
    offered with none offered; without, it equals the ATE. With all switches at their defaults the
    population has ATE .11, NDE .05, NIE .06.

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same visits.
    `confounding`, how far the policy follows visits, searches, dwell and taste: adjusting for these
    four suffices, unless `hidden` > 0: then it follows the intent too, which the log lacks (its
    propensities still know). `heterogeneity`: the effect on the cart is larger for low intent and
    for the wanted item. `interference`: purchases fall as more of the other visits in the city are
    offered something (stock). `position_bias`: viewed with probability position**-position_bias.
    `popularity_bias`: item 1 is offered more often and placed higher, item 3 less.
    `noncompliance`: not all who are offered look, of low intent fewer. `missing`: purchases are
    NaN, more so where offered and where the intent is high.

    Raises ValueError for n < 2, a seed that is no whole number, a negative switch, or
    heterogeneity, interference, missing or noncompliance above 1. Source: ours.
    """
    import pandas as pd

    free = {"confounding": confounding, "hidden": hidden}
    free |= {"position_bias": position_bias, "popularity_bias": popularity_bias}
    shares = {"heterogeneity": heterogeneity, "interference": interference}
    shares |= {"missing": missing, "noncompliance": noncompliance}
    _refuse(n, free, shares)
    k, row, u = np.arange(ITEMS), np.arange(n), _dice(n, seed)
    intent, log = _visits(u)
    pi0 = _logging_policy(log, intent, confounding, hidden, popularity_bias)
    filled = pi0[:, 1:].sum(axis=1)
    offered = (u["offer"] < filled).astype(np.int64)
    if_offered = 1 + _draw(u["item"], pi0[:, 1:] / filled[:, None])
    item = offered * if_offered

    # What would happen under each item: position, view, cart, purchase, tables of (n, items).
    position = _positions(u["position"], popularity_bias)
    looks = (1 - noncompliance * (1 - 0.5 * intent))[:, None]
    view = (u["view"][:, None] < looks * np.maximum(position, 1.0) ** -position_bias) & (k > 0)
    more = 0.5 - intent[:, None] + np.where(u["want"][:, None] == k, 0.5, -0.25)
    cart = u["cart"][:, None] < (
        0.05 + 0.45 * intent[:, None] + 0.2 * view * (1 + heterogeneity * more)
    )

    def buys(view: Labels, cart: Labels, offers: Array) -> Array:
        """Who buys, given what they saw, their cart, and the share of others who were offered."""
        chance = 0.02 + 0.1 * intent[:, None] + 0.3 * cart + 0.05 * view
        left = (1 - 0.5 * interference * offers)[:, None]
        return (u["purchase"][:, None] < chance * left).astype(np.float64)

    others = _others(offered, log["city"])
    purchase = buys(view, cart, others)
    lost = u["lost"] < missing * (0.2 + 0.3 * intent + 0.4 * offered)

    log |= {"item": item, "pscore": pi0[row, item], "offered": offered, "propensity": filled}
    log |= {"position": position[row, item], "viewed": view[row, item].astype(np.int64)}
    log |= {"cart": cart[row, item].astype(np.int64)}
    log |= {"purchase": np.where(lost, np.nan, purchase[row, item])}
    potential = {"intent": intent, "want": u["want"], "item_if_offered": if_offered}
    tables = {"propensity": pi0, "position": position, "view": view.astype(np.int64)}
    tables |= {"cart": cart.astype(np.int64), "purchase": purchase}
    potential |= {f"{name}_{j}": table[:, j] for name, table in tables.items() for j in k}

    # Y(a, M(a')): the view is that of a, the cart that of a'.
    y = {
        (a, m): buys(view, cart[row, m * if_offered, None], others)[row, a * if_offered]
        for a in (0, 1)
        for m in (0, 1)
    }
    effect = y[1, 1] - y[0, 0]
    groups = {"ATE": row >= 0, "ATT": offered == 1, "ATU": offered == 0}
    groups |= {f"CATE intent {x}": intent == x for x in (0, 1)}
    groups["complier effect"] = view[row, if_offered]
    truth = {name: _mean(effect[who]) for name, who in groups.items()}
    sides = {"NDE": y[1, 0] - y[0, 0], "NIE": y[0, 1] - y[0, 0]}
    sides |= {"TNDE": y[1, 1] - y[0, 1], "TNIE": y[1, 1] - y[1, 0]}
    truth |= {name: _mean(side) for name, side in sides.items()}
    policies = {"empty": k == 0, "logging": pi0, "uniform": (k > 0) / (ITEMS - 1)}
    policies |= {"taste": log["taste"][:, None] == k} | {f"item {j}": k == j for j in k[1:]}
    truth |= {f"value of {p}": _mean((pi * purchase).sum(axis=1)) for p, pi in policies.items()}
    all_offered = buys(view, cart, np.ones(n))[row, if_offered]
    truth["total effect"] = _mean(all_offered - buys(view, cart, np.zeros(n))[:, 0])
    return World(pd.DataFrame(log), truth, pd.DataFrame(potential))


def _dice(n: int, seed: int) -> dict[str, Labels]:
    """Draw all chance first and in one order: switches change the world and not the dice."""
    rng, users = dice(n, seed, "shop"), max(n // 2, 1)
    home, loyalty = rng.integers(CITIES, size=users), rng.poisson(2.0, size=users)
    mood = rng.normal(0.0, 0.5, size=CITIES)
    user = rng.integers(users, size=n)
    u: dict[str, Labels] = {name: rng.random(n) for name in ("intent", "offer", "item", "position")}
    u |= {name: rng.random(n) for name in ("view", "cart", "purchase", "lost")}
    u |= {"want": rng.integers(1, ITEMS, n), "other": rng.integers(1, ITEMS - 1, n)}
    u |= {"right": rng.random(n), "dwell": rng.normal(size=n), "searches": rng.random((n, 4))}
    city = home[user]
    return u | {"user": user, "city": city, "visits": loyalty[user], "mood": mood[city]}


def _visits(u: dict[str, Labels]) -> tuple[Ints, dict[str, Labels]]:
    """Return each visit's intent, which nobody sees, and what the log knows of the visit."""
    chance = 1 / (1 + np.exp(-0.4 * (u["visits"] - 2) - u["mood"]))
    intent = (u["intent"] < chance).astype(np.int64)
    seen = {name: u[name] for name in ("user", "city", "visits")}
    seen["searches"] = (u["searches"] < (0.35 + 0.3 * intent)[:, None]).sum(axis=1)
    seen["dwell"] = u["dwell"] + intent
    mistaken = 1 + (u["want"] - 1 + u["other"]) % (ITEMS - 1)
    seen["taste"] = np.where(u["right"] < 0.7, u["want"], mistaken)
    return intent, seen


def _logging_policy(
    log: dict[str, Labels], intent: Ints, confounding: float, hidden: float, popularity_bias: float
) -> Array:
    """Softmax over the items; with all switches at 0 half of the slots stay empty."""
    k = np.arange(ITEMS)
    score = 0.5 * (log["searches"] - 2) + 0.5 * (log["dwell"] - 0.5) + 0.25 * (log["visits"] - 2)
    logit = confounding * (score[:, None] + (log["taste"][:, None] == k))
    logit = logit + hidden * (2.0 * intent - 1)[:, None] + popularity_bias * POPULARITY
    logit[:, 0] = 0.0
    weight = np.where(k == 0, ITEMS - 1.0, 1.0)
    chances = weight * np.exp(logit - logit.max(axis=1, keepdims=True))
    pi0: Array = chances / chances.sum(axis=1, keepdims=True)
    return pi0


def _positions(u: Array, popularity_bias: float) -> Ints:
    """Return the position (1 to 3) that each item would get, 0 for the empty slot."""
    place = np.exp(-popularity_bias * POPULARITY[:, None] * np.arange(3))
    place /= place.sum(axis=1, keepdims=True)
    position = np.stack([1 + _draw(u, place[[j] * len(u)]) for j in range(ITEMS)], axis=1)
    position[:, 0] = 0
    return position


def _refuse(n: int, free: dict[str, float], shares: dict[str, float]) -> None:
    if not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"n is {n!r}: a shop needs at least two visits")
    for name, value in (free | shares).items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}: a switch is 0 (off) or larger")
        if name in shares and value > 1:
            raise ValueError(f"{name} is {value}: it is a share, pass at most 1")


def _draw(u: Array, p: Array) -> Ints:
    """Turn uniforms (n,) into draws from the rows of p (n, values)."""
    drawn: Ints = (u[:, None] >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return drawn


def _others(offered: Ints, city: Ints) -> Array:
    """Share of the other visits in the city that are offered something; 0 where there is none."""
    visits, filled = np.bincount(city)[city], np.bincount(city, weights=offered)[city]
    share: Array = (filled - offered) / np.maximum(visits - 1, 1)
    return share


def _mean(x: Array) -> float:
    """Mean over a group; NaN where nobody is in it."""
    return float(x.mean()) if len(x) else math.nan
