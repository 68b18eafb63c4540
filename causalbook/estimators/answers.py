"""Exercises of the part: right answers and misconceptions, computed from the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd


def practice_log() -> pd.DataFrame:
    """Return eight rounds of a policy with two items, for pen and paper."""
    import pandas as pd

    return pd.DataFrame(
        {
            "action": [0, 1, 0, 0, 1, 0, 1, 0],
            "pscore": [0.8, 0.2, 0.5, 0.8, 0.5, 0.8, 0.2, 0.5],
            "reward": [1, 1, 0, 1, 1, 0, 0, 1],
        }
    )


def _weighted() -> pd.Series[float]:
    log = practice_log()
    return (log["action"] == 1) / log["pscore"] * log["reward"]


def _value() -> float:
    return float(_weighted().mean())


def _matching_only() -> float:
    log = practice_log()
    return float(log["reward"][log["action"] == 1].mean())


def _divided_by_matches() -> float:
    return float(_weighted().sum() / (practice_log()["action"] == 1).sum())


EXERCISES = {
    "off_policy": Exercise(
        _value,
        {
            "click rate where shown": (
                _matching_only,
                "This is the click rate of the rounds that showed item 1. It speaks of the "
                "visitors to whom item 1 was shown; weigh each round by one over its propensity.",
            ),
            "divided by the matches": (
                _divided_by_matches,
                "The weights are right. You divided by the number of rounds that showed item 1; "
                "IPS divides by all rounds, those with weight zero included.",
            ),
        },
        "Give each round the weight (1 if item 1 was shown, else 0) / pscore, multiply by the "
        "reward, and average over all rounds.",
    )
}
