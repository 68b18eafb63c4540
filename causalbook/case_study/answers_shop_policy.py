"""The exercise of the page on the shop's policy: what a rule earned, from eight visits."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

MARGIN, COST = Fraction(30, 100), Fraction(2, 100)
GAIN = [Fraction(k, 10) for k in (5, 3, 2, 1, -1, -2, -4, -6)]  # predicted, in money
SHOWN = (1, 0, 1, 0, 1, 0, 0, 1)  # by a coin
ORDER = (14, 0, 0, 6, 0, 0, 20, 8)


def practice_test() -> pd.DataFrame:
    """Return eight visits of a test in which a coin decided whether the slot was filled."""
    import pandas as pd

    gain = [float(g) for g in GAIN]
    return pd.DataFrame({"predicted gain": gain, "shown": SHOWN, "order value": ORDER})


def _earned(*, cost: Fraction = COST, compared: bool = True) -> Fraction:
    """Sum over the visits that the rule shows: those shown, less those left empty, times two."""
    total = Fraction(0)
    for gain, shown, order in zip(GAIN, SHOWN, ORDER, strict=True):
        profit = MARGIN * order - cost * shown
        if gain > 0 and (shown or compared):
            total += 2 * profit if shown else -2 * profit
    return total


def _right() -> float:
    return float(_earned() / len(GAIN))


def _promised() -> float:
    return float(sum((max(g, Fraction(0)) for g in GAIN), Fraction(0)) / len(GAIN))


def _never_compared() -> float:
    return float(_earned(compared=False) / len(GAIN))


def _for_each_shown() -> float:
    return float(_earned() / sum(g > 0 for g in GAIN))


def _free() -> float:
    return float(_earned(cost=Fraction(0)) / len(GAIN))


EXERCISE = Exercise(
    _right,
    {
        "the promise": (
            _promised,
            "That is what the model promises: the mean of its own predictions. Ask the eight "
            "outcomes what it kept.",
        ),
        "never compared": (
            _never_compared,
            "That is what those who were shown something earned. Some of it would have come with "
            "an empty slot: subtract the visits that the rule would show and the coin did not.",
        ),
        "for each visit shown": (
            _for_each_shown,
            "That is the gain for each visit that the rule shows. Asked is the gain for each of "
            "the eight: where the rule shows nothing it gains nothing.",
        ),
        "the slot is free": (
            _free,
            "Showing costs two cents, whether or not anything is bought: take them from the "
            "visits that were shown.",
        ),
    },
    "Profit of each visit first. Then, among visits with a positive prediction, twice the profit "
    "where the coin showed it less twice where it did not, over all eight.",
)
