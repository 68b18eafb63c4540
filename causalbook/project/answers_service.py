"""The exercise of the page on the service: eight visits, four decided by each of two policies."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

VERSION = ("v1",) * 4 + ("v2",) * 4
SHOWN = ("trailer", "trailer", "trailer", "poster", "trailer", "poster", "poster", "poster")
CLICKED = (1, 0, 1, 0, 1, 1, 0, 0)
TRAILER = {"v1": Fraction(4, 5), "v2": Fraction(1, 4)}  # chance that the version shows the trailer


def practice_log() -> pd.DataFrame:
    """Return eight visits in their order: which version decided, what it showed, the click."""
    import pandas as pd

    chance = [float(TRAILER[v]) for v in VERSION]
    columns = {"version": VERSION, "chance of the trailer": chance}
    return pd.DataFrame(columns | {"shown": SHOWN, "clicked": CLICKED})


def _weighted(chance: Sequence[Fraction], rounds: int = len(SHOWN)) -> float:
    """Clicks on the trailer, each divided by its chance, over so many visits."""
    clicks = zip(SHOWN, CLICKED, chance, strict=True)
    return float(sum(c / p for shown, c, p in clicks if shown == "trailer") / rounds)


def _right() -> float:
    return _weighted([TRAILER[v] for v in VERSION])


def _recomputed() -> float:
    return _weighted([TRAILER["v2"]] * len(SHOWN))


def _where_shown() -> float:
    return _weighted([Fraction(1)] * len(SHOWN), SHOWN.count("trailer"))


def _over_shown() -> float:
    return _weighted([TRAILER[v] for v in VERSION], SHOWN.count("trailer"))


EXERCISE = Exercise(
    _right,
    {
        "the version of today": (
            _recomputed,
            "That divides every click by the chance that v2 gives the trailer. v1 decided the "
            "first four visits: divide each by the chance of the version that decided it. A click "
            "rate above 1 should have warned you.",
        ),
        "the click rate where it was shown": (
            _where_shown,
            "That is the click rate of the visits that were shown the trailer. Each of them stands "
            "for as many visits as one over its chance.",
        ),
        "over the visits that were shown it": (
            _over_shown,
            "The weights are right. They already stand for all eight visits, also for those that "
            "were shown the poster: divide by eight.",
        ),
    },
    "Divide each click on the trailer by the chance that the version of that visit gave it; add "
    "up, and divide by the number of visits.",
)
