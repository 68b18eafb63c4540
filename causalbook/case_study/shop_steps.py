"""The seven steps of the articles' pseudocode, from an empty slot to a policy for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints, as_frame, dice, numbers, rows, same_length
from causalbook.case_study.queries import GENRES, NOUNS
from causalbook.case_study.shop_analysis import shop_covariates
from causalbook.estimate import Estimate
from causalbook.estimators import EffectModel, calibration, dr_learner, policy_value, qini
from causalbook.estimators.logged_data import distributions
from causalbook.nuisance import Logit
from causalbook.potential_outcomes import World

if TYPE_CHECKING:
    import pandas as pd

SHELVES = len(GENRES) + 1  # shelf 0 is the empty slot
BEFORE = ("age", "gender", "region", "views", "browsed", "carted", "query")


def initialise(n: int) -> Array:
    r"""Start from a slot that stays empty: the policy over which every gain is counted.

    $$\pi(0 \mid x) = 1$$

    Parameters: `n` visits. Returns (n, 6), probabilities of the shelves, 0 the empty slot.
    Raises ValueError for n that is no whole number from 1. Source: step 1 of the articles' code.
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n is {n!r}: pass the number of visits, a whole number from 1")
    return np.tile(np.eye(SHELVES)[0], (n, 1))


