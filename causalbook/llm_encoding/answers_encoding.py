"""The exercise of the page on encoding: a user's intent from five events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array
from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

NOW, HALF_LIFE = 28, 7  # days
WEIGHT = {"view": 1, "buy": 4}


def practice_events() -> pd.DataFrame:
    """Return five events of one user; film 0 has the vector (1, 0), film 1 the vector (0, 1)."""
    import pandas as pd

    log = {"user": 0, "item": [0, 1, 1, 0, 0], "time": [21, 14, 7, 14, 28]}
    return pd.DataFrame(log | {"action": ["view", "buy", "view", "view", "view"]})


def _first(w: Array) -> float:
    """The first coordinate of the mean of the two vectors with weights w."""
    item = practice_events()["item"].to_numpy()
    return float(w[item == 0].sum() / w.sum())


def _weights() -> Array:
    """The weights of all events, as if each were in time."""
    log = practice_events()
    c = log["action"].map(WEIGHT).to_numpy(dtype=np.float64)
    return np.asarray(c * np.exp2(-(NOW - log["time"].to_numpy()) / HALF_LIFE))


def _in_time() -> Array:
    return np.asarray(practice_events()["time"].to_numpy() < NOW, dtype=np.float64)


def _of_the_number() -> float:
    w = _weights() * _in_time()
    item = practice_events()["item"].to_numpy()
    return float(w[item == 0].sum() / _in_time().sum())


def _all_actions_alike() -> float:
    age = NOW - practice_events()["time"].to_numpy()
    return _first(np.exp2(-age / HALF_LIFE) * _in_time())


EXERCISE = Exercise(
    lambda: _first(_weights() * _in_time()),
    {
        "with the last event": (
            lambda: _first(_weights()),
            "You let the event of day 28 in. It is not before the decision of day 28: it may be "
            "what the decision caused.",
        ),
        "divided by the number": (
            _of_the_number,
            "You divided by the number of events. A weighted mean divides by the sum of the "
            "weights; otherwise the vector shrinks as events grow old.",
        ),
        "all actions alike": (
            _all_actions_alike,
            "The ages are right. A purchase has four times the weight of a view: multiply.",
        ),
    },
    "Weigh each event before day 28 by its action's weight times one half to the power of its age "
    "in half-lives; add up the weights of film 0 and divide by all weights.",
)
