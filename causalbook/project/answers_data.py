"""The exercise of the page on data: a policy's value from two small tables with some dirt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

WINDOW = 7


def practice_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return nine lines on impressions, one sent twice, and the purchases that followed."""
    import pandas as pd

    shown = {"impression": list("abbcdefgh"), "action": [1, 1, 1, 0, 1, 0, 1, 0, 1]}
    shown |= {"pscore": [0.5, 0.25, 0.25, 0.5, 0.5, 0.75, 0.25, 0.75, 0.5]}
    came = {"impression": list("bcdfg"), "days": [1, 2, 3, 9, 4]}
    return pd.DataFrame(shown), pd.DataFrame(came)


def _value(*, window: float = WINDOW, once: bool = True, weighted: bool = True) -> float:
    """Value of always playing action 1, by IPS or as the mean where it was played."""
    shown, came = practice_tables()
    if once:
        shown = shown.drop_duplicates("impression")
    soon = came.loc[came["days"] <= window, "impression"]
    reward = shown["impression"].isin(soon).to_numpy(np.float64)
    played = shown["action"].to_numpy() == 1
    if not weighted:
        return float(reward[played].mean())
    return float((played * reward / shown["pscore"].to_numpy()).mean())


EXERCISE = Exercise(
    _value,
    {
        "a purchase after the window": (
            lambda: _value(window=np.inf),
            "One purchase came after nine days. The question asks for seven: decide on the window "
            "before you look, and keep to it.",
        ),
        "a line counted twice": (
            lambda: _value(once=False),
            "Nine lines, but eight impressions: one was sent twice. Count a key once.",
        ),
        "the mean where it was shown": (
            lambda: _value(weighted=False),
            "That is the purchase rate among those whom the old policy chose. Divide each reward "
            "by the propensity that stands beside it, and the sum by all impressions.",
        ),
    },
    "Count each impression once and purchases of seven days; weight by one over the propensity.",
)
