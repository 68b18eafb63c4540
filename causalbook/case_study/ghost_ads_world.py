"""An advertising campaign with a holdout: the auction chooses who sees the ad, and knows why."""

from __future__ import annotations

import math

import numpy as np

from causalbook.arrays import Array, Ints, Labels, dice
from causalbook.potential_outcomes import World

KINDS = ("loyal", "curious", "distant")
CREATIVES = ("reminder", "story")
SHARES = np.array([0.2, 0.3, 0.5])
ORDERS, VISITS = np.array([3.0, 0.6, 0.1]), np.array([6.0, 5.0, 1.5])  # means, last quarter
PULL = np.array([1.5, 0.5, -1.0])  # how far targeting draws the ad towards each kind
BUYS = np.array([0.16, 0.05, 0.01])  # without the ad, in a quiet week; twice that in a busy one
ADDS = np.array([[0.0, 0.006, 0.002], [0.0, 0.08, 0.02]])  # what each creative adds, by kind
CLICKS = np.array([[0.12, 0.03, 0.005], [0.02, 0.02, 0.01]])  # by creative and kind
BUSY = 0.3  # share of users with a busy week


def ad_campaign(
    n: int,
    *,
    reach: float = 0.1,
    targeting: float = 1.0,
    divergence: float = 0.0,
    ghost_error: float = 0.0,
    seed: int,
) -> World:
    r"""Simulate a campaign with a holdout of one half, and the ghosts of the ads not shown.

    $$\text{ghost}_i = 1\{S_i \text{ among the highest } nr\}, \qquad
      S_i = \text{targeting} \cdot (p_{K_i} + 1.5\, B_i) + \varepsilon_i, \qquad
      Y_i(1) = Y_i(0) + \text{what the creative adds}$$

    K is the kind of user: "loyal" buys anyway, "curious" can be won, "distant" hardly. B is a busy
    week: who is online more sees more ads and buys twice as often. Neither is in the log. Each
    user has, by lot, an arm and one of two creatives. The ad server serves the share r = `reach` of
    all users, those with the highest scores, which is what the budget pays for. Without the ad a
    user sees what the auction shows instead. An ad that is not seen does nothing.

    **Data**, one row a user: `orders` and `visits` last quarter, `spend_before` in it; `assigned`
    (1 the campaign, 0 the holdout); `creative` (0 the reminder, 1 the story; in the holdout the
    one that would have been shown); `ghost`, logged in both arms when the auction predicts that
    the ad will be shown; `exposed`; `click`; `purchase` and `spend` in the week after.
    **Potential**: kind, busy, `exposed_if_assigned`, and `purchase_0`, `purchase_1` (exposed, own
    creative), `purchase_reminder`, `purchase_story`, `spend_0`, `spend_1`. **Truth**, of these n
    users: "share exposed"; "ITT" and "effect on exposed" on purchases, "ITT spend" and "spend of
    exposed"; "reminder" and "story", their effects on all who would be exposed.

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same users.
    `targeting`: the auction draws the ad to those who buy. `divergence`: in the campaign's arm the
    server learns who clicks on which creative, and serves those; the ghosts do not know.
    `ghost_error`: the share of users whose ghost is drawn by lot.

    Raises ValueError for n < 100, a seed that is no whole number, a reach outside (0, 1), a switch
    that is negative or infinite, a `ghost_error` above 1.
    Source: ours; the design is Johnson, Lewis and Nubbemeyer (2017), busy weeks Lewis, Rao and
    Reiley (2011), divergence Braun and Schwartz (2025).
    """
    import pandas as pd

    _refuse(n, reach, {"targeting": targeting, "divergence": divergence}, ghost_error)
    rng = dice(n, seed, "ad_campaign")
    # All chance first and in one order: switches change the world and not the dice.
    kind = rng.choice(len(KINDS), size=n, p=SHARES)
    busy = rng.random(n) < BUSY
    orders, visits = rng.poisson(ORDERS[kind]), rng.poisson(VISITS[kind])
    assigned, creative = rng.permutation(n) % 2, rng.permutation(n) % 2
    noise, buy, click = rng.logistic(size=n), rng.random(n), rng.random(n)
    basket, past = rng.lognormal(3.5, 0.6, size=n), rng.lognormal(0.0, 0.4, size=n)
    wrong, lot = rng.random(n), rng.random(n)

    score = targeting * (PULL[kind] + 1.5 * busy) + noise
    clicks = CLICKS[creative, kind]
    served = _highest(score + divergence * 50 * clicks, reach)  # if assigned
    ghost = np.where(wrong < ghost_error, lot < reach, _highest(score, reach))
    exposed = served * assigned
    without = BUYS[kind] * (1 + busy)
    purchase_0 = (buy < without).astype(np.int64)
    shown = [(buy < without + adds[kind]).astype(np.int64) for adds in ADDS]
    purchase_1 = np.where(creative == 1, shown[1], shown[0])
    purchase = np.where(exposed == 1, purchase_1, purchase_0)

    log = {"orders": orders, "visits": visits, "spend_before": orders * basket * past}
    log |= {"assigned": assigned, "creative": creative, "ghost": ghost.astype(np.int64)}
    log |= {"exposed": exposed, "click": exposed * (click < clicks)}
    log |= {"purchase": purchase, "spend": basket * purchase}
    potential = {"kind": np.array(KINDS)[kind], "busy": busy, "exposed_if_assigned": served}
    potential |= {"purchase_0": purchase_0, "purchase_1": purchase_1}
    potential |= {f"purchase_{name}": y for name, y in zip(CREATIVES, shown, strict=True)}
    potential |= {"spend_0": basket * purchase_0, "spend_1": basket * purchase_1}

    effect, who = purchase_1 - purchase_0, served == 1
    truth = {"share exposed": float(served.mean())}
    truth |= {"ITT": float((effect * served).mean()), "effect on exposed": _mean(effect[who])}
    truth |= {"ITT spend": float((basket * effect * served).mean())}
    truth |= {"spend of exposed": _mean((basket * effect)[who])}
    truth |= {name: _mean((y - purchase_0)[who]) for name, y in zip(CREATIVES, shown, strict=True)}
    return World(pd.DataFrame(log), truth, pd.DataFrame(potential))


def _highest(score: Array, share: float) -> Ints:
    """Mark the share of users with the highest scores, at least one, and ties no oftener."""
    paid = max(1, round(share * len(score)))
    marked = np.zeros(len(score), dtype=np.int64)
    marked[np.argpartition(score, -paid)[-paid:]] = 1
    return marked


def _mean(x: Labels) -> float:
    """Mean over a group."""
    return float(x.mean())


def _refuse(n: int, reach: float, switches: dict[str, float], ghost_error: float) -> None:
    if not isinstance(n, (int, np.integer)) or n < 100:
        raise ValueError(f"n is {n!r}: a campaign needs at least a hundred users")
    if not 0 < reach < 1:
        raise ValueError(f"reach is {reach}: pass the share of users that the budget pays for")
    for name, value in (switches | {"ghost_error": ghost_error}).items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}: a switch is 0 (off) or larger")
    if ghost_error > 1:
        raise ValueError(f"ghost_error is {ghost_error}: it is a share, pass at most 1")
