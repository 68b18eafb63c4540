"""Simulated weekly sales: items that rise and fall together, and a promotion given to the hot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from causalbook.arrays import Array, Ints, dice
from causalbook.potential_outcomes import World

TRENDS = 3
KIND = 5  # items of a kind
RECENT = 4  # weeks that the buyers look at before they choose


def item_sales(
    items: int,
    *,
    weeks: int = 60,
    start: int = 49,
    promoted: int = 1,
    effect: float = 20.0,
    trend: float = 1.0,
    targeting: float = 1.0,
    season: float = 0.0,
    momentum: float = 0.0,
    substitution: float = 0.0,
    seed: int,
) -> World:
    r"""Simulate the weekly sales of items of which some are promoted from a known week on.

    $$Y_{it}(0) = b_i + \ell_i^\top f_t + s_t + \varepsilon_{it} + m\,(Y_{i,t-1}(0) - b_i), \qquad
      Y_{it}(1) - Y_{it}(0) = p\,\frac{1 - m^{k+1}}{1 - m}, \quad k = t - \text{start} \ge 0$$

    Trends f are random walks that all items share, each with its own loadings; items of a kind
    (five) have similar ones. The buyers promote the items whose last four weeks stand highest above
    the weeks before, by lot in part. p is the push of the promotion, `effect`.

    **Data**, one row for each item and week: item (from 0), kind, week (from 1), sales, promoted
    (1 from `start` on in the chosen items). **Potential**: `sales_0` were nothing promoted,
    `sales_1` were this item promoted and no other, `demand` (`sales_0` without its momentum).
    **Truth**, a promoted item and week, mean over the weeks from `start` on: "effect" on the item;
    "push", the part that does not come through the item's own sales of the weeks before; "effect
    on the shop", which subtracts what the other items lose.

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same dice.
    `effect`. `trend`: how far the shared trends go. `targeting`: how closely the buyers follow the
    heat (at 0 they draw lots). `season`: what all items sell more from `start` on, promoted or not.
    `momentum` m: last week's sales, above the item's usual, bring this week's (popularity as a
    cause: the bestseller list). `substitution`: the share of the effect that the other items of
    the kind lose.

    Raises ValueError for items that are no multiple of five or fewer than ten, a `start` with less
    than five weeks before or none after it, `promoted` outside 1 to items, a switch that is
    negative or infinite, momentum not below 1, substitution above 1, a seed that is no whole
    number.
    Source: ours; trends that all units share with different loadings are those of Abadie, Diamond
    and Hainmueller (2010).
    """
    import pandas as pd

    switches = {"effect": effect, "trend": trend, "targeting": targeting, "season": season}
    _refuse(items, weeks, start, promoted, switches, momentum, substitution)
    # All chance first and in one order: switches change the world and not the dice.
    u, kind = _dice(items, weeks, seed), np.arange(items) // KIND
    week = np.arange(1, weeks + 1)
    k = week - start
    shared = trend * u["loading"] @ u["step"].cumsum(axis=0).T
    demand = u["base"][:, None] + shared + season * (k >= 0) + u["noise"]
    sales_0 = demand.copy()
    for t in range(1, weeks):
        sales_0[:, t] += momentum * (sales_0[:, t - 1] - u["base"])
    gain = np.where(k >= 0, effect * (1 - momentum ** (np.maximum(k, 0) + 1)) / (1 - momentum), 0.0)

    chosen = _chosen(sales_0[:, : start - 1], targeting, u["lot"], promoted)
    in_kind = np.bincount(kind, weights=chosen)[kind] - chosen  # others of the kind promoted
    lost = substitution * gain * in_kind[:, None] / (KIND - 1)
    sales = sales_0 + gain * chosen[:, None] - lost

    rows = {"item": np.arange(items).repeat(weeks), "kind": kind.repeat(weeks)}
    rows |= {"week": np.tile(week, items)}
    status = (chosen[:, None] * (k >= 0)).astype(np.int64)
    data = pd.DataFrame(rows | {"sales": sales.ravel(), "promoted": status.ravel()})
    hidden = {"sales_0": sales_0.ravel(), "sales_1": (sales_0 + gain).ravel()}
    mean = float(gain[k >= 0].mean())
    truth = {"effect": mean, "push": float(effect), "effect on the shop": mean * (1 - substitution)}
    return World(data, truth, pd.DataFrame(hidden | {"demand": demand.ravel()}))


def _dice(items: int, weeks: int, seed: int) -> dict[str, Array]:
    """Draw all chance: levels, loadings on the trends, the trends' steps, noise, lots."""
    rng = dice(items, seed, "item_sales")
    centre = rng.dirichlet(np.ones(TRENDS), size=items // KIND).repeat(KIND, axis=0)
    own = rng.dirichlet(np.ones(TRENDS), size=items)
    return {
        "base": rng.uniform(190.0, 210.0, size=items),
        "loading": (centre + own) / 2,
        "step": rng.normal(0.0, 5.0, size=(weeks, TRENDS)),
        "noise": rng.normal(0.0, 3.0, size=(items, weeks)),
        "lot": rng.gumbel(size=items),
    }


def _chosen(before: Array, targeting: float, lot: Array, promoted: int) -> Ints:
    """Mark the items that the buyers promote: the hot ones, by lot in part."""
    heat = before[:, -RECENT:].mean(axis=1) - before[:, :-RECENT].mean(axis=1)
    score = targeting * (heat - heat.mean()) / heat.std() + lot
    chosen = np.zeros(len(lot), dtype=np.int64)
    chosen[np.argsort(-score, kind="stable")[:promoted]] = 1
    return chosen


def _refuse(
    items: Any,
    weeks: Any,
    start: Any,
    promoted: Any,
    switches: dict[str, float],
    momentum: float,
    substitution: float,
) -> None:
    counts = {"items": items, "weeks": weeks, "start": start, "promoted": promoted}
    for name, count in counts.items():
        if not isinstance(count, (int, np.integer)):
            raise ValueError(f"{name} is {count!r}: pass a whole number")
    if items < 2 * KIND or items % KIND:
        raise ValueError(f"items is {items}: pass a multiple of {KIND}, two kinds at least")
    if not RECENT + 1 < start <= weeks:
        raise ValueError(
            f"start is {start} of {weeks} weeks: the buyers look at {RECENT + 1} weeks before it, "
            "and a week has to follow"
        )
    if not 1 <= promoted <= items:
        raise ValueError(f"promoted is {promoted}: pass 1 to {items}, how many of the items")
    for name, value in (switches | {"momentum": momentum, "substitution": substitution}).items():
        if (
            not isinstance(value, (int, float, np.integer, np.floating))
            or not 0 <= value < math.inf
        ):
            raise ValueError(f"{name} is {value!r}: a switch is 0 (off) or larger")
    if momentum >= 1:
        raise ValueError(f"momentum is {momentum}: from 1 on sales would grow without end")
    if substitution > 1:
        raise ValueError(f"substitution is {substitution}: it is a share, pass at most 1")
