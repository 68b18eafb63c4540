"""A simulated page with three slots and two policies: what the clicks of a log do not show."""

from __future__ import annotations

from typing import Any

import numpy as np

from causalbook.arrays import dice
from causalbook.potential_outcomes import World

ITEMS, DAYS, BUYS = 12, 7, 0.2
APPEAL = np.linspace(0.02, 0.08, ITEMS)  # clicks per impression of each item, the last one best
LEARNED = APPEAL**3 / (APPEAL**3).sum()  # what the bandit draws from
SLOT = np.array([1.2, 1.0, 0.8])  # left, middle, right: averages 1
KEEN = np.array([0.6, 2.2])  # a quarter of the visitors is keen: averages 1
NEW = 0.5 ** np.arange(DAYS)  # how new the bandit is on each day


def banners(
    n: int,
    *,
    interference: float = 0.0,
    novelty: float = 0.0,
    clickbait: float = 0.0,
    seed: int,
) -> World:
    r"""Simulate n page views whose three slots are filled by a uniform policy or by a bandit.

    $$P(\text{click} \mid k, j) = a_k\, s_j\, v\, (1 - c\, \bar a_{-j} / a_{\max})\,
      (1 + d\, B\, 2^{-\text{day}}), \qquad
      P(\text{purchase} \mid \text{click on } k) = b\, (1 - e\, a_k / a_{\max})$$

    with the item's appeal a, the slot's s, the visitor's v, and the mean appeal of the other two
    slots; c, d, e are the three switches.

    **Data**, three rows a page view: page, day (0 to 6), keen (a visitor who clicks on everything),
    bandit B (0 or 1, by a fair coin for each page view), slot (1 to 3), item (0 to 11) with the
    probability `pscore` of having been drawn, click, purchase. **Potential**: `chance`, the
    probability of the click, and `click_k`, the click were item k in the slot and the rest of the
    page as it is.

    **Truth** is exact, of the population, each per impression: "uniform" and "bandit" (clicks, were
    whole pages filled by that policy in this week), "bandit in one slot" (the others uniform);
    "lift", bandit less uniform; "later lift" (once the bandit is no longer new); "purchase lift".

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same page
    views. `interference`: appealing neighbours take clicks. `novelty`: a new policy is clicked
    more, less so each day. `clickbait`: what is clicked most is bought least after the click.

    Raises ValueError for n below 1, a seed that is no whole number, switches outside 0 to 1.
    Source: ours.
    """
    import pandas as pd

    switches = {"interference": interference, "novelty": novelty, "clickbait": clickbait}
    if bad := {name: x for name, x in switches.items() if not 0 <= x <= 1}:
        raise ValueError(f"{bad}: a switch lies between 0 (off) and 1")
    rng = dice(n, seed, "banners")
    day, keen = rng.integers(DAYS, size=n), (rng.random(n) < 0.25).astype(np.int64)
    bandit, u_item = rng.integers(2, size=n), rng.random((n, 3))
    u_click, u_buy = rng.random(3 * n), rng.random(3 * n)

    drawn = np.searchsorted(LEARNED.cumsum()[:-1], u_item, side="right")
    item = np.where(bandit[:, None] == 1, drawn, (u_item * ITEMS).astype(np.int64))
    appeal, top = APPEAL[item], APPEAL[-1]
    neighbours = (appeal.sum(axis=1, keepdims=True) - appeal) / 2
    page = (KEEN[keen] * (1 + novelty * bandit * NEW[day]))[:, None]
    around = (page * SLOT * (1 - interference * neighbours / top)).ravel()
    k = item.ravel()
    clicks = (u_click[:, None] < around[:, None] * APPEAL).astype(np.int64)
    click = clicks[np.arange(3 * n), k]
    purchase = click * (u_buy < BUYS * (1 - clickbait * APPEAL[k] / top))

    def rows(x: Any) -> Any:
        return np.repeat(x, 3)

    pscore = np.where(rows(bandit) == 1, LEARNED[k], 1 / ITEMS)
    log = {"page": rows(np.arange(n)), "day": rows(day), "keen": rows(keen)}
    log |= {"bandit": rows(bandit), "slot": np.tile([1, 2, 3], n), "item": k}
    log |= {"pscore": pscore, "click": click, "purchase": purchase}
    hidden = {"chance": around * APPEAL[k]} | {f"click_{j}": clicks[:, j] for j in range(ITEMS)}

    # All factors are independent, so that their means multiply.
    uniform, learned = APPEAL.mean(), LEARNED @ APPEAL
    left = {name: 1 - interference * a / top for name, a in [("u", uniform), ("b", learned)]}
    kept = BUYS * APPEAL * (1 - clickbait * APPEAL / top)
    new = 1 + novelty * NEW.mean()
    truth = {"uniform": uniform * left["u"], "bandit": learned * left["b"] * new}
    truth["bandit in one slot"] = learned * left["u"]
    truth["lift"] = truth["bandit"] - truth["uniform"]
    truth["later lift"] = learned * left["b"] - truth["uniform"]
    truth["purchase lift"] = LEARNED @ kept * left["b"] * new - kept.mean() * left["u"]
    exact = {name: float(value) for name, value in truth.items()}
    return World(pd.DataFrame(log), exact, pd.DataFrame(hidden))
