"""A recommender that learns from what it showed, round after round."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, dice
from causalbook.potential_outcomes import World
from causalbook.recommenders.ranking import top_k

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Loop:
    """What `feedback_loop` returns: `rounds`, a row a round, and `log`, a row an impression."""

    rounds: pd.DataFrame
    log: pd.DataFrame


def feedback_loop(
    world: World,
    fit: Callable[[pd.DataFrame], Any],
    *,
    rounds: int = 30,
    slots: int = 5,
    explore: float = 0.0,
    position_bias: float = 0.0,
    seed: int,
) -> Loop:
    r"""Let a recommender rank, log the clicks, and learn from its own log, over and over.

    $$P(C = 1 \mid u, i, j) = j^{-\text{position\_bias}}\, \gamma_{ui}, \qquad
      \pi_0(i \mid u, j) = \frac{\text{explore}}{n_{\text{items}}} + (1 - \text{explore})\,
      1\{i \text{ is ranked } j\text{-th for } u\}$$

    Each round every user of the catalogue visits once and sees `slots` items. In round 0 they are
    drawn at random; from then on they are the first ones by `fit(log).scores(users)`, except in a
    share `explore` of the visits, drawn by lot, which see random items. The same seed gives the
    same dice whatever the switches.

    **log**: round, user, item, position (1 is the first), click, `pscore` (the probability
    $\pi_0$ that this item stood there), random (1 where the visit saw random items).
    **rounds**, by the true probabilities: `clicks` a visit, of all that was shown, and `ranked`, if
    all visits saw the model's lists; `effect`, the part of `ranked` that would not have come
    without the slots. Of the model's lists: `promised`, the mean of its scores, and `kept`, the
    mean probability of a click; `coverage`, the share of the catalogue in any list; `top_share`,
    the share of the slots that the most shown tenth of the items take; `overlap`, the share of
    their slots that two users have in common, over all pairs of users.

    Parameters: `world` of `catalogue`; `fit`, from the log so far to an object with scores(users),
    (n_users, n_items), higher is shown first.
    Raises ValueError for rounds < 1, slots that the catalogue cannot fill, a share outside [0, 1],
    a negative `position_bias`, scores of another shape. Source: ours; the question and the overlap
    are those of Chaney, Stewart and Engelhardt (2018).
    """
    import pandas as pd

    gamma, organic = (_table(world, name) for name in ("click", "organic"))
    n_users, n_items = gamma.shape
    _refuse(rounds, slots, n_items, explore, position_bias)
    users, place = np.arange(n_users), np.arange(1, slots + 1)
    rng = dice(rounds, seed, "feedback_loop")
    looked, row = place ** -float(position_bias), np.arange(n_users)[:, None]
    past: list[pd.DataFrame] = []
    told = []
    for t in range(rounds + 1):
        # All chance first and in one order, whatever is done with it.
        lottery, key = rng.random(n_users), rng.random((n_users, n_items))
        look, want = rng.random((2, n_users, slots))
        by_lot = top_k(key, slots)
        score = key if t == 0 else _scores(fit(pd.concat(past)), users, n_items)
        ranked = top_k(score, slots)
        share = 1.0 if t == 0 else explore
        drawn = np.less(lottery, share)
        shown = np.where(drawn[:, None], by_lot, ranked)
        click = (look < looked) & (want < gamma[row, shown])
        pscore = share / n_items + (1 - share) * (shown == ranked)
        columns = {"round": t, "user": users.repeat(slots), "item": shown.ravel()}
        columns |= {"position": np.tile(place, n_users), "click": click.ravel().astype(np.int64)}
        columns |= {"pscore": pscore.ravel(), "random": drawn.repeat(slots).astype(np.int64)}
        past.append(pd.DataFrame(columns))
        chance = looked * gamma[row, ranked]
        told.append(
            {
                "round": t,
                "clicks": float((looked * gamma[row, shown]).sum(axis=1).mean()),
                "ranked": float(chance.sum(axis=1).mean()),
                "effect": float((chance - looked * organic[row, ranked]).sum(axis=1).mean()),
                "promised": float(score[row, ranked].mean()) if t > 0 else math.nan,
                "kept": float(chance.mean()),
            }
            | _alike(ranked, n_items)
        )
    return Loop(pd.DataFrame(told), pd.concat(past, ignore_index=True))


def _alike(lists: Ints, n_items: int) -> dict[str, float]:
    """How much of the catalogue the lists reach, and how much they have in common."""
    n, k = lists.shape
    count = np.bincount(lists.ravel(), minlength=n_items)
    top = np.sort(count)[-max(1, round(n_items / 10)) :].sum()
    return {
        "coverage": float((count > 0).mean()),
        "top_share": float(top / count.sum()),
        "overlap": float((count * (count - 1)).sum() / (n * (n - 1) * k)),
    }


def _table(world: World, name: str) -> Array:
    """A column of the pairs as a table of users and items."""
    pairs = world.potential
    if not {"user", "item", name} <= set(pairs.columns):
        raise ValueError(f"world has no pairs with {name!r}: pass what catalogue(...) returned")
    return pairs[name].to_numpy(dtype=float).reshape(-1, int(pairs["item"].max()) + 1)


def _scores(model: Any, users: Ints, n_items: int) -> Array:
    score = np.asarray(model.scores(users), dtype=float)
    if score.shape != (len(users), n_items):
        raise ValueError(
            f"fit gave a model whose scores have shape {score.shape}, the catalogue has "
            f"{(len(users), n_items)}: fit it with shape=(n_users, n_items)"
        )
    return score


def _refuse(rounds: int, slots: int, n_items: int, explore: float, position_bias: float) -> None:
    if not isinstance(slots, (int, np.integer)) or not 1 <= slots <= n_items:
        raise ValueError(f"slots is {slots!r}: pass a whole number from 1 to the {n_items} items")
    if not 0 <= explore <= 1:
        raise ValueError(f"explore is {explore}: it is a share of the visits, from 0 to 1")
    if not 0 <= position_bias < math.inf:
        raise ValueError(f"position_bias is {position_bias}: a switch is 0 (off) or larger")
