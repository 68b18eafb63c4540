"""A film shop at full size: visits, a recommendation, view, cart, purchase, and the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from causalbook import datasets
from causalbook.arrays import Array, Ints, Labels, dice
from causalbook.case_study.queries import GENRES, queries
from causalbook.potential_outcomes import World

GENDERS, GENDER_SHARES = ("female", "male", "unstated"), np.array([0.48, 0.44, 0.08])
REGIONS = ("capital", "coast", "east", "islands", "north", "south")
REGION_SHARES = np.array([0.30, 0.15, 0.12, 0.05, 0.20, 0.18])
URGENCY_SHARES = np.array([0.5, 0.3, 0.2])  # looks around, compares, has come to buy
START, DAYS, DAY = "2026-03-02", 28, 86_400_000_000  # visits fall in these days; microseconds
WINDOW = 7  # days after the visit in which a purchase counts
PRICE, SLICE = 14.0, 0.1  # of a usual order; share of users with logged propensities

# What the urgency (rows 0, 1, 2) makes of each step.
VIEW = np.array([0.20, 0.45, 0.85])  # without a recommendation
WANTED = np.array([0.25, 0.35, 0.05])  # more views by a film of the wanted genre
UNWANTED = np.array([0.08, 0.04, -0.15])  # and by one of another genre, which distracts
CART = np.array([0.15, 0.35, 0.60])  # after a view
BUY = np.array([0.30, 0.40, 0.60])  # with a cart
AT_ONCE = np.array([0.002, 0.010, 0.050])  # without one, by a click in a list
WAIT = np.array([3.0, 2.0, 1.0])  # mean days from the visit to the purchase
# What region and age make of it. In the order of the alphabet neither goes up or down.
REGION_CART = np.array([0.06, -0.06, 0.08, -0.08, 0.06, -0.06])
REGION_PULL = np.array([0.6, -0.6, 0.8, -0.8, 0.6, -0.6])


def funnel_shop(
    n: int = 200_000, *, confounding: float = 1.0, hidden: float = 0.0, seed: int
) -> World:
    r"""Simulate the visits of n users to a film shop with one slot for a recommendation.

    $$K_0 \sim \pi(k \mid x, \text{query}), \quad A \sim e(x, \text{query}), \quad K = A K_0, \qquad
      V(k) \to M(k) \to B(k), \qquad Y(k) = B(k)\, 1\{T(k) \le 7\}$$

    The recommender first picks a candidate, a genre $K_0$ and a film of it, then decides whether
    the slot at the top of the page shows it (A = 1) or stays empty (A = 0): that is the treatment.
    **Data**, one row a user. Before the slot is filled: user, `visited_at` (UTC), age, gender,
    region, views (films looked at in the month before), browsed (genre looked at last), carted
    (genre of an older cart, "none"), query (the words typed on arrival: they tell the genre wanted
    and how near the user is to buying). The slot: recommended A, shelf K (0: empty, 1 to 5: the
    genres), item (row in `datasets.load("films")`, -1: empty); propensity of A and pscore of K,
    logged for a tenth of the users, else NaN. After it: viewed V, cart M, purchase Y (0/1, within
    seven days), `order_value` (of that purchase; 0 without one), purchased (its genre, "none").
    Tables of text are categories.

    **Potential**: urgency (0 looks around, 1 compares, 2 has come to buy), want (1 to 5),
    `candidate` K_0, propensity; for each shelf k `pscore_k`, `view_k`, `cart_k`, `purchase_k`,
    `value_k` (order value within seven days), `wait_k` (days to the purchase, whenever it comes;
    infinite: never).

    **Truth**, of these n users, A = 1 with the candidate against A = 0: "conversion", "revenue"
    (order value per user), both also " treated" and " urgency 0" to 2; "conversion 1 days", 2, 7
    and 28, by the window; NDE, NIE, TNDE, TNIE of the conversion through the cart.

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same users.
    `confounding`: how far the decision to show follows urgency, views, region and age. `hidden`:
    the share of users whose words do not tell their urgency, which the recommender knows anyway.
    With it off, adjusting for age, region, views and the query suffices.

    Raises ValueError for n < 2, a seed that is no whole number, a confounding that is negative, a
    hidden share outside 0 to 1. Source: ours.
    """
    import pandas as pd

    refuse(n, confounding, hidden)
    rng, row, k = dice(n, seed, "funnel_shop"), np.arange(n), np.arange(len(GENRES) + 1)
    u = {name: rng.random(n) for name in ("show", "candidate", "film", "view", "cart", "buy")}
    u |= {"wait": rng.exponential(size=n), "price": rng.lognormal(0.0, 0.4, size=n)}
    x = _users(rng, n, hidden)
    z, want = x["urgency"], x["want"]

    # The old recommender: candidates by what was asked for and browsed, shown to likely buyers.
    pull = 0.8 * (z - 0.7) + 0.1 * (x["views"] - 2) + REGION_PULL[x["region"]]
    e = 1 / (1 + np.exp(-confounding * (pull - 0.03 * np.abs(x["age"] - 40))))
    likes = 1.5 * (want[:, None] == k[1:]) + 0.7 * (x["browsed"][:, None] == k[1:])
    pick = np.exp(likes) / np.exp(likes).sum(axis=1, keepdims=True)
    candidate = 1 + (u["candidate"][:, None] >= pick.cumsum(axis=1)[:, :-1]).sum(axis=1)
    shown = (u["show"] < e).astype(np.int8)
    shelf = shown * candidate
    pscore = np.column_stack([1 - e, e[:, None] * pick])

    # What would happen on each shelf, tables of (n, shelves); all shelves share the user's chance.
    drawn, match = k > 0, want[:, None] == k
    more = np.where(match, WANTED[z][:, None], UNWANTED[z][:, None])
    view = u["view"][:, None] < VIEW[z][:, None] + drawn * more
    basket = CART[z] + REGION_CART[x["region"]] - 0.003 * np.abs(x["age"] - 40)
    cart = view & (u["cart"][:, None] < basket[:, None])

    def buys(cart: Labels, match: Labels) -> Labels:
        """Who ever buys, given the cart and whether the slot shows the wanted genre."""
        chance = np.where(cart, BUY[z][:, None], AT_ONCE[z][:, None] + 0.03 * match)
        bought: Labels = u["buy"][:, None] < chance
        return bought

    # A recommendation brings the purchase forward, and the order is a little smaller.
    wait = np.where(buys(cart, match), (WAIT[z] * u["wait"])[:, None], np.inf)
    wait = np.where(drawn, 0.6, 1.0) * wait
    bought = wait <= WINDOW
    worth = PRICE * u["price"][:, None] * np.where(drawn, 0.92, 1.0)
    value = np.where(bought, worth, 0.0)

    log = _before(x)
    log |= {"recommended": shown, "shelf": shelf.astype(np.int8)}
    log |= {"item": np.where(shown == 1, _films(candidate, u["film"]), -1)}
    logged = x["slice"] < SLICE
    log |= {"propensity": np.where(logged, e, np.nan)}
    log |= {"pscore": np.where(logged, pscore[row, shelf], np.nan)}
    log |= {"viewed": view[row, shelf].astype(np.int8), "cart": cart[row, shelf].astype(np.int8)}
    purchase = bought[row, shelf]
    log |= {"purchase": purchase.astype(np.int8), "order_value": value[row, shelf]}
    taken = np.where(match[row, shelf] | (shelf == 0), want, shelf)
    log |= {"purchased": _category(np.where(purchase, taken, 0), ("none", *GENRES))}
    potential = {"urgency": z, "want": want, "candidate": candidate, "propensity": e}
    tables = {"pscore": pscore, "view": view.astype(np.int8), "cart": cart.astype(np.int8)}
    tables |= {"purchase": bought.astype(np.int8), "value": value, "wait": wait}
    potential |= {f"{name}_{j}": table[:, j] for name, table in tables.items() for j in k}

    def through(a: int, m: int) -> Array:
        """Y(a, M(m)): the slot and the waiting time of a, the view and the cart of m."""
        at, by = a * candidate, m * candidate
        ever = buys(cart[row, by, None], match[row, at, None])[:, 0]
        soon = WAIT[z] * u["wait"] * (0.6 if a else 1.0) <= WINDOW
        y: Array = (ever & soon).astype(np.float64)
        return y

    truth = _truth(z, shown, wait[row, candidate], wait[:, 0], value[row, candidate] - value[:, 0])
    y = {(a, m): through(a, m) for a in (0, 1) for m in (0, 1)}
    truth |= {"NDE": _mean(y[1, 0] - y[0, 0]), "NIE": _mean(y[0, 1] - y[0, 0])}
    truth |= {"TNDE": _mean(y[1, 1] - y[0, 1]), "TNIE": _mean(y[1, 1] - y[1, 0])}
    return World(pd.DataFrame(log), truth, pd.DataFrame(potential))


def _users(rng: np.random.Generator, n: int, hidden: float) -> dict[str, Any]:
    """Draw who comes and what they want; region and gender as numbers into their names."""
    x: dict[str, Any] = {"age": rng.integers(16, 81, n), "slice": rng.random(n)}
    x |= {"gender": rng.choice(len(GENDERS), n, p=GENDER_SHARES)}
    x |= {"region": rng.choice(len(REGIONS), n, p=REGION_SHARES)}
    z = rng.choice(len(URGENCY_SHARES), n, p=URGENCY_SHARES)
    want = 1 + rng.integers(len(GENRES), size=n)
    other = 1 + rng.integers(len(GENRES), size=n)
    x |= {"urgency": z, "want": want, "views": rng.poisson(np.exp(0.3 + 0.5 * z))}
    x |= {"browsed": np.where(rng.random(n) < 0.5, want, other)}
    x |= {"carted": np.where(rng.random(n) < 0.15, other, 0)}
    wording, tells = rng.random(n), rng.random(n) >= hidden
    x |= {"query": queries(np.where(tells, z, -1), want, wording)}
    hour = 24 * (0.6 * rng.beta(6, 3, n) + 0.4 * rng.random(n))  # more of the visits in the evening
    x |= {"day": rng.integers(DAYS, size=n) + hour / 24}
    return x


def _before(x: dict[str, Any]) -> dict[str, object]:
    """Columns of the log from before the slot is filled."""
    visited = np.datetime64(START, "us") + (DAY * x["day"]).astype("m8[us]")
    log: dict[str, object] = {"user": np.arange(len(x["age"])), "visited_at": visited}
    log |= {"age": x["age"], "gender": _category(x["gender"], GENDERS)}
    log |= {"region": _category(x["region"], REGIONS), "views": x["views"]}
    log |= {"browsed": _category(x["browsed"] - 1, GENRES)}
    log |= {"carted": _category(x["carted"], ("none", *GENRES)), "query": x["query"]}
    return log


def _films(candidate: Ints, u: Array) -> Ints:
    """Draw a film of each candidate genre, the first of a genre most often."""
    films = datasets.load("films")
    item = np.empty(len(u), dtype=np.int64)
    for k, genre in enumerate(GENRES, start=1):
        pool, users = np.flatnonzero(films["genres"] == genre)[:100], candidate == k
        item[users] = pool[(len(pool) * u[users] ** 2).astype(np.int64)]
    return item


def _truth(z: Ints, shown: Labels, wait_1: Array, wait_0: Array, worth: Array) -> dict[str, float]:
    """Effects of showing the candidate, on conversion by window and on revenue."""
    bought = (wait_1 <= WINDOW).astype(np.float64) - (wait_0 <= WINDOW)
    groups = {"": shown >= 0, " treated": shown == 1}
    groups |= {f" urgency {j}": z == j for j in range(len(URGENCY_SHARES))}
    truth = {f"conversion{g}": _mean(bought[who]) for g, who in groups.items()}
    truth |= {f"revenue{g}": _mean(worth[who]) for g, who in groups.items()}
    for days in (1, 2, 7, 28):
        soon = (wait_1 <= days).astype(np.float64) - (wait_0 <= days)
        truth[f"conversion {days} days"] = _mean(soon)
    return truth


def _category(code: Labels, labels: tuple[str, ...]) -> Any:
    import pandas as pd

    return pd.Categorical.from_codes(code, categories=pd.Index(labels))


def refuse(n: int, confounding: float, hidden: float) -> None:
    """Refuse settings that describe no shop."""
    if not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"n is {n!r}: a shop needs at least two users, as a whole number")
    if not 0 <= confounding < math.inf:
        raise ValueError(f"confounding is {confounding}: a switch is 0 (off) or larger")
    if not 0 <= hidden <= 1:
        raise ValueError(f"hidden is {hidden}: it is a share, pass 0 to 1")


def _mean(x: Array) -> float:
    """Mean over a group; NaN where nobody is in it."""
    return float(x.mean()) if len(x) else math.nan