def collect(world: World, pi: Any, *, seed: int) -> pd.DataFrame:
    r"""Run a policy on the visitors of a shop, and log what comes of it with its propensities.

    $$K_i \sim \pi(\cdot \mid x_i), \qquad Y_i = Y_i(K_i)$$

    Parameters: `world` from `funnel_shop`; `pi` (n, 6) probabilities of the shelves. Returns the
    log that the shop would have, had it filled the slot by `pi`, with `propensity` and `pscore` in
    every row. It has neither item nor genre bought, which hang on the film.
    Raises ValueError for a world without the shop's potential outcomes, and for a `pi` that is no
    policy over its visitors. Source: step 2 of the articles' code.
    """
    hidden: Any = getattr(world, "potential", ())
    if absent := [c for c in ("pscore_0", f"wait_{SHELVES - 1}") if c not in hidden]:
        raise ValueError(f"world has no {', '.join(absent)}: pass one from funnel_shop")
    n = len(hidden)
    p = distributions("pi", pi, n)
    if p.shape[1] != SHELVES:
        raise ValueError(f"pi has {p.shape[1]} columns: pass {SHELVES}, shelf 0 the empty slot")
    row = np.arange(n)
    shelf = (dice(n, seed, "collect").random((n, 1)) >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    log = world.data.drop(columns=["item", "purchased"])
    log = log.assign(shelf=shelf.astype(np.int8), recommended=(shelf > 0).astype(np.int8))
    log = log.assign(propensity=1 - p[:, 0], pscore=p[row, shelf])
    came = {"viewed": "view", "cart": "cart", "purchase": "purchase", "order_value": "value"}
    for name, table in came.items():
        outcomes = hidden[[f"{table}_{k}" for k in range(SHELVES)]].to_numpy()
        log[name] = outcomes[row, shelf]
    return log


def preprocess(*logs: pd.DataFrame) -> list[pd.DataFrame]:
    """Turn what was known before the slot was filled into numbers, alike for all logs.

    The columns are those of `shop_covariates`, of all logs together, so that what is learned from
    one can be predicted for another; and one that says whether the query asks for the genre that
    was looked at last. Nothing that came after the slot is read.

    Parameters: `logs` from `funnel_shop` or `collect`. Returns a table for each, in its rows.
    Raises ValueError for no visits, a column that is not there, missing values, and a query that
    asks for no genre. Source: step 3 of the articles' code.
    """
    import pandas as pd

    if not sum(map(len, logs)):
        raise ValueError("logs hold no visits: pass at least one log of the shop")
    for log in logs:
        if absent := [name for name in BEFORE if name not in as_frame("logs", log)]:
            raise ValueError(f"logs have no column {', '.join(absent)}: pass logs of the shop")
    every = pd.concat([log[list(BEFORE)] for log in logs], ignore_index=True)
    genre = np.array(GENRES)[asked(every["query"]) - 1]
    table = shop_covariates(every)
    table["asks for browsed"] = (every["browsed"].astype(str) == genre).astype(np.float64)
    ends = np.cumsum([len(log) for log in logs])
    parts = np.split(np.arange(len(every)), ends[:-1])
    return [table.iloc[i].set_index(log.index) for i, log in zip(parts, logs, strict=True)]


def asked(query: Any) -> Ints:
    """Shelf (1 to 5) of the genre that each query asks for, by the nouns that name it.

    Parameters: `query` (n,) texts, in capitals or not. Raises ValueError for texts that name no
    genre, or several. Source: ours.
    """
    import pandas as pd

    if isinstance(query, str):
        raise ValueError("query is a single text: pass a list or a column of texts")
    typed = pd.Categorical(query)
    texts, code = [str(text).lower() for text in typed.categories], np.asarray(typed.codes)
    named = [[any(noun in text for noun in nouns) for nouns in NOUNS] for text in ("", *texts)]
    found, code = np.array(named), code + 1  # row 0: no text at all, which names no genre
    bad = found.sum(axis=1)[code] != 1
    if bad.any():
        raise ValueError(
            f"query names no genre, or several, in {rows(bad)}: pass texts that ask for one"
        )
    shelf: Ints = 1 + found.argmax(axis=1)[code]
    return shelf


def train(X: Any, a: Any, profit: Any, *, seed: int) -> EffectModel:
    r"""Learn what showing earns from a log without propensities: the DR-learner in straight lines.

    $$\hat\tau(x) = \hat E[\hat\varphi \mid X{=}x], \qquad
      \tau(x) = E[\text{profit}(1) - \text{profit}(0) \mid X{=}x]$$

    It is right only as far as X holds all that both the old policy and the outcome follow.

    Parameters: `X` (n, p) from `preprocess`; `a` (n,) shown, 0 or 1; `profit` (n,) in money, of
    the visit as it went; `seed` of the two folds. Raises ValueError as `dr_learner` does.
    Source: step 4 of the articles' code, which regresses the purchase; Kennedy (2023).
    """
    return dr_learner(X, a, profit, e=Logit(), folds=2, seed=seed)


def predict(model: EffectModel, X: Any) -> Array:
    """Predict what showing changes for each visit: its gain in money, not its purchase.

    Parameters: `model` from `train`; `X` (n, p) with its columns. Raises ValueError for other
    columns. Source: step 5 of the articles' code, which predicts purchases.
    """
    return model.predict(X)


def analyse(gain: Any, profit: Any, a: Any, e: Any) -> dict[str, Estimate]:
    r"""Judge predicted gains on visits whose chances of being shown are known.

    Returns "ranking", the Qini area; "slope" of gains on predicted ones (1: as promised); "rule",
    what showing where the prediction is positive earns over showing nobody.

    Parameters: `gain` (n,) predicted, by a model that has not seen these visits; `profit` (n,) in
    money; `a` (n,) shown, 0 or 1; `e` (n,) known chances of a = 1.
    Raises ValueError as `calibration` does. Source: step 6 of the articles' code, which prints.
    """
    predicted = numbers("gain", gain)
    never = policy_value(np.zeros(len(predicted)), profit, a, e)
    return {
        "ranking": qini(predicted, profit, a, e).area,
        "slope": calibration(predicted, profit, a, e).slope,
        "rule": policy_value(predicted > 0, profit, a, e) - never,
    }


def optimise(pi: Any, gain: Any, shelf: Any) -> Array:
    r"""Show a shelf wherever that is predicted to earn more than the policy so far.

    $$\pi'(k \mid x) = 1\{k = k(x)\} \text{ where } \hat\tau(x) > 0, \qquad
      \pi'(k \mid x) = \pi(k \mid x) \text{ elsewhere}$$

    Parameters: `pi` (n, 6) the policy so far; `gain` (n,) predicted gains over it, in money;
    `shelf` (n,) what to show, 0 to 5. Returns the new policy (n, 6).
    Raises ValueError for a `pi` that is no policy, a shelf out of range, unequal lengths.
    Source: step 7 of the articles' code.
    """
    tau, k = numbers("gain", gain), numbers("shelf", shelf)
    same_length(gain=tau, shelf=k)
    p = distributions("pi", pi, len(tau))
    bad = (k < 0) | (k >= p.shape[1]) | (k != np.round(k))
    if bad.any():
        raise ValueError(f"shelf is no column of pi in {rows(bad)}: pass 0 to {p.shape[1] - 1}")
    return np.where((tau > 0)[:, None], np.eye(p.shape[1])[k.astype(np.int64)], p)
