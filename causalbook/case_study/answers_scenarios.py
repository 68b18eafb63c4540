"""The exercise of the page on ten domains: minutes that a prompt has cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array
from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd


def practice_sessions() -> pd.DataFrame:
    """Return eight sessions: minutes logged, complete (0: cut off), kept (chance not to be)."""
    import pandas as pd

    rows = [(5, 1, 0.9), (50, 1, 0.4), (10, 1, 0.8), (20, 0, 0.7)]
    rows += [(30, 1, 0.5), (40, 0, 0.45), (15, 1, 0.75), (25, 0, 0.65)]
    table = pd.DataFrame(rows, columns=["minutes", "complete", "kept"])
    table.insert(0, "session", range(1, 9))
    return table


def _columns() -> tuple[Array, Array, Array]:
    d = practice_sessions()
    return d["minutes"].to_numpy(float), d["complete"].to_numpy(float), d["kept"].to_numpy(float)


def _weighted() -> float:
    minutes, complete, kept = _columns()
    return float((minutes * complete / kept).mean())


def _as_they_stand() -> float:
    return float(_columns()[0].mean())


def _complete_only() -> float:
    minutes, complete, _ = _columns()
    return float(minutes[complete == 1].mean())


def _over_the_complete() -> float:
    minutes, complete, kept = _columns()
    return float((minutes * complete / kept).sum() / complete.sum())


def _over_the_weights() -> float:
    minutes, complete, kept = _columns()
    return float(np.average(minutes, weights=complete / kept))


def _all_weighted() -> float:
    minutes, _, kept = _columns()
    return float(np.mean(minutes / kept))


EXERCISE = Exercise(
    _weighted,
    {
        "as they stand": (
            _as_they_stand,
            "That takes the minutes until the prompt for the minutes that were wanted: too few, "
            "and most so where sessions are long.",
        ),
        "complete only": (
            _complete_only,
            "That drops the sessions that were cut off, which are the long ones. Let each complete "
            "one speak for those that were cut off before they came so far: divide by kept.",
        ),
        "divided by the complete": (
            _over_the_complete,
            "The weights stand for all eight sessions already: divide by eight, not by the five.",
        ),
        "divided by the weights": (
            _over_the_weights,
            "That divides by the sum of the weights (Hájek), a good estimate too; the formula "
            "as it stands divides by eight, which is what that sum is on average.",
        ),
        "cut off and weighted": (
            _all_weighted,
            "A session that was cut off has weight 0: how long it would have been is not known.",
        ),
    },
    "Minutes of the complete sessions, each divided by its kept; the sum divided by all eight.",
)
