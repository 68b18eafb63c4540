"""Five declarations with a world for each: shop, media, news, music, video."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import dice
from causalbook.case_study.declarations import Scenario, refuse_switch, sigma
from causalbook.causal_graphs import Graph
from causalbook.estimate import Estimate
from causalbook.estimators import aipw, difference_in_means, ipw, regression_adjustment
from causalbook.nuisance import linear, logit
from causalbook.potential_outcomes import World, shop

if TYPE_CHECKING:
    import pandas as pd

BEFORE = ["visits", "searches", "dwell"]  # what the shop knows before it recommends, and the taste
WEEKS = 5  # of charts, each of which moves the next
HALF_LIFE = 30.0  # minutes until "still watching?" has stopped half of the sessions, at 1


def posts(n: int, *, position_bias: float = 1.0, seed: int) -> World:
    r"""Simulate n posts in a feed whose upper places are mostly filled with clips.

    $$P(A = 1 \mid j) = \sigma(3 - j), \qquad Y = 1\{\text{look}\} \, L(A), \qquad
      P(\text{look} \mid j) = \theta_j = j^{-0.75 \, \text{position\_bias}}$$

    **Data**, one row a post on a reader's screen: position (j, 1 to 5), clip (A; 0: a text),
    `examination` ($\theta_j$, known from an earlier swap of neighbours), like (Y). **Potential**:
    looked, `like_0`, `like_1`: liked, if looked at. **Truth**, of these n posts: "effect per look",
    the mean of L(1) - L(0). `position_bias` 0: every place is looked at.

    Raises ValueError for no posts, a seed that is no whole number, a switch below 0. Source: ours;
    the model is that of Craswell et al. (2008).
    """
    refuse_switch("position_bias", position_bias)
    rng = dice(n, seed, "posts")
    j, (kind, look, want) = rng.integers(1, 6, size=n), rng.random((3, n))
    theta = j ** (-0.75 * position_bias)
    clip, looked = (kind < sigma(3 - j)).astype(np.int64), (look < theta).astype(np.int64)
    like = {a: (want < 0.35 - 0.1 * a).astype(np.int64) for a in (0, 1)}
    log = {"position": j, "clip": clip, "examination": theta}
    log["like"] = looked * np.where(clip == 1, like[1], like[0])
    hidden = {"looked": looked, "like_0": like[0], "like_1": like[1]}
    return _world(log, hidden, "effect per look", like[1] - like[0])


def stories(n: int, *, decay: float = 1.0, seed: int) -> World:
    r"""Simulate n visits to a news site that leads with what is fresh.

    $$P(A = 1 \mid h) = \sigma(\text{decay} \cdot (12 - h) / 8), \qquad
      P(Y(a) = 1) = 0.05 + 0.3 \, e^{-\text{decay} \cdot h / 8} + 0.06 \, a$$

    **Data**, one row a story and visit: age h (hours, 0 to 24), lead (A: stood first), read.
    **Potential**: `read_0`, `read_1`. **Truth**, of these n: ATE. `decay` 0: news keeps, and its
    age neither draws readers nor decides who leads.

    Raises ValueError for no visits, a seed that is no whole number, a switch below 0. Source: ours.
    """
    refuse_switch("decay", decay)
    rng = dice(n, seed, "stories")
    age, place, want = rng.uniform(0, 24, size=n), rng.random(n), rng.random(n)
    lead = (place < sigma(decay * (12 - age) / 8)).astype(np.int64)
    draw = 0.05 + 0.3 * np.exp(-decay * age / 8)
    read = {a: (want < draw + 0.06 * a).astype(np.int64) for a in (0, 1)}
    log = {"age": age, "lead": lead, "read": np.where(lead == 1, read[1], read[0])}
    return _world(log, {"read_0": read[0], "read_1": read[1]}, "ATE", read[1] - read[0])


def songs(n: int, *, feedback: float = 1.0, seed: int) -> World:
    r"""Simulate n songs and a chart that lists what was played, and so is played more.

    $$P(A_t = 1 \mid P_{t-1}) = 0.1 + 0.8 \, \sigma(\text{feedback} \cdot (P_{t-1} - 7)), \qquad
      P_t(a) = 3 + Q + 0.4 \, P_{t-1} + a + \varepsilon_t$$

    **Data**, one row a song in the last week: `plays_before` (P of the week before, in thousands),
    `propensity`, charted (A), plays. **Potential**: quality (Q), `plays_0`, `plays_1`. **Truth**,
    of the last week: ATE. `feedback` 0: the chart is a lottery. A tenth of the places on either
    side is one at any rate, so that every song may be listed or not.

    Raises ValueError for no songs, a seed that is no whole number, a switch below 0. Source: ours.
    """
    refuse_switch("feedback", feedback)
    rng = dice(n, seed, "songs")
    quality, lot = rng.normal(size=n), rng.random((WEEKS, n))
    noise = rng.normal(size=(WEEKS + 1, n))
    plays = 5 + quality / 0.6 + noise[0]
    for t in range(WEEKS):
        before = plays
        e = 0.1 + 0.8 * sigma(feedback * (before - 7))
        charted = (lot[t] < e).astype(np.int64)
        without = 3 + quality + 0.4 * before + noise[t + 1]
        plays = without + charted
    log = {"plays_before": before, "propensity": e, "charted": charted, "plays": plays}
    hidden = {"quality": quality, "plays_0": without, "plays_1": without + 1}
    return _world(log, hidden, "ATE", np.ones(n))


def sessions(n: int, *, prompts: float = 1.0, seed: int) -> World:
    r"""Simulate n video sessions, some of which the app stops with "still watching?".

    $$P(A = 1 \mid h) = \sigma(h), \quad T(a) = \min(60, \, e^{2.5 + 0.4 h + 0.5 a} E), \quad
      C \sim \mathrm{Exp}(\text{prompts} \cdot \log 2 / 30), \quad Y = \min(T(A), C)$$

    **Data**, one row a session: history (h: hours watched last month, standardised), recommended
    (A), minutes (as logged, Y), complete (1: not stopped), `kept`, the chance P(C > Y) that the
    prompt, whose moment the app draws, came later. **Potential**: `minutes_0`, `minutes_1`, were
    there no prompt. **Truth**, of these n: ATE on the minutes that people want to watch. `prompts`
    0: nobody is stopped.

    Raises ValueError for no sessions, a seed that is no whole number, a switch below 0. Source:
    ours.
    """
    refuse_switch("prompts", prompts)
    rng = dice(n, seed, "sessions")
    history, pick = rng.normal(size=n), rng.random(n)
    want, clock = rng.exponential(size=(2, n))
    a = (pick < sigma(history)).astype(np.int64)
    wanted = {k: np.minimum(60, np.exp(2.5 + 0.4 * history + 0.5 * k) * want) for k in (0, 1)}
    rate = prompts * math.log(2) / HALF_LIFE
    stop = clock / rate if rate > 0 else np.full(n, math.inf)
    full = np.where(a == 1, wanted[1], wanted[0])
    log = {"history": history, "recommended": a, "minutes": np.minimum(full, stop)}
    log |= {"complete": (full <= stop).astype(np.int64), "kept": np.exp(-rate * log["minutes"])}
    hidden = {"minutes_0": wanted[0], "minutes_1": wanted[1]}
    return _world(log, hidden, "ATE", wanted[1] - wanted[0])


def _world(log: dict[str, Any], hidden: dict[str, Any], estimand: str, effect: Any) -> World:
    """Return the frames, and the mean effect as the truth of these units."""
    import pandas as pd

    return World(pd.DataFrame(log), {estimand: float(effect.mean())}, pd.DataFrame(hidden))


def _doubly_robust(y: Any, a: Any, X: Any, e: Any = None) -> Estimate:
    """AIPW with a linear model in each arm; the propensity is known, or a logit of X."""
    mu0, mu1 = (linear(X, y, where=np.asarray(a) == arm) for arm in (0, 1))
    return aipw(y, a, logit(X, a) if e is None else e, mu0, mu1)


def _shop_covariates(d: pd.DataFrame) -> pd.DataFrame:
    return d[BEFORE].assign(taste_2=d["taste"] == 2, taste_3=d["taste"] == 3).astype(float)


SHOP = Scenario(
    name="shop",
    decision="whether the slot is filled with an item",
    treatment="offered",
    outcome="purchase",
    covariates=(*BEFORE, "taste"),
    graph=Graph(
        "visits -> intent; intent -> searches; intent -> dwell; visits -> offered; "
        "searches -> offered; dwell -> offered; taste -> offered; intent -> cart; "
        "intent -> purchase; offered -> cart -> purchase; offered -> purchase",
        latent=["intent"],
    ),
    threat="the cart is a mediator: given it, half of the effect is gone",
    method="adjust for what came before the offer (AIPW)",
    constraint="no price or urgency that depends on who is vulnerable",
    estimand="ATE",
    simulate=lambda n, seed: shop(n, seed=seed),
    naive=lambda d: regression_adjustment(
        d["purchase"], d["offered"], _shop_covariates(d).assign(cart=d["cart"])
    ),
    estimate=lambda d: _doubly_robust(d["purchase"], d["offered"], _shop_covariates(d)),
)
MEDIA = Scenario(
    name="media",
    decision="whether a clip or a text fills a place in the feed",
    treatment="clip",
    outcome="like",
    covariates=("position",),
    graph=Graph("position -> clip -> like; position -> looked -> like", latent=["looked"]),
    threat="clips stand higher, and what stands higher is looked at",
    method="weigh each like by the chance of a look",
    constraint="outrage is liked too: no reward for what harms",
    estimand="effect per look",
    simulate=lambda n, seed: posts(n, seed=seed),
    naive=lambda d: difference_in_means(d["like"], d["clip"]),
    estimate=lambda d: replace(
        difference_in_means(d["like"] / d["examination"], d["clip"]), estimand="effect per look"
    ),
)
NEWS = Scenario(
    name="news",
    decision="which story leads the page",
    treatment="lead",
    outcome="read",
    covariates=("age",),
    graph=Graph("age -> lead -> looked -> read; age -> read", latent=["looked"]),
    threat="fresh stories lead, and fresh stories are read anyway",
    method="weigh by the chance of the place given the age (IPW)",
    constraint="plurality: no topic is starved because it is read less",
    estimand="ATE",
    simulate=lambda n, seed: stories(n, seed=seed),
    naive=lambda d: difference_in_means(d["read"], d["lead"]),
    estimate=lambda d: ipw(d["read"], d["lead"], logit(d["age"], d["lead"])),
)
MUSIC = Scenario(
    name="music",
    decision="which songs the chart lists",
    treatment="charted",
    outcome="plays",
    covariates=("plays_before",),
    graph=Graph(
        "quality -> plays_before -> charted -> plays; quality -> plays; plays_before -> plays",
        latent=["quality"],
    ),
    threat="the chart lists what was played, and so feeds itself",
    method="use the chart's lottery and the plays before (AIPW)",
    constraint="a floor of exposure for artists who start",
    estimand="ATE",
    simulate=lambda n, seed: songs(n, seed=seed),
    naive=lambda d: difference_in_means(d["plays"], d["charted"]),
    estimate=lambda d: _doubly_robust(d["plays"], d["charted"], d["plays_before"], d["propensity"]),
)
VIDEO = Scenario(
    name="video",
    decision="whether the next video is recommended or left to search",
    treatment="recommended",
    outcome="minutes",
    covariates=("history",),
    graph=Graph("history -> recommended -> minutes -> complete; history -> minutes"),
    threat="long sessions are cut off, so minutes are censored",
    method="weigh by the chance of not being cut off (IPCW), then AIPW",
    constraint="minutes are no welfare: a limit for minors, an off switch",
    estimand="ATE",
    simulate=lambda n, seed: sessions(n, seed=seed),
    naive=lambda d: _doubly_robust(d["minutes"], d["recommended"], d["history"]),
    estimate=lambda d: _doubly_robust(
        d["minutes"] * d["complete"] / d["kept"], d["recommended"], d["history"]
    ),
)
FIVE = (SHOP, MEDIA, NEWS, MUSIC, VIDEO)
