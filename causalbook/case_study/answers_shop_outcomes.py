"""The exercise of the page on outcomes: a mean of which a part was not reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalbook.arrays import Array
from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd


def practice_reports() -> pd.DataFrame:
    """Return ten users of one arm: the chance that they report, and what they reported."""
    import pandas as pd

    chance = [0.8, 0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4]
    bought = [0, 0, 1, 0, np.nan, 1, np.nan, 1, np.nan, np.nan]
    return pd.DataFrame({"user": range(1, 11), "chance": chance, "bought": bought})


def _columns() -> tuple[Array, Array]:
    table = practice_reports()
    return table["bought"].to_numpy(), table["chance"].to_numpy()


def _weighted() -> float:
    y, rho = _columns()
    return float(np.nansum(y / rho) / len(y))


def _complete_cases() -> float:
    y, _ = _columns()
    return float(np.nanmean(y))


def _silent_as_no_purchase() -> float:
    y, _ = _columns()
    return float(np.nansum(y) / len(y))


def _over_those_seen() -> float:
    y, rho = _columns()
    return float(np.nansum(y / rho) / (~np.isnan(y)).sum())


EXERCISE = Exercise(
    _weighted,
    {
        "complete cases": (
            _complete_cases,
            "That is the mean of those who reported, and those with a low chance are rare among "
            "them. Let each purchase count one over its user's chance of reporting.",
        ),
        "silent means no": (
            _silent_as_no_purchase,
            "That takes everyone who is silent for somebody who did not buy. A purchase that was "
            "reported with chance .4 stands for two and a half.",
        ),
        "divided by those seen": (
            _over_those_seen,
            "The weights already make up for the silent: their sum is about ten, the users of the "
            "arm. Divide by all ten.",
        ),
    },
    "Sum one over the chance over the purchases that were reported, and divide by all ten users.",
)
