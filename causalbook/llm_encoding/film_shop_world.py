"""A shop with real film texts, in which what users want is written only in what they watched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from causalbook import datasets
from causalbook.arrays import Array, Ints, Labels, dice
from causalbook.potential_outcomes import World

if TYPE_CHECKING:
    import pandas as pd

GENRES = ("Documentary", "Horror", "Comedy", "Action")  # of films with one genre
PULL = np.array([0.5, -1.5, 1.5, -0.5])  # how far each intent draws exposure and spending
MORE = np.array([1.0, -1.0, -1.0, 1.0])  # whom the banner moves more, where it differs
SPLIT = 2000  # films from this year on are new
DAY = 86_400_000_000_000  # nanoseconds
POOL = 250  # films of each genre and age at most: 1,541 titles in all, which a page can encode


def film_shop(
    n: int,
    *,
    titles: int = 5,
    confounding: float = 1.0,
    era: float = 0.0,
    heterogeneity: float = 0.0,
    seed: int,
) -> World:
    r"""Simulate visits of users whose intent shows in the films that they watched before.

    $$e(Z, R) = \sigma(\text{confounding} \cdot s_Z + \text{era} \cdot r), \qquad
      Y(a) = 0.45\, s_Z + 0.45\, \text{era} \cdot r + \tau_Z a + \varepsilon$$

    Z is one of four intents (Documentary, Horror, Comedy, Action) with pulls $s_Z$; R says whether
    the user likes new films ($r = 1$) or old ones ($r = -1$); $\tau_Z$ is .3 on average over the
    intents; the noise has standard deviation one half. The texts are real: each user has watched
    `titles` films of that one genre and age.

    **Data**, one row a user: `history`, an array of the films' rows in `datasets.load("films")`,
    oldest view first; `text`, their titles; `watched_at`, an array of times, one for each film;
    `visits` last month (a weak sign of the intent); `shown`, the banner, at `shown_at`; `spend` in
    the week after; `review`, written after it, at `review_at`. **Potential**: intent, new (R),
    `propensity`, `spend_0`, `spend_1`. **Truth**, of these n users: ATE, ATT, and "CATE Horror" and
    so on.

    **Switches**; each at 0 turns its thing off exactly, and the same seed gives the same users.
    `confounding`: the intent decides who is shown the banner. `era`: so does the age of the films,
    which no title tells. `heterogeneity`: the effect differs between the intents.

    Raises ValueError for n < 2, no titles, a seed that is no whole number, a switch that is
    negative or infinite.
    Source: ours; text as the carrier of a confounder is Veitch, Sridhar and Blei (2020).
    """
    import pandas as pd

    _refuse(n, titles, {"confounding": confounding, "era": era, "heterogeneity": heterogeneity})
    rng = dice(n, seed, "film_shop")
    # All chance first and in one order: switches change the world and not the dice.
    z, new = rng.integers(len(GENRES), size=n), rng.random(n) < 0.5
    picks, u, noise = rng.random((n, titles)), rng.random(n), rng.normal(0.0, 0.5, size=n)
    visits = rng.poisson(np.exp(0.8 + 0.3 * PULL[z]))
    hours = np.sort(rng.random((n, titles)), axis=1)

    films = datasets.load("films")
    history = _watched(films, z, new, picks)
    r = np.where(new, 1.0, -1.0)
    propensity = 1 / (1 + np.exp(-confounding * PULL[z] - era * r))
    shown = (u < propensity).astype(np.int64)
    effect = 0.3 + 0.4 * heterogeneity * MORE[z]
    spend_0 = 0.45 * PULL[z] + 0.45 * era * r + noise
    spend_1 = spend_0 + effect
    spend = np.where(shown == 1, spend_1, spend_0)

    start, shown_at = pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")
    title = films["title"].to_numpy()
    log = {"user": np.arange(n), "history": list(history)}
    log |= {"text": ["; ".join(title[films]) for films in history]}
    log |= {"watched_at": list(start.to_datetime64() + (30 * DAY * hours).astype("m8[ns]"))}
    log |= {"visits": visits, "shown": shown, "shown_at": shown_at, "spend": spend}
    log |= {"review": _reviews(shown, spend), "review_at": shown_at + pd.Timedelta(days=7)}
    potential = {"intent": np.array(GENRES)[z], "new": new, "propensity": propensity}
    potential |= {"spend_0": spend_0, "spend_1": spend_1}
    truth = {"ATE": float(effect.mean()), "ATT": _mean(effect[shown == 1])}
    truth |= {f"CATE {g}": _mean(effect[z == k]) for k, g in enumerate(GENRES)}
    return World(pd.DataFrame(log), truth, pd.DataFrame(potential))


def _watched(films: pd.DataFrame, z: Ints, new: Labels, picks: Array) -> Ints:
    """Draw the films of each user among those of the intent's genre and the age they like."""
    history = np.empty(picks.shape, dtype=np.int64)
    genre, fresh = films["genres"].to_numpy(), films["year"].to_numpy() >= SPLIT
    for k, name in enumerate(GENRES):
        for age in (False, True):
            pool = np.flatnonzero((genre == name) & (fresh == age))[:POOL]
            users = (z == k) & (new == age)
            history[users] = pool[(picks[users] * len(pool)).astype(np.int64)]
    return history


def _reviews(shown: Ints, spend: Array) -> list[str]:
    """Write what users say afterwards: it tells the treatment and the outcome."""
    how = np.where(shown == 1, "The banner brought me here", "I found this by myself")
    liked = np.where(spend > np.median(spend), "and I bought more than I meant to", "and left soon")
    return [f"{a}, {b}." for a, b in zip(how, liked, strict=True)]


def _refuse(n: int, titles: int, switches: dict[str, float]) -> None:
    if not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"n is {n!r}: a shop needs at least two users")
    if not isinstance(titles, (int, np.integer)) or titles < 1:
        raise ValueError(f"titles is {titles!r}: each user has watched at least one film")
    for name, value in switches.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}: a switch is 0 (off) or larger")


def _mean(x: Array) -> float:
    """Mean over a group; NaN where nobody is in it."""
    return float(x.mean()) if len(x) else math.nan
